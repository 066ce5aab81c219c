//! `reposync --delete`: package files that the repository does not have.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use cli_kit::Printer;

use crate::error::{At, Outcome};
use crate::session::files_below;

/// Removes every `.rpm` file below `folder` whose path is not one of `keep`, and says so. Links
/// are left alone, and what they lead to is not looked at. Returns the removed paths.
pub(super) fn remove(printer: &Printer, folder: &Path, keep: &[&str]) -> Outcome<Vec<String>> {
    let keep: BTreeSet<PathBuf> = keep.iter().map(|location| folder.join(location)).collect();
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let plain = |entry: &DirEntry| {
        let kind = entry.file_type();
        kind.is_ok_and(|kind| kind.is_dir() || kind.is_file())
    };
    let mut removed = Vec::new();
    for path in files_below(folder, &plain)? {
        if !keep.contains(&path) {
            printer.info(&format!("deleting {}", path.display()));
            fs::remove_file(&path).at(&path)?;
            removed.push(path.display().to_string());
        }
    }
    Ok(removed)
}
