//! Modular repositories: which packages belong to streams that are not in use. A stream is in use if
//! one of its packages is installed, else if it is the default of its module and what it requires of
//! other modules can be had, or if such a stream requires it. Streams are never switched by a side effect.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rpm_db::Db;
use rpm_pkg::header::tag;
use rpm_repo::modules::{ModuleIndex, ModuleRequires};
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
    packages: &mut Packages,
    modules: &[RepoModules],
    labels: &BTreeSet<(String, String)>,
    hotfixes: &BTreeSet<RepoId>,
) -> Outcome<HashMap<SolvableId, String>> {
    let mut hidden = HashMap::new();
    let streams = || modules.iter().flat_map(|own| &own.index.streams);
    let mut owners: Owners<'_> = HashMap::new();
    for stream in streams() {
        let own = (stream.module.as_str(), stream.stream.as_str());
        for artifact in &stream.artifacts {
            owners.entry(with_epoch(artifact)).or_default().insert(own);
        }
    }
    if owners.is_empty() {
        return Ok(hidden);
    }
    let used = used(packages, modules, labels, &owners);
    let mut names: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for stream in streams() {
        let own = (stream.module.as_str(), stream.stream.as_str());
        let binary = |nevra: &&String| !nevra.ends_with(".src") && used.has(own);
        let artifacts = stream.artifacts.iter().filter(binary);
        names.extend(artifacts.map(|nevra| (name_of(nevra), own)));
    }
    // What has a name of a stream in use, or provides it, gives way to that stream.
    let mut gives_way = HashMap::new();
    for (name, own) in &names {
        let providers = packages.pool.whatprovides(name)?;
        gives_way.extend(providers.into_iter().map(|id| (id, *own)));
    }
    let repos = packages.repos.iter();
    for repo in repos.filter(|repo| !hotfixes.contains(repo)) {
        for id in packages.pool.repo_solvables(*repo) {
            let why = match owners.get(&nevra(packages, id)) {
                Some(own) if own.iter().any(|own| used.has(*own)) => continue,
                Some(own) => own.iter().next().map(|own| used.instead_of(*own)),
                None => gives_way.get(&id).map(|(module, stream)| {
                    format!("gives way to stream {stream} of module {module}")
                }),
            };
            hidden.extend(why.map(|why| (id, why)));
        }
    }
    Ok(hidden)
}

/// The streams, by module and stream, that a package belongs to.
type Owners<'a> = HashMap<String, BTreeSet<(&'a str, &'a str)>>;

/// Streams that may be taken into use before the rest is passed over.
const MAX_TAKEN: usize = 10_000;
/// How long a chain of requirements may be.
const MAX_CHAIN: usize = 64;

/// The streams in use of each module.
struct Used<'a> {
    streams: BTreeMap<&'a str, BTreeSet<&'a str>>,
    defaults: BTreeMap<&'a str, &'a str>,
    /// All streams of a module, each with what it requires: one of these is enough.
    known: BTreeMap<&'a str, BTreeMap<&'a str, Vec<&'a ModuleRequires>>>,
    /// Modules whose streams came into use behind the installed ones, in order.
    taken: Vec<&'a str>,
    left: usize,
}

impl<'a> Used<'a> {
    fn has(&self, (module, stream): (&str, &str)) -> bool {
        let streams = self.streams.get(module);
        streams.is_some_and(|streams| streams.contains(stream))
    }

    /// Why a stream is not in use.
    fn instead_of(&self, (module, stream): (&str, &str)) -> String {
        let instead = match self.streams.get(module) {
            Some(used) => {
                let used: Vec<&str> = used.iter().copied().collect();
                format!("stream {} is in use", used.join(", "))
            }
            None if self.defaults.contains_key(module) => {
                "its default stream requires streams of other modules that are not in use"
                    .to_owned()
            }
            None => "it has no default stream and none is installed".to_owned(),
        };
        format!("belongs to stream {stream} of module {module}; {instead}")
    }

    /// Takes a stream into use with what it requires; if that cannot be had, nothing changes.
    fn take(&mut self, module: &'a str, stream: &'a str, chain: usize) -> bool {
        if chain > MAX_CHAIN || self.left == 0 {
            return false;
        }
        self.left -= 1;
        let before = self.taken.len();
        self.taken.push(module);
        self.streams.insert(module, BTreeSet::from([stream]));
        let done = self.require(module, stream, false, chain);
        if !done {
            self.undo(before);
        }
        done
    }

    /// Whether what a stream in use requires is in use, or can be. What is installed also has streams that are
    /// not the default.
    fn require(&mut self, module: &str, stream: &str, is_installed: bool, chain: usize) -> bool {
        let known = self
            .known
            .get(module)
            .and_then(|streams| streams.get(stream));
        let any = known.cloned().unwrap_or_default();
        let before = self.taken.len();
        any.is_empty()
            || any.into_iter().any(|requires| {
                let done = requires
                    .iter()
                    .all(|(module, streams)| self.meet(module, streams, is_installed, chain));
                if !done {
                    self.undo(before);
                }
                done
            })
    }

    fn meet(
        &mut self,
        module: &'a str,
        streams: &[String],
        is_installed: bool,
        chain: usize,
    ) -> bool {
        let fits = |stream: &str| {
            let named = |sign: &str| {
                streams
                    .iter()
                    .any(|own| own.strip_prefix(sign) == Some(stream))
            };
            !named("-") && (named("") || streams.iter().all(|own| own.starts_with('-')))
        };
        // The system itself.
        if module == "platform" {
            return true;
        }
        if let Some(used) = self.streams.get(module) {
            return used.iter().any(|stream| fits(stream));
        }
        let chosen = match self.defaults.get(module) {
            Some(default) if fits(default) => Some(*default),
            Some(_) if !is_installed => None,
            _ => {
                let known = self.known.get(module).into_iter().flat_map(BTreeMap::keys);
                let mut known = known.copied().filter(|stream| fits(stream));
                // Which of several is nobody's choice but the administrator's.
                known.next().filter(|_| known.next().is_none())
            }
        };
        chosen.is_some_and(|stream| self.take(module, stream, chain + 1))
    }

    fn undo(&mut self, before: usize) {
        for module in self.taken.drain(before..) {
            self.streams.remove(module);
        }
    }
}

fn used<'a>(
    packages: &Packages,
    modules: &'a [RepoModules],
    labels: &'a BTreeSet<(String, String)>,
    owners: &Owners<'a>,
) -> Used<'a> {
    let mut installed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, stream) in labels {
        installed.entry(module).or_default().insert(stream);
    }
    // Databases of other tools may lack the label.
    for id in packages.pool.repo_solvables(packages.installed) {
        let own = owners
            .get(&nevra(packages, id))
            .filter(|own| own.len() == 1);
        for (module, stream) in own.into_iter().flatten() {
            installed.entry(module).or_default().insert(stream);
        }
    }
    let mut used = Used {
        streams: installed.clone(),
        defaults: defaults(modules),
        known: BTreeMap::new(),
        taken: Vec::new(),
        left: MAX_TAKEN,
    };
    for stream in modules.iter().flat_map(|own| &own.index.streams) {
        let known = used.known.entry(&stream.module).or_default();
        known
            .entry(&stream.stream)
            .or_default()
            .extend(&stream.requires);
    }
    for (module, streams) in &installed {
        for stream in streams {
            used.require(module, stream, true, 0);
        }
    }
    for (module, stream) in used.defaults.clone() {
        if !used.streams.contains_key(module) {
            used.take(module, stream, 0);
        }
    }
    used
}

/// The default stream of each module: that of the preferred repository, none where equals differ.
fn defaults(modules: &[RepoModules]) -> BTreeMap<&str, &str> {
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
    let defaults = defaults.into_iter();
    defaults
        .filter_map(|(module, (_, stream))| Some((module, stream?)))
        .collect()
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
