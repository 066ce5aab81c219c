//! From a manifest to what clients see.
//!
//! A snapshot's tree holds exactly its files. What is published is a tree of its own: the
//! snapshot's files and, for a grace time, those of the publications before it, so that a client
//! that read the old index a moment ago still finds all it names. The switch is one rename of a
//! symbolic link; before it everything is on disk. A kill at any step leaves the old link or the
//! new one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rpm_repo::delta;
use whole_file::Durability;

use crate::error::{Error, Result};
use crate::layout::{self, Layout};
use crate::manifest::{self, Entry, Manifest, Publication, State};
use crate::store::Store;

/// Makes the tree of a snapshot. Its manifest is written by [`switch`], when the tree is on disk; a
/// tree without manifest is what a kill left: it is made anew.
///
/// # Errors
/// A file is not in the store; the disk is full.
pub fn snapshot(layout: &Layout, store: &Store, manifest: &Manifest) -> Result<()> {
    let tree = layout.tree(&manifest.repo, &manifest.stamp);
    let making = layout.trees(&manifest.repo).join(".making");
    layout::remove_tree(&making)?;
    link_files(store, &manifest.files, &making)?;
    link_deltas(store, manifest, &making);
    layout::remove_tree(&tree)?;
    fs::rename(&making, &tree).map_err(Error::file(&tree, "put in place"))
}

/// Lets a channel show a snapshot; one sync brings all of it to the disk.
///
/// # Errors
/// The snapshot is not there; the disk is full.
pub fn switch(
    layout: &Layout,
    store: &Store,
    channel: &str,
    manifest: &Manifest,
    state: &mut State,
    grace: u64,
    now: u64,
) -> Result<()> {
    let id = &manifest.repo;
    let home = layout.live(channel, id);
    fs::create_dir_all(&home).map_err(Error::file(&home, "create"))?;
    let former = state.published.get(channel).cloned().unwrap_or_default();
    let number = former.last().map_or(0, |last| last.tree) + 1;
    let tree = home.join(number.to_string());
    layout::remove_tree(&tree)?;
    link_files(store, &manifest.files, &tree)?;
    link_deltas(store, manifest, &tree);
    link_grace(layout, store, manifest, &former, grace, now, &tree)?;
    store.sync()?;
    let written = layout.manifest(id, &manifest.stamp);
    if manifest::read(layout, id, &manifest.stamp).ok().as_ref() != Some(manifest) {
        layout::write_json(&written, manifest)?;
    }
    point(layout, channel, id, &tree)?;
    let mut list = former;
    list.push(Publication {
        stamp: manifest.stamp.clone(),
        at: now,
        tree: number,
    });
    forget_old(&mut list, grace, now);
    state.published.insert(channel.to_owned(), list);
    if channel == layout::CURRENT && state.newest_shown < manifest.stamp {
        state.newest_shown.clone_from(&manifest.stamp);
    }
    manifest::write_state(layout, id, state)?;
    // A request that is just being resolved may still walk the tree before: it goes next time.
    remove_trees_before(&home, number.saturating_sub(1))
}

fn link_files(store: &Store, files: &[Entry], tree: &Path) -> Result<()> {
    let mut made = BTreeSet::new();
    fs::create_dir_all(tree).map_err(Error::file(tree, "create"))?;
    for entry in files {
        let to = repo_client::join_below(tree, &entry.path)?;
        let parent = to.parent().unwrap_or(tree).to_owned();
        if !made.contains(&parent) {
            fs::create_dir_all(&parent).map_err(Error::file(&parent, "create"))?;
            made.insert(parent);
        }
        store.link(&entry.digest()?, &to)?;
    }
    Ok(())
}

/// Adds the deltas; one that cannot be had is left out, and clients do without it.
fn link_deltas(store: &Store, manifest: &Manifest, tree: &Path) {
    for entry in &manifest.deltas {
        let to = repo_client::join_below(tree, &entry.path);
        let (Ok(to), Ok(digest)) = (to, entry.digest()) else {
            continue;
        };
        if to
            .parent()
            .is_some_and(|dir| fs::create_dir_all(dir).is_ok())
        {
            let _ = store.link(&digest, &to);
        }
    }
}

/// Adds the files of publications that were current within the grace time. What the new set has
/// under the same path wins: an index is never an old one.
fn link_grace(
    layout: &Layout,
    store: &Store,
    manifest: &Manifest,
    former: &[Publication],
    grace: u64,
    now: u64,
    tree: &Path,
) -> Result<()> {
    for (publication, replaced) in with_ends(former, now) {
        if replaced.saturating_add(grace) <= now || publication.stamp == manifest.stamp {
            continue;
        }
        let Ok(old) = manifest::read(layout, &manifest.repo, &publication.stamp) else {
            continue;
        };
        let deltas = old.deltas.iter().filter(|entry| entry.path != delta::INDEX);
        for entry in old.files.iter().chain(deltas) {
            let to = repo_client::join_below(tree, &entry.path)?;
            if fs::symlink_metadata(&to).is_ok() {
                continue;
            }
            let parent = to.parent().unwrap_or(tree);
            fs::create_dir_all(parent).map_err(Error::file(parent, "create"))?;
            // Gone from the store by `clean` or `verify`: then clients do without it.
            let _ = store.link(&entry.digest()?, &to);
        }
    }
    Ok(())
}

/// Each publication with the time at which the next one took its place.
fn with_ends(list: &[Publication], now: u64) -> Vec<(&Publication, u64)> {
    let ends = list.iter().skip(1).map(|next| next.at);
    list.iter().zip(ends.chain([now])).collect()
}

fn forget_old(list: &mut Vec<Publication>, grace: u64, now: u64) {
    let keep: Vec<bool> = with_ends(list, now)
        .iter()
        .map(|(_, end)| end.saturating_add(grace) > now)
        .collect();
    let last = list.len().saturating_sub(1);
    let mut at = 0;
    list.retain(|_| {
        at += 1;
        at > last || keep.get(at - 1).copied().unwrap_or(true)
    });
}

/// The switch itself.
fn point(layout: &Layout, channel: &str, id: &str, tree: &Path) -> Result<()> {
    let link = layout.link(channel, id);
    let parent = link.parent().map(Path::to_owned).unwrap_or_default();
    fs::create_dir_all(&parent).map_err(Error::file(&parent, "create"))?;
    let target = relative(&layout.public(), &parent, tree);
    let make = |name: &Path| std::os::unix::fs::symlink(&target, name);
    whole_file::replace_by(&link, Durability::Synced, make).map_err(Error::file(&link, "switch"))
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

fn remove_trees_before(home: &Path, first: u64) -> Result<()> {
    for name in layout::names_in(home)? {
        if name.parse::<u64>().is_ok_and(|number| number < first) {
            layout::remove_tree(&home.join(name))?;
        }
    }
    Ok(())
}

/// Removes published trees that no channel shows any more.
///
/// # Errors
/// They cannot be removed.
pub fn prune(layout: &Layout, id: &str, state: &State) -> Result<()> {
    for (channel, list) in &state.published {
        if let Some(shown) = list.last() {
            remove_trees_before(&layout.live(channel, id), shown.tree)?;
        }
    }
    Ok(())
}

/// Removes snapshots beyond what the configuration keeps; never one that a channel shows or whose
/// files a client under way may still want. Says which.
///
/// # Errors
/// They cannot be removed.
pub fn retain(
    layout: &Layout,
    id: &str,
    state: &State,
    keep: usize,
    keep_for: u64,
    now: u64,
) -> Result<Vec<String>> {
    let stamps = manifest::stamps(layout, id)?;
    if keep == 0 {
        return Ok(Vec::new());
    }
    let oldest = manifest::stamp(now.saturating_sub(keep_for));
    let in_use = |stamp: &String| {
        let mut all = state.published.values().flatten();
        all.any(|publication| publication.stamp == *stamp)
    };
    let surplus = stamps.len().saturating_sub(keep);
    let mut gone = Vec::new();
    for stamp in stamps.into_iter().take(surplus) {
        if in_use(&stamp) || (keep_for > 0 && stamp >= oldest) {
            continue;
        }
        let path = layout.manifest(id, &stamp);
        fs::remove_file(&path).map_err(Error::file(&path, "remove"))?;
        layout::remove_tree(&layout.tree(id, &stamp))?;
        gone.push(stamp);
    }
    Ok(gone)
}
