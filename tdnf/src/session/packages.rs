//! All packages that a command looks at.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::{ControlFlow, Deref, DerefMut};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rpm_repo::config::RepoConfig;
use rpm_repo::updateinfo::Advisory;
use rpm_solv::{RepoId, SolvableId};

use super::{Freshness, LeftOut, LoadedRepo, Session, modules, usr_merge};
use crate::error::{Code, Failure, Outcome};
use cli_kit::shell_word;
use rpm_catalog::{
    CATALOG_DIR, Catalog, CatalogError, ChangelogEntry, InstalledSource, Reach, RepoSource,
};

/// The bit of a folder in which everybody makes files and removes his own.
const STICKY: u32 = 0o1000;
/// File below the cache directory that keeps the installed packages in the pool's form.
pub(crate) const INSTALLED_CACHE: &str = "installed.catalog";

/// Most bytes of advisories that one command shows; those of a whole distribution take some 20 MiB.
const MAX_ADVISORIES: usize = 48 << 20;

/// The catalog of a run and what its repositories are.
pub struct Packages {
    catalog: Catalog,
    priorities: HashMap<RepoId, i32>,
    /// The repositories, with their metadata.
    pub sources: Vec<LoadedRepo>,
    /// The architecture of the system.
    pub arch: String,
    has_file_lists: bool,
    knows_merged_paths: bool,
    /// They are for a root in which nothing is: no folder of it is a link yet.
    of_no_root: bool,
    /// Hidden because `minversions` asks for a newer one.
    pub too_old: HashSet<SolvableId>,
    /// Installed packages by name: what is installed is asked for again and again.
    by_name: OnceCell<Vec<SolvableId>>,
    /// Hidden because a stream of a module that is not in use has them, or one in use has others of
    /// their names; and why.
    pub modular: HashMap<SolvableId, String>,
}

/// Parts that tell every path of every package.
const WITH_FILE_LISTS: &[&str] = &["primary", "filelists"];

impl Deref for Packages {
    type Target = Catalog;

    fn deref(&self) -> &Catalog {
        &self.catalog
    }
}

impl DerefMut for Packages {
    fn deref_mut(&mut self) -> &mut Catalog {
        &mut self.catalog
    }
}

/// What the packages do not tell by themselves and is only looked for where it is needed.
pub trait OnDemand {
    /// Packages of the repositories that own exactly this path, as their file lists say.
    fn owners(&self, packages: &mut Packages, path: &str) -> Outcome<Vec<SolvableId>>;

    /// Teaches the solver paths that packages depend on and primary metadata does not tell;
    /// whether it may have learnt something. Once there is nothing more to learn: `false`.
    fn learn_paths(&self, packages: &mut Packages) -> Outcome<bool>;

    /// The packages of the repositories that are switched off, as far as their metadata is at
    /// hand; `None` if there are none.
    fn switched_off(&self) -> Option<Packages>;

    /// Whether none of the repositories that are on could be read, which has been said.
    fn none_read(&self) -> bool;
}

impl OnDemand for Session<'_> {
    fn owners(&self, packages: &mut Packages, path: &str) -> Outcome<Vec<SolvableId>> {
        packages.owners_of_path(self, path)
    }

    fn learn_paths(&self, packages: &mut Packages) -> Outcome<bool> {
        Ok(packages.learn_merged_paths(self)? || packages.learn_missing_paths(self)?)
    }

    fn switched_off(&self) -> Option<Packages> {
        let sources = self.cached_disabled_sources().ok()?;
        if sources.is_empty() {
            return None;
        }
        self.packages_of(sources).ok()
    }

    fn none_read(&self) -> bool {
        self.none_read.get()
    }
}

impl Session<'_> {
    /// Opens the installed packages and those of `sources`. With `--alldeps` nothing counts as
    /// installed.
    pub fn packages(&self, sources: Vec<LoadedRepo>) -> Outcome<Packages> {
        self.packages_within(sources, Reach::All)
    }

    /// The same, of `sources` what a question can reach: what it says of these packages is not said of others.
    pub fn packages_within(&self, sources: Vec<LoadedRepo>, reach: Reach<'_>) -> Outcome<Packages> {
        let db = match self.settings.alldeps {
            true => None,
            false => self.db()?,
        };
        let cache = self.cache_dir().join(INSTALLED_CACHE);
        let installed = db.as_ref().map(|db| InstalledSource {
            db,
            cache: Some(&cache),
        });
        self.assemble(sources, installed, reach)
    }

    /// The packages of `sources` alone; nothing counts as installed.
    pub fn packages_of(&self, sources: Vec<LoadedRepo>) -> Outcome<Packages> {
        let mut packages = self.assemble(sources, None, Reach::All)?;
        packages.of_no_root = true;
        Ok(packages)
    }

    fn assemble(
        &self,
        mut sources: Vec<LoadedRepo>,
        installed: Option<InstalledSource<'_>>,
        reach: Reach<'_>,
    ) -> Outcome<Packages> {
        let db = installed.map(|installed| installed.db);
        let mut catalog = loop {
            // What is said of all packages of a repository takes all of them.
            let reach = match sources.iter().any(is_limited) {
                true => Reach::All,
                false => reach,
            };
            let arch = &self.settings.arch;
            let error = match Catalog::open(arch, installed, &wishes(&sources), reach) {
                Ok(catalog) => break catalog,
                Err(error) => error,
            };
            let of_error = |source: &LoadedRepo| error.repo() == Some(source.config.id.as_str());
            let Some(at) = sources.iter().position(of_error) else {
                return Err(error.into());
            };
            // What a repository publishes cannot be read: it is as good as absent.
            let source = sources.remove(at);
            let is_on = source.config.enabled;
            self.left_out(&source.config, rejected(&source, error))?;
            if is_on && sources.is_empty() {
                self.tell_none_read();
            }
        };
        if let Some(db) = db {
            self.tell_damaged(db, &catalog.damaged);
        }
        self.leave_existing(&mut catalog, &sources)?;
        sources.iter().for_each(|source| source.set.accept());
        self.tell_doubts(&sources);
        let of_installed = db.map(|_| (self.cache_dir(), ""));
        let folders = sources.iter().filter_map(|source| source.set.dir.parent());
        let folders = folders.map(|folder| (folder, CATALOG_DIR));
        self.tell_shared(of_installed.into_iter().chain(folders));
        let priorities = sources.iter().map(|source| source.config.priority);
        let priorities = catalog.repos.iter().copied().zip(priorities).collect();
        let hotfixes = sources.iter().map(|source| source.config.module_hotfixes);
        let hotfixes = catalog.repos.iter().copied().zip(hotfixes);
        let hotfixes = hotfixes.filter(|(_, hotfix)| *hotfix);
        let hotfixes = hotfixes.map(|(repo, _)| repo).collect();
        let mut packages = Packages::new(catalog, priorities, &self.settings.arch);
        let modules = modules::read(&sources)?;
        let labels = modules::labels(&packages, db, &modules)?;
        packages.modular = modules::hidden(&mut packages, &modules, &labels, &hotfixes)?;
        packages.sources = sources;
        Ok(packages)
    }

    /// Says in one line where the solver's cache is not used because others may write it: `(top, folder below it)`.
    fn tell_shared<'a>(&self, folders: impl Iterator<Item = (&'a Path, &'a str)>) {
        let refused = folders.filter_map(|(top, below)| {
            let error = whole_file::own_folder(top, Path::new(below)).err()?;
            whole_file::is_of_others(&error).then_some((top, error))
        });
        let refused: Vec<_> = refused.collect();
        let Some((top, first)) = refused.first() else {
            return;
        };
        let more = match refused.len() {
            1 => String::new(),
            count => format!(" (and {} more like it)", count - 1),
        };
        let cache = self.cache_dir();
        let place = if top.starts_with(cache) { cache } else { top };
        // What anybody may have left there must go before the place counts as ours. A place such as /tmp stays everybody's.
        let way_out = match place.metadata() {
            Ok(about) if about.mode() & STICKY != 0 => String::new(),
            _ => format!(
                "empty it and take it from others (`tdnf clean all`, {}), or ",
                self.taking_back(place)
            ),
        };
        self.warn_once(&format!(
            "warning: {first}{more}: the solver's cache in it could be anybody's and is not used; {way_out}set another \
             cachedir="
        ));
    }

    /// The commands that take a place of the cache from others.
    pub(super) fn taking_back(&self, place: &Path) -> String {
        // They stop at a link.
        let place = place.canonicalize().unwrap_or_else(|_| place.to_owned());
        let place = shell_word(&place.to_string_lossy());
        let user = match self.settings.environment.euid {
            0 => "root:".to_owned(),
            other => other.to_string(),
        };
        format!("`chown -R {user} {place}`, `chmod -R go-w {place}`")
    }

    /// Takes out of each repository what its snapshot does not list, and what is later than its `snapshottime`.
    fn leave_existing(&self, catalog: &mut Catalog, sources: &[LoadedRepo]) -> Outcome<()> {
        let repos = catalog.repos.iter().copied().zip(sources);
        for (repo, source) in repos {
            let pool = &mut catalog.pool;
            if let Some(snapshot) = &source.snapshot {
                let listed = |id: &SolvableId| snapshot.has(pool.name(*id), pool.evr(*id));
                let others: Vec<_> = pool.repo_solvables(repo).filter(|id| !listed(id)).collect();
                pool.remove(&others);
            }
            if let Some(mut left_out) = LeftOut::of(&source.config) {
                let times = Catalog::file_times(&source.set)?;
                let mut others = Vec::new();
                for id in pool.repo_solvables(repo) {
                    let checksum = pool.plan_facts(id)?.checksum.to_ascii_lowercase();
                    if left_out.takes(times.get(&checksum).copied().unwrap_or_default()) {
                        others.push(id);
                    }
                }
                pool.remove(&others);
                // Of repositories that are off nothing is offered, so nothing is missed.
                if source.config.enabled {
                    self.say_left_out(left_out);
                }
            }
        }
        Ok(())
    }
}

/// A set that cannot be read gives way to the last good one.
fn rejected(source: &LoadedRepo, error: CatalogError) -> Failure {
    let failure = Failure::from(error);
    match source.set.reject() {
        true => failure.hint("the previous metadata is kept: --cacheonly uses it"),
        false => failure,
    }
}

/// Whether some packages of a repository are hidden by what others there are, or by a list, or counted.
fn is_limited(source: &LoadedRepo) -> bool {
    source.snapshot.is_some()
        || source.config.snapshottime.is_some()
        || source.set.part("modules").is_some()
}

fn wishes(sources: &[LoadedRepo]) -> Vec<RepoSource<'_>> {
    let wish = |source| {
        let LoadedRepo { config, set, .. }: &LoadedRepo = source;
        RepoSource {
            set,
            priority: config.priority,
        }
    };
    sources.iter().map(wish).collect()
}

impl Packages {
    /// The packages of a catalog. `priorities` are those of its repositories; `arch` is the
    /// architecture of the system.
    pub fn new(catalog: Catalog, priorities: HashMap<RepoId, i32>, arch: &str) -> Self {
        Self {
            catalog,
            priorities,
            sources: Vec::new(),
            arch: arch.to_owned(),
            has_file_lists: false,
            knows_merged_paths: false,
            of_no_root: false,
            too_old: HashSet::new(),
            by_name: OnceCell::new(),
            modular: HashMap::new(),
        }
    }

    /// Fetches the file lists of the repositories, once; says whether they are new.
    pub fn load_file_lists(&mut self, session: &Session<'_>) -> Outcome<bool> {
        if self.has_file_lists || self.sources.is_empty() {
            return Ok(false);
        }
        self.has_file_lists = true;
        let complete = session.sources(WITH_FILE_LISTS, Freshness::WhenExpired)?;
        let same = |a: &LoadedRepo, b: &LoadedRepo| a.set.repomd_digest == b.set.repomd_digest;
        if complete.len() == self.sources.len()
            && complete
                .iter()
                .zip(&self.sources)
                .all(|(new, old)| same(new, old))
        {
            self.sources = complete;
        }
        Ok(true)
    }

    /// Teaches the solver the paths outside primary metadata that packages depend on; says
    /// whether it may have learnt something.
    fn learn_missing_paths(&mut self, session: &Session<'_>) -> Outcome<bool> {
        if !self.load_file_lists(session)? {
            return Ok(false);
        }
        let merged = self.merged(session);
        let other = |path: &str| usr_merge::other_name(path, &merged);
        let looked_for = self
            .catalog
            .add_missing_paths(&wishes(&self.sources), &other)?;
        session.tell_doubts(&self.sources);
        Ok(looked_for > 0)
    }

    /// The folders of the root that are links to their namesakes in `/usr`.
    fn merged(&self, session: &Session<'_>) -> Vec<&'static str> {
        match self.of_no_root {
            true => Vec::new(),
            false => usr_merge::merged(&session.settings.root),
        }
    }

    /// Teaches the solver, once, that `/bin/x` and `/usr/bin/x` are one file where `/bin` of the
    /// root is a link; says whether it has learnt something.
    fn learn_merged_paths(&mut self, session: &Session<'_>) -> Outcome<bool> {
        if std::mem::replace(&mut self.knows_merged_paths, true) {
            return Ok(false);
        }
        let merged = self.merged(session);
        if merged.is_empty() {
            return Ok(false);
        }
        let mut learnt = false;
        let pool = &mut self.catalog.pool;
        for path in pool.missing_paths()? {
            let Some(other) = usr_merge::other_name(&path, &merged) else {
                continue;
            };
            let mut owners = pool.file_owners(other.as_bytes())?;
            owners.extend(pool.whatprovides(&other)?);
            for id in owners {
                pool.add_file_provide(id, path.as_bytes())?;
                learnt = true;
            }
        }
        Ok(learnt)
    }

    /// Packages of the repositories that own exactly this path: asked of the index of file lists.
    pub fn owners_of_path(
        &mut self,
        session: &Session<'_>,
        path: &str,
    ) -> Outcome<Vec<SolvableId>> {
        self.load_file_lists(session)?;
        let sources = wishes(&self.sources);
        let found = self.catalog.find_paths(&sources, std::iter::once(path))?;
        session.tell_doubts(&self.sources);
        Ok(found.into_iter().map(|file| file.solvable).collect())
    }

    /// Packages of the repositories that own a path that `wanted` accepts: all file lists are read.
    pub fn owners_of(
        &mut self,
        session: &Session<'_>,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Outcome<Vec<SolvableId>> {
        self.load_file_lists(session)?;
        let found = self.catalog.find_files(&wishes(&self.sources), wanted)?;
        session.tell_doubts(&self.sources);
        let mut owners: Vec<SolvableId> = found.into_iter().map(|file| file.solvable).collect();
        owners.dedup();
        Ok(owners)
    }

    /// All paths of packages of repositories whose sources were opened with their file lists.
    pub fn file_lists(
        &self,
        session: &Session<'_>,
        ids: &[SolvableId],
    ) -> Outcome<HashMap<SolvableId, Vec<String>>> {
        let found = self.catalog.files_of(&wishes(&self.sources), ids)?;
        session.tell_doubts(&self.sources);
        Ok(found)
    }

    /// The changelogs of packages of repositories whose sources were opened with `other`.
    pub fn changelogs(
        &self,
        session: &Session<'_>,
        ids: &[SolvableId],
    ) -> Outcome<HashMap<SolvableId, Vec<ChangelogEntry>>> {
        let found = self.catalog.changelogs_of(&wishes(&self.sources), ids)?;
        session.tell_doubts(&self.sources);
        Ok(found)
    }

    /// The advisories that `keep` wants of repositories whose sources were opened with `updateinfo`: of their packages
    /// the files alone. What is kept has at most [`MAX_ADVISORIES`] bytes.
    pub fn advisories(
        &self,
        session: &Session<'_>,
        keep: &mut dyn FnMut(&Advisory) -> bool,
    ) -> Outcome<Vec<Advisory>> {
        let (mut found, mut left) = (Vec::new(), Some(MAX_ADVISORIES));
        self.catalog
            .advisories_of(&wishes(&self.sources), &mut |mut advisory| {
                if !keep(&advisory) {
                    return ControlFlow::Continue(());
                }
                advisory.forget_versions();
                left = left.and_then(|left| left.checked_sub(advisory.weight()));
                found.push(advisory);
                left.map_or(ControlFlow::Break(()), |_| ControlFlow::Continue(()))
            })?;
        session.tell_doubts(&self.sources);
        match (left, found.last()) {
            (None, Some(last)) => Err(Failure::because(
                Code::INVALID_REPO_FILE,
                format!(
                    "Error: the advisories are more than {} MiB, {} among them",
                    MAX_ADVISORIES >> 20,
                    last.id
                ),
            )
            .hint(
                "name packages, or leave the repository out that they come from: --disablerepo=ID",
            )),
            _ => Ok(found),
        }
    }

    /// Priority of a package's repository: lower is preferred; files of the command line are
    /// preferred to everything.
    pub fn priority(&self, id: SolvableId) -> i32 {
        let repo = self.pool.repo_of(id).ok();
        repo.and_then(|repo| self.priorities.get(&repo).copied())
            .unwrap_or(i32::MIN)
    }

    /// Whether the section of its repository leaves a package out: `excludepkgs`, `includepkgs`.
    pub fn is_left_out(&self, id: SolvableId) -> bool {
        let named = |pattern: &String| self.pool.is_named(id, pattern);
        self.section_of(id)
            .is_some_and(|config| config.leaves_out(named))
    }

    /// Whether no section does so.
    pub fn leaves_nothing_out(&self) -> bool {
        let mut sections = self.sources.iter().map(|source| &source.config);
        sections.all(|config| config.excludepkgs.is_empty() && config.includepkgs.is_empty())
    }

    /// Which section leaves the first of these packages out, in words.
    pub fn left_out_by(&self, ids: &[SolvableId]) -> Option<String> {
        let id = ids.iter().copied().find(|id| self.is_left_out(*id))?;
        let config = self.section_of(id)?;
        let keys = ["excludepkgs", "exclude", "includepkgs"];
        let place = keys.iter().find_map(|key| config.place_of(key));
        let (nevra, place) = (self.pool.nevra(id), place.unwrap_or(&config.source));
        let id = &config.id;
        Some(format!("{nevra} is left out of repository {id} by {place}"))
    }

    fn section_of(&self, id: SolvableId) -> Option<&RepoConfig> {
        let repo = self.pool.repo_of(id).ok()?;
        let place = self.repos.iter().position(|other| *other == repo)?;
        Some(&self.sources.get(place)?.config)
    }

    /// Installed packages of a name, in pool order.
    pub fn installed_named(&self, name: &str) -> Vec<SolvableId> {
        let named = self.installed_from(name).iter().copied();
        named.take_while(|id| self.pool.name(*id) == name).collect()
    }

    /// Whether a package of this name is installed.
    pub fn is_installed_name(&self, name: &str) -> bool {
        let first = self.installed_from(name).first();
        first.is_some_and(|id| self.pool.name(*id) == name)
    }

    /// Installed packages by name, from this name on.
    fn installed_from(&self, name: &str) -> &[SolvableId] {
        let all = self.by_name.get_or_init(|| {
            let mut all: Vec<_> = self.pool.repo_solvables(self.installed).collect();
            all.sort_by_key(|id| self.pool.name(*id));
            all
        });
        let from = all.partition_point(|id| self.pool.name(*id) < name);
        all.get(from..).unwrap_or_default()
    }

    /// Packages of the wanted names that repositories offer to this system, by name.
    pub fn offered(&self, wanted: &dyn Fn(&str) -> bool) -> BTreeMap<&str, Vec<SolvableId>> {
        let mut offered: BTreeMap<&str, Vec<SolvableId>> = BTreeMap::new();
        for id in self.pool.solvables() {
            let name = self.pool.name(id);
            let hidden = || self.pool.is_excluded(id) || self.modular.contains_key(&id);
            if wanted(name) && !self.pool.is_installed(id) && self.runs_here(id) && !hidden() {
                offered.entry(name).or_default().push(id);
            }
        }
        offered
    }

    /// Packages of a name that repositories have and that are not excluded.
    pub fn available_named(&self, name: &str) -> Vec<SolvableId> {
        let all = self.pool.solvables();
        let offered = all.filter(|id| !self.pool.is_installed(*id) && !self.pool.is_excluded(*id));
        offered.filter(|id| self.pool.name(*id) == name).collect()
    }
}
