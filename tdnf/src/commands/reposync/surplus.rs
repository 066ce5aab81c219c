//! `reposync --delete`: package files that the repository does not have.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cli_kit::Printer;

use crate::error::{Failure, Outcome};

/// Deepest folder that is looked into.
const MAX_DEPTH: usize = 32;

/// Removes every `.rpm` file below `folder` whose path is not one of `keep`, and says so. Links
/// are left alone, and what they lead to is not looked at. Returns the removed paths.
pub(super) fn remove(printer: &Printer, folder: &Path, keep: &[&str]) -> Outcome<Vec<String>> {
    let keep: BTreeSet<PathBuf> = keep.iter().map(|location| folder.join(location)).collect();
    let mut surplus = Vec::new();
    if folder.is_dir() {
        collect(folder, MAX_DEPTH, &keep, &mut surplus)?;
    }
    surplus.sort();
    for path in &surplus {
        printer.info(&format!("deleting {}", path.display()));
        fs::remove_file(path).map_err(|error| Failure::io(path, &error))?;
    }
    Ok(surplus
        .iter()
        .map(|path| path.display().to_string())
        .collect())
}

fn collect(
    dir: &Path,
    depth: usize,
    keep: &BTreeSet<PathBuf>,
    surplus: &mut Vec<PathBuf>,
) -> Outcome<()> {
    let failed = |error: &std::io::Error| Failure::io(dir, error);
    for entry in fs::read_dir(dir).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        let kind = entry.file_type().map_err(|error| failed(&error))?;
        let path = entry.path();
        if kind.is_dir() && depth > 0 {
            collect(&path, depth - 1, keep, surplus)?;
        } else if kind.is_file()
            && path.extension().is_some_and(|ending| ending == "rpm")
            && !keep.contains(&path)
        {
            surplus.push(path);
        }
    }
    Ok(())
}
