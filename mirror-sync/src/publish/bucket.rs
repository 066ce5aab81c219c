//! A bucket of an object store, as any client of plain HTTP reads it.
//!
//! ```text
//! ID/...                            every file of every snapshot that is kept; repodata/repomd.xml is what `current` shows
//! snapshots/ID/STAMP/repodata/      the index of a snapshot, and what `ID/` has with other content by the same name
//! CHANNEL/ID/metalink.xml           which snapshot a channel shows: its index by digest, to be had in both places
//! ```
//! Stores have no links and no rename: what is shared lies in one place, and a switch is the one small object that names the
//! rest. Packages come first, then metadata, the index last; what clients may be reading is never overwritten before that.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use repo_client::{Bucket as Store, PutOptions, Upload};
use rpm_pkg::digest::DigestAlgo;
use rpm_repo::{delta, xml};

use super::remote::{CHANGED, Noted, Place};
use super::target::{PublishTarget, RemoteTarget, Sent};
use crate::error::{Error, Result};
use crate::layout::{self, CURRENT, INDEX, MAX_INDEX};
use crate::manifest::{self, Manifest, SnapshotFile};

/// The index, its signature and the key that a reader takes with it; in the order in which clients are shown them.
const INDEX_FILES: [&str; 3] = ["repodata/repomd.xml.key", "repodata/repomd.xml.asc", INDEX];
/// How long caches may keep what never changes under its name, and what is named by a version that may be built anew.
const FOREVER: &str = "public, max-age=31536000, immutable";
const A_DAY: &str = "public, max-age=86400";
/// The same of what says what is current.
const A_MINUTE: &str = "public, max-age=60, must-revalidate";
/// After so many files, or bytes, what was sent is written down: a run that is killed need not find it out again.
const NOTE_FILES: u64 = 2000;
const NOTE_BYTES: u64 = 256 << 20;

/// What lies in the bucket now: key -> size and tag.
type Listing = BTreeMap<String, (u64, String)>;

/// What an object is, compared with a file.
#[derive(PartialEq, Eq)]
enum Found {
    Nothing,
    Same,
    Other,
}

pub(super) struct Bucket<'a> {
    place: &'a Place<'a>,
    bucket: Store<'a>,
    /// Of one repository; and which.
    listing: RefCell<Option<(String, Listing)>>,
    objects: RefCell<Noted>,
    noted: Cell<(u64, u64)>,
    sent: Cell<(u64, u64)>,
}

impl<'a> Bucket<'a> {
    pub(super) fn open(place: &'a Place<'a>) -> Result<Self> {
        let bucket = Store::open(place.client, place.access, &place.section.url)?;
        let bucket = bucket.telling(place.tell);
        Ok(Self {
            place,
            bucket,
            listing: RefCell::default(),
            objects: RefCell::default(),
            noted: Cell::default(),
            sent: Cell::default(),
        })
    }

    /// Asks what lies there of a repository, unless it was asked before.
    fn look(&self, id: &str) -> Result<()> {
        let is_known =
            |known: &Option<(String, Listing)>| known.as_ref().is_some_and(|(of, _)| of == id);
        if is_known(&self.listing.borrow()) {
            return Ok(());
        }
        let mut listing = Listing::new();
        for below in [format!("{id}/"), format!("snapshots/{id}/")] {
            let found = self.bucket.list(&below)?.into_iter();
            listing.extend(found.map(|one| (one.key, (one.size, one.etag))));
        }
        let mut objects = self.place.noted(id);
        let index = format!("{id}/{INDEX}");
        if let (Some((_, tag)), Some((_, there))) = (objects.known.get(&index), listing.get(&index))
            && !there.is_empty()
            && there != tag
        {
            (self.place.tell)(&format!("{index} {CHANGED}"));
        }
        // Some stores list no tags.
        let again = self.place.again;
        let is_it = |there: &str, tag: &str| there == tag || there.is_empty() && !again;
        objects
            .known
            .retain(|key, (digest, tag)| match listing.get(key) {
                None => false,
                Some((_, there)) if is_it(there, tag) => true,
                // What this mirror has put there is to be removed one day, whatever it is by now.
                Some((_, there)) if there.is_empty() => {
                    digest.clear();
                    tag.clear();
                    true
                }
                Some(_) => false,
            });
        *self.objects.borrow_mut() = objects;
        *self.listing.borrow_mut() = Some((id.to_owned(), listing));
        Ok(())
    }

    /// Size and tag of what lies there now.
    fn listed(&self, key: &str) -> Option<(u64, String)> {
        let listing = self.listing.borrow();
        listing.as_ref()?.1.get(key).cloned()
    }

    fn found(&self, key: &str, entry: &SnapshotFile) -> Result<Found> {
        let Some((size, tag)) = self.listed(key) else {
            return Ok(Found::Nothing);
        };
        if size != entry.size {
            return Ok(Found::Other);
        }
        let mut objects = self.objects.borrow_mut();
        let known = objects.known.get(key);
        if let Some((digest, _)) = known.filter(|(digest, _)| !digest.is_empty()) {
            return Ok(match *digest == entry.digest {
                true => Found::Same,
                false => Found::Other,
            });
        }
        // Nobody knows the tag: most stores make it of the content.
        let tag = match tag.is_empty() {
            true => self
                .bucket
                .look(key)?
                .map(|one| one.etag)
                .unwrap_or_default(),
            false => tag,
        };
        let path = self.place.publisher.store.path(&entry.digest()?);
        if Store::etag_of_file(&path)?.trim_matches('"') != tag.trim_matches('"') {
            return Ok(Found::Other);
        }
        objects
            .known
            .insert(key.to_owned(), (entry.digest.clone(), tag));
        Ok(Found::Same)
    }

    /// Notes that an object is there.
    fn has_come(&self, key: &str, digest: &str, size: u64, tag: &str) {
        if let Some((_, listing)) = &mut *self.listing.borrow_mut() {
            listing.insert(key.to_owned(), (size, tag.to_owned()));
        }
        let what = (digest.to_owned(), tag.to_owned());
        self.objects.borrow_mut().known.insert(key.to_owned(), what);
        let (files, bytes) = self.sent.get();
        self.sent.set((files + 1, bytes + size));
    }

    /// Writes down what is known.
    fn note(&self) -> Result<()> {
        if let Some((id, _)) = &*self.listing.borrow() {
            self.place.note(id, &self.objects.borrow())?;
        }
        self.noted.set(self.sent.get());
        Ok(())
    }

    /// What lies under these keys is unknown from now on: until the answer has come, whatever happens.
    fn forget(&self, keys: &[&str]) -> Result<()> {
        let mut objects = self.objects.borrow_mut();
        let before = objects.known.len();
        for key in keys {
            objects.known.remove(*key);
        }
        let is_same = objects.known.len() == before;
        drop(objects);
        if is_same { Ok(()) } else { self.note() }
    }

    /// Older snapshots that are kept get a place of their own for what is about to be overwritten.
    fn keep_older(&self, manifest: &Manifest, changed: &[(String, &SnapshotFile)]) -> Result<()> {
        let overwritten = changed.iter().filter(|(key, _)| self.listed(key).is_some());
        let overwritten: BTreeMap<&str, &str> = overwritten
            .map(|(_, entry)| (entry.path.as_str(), entry.digest.as_str()))
            .collect();
        if overwritten.is_empty() {
            return Ok(());
        }
        let layout = self.place.publisher.layout;
        for stamp in manifest::stamps(layout, &manifest.repo)? {
            let older = manifest::read(layout, &manifest.repo, &stamp)?;
            let own = snapshot_of(&older);
            if stamp == manifest.stamp || self.listed(&format!("{own}/{INDEX}")).is_none() {
                continue;
            }
            let mut wanted = Vec::new();
            for entry in &older.files {
                let own = format!("{own}/{}", entry.path);
                let new = overwritten.get(entry.path.as_str());
                if new.is_some_and(|digest| *digest != entry.digest)
                    && !entry.is_unjudged(self.place.publisher.store)
                    && self.found(&own, entry)? != Found::Same
                {
                    wanted.push((own, entry));
                }
            }
            self.send(&wanted, |entry| {
                options(kind_of(&entry.path), caching(entry))
            })?;
        }
        Ok(())
    }

    /// Sends stored files, each to its key. The caller notes what has come, once for all that he sends.
    fn send(
        &self,
        files: &[(String, &SnapshotFile)],
        how: impl Fn(&SnapshotFile) -> PutOptions,
    ) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let keys = files.iter().map(|(key, _)| key.as_str());
        self.forget(&keys.collect::<Vec<_>>())?;
        let mut uploads = Vec::new();
        for (key, entry) in files {
            let digest = entry.digest()?;
            let sha256 = (digest.algo() == DigestAlgo::Sha256).then(|| digest.bytes());
            uploads.push(Upload {
                key: key.clone(),
                path: self.place.publisher.store.path(&digest),
                size: entry.size,
                sha256: sha256.and_then(|bytes| bytes.try_into().ok()),
                how: how(entry),
            });
        }
        let digests: BTreeMap<&str, &str> = files
            .iter()
            .map(|(key, entry)| (key.as_str(), entry.digest.as_str()))
            .collect();
        let mut came = |upload: &Upload, tag: repo_client::Result<String>| {
            let digest = digests
                .get(upload.key.as_str())
                .copied()
                .unwrap_or_default();
            self.has_come(&upload.key, digest, upload.size, &tag?);
            let ((files, bytes), (files_then, bytes_then)) = (self.sent.get(), self.noted.get());
            if files - files_then >= NOTE_FILES || bytes - bytes_then >= NOTE_BYTES {
                // It is found out again.
                let _ = self.note();
            }
            Ok(())
        };
        let ended = self
            .bucket
            .put_files(&uploads, self.place.section.at_once(), &mut came);
        if ended.is_err() {
            self.note()?;
        }
        Ok(ended?)
    }

    /// Puts what says what is current, if nobody has changed it since it was looked at.
    fn put_index(&self, key: &str, entry: &SnapshotFile) -> Result<()> {
        let path = self.place.publisher.store.path(&entry.digest()?);
        let bytes = layout::read(&path, MAX_INDEX)?;
        let there = self.listed(key);
        let how = options(kind_of(key), A_MINUTE);
        let only = PutOptions {
            if_none_match: there.is_none(),
            if_match: there.map(|(_, tag)| tag),
            ..how.clone()
        };
        self.forget(&[key])?;
        let tag = match self.bucket.put(key, &bytes, &only) {
            Err(repo_client::Error::NotConditional { .. }) => self.bucket.put(key, &bytes, &how)?,
            Err(repo_client::Error::Conflict { .. }) => {
                return Err(Error::NotFound(format!(
                    "{key} was changed by somebody else meanwhile: one mirror publishes to a place"
                )));
            }
            other => other?,
        };
        self.has_come(key, &entry.digest, entry.size, &tag);
        self.note()
    }

    fn put_bytes(&self, key: &str, bytes: &[u8], kind: &str) -> Result<()> {
        self.bucket.put(key, bytes, &options(kind, A_MINUTE))?;
        let (files, sent) = self.sent.get();
        self.sent.set((files + 1, sent + bytes.len() as u64));
        Ok(())
    }

    fn shown_at(&self) -> &str {
        let section = self.place.section;
        section
            .public_url
            .as_deref()
            .unwrap_or(&section.url)
            .trim_end_matches('/')
    }
}

impl PublishTarget for Bucket<'_> {
    fn place(&self, manifest: &Manifest) -> Result<()> {
        let (id, own) = (&manifest.repo, snapshot_of(manifest));
        self.look(id)?;
        let index = entry_of(manifest, INDEX)?;
        let is_new = self.found(&format!("{own}/{INDEX}"), index)? != Found::Same;
        let mut wanted = Vec::new();
        // Deltas are no part of the set: what an older snapshot had is not sent once more.
        let deltas = manifest.deltas.iter().filter(|_| is_new);
        for entry in manifest.files.iter().chain(deltas) {
            if is_index(entry) || entry.is_unjudged(self.place.publisher.store) {
                continue;
            }
            let key = format!("{id}/{}", entry.path);
            match self.found(&key, entry)? {
                Found::Same => {}
                // Clients read the other one.
                Found::Other if entry.path != delta::INDEX => {
                    let own = format!("{own}/{}", entry.path);
                    if self.found(&own, entry)? != Found::Same {
                        wanted.push((own, entry));
                    }
                }
                _ => wanted.push((key, entry)),
            }
        }
        // Packages first: who is killed has sent nothing that names what is not there.
        let (packages, metadata): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .partition(|(_, entry)| entry.package.is_some());
        for files in [packages, metadata] {
            self.send(&files, |entry| {
                options(kind_of(&entry.path), caching(entry))
            })?;
        }
        for path in INDEX_FILES {
            let key = format!("{own}/{path}");
            if let Ok(entry) = entry_of(manifest, path)
                && self.found(&key, entry)? != Found::Same
            {
                self.send(&[(key, entry)], |entry| {
                    options(kind_of(&entry.path), FOREVER)
                })?;
            }
        }
        self.note()
    }

    fn switch(&self, channel: &str, manifest: &Manifest, _: u64) -> Result<()> {
        let id = &manifest.repo;
        self.look(id)?;
        if channel != CURRENT {
            let text = self.metalink(manifest)?;
            let key = format!("{channel}/{id}/metalink.xml");
            return self.put_bytes(&key, text.as_bytes(), "application/metalink+xml");
        }
        let mut changed = Vec::new();
        for entry in manifest.files.iter().filter(|entry| !is_index(entry)) {
            let key = format!("{id}/{}", entry.path);
            if !entry.is_unjudged(self.place.publisher.store)
                && self.found(&key, entry)? != Found::Same
            {
                changed.push((key, entry));
            }
        }
        self.keep_older(manifest, &changed)?;
        self.send(&changed, |entry| {
            options(kind_of(&entry.path), caching(entry))
        })?;
        let mut gone = Vec::new();
        for path in INDEX_FILES {
            let key = format!("{id}/{path}");
            match entry_of(manifest, path) {
                Ok(entry) if path == INDEX => self.put_index(&key, entry)?,
                Ok(entry) if self.found(&key, entry)? != Found::Same => {
                    self.send(&[(key, entry)], |entry| {
                        options(kind_of(&entry.path), A_MINUTE)
                    })?;
                }
                Ok(_) => {}
                Err(_) => gone.push(key),
            }
        }
        self.remove(&gone)
    }

    fn put(&self, path: &str, data: &[u8]) -> Result<()> {
        let there = self.bucket.get(path, MAX_INDEX)?;
        if there.is_some_and(|(bytes, _)| bytes == data) {
            return Ok(());
        }
        self.put_bytes(path, data, kind_of(path))
    }
}

impl RemoteTarget for Bucket<'_> {
    fn keep(&self, id: &str, kept: &[Manifest]) -> Result<()> {
        self.look(id)?;
        let mut names = BTreeSet::new();
        for manifest in kept {
            let own = snapshot_of(manifest);
            for entry in manifest.files.iter().chain(&manifest.deltas) {
                names.insert(format!("{id}/{}", entry.path));
                names.insert(format!("{own}/{}", entry.path));
            }
        }
        // What is not of this mirror stays: only what was sent is known.
        let objects = self.objects.borrow();
        let surplus = objects.known.keys().filter(|key| !names.contains(*key));
        let surplus: Vec<String> = surplus.cloned().collect();
        drop(objects);
        self.remove(&surplus)?;
        // The caller holds the mirror's lock: what is unfinished of this repository is not under way.
        let ours = [format!("{id}/"), format!("snapshots/{id}/")];
        for upload in self.bucket.unfinished()? {
            if ours.iter().any(|start| upload.key.starts_with(start)) {
                self.bucket.abort(&upload)?;
            }
        }
        self.note()
    }

    fn sent(&self) -> Sent {
        let (objects, bytes) = self.sent.get();
        Sent {
            objects,
            bytes,
            requests: self.bucket.requests(),
        }
    }
}

impl Bucket<'_> {
    fn remove(&self, keys: &[String]) -> Result<()> {
        let there = keys.iter().filter(|key| self.listed(key).is_some());
        let keys: Vec<String> = there.cloned().collect();
        if keys.is_empty() {
            return Ok(());
        }
        self.bucket.delete(&keys)?;
        let mut objects = self.objects.borrow_mut();
        for key in &keys {
            objects.known.remove(key);
        }
        if let Some((_, listing)) = &mut *self.listing.borrow_mut() {
            listing.retain(|key, _| !keys.contains(key));
        }
        Ok(())
    }

    /// Says which index is meant and where it and all that it names are.
    fn metalink(&self, manifest: &Manifest) -> Result<String> {
        let index = entry_of(manifest, INDEX)?;
        let digest = index.digest()?;
        let (base, id) = (self.shown_at(), &manifest.repo);
        let own = snapshot_of(manifest);
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
        out.push_str("<metalink version=\"3.0\" xmlns=\"http://www.metalinker.org/\" xmlns:mm0=\"http://fedorahosted.org/mirrormanager\">\n");
        // Writing into a string cannot fail.
        let _ = writeln!(
            out,
            " <files><file name=\"repomd.xml\">\n  <mm0:timestamp>{}</mm0:timestamp><size>{}</size>\n  <verification><hash type=\"{}\">{}</hash></verification>\n  <resources maxconnections=\"1\">",
            manifest.timestamp,
            index.size,
            digest.algo().name(),
            digest.hex()
        );
        let scheme = base.split("://").next().unwrap_or_default();
        for (place, preference) in [(format!("{base}/{id}"), 100), (format!("{base}/{own}"), 99)] {
            let _ = write!(
                out,
                "   <url protocol=\"{scheme}\" type=\"{scheme}\" preference=\"{preference}\">"
            );
            xml::push_text(&format!("{place}/{INDEX}"), &mut out);
            out.push_str("</url>\n");
        }
        out.push_str("  </resources></file></files>\n</metalink>\n");
        Ok(out)
    }
}

fn snapshot_of(manifest: &Manifest) -> String {
    format!("snapshots/{}/{}", manifest.repo, manifest.stamp)
}

fn is_index(entry: &SnapshotFile) -> bool {
    INDEX_FILES.contains(&entry.path.as_str())
}

fn entry_of<'m>(manifest: &'m Manifest, path: &str) -> Result<&'m SnapshotFile> {
    let found = manifest.files.iter().find(|entry| entry.path == path);
    found.ok_or_else(|| {
        Error::repository(
            &manifest.repo,
            format!("snapshot {} has no {path}", manifest.stamp),
        )
    })
}

fn options(kind: &str, cache: &str) -> PutOptions {
    PutOptions {
        content_type: Some(kind.to_owned()),
        cache_control: Some(cache.to_owned()),
        ..PutOptions::default()
    }
}

/// How long caches may keep a file: for ever if its name has a digest in it.
fn caching(entry: &SnapshotFile) -> &'static str {
    let name = entry.path.rsplit('/').next().unwrap_or_default();
    let head: &str = name.split('-').next().unwrap_or_default();
    let is_digest = head.len() >= 32 && head.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (is_digest, entry.path == delta::INDEX) {
        (true, _) => FOREVER,
        (_, true) => A_MINUTE,
        _ => A_DAY,
    }
}

/// The media type of a file.
fn kind_of(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "rpm" => "application/x-rpm",
        "xml" => "application/xml",
        "json" => "application/json",
        "html" | "repo" | "asc" | "key" => "text/plain; charset=utf-8",
        "gz" => "application/gzip",
        "zst" => "application/zstd",
        "xz" => "application/x-xz",
        "bz2" => "application/x-bzip2",
        _ => "application/octet-stream",
    }
}
