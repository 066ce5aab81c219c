//! `prune DIR --keep N`: older versions leave the metadata, then the disk.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command};
use rpm_pkg::evr::Evr;
use rpm_repo::compress::Format;
use rpm_repo::repomd::Repomd;

use super::{Entry, Session, flag, number, text, value};
use crate::create::is_package_kind;
use crate::document::FileStyle;
use crate::error::{Error, Result};
use crate::repository::Repository;
use crate::select::{self, Source};
use crate::update::Update;

pub(super) const ENTRY: Entry = Entry {
    name: "prune",
    programs: &[],
    args,
    run,
};

fn args(command: Command) -> Command {
    command
        .about(
            "Keeps the newest versions of each package; removes the others from metadata and disk",
        )
        .arg(
            Arg::new("dir")
                .required(true)
                .value_name("DIR")
                .help("The repository"),
        )
        .arg(
            value("keep", "Versions to keep of each name and architecture")
                .short('k')
                .required(true),
        )
        .arg(flag("dry-run", "Only say what would go").short('n'))
        .arg(flag("keep-files", "Remove them from the metadata only"))
}

/// One package of the repository.
struct Package {
    place: u64,
    evr: Evr,
    checksum: String,
    /// None: somewhere else.
    location: Option<String>,
}

fn run(args: &ArgMatches, session: &Session) -> Result<()> {
    let dir = text(args, "dir").unwrap_or_default();
    let keep = number(args, "keep")?.filter(|keep| *keep > 0);
    let keep = keep.ok_or_else(|| Error::Usage("--keep: expected 1 or more".into()))?;
    let repository = Arc::new(Repository::open(Path::new(&dir))?);
    let (kept, gone) = choose(&repository, keep)?;
    let word = if args.get_flag("dry-run") {
        "would remove"
    } else {
        "remove"
    };
    for package in &gone {
        let name = package.location.as_deref().unwrap_or(&package.checksum);
        session.printer.info(&format!("{word} {name}"));
    }
    if gone.is_empty() || args.get_flag("dry-run") {
        return Ok(());
    }
    publish(&repository, &kept, &gone, session)?;
    if args.get_flag("keep-files") {
        return Ok(());
    }
    // Two records may name one file.
    let still: Vec<_> = kept
        .iter()
        .filter_map(|package| package.location.as_ref())
        .collect();
    for location in gone.iter().filter_map(|package| package.location.as_ref()) {
        let path = repository.dir.join(location);
        if still.contains(&location) {
            continue;
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file(path, "remove")(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn choose(repository: &Repository, keep: usize) -> Result<(Vec<Package>, Vec<Package>)> {
    let mut groups: HashMap<(String, String), Vec<Package>> = HashMap::new();
    let mut place = 0;
    repository.packages(&mut |package| {
        let is_here = package.location_base().is_none() && package.location_fault().is_none();
        let key = (package.name().to_owned(), package.arch().to_owned());
        groups.entry(key).or_default().push(Package {
            place,
            evr: Evr::new(Some(package.epoch()), package.version(), package.release()),
            checksum: package.checksum().to_owned(),
            location: is_here.then(|| package.location().to_owned()),
        });
        place += 1;
        ControlFlow::Continue(())
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

/// New metadata first: nobody is sent to a file that is gone.
fn publish(
    repository: &Arc<Repository>,
    kept: &[Package],
    gone: &[Package],
    session: &Session,
) -> Result<()> {
    let mut update = Update::begin(&repository.dir)?;
    if update.old.digest != repository.digest {
        return Err(Error::Busy(repository.dir.clone()));
    }
    let primary = repository.record("primary")?;
    let name = primary.href.file_name();
    let checksum = primary.checksum.map(|digest| digest.algo());
    let style = FileStyle {
        dir: update.dir(),
        format: match Format::of_name(name) {
            Format::Zchunk => Format::Gzip,
            format => format,
        },
        checksum: checksum.unwrap_or(rpm_pkg::digest::DigestAlgo::Sha256),
        unique_names: !name.starts_with("primary."),
        timestamp: session.now,
    };
    let source = Source {
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
    }
    update.publish(&Repomd {
        revision: Some(session.now.to_string()),
        records,
        ..repository.repomd.clone()
    })?;
    Ok(())
}
