//! Requirements that nothing in the repository provides.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

use rpm_pkg::dep::rich::{self, Rich, RichOp};
use rpm_pkg::dep::{Dep, DepFlags, DepGroup};
use rpm_repo::filelists;
use rpm_repo::xml::XmlLimits;

use crate::document::whole;
use crate::error::Result;
use crate::repository::Repository;

/// Relation and version of one provider.
type EpochVersion = (u32, String);

/// What is provided and required.
#[derive(Default)]
struct ProvidesIndex {
    provides: HashMap<String, Vec<EpochVersion>>,
    /// Files of primary, then also wanted ones of filelists.
    files: HashSet<String>,
    /// Requirement to the packages that have it.
    requires: BTreeMap<(String, u32, String), Vec<usize>>,
    packages: Vec<String>,
}

/// One line per package and unresolved requirement, in the order of the packages.
pub(super) fn run(repository: &Repository) -> Result<Vec<String>> {
    let mut index = ProvidesIndex::default();
    // Records that are left out are a problem that is told of already.
    repository.usable_packages(&mut |_, package| {
        if package.arch() == "src" {
            return;
        }
        let number = index.packages.len();
        index.packages.push(crate::nevra(package));
        for dep in package.deps(DepGroup::Provides) {
            let versions = index.provides.entry(dep.name.to_owned()).or_default();
            versions.push((dep.flags, dep.to_dep().evr));
        }
        index
            .files
            .extend(package.files().map(|file| file.path.to_owned()));
        for dep in package.deps(DepGroup::Requires) {
            let dep = dep.to_dep();
            let key = (dep.name, dep.flags.0, dep.evr);
            index.requires.entry(key).or_default().push(number);
        }
    })?;
    index.read_files(repository)?;
    let mut found: Vec<(usize, String)> = Vec::new();
    for ((name, flags, evr), packages) in &index.requires {
        let dep = Dep::new(name.as_str(), DepFlags(*flags), evr.as_str());
        if name.starts_with("rpmlib(") || index.is_provided(&dep) {
            continue;
        }
        found.extend(packages.iter().map(|number| (*number, dep.to_string())));
    }
    found.sort();
    found.dedup();
    let name = |number: &usize| index.packages.get(*number).map_or("", String::as_str);
    Ok(found
        .iter()
        .map(|(number, dep)| format!("{}: nothing provides {dep}", name(number)))
        .collect())
}

impl ProvidesIndex {
    /// Looks in filelists for required paths that primary does not have.
    fn read_files(&mut self, repository: &Repository) -> Result<()> {
        let mut wanted: HashSet<String> = HashSet::new();
        for (name, _, _) in self.requires.keys() {
            if name.starts_with('/') {
                wanted.insert(name.clone());
            } else if name.starts_with('(') {
                let words = name
                    .split([' ', '(', ')'])
                    .filter(|word| word.starts_with('/'));
                wanted.extend(words.map(str::to_owned));
            }
        }
        wanted.retain(|path| !self.files.contains(path) && !self.provides.contains_key(path));
        if wanted.is_empty() {
            return Ok(());
        }
        let (name, stream) = repository.open_kind("filelists")?;
        let summary = filelists::read(&name, stream, &XmlLimits::default(), &mut |package| {
            for file in package.files() {
                if let Some(path) = wanted.take(file.path) {
                    self.files.insert(path);
                }
            }
            if wanted.is_empty() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        whole(&name, summary).map(drop)
    }

    fn is_provided(&self, dep: &Dep) -> bool {
        if dep.is_rich() {
            return rich::parse(&dep.name).is_ok_and(|rich| self.can_hold(&rich));
        }
        if self.files.contains(&dep.name) {
            return true;
        }
        let versions = self
            .provides
            .get(&dep.name)
            .map(Vec::as_slice)
            .unwrap_or_default();
        versions.iter().any(|(flags, evr)| {
            let provide = Dep::new(dep.name.as_str(), DepFlags(*flags), evr.as_str());
            dep.overlaps(&provide)
        })
    }

    /// Whether some choice of packages fulfils it. A condition need not hold: its package can stay
    /// away.
    fn can_hold(&self, rich: &Rich) -> bool {
        match rich {
            Rich::Plain(dep) => self.is_provided(dep),
            Rich::Chain(RichOp::Or, sides) => sides.iter().any(|side| self.can_hold(side)),
            Rich::Chain(RichOp::Without, sides) => {
                sides.first().is_some_and(|side| self.can_hold(side))
            }
            Rich::Chain(_, sides) => sides.iter().all(|side| self.can_hold(side)),
            Rich::Conditional {
                then, otherwise, ..
            } => self.can_hold(then) || otherwise.as_ref().is_none_or(|other| self.can_hold(other)),
        }
    }
}
