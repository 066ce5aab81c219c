//! What can go wrong in this crate.

use std::path::{Path, PathBuf};

/// One variant per situation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SolvError {
    /// An id that this pool never gave out.
    #[error("no such package in the pool: id {0}")]
    NoSuchSolvable(u32),
    /// A repository id that this pool never gave out.
    #[error("no such repository in the pool: id {0}")]
    NoSuchRepo(u32),
    /// The search for an answer took longer than it may ([`SolverOptions::limit`](crate::SolverOptions)).
    #[error("no answer within {} seconds: the dependencies are too tangled", .0.as_secs())]
    TooLong(std::time::Duration),
    /// So many packages conflict with the same, obsolete it or share a name that the rules of the search pass every measure.
    #[error(
        "more conflicts than can be looked at: too many packages of repository {repo} conflict with {capability}, obsolete it or are called so"
    )]
    TooManyRules {
        /// What most of them are about.
        capability: String,
        /// The repository of the first of these packages.
        repo: String,
    },
    /// A name or argument holds a NUL byte.
    #[error("{0:?} holds a NUL byte")]
    Nul(String),
    /// More packages, dependencies or text than the pool can number.
    #[error("repository {repo} is too large: more than {limit} {what}")]
    TooLarge {
        /// Repository name.
        repo: String,
        /// What there is too much of.
        what: &'static str,
        /// The limit that was passed.
        limit: u64,
    },
    /// The cache file was written for other metadata, by another version, or is damaged.
    #[error("cache {path} cannot be used: {why}")]
    CacheUnusable {
        /// The cache file.
        path: PathBuf,
        /// What does not fit.
        why: &'static str,
    },
    /// The cache file could not be read or written.
    #[error("cache {path}: {source}")]
    Io {
        /// The cache file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A dependency that does not follow rpm's grammar.
    #[error("{0:?} is not a dependency")]
    BadDependency(String),
}

impl SolvError {
    /// Whether a search was given up at one of its limits: the pool can be asked further.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        matches!(self, Self::TooLong(_) | Self::TooManyRules { .. })
    }

    /// libsolv gave null where it promises an object.
    pub(crate) fn memory() -> Self {
        Self::TooLarge {
            repo: String::new(),
            what: "memory",
            limit: 0,
        }
    }

    /// For `map_err`: the cache file at `path` could not be read or written.
    pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self + Copy + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
