//! The one error type of this crate.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Where a value was written: a file and a line, or a name such as `--setopt`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    file: Arc<Path>,
    line: u32,
}

impl Place {
    /// A line of a file; lines count from 1.
    pub fn line(file: &Arc<Path>, line: u32) -> Place {
        Place {
            file: Arc::clone(file),
            line,
        }
    }

    /// A place that is no file, such as a command line option.
    pub fn named(name: &str) -> Place {
        Place {
            file: Arc::from(Path::new(name)),
            line: 0,
        }
    }

    /// The file, or the name given to [`Place::named`].
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line, from 1; 0 if the place is no file.
    pub fn line_number(&self) -> u32 {
        self.line
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}", self.file.display())
        } else {
            write!(f, "{}:{}", self.file.display(), self.line)
        }
    }
}

/// Everything that can be wrong with a repository description.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A configuration file is larger than its limit.
    #[error("{path} is larger than {limit} bytes", path = path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A line of a configuration file that cannot be used, whatever its key, or a variable's value.
    #[error("{place}: {what}")]
    Config {
        /// File and line.
        place: Place,
        /// What is wrong with it.
        what: String,
    },
    /// A value is not of the kind its key wants.
    #[error("{place}: {key} = {value}: expected {expected}")]
    BadValue {
        /// File and line.
        place: Place,
        /// The key.
        key: String,
        /// The value as written (cut to a printable length).
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// `metadata_expire` cannot be understood (tdnf error 1029).
    #[error(
        "{place}: metadata_expire = {value}: expected seconds, a number with s, m, h or d, or never"
    )]
    BadMetadataExpire {
        /// File and line.
        place: Place,
        /// The value as written.
        value: String,
    },
    /// Two sections have the same id (tdnf error 1037).
    #[error("duplicate repo id: {id} ({second}, first seen at {first}, which counts)")]
    DuplicateRepo {
        /// The id.
        id: String,
        /// The first section.
        first: Place,
        /// The second section.
        second: Place,
    },
    /// What is wrong with a section that somebody wants to use all the same.
    #[error("{0}")]
    Section(Arc<Error>),
    /// What is wrong with a `.repo` file as a whole.
    #[error("{0}; nothing of this file is used")]
    RepoFile(Arc<Error>),
    /// A location in metadata that may not be followed.
    #[error("refused location {href:?}: {why}")]
    BadHref {
        /// The location as written (cut to a printable length).
        href: String,
        /// Why it is refused.
        why: &'static str,
    },
    /// A document is not well-formed, too deep, too large or not what it should be.
    #[error("{document}: byte {position}: {what}")]
    Document {
        /// Name of the document: a path or URL given by the caller.
        document: String,
        /// Offset in the decompressed stream.
        position: u64,
        /// What is wrong.
        what: String,
    },
    /// A record of a document cannot be used; the document goes on behind it.
    #[error("{document}: byte {position}: {what}")]
    Record {
        /// Name of the document: a path or URL given by the caller.
        document: String,
        /// Offset in the decompressed stream.
        position: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A lock file that cannot be read or is not what it should be.
    #[error("{file}: {why}")]
    Lock {
        /// The file.
        file: String,
        /// Where and what is wrong.
        why: String,
    },
    /// The stream below a document failed: I/O, decompression or verification.
    #[error("{document}: {source}")]
    Stream {
        /// Name of the document: a path or URL given by the caller.
        document: String,
        /// What the stream said; may hold a [`crate::compress::StreamError`].
        source: io::Error,
    },
}

impl Error {
    /// For a line of a configuration file.
    pub(crate) fn config(place: &Place, what: impl Into<String>) -> Error {
        Error::Config {
            place: place.clone(),
            what: what.into(),
        }
    }

    /// For a document that was refused at a position.
    pub(crate) fn document(document: &str, position: u64, what: impl Into<String>) -> Error {
        Error::Document {
            document: document.to_owned(),
            position,
            what: what.into(),
        }
    }

    /// For `map_err` where a file or directory is read.
    pub(crate) fn read(path: &Path) -> impl Fn(io::Error) -> Error + Copy {
        |source| Error::Read {
            path: path.to_owned(),
            source,
        }
    }
}

/// Longest part of a foreign text that is repeated in an error.
const MAX_QUOTED: usize = 120;

/// A foreign text for an error message: control characters escaped, cut at [`MAX_QUOTED`].
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == MAX_QUOTED {
            out.push_str("...");
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
    }
    out
}
