//! The files that the store must have for a repository.

use std::sync::Arc;

use repo_client::MetadataSet;
use rpm_repo::layout::Href;
use rpm_repo::repomd::RepomdRecord;

use super::repo::Repo;
use crate::fetch::FetchJob;
use crate::store::digest_text;
use crate::upstream::Listed;

/// A package; those with priority 0 come first.
pub(super) fn package(repo: &Repo, set: &MetadataSet, package: &Listed, priority: u32) -> FetchJob {
    // What was judged for this repository when it was published last is not judged again.
    let known = is_judged(repo, &digest_text(&package.digest));
    FetchJob {
        repo: repo.id.clone(),
        path: package.location.clone(),
        urls: urls(set, &package.location, package.base.as_deref()),
        size: Some(package.size),
        digest: package.digest,
        priority,
        access: Arc::clone(&set.access),
        trust: (!known).then(|| (Arc::clone(&repo.keyring), repo.check)),
    }
}

fn is_judged(repo: &Repo, digest: &str) -> bool {
    repo.current.as_ref().is_some_and(|current| {
        let mut packages = current.files.iter().filter(|file| file.package.is_some());
        current.selection == repo.selection && packages.any(|file| file.digest == digest)
    })
}

/// A part of the metadata; none if the index gives it no digest of a known kind.
pub(super) fn record(repo: &Repo, set: &MetadataSet, record: &RepomdRecord) -> Option<FetchJob> {
    Some(FetchJob {
        repo: repo.id.clone(),
        path: record.href.as_str().to_owned(),
        urls: urls(set, record.href.as_str(), record.base.as_deref()),
        size: record.size,
        digest: record.checksum?,
        priority: 0,
        access: Arc::clone(&set.access),
        trust: None,
    })
}

/// URLs of a file; an `xml:base` that may not be followed gives none, and the file is then named
/// as one that cannot be had.
pub(super) fn urls(set: &MetadataSet, path: &str, base: Option<&str>) -> Vec<String> {
    let href = Href::parse(path).ok();
    let urls = href.and_then(|href| set.urls_of(&href, base).ok());
    urls.unwrap_or_default()
}
