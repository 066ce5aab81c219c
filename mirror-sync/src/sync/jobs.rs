//! The files that the store must have for a repository.

use std::sync::Arc;

use repo_client::MetadataSet;
use rpm_repo::repomd::RepomdRecord;

use super::repo::Repo;
use crate::fetch::FetchJob;
use crate::store::digest_text;
use crate::upstream::{self, Listed};

/// A package; those with priority 0 come first.
pub(super) fn package(repo: &Repo, set: &MetadataSet, package: &Listed, priority: u32) -> FetchJob {
    // What was judged for this repository, by the same rules, when it was published last is not judged again.
    let known = is_judged(repo, &digest_text(&package.digest));
    FetchJob {
        size: Some(package.size),
        announced: Some(package.size),
        priority,
        trust: (!known).then(|| Arc::clone(&repo.trust)),
        ..FetchJob::new(set, &package.location, package.urls(set), package.digest)
    }
}

fn is_judged(repo: &Repo, digest: &str) -> bool {
    repo.current.as_ref().is_some_and(|current| {
        let mut packages = current.files.iter().filter(|file| file.package.is_some());
        current.rules == repo.trust.rules && packages.any(|file| file.digest == digest)
    })
}

/// A part of the metadata; none if the index gives it no digest of a known kind.
pub(super) fn record(set: &MetadataSet, record: &RepomdRecord) -> Option<FetchJob> {
    let urls = upstream::urls(set, record.href.as_str(), record.base.as_deref());
    Some(FetchJob {
        announced: record.size,
        ..FetchJob::new(set, &record.href_here(), urls, record.checksum?)
    })
}
