//! `reposync`: copies repositories to a folder, every file checked against the metadata.

mod checked;
mod metadata;
mod surplus;
mod wanted;

use std::path::{Path, PathBuf};

use repo_client::{FileRequest, fetch, join_below};

use super::Command;
use crate::args::options::{self, ReposyncOptions, of};
use crate::change;
use crate::error::{At, Failure, Outcome, Restart};
use crate::progress::NetworkView;
use crate::session::{Freshness, LoadedRepo, PRIMARY, Session, database_keyring, offered_keys};
use crate::settings::arches;
use crate::view::repos::{RepoCopies, RepoCopy};
pub(crate) use checked::CHECKED;
use checked::CheckedFiles;
use rpm_trust::policy::Policy;
use wanted::WantedPackage;

/// Most `--arch` options, as in tdnf.
const MAX_ARCHES: usize = 10;

pub(super) const COMMAND: Command = Command {
    name: "reposync",
    usage: "[reposync options]",
    options: &[
        of::<options::ReposyncOptions>(),
        of::<options::Arch>(),
        of::<options::UrlOptions>(),
        of::<options::SourceOptions>(),
    ],
    example: "reposync --repo photon --newest-only --download-path /srv/mirror",
    about: "Download all packages from one or more repositories to a directory",
    run,
    asks_repos: true,
    never_dry: true,
    ..Command::PLAIN
};

/// What the options ask for.
struct SyncWish<'a> {
    /// As they were given.
    given: &'a ReposyncOptions,
    /// Only these architectures; empty: all.
    arches: &'a [String],
    /// Only source packages.
    source: bool,
    target: PathBuf,
    metadata_target: PathBuf,
}

impl<'a> SyncWish<'a> {
    fn of(session: &Session<'a>) -> Outcome<Self> {
        let typed = &session.args.options;
        let given = &typed.sync;
        let target = absolute(given.download_path.as_deref().unwrap_or("."))?;
        let metadata_target = match &given.metadata_path {
            Some(path) => absolute(path)?,
            None => target.clone(),
        };
        let (arches, source) = (typed.arch.arch.as_slice(), typed.source.source);
        let wrong = |line: &str| Err(Failure::invalid(line));
        if source && !arches.is_empty() {
            return wrong("--source and --arch cannot be combined");
        }
        if arches.len() > MAX_ARCHES {
            return wrong("--arch can be given ten times at most");
        }
        arches
            .iter()
            .try_for_each(|arch| arches::package("arch", arch))?;
        if given.norepopath && given.delete {
            return wrong("--norepopath and --delete cannot be combined");
        }
        Ok(Self {
            given,
            arches,
            source,
            target,
            metadata_target,
        })
    }

    /// The folder of a repository's files below one of the targets.
    fn folder(&self, target: &Path, source: &LoadedRepo) -> Outcome<PathBuf> {
        match self.given.norepopath {
            true => Ok(target.to_owned()),
            false => Ok(join_below(target, &source.config.id)?),
        }
    }
}

fn absolute(path: &str) -> Outcome<PathBuf> {
    std::path::absolute(path).at(Path::new(path))
}

fn run(session: &Session<'_>, _words: &[String]) -> Outcome<u8> {
    let wish = SyncWish::of(session)?;
    if wish.given.norepopath && session.enabled_repos()?.len() > 1 {
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
    wish: &SyncWish<'_>,
    source: &LoadedRepo,
) -> Outcome<(RepoCopy, Option<Failure>)> {
    let (wanted, refused) = wanted::read(session, source, wish)?;
    let mut report = RepoCopy {
        repo: source.config.id.clone(),
        packages: wanted.len() + refused.len(),
        ..RepoCopy::default()
    };
    let mut first = None;
    let mut failed = |report: &mut RepoCopy, failures: Failures| {
        for (name, failure) in failures {
            tell(session, &name, &failure);
            report.failed.push(name);
            first.get_or_insert(failure);
        }
    };
    failed(&mut report, refused);
    if session.settings.urls_only {
        for package in &wanted {
            let url = package.urls(source)?.into_iter().next().unwrap_or_default();
            session.printer.crit(&url);
            report.urls.push(url);
        }
        return Ok((report, first));
    }
    let folder = wish.folder(&wish.target, source)?;
    if !wanted.is_empty() {
        // What keeps all files away is said once.
        std::fs::create_dir_all(&folder).at(&folder)?;
    }
    let known = CheckedFiles::of(session, source, &folder, wish.given.verify);
    let (got, failures) = packages(session, source, &wanted, &folder, known)?;
    // What came is there for the next try.
    let lacks = failures.iter().find(|(_, f)| f.restart.is_some());
    if let Some((_, failure)) = lacks.filter(|_| session.has_moved_on(&source.config.id)) {
        let mut failure = failure.clone();
        failure.restart = Some(Restart::Renewed);
        return Err(failure);
    }
    report.downloaded = got.iter().filter(|file| file.fresh).count();
    failed(&mut report, failures);
    if wish.given.gpgcheck {
        failed(&mut report, check(session, source, &got)?);
    }
    if wish.given.download_metadata {
        let folder = wish.folder(&wish.metadata_target, source)?;
        metadata::copy(session, source, &folder)?;
    }
    if wish.given.delete {
        let keep: Vec<&str> = wanted.iter().map(|package| package.location()).collect();
        report.deleted = surplus::remove(session.printer, &folder, &keep)?;
    }
    Ok((report, first))
}

fn tell(session: &Session<'_>, name: &str, failure: &Failure) {
    session.printer.show_details(failure);
    let (code, text) = (failure.code.0, failure.code.text());
    session
        .printer
        .err(&format!("Error({code}) : {name}: {text}"));
}

/// A package file that is there.
struct Got<'a> {
    package: &'a WantedPackage,
    path: PathBuf,
    /// It came in this run.
    fresh: bool,
}

/// Packages that cannot be had, and why.
type Failures = Vec<(String, Failure)>;

/// Fetches the packages; those that are there and right are left alone, and not even read if they are known to be.
fn packages<'a>(
    session: &Session<'_>,
    source: &LoadedRepo,
    wanted: &'a [WantedPackage],
    folder: &Path,
    mut known: CheckedFiles,
) -> Outcome<(Vec<Got<'a>>, Failures)> {
    let (mut got, mut failures) = (Vec::new(), Vec::new());
    let mut requests: Vec<FileRequest> = Vec::new();
    let mut asked = Vec::new();
    for package in wanted {
        match request(source, package, folder) {
            Ok(request) if known.has(&request) => got.push(Got {
                package,
                path: request.dest,
                fresh: false,
            }),
            Ok(request) => {
                requests.push(request);
                asked.push(package);
            }
            Err(failure) => failures.push((package.name(), failure)),
        }
    }
    if requests.is_empty() {
        return Ok((got, failures));
    }
    let view = NetworkView::new(session.printer);
    let results =
        session.transfer(|| fetch(session.client(), requests, &session.limits(), &view))?;
    for (package, result) in asked.into_iter().zip(results) {
        match result {
            Ok(file) => {
                known.add(&file);
                got.push(Got {
                    package,
                    path: file.path,
                    fresh: file.url.is_some(),
                });
            }
            Err(error) => failures.push((package.name(), change::refused(&package.origin, error))),
        }
    }
    known.write(got.iter().map(|file| file.path.as_path()));
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
        offered.add_to(&mut keyring)?;
    }
    let rpm = change::RootRpm::of(session)?;
    let admitted = change::Admitted::by(session, &rpm, Some(&source.config))?;
    let mut failures = Vec::new();
    for file in got {
        let (path, identity) = (&file.path, &file.package.identity);
        let judged = change::verify_file(
            session,
            path,
            identity,
            (&keyring, &admitted),
            Policy::GpgCheck,
        );
        if let Err(failure) = judged {
            std::fs::remove_file(path).at(path)?;
            failures.push((file.package.name(), failure));
        }
    }
    Ok(failures)
}
