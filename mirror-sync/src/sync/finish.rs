//! The end of the work on one repository: a whole set becomes a snapshot and is published.

use std::collections::BTreeSet;

use repo_client::MetadataSet;
use rpm_trust::verify_detached;

use super::prepare::Work;
use super::{Missing, Run};
use crate::error::{Error, Result};
use crate::layout::CURRENT;
use crate::manifest::{self, Entry, FORMAT, Manifest};
use crate::publish;
use crate::regenerate::{self, Order, stored_size};
use crate::report::Outcome;
use crate::store::digest_text;
use crate::trust;
use crate::upstream;

/// Largest file beside the index (signature, key).
const MAX_BESIDE: u64 = 1 << 20;
/// Files of the store that no tree uses are kept so long: an unfinished run may want them.
const KEEP_UNUSED: u64 = 7 * 86_400;

impl Work {
    /// Publishes if everything is there.
    ///
    /// # Errors
    /// Files are missing; the disk is full.
    pub(super) fn finish(&mut self, run: &Run<'_>, missing: Missing) -> Result<()> {
        let refused = self.upstream.as_ref().map(|up| up.refused.clone());
        let refused = refused.unwrap_or_default();
        self.report.failed.extend(missing.iter().cloned());
        if let Some((what, why)) = refused.iter().chain(&missing).next() {
            return Err(Error::Partial {
                repo: self.id.clone(),
                missing: refused.len() + missing.len(),
                wanted: self.jobs().len() + refused.len(),
                first: format!("{what}: {why}"),
            });
        }
        let keep: BTreeSet<String> = self.packages().map(|(_, p)| p.location.clone()).collect();
        let mut manifest = self.manifest(run, &keep, self.made_here(), false)?;
        self.offer_deltas(run, &mut manifest)?;
        self.publish(run, &manifest)?;
        self.report.outcome = Outcome::New;
        Ok(())
    }

    /// Publishes what was asked for first.
    ///
    /// # Errors
    /// As [`Work::finish`].
    pub(super) fn publish_first(&mut self, run: &Run<'_>) -> Result<()> {
        let keep = self.first.clone();
        let manifest = self.manifest(run, &keep, true, true)?;
        self.publish(run, &manifest)?;
        run.printer.info(&format!(
            "{}: published {} packages that were asked for first; the rest follows",
            self.id, manifest.packages
        ));
        self.report.first_part = Some(manifest.stamp.clone());
        self.current = Some(manifest);
        Ok(())
    }

    fn manifest(
        &self,
        run: &Run<'_>,
        keep: &BTreeSet<String>,
        made_here: bool,
        first_part: bool,
    ) -> Result<Manifest> {
        let Some(up) = &self.upstream else {
            return Err(Error::NotFound(format!("{}: nothing was read", self.id)));
        };
        let set = &up.set;
        let mut files: Vec<Entry> = self
            .packages()
            .filter(|(_, package)| keep.contains(&package.location))
            .map(|(_, package)| Entry {
                path: package.location.clone(),
                size: package.size,
                digest: digest_text(&package.digest),
                package: Some(package.nevra()),
            })
            .collect();
        let packages = files.len();
        files.extend(if made_here {
            self.make_metadata(run, set, keep)?
        } else {
            self.copy_metadata(run, set)?
        });
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Manifest {
            format: FORMAT,
            repo: self.id.clone(),
            stamp: free_stamp(run, &self.id)?,
            made: run.now,
            upstream: digest_text(&set.repomd_digest),
            revision: set.repomd.revision.clone(),
            timestamp: upstream::age(set).0,
            selection: self.selection.clone(),
            made_here,
            first_part,
            packages,
            bytes: files.iter().map(|file| file.size).sum(),
            files,
            deltas: Vec::new(),
        })
    }

    fn make_metadata(
        &self,
        run: &Run<'_>,
        set: &MetadataSet,
        keep: &BTreeSet<String>,
    ) -> Result<Vec<Entry>> {
        let key = run.config.mirror.sign_key.as_deref();
        let key = key.map(trust::signing_key).transpose()?;
        regenerate::write(&Order {
            set,
            store: &run.store,
            keep: &keep.iter().map(String::as_str).collect(),
            work: &run.layout.partial().join(format!("metadata-{}", self.id)),
            key: key.as_ref(),
            now: run.now,
        })
    }

    /// Upstream's own bytes: the index, its signature and key, and every part.
    fn copy_metadata(&self, run: &Run<'_>, set: &MetadataSet) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for record in self.records() {
            let digest = record.checksum.ok_or_else(|| Error::Repository {
                repo: self.id.clone(),
                what: format!("{} has no checksum of a known kind", record.kind),
            })?;
            let path = record.href.as_str().to_owned();
            // The same file may stand in the index twice.
            if entries.iter().any(|entry: &Entry| entry.path == path) {
                continue;
            }
            entries.push(Entry {
                path,
                size: stored_size(&run.store, &digest)?,
                digest: digest_text(&digest),
                package: None,
            });
        }
        let index = set.dir.join("repomd.xml");
        let bytes = std::fs::read(&index).map_err(Error::file(&index, "read"))?;
        let mut put = |name: &str, data: &[u8]| -> Result<()> {
            let digest = run.store.put(data)?;
            entries.push(Entry {
                path: format!("repodata/{name}"),
                size: data.len() as u64,
                digest: digest_text(&digest),
                package: None,
            });
            Ok(())
        };
        put("repomd.xml", &bytes)?;
        if let Some(signature) = self.signature(run, set, &bytes)? {
            put("repomd.xml.asc", &signature)?;
            if let Some(key) = beside(run, set, "repomd.xml.key") {
                put("repomd.xml.key", &key)?;
            }
        }
        Ok(entries)
    }

    /// Upstream's signature over the index: the one that was checked, or, where nothing is
    /// demanded, the one that upstream has, if it fits.
    fn signature(&self, run: &Run<'_>, set: &MetadataSet, index: &[u8]) -> Result<Option<Vec<u8>>> {
        let checked = set.dir.join("repomd.xml.asc");
        if self.section.repo_gpgcheck {
            let data = std::fs::read(&checked).map_err(Error::file(&checked, "read"))?;
            return Ok(Some(data));
        }
        let Some(data) = beside(run, set, "repomd.xml.asc") else {
            return Ok(None);
        };
        if self.keyring.is_empty() {
            return Ok(Some(data));
        }
        let fits = verify_detached(&self.keyring, &data, index, run.now)
            .is_ok_and(|outcome| outcome.accepted().is_some());
        if !fits {
            run.printer.err(&format!(
                "{}: upstream's repomd.xml.asc is not by a key of gpgkey or does not fit; it is left out",
                self.id
            ));
        }
        Ok(fits.then_some(data))
    }

    fn publish(&mut self, run: &Run<'_>, manifest: &Manifest) -> Result<()> {
        let grace = run.config.mirror.grace.0.as_secs();
        publish::snapshot(&run.layout, &run.store, manifest)?;
        let up = self.upstream.as_ref();
        let age = up.map(|up| upstream::age(&up.set)).unwrap_or_default();
        if run.options.allow_older {
            self.state.seen = age;
        } else {
            self.state.seen = self.state.seen.max(age);
        }
        let state = &mut self.state;
        publish::switch(
            &run.layout,
            &run.store,
            CURRENT,
            manifest,
            state,
            grace,
            run.now,
        )?;
        self.report.snapshot = Some(manifest.stamp.clone());
        Ok(())
    }

    /// Notes how it ended, and keeps what is to be remembered.
    pub(super) fn end(&mut self, run: &Run<'_>, result: Result<()>) {
        self.done = true;
        self.state.last_try = run.now;
        match &result {
            Ok(()) => {
                self.state.last_success = run.now;
                self.state.error = None;
            }
            Err(error) => {
                self.report.fail(error);
                self.state.error = Some(error.to_string());
            }
        }
        self.state.outcome = self.report.outcome.word().to_owned();
        if run.options.dry_run {
            return;
        }
        if let Err(error) = self.clean_up(run) {
            run.printer.err(&format!("{}: {error}", self.id));
        }
        if let Err(error) = manifest::write_state(&run.layout, &self.id, &self.state)
            && result.is_ok()
        {
            self.report.fail(&error);
        }
    }

    fn clean_up(&mut self, run: &Run<'_>) -> Result<()> {
        if self.report.outcome != Outcome::New {
            return Ok(());
        }
        let mirror = &run.config.mirror;
        let (keep, keep_for) = (mirror.keep_snapshots, mirror.keep_for.0.as_secs());
        let state = &self.state;
        self.report.expired =
            publish::retain(&run.layout, &self.id, state, keep, keep_for, run.now)?;
        if !self.report.expired.is_empty() {
            run.store.sweep(run.now, KEEP_UNUSED)?;
        }
        Ok(())
    }
}

/// A name for a snapshot made now: never one that exists, never before the last.
fn free_stamp(run: &Run<'_>, id: &str) -> Result<String> {
    let last = manifest::stamps(&run.layout, id)?.pop().unwrap_or_default();
    let mut at = run.now;
    loop {
        let stamp = manifest::stamp(at);
        if stamp > last || at > run.now.saturating_add(86_400) {
            return Ok(stamp);
        }
        at += 1;
    }
}

/// A small file beside the index; none if upstream has none.
fn beside(run: &Run<'_>, set: &MetadataSet, name: &str) -> Option<Vec<u8>> {
    let dest = run.layout.partial().join(format!("{}-{name}", set.repo));
    upstream::download_beside(&run.client, set, name, &dest, MAX_BESIDE).ok()
}
