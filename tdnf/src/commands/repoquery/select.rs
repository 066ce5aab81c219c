//! Which packages a query is about.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use rpm_catalog::Reach;
use rpm_pkg::dep::DepGroup;
use rpm_solv::{SelectFlags, SolvableId};

use super::{DEPS, DetailQuestion};
use crate::change;
use crate::commands::list::{changes, in_order, keep};
use crate::commands::query::select_all;
use crate::error::{Failure, Outcome};
use crate::session::{Packages, Session};
use crate::settings::arches;

/// The packages that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueryScope {
    Available,
    Installed,
    /// Installed packages that no repository has in this version.
    Extras,
    /// Installed packages of which there is more than one version.
    Duplicates,
    /// Available packages above the installed ones.
    Upgrades,
    /// Available packages below the installed ones.
    Downgrades,
    /// Installed packages that were asked for.
    UserInstalled,
}

impl QueryScope {
    pub(super) fn of(session: &Session<'_>) -> Outcome<Self> {
        let given = &session.args.options;
        let (place, select, installed) = (&given.place, &given.select, given.installed.installed);
        let plain = installed || place.available;
        if place.extras && (plain || select.duplicates) || select.duplicates && plain {
            return Err(Failure::invalid(
                "--extras, --duplicates and --installed or --available exclude each other",
            ));
        }
        let given = [
            ("extras", place.extras, Self::Extras),
            ("duplicates", select.duplicates, Self::Duplicates),
            ("userinstalled", select.userinstalled, Self::UserInstalled),
            ("upgrades", place.upgrades, Self::Upgrades),
            ("downgrades", place.downgrades, Self::Downgrades),
            ("available", place.available, Self::Available),
            ("installed", installed, Self::Installed),
        ];
        let mut given = given.into_iter().filter(|(_, is_given, _)| *is_given);
        let Some((name, _, chosen)) = given.next() else {
            return Ok(Self::Available);
        };
        for (other, ..) in given.filter(|(_, _, scope)| !chosen.is_within(*scope)) {
            session.warn_once(&format!("warning: --{other} has no effect beside --{name}"));
        }
        Ok(chosen)
    }

    /// Whether all packages of this scope are of the other one as well.
    fn is_within(self, other: Self) -> bool {
        match other {
            Self::Installed => !self.needs_repositories() || self == Self::Extras,
            Self::Available => matches!(self, Self::Upgrades | Self::Downgrades),
            _ => false,
        }
    }

    /// The packages that are looked at to answer `query` about `words`.
    pub(super) fn reach<'w>(
        self,
        session: &Session<'_>,
        query: DetailQuestion<'_>,
        words: &'w [String],
    ) -> Reach<'w> {
        let select = &session.args.options.select;
        let by_words =
            select.file.is_empty() && DEPS.iter().all(|dep| (dep.what)(select).is_empty());
        match (self, query) {
            (_, DetailQuestion::Files | DetailQuestion::Changelogs) => Reach::All,
            (Self::Available, _) if by_words => Reach::Words(words, SelectFlags::WITH_SOURCE),
            _ => Reach::All,
        }
    }

    /// What is installed can be asked without any repository.
    pub(super) fn needs_repositories(self) -> bool {
        !matches!(
            self,
            Self::Installed | Self::Duplicates | Self::UserInstalled
        )
    }
}

/// The packages in list order, and what is to be told about words that name nothing.
pub(super) fn choose(
    session: &Session<'_>,
    packages: &mut Packages,
    scope: QueryScope,
    words: &[String],
) -> Outcome<(Vec<SolvableId>, Option<Failure>)> {
    let (named, unknown) = match words {
        [] => (packages.pool.solvables().collect(), None),
        words => select_all(session, packages, words, SelectFlags::WITH_SOURCE)?,
    };
    let mut chosen = in_scope(session, packages, scope, named)?;
    let typed = &session.args.options;
    let arches = &typed.arch.arch;
    arches
        .iter()
        .try_for_each(|arch| arches::package("arch", arch))?;
    let is_one = |id| arches.iter().any(|arch| arch == packages.pool.arch(id));
    chosen.retain(|id| arches.is_empty() || is_one(*id));
    for path in &typed.select.file {
        let owners = file_owners(session, packages, path)?;
        chosen.retain(|id| owners.contains(id));
    }
    for dep in DEPS {
        for capabilities in (dep.what)(&typed.select) {
            let found = with_dependency(session, packages, dep.kinds, capabilities)?;
            chosen.retain(|id| found.contains(id));
        }
    }
    let chosen: BTreeSet<SolvableId> = chosen.into_iter().collect();
    Ok((in_order(packages, chosen), unknown))
}

fn in_scope(
    session: &Session<'_>,
    packages: &Packages,
    scope: QueryScope,
    named: Vec<SolvableId>,
) -> Outcome<Vec<SolvableId>> {
    Ok(match scope {
        QueryScope::Available => keep(packages, named, false),
        QueryScope::Installed => keep(packages, named, true),
        QueryScope::Extras => extras(packages, keep(packages, named, true)),
        QueryScope::Duplicates => duplicates(packages, keep(packages, named, true)),
        QueryScope::Upgrades => changed(packages, &named, Ordering::Greater),
        QueryScope::Downgrades => changed(packages, &named, Ordering::Less),
        QueryScope::UserInstalled => {
            let auto = change::auto_installed(session)?;
            let mut chosen = keep(packages, named, true);
            chosen.retain(|id| !auto.contains(packages.pool.name(*id)));
            chosen
        }
    })
}

/// Those of `named` that are above or below what is installed.
fn changed(packages: &Packages, named: &[SolvableId], wanted: Ordering) -> Vec<SolvableId> {
    let all = changes(packages, named, wanted).into_iter();
    all.filter(|id| named.contains(id)).collect()
}

/// Those that no repository has in this version and architecture.
pub(in crate::commands) fn extras(
    packages: &Packages,
    mut installed: Vec<SolvableId>,
) -> Vec<SolvableId> {
    let pool = &packages.pool;
    let key = |id| (pool.name(id), pool.evr(id), pool.arch(id));
    let offered: BTreeSet<_> = pool
        .solvables()
        .filter(|id| !pool.is_installed(*id))
        .map(key)
        .collect();
    installed.retain(|id| !offered.contains(&key(*id)));
    installed
}

fn duplicates(packages: &Packages, mut installed: Vec<SolvableId>) -> Vec<SolvableId> {
    let pool = &packages.pool;
    let key = |id| (pool.name(id), pool.arch(id));
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for id in pool.repo_solvables(packages.installed) {
        *counts.entry(key(id)).or_default() += 1;
    }
    installed.retain(|id| counts.get(&key(*id)).is_some_and(|count| *count > 1));
    installed
}

fn file_owners(
    session: &Session<'_>,
    packages: &mut Packages,
    path: &str,
) -> Outcome<BTreeSet<SolvableId>> {
    let mut owners: BTreeSet<SolvableId> = packages
        .pool
        .file_owners(path.as_bytes())?
        .into_iter()
        .collect();
    owners.extend(packages.owners_of_path(session, path)?);
    Ok(owners)
}

/// Packages with one of some capabilities, separated by commas: by name alone, or with a relation
/// where one is given.
fn with_dependency(
    session: &Session<'_>,
    packages: &mut Packages,
    kinds: &[DepGroup],
    capabilities: &str,
) -> Outcome<BTreeSet<SolvableId>> {
    let mut found = BTreeSet::new();
    for capability in capabilities.split(',').map(str::trim) {
        for kind in kinds {
            found.extend(if capability.contains(['<', '=', '>']) {
                packages.pool.whatmatches(*kind, capability)?
            } else {
                packages.pool.solvables_with_dep_name(*kind, capability)
            });
        }
        if kinds.contains(&DepGroup::Provides) && capability.starts_with('/') {
            found.extend(file_owners(session, packages, capability)?);
        }
    }
    Ok(found)
}
