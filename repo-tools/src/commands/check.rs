//! `check DIR`.

use std::path::Path;

use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::{Entry, Session, flag, number, text, value};
use crate::check::{self, Checks};
use crate::error::Result;
use crate::repository::Repository;

pub(super) const ENTRY: Entry = Entry {
    name: "check",
    programs: &[],
    args,
    run,
};

fn args(command: Command) -> Command {
    command
        .about("Checks checksums, every package against its metadata, and dependencies")
        .arg(
            Arg::new("dir")
                .required(true)
                .value_name("DIR")
                .help("The repository"),
        )
        .arg(flag("no-packages", "Do not read package files"))
        .arg(flag(
            "no-closure",
            "Do not look for unresolved dependencies",
        ))
        .arg(value("workers", "Threads that read packages"))
        .arg(flag("json", "One JSON document"))
}

#[derive(Serialize)]
struct Outcome<'r> {
    packages: usize,
    elsewhere: usize,
    problems: &'r [String],
}

fn run(args: &ArgMatches, session: &Session) -> Result<()> {
    let repository = Repository::open(Path::new(&text(args, "dir").unwrap_or_default()))?;
    let cores = || {
        std::thread::available_parallelism()
            .map_or(2, usize::from)
            .min(16)
    };
    let report = check::run(
        &repository,
        &Checks {
            packages: !args.get_flag("no-packages"),
            closure: !args.get_flag("no-closure"),
            workers: number(args, "workers")?.unwrap_or_else(cores).clamp(1, 64),
        },
    )?;
    let printer = &session.printer;
    report
        .problems
        .iter()
        .for_each(|problem| printer.crit(problem));
    if report.elsewhere > 0 {
        printer.info(&format!(
            "{} packages lie elsewhere and were not read",
            report.elsewhere
        ));
    }
    printer.info(&format!(
        "{} packages, {} problems",
        report.packages,
        report.problems.len()
    ));
    printer.json(&Outcome {
        packages: report.packages,
        elsewhere: report.elsewhere,
        problems: &report.problems,
    });
    check::judge(&report)
}
