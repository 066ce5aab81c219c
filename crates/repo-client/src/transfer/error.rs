//! Why a transfer ended without its file.

use std::io;
use std::path::PathBuf;

use crate::Failure;

/// An error of a transfer. All text is free of credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No source gave the file; each with its last word.
    #[error("{id}: {}", list(failures))]
    Sources {
        /// [`super::Wanted::id`].
        id: String,
        /// Redacted URL and cause, in the order of the sources.
        failures: Vec<Failure>,
    },
    /// The network side could not be started, or a URL is none.
    #[error(transparent)]
    Client(#[from] crate::Error),
    /// A file of ours could not be read or written.
    #[error("{}: cannot {what}: {source}", path.display())]
    Io {
        /// Path.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// Another process fetches the same file.
    #[error("{}: another process is at it", path.display())]
    Busy {
        /// Its part.
        path: PathBuf,
    },
    /// Whoever takes the finished files refused one: the run ends.
    #[error("{0}")]
    Sink(Box<dyn std::error::Error + Send + Sync>),
    /// The caller asked to stop; what is there is kept for the next run.
    #[error("stopped")]
    Stopped,
}

/// Result of a transfer.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>, what: &'static str, source: io::Error) -> Self {
        let path = path.into();
        Self::Io { path, what, source }
    }
}

fn list(failures: &[Failure]) -> String {
    match failures {
        [] => "no source is left".to_owned(),
        [one] => one.to_string(),
        many => {
            let words: Vec<String> = many.iter().map(Failure::to_string).collect();
            format!("all {} sources failed: {}", many.len(), words.join("; "))
        }
    }
}
