//! Everything that can stop a run: number, text, hints and exit code, in one place.
//!
//! Libraries return their own errors; [`Failure`] is what they become for the user. No other
//! file knows an error number's text or turns a number into an exit code.

pub(crate) mod advice;
mod from;
mod table;
#[cfg(test)]
mod tests;
mod transaction;

use std::fmt;
use std::path::{Path, PathBuf};

use repo_client::Cause;

/// An error number of tdnf. The table names them; numbers that libraries of the C program could
/// also raise (curl, errno) are made by [`Code::errno`] and [`Code::transfer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u32);

/// The highest errno that is turned into a number of its own.
const MAX_ERRNO: i32 = 133;

impl Code {
    /// A lock that another process keeps: errno 11, which the table does not name.
    pub const LOCKED: Self = Self(1611);

    /// 1600 + errno, as tdnf reports errors of the system.
    pub fn errno(error: &std::io::Error) -> Self {
        let number = error.raw_os_error().filter(|n| (1..=MAX_ERRNO).contains(n));
        match (number, error.kind()) {
            (Some(n), _) => Self(1600 + n.unsigned_abs()),
            (None, std::io::ErrorKind::NotFound) => Self::FILE_NOT_FOUND,
            (None, std::io::ErrorKind::PermissionDenied) => Self::ACCESS_DENIED,
            (None, _) => Self::FILESYS_IO,
        }
    }

    /// 1201 + the number that curl gives to a failed transfer, as scripts know it (7: cannot
    /// connect, 6: unknown host, 28: timeout, 60: certificate).
    pub fn transfer(curl: u32) -> Self {
        Self(1201 + curl)
    }

    /// The text that goes with the number.
    pub fn text(self) -> String {
        let own = table::TABLE.iter().find(|(number, ..)| *number == self.0);
        match own.and_then(|(.., text)| *text) {
            Some(text) => text.to_owned(),
            None if (1601..2000).contains(&self.0) => system_text(self.0 - 1600),
            None => transfer_text(self.0.wrapping_sub(1201))
                .unwrap_or("Unknown error")
                .to_owned(),
        }
    }

    /// Whether the run ends with exit code 0 and the bare text (nothing to do, no data).
    pub fn is_benign(self) -> bool {
        matches!(self, Self::CLI_NOTHING_TO_DO | Self::NO_DATA)
    }
}

/// Every number of the table.
pub fn numbers() -> impl Iterator<Item = u32> {
    table::TABLE.iter().map(|(number, ..)| *number)
}

/// The system's words for an errno.
fn system_text(errno: u32) -> String {
    let text = std::io::Error::from_raw_os_error(i32::try_from(errno).unwrap_or(0)).to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// What failed transfers are called, by curl's numbers.
fn transfer_text(number: u32) -> Option<&'static str> {
    Some(match number {
        5 => "Couldn't resolve proxy name",
        6 => "Couldn't resolve host name",
        7 => "Couldn't connect to server",
        18 => "Transferred a partial file",
        23 => "Failed writing received data to disk/application",
        28 => "Timeout was reached",
        33 => "Requested range was not delivered by the server",
        35 => "SSL connect error",
        37 => "Couldn't read a file:// file",
        42 => "Operation was aborted by an application callback",
        47 => "Number of redirects hit maximum amount",
        52 => "Server returned nothing (no headers, no data)",
        56 => "Failure when receiving data from the peer",
        58 => "Problem with the local SSL certificate",
        60 => "SSL peer certificate or SSH remote key was not OK",
        63 => "Maximum file size exceeded",
        77 => "Problem with the SSL CA cert (path? access rights?)",
        97 => "proxy handshake error",
        _ => return None,
    })
}

/// Why a run stops. It is printed as the detail lines, then `Error(N) : text`, then the hints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The number.
    pub code: Code,
    /// What happened, in words: one line each, printed before the error line on stderr.
    pub details: Vec<String>,
    /// What to do next: one line each, printed after the error line.
    pub hints: Vec<String>,
    /// Lines for stdout that come first (texts that tdnf prints at level crit).
    pub remarks: Vec<String>,
    /// What the run can start over with.
    pub restart: Option<Restart>,
}

/// What a run that has changed nothing yet can start over with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restart {
    /// Without this file of the cache, which is damaged.
    WithoutCache(PathBuf),
    /// With newer metadata of this repository, if there are any: it lacks a file that they name, or has another.
    WithNewer(String),
    /// With the newer metadata that were found.
    Renewed,
}

/// Why a server did not give a file; of an HTTP status in the words that scripts know.
pub(crate) fn failure_words(url: &str, cause: &Cause) -> String {
    match cause {
        Cause::Status(status) => format!(
            "{status} when downloading {url}. Please check repo url or refresh metadata with 'tdnf makecache'."
        ),
        _ => format!("{url}: {cause}"),
    }
}

/// The same as a warning, with the server that goes on.
pub(crate) fn warning_words(url: &str, cause: &Cause, next: Option<&str>) -> String {
    match cause {
        Cause::Status(status) => {
            repo_client::going_on(&format!("{status} when downloading {url}"), next)
        }
        _ => cause.line(url, next),
    }
}

/// The result of everything in this program that can stop a run.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure with its number alone.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            details: Vec::new(),
            hints: Vec::new(),
            remarks: Vec::new(),
            restart: None,
        }
    }

    /// A failure with one line that says what happened.
    pub fn because(code: Code, detail: impl Into<String>) -> Self {
        Self::new(code).detail(detail)
    }

    /// A wrong word, option or value (1622), in one line.
    pub fn invalid(line: impl Into<String>) -> Self {
        Self::because(Code::INVALID_PARAMETER, line)
    }

    /// A package file that cannot be used, and why.
    pub fn package(code: Code, path: &Path, why: &dyn fmt::Display) -> Self {
        Self::because(code, format!("package {}: {why}", path.display()))
    }

    /// An error of the system about `path`.
    pub fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::because(Code::errno(error), format!("{}: {error}", path.display()))
    }

    /// Adds a line on what happened.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// Adds a line on what to do next.
    #[must_use]
    pub fn hint(mut self, line: impl Into<String>) -> Self {
        self.hints.push(line.into());
        self
    }

    /// Adds a line that is printed on stdout before everything else.
    #[must_use]
    pub fn remark(mut self, line: impl Into<String>) -> Self {
        self.remarks.push(line.into());
        self
    }

    /// The exit code of a run that ends this way: 0 if benign, else the number modulo 256.
    pub fn exit_code(&self) -> u8 {
        if self.code.is_benign() {
            0
        } else {
            cli_kit::exit_code(self.code.0)
        }
    }
}

/// Names the file or folder that an error of the system is about.
pub(crate) trait At<T> {
    /// The failure of [`Failure::io`].
    fn at(self, path: &Path) -> Outcome<T>;
}

impl<T, E: Into<std::io::Error>> At<T> for Result<T, E> {
    fn at(self, path: &Path) -> Outcome<T> {
        self.map_err(|error| Failure::io(path, &error.into()))
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.details {
            write!(f, "{line}: ")?;
        }
        write!(f, "Error({}) : {}", self.code.0, self.code.text())
    }
}

impl std::error::Error for Failure {}
