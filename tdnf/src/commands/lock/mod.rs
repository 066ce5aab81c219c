//! `lock`: writes, checks, updates and compares lock files; and what `--locked` does with them (docs/lock.md).

mod check;
mod make;
mod update;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use rpm_pkg::digest::DigestAlgo;
use rpm_repo::lock::{Lock, LockFormat, LockedArch, MAX_LOCK, differences};
use rustix::fs::OFlags;
use whole_file::{Access, Durability, open_named};

use super::Command;
use super::operands::{Operand, Operands};
use crate::args::options::{self, of};
use crate::change::{self, Locked, Prepared};
use crate::error::{At, Code, Failure, Outcome};
use crate::goal::Goal;
use crate::image::Sources;
use crate::session::{Session, digest_of};
use crate::view::lock::{LockDifferences, LockText};

/// The file that is meant where none is named.
const FILE: &str = "tdnf.lock";
/// The name of standard output.
const STDOUT: &str = "-";
/// Exit code where locks differ, as that of diff.
const DIFFERENT: u8 = 1;

pub(super) use make::repository;

pub(super) const COMMAND: Command = Command {
    name: "lock",
    usage: "[-o FILE] PACKAGE... | --installed | --check [FILE] | --update FILE [PACKAGE...] | --diff FILE FILE",
    operands: Operands::all(Operand::Available),
    options: &[
        of::<options::TargetOption>(),
        of::<options::LockOptions>(),
        of::<options::InstalledScope>(),
        of::<options::Arch>(),
        of::<options::Incoming>(),
        of::<options::Excludes>(),
        of::<options::SkipOptions>(),
    ],
    example: "lock -o /srv/packages/nginx.lock nginx",
    about: "Write down which package files a set is, to install the same later",
    never_dry: true,
    run,
    ..Command::PLAIN
};

fn run(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let given = &session.args.options.lock;
    let is_installed = session.args.options.installed.installed;
    tell_idle(session);
    match ([given.check, given.update, given.diff, is_installed], words) {
        ([false, false, false, false], []) => Err(Code::PACKAGE_REQUIRED.into()),
        ([false, false, false, false], words) => make::write(session, words),
        ([true, false, false, false], []) => check::check(session, FILE),
        ([true, false, false, false], [file]) => check::check(session, file),
        ([false, true, false, false], []) => update::update(session, FILE, &[]),
        ([false, true, false, false], [file, names @ ..]) => update::update(session, file, names),
        ([false, false, true, false], [old, new]) => diff(session, old, new),
        ([false, false, false, true], []) => make::write_installed(session),
        ([true, false, false, false], _) => Err(Failure::invalid("--check takes one lock file")),
        ([false, false, true, false], _) => Err(Failure::invalid("--diff takes two lock files")),
        ([false, false, false, true], _) => Err(Failure::invalid(
            "--installed takes no packages: it locks what is installed",
        )),
        _ => Err(Failure::invalid(
            "--check, --update, --diff and --installed exclude each other",
        )),
    }
}

/// Options that say how a lock is made have no effect where none is.
fn tell_idle(session: &Session<'_>) {
    let options = &session.args.options;
    let (check, diff, update) = (options.lock.check, options.lock.diff, options.lock.update);
    let idle = [
        (
            "--output",
            options.target.output.is_some() && (check || diff),
        ),
        ("--format", options.lock.format.is_some() && (check || diff)),
        (
            "--arch",
            !options.arch.arch.is_empty() && (check || diff || update),
        ),
    ];
    for (name, _) in idle.iter().filter(|(_, idle)| *idle) {
        session.warn_once(&format!(
            "warning: {name} has no effect here: no lock of it is made"
        ));
    }
}

/// `install --locked`.
pub(super) fn install(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    change::install_locked(session, &locked(session, words)?)
}

/// `image --locked`, in the root of the image.
pub(super) fn prepare(
    session: &Session<'_>,
    words: &[String],
) -> Outcome<Option<(Goal, Prepared)>> {
    change::prepare_locked(session, &locked(session, words)?)
}

/// Where the packages of the lock of `--locked` came from: its digest, and the repositories that it names.
pub(super) fn sources(session: &Session<'_>, file: &str) -> Outcome<Sources> {
    let path = Path::new(file);
    Ok(Sources {
        lock: Some(digest_of(DigestAlgo::Sha256, path)?),
        repos: locked(session, &[])?.section.repositories,
    })
}

/// `download --locked`: all of it, whatever is installed.
pub(super) fn download(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    change::obtain_locked(session, &locked(session, words)?).map(|_| 0)
}

/// What a lock says of this machine's architecture, and the folders that are looked into.
fn locked(session: &Session<'_>, words: &[String]) -> Outcome<Locked> {
    let given = &session.args.options.locked;
    let file = given.locked.as_deref().unwrap_or(FILE);
    if let Some(word) = words.first() {
        let line = format!("--locked installs exactly what {file} names: {word} is more");
        return Err(Failure::invalid(line));
    }
    let mut lock = read(session, file)?;
    let arch = &session.settings.arch;
    let Some(section) = lock.architectures.remove(arch) else {
        let known: Vec<&str> = lock.architectures.keys().map(String::as_str).collect();
        let line = format!(
            "{file}: it has no packages for {arch}, only for {}",
            known.join(", ")
        );
        return Err(Failure::invalid(line).hint("--forcearch ARCH acts as another machine"));
    };
    let seeds = given.seed.iter().map(PathBuf::from).collect();
    Ok(Locked { section, seeds })
}

/// Reads a lock; keys that nobody knows are said. Repositories are those of its release.
fn read(session: &Session<'_>, file: &str) -> Outcome<Lock> {
    let path = Path::new(file);
    let (opened, _) = open_named(path, OFlags::RDONLY).at(path)?;
    let mut bytes = Vec::new();
    opened.take(MAX_LOCK + 1).read_to_end(&mut bytes).at(path)?;
    let (lock, unknown) =
        Lock::read(file, &bytes).map_err(|error| Failure::invalid(error.to_string()))?;
    if !unknown.is_empty() {
        session.warn_once(&format!(
            "warning: {file}: keys without effect here: {}",
            unknown.join(", ")
        ));
    }
    if let Some(release) = &lock.releasever {
        session.assume_release(release);
    }
    Ok(lock)
}

/// The format that is asked for.
fn format(session: &Session<'_>) -> Outcome<LockFormat> {
    let Some(name) = &session.args.options.lock.format else {
        return Ok(LockFormat::default());
    };
    LockFormat::of(name).ok_or_else(|| {
        let line = format!(
            "--format={name}: {} are known",
            LockFormat::NAMES.join(", ")
        );
        Failure::invalid(line)
    })
}

/// Writes a lock, whole or not at all; `file` is used where `-o` names none.
fn put(session: &Session<'_>, lock: &Lock, file: &str) -> Outcome<u8> {
    let text = lock.write(format(session)?);
    let file = session
        .args
        .options
        .target
        .output
        .as_deref()
        .unwrap_or(file);
    if file == STDOUT {
        session.printer.show(&LockText(&text));
        return Ok(0);
    }
    let path = Path::new(file);
    whole_file::only_regular(path).at(path)?;
    whole_file::replace(path, text.as_bytes(), Access::Umask, Durability::Synced).at(path)?;
    for (arch, section) in &lock.architectures {
        let count = section.packages.len();
        session
            .printer
            .info(&format!("{file}: {count} packages for {arch}"));
    }
    Ok(0)
}

/// `--diff`.
fn diff(session: &Session<'_>, old: &str, new: &str) -> Outcome<u8> {
    let (one, other) = ((old, read(session, old)?), (new, read(session, new)?));
    for (this, that) in [(&one, &other), (&other, &one)] {
        let archs = this.1.architectures.keys();
        for arch in archs.filter(|arch| !that.1.architectures.contains_key(*arch)) {
            session.printer.err(&format!("{arch}: only in {}", this.0));
        }
    }
    Ok(show(session, &compare(&one.1, &other.1)))
}

/// What differs, by architecture.
type Differing = Vec<(String, Vec<rpm_repo::lock::Difference>)>;

fn compare(old: &Lock, new: &Lock) -> Differing {
    let none = LockedArch::default();
    let archs = old.architectures.keys().chain(new.architectures.keys());
    let archs: BTreeSet<&String> = archs.collect();
    let each = archs.into_iter().map(|arch| {
        let [old, new] = [old, new].map(|lock| lock.architectures.get(arch).unwrap_or(&none));
        (arch.clone(), differences(old, new))
    });
    each.filter(|(_, found)| !found.is_empty()).collect()
}

/// Shows what differs; the exit code.
fn show(session: &Session<'_>, differing: &Differing) -> u8 {
    session.printer.show(&LockDifferences(differing));
    match differing.is_empty() {
        true => 0,
        false => DIFFERENT,
    }
}
