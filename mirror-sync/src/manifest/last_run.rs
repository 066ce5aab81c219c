//! How the last run ended, where that can be written down although nothing else can: in a file that is written over in
//! place, whose bytes the disk has given before. A full disk, or a quota that is used up, keeps the state of a repository
//! from being written, and must not keep its failure from being known.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::layout::{self, Layout};

/// Bytes of the file.
const SIZE: usize = 64 << 10;
/// Most characters of an error that are kept.
const MAX_ERROR: usize = 400;
/// Most repositories of which an error is kept.
const MAX_FAILED: usize = 30;

/// How the last run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LastRun {
    /// When it began, seconds since 1970; 0 if none has.
    pub(crate) started: u64,
    pub(crate) exit_code: u8,
    /// No repository was looked at.
    pub(crate) is_aborted: bool,
    /// What ended all of it, or kept what it did from being told.
    pub(crate) error: Option<String>,
    /// The repositories that failed, and why.
    pub(crate) failed: BTreeMap<String, String>,
}

fn path(layout: &Layout) -> PathBuf {
    layout.root().join("last-run")
}

/// Reads it; nothing that can be used is none.
pub(crate) fn read(layout: &Layout) -> LastRun {
    let text = layout::read(&path(layout), SIZE as u64).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Writes it over the one before.
pub(crate) fn write(layout: &Layout, mut run: LastRun) -> Result<()> {
    let path = path(layout);
    let short = |text: &String| text.chars().take(MAX_ERROR).collect::<String>();
    run.error = run.error.as_ref().map(short);
    let failed = run.failed.iter().take(MAX_FAILED);
    run.failed = failed.map(|(id, why)| (id.clone(), short(why))).collect();
    let mut text = serde_json::to_vec(&run).map_err(|error| Error::unfit(&path, "write", error))?;
    if text.len() > SIZE {
        run.failed.clear();
        text = serde_json::to_vec(&run).map_err(|error| Error::unfit(&path, "write", error))?;
    }
    text.resize(SIZE, b' ');
    let there = whole_file::open_plain(&path, OFlags::RDWR).ok();
    let there = there.filter(|file| {
        file.metadata()
            .is_ok_and(|about| about.len() == SIZE as u64)
    });
    let written = match there {
        Some(file) => file.write_all_at(&text, 0).and_then(|()| file.sync_data()),
        // None yet, or something else that stands there.
        None => layout::new_file(&path)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_data())),
    };
    written.map_err(Error::file(&path, "write"))
}
