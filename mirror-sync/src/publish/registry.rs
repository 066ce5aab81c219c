//! A registry of container images: one artifact per repository, a tag per snapshot and per channel.
//!
//! A tag names one manifest, and a manifest its files by their digests: a reader has the old set or the new one, whatever moves.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use repo_client::{
    Artifact, ArtifactFile, BlobFile, Cause, Failure, Registry as Server, Sent as BlobSent,
};
use rpm_pkg::digest::{Digest, DigestAlgo};

use super::remote::{CHANGED, Place};
use super::target::{PublishTarget, RemoteTarget, Sent};
use crate::error::{Error, Result};
use crate::manifest::{self, Manifest};
use crate::store::{self, digest_text};

/// Longest tag (the specification's limit).
const MAX_TAG: usize = 128;
/// Annotations that every artifact may have.
const TITLE: &str = "org.opencontainers.image.title";
const CREATED: &str = "org.opencontainers.image.created";

pub(super) struct Registry<'a> {
    place: &'a Place<'a>,
    /// One repository of the registry for each of ours.
    servers: RefCell<BTreeMap<String, Server<'a>>>,
    sent: Cell<(u64, u64)>,
}

impl<'a> Registry<'a> {
    pub(super) fn open(place: &'a Place<'a>) -> Self {
        Self {
            place,
            servers: RefCell::default(),
            sent: Cell::default(),
        }
    }

    /// Works with the registry's repository of one of ours.
    fn with<T>(&self, id: &str, work: impl FnOnce(&Server<'a>) -> Result<T>) -> Result<T> {
        let mut servers = self.servers.borrow_mut();
        if !servers.contains_key(id) {
            let fits = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
            };
            let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            let bytes = id.as_bytes();
            if !bytes.iter().all(|byte| fits(*byte)) || !ends(bytes.first()) || !ends(bytes.last())
            {
                return Err(Error::Usage(format!(
                    "a registry takes no repository called {id}: lower-case letters, digits and ._- between them; name the others in target.{}.repos",
                    self.place.name
                )));
            }
            let url = self.place.section.below(id);
            let server = Server::open(self.place.client, self.place.access, &url)?;
            servers.insert(id.to_owned(), server.telling(self.place.tell));
        }
        match servers.get(id) {
            Some(server) => work(server),
            None => Err(Error::NotFound(format!("no place for {id}"))),
        }
    }

    fn has_sent(&self, files: u64, bytes: u64) {
        let (files_then, bytes_then) = self.sent.get();
        self.sent.set((files_then + files, bytes_then + bytes));
    }

    /// The files of a snapshot as blobs: a registry knows them by SHA-256 alone.
    fn blobs(&self, manifest: &Manifest) -> Result<Vec<(ArtifactFile, BlobFile)>> {
        let store = self.place.publisher.store;
        let mut blobs = Vec::new();
        for entry in manifest.files.iter().chain(&manifest.deltas) {
            if entry.is_unjudged(store) {
                continue;
            }
            let (digest, size) = (entry.digest()?, entry.size);
            let path = store.path(&digest);
            let digest = match digest.algo() {
                DigestAlgo::Sha256 => digest,
                _ => {
                    store::hash_file(&path, DigestAlgo::Sha256)
                        .map_err(Error::file(&path, "read"))?
                        .0
                }
            };
            let blob = BlobFile {
                path,
                size,
                digest,
                is_new: false,
            };
            blobs.push((ArtifactFile::new(&entry.path, digest, size), blob));
        }
        Ok(blobs)
    }

    /// Sends the blobs that the registry lacks.
    fn send(&self, server: &Server<'a>, blobs: &[BlobFile]) -> Result<()> {
        let mut done = |blob: &BlobFile, sent: repo_client::Result<BlobSent>| {
            if sent? == BlobSent::Whole {
                self.has_sent(1, blob.size);
            }
            Ok(())
        };
        Ok(server.put_files(blobs, self.place.section.at_once(), &mut done)?)
    }
}

impl PublishTarget for Registry<'_> {
    fn place(&self, manifest: &Manifest) -> Result<()> {
        let id = &manifest.repo;
        self.with(id, |server| {
            let (files, mut blobs): (Vec<_>, Vec<_>) = self.blobs(manifest)?.into_iter().unzip();
            // Others may write there, too: a name says nothing of what is under it.
            let placed = artifact(server, &manifest.stamp)?;
            if placed.is_some_and(|placed| is_of(&placed, &files)) {
                return Ok(());
            }
            // What another manifest names is there.
            let tags = server.tags()?;
            let newest = tags.iter().filter(|tag| is_stamp(tag)).max();
            let newest = newest
                .map(|tag| artifact(server, tag))
                .transpose()?
                .flatten();
            let is_first = newest.is_none();
            let named = newest.into_iter().flat_map(|artifact| artifact.files);
            let there: BTreeSet<String> =
                named.map(|(_, file)| digest_text(&file.digest)).collect();
            let mut seen = BTreeSet::new();
            blobs.retain(|blob| seen.insert(digest_text(&blob.digest)));
            let lacks = |blob: &&BlobFile| !there.contains(&digest_text(&blob.digest));
            let lacking: Vec<BlobFile> = blobs.iter().filter(lacks).cloned().collect();
            self.send(server, &lacking)?;
            let notes = BTreeMap::from([
                (TITLE.to_owned(), format!("{id} {}", manifest.stamp)),
                (CREATED.to_owned(), manifest::date_time(manifest.made)),
            ]);
            let digest = match server.put_artifact(&files, &notes, &manifest.stamp) {
                Err(error) if is_first => return Err(error.into()),
                // Somebody may have removed blobs under the manifest that is there: each is asked for.
                Err(_) => {
                    self.send(server, &blobs)?;
                    server.put_artifact(&files, &notes, &manifest.stamp)?
                }
                Ok(digest) => digest,
            };
            let mut noted = self.place.noted(id);
            let sent = (digest_text(&digest), String::new());
            noted.known.insert(manifest.stamp.clone(), sent);
            self.place.note(id, &noted)?;
            self.has_sent(1, 0);
            Ok(())
        })
    }

    fn switch(&self, channel: &str, manifest: &Manifest, _: u64) -> Result<()> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if channel.len() > MAX_TAG || !channel.bytes().all(plain) {
            return Err(Error::Usage(format!(
                "a registry has no tag called {channel}: letters, digits and ._-"
            )));
        }
        self.with(&manifest.repo, |server| {
            let placed = server.resolve(&manifest.stamp)?;
            let placed =
                placed.ok_or_else(|| Error::NotFound(format!("it has no {}", manifest.stamp)))?;
            let mut noted = self.place.noted(&manifest.repo);
            if let Some((sent, _)) = noted.known.remove(channel) {
                let there = artifact(server, channel)?;
                if there.is_none_or(|there| digest_text(&there.digest) != sent) {
                    let name = format!("{}:{channel}", manifest.repo);
                    (self.place.tell)(&format!("{name} {CHANGED}"));
                }
                // Until the answer has come nobody knows what is there.
                self.place.note(&manifest.repo, &noted)?;
            }
            server.tag(&placed.digest, channel)?;
            let sent = (digest_text(&placed.digest), String::new());
            noted.known.insert(channel.to_owned(), sent);
            self.place.note(&manifest.repo, &noted)?;
            self.has_sent(1, 0);
            Ok(())
        })
    }

    fn put(&self, _: &str, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

impl RemoteTarget for Registry<'_> {
    fn keep(&self, id: &str, kept: &[Manifest]) -> Result<()> {
        let mut noted = self.place.noted(id);
        let is_kept = |tag: &String| kept.iter().any(|manifest| manifest.stamp == *tag);
        let surplus: Vec<String> = noted
            .known
            .keys()
            .filter(|tag| is_stamp(tag) && !is_kept(tag))
            .cloned()
            .collect();
        if surplus.is_empty() {
            return Ok(());
        }
        self.with(id, |server| {
            let mut tags = BTreeMap::new();
            for tag in server.tags()? {
                // What is no repository of packages stands for none of ours.
                if let Some(artifact) = artifact(server, &tag)? {
                    tags.insert(tag, artifact.digest);
                }
            }
            for stamp in surplus {
                let (sent, _) = noted.known.remove(&stamp).unwrap_or_default();
                // What somebody else has put under the tag stays, and what another tag stands for: it would lose it.
                let ours = tags
                    .get(&stamp)
                    .filter(|digest| digest_text(digest) == sent);
                let Some(digest) = ours else { continue };
                if !tags.iter().any(|(tag, one)| *tag != stamp && one == digest) {
                    server.delete_manifest(digest)?;
                }
            }
            Ok(())
        })?;
        self.place.note(id, &noted)
    }

    fn sent(&self) -> Sent {
        let (objects, bytes) = self.sent.get();
        let servers = self.servers.borrow();
        let requests = servers.values().map(Server::requests).sum();
        Sent {
            objects,
            bytes,
            requests,
        }
    }
}

/// What is under a tag; none if it is no repository of packages.
fn artifact(server: &Server<'_>, tag: &str) -> Result<Option<Artifact>> {
    match server.resolve(tag) {
        Err(error) if error.failures().iter().any(is_foreign) => Ok(None),
        other => Ok(other?),
    }
}

fn is_foreign(failure: &Failure) -> bool {
    matches!(failure.cause, Cause::Malformed(_) | Cause::TooLarge { .. })
}

/// Whether an artifact has these files and no others.
fn is_of(artifact: &Artifact, files: &[ArtifactFile]) -> bool {
    let wanted: BTreeMap<&str, &Digest> = files
        .iter()
        .map(|file| (file.path.as_str(), &file.digest))
        .collect();
    let there = artifact.files.values();
    there
        .map(|file| (file.path.as_str(), &file.digest))
        .eq(wanted)
}

/// Whether a tag is the name of a snapshot.
fn is_stamp(tag: &str) -> bool {
    manifest::date_end(tag).as_deref() == Some(tag)
}
