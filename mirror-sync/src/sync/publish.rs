//! The last step: a whole set becomes a snapshot and is published.

use repo_client::MetadataSet;

use super::fetch::Whole;
use super::metadata::{self, SnapshotPart};
use super::repo::{EndedRepo, Repo, RepoStep};
use super::select::WantedSet;
use super::{SyncRun, news, offers};
use crate::error::Result;
use crate::manifest::Manifest;
use crate::report::RepoOutcome;
use crate::upstream;

/// Files of the store that no tree uses are kept so long, in seconds: an unfinished run may want
/// them.
const KEEP_UNUSED: u64 = 7 * 86_400;

/// A repository of which clients see the new set.
pub(super) struct Published {
    repo: Repo,
    set: MetadataSet,
}

pub(super) fn publish(run: &SyncRun<'_>, whole: Whole) -> RepoStep<Published> {
    let (mut repo, wanted) = whole.into_parts();
    let before = repo.current.take();
    let published =
        metadata::manifest(run, &repo, &wanted, SnapshotPart::Whole).and_then(|mut made| {
            offers::offer_deltas(run, &mut made)?;
            show(run, &mut repo, &wanted.set, &made)?;
            news::note(run, &mut repo, before.as_ref(), &made);
            Ok(())
        });
    repo.current = before;
    let set = wanted.set;
    match published {
        Ok(()) => Ok(Published { repo, set }),
        Err(error) => Err(repo.fail(run, &error, Some(set))),
    }
}

/// Publishes what was asked for first; the rest is to follow.
pub(super) fn publish_first(run: &SyncRun<'_>, repo: &mut Repo, wanted: &WantedSet) -> Result<()> {
    let manifest = metadata::manifest(run, repo, wanted, SnapshotPart::First)?;
    show(run, repo, &wanted.set, &manifest)?;
    run.printer.info(&format!(
        "{}: published {} packages that were asked for first; the rest follows",
        repo.id, manifest.packages
    ));
    repo.report.first_part = Some(manifest.stamp.clone());
    repo.current = Some(manifest);
    Ok(())
}

fn show(run: &SyncRun<'_>, repo: &mut Repo, set: &MetadataSet, manifest: &Manifest) -> Result<()> {
    let _span = tracing::info_span!("publish", repo = repo.id, stamp = manifest.stamp).entered();
    let (age, seen) = (upstream::age(set), repo.state.seen);
    repo.state.seen = if run.options.allow_older {
        age
    } else {
        seen.max(age)
    };
    if let Err(error) = run.publisher().publish(manifest, &mut repo.state) {
        repo.state.seen = seen;
        return Err(error);
    }
    repo.report.snapshot = Some(manifest.stamp.clone());
    Ok(())
}

impl Published {
    /// Removes what is not kept any longer, and leaves the run.
    pub(super) fn end(mut self, run: &SyncRun<'_>) -> Box<EndedRepo> {
        if let Err(error) = self.retain(run) {
            run.printer.err(&format!("{}: {error}", self.repo.id));
        }
        self.repo.end(run, RepoOutcome::New, Some(self.set))
    }

    fn retain(&mut self, run: &SyncRun<'_>) -> Result<()> {
        let repo = &mut self.repo;
        repo.report.expired = run.publisher().retain(&repo.id, &repo.state)?;
        if let Some(stamp) = repo.damaged.take()
            && run.publisher().forget(&repo.id, &stamp, &repo.state)?
        {
            repo.report.expired.push(stamp);
        }
        if !repo.report.expired.is_empty() {
            run.store.sweep(run.now, KEEP_UNUSED)?;
        }
        Ok(())
    }
}
