//! Everything that can stop a run: number, text, hints and exit code, in one place.
//!
//! Libraries return their own errors; [`Failure`] is what they become for the user. No other
//! file knows an error number's text or turns a number into an exit code.

mod advice;
mod from;
mod table;
#[cfg(test)]
mod tests;
mod transaction;

use std::fmt;

/// An error number of tdnf. Names are in the table; numbers that libraries of the C program
/// could also raise (curl, errno) are made by [`Code::errno`] and [`Code::transfer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u32);

macro_rules! codes {
    ($($name:ident = $number:literal),* $(,)?) => {
        impl Code {
            $(#[doc = concat!("Number ", stringify!($number), " of the table.")]
            pub const $name: Self = Self($number);)*
        }
    };
}

codes! {
    CHECK_UPDATES_AVAILABLE = 100,
    CLI_NO_MATCH = 901,
    CLI_INVALID_ARGUMENT = 902,
    CLEAN_REQUIRES_OPTION = 903,
    CLI_NOT_ENOUGH_ARGS = 904,
    NOTHING_TO_DO = 905,
    CHECKLOCAL_EXPECT_DIR = 906,
    PROVIDES_EXPECT_ARG = 907,
    OPTION_NAME_INVALID = 908,
    OPTION_ARG_REQUIRED = 909,
    SETOPT_NO_EQUALS = 911,
    NO_SUCH_CMD = 912,
    DOWNLOADDIR_REQUIRES_DOWNLOADONLY = 913,
    ALLDEPS_REQUIRES_DOWNLOADONLY = 915,
    NODEPS_REQUIRES_DOWNLOADONLY = 916,
    INVALID_MIXED_QUERY = 917,
    BASE = 1000,
    PACKAGE_REQUIRED = 1001,
    CONF_FILE_LOAD = 1002,
    REPO_FILE_LOAD = 1003,
    INVALID_REPO_FILE = 1004,
    REPO_DIR_OPEN = 1005,
    REPO_PERFORM = 1006,
    NO_MATCH = 1011,
    NO_ENABLED_REPOS = 1012,
    CLEAN_UNSUPPORTED = 1016,
    NO_DISTROVERPKG = 1022,
    METADATA_EXPIRE_PARSE = 1029,
    PROTECTED = 1030,
    OPERATION_ABORTED = 1032,
    INVALID_INPUT = 1033,
    CACHE_DISABLED = 1034,
    CACHE_DIR_OUT_OF_DISK_SPACE = 1036,
    DUPLICATE_REPO_ID = 1037,
    SOLV_FAILED = 1301,
    RPMRC_FAIL = 1472,
    RPMRC_NOTTRUSTED = 1473,
    RPMRC_NOKEY = 1474,
    INVALID_PUBKEY_FILE = 1505,
    KEYURL_INVALID = 1507,
    KEYURL_UNSUPPORTED = 1508,
    RPM_NOT_SIGNED = 1510,
    RPM_GPG_NO_MATCH = 1514,
    RPM_CHECK = 1515,
    NO_GPGKEY_CONF_ENTRY = 1523,
    URL_INVALID = 1524,
    TRANSACTION_FAILED = 1525,
    RPMTS_OPENDB_FAILED = 1526,
    SIZE_MISMATCH = 1527,
    CHECKSUM_MISMATCH = 1528,
    NO_SEARCH_RESULTS = 1599,
    SYSTEM_BASE = 1600,
    PERM = 1601,
    FILE_NOT_FOUND = 1602,
    FILESYS_IO = 1605,
    LOCKED = 1611,
    OUT_OF_MEMORY = 1612,
    ACCESS_DENIED = 1613,
    INVALID_PARAMETER = 1622,
    NO_DATA = 1661,
    HISTORY_ERROR = 1801,
    HISTORY_NODB = 1802,
    GPG_SIGNATURE_CHECK = 2004,
    BASEURL_DOES_NOT_EXIST = 2500,
    METALINK_CHECKSUM = 2501,
}

/// The highest errno that is turned into a number of its own.
const MAX_ERRNO: i32 = 133;

impl Code {
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
        matches!(self, Self::NOTHING_TO_DO | Self::NO_DATA)
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
        35 => "SSL connect error",
        47 => "Number of redirects hit maximum amount",
        52 => "Server returned nothing (no headers, no data)",
        56 => "Failure when receiving data from the peer",
        60 => "SSL peer certificate or SSH remote key was not OK",
        63 => "Maximum file size exceeded",
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
    /// A cache file that is damaged: the run can start over without it.
    pub damaged_cache: Option<std::path::PathBuf>,
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
            damaged_cache: None,
        }
    }

    /// A failure with one line that says what happened.
    pub fn because(code: Code, detail: impl Into<String>) -> Self {
        Self::new(code).detail(detail)
    }

    /// An error of the system about `path`.
    pub fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
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
