//! `mirror-sync snapshot`.

use clap::{Args, Subcommand};
use cli_kit::counted;

use super::sending;
use super::session::Session;
use crate::error::{EXIT_DONE, EXIT_FAILED, EXIT_NOTHING_NEW, EXIT_PARTIAL, Error, Result};
use crate::layout::CURRENT;
use crate::manifest::Manifest;
use crate::manifest::labels::{self, Label};
use crate::publish::Publisher;
use crate::sync::SyncOptions;
use crate::sync::merge::merge;
use crate::trust::PackageTrust;
use crate::{snapshot, status};

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
        /// Channel that shows it now; public/REPO if none is named, and for `--to current` the newest that it showed
        #[arg(long, value_name = "CHANNEL")]
        from: Option<String>,
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
    /// Makes one repository of several
    #[command(
        after_help = "Example: mirror-sync snapshot merge --into all base updates@2026-01-31"
    )]
    Merge {
        /// Repository (`mode = "merge"`) that is to be of these
        #[arg(long, value_name = "REPO")]
        into: String,
        /// Repositories; with @ a snapshot, its name or a date. What the first has, it is taken from
        #[arg(value_name = "REPO[@WHICH]", required = true)]
        sources: Vec<String>,
        /// Lets more packages go than the delete guard allows
        #[arg(long)]
        allow_delete: bool,
    },
    /// Keeps a snapshot, however old it gets
    #[command(after_help = "Example: mirror-sync snapshot pin base 2026-01-31")]
    Pin(Which),
    /// Lets a snapshot go again when its time has come
    #[command(after_help = "Example: mirror-sync snapshot unpin base golden")]
    Unpin(Which),
    /// Gives a snapshot a name, which means it wherever a date does; none takes it away
    #[command(after_help = "Example: mirror-sync snapshot rename base 2026-01-31 golden")]
    Rename {
        /// Repository
        repo: String,
        /// Snapshot, its name or a date
        which: String,
        /// New name
        name: Option<String>,
    },
    /// Notes something down about a snapshot; nothing takes the note away
    #[command(after_help = "Example: mirror-sync snapshot note base golden tested")]
    Note {
        /// Repository
        repo: String,
        /// Snapshot, its name or a date
        which: String,
        /// What is noted down
        text: Option<String>,
    },
}

// The snapshot that a command is about.
#[derive(Args)]
pub(super) struct Which {
    /// Repository
    repo: String,
    /// Snapshot, its name or a date; the published one if absent
    which: Option<String>,
}

/// Most bytes of a note.
const MAX_NOTE: usize = 1000;

impl Snapshot {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<u8> {
        let layout = &session.layout;
        let ids = session.repositories(self.repos())?;
        layout.require()?;
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
                let [repo] = ids.as_slice() else {
                    let why = format!(
                        "{repo} is several repositories: name one of {}",
                        ids.join(", ")
                    );
                    return Err(Error::Usage(why));
                };
                let from = snapshot::find(layout, repo, from)?;
                let to = snapshot::find_or_shown(layout, repo, to.as_deref(), CURRENT)?;
                snapshot::print_diff(&snapshot::diff(&from, &to), session.printer);
            }
            Snapshot::Promote {
                to, from, snapshot, ..
            } => {
                return show(session, &ids, to, |publisher, repo| {
                    match (snapshot, from) {
                        // What ends a rollback.
                        (None, None) if to == CURRENT => publisher.newest(repo),
                        _ => {
                            let from = from.as_deref().unwrap_or(CURRENT);
                            snapshot::find_or_shown(layout, repo, snapshot.as_deref(), from)
                        }
                    }
                });
            }
            Snapshot::Rollback { which, channel, .. } => {
                return show(session, &ids, channel, |publisher, repo| match which {
                    Some(word) => snapshot::find(layout, repo, word),
                    None => publisher.before(repo, channel),
                });
            }
            Snapshot::Merge {
                into,
                sources,
                allow_delete,
            } => return merged(session, into, sources, *allow_delete),
            Snapshot::Pin(which) => {
                return label(session, &ids, which.which.as_deref(), |label| {
                    label.pinned = true;
                });
            }
            Snapshot::Unpin(which) => {
                return label(session, &ids, which.which.as_deref(), |label| {
                    label.pinned = false;
                });
            }
            Snapshot::Rename { which, name, .. } => {
                if let Some(name) = name {
                    for id in &ids {
                        // Who has no such snapshot is told of below.
                        let Ok(stamp) = snapshot::find_stamp(layout, id, which) else {
                            continue;
                        };
                        if let Some(why) = snapshot::name_fault(layout, id, &stamp, name)? {
                            return Err(Error::Usage(format!("name {name:?}: {why}")));
                        }
                    }
                }
                return label(session, &ids, Some(which), |label| {
                    label.name.clone_from(name);
                });
            }
            Snapshot::Note { which, text, .. } => {
                let text = text.as_ref().filter(|text| !text.is_empty());
                if text.is_some_and(|text| text.len() > MAX_NOTE || text.contains(char::is_control))
                {
                    let why = format!("a note is a line of at most {MAX_NOTE} bytes");
                    return Err(Error::Usage(why));
                }
                return label(session, &ids, Some(which), |label| {
                    label.note = text.cloned();
                });
            }
        }
        Ok(EXIT_DONE)
    }

    /// The repositories that are named.
    fn repos(&self) -> &[String] {
        match self {
            Snapshot::List { repos } => repos,
            Snapshot::Merge { .. } => &[],
            Snapshot::Pin(which) | Snapshot::Unpin(which) => std::slice::from_ref(&which.repo),
            Snapshot::Diff { repo, .. }
            | Snapshot::Promote { repo, .. }
            | Snapshot::Rename { repo, .. }
            | Snapshot::Note { repo, .. }
            | Snapshot::Rollback { repo, .. } => std::slice::from_ref(repo),
        }
    }
}

/// Lets a channel of each of these repositories show a snapshot that is chosen under the mirror's lock.
fn show(
    session: &Session<'_>,
    ids: &[String],
    channel: &str,
    choose: impl Fn(&Publisher<'_>, &str) -> Result<Manifest>,
) -> Result<u8> {
    session.change(&SyncOptions::default(), |run| {
        let publisher = run.publisher();
        // All are looked at before anything is changed. Of several, those that have nothing are left out.
        let (mut chosen, mut lacking) = (Vec::new(), Vec::new());
        for repo in ids {
            let manifest = match choose(&publisher, repo) {
                Err(error @ Error::NotFound(_)) if ids.len() > 1 => {
                    lacking.push(error);
                    continue;
                }
                other => other?,
            };
            let trust = PackageTrust::of(run.config, repo)?;
            chosen.push((repo.clone(), run.judged(&trust, manifest)?));
        }
        for error in &lacking {
            run.printer.err(&format!("Error: {error}"));
        }
        let is_partial = !lacking.is_empty();
        if is_partial && chosen.is_empty() {
            return Ok(EXIT_FAILED);
        }
        let mut done = Vec::new();
        for (repo, manifest) in &chosen {
            publisher.show(channel, manifest)?;
            done.push(serde_json::json!({
                "repo": repo, "channel": channel, "snapshot": manifest.stamp,
            }));
            run.printer
                .info(&format!("{repo}: {channel} shows {} now", manifest.stamp));
        }
        match done.as_slice() {
            [one] if ids.len() == 1 => run.printer.json(one),
            all => run.printer.json(&all),
        }
        let shown: Vec<String> = chosen.into_iter().map(|(repo, _)| repo).collect();
        let code = sending::send_and_tell(run, &shown, EXIT_DONE);
        for fault in status::publish_pages(&publisher) {
            run.printer.err(&format!("warning: {fault}"));
        }
        Ok(if is_partial { EXIT_PARTIAL } else { code })
    })
}

/// Changes what is said of a snapshot of each of these repositories. Of several, those that have none are left out.
fn label(
    session: &Session<'_>,
    ids: &[String],
    which: Option<&str>,
    change: impl Fn(&mut Label),
) -> Result<u8> {
    session.change(&SyncOptions::default(), |run| {
        let mut done = Vec::new();
        for id in ids {
            let stamp = match which {
                Some(word) => snapshot::find_stamp(&run.layout, id, word),
                None => snapshot::shown(&run.layout, id, CURRENT).map(|shown| shown.stamp),
            };
            let stamp = match stamp {
                Err(error @ Error::NotFound(_)) if ids.len() > 1 => {
                    run.printer.err(&format!("Error: {error}"));
                    continue;
                }
                other => other?,
            };
            labels::change(&run.layout, id, &stamp, &change)?;
            let label = labels::read(&run.layout, id)?.remove(&stamp);
            let label = label.unwrap_or_default();
            let name = label.name.as_ref().map(|name| format!(", called {name}"));
            let kept = if label.pinned { ", stays" } else { "" };
            let note = label.note.as_ref().map(|note| format!(": {note}"));
            run.printer.info(&format!(
                "{id}: {stamp}{}{kept}{}",
                name.unwrap_or_default(),
                note.unwrap_or_default()
            ));
            done.push(serde_json::json!({ "repo": id, "snapshot": stamp, "label": label }));
        }
        run.printer.json(&done);
        Ok(match done.len() {
            0 => EXIT_FAILED,
            some if some < ids.len() => EXIT_PARTIAL,
            _ => EXIT_DONE,
        })
    })
}

fn merged(session: &Session<'_>, into: &str, sources: &[String], allow_delete: bool) -> Result<u8> {
    session.change(&SyncOptions::default(), |run| {
        let mut manifests = Vec::new();
        for source in sources {
            let (name, which) = match source.split_once('@') {
                Some((name, which)) => (name, Some(which)),
                None => (source.as_str(), None),
            };
            for id in session.repositories(&[name.to_owned()])? {
                if id == into {
                    return Err(Error::Usage(format!("{into} cannot be merged into itself")));
                }
                let found = snapshot::find_or_shown(&run.layout, &id, which, CURRENT)?;
                manifests.push((found, which.is_some()));
            }
        }
        let done = merge(run, into, &manifests, allow_delete)?;
        let made = done.manifest.as_ref();
        run.printer.json(&serde_json::json!({
            "repo": into,
            "snapshot": made.map(|one| &one.stamp),
            "packages": made.map(|one| one.packages),
            "collisions": done.collisions,
        }));
        let Some(made) = made else {
            run.printer.info(&format!("{into}: nothing new"));
            // A place may have been away when there was.
            let ids = [into.to_owned()];
            return Ok(sending::send_and_tell(run, &ids, EXIT_NOTHING_NEW));
        };
        run.printer.info(&format!(
            "{into}: published {}: {} of {}",
            made.stamp,
            counted(made.packages as u64, "package"),
            counted(manifests.len() as u64, "snapshot")
        ));
        let code = sending::send_and_tell(run, &[into.to_owned()], EXIT_DONE);
        for fault in status::publish_pages(&run.publisher()) {
            run.printer.err(&format!("Error: {fault}"));
        }
        Ok(code)
    })
}
