//! `check` and `check-local`: can everything that is offered be installed?

use std::collections::BTreeSet;
use std::path::Path;

use rpm_solv::{JobAction, JobFlags, JobTarget, SolverJob};

use super::operands::{Operand, Operands};
use super::{Command, Needs, files};
use crate::args::options::{self, of};
use crate::error::{Code, Outcome};
use crate::goal::{self, Request, SolverPolicy};
use crate::session::{Freshness, PRIMARY, Packages, Session, packages_below};

pub(super) const CHECK: Command = Command {
    name: "check",
    aliases: &[],
    usage: "",
    operands: Operands::all(Operand::Nothing),
    options: &[of::<options::SkipOptions>()],
    example: "check",
    about: "Check the packages of all repositories for problems",
    needs: Needs::Nothing,
    run: |session, _| {
        let mut packages = session.packages(session.sources(PRIMARY, Freshness::WhenExpired)?)?;
        let mut names: Vec<&str> = packages
            .pool
            .solvables()
            .filter(|id| !packages.pool.is_installed(*id) && packages.pool.arch(*id) != "src")
            .map(|id| packages.pool.name(id))
            .collect();
        names.sort_unstable();
        names.dedup();
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        // Asking for a name whose place another package has taken gets that one.
        let mut taken = BTreeSet::new();
        for name in &names {
            if goal::has_successor(&mut packages, name)? {
                taken.insert(name.clone());
            }
        }
        names.retain(|name| !taken.contains(name));
        let job = |name: String| {
            let target = JobTarget::Name(name);
            SolverJob::new(JobAction::Install, target, JobFlags::default())
        };
        let jobs: Vec<SolverJob> = names.into_iter().map(job).collect();
        solve(session, &mut packages, &jobs)
    },
};

pub(super) const CHECK_LOCAL: Command = Command {
    name: "check-local",
    aliases: &[],
    usage: "DIR",
    operands: Operands::all(Operand::File),
    options: &[of::<options::SkipOptions>()],
    example: "check-local /srv/packages",
    about: "Check the packages below a folder for problems, as if nothing else existed",
    needs: Needs::Nothing,
    run: check_local,
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
    let mut packages = session.no_packages()?;
    let words: Vec<String> = found
        .iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    let ids = files::add(session, &mut packages, &words, files::PackageScope::Binary)?;
    let jobs: Vec<SolverJob> = ids
        .into_iter()
        .map(|id| SolverJob::solvable(JobAction::Install, id))
        .collect();
    solve(session, &mut packages, &jobs)
}

fn solve(session: &Session<'_>, packages: &mut Packages, jobs: &[SolverJob]) -> Outcome<u8> {
    let request = Request::new(
        &session.settings,
        &session.args.words,
        SolverPolicy::default(),
    );
    goal::check(&request, packages, session, jobs)?;
    session.printer.info("Check completed without issues");
    Ok(0)
}
