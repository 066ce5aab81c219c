//! `mirror-sync bundle`.

mod make;
mod request;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use cli_kit::{Printer, iec_size};

use crate::bundle::contents::Contents;
use crate::bundle::opened::{Opened, open};
use crate::bundle::{apply, record};
use crate::commands::{sending, session::Session};
use crate::error::{EXIT_DONE, Error, Result};
use crate::layout::{Layout, write_json};
use crate::sync::SyncOptions;
use crate::{manifest, trust};

/// Updates for sites without a network: request, make, carry, apply
#[derive(Subcommand)]
pub(super) enum Bundle {
    Request(request::RequestCommand),
    Make(make::Make),
    /// Checks a bundle whole and publishes what it brings
    #[command(after_help = "Example: mirror-sync bundle apply --dry-run plant-0001.tbundle")]
    Apply {
        #[command(flatten)]
        parts: BundleFiles,
        /// Only check
        #[arg(long, short = 'n')]
        dry_run: bool,
        /// Lets more packages go than the delete guard allows
        #[arg(long)]
        allow_delete: bool,
    },
    /// Reads and checks a bundle
    #[command(after_help = "Example: mirror-sync bundle verify plant-0001.tbundle")]
    Verify(BundleFiles),
    /// Tells what a bundle brings
    #[command(after_help = "Example: mirror-sync bundle list plant-0001.tbundle")]
    List(BundleFiles),
    /// Checks a bundle and unpacks its plain repositories
    #[command(after_help = "Example: mirror-sync bundle extract --output new plant-0001.tbundle")]
    Extract {
        #[command(flatten)]
        parts: BundleFiles,
        /// A new directory
        #[arg(long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Writes what was applied here last, for the maker of the next bundle
    #[command(after_help = "Example: mirror-sync bundle receipt --output receipt.json")]
    Receipt {
        /// Where to; standard output if none
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

// The bundle that a command reads.
#[derive(Args)]
pub(super) struct BundleFiles {
    /// The bundle; all its parts if it was split
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl BundleFiles {
    fn open(&self, session: &Session<'_>) -> Result<Opened> {
        let keys = trust::keyring(&session.config.bundle.keys)?;
        open(&self.files, &keys, session.now)
    }
}

impl Bundle {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<u8> {
        let printer = session.printer;
        match self {
            Bundle::Request(request) => request.run(session)?,
            Bundle::Make(make) => return make.run(session),
            Bundle::Apply {
                parts,
                dry_run,
                allow_delete,
            } => {
                let options = SyncOptions {
                    dry_run: *dry_run,
                    allow_delete: *allow_delete,
                    ..SyncOptions::default()
                };
                return apply(session, &parts.files, &options);
            }
            Bundle::Verify(parts) => {
                let bundle = parts.open(session)?;
                let files = bundle.check()?;
                printer.json(&serde_json::json!({ "bundle": bundle.name, "files": files }));
                printer.info(&format!("{}: {files} files are good", bundle.name));
            }
            Bundle::List(parts) => list(&parts.open(session)?, printer),
            Bundle::Extract { parts, output } => {
                let bundle = parts.open(session)?;
                bundle.extract(output)?;
                printer.json(&serde_json::json!({ "bundle": bundle.name, "directory": output }));
                let place = output.display();
                printer.info(&format!("{}: unpacked into {place}", bundle.name));
            }
            Bundle::Receipt { output } => receipt(&session.layout, output.as_deref(), printer)?,
        }
        Ok(EXIT_DONE)
    }
}

fn apply(session: &Session<'_>, parts: &[PathBuf], options: &SyncOptions) -> Result<u8> {
    let (done, code) = session.change(options, |run| {
        let done = apply::apply(run, parts)?;
        let ids: Vec<String> = done.added.keys().cloned().collect();
        let code = match options.dry_run {
            true => EXIT_DONE,
            false => sending::send_and_tell(run, &ids, EXIT_DONE),
        };
        Ok((done, code))
    })?;
    let printer = session.printer;
    printer.json(&done);
    for (sign, repos) in [("+", &done.added), ("-", &done.removed)] {
        for (repo, packages) in repos {
            for package in packages {
                printer.info(&format!("{sign} {repo} {package}"));
            }
        }
    }
    let word = if done.dry_run { "is good" } else { "applied" };
    printer.info(&format!("{}: {word}", done.bundle));
    Ok(code)
}

/// One line on what a bundle is.
fn describe(contents: &Contents, printer: &Printer) {
    let size = iec_size(contents.bytes());
    printer.info(&format!(
        "bundle {} for {}, {}: {} files, {}",
        contents.number,
        contents.site,
        contents.previous.as_ref().map_or_else(
            || "full".to_owned(),
            |old| format!("after bundle {}", old.number)
        ),
        contents.files.len(),
        size
    ));
}

fn list(bundle: &Opened, printer: &Printer) {
    printer.json(&bundle.contents);
    describe(&bundle.contents, printer);
    if let Some(end) = bundle.contents.expires {
        printer.info(&format!("refused from {}", manifest::date(end)));
    }
    for goal in &bundle.contents.repos {
        for (sign, packages) in [("+", &goal.added), ("-", &goal.removed)] {
            for package in packages {
                printer.crit(&format!("{sign} {} {package}", goal.whole.repo));
            }
        }
    }
}

fn receipt(layout: &Layout, output: Option<&Path>, printer: &Printer) -> Result<()> {
    let last = record::applied(layout)?.receipts.pop();
    let last = last.ok_or_else(|| Error::NotFound("no bundle has been applied here yet".into()))?;
    match output {
        Some(path) => {
            write_json(path, &last)?;
            printer.info(&format!(
                "{}: bundle {} was applied",
                path.display(),
                last.bundle.number
            ));
        }
        None => printer.crit(&serde_json::to_string(&last).unwrap_or_default()),
    }
    Ok(())
}
