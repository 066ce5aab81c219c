//! Deltas for those who mirror this mirror: from the metadata of the last snapshots to the new ones.

use std::path::Path;

use rpm_repo::delta::{self, Offer};
use rustix::fs::OFlags;
use whole_file::{Access, WholeFile, open_plain};

use super::SyncRun;
use crate::error::{Error, Result};
use crate::manifest::{self, Manifest, SnapshotFile};
use crate::regenerate;

/// Adds deltas from the last snapshots to a manifest. Where one cannot be made there is none, and
/// that is said; only a store that cannot be written stops the publication.
pub(super) fn offer_deltas(run: &SyncRun<'_>, manifest: &mut Manifest) -> Result<()> {
    let count = run.config.mirror.deltas;
    if count == 0 || manifest.first_part {
        return Ok(());
    }
    let dir = run
        .layout
        .partial()
        .join(format!("deltas-{}", manifest.repo));
    run.layout.make(&run.layout.partial())?;
    crate::layout::remove_tree(&dir)?;
    run.layout.make(&dir)?;
    let former = Former::of(run, &manifest.repo, count)?;
    let (mut offers, mut foreign) = (Vec::new(), Vec::new());
    for entry in manifest.files.iter().filter(|entry| is_document(entry)) {
        let name = delta::stem(file_name(&entry.path)).to_owned();
        match former.lead_to(run, &dir, entry) {
            Ok(made) => offers.extend(made),
            Err(delta::Error::NotExact) => foreign.push(name),
            Err(why) => run.printer.info(&format!(
                "{}: no delta to the new {name}: {why}",
                manifest.repo
            )),
        }
    }
    if !foreign.is_empty() {
        run.printer.info(&format!(
            "{}: no deltas to {}: upstream's compressor makes other choices than ours",
            manifest.repo,
            foreign.join(", ")
        ));
    }
    crate::layout::remove_tree(&dir)?;
    manifest.deltas = entries(run, &offers)?;
    Ok(())
}

/// What the last snapshots had.
struct Former {
    documents: Vec<SnapshotFile>,
    deltas: Vec<SnapshotFile>,
}

impl Former {
    fn of(run: &SyncRun<'_>, id: &str, count: usize) -> Result<Former> {
        let mut former = Former {
            documents: Vec::new(),
            deltas: Vec::new(),
        };
        for stamp in manifest::stamps(&run.layout, id)?.iter().rev().take(count) {
            // One that was lost offers nothing.
            let Ok(manifest) = manifest::read(&run.layout, id, stamp) else {
                continue;
            };
            let documents = manifest.files.into_iter().filter(is_document);
            former.documents.extend(documents);
            former.deltas.extend(manifest.deltas);
        }
        former.documents.sort_by(|a, b| a.digest.cmp(&b.digest));
        former.documents.dedup_by(|a, b| a.digest == b.digest);
        Ok(former)
    }

    /// The deltas to one document. Those that are there already are taken over.
    fn lead_to(
        &self,
        run: &SyncRun<'_>,
        dir: &Path,
        entry: &SnapshotFile,
    ) -> delta::Result<Vec<Offer>> {
        let store = &run.store;
        let Ok(to) = entry.digest() else {
            return Ok(Vec::new());
        };
        let stem = |entry: &SnapshotFile| delta::stem(file_name(&entry.path)).to_owned();
        let path = store.path(&to);
        let mut target = None;
        let mut made = Vec::new();
        for old in self.documents.iter().filter(|old| stem(old) == stem(entry)) {
            let Some(from) = old.digest().ok().filter(|from| *from != to) else {
                continue;
            };
            if !store.has(&from, Some(old.size)) {
                continue;
            }
            let name = delta::file_name(&from, &to);
            let known = self.deltas.iter().find(|one| file_name(&one.path) == name);
            if let Some((known, digest)) = known.and_then(|one| Some((one, one.digest().ok()?)))
                && store.has(&digest, Some(known.size))
            {
                made.extend(Offer::new(from, to, known.size, digest).ok());
                continue;
            }
            let target = match &mut target {
                Some(target) => target,
                none => {
                    let file = open_plain(&path, OFlags::RDONLY)?;
                    none.insert(delta::DeltaTarget::new(delta::File::new(file, to))?)
                }
            };
            let old = open_plain(&store.path(&from), OFlags::RDONLY)?;
            let (old, file) = (delta::File::new(old, from), dir.join(&name));
            let new = WholeFile::new(&file, Access::Umask)?;
            if let Some(offer) = target.delta_in(new, &old)? {
                store
                    .adopt_as(&file, &offer.digest)
                    .map_err(std::io::Error::other)?;
                made.push(offer);
            }
        }
        Ok(made)
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether it is a part of the metadata that the index lists.
fn is_document(entry: &SnapshotFile) -> bool {
    entry.package.is_none()
        && entry.path.starts_with("repodata/")
        && !file_name(&entry.path).starts_with("repomd.xml")
}

/// The files that are to be published: the deltas and their index.
fn entries(run: &SyncRun<'_>, offers: &[Offer]) -> Result<Vec<SnapshotFile>> {
    if offers.is_empty() {
        return Ok(Vec::new());
    }
    let mut list: Vec<SnapshotFile> = offers
        .iter()
        .map(|offer| SnapshotFile::new(offer.href.as_str(), offer.size, &offer.digest))
        .collect();
    let bytes =
        delta::to_bytes(offers).map_err(|error| Error::unfit(delta::INDEX, "write", error))?;
    list.push(regenerate::put(&run.store, delta::INDEX, &bytes)?);
    Ok(list)
}
