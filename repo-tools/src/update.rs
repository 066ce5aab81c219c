//! Changing the records of an existing repository: what modifyrepo and prune publish.

use std::collections::BTreeSet;

use rpm_repo::repomd::Repomd;
use whole_file::Folder;

use crate::create::{deltas, foreign_names, write_repomd};
use crate::error::Result;
use crate::repository::Repository;
use crate::stage::RepoChange;
use crate::state::FinishedRun;

/// An existing repository, locked, with a new repodata in the making.
#[derive(Debug)]
pub struct Update {
    stage: RepoChange,
    /// Where new files of repodata go.
    pub dir: Folder,
    /// The repository as it is.
    pub old: Repository,
    /// The last run's state, if it belongs to this repodata.
    pub state: Option<FinishedRun>,
}

impl Update {
    /// Locks the repository in an open directory and begins a new repodata.
    ///
    /// # Errors
    /// None there, or another run works on it.
    pub fn begin(dir: Folder) -> Result<Update> {
        let mut stage = RepoChange::of(dir)?;
        let old = Repository::of(stage.root())?;
        let state = stage.state().and_then(FinishedRun::read);
        let state = state.filter(|state| state.repomd == old.digest);
        let dir = stage.begin()?;
        Ok(Update {
            stage,
            dir,
            old,
            state,
        })
    }

    /// Publishes `repomd`, whose files stand in the new directory or in the present repodata. The
    /// files of the present one stay for readers under way, but for those `dropped`. False, and nothing written, if it
    /// says what the present one says.
    pub fn publish(mut self, repomd: &Repomd, dropped: &BTreeSet<String>) -> Result<bool> {
        if *repomd == self.old.repomd {
            self.stage.give_up()?;
            return Ok(false);
        }
        let digest = write_repomd(repomd, &self.dir)?;
        let mut names: BTreeSet<String> = foreign_names(self.stage.repodata(), Some(&self.old))?;
        let old = self.old.repomd.records.iter();
        let old = old.map(|r| r.href.file_name().to_owned());
        let old: Vec<String> = old.filter(|name| !dropped.contains(name)).collect();
        names.extend(old.iter().cloned());
        names.extend(repomd.records.iter().map(|r| r.href.file_name().to_owned()));
        // What has not changed is still the end of the same deltas.
        names.extend(deltas::names(self.old.repodata()));
        self.stage.keep(&names)?;
        self.stage.publish()?;
        let mut state = self.state.take().unwrap_or_default();
        // Without a state of its own the repository gets one that knows no package: then the
        // next createrepo compares with primary.
        if state.options.is_empty() {
            return Ok(true);
        }
        state.repomd = digest;
        state
            .generations
            .insert(0, old.into_iter().filter(|n| !n.contains(' ')).collect());
        state.generations.truncate(1);
        self.stage.save_state(&state.to_bytes())?;
        Ok(true)
    }
}
