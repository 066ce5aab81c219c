//! What a snapshot consists of, and what is known of a repository between runs.

pub(crate) mod asked;
pub(crate) mod labels;
pub(crate) mod last_run;

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::DateTime;
use rpm_pkg::digest::Digest;
use rpm_repo::layout::Place;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::layout::{self, Layout};
use crate::store::{self, Store};

/// The form of manifests and states; raised when readers of the old form would misunderstand.
pub(crate) const FORMAT: u32 = 1;

/// One file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotFile {
    pub(crate) path: String,
    /// Bytes.
    pub(crate) size: u64,
    /// `sha256:hex`: its name in the store.
    pub(crate) digest: String,
    /// The package's full name; none for metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
}

impl SnapshotFile {
    /// A part of the metadata.
    pub(crate) fn new(path: &str, size: u64, digest: &Digest) -> Self {
        Self {
            path: path.to_owned(),
            size,
            digest: store::digest_text(digest),
            package: None,
        }
    }

    /// Whether it lies where its kind belongs: packages beside `repodata`, metadata in it.
    pub(crate) fn is_in_place(&self) -> bool {
        let place = match self.package {
            Some(_) => Place::Package,
            None => Place::Metadata,
        };
        Place::of(&self.path) == place
    }

    /// Whether it is a package that was kept as metadata, which nobody judged; versions before this one did that. Such
    /// a file is not shown to clients.
    pub(crate) fn is_unjudged(&self, store: &Store) -> bool {
        let is_package = |digest| store::is_package(&store.path(&digest)).unwrap_or(false);
        let in_disguise = self.package.is_none() && self.digest().is_ok_and(is_package);
        in_disguise || !self.is_in_place()
    }

    pub(crate) fn digest(&self) -> Result<Digest> {
        store::parse_digest(&self.digest)
            .ok_or_else(|| Error::NotFound(format!("{}: manifest without a digest", self.path)))
    }
}

/// One snapshot: a whole, checked set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// [`FORMAT`].
    pub(crate) format: u32,
    pub(crate) repo: String,
    /// Its name: `20261121T131500Z`.
    pub(crate) stamp: String,
    /// Seconds since 1970.
    pub(crate) made: u64,
    /// SHA-256 of upstream's repomd.xml.
    pub(crate) upstream: String,
    pub(crate) revision: Option<String>,
    /// Upstream's latest timestamp, seconds since 1970.
    pub(crate) timestamp: u64,
    /// What was selected, as a digest: another selection is another snapshot.
    pub(crate) selection: String,
    /// The rules by which its packages were judged here ([`crate::trust::PackageTrust::rules`]); empty if nobody knows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) rules: String,
    /// The metadata were made here to match a selection.
    pub(crate) made_here: bool,
    /// Only what was asked for first; the rest follows.
    #[serde(default, rename = "first_light", alias = "first_part")]
    pub(crate) first_part: bool,
    pub(crate) packages: usize,
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// The files, by path.
    pub(crate) files: Vec<SnapshotFile>,
    /// What it was merged of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sources: Vec<MergeSource>,
    /// Deltas of metadata and their index. They save bytes and are no part of the set: where one is gone
    /// or damaged, clients fetch the whole file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) deltas: Vec<SnapshotFile>,
}

/// A snapshot that a merged one was made of, and how its packages were checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct MergeSource {
    pub(crate) repo: String,
    pub(crate) stamp: String,
    /// It was asked for by name: what its repository shows since does not matter.
    pub(crate) fixed: bool,
    /// Files of the keys that its packages are signed by.
    pub(crate) keys: Vec<PathBuf>,
    /// Whether each of them is.
    pub(crate) check: bool,
    /// Weaknesses of their signatures that are admitted.
    pub(crate) weak: Vec<String>,
}

/// What is remembered of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RepoState {
    /// Latest upstream timestamp and revision ever accepted.
    pub(crate) seen: (u64, u64),
    /// When a run last tried, seconds since 1970.
    pub(crate) last_try: u64,
    /// When a run last ended with upstream's current set published.
    pub(crate) last_success: u64,
    /// How the last run ended: `new`, `nothing-new`, `partial`, `failed`.
    pub(crate) outcome: String,
    pub(crate) error: Option<String>,
    /// When the first of the runs ended badly since one that ended well; 0 if the last one did.
    pub(crate) failed_since: u64,
    /// What upstream has and clients do not see, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ahead: Option<Ahead>,
    /// Bytes per second of the last transfer worth measuring.
    pub(crate) rate: u64,
    /// What the last transfer met, in words.
    pub(crate) limit: Option<String>,
    /// The newest snapshot that `current` ever showed: after a rollback a later run does not bring
    /// it back, only something newer than it.
    pub(crate) newest_shown: String,
    /// Until when upstream is not asked for deltas, because it had none: seconds since 1970.
    pub(crate) no_deltas: u64,
    /// What is known of its servers, by their URLs without logins.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) servers: BTreeMap<String, ServerState>,
    /// What the last new sets have changed, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) history: Vec<ChangeNote>,
    /// What each channel published, oldest first.
    pub(crate) published: BTreeMap<String, Vec<Publication>>,
    /// What the places on other servers show, by their names.
    pub(crate) targets: BTreeMap<String, TargetState>,
    /// What `verify` has found damaged, until it is mended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) damage: Option<Damage>,
}

/// Damage that is left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Damage {
    /// When it was found first, seconds since 1970.
    pub(crate) since: u64,
    /// What is damaged and what to do, in one line.
    pub(crate) what: String,
}

/// What a place on another server shows of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TargetState {
    /// Where it is; at another place nothing is known of it.
    pub(crate) url: String,
    /// The address that its pages and metalinks name, where the configuration names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_url: Option<String>,
    /// The snapshot of each channel.
    pub(crate) shown: BTreeMap<String, String>,
    /// When it last was as this mirror, seconds since 1970.
    pub(crate) at: u64,
    /// Why it is not, in words.
    pub(crate) error: Option<String>,
    /// When it first was not, seconds since 1970.
    pub(crate) since: u64,
}

impl TargetState {
    /// Whether it was brought to show this snapshot.
    pub(crate) fn shows(&self, channel: &str, stamp: &str) -> bool {
        self.shown.get(channel).is_some_and(|shown| shown == stamp)
    }
}

/// What upstream has and clients do not see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ahead {
    /// When that was seen first, seconds since 1970.
    pub(crate) since: u64,
    /// Packages that would be published of it; 0 if nobody got so far.
    pub(crate) packages: usize,
}

/// What is known of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ServerState {
    /// Since when it fails, seconds since 1970; 0 if it answered last.
    pub(crate) since: u64,
    /// When something was heard of it last.
    pub(crate) asked: u64,
    /// Why it failed last.
    pub(crate) why: String,
}

/// What a new set has changed. Names are some of all, counts are of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ChangeNote {
    /// When it was published, seconds since 1970.
    pub(crate) at: u64,
    pub(crate) snapshot: String,
    /// Nothing was there before.
    pub(crate) is_first: bool,
    pub(crate) packages: usize,
    pub(crate) bytes: u64,
    pub(crate) added: Vec<String>,
    pub(crate) added_count: usize,
    pub(crate) removed: Vec<String>,
    pub(crate) removed_count: usize,
    /// Security advisories that the set before lacked.
    pub(crate) advisories: Vec<AdvisoryNote>,
    pub(crate) advisory_count: usize,
}

/// An advisory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AdvisoryNote {
    pub(crate) id: String,
    /// As it was written; may be empty.
    pub(crate) severity: String,
    pub(crate) title: String,
}

/// One publication of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Publication {
    pub(crate) stamp: String,
    /// When, seconds since 1970.
    pub(crate) at: u64,
    /// The number of its tree.
    pub(crate) tree: u64,
}

impl RepoState {
    /// What each channel publishes now.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (&String, &Publication)> {
        let lists = self.published.iter();
        lists.filter_map(|(channel, list)| Some((channel, list.last()?)))
    }

    /// The newest snapshot that `current` ever published, if it publishes an older one now.
    pub(crate) fn rolled_back_from(&self, current: &str) -> Option<&str> {
        let shown = self.current(current)?;
        let newest = self.newest_shown.as_str();
        (newest > shown.stamp.as_str()).then_some(newest)
    }

    /// Notes how a run ended, and what was wrong.
    pub(crate) fn ended(&mut self, outcome: &str, error: Option<String>, now: u64) {
        self.last_try = now;
        outcome.clone_into(&mut self.outcome);
        self.error = error;
        self.failed_since = match (self.error.is_some(), self.failed_since) {
            (false, _) => 0,
            (true, 0) => now,
            (true, since) => since,
        };
    }

    /// The snapshot that a channel publishes now.
    pub(crate) fn current(&self, channel: &str) -> Option<&Publication> {
        self.published.get(channel)?.last()
    }
}

/// Reads what is remembered; nothing yet is the default. It is missing where something was published: then it was lost.
pub(crate) fn read_state(layout: &Layout, id: &str) -> Result<RepoState> {
    let path = layout.state_file(id);
    let state = match layout::read_json(&path) {
        Ok(None) if is_published(layout, id)? => Err(Error::Damaged {
            path,
            why: "it is missing".to_owned(),
            way: String::new(),
        }),
        other => other,
    };
    let again = |error: Error| error.way_out(format!("`mirror-sync verify {id}` makes it again"));
    Ok(state.map_err(again)?.unwrap_or_default())
}

/// Whether there are snapshots of a repository, or a tree of it that clients may see.
fn is_published(layout: &Layout, id: &str) -> Result<bool> {
    let live = layout.public().join(".live");
    let mut channels = layout::names_in(&live)?.into_iter();
    Ok(!stamps(layout, id)?.is_empty() || channels.any(|one| live.join(one).join(id).is_dir()))
}

pub(crate) fn write_state(layout: &Layout, id: &str, state: &RepoState) -> Result<()> {
    layout.write_json(&layout.state_file(id), state)
}

/// Reads a manifest.
pub(crate) fn read(layout: &Layout, id: &str, stamp: &str) -> Result<Manifest> {
    let path = layout.manifest(id, stamp);
    let forget = |error: Error| {
        let what = format!(
            "`rm {}` forgets this snapshot, and what is published stays",
            path.display()
        );
        error.way_out(what)
    };
    let manifest: Option<Manifest> = layout::read_json(&path).map_err(forget)?;
    let manifest = manifest.ok_or_else(|| {
        Error::NotFound(format!(
            "repository {id} has no snapshot {stamp}: see `mirror-sync snapshot list {id}`"
        ))
    })?;
    if manifest.format != FORMAT {
        return Err(Error::NotFound(format!(
            "{}: written by a newer mirror-sync (format {})",
            path.display(),
            manifest.format
        )));
    }
    Ok(manifest)
}

/// The names of all snapshots of a repository, oldest first.
pub(crate) fn stamps(layout: &Layout, id: &str) -> Result<Vec<String>> {
    let names = layout::names_in(&layout.manifests(id))?;
    Ok(names
        .iter()
        .filter_map(|name| name.strip_suffix(".json"))
        .filter(|stamp| !stamp.starts_with('.'))
        .map(str::to_owned)
        .collect())
}

/// A point in time as a snapshot's name.
pub(crate) fn stamp(seconds: u64) -> String {
    written(seconds, "%Y%m%dT%H%M%SZ")
}

/// A point in time for people and programs, in one word that also names a snapshot: `2026-11-28T23:53Z`.
pub(crate) fn minute(seconds: u64) -> String {
    written(seconds, "%Y-%m-%dT%H:%MZ")
}

/// When a snapshot was made, by its name, as [`minute`].
pub(crate) fn minute_of(stamp: &str) -> String {
    seconds(stamp).map_or_else(|| stamp.to_owned(), minute)
}

/// When a snapshot was made, by its name: seconds since 1970.
pub(crate) fn seconds(stamp: &str) -> Option<u64> {
    let time = chrono::NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%M%SZ").ok()?;
    u64::try_from(time.and_utc().timestamp()).ok()
}

/// A point in time for people.
pub(crate) fn date(seconds: u64) -> String {
    written(seconds, "%Y-%m-%d %H:%M UTC")
}

/// A point in time as RFC 3339 has it.
pub(crate) fn date_time(seconds: u64) -> String {
    written(seconds, "%Y-%m-%dT%H:%M:%SZ")
}

fn written(seconds: u64, form: &str) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(0);
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    time.format(form).to_string()
}

/// The last second that a date means: `2026-11-20` is all of that day, `2026-11-20T03:00Z` that
/// minute; a stamp is itself.
pub(crate) fn date_end(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let plain = text
        .chars()
        .all(|c| c.is_ascii_digit() || "-:TZ".contains(c));
    if !plain {
        return None;
    }
    let filled = match digits.len() {
        8 => format!("{digits}235959"),
        12 => format!("{digits}59"),
        14 => digits,
        _ => return None,
    };
    chrono::NaiveDateTime::parse_from_str(&filled, "%Y%m%d%H%M%S").ok()?;
    let (day, time) = filled.split_at_checked(8)?;
    Some(format!("{day}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_name_snapshots() {
        assert_eq!(stamp(0), "19700101T000000Z");
        assert_eq!(date_end("2026-11-20").as_deref(), Some("20261120T235959Z"));
        assert_eq!(
            date_end("2026-11-20T03:00Z").as_deref(),
            Some("20261120T030059Z")
        );
        assert_eq!(
            date_end("20261120T030001Z").as_deref(),
            Some("20261120T030001Z")
        );
        for wrong in [
            "",
            "yesterday",
            "2026",
            "../../etc",
            "20261120T0300011",
            "2026-99-99",
        ] {
            assert_eq!(date_end(wrong), None, "{wrong}");
        }
    }
}
