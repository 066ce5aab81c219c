//! Why one URL could not give a file, and the number that tdnf has for it.

use rpm_trust::DetachedOutcome;

use super::{going_on, server_name, variant};

/// None of the ways to log in that were offered to a proxy is its.
pub(crate) const NO_LOGIN: &str = "no login is taken";
/// What is said of it where none was offered.
pub(crate) const LOGIN_WANTED: &str = "a login is wanted";
/// A SOCKS proxy has found no way to the server.
pub(crate) const UNREACHED: &str = "the proxy cannot reach the server";

/// What a cause begins with that is about the way to a proxy.
pub(crate) const PROXY: &str = "proxy ";

/// Why one URL could not give a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The host name has no address: why, and the name.
    #[error("{0}")]
    Dns(String),
    /// No connection.
    #[error("{0}")]
    Connect(String),
    /// The proxy refused or could not be reached.
    #[error("proxy: {0}")]
    Proxy(String),
    /// The proxy wants a login, or another one: asking again does not help.
    #[error("proxy: {0}")]
    ProxyLogin(String),
    /// The TLS handshake failed.
    #[error("TLS: {fault}{}", detail(.text))]
    Tls {
        /// What kind of fault.
        fault: TlsFault,
        /// Names, dates, files; empty if there is nothing more to say.
        text: String,
    },
    /// The configuration rules out what would have to be done, or cannot be followed.
    #[error("{0}")]
    Settings(String),
    /// An HTTP status that is no success.
    #[error("HTTP status {}{}", .0, status_words(*.0))]
    Status(u16),
    /// A status that a store of objects or a registry explains.
    #[error("{why}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What is refused by whom, and what to do.
        why: String,
    },
    /// No answer, or no byte, within the time limit.
    #[error("no answer within {0} seconds")]
    Timeout(u64),
    /// The transfer was slower than `minrate` for the whole time window.
    #[error("too slow: {got} bytes in {seconds} seconds")]
    TooSlow {
        /// Bytes that came in the window.
        got: u64,
        /// Length of the window in seconds.
        seconds: u64,
    },
    /// The connection broke, or the server does not speak HTTP.
    #[error("{0}")]
    Broken(String),
    /// The file ended early.
    #[error("file is cut short: {got} bytes of {expected}")]
    Truncated {
        /// Bytes that came.
        got: u64,
        /// Bytes expected.
        expected: u64,
    },
    /// More bytes than may be.
    #[error("file is larger than the limit of {limit} bytes")]
    TooLarge {
        /// Limit in bytes.
        limit: u64,
    },
    /// The server announces another size than the metadata.
    #[error("size {got} differs from the expected {expected}")]
    Size {
        /// Announced or found.
        got: u64,
        /// From the metadata.
        expected: u64,
    },
    /// The content is not what the metadata says.
    #[error("checksum {got} differs from the expected {expected}")]
    Digest {
        /// Found, `algorithm:hex`.
        got: String,
        /// From the metadata, `algorithm:hex`.
        expected: String,
    },
    /// A web page came instead of the file.
    #[error("got HTML, not a repository: login page?")]
    Html,
    /// The server lies about ranges, and did again after a clean restart.
    #[error("wrong answer to a range request: {0}")]
    Range(String),
    /// A redirect that is not followed.
    #[error("redirect refused: {0}")]
    Redirect(String),
    /// No such local file.
    #[error("no such file")]
    NotFound,
    /// A local file could not be read.
    #[error("cannot read: {0}")]
    Read(String),
    /// `repo_gpgcheck` is on and repomd.xml.asc is missing, bad, or by a key that is not trusted.
    #[error("metadata signature: {text}")]
    Signature {
        /// What kind of fault.
        fault: SignatureFault,
        /// What is wrong; it names key ids.
        text: String,
    },
    /// repomd.xml.asc could not be had.
    #[error("repomd.xml.asc: {0}")]
    SignatureFile(Box<Cause>),
    /// A metalink that names no checksum of repomd.xml.
    #[error("no checksum for repomd.xml in the metalink")]
    NoChecksum,
    /// The metadata is not readable as metadata.
    #[error("{0}")]
    Malformed(String),
    /// Signed metadata older than what was seen before.
    #[error("metadata is older than seen before (revision {offered}, seen {seen})")]
    Older {
        /// Offered revision or timestamp.
        offered: u64,
        /// Highest seen.
        seen: u64,
    },
    /// Metadata from the future.
    #[error(
        "metadata is dated in the future ({stamp}, now {now}): clock looks wrong, here or there"
    )]
    Future {
        /// Its timestamp or revision.
        stamp: u64,
        /// Our clock, seconds since 1970.
        now: u64,
    },
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

/// What is wrong with the signature of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureFault {
    /// There is none.
    Missing,
    /// Of a key that we have, but from the future, or expired: the clock may be wrong.
    Date,
    /// Bad, or of a key that is not there or not trusted.
    NotAccepted,
}

impl SignatureFault {
    /// Why a signature was refused.
    pub fn of(refused: &DetachedOutcome) -> Self {
        match refused.is_of_another_time() {
            true => Self::Date,
            false => Self::NotAccepted,
        }
    }
}

/// Which TLS rule failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFault {
    /// Validity is over.
    #[error("the server's certificate has expired (or the clock here is wrong)")]
    Expired,
    /// Validity has not begun.
    #[error("the server's certificate is not valid yet (or the clock here is wrong)")]
    NotYetValid,
    /// Issued for another name.
    #[error("the server's certificate is for another host")]
    WrongHost,
    /// No chain to a CA that is trusted.
    #[error("the server's certificate is from an unknown CA: name it with sslcacert")]
    UnknownCa,
    /// A certificate that may sign others, presented as the server's own: made by `openssl req -x509`.
    #[error("the server's certificate is self-signed: name it with sslcacert")]
    SelfSigned,
    /// Revoked.
    #[error("the server's certificate is revoked")]
    Revoked,
    /// The server wants a client certificate, or another one.
    #[error(
        "the server wants a client certificate, or refuses ours: set sslclientcert and sslclientkey"
    )]
    ClientCertificate,
    /// A CA, certificate or key file of ours is unreadable or holds nothing usable.
    #[error("certificate file")]
    LocalFile,
    /// No CA file was found.
    #[error("no CA certificates found: install ca-certificates or set sslcacert")]
    NoCa,
    /// Any other handshake failure (old protocol versions among them).
    #[error("handshake failed")]
    Handshake,
}

fn detail(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(" ({text})")
    }
}

fn status_words(status: u16) -> &'static str {
    match status {
        401 => " (unauthorized: username and password?)",
        403 => " (forbidden)",
        404 | 410 => " (not found)",
        407 => " (the proxy wants a login)",
        429 => " (too many requests)",
        500..=599 => " (server error)",
        _ => "",
    }
}

/// tdnf's error number for HTTP status >= 400 (ERROR_TDNF_INVALID_REPO_FILE family, 1622).
pub const CODE_HTTP_STATUS: u32 = 1622;
/// tdnf's error number for a metalink without a checksum (ERROR_TDNF_INVALID_REPO_FILE).
const CODE_INVALID_REPO: u32 = 1004;
/// tdnf's error number for a repomd.xml that is not the one of the metalink.
pub(super) const CODE_METALINK_CHECKSUM: u32 = 2501;
/// tdnf's error number for a file of another digest.
pub(super) const CODE_CHECKSUM: u32 = 1528;
/// tdnf's error number for a file of another size.
pub(super) const CODE_SIZE: u32 = 1527;
/// tdnf's base for curl errors: 1201 + CURLcode.
pub const CODE_CURL_BASE: u32 = 1201;

impl Cause {
    /// Whether it is the server that fails, and not this file of it alone.
    fn is_of_server(&self) -> bool {
        match self {
            Self::Dns(_) | Self::Connect(_) | Self::Tls { .. } => true,
            Self::Proxy(_) | Self::ProxyLogin(_) => true,
            Self::Timeout(_) | Self::TooSlow { .. } | Self::Broken(_) => true,
            Self::Status(code) => matches!(code, 401 | 407 | 408 | 425 | 429 | 500..=599),
            Self::Refused { status, .. } => !matches!(status, 404 | 410),
            _ => false,
        }
    }

    /// A line for people on a URL that failed, which names the server alone where that fails, and `next`, the server that
    /// goes on.
    #[must_use]
    pub fn line(&self, url: &str, next: Option<&str>) -> String {
        match self.is_of_server() {
            true => going_on(&format!("{}: {self}", server_name(url)), next),
            false => going_on(&format!("{url}: {self}"), next),
        }
    }

    /// What is the same for all files for which a server fails in the same way: that is said once.
    #[must_use]
    pub fn kind_at(&self, url: &str) -> String {
        let code = self.status().unwrap_or_default();
        format!("{} {} {code}", server_name(url), variant(self))
    }

    /// Whether it is a proxy that fails, and not the server behind it.
    #[must_use]
    pub fn is_of_proxy(&self) -> bool {
        match self {
            Self::Proxy(_) | Self::ProxyLogin(_) | Self::Status(407) => true,
            Self::Dns(why) | Self::Connect(why) => why.starts_with(PROXY),
            _ => false,
        }
    }

    /// The HTTP status that was answered instead of the file.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status(status) | Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl Cause {
    /// Whether asking again (here or at another mirror, later) may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Dns(_) | Self::Connect(_) | Self::Proxy(_) | Self::Timeout(_) => true,
            Self::TooSlow { .. } | Self::Broken(_) | Self::Truncated { .. } => true,
            Self::Status(code) | Self::Refused { status: code, .. } => {
                matches!(code, 408 | 425 | 429 | 500 | 502..=504)
            }
            Self::SignatureFile(cause) => cause.is_passing(),
            _ => false,
        }
    }

    /// Whether the server was not reached at all, or never answered.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Dns(_) | Self::Connect(_) | Self::Proxy(_) | Self::Timeout(_)
        )
    }

    /// Whether a file that the metadata name is gone or another: the repository may have been published anew.
    pub fn is_moved_on(&self) -> bool {
        matches!(
            self,
            Self::NotFound
                | Self::Status(404 | 410)
                | Self::Refused {
                    status: 404 | 410,
                    ..
                }
                | Self::Digest { .. }
                | Self::Size { .. }
                | Self::TooLarge { .. }
        )
    }

    /// libcurl's error code that stands for this situation, if there is one.
    pub fn curl_code(&self) -> Option<u32> {
        Some(match self {
            Self::Dns(_) => 6,
            Self::Connect(_) => 7,
            Self::Proxy(_) | Self::ProxyLogin(_) => 97,
            Self::Tls { fault, .. } => match fault {
                TlsFault::ClientCertificate => 56,
                TlsFault::LocalFile => 58,
                TlsFault::NoCa => 77,
                TlsFault::Handshake => 35,
                _ => 60,
            },
            // "Failed initialization".
            Self::Settings(_) => 2,
            Self::Timeout(_) | Self::TooSlow { .. } => 28,
            Self::Broken(_) => 56,
            Self::Truncated { .. } => 18,
            Self::TooLarge { .. } => 63,
            Self::Range(_) => 33,
            Self::Redirect(_) => 47,
            Self::NotFound | Self::Read(_) => 37,
            Self::Stopped => 42,
            Self::SignatureFile(cause) => return cause.curl_code(),
            _ => return None,
        })
    }

    /// tdnf's error number for this situation: 1622 for a status, 1201 + CURLcode, 1528 for a
    /// digest, 1527 for a size, 2004 for a metadata signature, 1004 for a metalink without digest; none for what tdnf has no number for.
    pub fn tdnf_code(&self) -> Option<u32> {
        match self {
            Self::Status(_) | Self::Refused { .. } => Some(CODE_HTTP_STATUS),
            Self::SignatureFile(cause) => cause.tdnf_code(),
            Self::Digest { .. } => Some(CODE_CHECKSUM),
            Self::Size { .. } => Some(CODE_SIZE),
            Self::Signature { .. } => Some(2004),
            Self::NoChecksum => Some(CODE_INVALID_REPO),
            other => other.curl_code().map(|code| CODE_CURL_BASE + code),
        }
    }
}
