//! What a run is told about how its words were understood.

use std::fmt;
use std::path::{Path, PathBuf};

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
    /// Nothing newer than the installed package of this word is offered.
    NothingNewer(String),
    /// Nothing that is offered is newer than what is installed; the file that may leave packages out
    /// where some are left out.
    AllNewest(Option<PathBuf>),
    /// Nothing that is offered is older than what is installed.
    AllOldest,
    /// A section of a `.repo` file leaves this package out: in words, with its place.
    LeftOutOfRepo(String),
    /// The installed package stays instead of the other one, which is offered, because this file locks it.
    Locked(String, String, PathBuf),
    /// What is installed is what the repositories offer; the file as with `AllNewest`.
    InStep(Option<PathBuf>),
    /// What the source packages need to be built is installed.
    BuildDepsThere,
    /// Nothing is installed that nothing needs.
    AllNeeded,
    /// Dependencies of what goes that nothing needs afterwards.
    LeftOver(Vec<String>),
    /// Nothing has this name; it is left out (`--skip-broken`).
    NotFound(String),
    /// Nothing has this name, and none of the repositories could be read, which has been said.
    NoneRead(String),
    /// No repository offers the installed version; it is left out (`--skip-broken`).
    NoSameVersion(String),
}

/// What is said where an update of everything finds nothing.
const NONE_NEWER: &str = "nothing newer than what is installed is offered";
/// What is said where a sync of everything finds nothing.
const IN_STEP: &str = "what is installed is what the repositories offer";

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
            Self::NothingNewer(nevra) => {
                write!(f, "{nevra} is installed, and nothing newer is offered")
            }
            Self::AllNewest(excludes) => all_but(f, NONE_NEWER, excludes.as_deref()),
            Self::AllOldest => f.write_str("nothing older than what is installed is offered"),
            Self::LeftOutOfRepo(line) => f.write_str(line),
            Self::Locked(installed, other, file) => write!(
                f,
                "{installed} is locked by {}: {other} is offered and does not come",
                file.display()
            ),
            Self::InStep(excludes) => all_but(f, IN_STEP, excludes.as_deref()),
            Self::BuildDepsThere => f.write_str("what it takes to build this is installed"),
            Self::AllNeeded => {
                f.write_str("every installed package was asked for or is needed by another one")
            }
            Self::LeftOver(names) => write!(
                f,
                "nothing needs these any more: {} (`tdnf autoremove` removes them)",
                names.join(", ")
            ),
            Self::NotFound(word) => write!(f, "{word} package not found or not installed"),
            Self::NoneRead(word) => {
                write!(
                    f,
                    "{word}: not installed, and the repositories could not be read"
                )
            }
            Self::NoSameVersion(nevra) => {
                write!(f, "{nevra}: no enabled repository has this version")
            }
        }
    }
}

/// A line, and that it is not about what is excluded.
fn all_but(f: &mut fmt::Formatter<'_>, line: &str, excludes: Option<&Path>) -> fmt::Result {
    f.write_str(line)?;
    match excludes {
        None => Ok(()),
        Some(file) => write!(
            f,
            ", apart from what is excluded (--exclude, or excludepkgs of {})",
            file.display()
        ),
    }
}
