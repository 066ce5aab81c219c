//! `prune DIR --keep N`: older versions leave the metadata, then the disk.

use std::collections::{BTreeSet, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use rpm_pkg::evr::Evr;
use rpm_repo::compress::Format;
use rpm_repo::repomd::Repomd;

use super::{RunContext, example, number};
use crate::create::is_package_kind;
use crate::document::FileStyle;
use crate::error::{Error, Result};
use crate::repository::Repository;
use crate::select::{self, SelectedPackages};
use crate::update::Update;

/// Keeps the newest versions of each package; removes the others from metadata and disk
#[derive(Args)]
#[command(after_help = example("repo-tools prune --keep 2 --dry-run /srv/repo"))]
pub(super) struct Prune {
    /// The repository
    dir: PathBuf,
    /// Versions to keep of each name and architecture
    #[arg(long, short, value_name = "NUMBER", value_parser = one_or_more)]
    keep: usize,
    /// Only say what would go
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Remove them from the metadata only
    #[arg(long)]
    keep_files: bool,
}

fn one_or_more(text: &str) -> std::result::Result<usize, &'static str> {
    match number(text)? {
        0 => Err("expected 1 or more"),
        keep => Ok(keep),
    }
}

/// One package of the repository.
struct PruneCandidate {
    place: u64,
    evr: Evr,
    checksum: String,
    /// None: somewhere else.
    location: Option<String>,
}

impl Prune {
    pub(super) fn run(&self, session: &RunContext) -> Result<()> {
        let repository = Arc::new(Repository::open(&self.dir)?);
        let (kept, gone) = choose(&repository, self.keep)?;
        let word = if self.dry_run {
            "would remove"
        } else {
            "remove"
        };
        for package in &gone {
            let name = package.location.as_deref().unwrap_or(&package.checksum);
            session.printer.info(&format!("{word} {name}"));
        }
        if gone.is_empty() || self.dry_run {
            return Ok(());
        }
        publish(&repository, &kept, &gone, session)?;
        if self.keep_files {
            return Ok(());
        }
        // Two records may name one file.
        let still: Vec<_> = kept
            .iter()
            .filter_map(|package| package.location.as_ref())
            .collect();
        for location in gone.iter().filter_map(|package| package.location.as_ref()) {
            if still.contains(&location) {
                continue;
            }
            match repository.folder().remove(Path::new(location)) {
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    session.printer.err(&format!(
                        "warning: {location} is not removed: {error}: remove what it leads to by hand"
                    ));
                }
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    let path = repository.dir.join(location);
                    return Err(Error::file(path, "remove")(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn choose(
    repository: &Repository,
    keep: usize,
) -> Result<(Vec<PruneCandidate>, Vec<PruneCandidate>)> {
    let mut groups: HashMap<(String, String), Vec<PruneCandidate>> = HashMap::new();
    repository.packages(&mut |place, package| {
        let is_here = package.location_base().is_none() && package.location_fault().is_none();
        let key = (package.name().to_owned(), package.arch().to_owned());
        groups.entry(key).or_default().push(PruneCandidate {
            place,
            evr: Evr::new(Some(package.epoch()), package.version(), package.release()),
            checksum: package.checksum().to_owned(),
            location: is_here.then(|| package.location().to_owned()),
        });
    })?;
    let (mut kept, mut gone) = (Vec::new(), Vec::new());
    for mut group in groups.into_values() {
        group.sort_by(|a, b| b.evr.cmp(&a.evr));
        let mut versions = 0;
        let mut last = None;
        for package in group {
            if last.as_ref() != Some(&package.evr) {
                versions += 1;
                last = Some(package.evr.clone());
            }
            if versions <= keep {
                kept.push(package)
            } else {
                gone.push(package)
            }
        }
    }
    kept.sort_unstable_by_key(|package| package.place);
    gone.sort_unstable_by_key(|package| package.place);
    Ok((kept, gone))
}

/// New metadata first: no client is sent to a file that is gone.
fn publish(
    repository: &Arc<Repository>,
    kept: &[PruneCandidate],
    gone: &[PruneCandidate],
    session: &RunContext,
) -> Result<()> {
    let mut update = Update::begin(repository.folder().clone())?;
    if update.old.digest != repository.digest {
        return Err(Error::Busy(repository.dir.clone()));
    }
    let primary = repository.record("primary")?;
    let name = primary.href.file_name();
    let checksum = primary.checksum.map(|digest| digest.algo());
    let style = FileStyle {
        dir: update.dir.clone(),
        format: match Format::of_name(name) {
            Format::Zchunk => Format::Gzip,
            format => format,
        },
        checksum: checksum.unwrap_or(rpm_pkg::digest::DigestAlgo::Sha256),
        unique_names: !name.starts_with("primary."),
        timestamp: session.now,
    };
    let source = SelectedPackages {
        repository: Arc::clone(repository),
        kept: kept.iter().map(|p| (p.place, p.checksum.clone())).collect(),
        base: None,
    };
    let mut records = select::write(&[source], &style)?;
    let others = repository.repomd.records.iter();
    records.extend(others.filter(|r| !is_package_kind(&r.kind)).cloned());
    if let Some(state) = &mut update.state {
        let lost = |line: &&str| {
            gone.iter()
                .any(|p| p.location.as_deref() == line.splitn(7, ' ').nth(6))
        };
        let lines = state.packages.lines().filter(|line| !lost(line));
        state.packages = lines.map(|line| format!("{line}\n")).collect();
        // They were written anew.
        state.documents.clear();
    }
    let repomd = Repomd {
        revision: Some(session.now.to_string()),
        records,
        ..repository.repomd.clone()
    };
    update.publish(&repomd, &BTreeSet::new())?;
    Ok(())
}
