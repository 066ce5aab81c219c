//! What can go wrong while the catalog is built.

use std::path::PathBuf;

/// One variant per situation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// A repository's metadata has no `primary` part on disk.
    #[error("repository {repo}: there is no primary metadata in its cache")]
    NoPrimary {
        /// Repository id.
        repo: String,
    },
    /// A part could not be opened or decompressed.
    #[error("repository {repo}: {path}: {source}")]
    Part {
        /// Repository id.
        repo: String,
        /// The part's file.
        path: PathBuf,
        /// What the system or the decompressor said.
        source: std::io::Error,
    },
    /// A part is not what it should be.
    #[error("repository {repo}: {source}")]
    Metadata {
        /// Repository id.
        repo: String,
        /// What the parser said.
        source: rpm_repo::Error,
    },
    /// The rpm database could not be read.
    #[error(transparent)]
    Database(#[from] rpm_db::DbError),
    /// The pool refused something.
    #[error(transparent)]
    Solv(#[from] rpm_solv::SolvError),
    /// A package header lacks what every package has.
    #[error("package {what} has no name, version or architecture")]
    NotAPackage {
        /// File or database number.
        what: String,
    },
    /// No file for the cache could be made, not even in memory.
    #[error("cannot store the cache of {what}: {source}")]
    NoCache {
        /// Repository id or `installed packages`.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl CatalogError {
    /// The repository whose metadata is at fault.
    pub fn repo(&self) -> Option<&str> {
        match self {
            Self::NoPrimary { repo } | Self::Part { repo, .. } | Self::Metadata { repo, .. } => {
                Some(repo)
            }
            _ => None,
        }
    }
}
