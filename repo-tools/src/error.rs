//! What can go wrong, one variant per situation.

use std::io;
use std::path::PathBuf;

use cli_kit::counted;
use rpm_pkg::PackageError;

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that ends a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be used.
    #[error("{path}: cannot {what}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Another run works on the same repository.
    #[error("{path}: another repo-tools is working on this repository", path = .0.display())]
    Busy(PathBuf),
    /// createrepo_c works on the same repository, or was killed there.
    #[error("{path} exists: createrepo_c is working on this repository, or was killed (`--ignore-lock` removes it)", path = .0.display())]
    BusyElsewhere(PathBuf),
    /// `repodata` is a symbolic link, which cannot be exchanged as one.
    #[error("{path} is a symbolic link: give the directory it points to with --outputdir", path = .0.display())]
    LinkedRepodata(PathBuf),
    /// Somebody exchanged the directory in the making, or what took the place of `repodata`.
    #[error("{path} was exchanged by somebody while this ran: run this again", path = .0.display())]
    Exchanged(PathBuf),
    /// No repository where one is needed.
    #[error("{path} holds no repodata/repomd.xml", path = .0.display())]
    NoRepository(PathBuf),
    /// A repository without a record that is needed.
    #[error("{path}: repomd.xml has no record of the type {kind}", path = path.display())]
    NoRecord {
        /// The repository.
        path: PathBuf,
        /// The record.
        kind: String,
    },
    /// Metadata cannot be read.
    #[error(transparent)]
    Metadata(#[from] rpm_repo::Error),
    /// A database for yum cannot be written.
    #[error("{path}: cannot write the database: {source}", path = path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What sqlite said.
        source: rusqlite::Error,
    },
    /// Existing metadata disagree with themselves.
    #[error("{path}: {what}", path = path.display())]
    Damaged {
        /// The repository.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// A package cannot be used.
    #[error("{path}: {fault}", path = path.display())]
    Package {
        /// The package file.
        path: PathBuf,
        /// Why not.
        fault: PackageFault,
    },
    /// An option or argument that cannot be used.
    #[error("{0}")]
    Usage(String),
    /// Some packages could not be used; each was named before.
    #[error("{bad} of {} could not be used; {then}", counted(*all as u64, "package"))]
    BadPackages {
        /// Packages that were named.
        bad: usize,
        /// All packages.
        all: usize,
        /// What became of the repository.
        then: &'static str,
    },
    /// A check found problems; each was named before.
    #[error("{}", counted(*.0 as u64, "problem"))]
    Problems(usize),
    /// A thread of our own ended early.
    #[error("a worker thread ended early")]
    Thread,
    /// Signing failed.
    #[cfg(feature = "sign")]
    #[error(transparent)]
    Sign(#[from] rpm_trust::TrustError),
}

/// Why a package file is not indexed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageFault {
    /// The headers were refused.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Its new signature header could not be made.
    #[error(transparent)]
    Write(#[from] rpm_pkg::header::WriteError),
    /// The file could not be read.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// The file ends before its package does.
    #[error("package is cut short: {found} of {expected} bytes")]
    Truncated {
        /// Bytes that the signature header announces.
        expected: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// The file changed between the beginning and the end of reading it.
    #[error("package changed while it was read")]
    Changed,
    /// What the headers say cannot stand in metadata: no client would take it.
    #[error("metadata cannot have it: {0}")]
    Record(&'static str),
    /// The name cannot stand in metadata.
    #[error("its path cannot be a location: {0}")]
    Location(&'static str),
}

impl Error {
    /// For `map_err` on system calls.
    pub(crate) fn file(
        path: impl Into<PathBuf>,
        what: &'static str,
    ) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::File {
            path,
            what,
            source: cli_kit::plain(source),
        }
    }

    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) => 2,
            _ => 1,
        }
    }
}
