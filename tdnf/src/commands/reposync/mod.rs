//! `reposync`: copies repositories to a folder, every file checked against the metadata.

mod metadata;
mod surplus;
mod wanted;

use std::path::{Path, PathBuf};

use repo_client::{FileRequest, fetch, join_below};

use super::operands::{Operand, Operands};
use super::{Command, Needs};
use crate::args::options::{self, of};
use crate::change;
use crate::error::{At, Code, Failure, Outcome};
use crate::progress::NetworkView;
use crate::session::{Freshness, LoadedRepo, PRIMARY, Session, database_keyring, offered_keys};
use crate::view::repos::{RepoCopies, RepoCopy};
use wanted::{RefusedPackage, WantedPackage};

/// Most `--arch` options, as in tdnf.
const MAX_ARCHES: usize = 10;

pub(super) const COMMAND: Command = Command {
    name: "reposync",
    aliases: &[],
    usage: "[reposync options]",
    operands: Operands::all(Operand::Nothing),
    options: &[
        of::<options::ReposyncOptions>(),
        of::<options::Arch>(),
        of::<options::SourceOptions>(),
    ],
    example: "reposync --repo photon --newest-only --download-path /srv/mirror",
    about: "Download all packages from one or more repositories to a directory",
    needs: Needs::Nothing,
    run,
};

/// What the options ask for.
struct SyncWish {
    /// Only these architectures; empty: all.
    arches: Vec<String>,
    /// Only source packages.
    source: bool,
    newest_only: bool,
    /// Print URLs, fetch nothing.
    urls: bool,
    /// Packages without a good signature are not kept.
    gpgcheck: bool,
    /// Packages that the repository does not have (any more) are removed.
    delete: bool,
    metadata: bool,
    /// Files go right below the folder, not below a folder of the repository's id.
    no_repo_path: bool,
    target: PathBuf,
    metadata_target: Option<PathBuf>,
}

impl SyncWish {
    fn of(session: &Session<'_>) -> Outcome<Self> {
        let typed = &session.args.options;
        let given = &typed.sync;
        let folder = |path: &Option<String>| {
            let path = path.as_deref().map(Path::new);
            path.map(absolute).transpose()
        };
        let wish = Self {
            arches: typed.arch.arch.clone(),
            source: typed.source.source,
            newest_only: given.newest_only,
            urls: given.urls,
            gpgcheck: given.gpgcheck,
            delete: given.delete,
            metadata: given.download_metadata,
            no_repo_path: given.norepopath,
            target: match folder(&given.download_path)? {
                Some(path) => path,
                None => absolute(Path::new("."))?,
            },
            metadata_target: folder(&given.metadata_path)?,
        };
        let wrong = |line: &str| Err(Failure::invalid(line));
        if wish.source && !wish.arches.is_empty() {
            return wrong("--source and --arch cannot be combined");
        }
        if wish.arches.len() > MAX_ARCHES {
            return wrong("--arch can be given ten times at most");
        }
        if wish.no_repo_path && wish.delete {
            return wrong("--norepopath and --delete cannot be combined");
        }
        Ok(wish)
    }

    /// The folder of a repository's files.
    fn folder(&self, source: &LoadedRepo) -> Outcome<PathBuf> {
        self.below(&self.target, source)
    }

    fn metadata_folder(&self, source: &LoadedRepo) -> Outcome<PathBuf> {
        self.below(
            self.metadata_target.as_deref().unwrap_or(&self.target),
            source,
        )
    }

    fn below(&self, folder: &Path, source: &LoadedRepo) -> Outcome<PathBuf> {
        if self.no_repo_path {
            return Ok(folder.to_owned());
        }
        Ok(join_below(folder, &source.config.id)?)
    }
}

fn absolute(path: &Path) -> Outcome<PathBuf> {
    std::path::absolute(path).at(path)
}

fn run(session: &Session<'_>, _words: &[String]) -> Outcome<u8> {
    let wish = SyncWish::of(session)?;
    if wish.no_repo_path && session.enabled_repos()?.len() > 1 {
        return Err(Failure::invalid(
            "--norepopath: the files of several repositories would be mixed up",
        )
        .hint("name one repository with --repo ID"));
    }
    let sources = session.sources(PRIMARY, Freshness::WhenExpired)?;
    let mut reports = Vec::new();
    let mut first = None;
    for source in &sources {
        let (report, failure) = sync(session, &wish, source)?;
        first = first.or(failure);
        reports.push(report);
    }
    if !reports.is_empty() {
        session.printer.show(&RepoCopies(&reports));
    }
    match first {
        None => Ok(0),
        Some(failure) => Err(Failure::new(failure.code).detail(missing(&reports))),
    }
}

fn missing(reports: &[RepoCopy]) -> String {
    let failed: usize = reports.iter().map(|report| report.failed.len()).sum();
    let all: usize = reports.iter().map(|report| report.packages).sum();
    format!("{failed} of {all} files are missing; the others are there")
}

/// Copies one repository. A file that cannot be had does not stop the others: the first such
/// failure comes back with the report.
fn sync(
    session: &Session<'_>,
    wish: &SyncWish,
    source: &LoadedRepo,
) -> Outcome<(RepoCopy, Option<Failure>)> {
    let (wanted, refused) = wanted::read(&source.set, wish)?;
    let mut report = RepoCopy {
        repo: source.config.id.clone(),
        packages: wanted.len() + refused.len(),
        ..RepoCopy::default()
    };
    let mut first = None;
    for RefusedPackage { name, failure } in refused {
        tell(session, &name, &failure);
        report.failed.push(name);
        first.get_or_insert(failure);
    }
    if wish.urls {
        for package in &wanted {
            let url = package.urls(source)?.into_iter().next().unwrap_or_default();
            session.printer.crit(&url);
            report.urls.push(url);
        }
        return Ok((report, first));
    }
    let folder = wish.folder(source)?;
    let (got, failures) = packages(session, source, &wanted, &folder)?;
    report.downloaded = got.iter().filter(|file| file.fresh).count();
    for (name, failure) in failures {
        tell(session, &name, &failure);
        report.failed.push(name);
        first.get_or_insert(failure);
    }
    if wish.gpgcheck {
        for (name, failure) in check(session, source, &got)? {
            tell(session, &name, &failure);
            report.failed.push(name);
            first.get_or_insert(failure);
        }
    }
    if wish.metadata {
        metadata::copy(session, source, &wish.metadata_folder(source)?)?;
    }
    if wish.delete {
        let keep: Vec<&str> = wanted.iter().map(|package| package.location()).collect();
        report.deleted = surplus::remove(session.printer, &folder, &keep)?;
    }
    Ok((report, first))
}

fn tell(session: &Session<'_>, name: &str, failure: &Failure) {
    for line in &failure.details {
        session.printer.err(line);
    }
    session.printer.err(&format!(
        "Error({}) : {}: {}",
        failure.code.0,
        name,
        failure.code.text()
    ));
}

/// A package file that is there.
struct Got<'a> {
    package: &'a WantedPackage,
    path: PathBuf,
    /// It came in this run.
    fresh: bool,
}

type Failures = Vec<(String, Failure)>;

/// Fetches the packages; those that are there and right are left alone.
fn packages<'a>(
    session: &Session<'_>,
    source: &LoadedRepo,
    wanted: &'a [WantedPackage],
    folder: &Path,
) -> Outcome<(Vec<Got<'a>>, Failures)> {
    let mut failures = Vec::new();
    let mut requests: Vec<FileRequest> = Vec::new();
    let mut asked = Vec::new();
    for package in wanted {
        match request(source, package, folder) {
            Ok(request) => {
                requests.push(request);
                asked.push(package);
            }
            Err(failure) => failures.push((package.name(), failure)),
        }
    }
    let view = NetworkView::new(session.printer);
    let results = session.transfer(|| fetch(session.client(), requests, 0, &view))?;
    let mut got = Vec::new();
    for (package, result) in asked.into_iter().zip(results) {
        match result {
            Ok(file) => got.push(Got {
                package,
                path: file.path,
                fresh: file.url.is_some(),
            }),
            Err(error) => failures.push((package.name(), change::refused(&package.origin, error))),
        }
    }
    Ok((got, failures))
}

fn request(source: &LoadedRepo, package: &WantedPackage, folder: &Path) -> Outcome<FileRequest> {
    let dest = join_below(folder, package.location())?;
    repo_client::create_parents(folder, &dest)?;
    change::request_to(&package.name(), &package.origin, source, dest)
}

/// Checks the signatures of packages by the keys of the rpm database and of the repository;
/// those without a good one are removed.
fn check(session: &Session<'_>, source: &LoadedRepo, got: &[Got<'_>]) -> Outcome<Failures> {
    let mut keyring = database_keyring(session)?;
    for offered in offered_keys(session, &source.config)? {
        keyring
            .add_armored_or_binary(&offered.key.binary)
            .map_err(|error| Failure::because(Code::INVALID_PUBKEY_FILE, error.to_string()))?;
    }
    let mut failures = Vec::new();
    for file in got {
        if let Err(failure) =
            change::verify_file(session, &file.path, &file.package.identity, &keyring)
        {
            std::fs::remove_file(&file.path).at(&file.path)?;
            failures.push((file.package.name(), failure));
        }
    }
    Ok(failures)
}
