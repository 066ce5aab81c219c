//! `query DIR [PATTERN...]`: what a repository holds.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use rpm_pkg::dep::DepGroup;
use rpm_pkg::evr::Evr;
use rpm_repo::primary::{DEP_LISTS, PrimaryPackage};
use rpm_repo::xml::XmlLimits;
use rpm_repo::{filelists, other};
use serde::Serialize;

use super::{RunContext, example};
use crate::document::whole;
use crate::error::{Error, Result};
use crate::repository::Repository;
use crate::scan::matches;

/// Lists packages of a repository in a directory, or what they hold
#[derive(Args)]
#[command(after_help = example("repo-tools query --latest --requires /srv/repo 'nginx*'"))]
pub(super) struct QueryArgs {
    /// The repository
    dir: PathBuf,
    /// Name, name.arch or full name; * and ? stand for anything
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
    /// One JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// Only the highest version of each name and architecture
    #[arg(long)]
    latest: bool,
    /// Print what primary says in words
    #[arg(long)]
    info: bool,
    /// Print locations
    #[arg(long)]
    location: bool,
    /// Print all files
    #[arg(long)]
    files: bool,
    /// Print changelogs
    #[arg(long)]
    changelog: bool,
    /// Packages that provide a name or file of primary
    #[arg(long, value_name = "NAME")]
    whatprovides: Option<String>,
    /// Packages that require a name
    #[arg(long, value_name = "NAME")]
    whatrequires: Option<String>,
    #[command(flatten)]
    lists: Lists,
}

/// Which dependencies are printed: an option for each list.
struct Lists(Vec<DepGroup>);

impl Lists {
    /// All of them, in rpm's order.
    fn all() -> [(DepGroup, &'static str); 8] {
        let mut lists = DEP_LISTS;
        lists.sort_by_key(|(group, _)| *group as usize);
        lists
    }
}

impl FromArgMatches for Lists {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Lists, clap::Error> {
        let lists = Lists::all().into_iter();
        let asked = lists.filter(|(_, name)| matches.get_flag(name));
        Ok(Lists(asked.map(|(group, _)| group).collect()))
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        *self = Lists::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Lists {
    fn augment_args(command: Command) -> Command {
        command.args(Lists::all().map(|(_, name)| {
            let option = Arg::new(name).long(name).action(ArgAction::SetTrue);
            option.help("Print these dependencies")
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// One package as JSON.
#[derive(Serialize)]
struct PackageJson {
    name: String,
    epoch: u32,
    version: String,
    release: String,
    arch: String,
    location: String,
    checksum: String,
    size: u64,
    summary: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<String>,
    #[serde(skip)]
    place: u64,
}

impl PackageJson {
    fn nevra(&self) -> String {
        let evr = (self.epoch, &*self.version, &*self.release);
        crate::nevra_of(&self.name, evr, &self.arch)
    }
}

impl QueryArgs {
    pub(super) fn run(&self, session: &RunContext) -> Result<()> {
        let repository = Repository::open(&self.dir)?;
        let mut rows = Vec::new();
        repository.packages(&mut |place, package| {
            if self.is_wanted(package) {
                rows.push(self.row(package, place));
            }
        })?;
        if self.latest {
            rows = latest(rows);
        }
        if self.files || self.changelog {
            more(&repository, &mut rows, self.files)?;
        }
        if rows.is_empty() && !self.patterns.is_empty() {
            return Err(Error::Usage(format!(
                "no package matches {}",
                self.patterns.join(" ")
            )));
        }
        rows.sort_by_cached_key(PackageJson::nevra);
        let asks_words = self.info || self.location || self.files || self.changelog;
        let asks_lines = asks_words || !self.lists.0.is_empty();
        for row in &rows {
            if !asks_lines {
                session.printer.crit(&row.nevra());
            }
            row.lines.iter().for_each(|line| session.printer.crit(line));
        }
        session.printer.json(&rows);
        Ok(())
    }

    fn is_wanted(&self, package: &PrimaryPackage) -> bool {
        let (name, arch) = (package.name(), package.arch());
        let full = crate::nevra(package);
        let short = format!("{name}.{arch}");
        let plain = full.strip_suffix(&format!(".{arch}")).unwrap_or(&full);
        let is_named = self.patterns.is_empty()
            || self.patterns.iter().any(|pattern| {
                [name, &short, &full, plain]
                    .iter()
                    .any(|text| matches(pattern.as_bytes(), text.as_bytes()))
            });
        let has = |kind, wanted: &str| package.deps(kind).any(|dep| dep.name == wanted);
        is_named
            && self.whatprovides.as_ref().is_none_or(|wanted| {
                has(DepGroup::Provides, wanted) || package.files().any(|file| file.path == *wanted)
            })
            && self
                .whatrequires
                .as_ref()
                .is_none_or(|wanted| has(DepGroup::Requires, wanted))
    }

    fn row(&self, package: &PrimaryPackage, place: u64) -> PackageJson {
        let mut lines = Vec::new();
        if self.location {
            lines.push(package.location().to_owned());
        }
        for kind in self.lists.0.iter().copied() {
            lines.extend(package.deps(kind).map(|dep| dep.to_dep().to_string()));
        }
        if self.info {
            lines.extend(info(package));
        }
        PackageJson {
            name: package.name().to_owned(),
            epoch: package.epoch(),
            version: package.version().to_owned(),
            release: package.release().to_owned(),
            arch: package.arch().to_owned(),
            location: package.location().to_owned(),
            checksum: format!("{}:{}", package.checksum_type(), package.checksum()),
            size: package.package_size(),
            summary: package.summary().to_owned(),
            lines,
            place,
        }
    }
}

fn info(package: &PrimaryPackage) -> Vec<String> {
    let mut lines: Vec<String> = [
        ("Name", package.name()),
        ("Version", package.version()),
        ("Release", package.release()),
        ("Arch", package.arch()),
        ("License", package.license()),
        ("URL", package.url()),
        ("Source", package.sourcerpm()),
        ("Location", package.location()),
        ("Checksum", package.checksum()),
        ("Summary", package.summary()),
    ]
    .iter()
    .map(|(key, value)| format!("{key:<9}: {value}"))
    .collect();
    lines.push(format!(
        "{:<9}: {}",
        "Size",
        cli_kit::human_size(package.package_size())
    ));
    lines.push(format!("{}\n", package.description()));
    lines
}

fn latest(rows: Vec<PackageJson>) -> Vec<PackageJson> {
    let mut best: BTreeMap<(String, String), (Evr, PackageJson)> = BTreeMap::new();
    for row in rows {
        let evr = Evr::new(Some(row.epoch), row.version.as_str(), row.release.as_str());
        let key = (row.name.clone(), row.arch.clone());
        let is_better = best.get(&key).is_none_or(|(old, _)| evr > *old);
        if is_better {
            best.insert(key, (evr, row));
        }
    }
    best.into_values().map(|(_, row)| row).collect()
}

/// Adds files or changelogs to the rows.
fn more(repository: &Repository, rows: &mut [PackageJson], files: bool) -> Result<()> {
    let wanted: HashSet<u64> = rows.iter().map(|row| row.place).collect();
    let mut found: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut place = 0;
    let limits = XmlLimits::default();
    let (name, summary) = if files {
        let (name, stream) = repository.open_kind("filelists")?;
        let summary = filelists::read(&name, stream, &limits, &mut |package| {
            if wanted.contains(&place) {
                found.insert(
                    place,
                    package.files().map(|file| file.path.to_owned()).collect(),
                );
            }
            place += 1;
            ControlFlow::Continue(())
        })?;
        (name, summary)
    } else {
        let (name, stream) = repository.open_kind("other")?;
        let summary = other::read(&name, stream, &limits, &mut |package| {
            if wanted.contains(&place) {
                let lines = package
                    .changelogs()
                    .map(|entry| format!("{} {}\n{}", entry.date, entry.author, entry.text));
                found.insert(place, lines.collect());
            }
            place += 1;
            ControlFlow::Continue(())
        })?;
        (name, summary)
    };
    whole(&name, summary)?;
    for row in rows {
        row.lines
            .extend(found.remove(&row.place).unwrap_or_default());
    }
    Ok(())
}
