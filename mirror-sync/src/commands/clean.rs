//! `mirror-sync clean`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use clap::Args;

use super::sending;
use super::session::Session;
use crate::error::{EXIT_DONE, Error, Result};
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
        session.layout.require()?;
        session.change(&SyncOptions::default(), |run| {
            let ids = layout::names_in(&run.layout.root().join("state"))?;
            for id in &ids {
                run.publisher().prune(id)?;
            }
            sending::clean(run, &ids);
            let keep = if self.all { 0 } else { KEEP };
            let stored = run.store.sweep(run.now, keep)?;
            let partial = run.layout.partial();
            run.layout.make(&partial)?;
            let parts = sweep(&partial, run.now, keep)?;
            let (files, bytes) = (stored.0 + parts.0, stored.1 + parts.1);
            let printer = run.printer;
            printer.json(&serde_json::json!({ "files": files, "bytes": bytes }));
            let size = cli_kit::iec_size(bytes);
            printer.info(&format!("{files} files removed, {size} freed"));
            Ok(EXIT_DONE)
        })
    }
}
/// Removes what lies in a folder of files on their way and has not changed for `keep` seconds; how many files, and how
/// many bytes.
fn sweep(dir: &Path, now: u64, keep: u64) -> Result<(usize, u64)> {
    let (mut files, mut bytes) = (0, 0);
    for name in layout::names_in(dir)? {
        let path = dir.join(name);
        // A transfer of `serve` may just have ended.
        let Ok(about) = fs::symlink_metadata(&path) else {
            continue;
        };
        if about.is_dir() {
            let (inside, of_inside) = sweep(&path, now, keep)?;
            files += inside;
            bytes += of_inside;
            // It stays if anything in it does.
            let _ = fs::remove_dir(&path);
        } else if u64::try_from(about.mtime())
            .unwrap_or(0)
            .saturating_add(keep)
            <= now
        {
            fs::remove_file(&path).map_err(Error::file(&path, "remove"))?;
            files += 1;
            bytes += about.len();
        }
    }
    Ok((files, bytes))
}
