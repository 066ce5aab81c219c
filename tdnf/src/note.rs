//! What a run is told about how its words were understood.

use std::fmt;
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
    /// The word names packages of repositories, and none that is installed.
    NotInstalled(String),
    /// Nothing below the installed version of this name is offered.
    NoDowngrade(String),
    /// No version of this package file is installed; it is left out.
    FileNotInstalled(String),
    /// This package is newer than what is installed and cannot come; the solver's reason.
    HeldBack(String, String),
    /// This wish cannot be fulfilled and is left out (`--skip-broken` and the like); the solver's reason.
    LeftOut(String, String),
    /// Nothing has this name; it is left out (`--skip-broken`).
    NotFound(String),
    /// No repository offers the installed version; it is left out (`--skip-broken`).
    NoSameVersion(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaseIgnored(word) => write!(f, "[ignoring case for '{word}']"),
            Self::FileMatch(word) => write!(f, "[using file list match for '{word}']"),
            Self::CapabilityMatch(word) => write!(f, "[using capability match for '{word}']"),
            Self::AlreadyInstalled(name) => write!(f, "Package {name} is already installed."),
            Self::NameExcluded(name) => write!(f, "all packages named {name} are excluded"),
            Self::AllExcluded(word) => write!(f, "all packages that {word} names are excluded"),
            Self::Excluded(word, file) => write!(
                f,
                "{word} is excluded (--exclude, or excludepkgs of {})",
                file.display()
            ),
            Self::NotInstalled(word) => write!(f, "{word} is not installed"),
            Self::NoDowngrade(name) => write!(f, "There is no downgrade path for {name}."),
            Self::FileNotInstalled(nevra) => {
                write!(
                    f,
                    "warning: {nevra}: not installed, so there is nothing to update"
                )
            }
            Self::HeldBack(nevra, why) if why.is_empty() => {
                write!(f, "warning: {nevra} is held back")
            }
            Self::HeldBack(nevra, why) => write!(f, "warning: {nevra} is held back: {why}"),
            Self::LeftOut(wish, why) => write!(f, "warning: {wish} is left out: {why}"),
            Self::NotFound(word) => write!(f, "{word} package not found or not installed"),
            Self::NoSameVersion(nevra) => {
                write!(f, "{nevra}: no enabled repository has this version")
            }
        }
    }
}
