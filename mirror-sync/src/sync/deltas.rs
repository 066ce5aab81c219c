//! Upstream's new metadata out of what the store has of the old ones: what has changed is fetched,
//! the rest is rebuilt from what the store has.
//!
//! A delta is never believed: its result is the file whose checksum stands in the (signed) index, or
//! it is thrown away and the whole file is fetched.

use std::fs;
use std::io::BufWriter;

use repo_client::{Cause, MetadataSet};
use rpm_repo::delta::{self, Offer};
use rpm_repo::repomd::RepomdRecord;

use super::SyncRun;
use super::repo::Repo;
use crate::error::Result;
use crate::fetch::FetchJob;
use crate::layout;
use crate::upstream::{self, once};

/// An upstream that has no deltas is not asked for them for so long, in seconds.
const NONE_FOR: u64 = 7 * 86_400;

/// Whether upstream may be asked for deltas: something older is in the store, and it is not known to
/// have none.
pub(super) fn may_exist(run: &SyncRun<'_>, repo: &Repo) -> bool {
    repo.current.is_some() && repo.state.no_deltas <= run.now
}

/// Brings what deltas give of a new index's files into the store. What they do not give is fetched
/// as ever.
pub(super) fn take(run: &SyncRun<'_>, repo: &mut Repo, set: &MetadataSet) -> Result<()> {
    let lacks = |record: &&RepomdRecord| {
        let is_wanted = record.kind == "primary" || (!run.options.dry_run && repo.wants(record));
        let digest = record.checksum.filter(|_| record.base.is_none());
        is_wanted && digest.is_some_and(|digest| !run.store.has(&digest, record.size))
    };
    let wanted: Vec<&RepomdRecord> = set.repomd.records.iter().filter(lacks).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let offers = offers(run, repo, set);
    let pairs: Vec<(&RepomdRecord, &Offer)> = wanted
        .into_iter()
        .filter_map(|record| Some((record, best(run, record, &offers)?)))
        .collect();
    if pairs.is_empty() {
        return Ok(());
    }
    let fetcher = run.fetcher();
    let jobs = pairs.iter().map(|(_, offer)| job(set, offer));
    let done = fetcher.run(jobs.collect())?;
    repo.report.delta_bytes += done.bytes;
    repo.report.delta_requests += done.requests;
    for (record, offer) in pairs {
        let result = rebuild(run, record, offer);
        run.store.forget(&offer.digest);
        match result {
            Ok(()) => {
                let size = record.size.unwrap_or(offer.size);
                repo.report.saved_bytes += size.saturating_sub(offer.size);
            }
            Err(why) => run.printer.info(&format!(
                "{}: {}: its delta cannot be used ({why}); the whole file is fetched",
                repo.id, record.kind
            )),
        }
    }
    Ok(())
}

/// What upstream offers; remembers an upstream that offers nothing.
fn offers(run: &SyncRun<'_>, repo: &mut Repo, set: &MetadataSet) -> Vec<Offer> {
    let name = delta::INDEX.rsplit('/').next().unwrap_or(delta::INDEX);
    let dest = run.layout.partial().join(format!("{}-{name}", repo.id));
    repo.report.delta_requests += 1;
    let found = upstream::download_beside(&run.client, set, name, &dest, delta::MAX_INDEX);
    let bytes = match found {
        Ok(bytes) => bytes,
        Err(error) => {
            let is_none = |cause: &Cause| matches!(cause.status(), Some(403 | 404 | 410));
            let repo_client::Error::Transfer { failures, .. } = &error else {
                return Vec::new();
            };
            if failures.iter().all(|failure| is_none(&failure.cause)) {
                repo.state.no_deltas = run.now.saturating_add(NONE_FOR);
            }
            return Vec::new();
        }
    };
    repo.report.delta_bytes += bytes.len() as u64;
    delta::parse(&bytes).unwrap_or_else(|error| {
        let id = &repo.id;
        run.printer
            .info(&format!("{id}: upstream's deltas are not used: {error}"));
        repo.state.no_deltas = run.now.saturating_add(NONE_FOR);
        Vec::new()
    })
}

fn job(set: &MetadataSet, offer: &Offer) -> FetchJob {
    FetchJob {
        size: Some(offer.size),
        access: once(set),
        ..FetchJob::new(
            set,
            offer.href.as_str(),
            upstream::urls(set, offer.href.as_str(), None),
            offer.digest,
        )
    }
}

/// The smallest delta to a file from one in the store, if it is smaller than the file.
fn best<'o>(run: &SyncRun<'_>, record: &RepomdRecord, offers: &'o [Offer]) -> Option<&'o Offer> {
    let fits = |offer: &&Offer| {
        Some(offer.to) == record.checksum
            && record.size.is_none_or(|size| offer.size < size)
            && run.store.has(&offer.from, None)
    };
    offers.iter().filter(fits).min_by_key(|offer| offer.size)
}

/// Makes the new file in the store.
fn rebuild(
    run: &SyncRun<'_>,
    record: &RepomdRecord,
    offer: &Offer,
) -> std::result::Result<(), String> {
    if !run.store.has(&offer.digest, Some(offer.size)) {
        return Err("it could not be fetched".to_owned());
    }
    let path = run
        .layout
        .partial()
        .join(format!("rebuilt-{}", offer.to.hex()));
    let made = (|| -> delta::Result<()> {
        let old = layout::open(&run.store.path(&offer.from))?;
        let steps = layout::open(&run.store.path(&offer.digest))?;
        let out = BufWriter::new(layout::new_file(&path)?);
        delta::apply(old, steps, &record.expected(), out)
    })();
    let result = match made {
        Ok(()) => run
            .store
            .adopt_as(&path, &offer.to)
            .map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let _ = fs::remove_file(&path);
    result
}
