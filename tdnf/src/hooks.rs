//! Hooks: executables of the administrator that are told, as JSON on their standard input, what
//! happens (docs/hooks.md).
//!
//! They lie in `hooks.d/POINT/` beside tdnf.conf: of the host, never of an installroot, whose
//! files are not trusted. Names come from the directory, never from a repository.

use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::error::{At, Code, Failure, Outcome};
use crate::plan::Plan;
use crate::session::{LoadedRepo, Session};
use crate::view::plan::PlanShape;

/// Endings of files that package managers and editors leave beside others.
const LEFTOVERS: [&str; 4] = ["~", ".rpmnew", ".rpmsave", ".rpmorig"];
/// Group and others may not write a hook.
const FOREIGN_WRITE: u32 = 0o022;
const EXECUTE: u32 = 0o111;
/// Where hooks look for programs.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// The version of what hooks are told.
const VERSION: u32 = 1;

/// When hooks run, as paths and JSON name it: everything is fetched and verified, nothing has
/// changed. A failure stops the run.
const PRE_TRANSACTION: &str = "pre-transaction";
/// The system has changed and the history says so.
const POST_TRANSACTION: &str = "post-transaction";
/// New metadata of a repository is there.
const REPO_REFRESHED: &str = "repo-refreshed";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Told<'a> {
    version: u32,
    point: &'static str,
    root: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_line: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanShape<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repo: Option<Refreshed<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Refreshed<'a> {
    id: &'a str,
    /// The folder of the metadata.
    dir: &'a Path,
    repomd_sha256: String,
}

/// Runs the hooks before a transaction; a failing one stops the run.
pub fn before(session: &Session<'_>, plan: &Plan) -> Outcome<()> {
    run(session, PRE_TRANSACTION, Some(plan), None)
}

/// Runs the hooks after a transaction; a failing one is named.
pub fn after(session: &Session<'_>, plan: &Plan) {
    let done = run(session, POST_TRANSACTION, Some(plan), None);
    warn(session, done);
}

/// Runs the hooks for a repository whose metadata is new; a failing one is named.
pub fn refreshed(session: &Session<'_>, source: &LoadedRepo) {
    let repo = Refreshed {
        id: &source.config.id,
        dir: &source.set.dir,
        repomd_sha256: source.set.repomd_digest.hex(),
    };
    let done = run(session, REPO_REFRESHED, None, Some(repo));
    warn(session, done);
}

fn warn(session: &Session<'_>, done: Outcome<()>) {
    for line in done.err().iter().flat_map(|failure| &failure.details) {
        session.printer.err(&format!("warning: {line}"));
    }
}

fn run(
    session: &Session<'_>,
    point: &'static str,
    plan: Option<&Plan>,
    repo: Option<Refreshed<'_>>,
) -> Outcome<()> {
    if !session.plugins.hooks {
        return Ok(());
    }
    let hooks = found(&session.settings.hooks_dir.join(point))?;
    if hooks.is_empty() {
        return Ok(());
    }
    let settings = &session.settings;
    let told = Told {
        version: VERSION,
        point,
        root: &settings.root,
        command_line: plan.map(|_| settings.command_line.as_str()),
        plan: plan.map(PlanShape),
        repo,
    };
    let text = serde_json::to_string(&told)
        .map_err(|error| Failure::because(Code::BASE, format!("hooks: {error}")))?;
    session.printer.flush();
    for hook in hooks {
        check(session, &hook)?;
        one(&hook, &text)?;
    }
    Ok(())
}

/// Hooks of a point, by name; no directory, no hooks.
fn found(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::io(dir, &error)),
    };
    let mut hooks = Vec::new();
    for entry in entries {
        let entry = entry.at(dir)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let leftover = LEFTOVERS.iter().any(|ending| name.ends_with(ending));
        if !leftover && !name.starts_with('.') {
            hooks.push(entry.path());
        }
    }
    hooks.sort();
    Ok(hooks)
}

/// A hook runs with our rights: only root or this user may have written it.
fn check(session: &Session<'_>, hook: &Path) -> Outcome<()> {
    let facts = std::fs::metadata(hook).at(hook)?;
    let own = facts.uid() == 0 || facts.uid() == session.settings.environment.euid;
    let why = if !facts.is_file() {
        "it is not a regular file"
    } else if facts.mode() & EXECUTE == 0 {
        "it is not executable"
    } else if !own || facts.mode() & FOREIGN_WRITE != 0 {
        "users other than root may change it"
    } else {
        return Ok(());
    };
    Err(failed(hook, why))
}

fn failed(hook: &Path, why: &str) -> Failure {
    Failure::because(
        Code::TRANSACTION_FAILED,
        format!("hook {}: {why}", hook.display()),
    )
    .hint("run it by hand, remove it, or leave all hooks out with --noplugins")
}

/// Runs one hook; what it prints goes to our standard error.
fn one(hook: &Path, text: &str) -> Outcome<()> {
    let broken = |error: &std::io::Error| failed(hook, &error.to_string());
    let out = std::io::stderr().as_fd().try_clone_to_owned();
    let mut child = Command::new(hook)
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(out.map_err(|error| broken(&error))?)
        .spawn()
        .map_err(|error| broken(&error))?;
    if let Some(mut input) = child.stdin.take() {
        match input.write_all(text.as_bytes()) {
            // It need not read.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(broken(&error)),
            _ => {}
        }
    }
    let status = child.wait().map_err(|error| broken(&error))?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(hook, &status.to_string()))
    }
}
