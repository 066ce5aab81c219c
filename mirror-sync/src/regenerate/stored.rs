//! A snapshot as the sets of upstream are: its index, where its parts are, the packages that its primary lists.

use std::sync::Arc;

use repo_client::{Access, MetadataSet, PartFile};
use rpm_pkg::digest::{DigestAlgo, Hasher};

use crate::error::{Error, Result};
use crate::layout::{self, INDEX, Layout, MAX_INDEX};
use crate::manifest::{Manifest, SnapshotFile};
use crate::store::Store;
use crate::upstream::{self, Listed};

/// Opens a snapshot of the store.
///
/// # Errors
/// Something of it is missing or damaged.
pub(crate) fn open(
    layout: &Layout,
    store: &Store,
    source: &Manifest,
) -> Result<(MetadataSet, Vec<Listed>)> {
    let id = source.repo.as_str();
    let entry = |path: &str| source.files.iter().find(|file| file.path == path);
    let index = entry(INDEX).ok_or_else(|| damaged(id, "no repomd.xml"))?;
    let path = store.path(&index.digest()?);
    let bytes = layout::read(&path, MAX_INDEX)?;
    let mut repomd = rpm_repo::repomd::parse(&path.display().to_string(), &bytes)?;
    // What upstream lists and the mirror refused is not in the snapshot either.
    let is_here = |path: &str| entry(path).is_some_and(SnapshotFile::is_in_place);
    repomd
        .records
        .retain(|record| is_here(record.href.as_str()));
    let mut parts = Vec::new();
    for record in &repomd.records {
        let file = entry(record.href.as_str());
        let file = file.ok_or_else(|| damaged(id, &format!("no {}", record.href)))?;
        let path = store.path(&file.digest()?);
        parts.push(PartFile::new(&record.kind, path, record));
    }
    let set = MetadataSet {
        repo: id.to_owned(),
        dir: layout.partial().join("stored/repodata"),
        repomd_digest: Hasher::digest(DigestAlgo::Sha256, &bytes),
        repomd,
        parts,
        base_urls: Vec::new(),
        access: Arc::new(Access::default()),
        from_cache: true,
        stale: false,
    };
    let packages = upstream::list(&set)?.packages;
    Ok((set, packages))
}

/// That a snapshot lacks what it should have.
pub(crate) fn damaged(id: &str, what: &str) -> Error {
    Error::repository(
        id,
        format!("{what} in the snapshot: run `mirror-sync verify`"),
    )
}
