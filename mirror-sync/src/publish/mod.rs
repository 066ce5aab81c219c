//! From a manifest to what clients see: what is shown, what stays reachable, what goes.
//!
//! A snapshot holds exactly its files. What is published holds them and, for a grace time, those of
//! the publications before it, so that a client that read the old index a moment ago still finds
//! all it names. How that lies in its place is the business of a [`PublishTarget`].

mod bucket;
mod directory;
mod registry;
mod remote;
mod target;

use std::fs;

use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::layout::{CURRENT, Layout};
use crate::manifest::labels::Label;
use crate::manifest::{self, Manifest, Publication, RepoState};
use crate::snapshot;
use crate::store::Store;
use directory::Directory;
pub(crate) use directory::put;
pub(crate) use remote::{Page, Remotes, TargetReport};
use target::PublishTarget;

/// Who changes what clients see. The caller holds the mirror's lock.
pub(crate) struct Publisher<'a> {
    pub(crate) config: &'a Config,
    pub(crate) layout: &'a Layout,
    pub(crate) store: &'a Store,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

impl<'a> Publisher<'a> {
    fn target(&self) -> Directory<'a> {
        Directory::new(self.layout.public(), self.store)
    }

    /// Places a snapshot and lets `current` show it.
    pub(crate) fn publish(&self, manifest: &Manifest, state: &mut RepoState) -> Result<()> {
        // Its manifest is written when the files are on disk; a snapshot without manifest is what a
        // kill left: it is placed anew.
        if !self.layout.state_file(&manifest.repo).exists() {
            // Missing beside something that is published, it would count as lost.
            manifest::write_state(self.layout, &manifest.repo, state)?;
        }
        self.target().place(manifest)?;
        self.switch(CURRENT, manifest, state)
    }

    /// Lets a channel show a snapshot.
    pub(crate) fn show(&self, channel: &str, manifest: &Manifest) -> Result<()> {
        if channel != CURRENT {
            if let Some(why) = config::unfit(channel) {
                return Err(Error::Usage(format!("channel {channel}: {why}")));
            }
            if self.config.repo.contains_key(channel) {
                return Err(Error::Usage(format!(
                    "channel {channel}: a repository has this name"
                )));
            }
        }
        let mut state = manifest::read_state(self.layout, &manifest.repo)?;
        self.switch(channel, manifest, &mut state)
    }

    /// The snapshot to go back to: the newest that is older than what the channel shows.
    pub(crate) fn before(&self, id: &str, channel: &str) -> Result<Manifest> {
        let shown = snapshot::shown(self.layout, id, channel)?;
        let stamps = manifest::stamps(self.layout, id)?;
        let former = stamps.iter().rfind(|stamp| **stamp < shown.stamp);
        let former = former.ok_or_else(|| {
            Error::NotFound(format!(
                "repository {id} has no snapshot before {}",
                shown.stamp
            ))
        })?;
        manifest::read(self.layout, id, former)
    }

    /// The newest snapshot that `current` ever showed.
    pub(crate) fn newest(&self, id: &str) -> Result<Manifest> {
        let state = manifest::read_state(self.layout, id)?;
        match state.newest_shown.as_str() {
            "" => snapshot::shown(self.layout, id, CURRENT),
            newest => manifest::read(self.layout, id, newest),
        }
    }

    fn switch(&self, channel: &str, manifest: &Manifest, state: &mut RepoState) -> Result<()> {
        let (id, target) = (&manifest.repo, self.target());
        let mut list = state.published.get(channel).cloned().unwrap_or_default();
        let number = list.last().map_or(0, |last| last.tree) + 1;
        let grace = self.config.mirror.grace.0.as_secs();
        list.push(Publication {
            stamp: manifest.stamp.clone(),
            at: self.now,
            tree: number,
        });
        let list: Vec<Publication> = in_grace(&list, grace, self.now).cloned().collect();
        let others = list.iter().filter(|one| one.stamp != manifest.stamp);
        // The files of a manifest that was lost go without grace.
        let mut former = others.filter_map(|one| manifest::read(self.layout, id, &one.stamp).ok());
        target.prepare(channel, number, manifest, &mut former)?;
        let written = self.layout.manifest(id, &manifest.stamp);
        if manifest::read(self.layout, id, &manifest.stamp)
            .ok()
            .as_ref()
            != Some(manifest)
        {
            self.layout.write_json(&written, manifest)?;
        }
        target.switch(channel, manifest, number)?;
        state.published.insert(channel.to_owned(), list);
        if channel == CURRENT && state.newest_shown < manifest.stamp {
            state.newest_shown.clone_from(&manifest.stamp);
        }
        manifest::write_state(self.layout, id, state)?;
        // A request that is just being resolved may still walk the tree before: it goes next time.
        target.prune(channel, id, number.saturating_sub(1))
    }

    /// What is remembered of a repository; where that is damaged it is made again, and the damage comes with it.
    pub(crate) fn remembered(&self, id: &str) -> Result<(RepoState, Option<Error>)> {
        match manifest::read_state(self.layout, id) {
            Ok(state) => Ok((state, None)),
            Err(error @ Error::Damaged { .. }) => Ok((self.restored(id)?, Some(error))),
            Err(other) => Err(other),
        }
    }

    /// What the published trees and the lists of the snapshots tell. The age of what was seen is among it: a replay is
    /// known as one still.
    fn restored(&self, id: &str) -> Result<RepoState> {
        let stamps = manifest::stamps(self.layout, id)?;
        let mut state = RepoState::default();
        for stamp in &stamps {
            if let Ok(manifest) = manifest::read(self.layout, id, stamp) {
                let revision = manifest.revision.as_deref();
                let revision = revision.and_then(|text| text.trim().parse().ok());
                state.seen = state.seen.max((manifest.timestamp, revision.unwrap_or(0)));
            }
        }
        state.newest_shown = stamps.last().cloned().unwrap_or_default();
        for (channel, tree, stamp) in self.target().shown(id, &stamps)? {
            let stamp = stamp.unwrap_or_default();
            let at = self.now;
            state
                .published
                .insert(channel, vec![Publication { stamp, at, tree }]);
        }
        Ok(state)
    }

    /// Removes a snapshot whose list cannot be read, unless a channel shows it.
    pub(crate) fn forget(&self, id: &str, stamp: &str, state: &RepoState) -> Result<bool> {
        if state.shown().any(|(_, shown)| shown.stamp == stamp) {
            return Ok(false);
        }
        let path = self.layout.manifest(id, stamp);
        fs::remove_file(&path).map_err(Error::file(&path, "remove"))?;
        // A name without its snapshot means nothing.
        let _ = manifest::labels::change(self.layout, id, stamp, |label| *label = Label::default());
        self.target().remove(id, stamp)?;
        Ok(true)
    }

    /// Removes publications of a repository that no channel shows any more.
    pub(crate) fn prune(&self, id: &str) -> Result<()> {
        let state = manifest::read_state(self.layout, id)?;
        let mut shown = state.shown();
        shown.try_for_each(|(channel, one)| self.target().prune(channel, id, one.tree))
    }

    /// Removes snapshots beyond what the configuration keeps; never one that a channel shows or
    /// whose files a client under way may still want. Says which.
    pub(crate) fn retain(&self, id: &str, state: &RepoState) -> Result<Vec<String>> {
        let mirror = &self.config.mirror;
        let (keep, keep_for) = (mirror.keep_snapshots, mirror.keep_for.0.as_secs());
        if keep == 0 {
            return Ok(Vec::new());
        }
        let stamps = manifest::stamps(self.layout, id)?;
        let oldest = manifest::stamp(self.now.saturating_sub(keep_for));
        let in_use = |stamp: &String| {
            let mut all = state.published.values().flatten();
            all.any(|publication| publication.stamp == *stamp)
        };
        let labels = manifest::labels::read(self.layout, id)?;
        let is_pinned = |stamp: &String| labels.get(stamp).is_some_and(|label| label.pinned);
        let surplus = stamps.len().saturating_sub(keep);
        let mut gone = Vec::new();
        for stamp in stamps.into_iter().take(surplus) {
            if in_use(&stamp) || is_pinned(&stamp) || (keep_for > 0 && stamp >= oldest) {
                continue;
            }
            if self.forget(id, &stamp, state)? {
                gone.push(stamp);
            }
        }
        Ok(gone)
    }

    /// Brings every published file of a repository back to what the store has; how many were not so.
    pub(crate) fn repair(&self, id: &str) -> Result<usize> {
        let state = manifest::read_state(self.layout, id)?;
        let mut count = 0;
        for stamp in manifest::stamps(self.layout, id)? {
            let manifest = match manifest::read(self.layout, id, &stamp) {
                // Its files are not known; the caller has said so.
                Err(Error::Damaged { .. }) => continue,
                other => other?,
            };
            let shown: Vec<(&str, u64)> = state
                .published
                .iter()
                .flat_map(|(channel, list)| list.iter().map(move |one| (channel.as_str(), one)))
                .filter(|(_, one)| one.stamp == stamp)
                .map(|(channel, one)| (channel, one.tree))
                .collect();
            count += self.target().repair(&manifest, &shown)?;
        }
        count += self.lead_again(id, &state)?;
        Ok(count)
    }

    /// Lets each channel lead to what it shows again, if it does not; how many did not.
    fn lead_again(&self, id: &str, state: &RepoState) -> Result<usize> {
        let target = self.target();
        let seen = target.shown(id, &manifest::stamps(self.layout, id)?)?;
        let mut count = 0;
        for (channel, one) in state.shown() {
            let leads = |(name, tree, stamp): &(String, u64, Option<String>)| {
                name == channel && *tree == one.tree && stamp.is_some()
            };
            if seen.iter().any(leads) {
                continue;
            }
            if let Ok(manifest) = manifest::read(self.layout, id, &one.stamp) {
                target.prepare(channel, one.tree, &manifest, &mut std::iter::empty())?;
                target.switch(channel, &manifest, one.tree)?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Puts a page beside the repositories.
    pub(crate) fn put(&self, path: &str, data: &[u8]) -> Result<()> {
        self.target().put(path, data)
    }
}

/// The publications of a channel that may still be in use: the last one, and those whose successor
/// took their place less than `grace` seconds ago.
fn in_grace(list: &[Publication], grace: u64, now: u64) -> impl Iterator<Item = &Publication> {
    let ends = list.iter().skip(1).map(|next| Some(next.at));
    list.iter()
        .zip(ends.chain([None]))
        .filter(move |(_, end)| end.is_none_or(|end| end.saturating_add(grace) > now))
        .map(|(publication, _)| publication)
}

#[cfg(test)]
mod tests;
