//! What the last run left to know: which files it saw in which state, with which options.
//!
//! A text file beside the lock. It only ever saves work: without it, or when the repository was
//! copied to another place or changed by another program, files are compared by size and
//! modification time with what primary says, as createrepo does it. With it a change that kept both
//! is seen too, by the time of change and the inode.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use whole_file::Stamp;

use crate::scan::PackageFile;

/// The first line; another number is another format and is not read.
const HEAD: &str = "repo-tools state 1";

/// The state of a finished run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FinishedRun {
    /// SHA-256 of the repomd.xml that the run published.
    pub repomd: String,
    /// Everything but the tree that decides what metadata look like, in one line.
    pub options: String,
    /// Device and inode of the directory of packages.
    pub place: (u64, u64),
    /// Files of older repodata that are still there, youngest generation first.
    pub generations: Vec<Vec<String>>,
    /// One line per package: see [`line`].
    pub packages: String,
}

/// A package's line: stamp, location.
pub fn line(found: &PackageFile, out: &mut String) {
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{} {}", found.stamp, found.location);
}

/// Device and inode of a directory.
pub fn place(dir: &Path) -> (u64, u64) {
    fs::metadata(dir).map_or((0, 0), |meta| (meta.dev(), meta.ino()))
}

impl FinishedRun {
    /// Reads the state; none if there is none that can be used.
    pub fn read(path: &Path) -> Option<FinishedRun> {
        let text = fs::read_to_string(path).ok()?;
        let mut state = FinishedRun::default();
        let mut rest = text.strip_prefix(HEAD)?.strip_prefix('\n')?;
        loop {
            let (line, after) = rest.split_once('\n')?;
            rest = after;
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            match key {
                "repomd" => state.repomd = value.to_owned(),
                "options" => state.options = value.to_owned(),
                "place" => {
                    let (device, inode) = value.split_once(' ')?;
                    state.place = (device.parse().ok()?, inode.parse().ok()?);
                }
                "old" => {
                    let names = value.split(' ').filter(|name| !name.is_empty());
                    state.generations.push(names.map(str::to_owned).collect());
                }
                "packages" => break,
                _ => return None,
            }
        }
        state.packages = rest.to_owned();
        Some(state)
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!(
            "{HEAD}\nrepomd {}\noptions {}\nplace {} {}\n",
            self.repomd, self.options, self.place.0, self.place.1
        );
        for names in &self.generations {
            out.push_str("old ");
            out.push_str(&names.join(" "));
            out.push('\n');
        }
        out.push_str("packages\n");
        out.push_str(&self.packages);
        out.into_bytes()
    }

    /// The files by location.
    pub fn stamps(&self) -> HashMap<&str, Stamp> {
        let lines = self.packages.lines().filter_map(Stamp::read);
        lines.map(|(stamp, location)| (location, stamp)).collect()
    }
}
