//! `check` and `check-local`: can everything that is offered be installed?

use std::collections::BTreeSet;
use std::path::Path;

use rpm_solv::{JobAction, JobTarget, SolverJob};

use super::operands::{Operand, Operands};
use super::{Command, files};
use crate::args::options::{self, of};
use crate::error::{Code, Outcome};
use crate::goal::{self, Request, SolverPolicy};
use crate::session::{Freshness, PRIMARY, Packages, Session, packages_below};

pub(super) const CHECK: Command = Command {
    name: "check",
    options: &[of::<options::SkipOptions>()],
    example: "check",
    about: "Check the packages of all repositories for problems",
    run: |session, _| {
        let mut packages = session.packages(session.sources(PRIMARY, Freshness::WhenExpired)?)?;
        let pool = &packages.pool;
        let offered = pool.solvables().filter(|id| !pool.is_installed(*id));
        let offered = offered.filter(|id| pool.arch(*id) != "src");
        let offered: BTreeSet<&str> = offered.map(|id| pool.name(id)).collect();
        let offered: Vec<String> = offered.into_iter().map(str::to_owned).collect();
        let mut names = Vec::new();
        for name in offered {
            // Asking for a name whose place another package has taken gets that one.
            if !goal::has_successor(&mut packages, &name)? {
                names.push(name);
            }
        }
        let job = |name| SolverJob::new(JobAction::Install, JobTarget::Name(name));
        let jobs: Vec<SolverJob> = names.into_iter().map(job).collect();
        solve(session, &mut packages, &jobs)
    },
    ..Command::PLAIN
};

pub(super) const CHECK_LOCAL: Command = Command {
    name: "check-local",
    usage: "DIR",
    operands: Operands::all(Operand::File),
    options: &[of::<options::SkipOptions>()],
    example: "check-local /srv/packages",
    about: "Check the packages below a folder for problems, as if nothing else existed",
    run: check_local,
    ..Command::PLAIN
};

fn check_local(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let dir = words.first().ok_or(Code::CLI_CHECKLOCAL_EXPECT_DIR)?;
    session
        .printer
        .info(&format!("Checking all packages from: {dir}"));
    let found = packages_below(Path::new(dir))?;
    session
        .printer
        .info(&format!("Found {} packages", found.len()));
    let mut packages = session.packages_of(Vec::new())?;
    let words = found.iter().map(|path| path.to_string_lossy().into_owned());
    let words: Vec<String> = words.collect();
    let ids = files::add(session, &mut packages, &words, files::PackageScope::Binary)?;
    let job = |id| SolverJob::solvable(JobAction::Install, id);
    let jobs: Vec<SolverJob> = ids.into_iter().map(job).collect();
    solve(session, &mut packages, &jobs)
}

fn solve(session: &Session<'_>, packages: &mut Packages, jobs: &[SolverJob]) -> Outcome<u8> {
    let policy = SolverPolicy::default();
    let request = Request::new(&session.settings, session.args.repeated(), policy);
    goal::check(&request, packages, session, jobs)?;
    session.printer.info("Check completed without issues");
    Ok(0)
}
