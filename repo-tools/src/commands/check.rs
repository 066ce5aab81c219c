//! `check DIR`.

use std::path::PathBuf;

use clap::Args;
use cli_kit::counted;
use serde::Serialize;

use super::{RunContext, example, number, workers};
use crate::check::{self, CheckChoice};
use crate::error::Result;
use crate::repository::Repository;

/// Checks checksums, every package against its metadata, and dependencies
#[derive(Args)]
#[command(after_help = example("repo-tools check /srv/repo"))]
pub(super) struct CheckArgs {
    /// The repository
    dir: PathBuf,
    /// Do not read package files
    #[arg(long)]
    no_packages: bool,
    /// Do not look for unresolved dependencies
    #[arg(long)]
    no_closure: bool,
    /// Threads that read packages
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    workers: Option<usize>,
    /// One JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
struct CheckSummary<'r> {
    packages: usize,
    elsewhere: usize,
    problems: &'r [String],
}

impl CheckArgs {
    pub(super) fn run(&self, session: &RunContext) -> Result<()> {
        let repository = Repository::open(&self.dir)?;
        let report = check::run(
            &repository,
            &CheckChoice {
                packages: !self.no_packages,
                closure: !self.no_closure,
                workers: workers(self.workers),
            },
        )?;
        let printer = &session.printer;
        report
            .problems
            .iter()
            .for_each(|problem| printer.crit(problem));
        if report.elsewhere > 0 {
            printer.info(&format!(
                "{} of a server, not read",
                counted(report.elsewhere as u64, "package")
            ));
        }
        for (base, why) in &report.refused_over_http {
            printer.err(&format!(
                "warning: clients refuse the base {base} over http: {why}"
            ));
        }
        printer.info(&format!(
            "{}, {}",
            counted(report.packages as u64, "package"),
            counted(report.problems.len() as u64, "problem")
        ));
        printer.json(&CheckSummary {
            packages: report.packages,
            elsewhere: report.elsewhere,
            problems: &report.problems,
        });
        check::judge(&report)
    }
}
