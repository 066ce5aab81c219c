//! Packages from one line of text each, in a pool of their own: no disk, no network.
//!
//! `name-[epoch:]version-release.arch KIND=DEP...`: the kinds are `provides`, `requires`, `pre`
//! (needed by scriptlets), `conflicts`, `obsoletes`, `recommends`, `suggests`, `supplements`,
//! `enhances`, `file` (a path that primary metadata tells) and `listed` (a path that only the
//! file lists tell). A kind may come several times; a boolean dependency stands in parentheses.

use std::collections::{BTreeMap, HashMap};

use rpm_catalog::{Catalog, Reach};
use rpm_pkg::dep::DepFlags;
use rpm_pkg::evr::Evr;
use rpm_pkg::nevra::Nevra;
use rpm_solv::{DepInput, EvrInput, PackageFacts, PackageInput, PlanFacts, RepoId, SolvableId};

use crate::error::Outcome;
use crate::session::{OnDemand, Packages};

/// One package as it is written down.
struct Spelled<'a> {
    nevra: Nevra,
    parts: Vec<(&'a str, &'a str)>,
}

impl<'a> Spelled<'a> {
    fn parse(line: &'a str) -> Self {
        let (nevra, rest) = line.split_once(' ').unwrap_or((line, ""));
        let parts = words(rest).into_iter().map(|word| {
            let (kind, value) = word.split_once('=').unwrap();
            assert!(KINDS.contains(&kind), "{line}: what is '{kind}'?");
            (kind, value)
        });
        Self {
            nevra: Nevra::parse(nevra).unwrap_or_else(|error| panic!("{line}: {error}")),
            parts: parts.collect(),
        }
    }

    fn values(&self, kind: &str) -> impl Iterator<Item = &'a str> {
        let of_kind = move |(own, _): &&(&str, &'a str)| *own == kind;
        let found: Vec<_> = self
            .parts
            .iter()
            .filter(of_kind)
            .map(|(_, value)| *value)
            .collect();
        found.into_iter()
    }

    fn deps(&self, kind: &str) -> Vec<DepInput<'a>> {
        self.values(kind).map(|text| dep(text, false)).collect()
    }
}

const KINDS: [&str; 11] = [
    "provides",
    "requires",
    "pre",
    "conflicts",
    "obsoletes",
    "recommends",
    "suggests",
    "supplements",
    "enhances",
    "file",
    "listed",
];

/// Words between blanks; a blank inside parentheses belongs to the word.
fn words(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let blank = |c: char| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        c == ' ' && depth == 0
    };
    text.split(blank).filter(|word| !word.is_empty()).collect()
}

fn dep(text: &str, pre: bool) -> DepInput<'_> {
    let operators = [">=", "<=", "=", ">", "<"];
    let plain = DepInput {
        name: text,
        pre,
        ..DepInput::default()
    };
    if text.starts_with('(') {
        return plain;
    }
    let split = |operator| {
        let (name, version) = text.split_once(operator)?;
        Some(DepInput {
            name,
            flags: DepFlags::from_symbol(operator)?,
            evr: EvrInput::new(None, version, ""),
            pre,
        })
    };
    operators.into_iter().find_map(split).unwrap_or(plain)
}

/// A repository that packages are offered by.
#[derive(Default)]
pub(crate) struct Offer<'a> {
    /// Its id.
    pub(crate) id: &'a str,
    /// Lower is preferred.
    pub(crate) priority: i32,
    /// Its packages.
    pub(crate) packages: Vec<&'a str>,
}

/// What is installed and offered.
pub(crate) struct Stage {
    pub(crate) packages: Packages,
    /// Package files of the command line.
    pub(crate) files: Vec<SolvableId>,
    pub(crate) metadata: Lists,
}

impl Stage {
    pub(crate) fn new(arch: &str, installed: &[&str], offers: &[Offer<'_>]) -> Self {
        let mut catalog = Catalog::open(arch, None, &[], Reach::All).unwrap();
        let mut lists = Lists::default();
        let system = catalog.installed;
        for (number, line) in (1..).zip(installed) {
            lists.add(&mut catalog, system, line, number);
        }
        let mut priorities = HashMap::new();
        for offer in offers {
            let repo = catalog.pool.add_repo(offer.id, offer.priority).unwrap();
            catalog.repos.push(repo);
            priorities.insert(repo, offer.priority);
            for line in &offer.packages {
                lists.add(&mut catalog, repo, line, 0);
            }
        }
        Self {
            packages: Packages::new(catalog, priorities, arch),
            files: Vec::new(),
            metadata: lists,
        }
    }

    /// A package file of the command line.
    pub(crate) fn add_file(&mut self, line: &str) {
        let repo = self.packages.files;
        let id = self.metadata.add(&mut self.packages, repo, line, 0);
        self.files.push(id);
    }
}

/// Paths that only the file lists tell.
#[derive(Default)]
pub(crate) struct Lists {
    owners: BTreeMap<String, Vec<SolvableId>>,
    learnt: std::cell::Cell<bool>,
}

impl Lists {
    fn add(&mut self, catalog: &mut Catalog, repo: RepoId, line: &str, number: u32) -> SolvableId {
        let package = Spelled::parse(line);
        let Evr {
            epoch,
            version,
            release,
        } = &package.nevra.evr;
        let mut requires = package.deps("requires");
        requires.extend(package.values("pre").map(|text| dep(text, true)));
        let files: Vec<&[u8]> = package.values("file").map(str::as_bytes).collect();
        let location = format!("{}.rpm", package.nevra);
        let input = PackageInput {
            name: &package.nevra.name,
            arch: &package.nevra.arch,
            evr: EvrInput::new(*epoch, version, release),
            provides: &package.deps("provides"),
            requires: &requires,
            conflicts: &package.deps("conflicts"),
            obsoletes: &package.deps("obsoletes"),
            recommends: &package.deps("recommends"),
            suggests: &package.deps("suggests"),
            supplements: &package.deps("supplements"),
            enhances: &package.deps("enhances"),
            files: &files,
            facts: PackageFacts {
                plan: PlanFacts {
                    location: &location,
                    database_number: number,
                    package_size: 1000,
                    installed_size: 2000,
                    ..PlanFacts::default()
                },
                ..PackageFacts::default()
            },
            ..PackageInput::default()
        };
        let id = catalog.pool.add_package(repo, &input).unwrap();
        for path in package.values("listed") {
            self.owners.entry(path.to_owned()).or_default().push(id);
        }
        id
    }
}

impl OnDemand for Lists {
    fn owners(&self, _: &mut Packages, path: &str) -> Outcome<Vec<SolvableId>> {
        Ok(self.owners.get(path).cloned().unwrap_or_default())
    }

    fn learn_paths(&self, packages: &mut Packages) -> Outcome<bool> {
        if self.learnt.replace(true) {
            return Ok(false);
        }
        for (path, owners) in &self.owners {
            for id in owners {
                packages.pool.add_file_provide(*id, path.as_bytes())?;
            }
        }
        Ok(!self.owners.is_empty())
    }

    fn switched_off(&self) -> Option<Packages> {
        None
    }

    fn none_read(&self) -> bool {
        false
    }
}
