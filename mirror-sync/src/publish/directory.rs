//! A directory that any web server can show: trees of hard links to the store, and a symbolic link
//! to the tree that clients see.
//!
//! The switch is one rename of that link; before it everything is on disk. A kill at any step
//! leaves the old link or the new one.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rpm_repo::delta;
use whole_file::Durability;

use super::target::PublishTarget;
use crate::error::{Error, Result};
use crate::layout::{self, CURRENT, INDEX};
use crate::manifest::{Manifest, SnapshotFile};
use crate::store::Store;

/// The document root of a mirror.
pub(super) struct Directory<'a> {
    public: PathBuf,
    store: &'a Store,
}

impl<'a> Directory<'a> {
    /// The directory `public`, whose files are those of the store.
    pub(super) fn new(public: PathBuf, store: &'a Store) -> Self {
        Self { public, store }
    }

    fn make(&self, dir: &Path) -> Result<()> {
        make(&self.public, dir)
    }

    fn snapshots(&self, id: &str) -> PathBuf {
        self.public.join("snapshots").join(id)
    }

    /// The trees that were published under a channel.
    fn live(&self, channel: &str, id: &str) -> PathBuf {
        self.public.join(".live").join(channel).join(id)
    }

    /// The link that clients follow.
    fn link(&self, channel: &str, id: &str) -> PathBuf {
        match channel {
            CURRENT => self.public.join(id),
            other => self.public.join(other).join(id),
        }
    }

    /// Links the set itself, and its deltas. A delta that cannot be had is left out, and clients do
    /// without it.
    fn link_set(&self, manifest: &Manifest, tree: &Path) -> Result<()> {
        let mut made = BTreeSet::new();
        self.make(tree)?;
        for entry in &manifest.files {
            if entry.is_unjudged(self.store) {
                continue;
            }
            let to = repo_client::join_below(tree, &entry.path)?;
            let parent = to.parent().unwrap_or(tree).to_owned();
            if !made.contains(&parent) {
                self.make(&parent)?;
                made.insert(parent);
            }
            self.store.link(&entry.digest()?, &to)?;
        }
        for entry in &manifest.deltas {
            let _ = self.link_free(entry, tree);
        }
        Ok(())
    }

    /// Links a file if its path is free.
    fn link_free(&self, entry: &SnapshotFile, tree: &Path) -> Result<()> {
        let to = repo_client::join_below(tree, &entry.path)?;
        if fs::symlink_metadata(&to).is_ok() || entry.is_unjudged(self.store) {
            return Ok(());
        }
        self.make(to.parent().unwrap_or(tree))?;
        // Gone from the store by `clean` or `verify`: then clients do without it.
        let _ = self.store.link(&entry.digest()?, &to);
        Ok(())
    }

    /// Lets a name of a tree lead to the stored file again.
    fn relink(&self, entry: &SnapshotFile, tree: &Path) -> Result<bool> {
        let digest = entry.digest()?;
        let path = repo_client::join_below(tree, &entry.path)?;
        let Ok(stored) = fs::metadata(self.store.path(&digest)) else {
            return Ok(false);
        };
        let is_right = fs::symlink_metadata(&path).is_ok_and(|named| named.ino() == stored.ino());
        if is_right || entry.is_unjudged(self.store) {
            return Ok(false);
        }
        self.make(path.parent().unwrap_or(tree))?;
        self.store.relink(&digest, &path)?;
        Ok(true)
    }
}

impl Directory<'_> {
    /// Places publication `number`: the snapshot's files and, under paths that it leaves free,
    /// those of `former` publications. Clients see nothing of it yet. When it returns, a crash of
    /// the machine loses none of it.
    ///
    /// # Errors
    /// A file of the snapshot is not in the store; the place is full.
    pub(super) fn prepare(
        &self,
        channel: &str,
        number: u64,
        manifest: &Manifest,
        former: &mut dyn Iterator<Item = Manifest>,
    ) -> Result<()> {
        let home = self.live(channel, &manifest.repo);
        let tree = home.join(number.to_string());
        self.make(&home)?;
        layout::remove_tree(&tree)?;
        self.link_set(manifest, &tree)?;
        for old in former {
            let deltas = old.deltas.iter().filter(|entry| entry.path != delta::INDEX);
            for entry in old.files.iter().chain(deltas) {
                self.link_free(entry, &tree)?;
            }
        }
        self.store.sync()
    }

    /// Removes the publications before `first`.
    pub(super) fn prune(&self, channel: &str, id: &str, first: u64) -> Result<()> {
        let home = self.live(channel, id);
        self.make(&home)?;
        for name in layout::names_in(&home)? {
            if name.parse::<u64>().is_ok_and(|number| number < first) {
                layout::remove_tree(&home.join(name))?;
            }
        }
        Ok(())
    }

    /// Removes a snapshot that nothing shows.
    pub(super) fn remove(&self, id: &str, stamp: &str) -> Result<()> {
        let home = self.snapshots(id);
        self.make(&home)?;
        layout::remove_tree(&home.join(stamp))
    }

    /// What clients see now: each channel, the number of its publication, and which of these snapshots that is.
    pub(super) fn shown(
        &self,
        id: &str,
        stamps: &[String],
    ) -> Result<Vec<(String, u64, Option<String>)>> {
        let index = |tree: &Path| {
            let about = fs::metadata(tree.join(INDEX));
            about.map(|about| (about.dev(), about.ino())).ok()
        };
        let mut found = Vec::new();
        for channel in layout::names_in(&self.public.join(".live"))? {
            let tree = fs::read_link(self.link(&channel, id)).ok();
            let name = tree.as_deref().and_then(Path::file_name);
            let number = name.and_then(|name| name.to_str()?.parse::<u64>().ok());
            let Some(number) = number else {
                continue;
            };
            let seen = index(&self.live(&channel, id).join(number.to_string()));
            let mut newest = stamps.iter().rev();
            let same =
                |stamp: &&String| seen.is_some() && index(&self.snapshots(id).join(stamp)) == seen;
            let stamp = newest.find(same).cloned();
            found.push((channel, number, stamp));
        }
        Ok(found)
    }

    /// Brings every file of a snapshot, and of the publications that show it (channel and number),
    /// back to what the store has; how many were not so.
    pub(super) fn repair(&self, manifest: &Manifest, shown: &[(&str, u64)]) -> Result<usize> {
        let id = &manifest.repo;
        let mut trees = vec![self.snapshots(id).join(&manifest.stamp)];
        let live = shown.iter();
        trees.extend(live.map(|(channel, number)| self.live(channel, id).join(number.to_string())));
        let mut count = 0;
        let is_kept = |(at, tree): &(usize, &PathBuf)| *at == 0 || tree.is_dir();
        for (_, tree) in trees.iter().enumerate().filter(is_kept) {
            for entry in &manifest.files {
                count += usize::from(self.relink(entry, tree)?);
            }
        }
        Ok(count)
    }
}

impl PublishTarget for Directory<'_> {
    fn place(&self, manifest: &Manifest) -> Result<()> {
        let home = self.snapshots(&manifest.repo);
        let (making, tree) = (home.join(".making"), home.join(&manifest.stamp));
        self.make(&home)?;
        layout::remove_tree(&making)?;
        self.link_set(manifest, &making)?;
        layout::remove_tree(&tree)?;
        fs::rename(&making, &tree).map_err(Error::file(&tree, "put in place"))
    }

    fn switch(&self, channel: &str, manifest: &Manifest, number: u64) -> Result<()> {
        let id = &manifest.repo;
        let link = self.link(channel, id);
        let tree = self.live(channel, id).join(number.to_string());
        let parent = link.parent().map(Path::to_owned).unwrap_or_default();
        self.make(&parent)?;
        let target = relative(&self.public, &parent, &tree);
        let make = |name: &Path| std::os::unix::fs::symlink(&target, name);
        whole_file::replace_by(&link, Durability::Synced, make)
            .map_err(Error::file(&link, "switch"))
    }

    fn put(&self, path: &str, data: &[u8]) -> Result<()> {
        put(&self.public, path, data)
    }
}

/// Writes a page below `public`, if it has changed.
pub(crate) fn put(public: &Path, path: &str, data: &[u8]) -> Result<()> {
    let path = public.join(path);
    if layout::read(&path, data.len() as u64).is_ok_and(|there| there == data) {
        return Ok(());
    }
    make(public, path.parent().unwrap_or(public))?;
    layout::write_whole(&path, data)
}

/// Makes a folder below `public`, which stands in the mirror's own.
fn make(public: &Path, dir: &Path) -> Result<()> {
    layout::make_below(public.parent().unwrap_or(public), dir)
}

/// The way from `parent` to `tree`, both below `public`: the directory can be moved or served
/// under another root.
fn relative(public: &Path, parent: &Path, tree: &Path) -> PathBuf {
    let depth = parent
        .strip_prefix(public)
        .map_or(0, |below| below.components().count());
    let up: PathBuf = std::iter::repeat_n("..", depth).collect();
    up.join(tree.strip_prefix(public).unwrap_or(tree))
}
