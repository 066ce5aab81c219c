//! Snapshots as people use them: listed, found by a date, compared.

use std::collections::BTreeMap;

use cli_kit::{Printer, iec_size};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::manifest::labels::{self, Label};
use crate::manifest::{self, Manifest, RepoState};

/// Most snapshots that an error names.
const NAMED: usize = 5;

/// One line of the list.
#[derive(Debug, Serialize)]
pub(crate) struct SnapshotLine {
    pub(crate) repo: String,
    pub(crate) stamp: String,
    pub(crate) packages: usize,
    pub(crate) bytes: u64,
    /// Upstream's timestamp, seconds since 1970.
    pub(crate) upstream: u64,
    /// Metadata made here, or upstream's own.
    pub(crate) made_here: bool,
    pub(crate) channels: Vec<String>,
    /// What people say of it.
    #[serde(flatten)]
    pub(crate) label: Label,
}

/// The lines, and the damaged files that keep something from being among them.
pub(crate) fn list(layout: &Layout, ids: &[String]) -> Result<(Vec<SnapshotLine>, Vec<Error>)> {
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    for id in ids {
        let state = manifest::read_state(layout, id);
        let state = sound(state, &mut faults)?.unwrap_or_default();
        let labels = sound(labels::read(layout, id), &mut faults)?.unwrap_or_default();
        for stamp in manifest::stamps(layout, id)? {
            let manifest = manifest::read(layout, id, &stamp);
            let Some(manifest) = sound(manifest, &mut faults)? else {
                continue;
            };
            lines.push(SnapshotLine {
                repo: id.clone(),
                channels: channels_of(&state, &stamp),
                label: labels.get(&stamp).cloned().unwrap_or_default(),
                stamp,
                packages: manifest.packages,
                bytes: manifest.bytes,
                upstream: manifest.timestamp,
                made_here: manifest.made_here,
            });
        }
    }
    Ok((lines, faults))
}

/// What could be read; a damaged file goes to the others.
pub(crate) fn sound<T>(read: Result<T>, faults: &mut Vec<Error>) -> Result<Option<T>> {
    match read {
        Err(error @ Error::Damaged { .. }) => {
            faults.push(error);
            Ok(None)
        }
        other => other.map(Some),
    }
}

fn channels_of(state: &RepoState, stamp: &str) -> Vec<String> {
    let showing = state.shown().filter(|(_, shown)| shown.stamp == stamp);
    showing.map(|(channel, _)| channel.clone()).collect()
}

pub(crate) fn print_list(lines: &[SnapshotLine], printer: &Printer) {
    printer.json(&lines);
    for line in lines {
        let size = iec_size(line.bytes);
        let label = &line.label;
        let name = label.name.as_ref().map(|name| format!("name={name}"));
        let pinned = label.pinned.then(|| "pinned".to_owned());
        let note = label.note.as_ref().map(|note| format!("{note:?}"));
        let words: Vec<String> = line
            .channels
            .iter()
            .cloned()
            .chain(name)
            .chain(pinned)
            .chain(note)
            .collect();
        printer.row(&format!(
            "{:<24} {:<18} {:>7} packages {size:>10}  upstream {}  {}",
            line.repo,
            line.stamp,
            line.packages,
            manifest::date(line.upstream),
            words.join(" ")
        ));
    }
}

/// The snapshot that a word names: a stamp, or the newest at or before a date.
pub(crate) fn find(layout: &Layout, id: &str, word: &str) -> Result<Manifest> {
    manifest::read(layout, id, &find_stamp(layout, id, word)?)
}

/// The same, only its name.
pub(crate) fn find_stamp(layout: &Layout, id: &str, word: &str) -> Result<String> {
    let mut stamps = manifest::stamps(layout, id)?;
    if stamps.iter().any(|stamp| stamp == word) {
        return Ok(word.to_owned());
    }
    let named = labels::read(layout, id)?.into_iter();
    let mut named = named.filter(|(_, label)| label.name.as_deref() == Some(word));
    if let Some((stamp, _)) = named.find(|(stamp, _)| stamps.contains(stamp)) {
        return Ok(stamp);
    }
    let listed = listed(&stamps);
    let none = |why: String| {
        let why = format!("repository {id}{why}; {listed}: see `mirror-sync snapshot list {id}`");
        Error::NotFound(why)
    };
    let no_date = || {
        none(format!(
            ": {word} is neither a snapshot, the name of one nor a date such as 2026-01-31"
        ))
    };
    let end = manifest::date_end(word).ok_or_else(no_date)?;
    stamps.retain(|stamp| *stamp <= end);
    let before = || none(format!(" has no snapshot of {word} or before"));
    stamps.pop().ok_or_else(before)
}

/// Why a word cannot be the name of a snapshot of a repository.
pub(crate) fn name_fault(
    layout: &Layout,
    id: &str,
    stamp: &str,
    name: &str,
) -> Result<Option<String>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+:~".contains(c);
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(plain) {
        return Ok(Some(
            "a name consists of 1 to 100 letters, digits and ._-+:~".to_owned(),
        ));
    }
    if manifest::date_end(name).is_some() {
        return Ok(Some("this is a date".to_owned()));
    }
    let labels = labels::read(layout, id)?;
    let mut others = labels.iter().filter(|(other, _)| *other != stamp);
    let taken = others.find(|(_, label)| label.name.as_deref() == Some(name));
    Ok(taken.map(|(other, _)| format!("snapshot {other} of repository {id} has it")))
}

/// The newest snapshots, in words.
fn listed(stamps: &[String]) -> String {
    let newest: Vec<&str> = stamps
        .iter()
        .rev()
        .take(NAMED)
        .map(String::as_str)
        .collect();
    match (newest.as_slice(), stamps.len().saturating_sub(NAMED)) {
        ([], _) => "there is none yet".to_owned(),
        (newest, 0) => format!("there are {}", newest.join(", ")),
        (newest, more) => format!("there are {} and {more} older", newest.join(", ")),
    }
}

/// What a channel shows.
pub(crate) fn shown(layout: &Layout, id: &str, channel: &str) -> Result<Manifest> {
    let state = manifest::read_state(layout, id)?;
    let shown = state.current(channel).ok_or_else(|| {
        Error::NotFound(format!(
            "channel {channel} of repository {id} shows nothing yet"
        ))
    })?;
    manifest::read(layout, id, &shown.stamp)
}

/// The snapshot that a word names, or, without one, what a channel shows.
pub(crate) fn find_or_shown(
    layout: &Layout,
    id: &str,
    word: Option<&str>,
    channel: &str,
) -> Result<Manifest> {
    match word {
        Some(word) => find(layout, id, word),
        None => shown(layout, id, channel),
    }
}

/// What changed between two snapshots.
#[derive(Debug, Default, Serialize)]
pub(crate) struct SnapshotDiff {
    /// The older one.
    pub(crate) from: String,
    /// The newer one.
    pub(crate) to: String,
    /// Paths that are only in the newer one.
    pub(crate) added: Vec<String>,
    /// Paths that are only in the older one.
    pub(crate) removed: Vec<String>,
    /// Paths with other content.
    pub(crate) changed: Vec<String>,
}

/// Compares packages by path and content.
pub(crate) fn diff(from: &Manifest, to: &Manifest) -> SnapshotDiff {
    let packages = |manifest: &Manifest| -> BTreeMap<String, String> {
        let list = manifest.files.iter().filter(|file| file.package.is_some());
        list.map(|file| (file.path.clone(), file.digest.clone()))
            .collect()
    };
    let (old, new) = (packages(from), packages(to));
    let mut diff = SnapshotDiff {
        from: from.stamp.clone(),
        to: to.stamp.clone(),
        ..SnapshotDiff::default()
    };
    for (path, digest) in &new {
        match old.get(path) {
            None => diff.added.push(path.clone()),
            Some(former) if former != digest => diff.changed.push(path.clone()),
            Some(_) => {}
        }
    }
    let gone = old.keys().filter(|path| !new.contains_key(*path));
    diff.removed.extend(gone.cloned());
    diff
}

pub(crate) fn print_diff(diff: &SnapshotDiff, printer: &Printer) {
    printer.json(diff);
    for (sign, list) in [
        ("+", &diff.added),
        ("-", &diff.removed),
        ("~", &diff.changed),
    ] {
        for path in list {
            printer.crit(&format!("{sign} {path}"));
        }
    }
}
