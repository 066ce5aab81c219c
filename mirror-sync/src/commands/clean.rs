//! `mirror-sync clean`.

use clap::Args;

use super::session::Session;
use crate::error::{EXIT_DONE, Result};
use crate::layout;
use crate::sync::SyncOptions;

/// Seconds for which what an unfinished run may still want stays.
const KEEP: u64 = 7 * 86_400;

/// Removes what no snapshot uses
#[derive(Args)]
#[command(after_help = "Example: mirror-sync clean --all")]
pub(super) struct Clean {
    /// Also what an unfinished run may still want
    #[arg(long)]
    all: bool,
}

impl Clean {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<u8> {
        session.change(&SyncOptions::default(), |run| {
            for id in layout::names_in(&run.layout.root().join("state"))? {
                run.publisher().prune(&id)?;
            }
            let keep = if self.all { 0 } else { KEEP };
            let (files, bytes) = run.store.sweep(run.now, keep)?;
            if self.all {
                layout::remove_tree(&run.layout.partial())?;
            }
            let printer = run.printer;
            printer.json(&serde_json::json!({ "files": files, "bytes": bytes }));
            let size = cli_kit::human_size(bytes);
            printer.info(&format!("{files} files removed, {} freed", size.trim()));
            Ok(EXIT_DONE)
        })
    }
}
