//! Modular repositories: which packages belong to streams that are not in use. A stream is in use if
//! one of its packages is installed, else if it is the default of its module. Streams are never
//! switched by a side effect.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rpm_db::Db;
use rpm_pkg::header::tag;
use rpm_repo::modules::ModuleIndex;
use rpm_solv::{RepoId, SolvableId};

use super::{LoadedRepo, Packages};
use crate::error::{Failure, Outcome};

/// The modules of one repository.
pub(super) struct RepoModules {
    /// `priority=`: lower is preferred.
    pub priority: i32,
    /// Its streams and defaults.
    pub index: ModuleIndex,
}

/// Reads the modules of the repositories that have any.
pub(super) fn read(sources: &[LoadedRepo]) -> Outcome<Vec<RepoModules>> {
    let mut all = Vec::new();
    for LoadedRepo { config, set, .. } in sources {
        if set.part("modules").is_some() {
            let name = format!("{} modules", config.id);
            let stream = rpm_catalog::open_part(set, "modules")?;
            let index = ModuleIndex::read(&name, stream);
            all.push(RepoModules {
                priority: config.priority,
                index: index.map_err(|error| Failure::invalid(error.to_string()))?,
            });
        }
    }
    Ok(all)
}

/// `module:stream` of installed packages as their headers say it, for names that modules have.
pub(super) fn labels(
    packages: &Packages,
    db: Option<&Db>,
    modules: &[RepoModules],
) -> Outcome<BTreeSet<(String, String)>> {
    let (Some(db), false) = (db, modules.is_empty()) else {
        return Ok(BTreeSet::new());
    };
    let artifacts = modules.iter().flat_map(|own| &own.index.streams);
    let artifacts = artifacts.flat_map(|stream| &stream.artifacts);
    let names: BTreeSet<&str> = artifacts.map(|nevra| name_of(nevra)).collect();
    let mut labels = BTreeSet::new();
    let pool = &packages.pool;
    let installed = pool.repo_solvables(packages.installed);
    for id in installed.filter(|id| names.contains(pool.name(*id))) {
        let header = db.get(pool.plan_facts(id)?.database_number)?;
        let label = header.as_ref().and_then(|h| h.string(tag::MODULARITYLABEL));
        let label = String::from_utf8_lossy(label.unwrap_or_default()).into_owned();
        let mut parts = label.split(':');
        if let (Some(module), Some(stream)) = (parts.next(), parts.next()) {
            labels.insert((module.to_owned(), stream.to_owned()));
        }
    }
    Ok(labels)
}

/// Packages of repositories that are out of the question, and why. `labels` are the streams of what
/// is installed; repositories with `module_hotfixes` offer whatever they have.
pub(super) fn hidden(
    packages: &Packages,
    modules: &[RepoModules],
    labels: &BTreeSet<(String, String)>,
    hotfixes: &BTreeSet<RepoId>,
) -> HashMap<SolvableId, String> {
    let mut hidden = HashMap::new();
    let streams = || modules.iter().flat_map(|own| &own.index.streams);
    let mut owners: HashMap<String, BTreeSet<(&str, &str)>> = HashMap::new();
    for stream in streams() {
        let own = (stream.module.as_str(), stream.stream.as_str());
        for artifact in &stream.artifacts {
            owners.entry(with_epoch(artifact)).or_default().insert(own);
        }
    }
    if owners.is_empty() {
        return hidden;
    }
    let pool = &packages.pool;
    let used = used(packages, modules, labels, &owners);
    let is_used = |(module, stream): &(&str, &str)| {
        used.get(module).is_some_and(|used| used.contains(stream))
    };
    let mut names: HashMap<&str, (&str, &str)> = HashMap::new();
    for stream in streams() {
        let own = (stream.module.as_str(), stream.stream.as_str());
        let binary = |nevra: &&String| !nevra.ends_with(".src") && is_used(&own);
        names.extend(
            stream
                .artifacts
                .iter()
                .filter(binary)
                .map(|nevra| (name_of(nevra), own)),
        );
    }
    for repo in packages
        .repos
        .iter()
        .filter(|repo| !hotfixes.contains(repo))
    {
        for id in pool.repo_solvables(*repo) {
            let why = match owners.get(&nevra(packages, id)) {
                Some(own) if own.iter().any(is_used) => continue,
                Some(own) => own.iter().next().map(|(module, stream)| {
                    let instead = match used.get(module) {
                        Some(used) => {
                            let used: Vec<&str> = used.iter().copied().collect();
                            format!("stream {} is in use", used.join(", "))
                        }
                        None => "it has no default stream and none is installed".to_owned(),
                    };
                    format!("belongs to stream {stream} of module {module}; {instead}")
                }),
                None => names.get(pool.name(id)).map(|(module, stream)| {
                    format!("gives way to stream {stream} of module {module}")
                }),
            };
            hidden.extend(why.map(|why| (id, why)));
        }
    }
    hidden
}

/// The streams in use of each module.
fn used<'a>(
    packages: &Packages,
    modules: &'a [RepoModules],
    labels: &'a BTreeSet<(String, String)>,
    owners: &HashMap<String, BTreeSet<(&'a str, &'a str)>>,
) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, stream) in labels {
        used.entry(module).or_default().insert(stream);
    }
    // Databases of other tools may lack the label.
    for id in packages.pool.repo_solvables(packages.installed) {
        let own = owners
            .get(&nevra(packages, id))
            .filter(|own| own.len() == 1);
        for (module, stream) in own.into_iter().flatten() {
            used.entry(module).or_default().insert(stream);
        }
    }
    let mut defaults: BTreeMap<&str, (i32, Option<&str>)> = BTreeMap::new();
    for own in modules {
        for (module, stream) in &own.index.defaults {
            let stream = stream.as_deref();
            let known = defaults.entry(module).or_insert((own.priority, stream));
            if known.0 > own.priority {
                *known = (own.priority, stream);
            } else if known.0 == own.priority && known.1 != stream {
                known.1 = None;
            }
        }
    }
    for (module, (_, stream)) in defaults {
        if let Some(stream) = stream {
            used.entry(module)
                .or_insert_with(|| BTreeSet::from([stream]));
        }
    }
    used
}

/// `name-epoch:version-release.arch` of a package, as modules write it.
fn nevra(packages: &Packages, id: SolvableId) -> String {
    let pool = &packages.pool;
    let (epoch, version, release) = pool.evr_parts(id);
    format!(
        "{}-{epoch}:{version}-{release}.{}",
        pool.name(id),
        pool.arch(id)
    )
}

/// An artifact with its epoch, which some leave out.
fn with_epoch(artifact: &str) -> String {
    let name = name_of(artifact);
    match artifact.get(name.len() + 1..) {
        Some(rest) if !rest.contains(':') => format!("{name}-0:{rest}"),
        _ => artifact.to_owned(),
    }
}

/// The name of `name-epoch:version-release.arch`.
fn name_of(artifact: &str) -> &str {
    let mut parts = artifact.rsplitn(3, '-');
    let (_, _) = (parts.next(), parts.next());
    parts.next().unwrap_or(artifact)
}
