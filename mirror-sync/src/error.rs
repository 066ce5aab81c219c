//! What can go wrong, one variant per situation, and how the program ends.

use std::io;
use std::path::PathBuf;

use cli_kit::counted;

/// The result of everything here.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Exit code: done, something new was published (or the question was answered).
pub(crate) const EXIT_DONE: u8 = 0;
/// Exit code: failed, nothing of it was published.
pub(crate) const EXIT_FAILED: u8 = 1;
/// Exit code: the command line or the configuration cannot be used.
pub(crate) const EXIT_USAGE: u8 = 2;
/// Exit code: nothing new upstream, what is published is current.
pub(crate) const EXIT_NOTHING_NEW: u8 = 3;
/// Exit code: some repositories or files are missing; what is whole was published, what was fetched is kept.
pub(crate) const EXIT_PARTIAL: u8 = 4;
/// Exit code of `verify`: damage was found, and all of it is mended.
pub(crate) const EXIT_MENDED: u8 = 5;
/// Exit code of `verify`: damage was found, and some of it is left.
pub(crate) const EXIT_DAMAGED: u8 = 6;

/// Everything that ends a command or the work on one repository.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// An option or argument that cannot be used.
    #[error("{0}")]
    Usage(String),
    /// The configuration cannot be used.
    #[error("{place}: {what}")]
    Config {
        /// File, and line where it is known.
        place: String,
        what: String,
    },
    /// A file or directory could not be used.
    #[error("{path}: cannot {what}: {source}", path = path.display())]
    File {
        path: PathBuf,
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the mirror, or one that was brought, is not what was written.
    #[error("{path} is damaged: {why}{way}", path = path.display())]
    Damaged {
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do, behind a semicolon; empty if it is not known.
        way: String,
    },
    /// Another run works on the same mirror.
    #[error("{path}: another mirror-sync ({holder}) is working on this mirror; wait for it with `--wait 10m`", path = path.display())]
    Busy {
        path: PathBuf,
        /// Who, as its lock file says.
        holder: String,
    },
    /// The network side.
    #[error(transparent)]
    Client(#[from] repo_client::Error),
    /// Metadata cannot be read.
    #[error(transparent)]
    Metadata(#[from] rpm_repo::Error),
    /// The solver.
    #[error(transparent)]
    Solver(#[from] rpm_solv::SolvError),
    /// Signing or reading keys failed.
    #[error("{what}: {source}")]
    Trust {
        /// Which key or file.
        what: String,
        source: rpm_trust::TrustError,
    },
    /// Metadata older than what was seen before.
    #[error(
        "repository {repo}: upstream offers metadata of {offered}, older than {seen} seen before: a replay or a mirror that lags; if this is meant, run `mirror-sync sync {repo} --allow-older{also}`"
    )]
    Older {
        repo: String,
        /// What is offered, in words.
        offered: String,
        seen: String,
        /// The switches of the run, each behind a blank.
        also: String,
    },
    /// The delete guard.
    #[error(
        "repository {repo}: {gone} of {had} packages would go ({why}); nothing was changed; if this is meant, run `{command} --allow-delete{also}`"
    )]
    DeleteGuard {
        repo: String,
        gone: usize,
        /// Packages that are published now.
        had: usize,
        why: String,
        /// What brings it about.
        command: String,
        /// The switches of the run, each behind a blank.
        also: String,
    },
    /// Some files could not be had: the set is not whole and was not published.
    #[error("repository {repo}: {missing} of {} {are} missing: {first}{more}; what was fetched is kept, nothing was published", counted(*wanted as u64, "file"), are = if *missing == 1 { "is" } else { "are" }, more = if *missing > 1 { " (and others)" } else { "" })]
    Partial {
        repo: String,
        missing: usize,
        wanted: usize,
        /// The first of them and why.
        first: String,
    },
    /// What a repository says contradicts itself.
    #[error("repository {repo}: {what}")]
    Repository { repo: String, what: String },
    /// A place on another server does not show what this mirror shows.
    #[error("target {name}: {why}")]
    Target { name: String, why: String },
    /// There is no such snapshot, repository, channel.
    #[error("{0}")]
    NotFound(String),
    /// A bundle was refused; nothing of it was applied.
    #[error("bundle {bundle}: {what}; nothing was applied")]
    Bundle { bundle: String, what: String },
    /// The user or a signal asked to stop.
    #[error("stopped; what was fetched is kept for the next run")]
    Stopped,
    /// A server could not be started.
    #[error("cannot serve on {address}: {why}")]
    Serve { address: String, why: String },
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

    /// A file that cannot be used for a reason which no system call gave.
    pub(crate) fn unfit(
        path: impl Into<PathBuf>,
        what: &'static str,
        why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::file(path, what)(io::Error::other(why))
    }

    /// With the way out, if this is of a damaged file.
    pub(crate) fn way_out(mut self, what: String) -> Error {
        if let Error::Damaged { way, .. } = &mut self {
            *way = format!("; {what}");
        }
        self
    }

    /// What a repository says contradicts itself, or one of its files cannot be had.
    pub(crate) fn repository(repo: impl Into<String>, what: impl Into<String>) -> Error {
        Error::Repository {
            repo: repo.into(),
            what: what.into(),
        }
    }

    /// For `map_err` on signatures and keys.
    pub(crate) fn trust(what: impl std::fmt::Display) -> impl Fn(rpm_trust::TrustError) -> Error {
        let what = what.to_string();
        move |source| Error::Trust {
            what: what.clone(),
            source,
        }
    }

    /// The text for a line that names no repository otherwise.
    pub(crate) fn about(&self, repo: &str) -> String {
        let text = self.to_string();
        let names = ["", "repository ", "repo."].map(|kind| format!("{kind}{repo}: "));
        match names.iter().any(|name| text.starts_with(name)) || matches!(self, Error::Stopped) {
            true => text,
            false => format!("{repo}: {text}"),
        }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) | Error::Config { .. } => EXIT_USAGE,
            Error::Partial { .. } | Error::Stopped => EXIT_PARTIAL,
            _ => EXIT_FAILED,
        }
    }
}
