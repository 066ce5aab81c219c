//! `mirror-sync snapshot`.

use clap::Subcommand;

use super::session::Session;
use crate::error::{EXIT_DONE, EXIT_FAILED, Result};
use crate::layout::CURRENT;
use crate::manifest::Manifest;
use crate::publish::Publisher;
use crate::snapshot;
use crate::sync::SyncOptions;
use crate::trust::PackageTrust;

/// Lists, compares and publishes snapshots
#[derive(Subcommand)]
pub(super) enum Snapshot {
    /// What there is
    #[command(after_help = "Example: mirror-sync snapshot list base")]
    List {
        /// Repositories; all if none is named
        #[arg(value_name = "REPO")]
        repos: Vec<String>,
    },
    /// What changed between two
    #[command(after_help = "Example: mirror-sync snapshot diff base 2026-01-31")]
    Diff {
        /// Repository
        repo: String,
        /// Snapshot or date
        from: String,
        /// Snapshot or date; the published one if absent
        to: Option<String>,
    },
    /// Lets a channel show a snapshot
    #[command(after_help = "Example: mirror-sync snapshot promote base --to stable")]
    Promote {
        /// Repository
        repo: String,
        /// Channel that is to show it
        #[arg(long, value_name = "CHANNEL")]
        to: String,
        /// Channel that shows it now
        #[arg(long, value_name = "CHANNEL", default_value = CURRENT, hide_default_value = true)]
        from: String,
        /// Snapshot or date instead
        #[arg(long, value_name = "WHICH")]
        snapshot: Option<String>,
    },
    /// Shows the snapshot before, or a named one
    #[command(after_help = "Example: mirror-sync snapshot rollback base 2026-01-31")]
    Rollback {
        /// Repository
        repo: String,
        /// Snapshot or date
        which: Option<String>,
        /// Channel; public/REPO if none is named
        #[arg(long, value_name = "NAME", default_value = CURRENT, hide_default_value = true)]
        channel: String,
    },
}

impl Snapshot {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<u8> {
        let layout = &session.layout;
        let ids = session.repositories(self.repos())?;
        match self {
            Snapshot::List { .. } => {
                let (lines, faults) = snapshot::list(layout, &ids)?;
                snapshot::print_list(&lines, session.printer);
                for fault in &faults {
                    session.printer.err(&format!("Error: {fault}"));
                }
                if !faults.is_empty() {
                    return Ok(EXIT_FAILED);
                }
            }
            Snapshot::Diff { repo, from, to } => {
                let from = snapshot::find(layout, repo, from)?;
                let to = snapshot::find_or_shown(layout, repo, to.as_deref(), CURRENT)?;
                snapshot::print_diff(&snapshot::diff(&from, &to), session.printer);
            }
            Snapshot::Promote {
                repo,
                to,
                from,
                snapshot,
            } => show(session, repo, to, |_| {
                snapshot::find_or_shown(layout, repo, snapshot.as_deref(), from)
            })?,
            Snapshot::Rollback {
                repo,
                which,
                channel,
            } => show(session, repo, channel, |publisher| match which {
                Some(word) => snapshot::find(layout, repo, word),
                None => publisher.before(repo, channel),
            })?,
        }
        Ok(EXIT_DONE)
    }

    /// The repositories that are named.
    fn repos(&self) -> &[String] {
        match self {
            Snapshot::List { repos } => repos,
            Snapshot::Diff { repo, .. }
            | Snapshot::Promote { repo, .. }
            | Snapshot::Rollback { repo, .. } => std::slice::from_ref(repo),
        }
    }
}

/// Lets a channel show a snapshot that is chosen under the mirror's lock.
fn show(
    session: &Session<'_>,
    repo: &str,
    channel: &str,
    choose: impl FnOnce(&Publisher<'_>) -> Result<Manifest>,
) -> Result<()> {
    session.change(&SyncOptions::default(), |run| {
        let publisher = run.publisher();
        let manifest = choose(&publisher)?;
        let manifest = run.judged(&PackageTrust::of(run.config, repo)?, manifest)?;
        publisher.show(channel, &manifest)?;
        run.printer.json(&serde_json::json!({
            "repo": repo, "channel": channel, "snapshot": manifest.stamp,
        }));
        run.printer
            .info(&format!("{repo}: {channel} shows {} now", manifest.stamp));
        Ok(())
    })
}
