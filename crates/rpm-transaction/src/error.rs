//! What can stop a transaction.

use std::io;
use std::path::PathBuf;

/// [`TransactionError::File`]: a file or directory could not be given its owner.
pub const OWNER_FAILED: &str = "cannot set the owner of";
/// [`TransactionError::File`]: a link, pipe, device or socket could not be made.
pub const DEVICE_FAILED: &str = "cannot make";

/// Why a transaction did not happen. Unless a variant says otherwise, the system is as it was
/// before: every change was undone or none was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// A transaction of an earlier run was interrupted; it must be recovered first.
    #[error("an interrupted transaction is waiting in {journal}: it must be recovered first")]
    RecoveryPending {
        /// The journal, as a path in the root.
        journal: String,
    },
    /// The install root cannot be opened.
    #[error("cannot open the install root {path}: {source}")]
    Root {
        /// The root as it was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A package file cannot be read or is not a proper package.
    #[error("{package}: {reason}")]
    Package {
        /// The file or NEVRA.
        package: String,
        /// What is wrong.
        reason: String,
    },
    /// The checks before the first change found problems: all of them.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
    /// A step on the file system failed.
    #[error("{action} {path}: {source}")]
    File {
        /// What was tried ("cannot create", ...).
        action: &'static str,
        /// The path in the root.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The payload of a package differs from what its header promises.
    #[error("{package}: {path}: content does not match the digest in the package header")]
    FileDigest {
        /// NEVRA of the package.
        package: String,
        /// The path in the root.
        path: String,
    },
    /// The payload of a package cannot be unpacked.
    #[error("{package}: payload: {reason}")]
    Payload {
        /// NEVRA of the package.
        package: String,
        /// What is wrong.
        reason: String,
    },
    /// A scriptlet whose failure stops the transaction failed.
    #[error("{package}: {script} scriptlet failed, {status}")]
    Scriptlet {
        /// NEVRA of the package.
        package: String,
        /// "%pre" and so on.
        script: String,
        /// "exit status 7", "signal 9".
        status: String,
    },
    /// The rpm database refused a step.
    #[error("rpm database: {0}")]
    Database(#[from] rpm_db::DbError),
    /// The journal cannot be written or read.
    #[error("transaction journal {path}: {reason}")]
    Journal {
        /// The journal, as a path in the root.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The user or a signal asked to stop, before the commit point.
    #[error("stopped on request: the system is as it was before")]
    Cancelled,
    /// The new system is complete and recorded; what comes after the commit point failed. The
    /// journal is kept if it could be, and the next start goes on.
    #[error("everything was installed, but a later step failed: {cause}")]
    AfterCommit {
        /// What failed.
        cause: Box<TransactionError>,
    },
    /// Undoing failed after an error: the journal is kept, and the next start tries again; where the database holds the
    /// change after all (its commit was answered with an error, and is there), it completes the change instead.
    #[error("{cause}; undoing failed too: {undo}; the next start undoes or completes it")]
    UndoFailed {
        /// What stopped the transaction.
        cause: Box<TransactionError>,
        /// What stopped the undoing.
        undo: Box<TransactionError>,
    },
}

impl TransactionError {
    /// An error of the file system at `path` (a path in the root).
    pub(crate) fn file(
        action: &'static str,
        path: &[u8],
        source: impl Into<io::Error>,
    ) -> TransactionError {
        TransactionError::File {
            action,
            path: printable(path),
            source: source.into(),
        }
    }
}

/// One finding of the checks that run before the first change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Two packages bring different content for one path.
    #[error("{}", conflict(path, package, other, *installed))]
    FileConflict {
        /// The path in the root.
        path: String,
        /// NEVRA of the package to be installed.
        package: String,
        /// NEVRA of the other package.
        other: String,
        /// The other one is installed already (and stays); otherwise it is in this transaction.
        installed: bool,
    },
    /// A directory would have to become something else, or the reverse.
    #[error("{path} is a {present} but {package} brings a {wanted} there")]
    TypeConflict {
        /// The path in the root.
        path: String,
        /// NEVRA of the package to be installed.
        package: String,
        /// What is on the disk ("directory", "symbolic link to a directory").
        present: &'static str,
        /// What the package brings.
        wanted: &'static str,
    },
    /// A %pretrans needs something that is not installed yet.
    #[error("{dep} is needed by {package}")]
    NeededBefore {
        /// What it needs.
        dep: String,
        /// NEVRA of the package.
        package: String,
    },
    /// This very package is installed already.
    #[error("{package} is already installed")]
    AlreadyInstalled {
        /// NEVRA.
        package: String,
    },
    /// The package is for another architecture or operating system.
    #[error("{package} is for a different architecture")]
    Architecture {
        /// NEVRA.
        package: String,
    },
    /// The package cannot be installed by this tool (source package, relocation, old format).
    #[error("{package}: {reason}")]
    Unsupported {
        /// NEVRA.
        package: String,
        /// Why.
        reason: String,
    },
    /// A file system has too little room.
    #[error(
        "not enough space on the file system of {mount}: {needed} bytes needed, {available} available"
    )]
    DiskSpace {
        /// Where it is mounted, as a path in the root.
        mount: String,
        /// Bytes needed, with rpm's margin of five per cent.
        needed: u64,
        /// Bytes available.
        available: u64,
    },
    /// A file system has too few inodes.
    #[error(
        "not enough inodes on the file system of {mount}: {needed} needed, {available} available"
    )]
    Inodes {
        /// Where it is mounted, as a path in the root.
        mount: String,
        /// Inodes needed.
        needed: u64,
        /// Inodes available.
        available: u64,
    },
    /// A file system that must change is mounted read-only, or may not be written by this user.
    #[error("cannot write to {path} for {package}: {reason}")]
    NotWritable {
        /// The directory, as a path in the root.
        path: String,
        /// NEVRA of a package that needs it.
        package: String,
        /// "read-only file system" or "permission denied".
        reason: String,
    },
}

fn conflict(path: &str, package: &str, other: &str, installed: bool) -> String {
    match installed {
        true => format!("file {path} from {package} conflicts with file from installed {other}"),
        false => {
            format!("file {path} conflicts between attempted installs of {package} and {other}")
        }
    }
}

/// All problems, one per line.
fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// A path for people: bytes that are not UTF-8 are replaced, control characters escaped.
pub(crate) fn printable(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    if text.chars().any(char::is_control) {
        text.escape_debug().to_string()
    } else {
        text.into()
    }
}
