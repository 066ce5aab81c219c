//! What every step knows of one repository, and how it leaves the run.

use std::path::Path;
use std::sync::Arc;

use repo_client::MetadataSet;
use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_repo::repomd::RepomdRecord;

use super::{SyncRun, servers};
use crate::config::RepoSection;
use crate::error::{Error, Result};
use crate::layout::CURRENT;
use crate::manifest::{self, Manifest, RepoState};
use crate::plan::closure;
use crate::plan::locked::LockedSet;
use crate::regenerate;
use crate::report::{RepoOutcome, RepoReport};
use crate::store::digest_text;
use crate::trust::PackageTrust;

/// One repository of a run.
pub(super) struct Repo {
    pub(super) id: String,
    pub(super) section: RepoSection,
    pub(super) trust: Arc<PackageTrust>,
    /// What is published now.
    pub(super) current: Option<Manifest>,
    pub(super) state: RepoState,
    /// The snapshot that is published now, if the list of its files cannot be read.
    pub(super) damaged: Option<String>,
    /// What was selected, and whose signatures count, as a digest.
    pub(super) selection: String,
    /// What the lock of the selection names.
    pub(super) locked: Option<LockedSet>,
    /// How often upstream was asked once more because files of its set were missing.
    pub(super) looked_again: u32,
    /// Whether upstream's metadata do not stand alone: they name what lies elsewhere (`xml:base`, `..`), or what cannot be
    /// taken.
    pub(super) elsewhere: bool,
    pub(super) report: RepoReport,
}

/// A repository that has left the run.
pub(super) struct EndedRepo {
    pub(super) report: RepoReport,
    /// What upstream has, if that was learnt: others may need packages from there.
    pub(super) set: Option<MetadataSet>,
}

/// What a step makes of a repository: the next thing, or its end.
pub(super) type RepoStep<T> = std::result::Result<T, Box<EndedRepo>>;

/// Says which keys of a lock nobody knows.
pub(crate) fn tell_unknown(run: &SyncRun<'_>, path: &Path, locked: &LockedSet) {
    if !locked.unknown.is_empty() {
        let (path, keys) = (path.display(), locked.unknown.join(", "));
        run.printer.err(&format!(
            "warning: {path}: keys without effect here: {keys}"
        ));
    }
}

impl Repo {
    /// Reads what is configured and remembered of a repository.
    pub(super) fn open(run: &SyncRun<'_>, id: &str) -> RepoStep<Repo> {
        let section = run.config.repo.get(id).cloned().unwrap_or_default();
        let mut repo = Repo {
            id: id.to_owned(),
            section,
            trust: Arc::default(),
            current: None,
            state: RepoState::default(),
            damaged: None,
            selection: String::new(),
            locked: None,
            looked_again: 0,
            elsewhere: false,
            report: RepoReport {
                id: id.to_owned(),
                ..RepoReport::default()
            },
        };
        match repo.read(run) {
            Ok(()) => Ok(repo),
            Err(error) => Err(repo.fail(run, &error, None)),
        }
    }

    fn read(&mut self, run: &SyncRun<'_>) -> Result<()> {
        let (state, damage) = run.publisher().remembered(&self.id)?;
        self.state = state;
        if let Some(Error::Damaged { path, why, .. }) = damage {
            self.warn(run, &path, &why, "it is made again of what is published");
        }
        if let Some(shown) = self.state.current(CURRENT).cloned() {
            // A manifest that was lost costs a comparison, not the run.
            self.current = match manifest::read(&run.layout, &self.id, &shown.stamp) {
                Ok(current) => Some(current),
                Err(Error::Damaged { path, why, .. }) => {
                    self.warn(run, &path, &why, "what upstream has is published anew");
                    self.damaged = Some(shown.stamp.clone());
                    None
                }
                Err(_) => None,
            };
            self.report.snapshot = Some(shown.stamp);
        }
        self.trust = Arc::new(PackageTrust::of(run.config, &self.id)?);
        if let Some(path) = &self.section.select.lock {
            let locked = LockedSet::read(path)?;
            tell_unknown(run, path, &locked);
            self.locked = Some(locked);
        }
        self.selection = self.select_digest(run)?;
        Ok(())
    }

    fn warn(&self, run: &SyncRun<'_>, path: &Path, why: &str, then: &str) {
        let (id, path) = (&self.id, path.display());
        run.printer
            .err(&format!("{id}: warning: {path} is damaged ({why}): {then}"));
    }

    /// What decides whether a snapshot is still the one wanted.
    fn select_digest(&self, run: &SyncRun<'_>) -> Result<String> {
        let mut text = serde_json::to_string(&self.section.select).unwrap_or_default();
        text.push_str(&self.trust.rules);
        if let Some(path) = &self.section.select.installed {
            text.push_str(&closure::read_installed(path)?.join("\n"));
        }
        if let Some(locked) = &self.locked {
            text.extend(locked.digests());
        }
        if self.made_here() {
            text.push_str(&format!(" key={:?}", run.config.mirror.sign_key));
        }
        let digest = Hasher::digest(DigestAlgo::Sha256, text.as_bytes());
        Ok(digest_text(&digest))
    }

    /// Whether the metadata are made here: upstream's name packages that are left out, or send clients to places that
    /// are not the mirror's.
    pub(super) fn made_here(&self) -> bool {
        self.elsewhere || !self.section.select.is_everything()
    }

    /// Whether a record of upstream's index is wanted as a file.
    pub(super) fn wants(&self, record: &RepomdRecord) -> bool {
        !self.made_here() || regenerate::is_kept(record)
    }

    /// Leaves the run because of an error.
    pub(super) fn fail(
        mut self,
        run: &SyncRun<'_>,
        error: &Error,
        set: Option<MetadataSet>,
    ) -> Box<EndedRepo> {
        self.report.fail(error);
        self.leave(run, set)
    }

    /// Leaves the run because all is done.
    pub(super) fn end(
        mut self,
        run: &SyncRun<'_>,
        outcome: RepoOutcome,
        set: Option<MetadataSet>,
    ) -> Box<EndedRepo> {
        self.report.outcome = outcome;
        // What was rolled back is not what upstream has.
        if self.state.rolled_back_from(CURRENT).is_none() {
            self.state.last_success = run.now;
        }
        self.state.ahead = None;
        self.leave(run, set)
    }

    /// Keeps what is to be remembered, unless the run only tells.
    fn leave(mut self, run: &SyncRun<'_>, set: Option<MetadataSet>) -> Box<EndedRepo> {
        let was_published = self.report.outcome == RepoOutcome::New;
        let (packages, bytes) = match &self.current {
            _ if was_published => (self.report.change.packages, self.report.change.bytes),
            Some(current) => (current.packages, current.bytes),
            None => (0, 0),
        };
        (self.report.published_packages, self.report.published_bytes) = (packages, bytes);
        if !run.options.dry_run {
            servers::note(run, &mut self, set.as_ref());
        }
        let (outcome, error) = (self.report.outcome, self.report.error.clone());
        self.state.ended(outcome.word(), error, run.now);
        if !run.options.dry_run
            && let Err(error) = manifest::write_state(&run.layout, &self.id, &self.state)
            && self.report.error.is_none()
        {
            self.report.fail(&error);
        }
        let (outcome, error) = (self.report.outcome.word(), self.report.error.as_deref());
        tracing::info!(repo = self.id, outcome, error, "repository is done with");
        let report = self.report;
        Box::new(EndedRepo { report, set })
    }
}
