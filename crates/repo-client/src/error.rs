//! What can go wrong, each with its URL, path or repository.

use std::fmt;
use std::io;
use std::path::PathBuf;

mod cause;

use cause::{CODE_CHECKSUM, CODE_METALINK_CHECKSUM, CODE_SIZE};
pub use cause::{CODE_CURL_BASE, CODE_HTTP_STATUS, Cause, SignatureFault, TlsFault};
pub(crate) use cause::{LOGIN_WANTED, NO_LOGIN, PROXY, UNREACHED};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of this crate. All text is free of credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be had from any of its URLs.
    #[error("{label}: {}", list_failures(failures))]
    Transfer {
        /// What was fetched.
        label: String,
        /// What each URL answered, in the order tried; the last word of each URL only.
        failures: Vec<Failure>,
    },
    /// A repository has no baseurl, mirrorlist or metalink, or its list is empty.
    #[error("repository {repo}: no URL: set baseurl, mirrorlist or metalink")]
    NoUrl {
        /// Repository id.
        repo: String,
    },
    /// Text that should be a URL is not one, or its scheme is not http, https or file.
    #[error("{}{why}", if url.is_empty() { String::new() } else { format!("{url}: ") })]
    BadUrl {
        /// Redacted URL.
        url: String,
        /// Why.
        why: String,
    },
    /// A file name from outside would leave its folder.
    #[error("{name}: not a path below {}: {why}", root.display())]
    UnsafePath {
        /// The name as given.
        name: String,
        /// The folder it had to stay in.
        root: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file or folder of ours could not be read or written.
    #[error("{}: cannot {what}: {source}", path.display())]
    Io {
        /// Path.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// A registry does not have a function.
    #[error("{server}: the registry does not offer {what}")]
    NotOffered {
        /// `HOST/NAME`.
        server: String,
        /// What was wanted.
        what: &'static str,
    },
    /// Only the cache may be used, and it does not hold what is needed.
    #[error("repository {repo}: {what} is not in the cache {}", path.display())]
    NotCached {
        /// Repository id.
        repo: String,
        /// What is missing or damaged.
        what: String,
        /// Cache folder.
        path: PathBuf,
    },
    /// The file system cannot hold what is to be fetched.
    #[error("{}: not enough space: {needed} bytes needed, {free} free", path.display())]
    NoSpace {
        /// Folder.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free for this user.
        free: u64,
    },
    /// An object was not written: somebody else has written it meanwhile.
    #[error("{url}: it was changed by somebody else meanwhile; nothing was written")]
    Conflict {
        /// Redacted URL.
        url: String,
    },
    /// An object was not written: its server does not write on a condition.
    #[error("{url}: its server cannot write on a condition; nothing was written")]
    NotConditional {
        /// Redacted URL.
        url: String,
    },
    /// The servers of a repository were not asked.
    #[error("{}", .0.why)]
    Spared(Spared),
    /// The network side could not be started.
    #[error("cannot start the network client: {0}")]
    Setup(String),
    /// Another process fetches the same file.
    #[error("{}: another process is using it", path.display())]
    Busy {
        /// Where the file would go.
        path: PathBuf,
    },
    /// The consumer of the finished files refused one: the run ends.
    #[error("{0}")]
    Sink(Box<dyn std::error::Error + Send + Sync>),
    /// The caller asked to stop; what is there is kept for the next run.
    #[error("stopped")]
    Stopped,
    /// The transfer came to a state that cannot be: a fault of this program.
    #[error("fault in the transfer: {0}")]
    Fault(&'static str),
}

/// Why servers are not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spared {
    /// tdnf's number of the error that an earlier run met.
    pub code: u32,
    /// One line.
    pub why: String,
}

/// One URL and why it could not give the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Redacted URL.
    pub url: String,
    /// Why.
    pub cause: Cause,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, self.cause)
    }
}

/// A line on a server that failed, with the one that goes on.
#[must_use]
pub fn going_on(line: &str, next: Option<&str>) -> String {
    match next {
        Some(next) => format!("{line}; going on with {}", server_name(next)),
        None => line.to_owned(),
    }
}

/// The server of a URL as people name it: host, and port where it is not that of the scheme; of `file:` and of what is no
/// URL the text as it is.
#[must_use]
pub fn server_name(url: &str) -> String {
    let parsed = reqwest::Url::parse(url).ok();
    let named = parsed
        .as_ref()
        .and_then(|url| Some((url.host_str()?, url.port())));
    match named {
        Some((host, Some(port))) => format!("{host}:{port}"),
        Some((host, None)) => host.to_owned(),
        None => url.to_owned(),
    }
}

/// The name of an enum's variant.
pub(crate) fn variant(of: &impl fmt::Debug) -> String {
    let text = format!("{of:?}");
    let end = text.find(|c: char| !c.is_ascii_alphanumeric());
    text.get(..end.unwrap_or(text.len()))
        .unwrap_or_default()
        .to_owned()
}

fn list_failures(failures: &[Failure]) -> String {
    match failures {
        [] => "no mirror left".to_owned(),
        [one] => one.to_string(),
        many => {
            let list: Vec<String> = many.iter().map(Failure::to_string).collect();
            format!("all {} mirrors failed: {}", many.len(), list.join("; "))
        }
    }
}

impl Error {
    /// What each URL answered; empty unless this is [`Error::Transfer`].
    pub fn failures(&self) -> &[Failure] {
        match self {
            Self::Transfer { failures, .. } => failures,
            _ => &[],
        }
    }

    /// Whether a file or folder of ours is at fault, and no server: it has no room, or may not be written.
    pub fn is_of_our_disk(&self) -> bool {
        use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match self {
            Self::NoSpace { .. } => true,
            Self::Io { source, .. } => matches!(
                source.kind(),
                PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull
            ),
            _ => false,
        }
    }

    /// tdnf's error number of the first failure that has one (see [`Cause::tdnf_code`]); 2501 for the digest of
    /// an index.
    pub fn tdnf_code(&self) -> Option<u32> {
        match self {
            Self::BadUrl { .. } => Some(CODE_CURL_BASE + 3),
            Self::NoSpace { .. } => Some(1036),
            Self::Spared(spared) => Some(spared.code),
            Self::Transfer { label, failures } => {
                let mut codes = failures.iter().map(|failure| failure.cause.tdnf_code());
                // The digest of an index stands in a metalink, that of anything else in the index.
                let is_index = label.ends_with(": repomd.xml");
                let of_index = |code| match code {
                    CODE_CHECKSUM | CODE_SIZE if is_index => CODE_METALINK_CHECKSUM,
                    other => other,
                };
                codes.find_map(|code| code).map(of_index)
            }
            _ => None,
        }
    }

    /// Of a file that one URL alone could have given.
    pub(crate) fn at(label: String, url: String, cause: Cause) -> Self {
        let failures = vec![Failure { url, cause }];
        Self::Transfer { label, failures }
    }

    pub(crate) fn io(path: impl Into<PathBuf>, what: &'static str, source: io::Error) -> Self {
        Self::Io {
            path: path.into(),
            what,
            source,
        }
    }
}
