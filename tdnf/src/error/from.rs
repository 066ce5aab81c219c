//! What the errors of the library crates become.

use std::io::ErrorKind;

use repo_client::Cause;

use super::{Code, Failure, Restart, advice, failure_words};
use crate::history::HistoryError;

impl From<rpm_repo::Error> for Failure {
    fn from(error: rpm_repo::Error) -> Self {
        Self::because(code_of(&error), error.to_string())
    }
}

fn code_of(error: &rpm_repo::Error) -> Code {
    use rpm_repo::Error;
    match error {
        Error::Read { source, .. } => Code::errno(source),
        Error::BadMetadataExpire { .. } => Code::METADATA_EXPIRE_PARSE,
        Error::DuplicateRepo { .. } => Code::DUPLICATE_REPO_ID,
        Error::BadHref { .. } => Code::URL_INVALID,
        Error::Section(fault) | Error::RepoFile(fault) => code_of(fault),
        _ => Code::INVALID_REPO_FILE,
    }
}

impl Code {
    /// The number of what the network side could not do.
    pub fn of_transfer(error: &repo_client::Error) -> Self {
        use repo_client::Error;
        match error {
            Error::NoUrl { .. } => Self::BASEURL_DOES_NOT_EXISTS,
            Error::NotCached { .. } => Self::CACHE_DISABLED,
            Error::UnsafePath { .. } => Self::URL_INVALID,
            Error::NoSpace { .. } => Self::CACHE_DIR_OUT_OF_DISK_SPACE,
            Error::Io { source, .. } => Self::errno(source),
            _ => error.tdnf_code().map_or(Self::REPO_PERFORM, Self),
        }
    }
}

impl From<repo_client::Error> for Failure {
    fn from(error: repo_client::Error) -> Self {
        let code = Code::of_transfer(&error);
        let advice = error.failures().last().and_then(advice::for_failure);
        let line = match error.failures() {
            [one] if matches!(one.cause, Cause::Status(_)) => failure_words(&one.url, &one.cause),
            _ => error.to_string(),
        };
        let failure = Self::because(code, format!("Error: {line}"));
        if let repo_client::Error::Io { path, source, .. } = &error
            && let Some(hint) = advice::for_disk(path, source.kind())
        {
            return failure.hint(hint);
        }
        match code {
            Code::CACHE_DIR_OUT_OF_DISK_SPACE => failure.hint(
                "free some space (`tdnf clean packages`), or name another place with \
                 --setopt=cachedir=DIR",
            ),
            Code::BASEURL_DOES_NOT_EXISTS => {
                failure.hint("set baseurl=, mirrorlist= or metalink= in the .repo file")
            }
            Code::CACHE_DISABLED => failure.hint("leave --cacheonly out, or run `tdnf makecache`"),
            _ => match advice {
                Some(advice) => failure.hint(advice),
                None => failure,
            },
        }
    }
}

/// A failure with the line of `error`; where memory is missing, with what to do about it.
fn told(code: Code, error: &dyn std::fmt::Display) -> Failure {
    let failure = Failure::because(code, format!("Error: {error}"));
    match code {
        Code::OUT_OF_MEMORY => failure.hint(advice::MORE_MEMORY),
        Code::LOCKED => failure.hint(advice::WAIT_LONGER),
        _ => failure,
    }
}

impl From<rpm_db::DbError> for Failure {
    fn from(error: rpm_db::DbError) -> Self {
        use rpm_db::DbError;
        let code = match &error {
            DbError::Io { source, .. } => Code::errno(source),
            DbError::Memory { .. } => Code::OUT_OF_MEMORY,
            DbError::Busy { .. } => Code::LOCKED,
            _ => Code::RPMTS_OPENDB_FAILED,
        };
        told(code, &error)
    }
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        let code = match &error {
            HistoryError::Io { source, .. } => Code::errno(source),
            HistoryError::Sqlite { source, .. } if rpm_db::is_out_of_memory(source) => {
                Code::OUT_OF_MEMORY
            }
            HistoryError::Sqlite { .. } | HistoryError::Damaged { .. } => Code::HISTORY_ERROR,
        };
        let failure = told(code, &error);
        match error {
            HistoryError::Damaged { path, .. } => failure.hint(format!(
                "move {path} away: the next change begins a new one, in which every package counts as asked for"
            )),
            _ => failure,
        }
    }
}

impl From<rpm_solv::SolvError> for Failure {
    fn from(error: rpm_solv::SolvError) -> Self {
        let failure = Self::because(Code::SOLV_FAILED, format!("Error: {error}"));
        match error {
            rpm_solv::SolvError::CacheUnusable { path, .. } => Self {
                restart: Some(Restart::WithoutCache(path)),
                ..failure
            },
            error if error.is_given_up() => failure.hint(
                "name fewer packages, or leave the repository out that they come from: --disablerepo=ID",
            ),
            _ => failure,
        }
    }
}

impl From<rpm_catalog::CatalogError> for Failure {
    fn from(error: rpm_catalog::CatalogError) -> Self {
        use rpm_catalog::CatalogError;
        match error {
            CatalogError::Database(error) => error.into(),
            CatalogError::Solv(error) => error.into(),
            // No thread, or no memory for a decompressor: nothing is wrong with the file.
            CatalogError::Part { ref source, .. }
                if matches!(
                    source.kind(),
                    ErrorKind::WouldBlock | ErrorKind::OutOfMemory
                ) =>
            {
                told(Code::OUT_OF_MEMORY, &error)
            }
            CatalogError::Metadata { .. } | CatalogError::Part { .. } => {
                Self::because(Code::INVALID_REPO_FILE, format!("Error: {error}"))
            }
            other => Self::because(Code::BASE, format!("Error: {other}")),
        }
    }
}
