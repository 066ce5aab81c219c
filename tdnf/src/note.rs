//! What a run is told about how its words were understood.

use std::path::PathBuf;

/// Something worth a word that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The word fits only if upper and lower case are the same.
    CaseIgnored(String),
    /// The word fits a path of a package.
    FileMatch(String),
    /// The word fits a capability, and no name.
    CapabilityMatch(String),
    /// There is nothing to do for a package of this name.
    AlreadyInstalled(String),
    /// A glob or relation fits this name, and all its packages are excluded.
    NameExcluded(String),
    /// All that the word names is excluded.
    AllExcluded(String),
    /// The word names packages that `--exclude`, or `excludepkgs` of the file, leaves out.
    Excluded(String, PathBuf),
    /// Nothing below the installed version of this name is offered.
    NoDowngrade(String),
    /// Nothing has this name; it is left out (`--skip-broken`).
    NotFound(String),
    /// No repository offers the installed version; it is left out (`--skip-broken`).
    NoSameVersion(String),
}

/// The line about a word that nothing has: in a [`Note`] and in the error.
pub fn not_found(word: &str) -> String {
    format!("{word} package not found or not installed")
}

/// The line about a package that cannot be reinstalled: in a [`Note`] and in the error.
pub fn no_same_version(nevra: &str) -> String {
    format!("{nevra}: no enabled repository has this version")
}
