//! Packages and all that they need, found by the solver over all repositories of the run.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rpm_catalog::with_primary;
use rpm_pkg::dep::DepFlags;
use rpm_pkg::glob::glob_matches;
use rpm_pkg::nevra::Nevra;
use rpm_repo::compress::{Doubt, VerifiedReader};
use rpm_repo::primary::PrimaryPackage;
use rpm_repo::repomd::RepomdRecord;
use rpm_repo::{filelists, xml::XmlLimits};
use rpm_solv::{
    DepInput, EvrInput, JobAction, PackageFacts, PackageInput, Pool, RepoId, SelectFlags,
    SolvableId, SolveResult, SolverJob, SolverOptions, StepKind,
};

use crate::error::{Error, Result};
use crate::{layout, upstream};

/// Most packages in a list of what is installed already.
const MAX_INSTALLED: usize = 1_000_000;
/// Largest such list in bytes.
const MAX_LIST: u64 = 256 << 20;

/// Priorities as in .repo files: a lower number is preferred.
const PREFERRED: i32 = 10;
const USUAL: i32 = 50;

/// One repository that the solver may take packages from.
pub(crate) struct SolverSource<'a> {
    pub(crate) id: &'a str,
    /// What it has is taken from it, even if others have it newer.
    pub(crate) preferred: bool,
    pub(crate) primary: (&'a Path, &'a RepomdRecord),
    /// Its filelists, if it has them.
    pub(crate) filelists: Option<(PathBuf, RepomdRecord)>,
    /// Which locations may be taken.
    pub(crate) keep: &'a dyn Fn(&str) -> bool,
}

/// What is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClosureRequest {
    /// Packages, as `install` takes them.
    pub(crate) specs: Vec<String>,
    /// Bring what is installed to the newest version.
    pub(crate) upgrade: bool,
    /// Recommended packages count as needed.
    pub(crate) recommends: bool,
    /// Full names of what is there already.
    pub(crate) installed: Vec<String>,
    /// Needs that clients can meet already, whatever has them: patterns of capabilities.
    pub(crate) assume: Vec<String>,
    /// Find all that a request lacks where it cannot be met.
    pub(crate) explain: bool,
    pub(crate) arch: String,
}

/// The answer: locations by repository, and what could not be had.
#[derive(Debug, Default)]
pub(crate) struct Closure {
    /// Repository id to the locations of its packages.
    pub(crate) chosen: BTreeMap<String, BTreeSet<String>>,
    /// Requests that cannot be met: the request and why.
    pub(crate) failed: Vec<(String, String)>,
    /// Needs of what was chosen that were taken as met.
    pub(crate) assumed: BTreeSet<String>,
    /// For a request that cannot be met: all needs that nothing here can meet.
    pub(crate) lacking: BTreeMap<String, BTreeSet<String>>,
}

/// The list of what is installed: one full name a line; `#` begins a comment.
pub(crate) fn read_installed(path: &Path) -> Result<Vec<String>> {
    let text = String::from_utf8(layout::read_named(path, MAX_LIST)?)
        .map_err(|_| Error::unfit(path, "read", "stream did not contain valid UTF-8"))?;
    let mut names = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let name = line.split('#').next().unwrap_or_default().trim();
        // A key in the database has no architecture and is no package.
        if name.is_empty() || name.starts_with("gpg-pubkey-") {
            continue;
        }
        if Nevra::parse(name).is_err() {
            return Err(Error::Config {
                place: format!("{}:{}", path.display(), at + 1),
                what: format!("{name:?}: expected name-[epoch:]version-release.arch"),
            });
        }
        names.push(name.to_owned());
        if names.len() > MAX_INSTALLED {
            return Err(Error::unfit(path, "read", "too many lines"));
        }
    }
    Ok(names)
}

struct ClosureSolver {
    pool: Pool,
    installed: RepoId,
    /// Full names without epoch of what is installed and not yet found in a repository.
    open: BTreeMap<String, Nevra>,
    places: HashMap<SolvableId, (String, String)>,
    by_checksum: HashMap<(String, String), SolvableId>,
    assumed: Assumed,
}

/// What counts as met though no package meets it.
#[derive(Default)]
struct Assumed {
    /// Patterns of capabilities; none means all that no package provides.
    patterns: Option<Vec<String>>,
    /// What packages need of it, as they write it: name, relation, version.
    needs: BTreeSet<(String, u32, u32, String, String)>,
    /// The names of it that a package needs.
    of: HashMap<SolvableId, Vec<String>>,
    /// The names that packages provide, where all counts that none does.
    provided: HashSet<String>,
}

impl Assumed {
    fn fits(&self, name: &str) -> bool {
        let is_plain = !name.starts_with('(') && !name.starts_with("rpmlib(");
        is_plain
            && self
                .patterns
                .as_ref()
                .is_none_or(|all| all.iter().any(|pattern| glob_matches(pattern, name)))
    }

    fn take(&mut self, id: SolvableId, input: &PackageInput<'_>) {
        if self.patterns.as_ref().is_some_and(Vec::is_empty) {
            return;
        }
        if self.patterns.is_none() {
            let provided = input.provides.iter().map(|dep| dep.name);
            let paths = input
                .files
                .iter()
                .filter_map(|path| std::str::from_utf8(path).ok());
            let all = provided.chain(paths).chain([input.name]);
            self.provided.extend(all.map(str::to_owned));
        }
        for dep in input.requires {
            if !self.fits(dep.name) {
                continue;
            }
            let (name, evr) = (dep.name.to_owned(), dep.evr);
            let (version, release) = (evr.version.to_owned(), evr.release.to_owned());
            self.of.entry(id).or_default().push(name.clone());
            self.needs
                .insert((name, dep.flags.0, evr.epoch, version, release));
        }
    }
}

/// Finds what the request needs.
///
/// # Errors
/// Metadata cannot be read. What cannot be solved stands in [`Closure::failed`].
pub(crate) fn closure(sources: &[SolverSource<'_>], request: &ClosureRequest) -> Result<Closure> {
    let mut closure = closure_with(sources, request, Some(request.assume.clone()))?;
    if request.explain {
        for (spec, _) in &closure.failed {
            let alone = ClosureRequest {
                specs: vec![spec.clone()],
                ..request.clone()
            };
            let mut all = closure_with(sources, &alone, None)?;
            let patterns = &request.assume;
            let is_given = |name: &String| patterns.iter().any(|one| glob_matches(one, name));
            all.assumed.retain(|name| !is_given(name));
            if all.failed.is_empty() && !all.assumed.is_empty() {
                closure.lacking.insert(spec.clone(), all.assumed);
            }
        }
    }
    Ok(closure)
}

/// [`closure`], where needs that fit these patterns count as met; without any all that no package provides.
fn closure_with(
    sources: &[SolverSource<'_>],
    request: &ClosureRequest,
    assume: Option<Vec<String>>,
) -> Result<Closure> {
    let mut pool = Pool::new(&request.arch)?;
    let installed = pool.add_repo("@System", 0)?;
    pool.set_installed(installed)?;
    let open = request
        .installed
        .iter()
        .filter_map(|text| Nevra::parse(text).ok())
        .map(|nevra| (plain_name(&nevra), nevra))
        .collect();
    let mut solver = ClosureSolver {
        pool,
        installed,
        open,
        places: HashMap::new(),
        by_checksum: HashMap::new(),
        assumed: Assumed {
            patterns: assume,
            ..Assumed::default()
        },
    };
    for source in sources {
        solver.load(source)?;
    }
    solver.load_unknown_installed()?;
    solver.assume(&request.assume)?;
    solver.answer_paths(sources)?;
    solver.solve(request)
}

fn plain_name(nevra: &Nevra) -> String {
    let evr = &nevra.evr;
    format!(
        "{}-{}-{}.{}",
        nevra.name, evr.version, evr.release, nevra.arch
    )
}

impl ClosureSolver {
    fn load(&mut self, source: &SolverSource<'_>) -> Result<()> {
        let priority = if source.preferred { PREFERRED } else { USUAL };
        let repo = self.pool.add_repo(source.id, priority)?;
        // What is wrong with repomd.xml was said when upstream was looked at.
        let doubt = Doubt::default();
        let mut failed = None;
        upstream::read_primary(source.id, source.primary, &doubt, &mut |package| match self
            .take(source, repo, package)
        {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn take(
        &mut self,
        source: &SolverSource<'_>,
        repo: RepoId,
        package: &PrimaryPackage,
    ) -> Result<()> {
        let name = upstream::name_of(package);
        if let Some(nevra) = self.open.get(&name)
            && nevra.evr.epoch.is_none_or(|epoch| epoch == package.epoch())
        {
            let installed = self.installed;
            self.add(installed, package)?;
            self.open.remove(&name);
        }
        let location = upstream::here(package);
        if !(source.keep)(&location) || matches!(package.arch(), "src" | "nosrc") {
            return Ok(());
        }
        let id = self.add(repo, package)?;
        let place = (source.id.to_owned(), location.into_owned());
        self.places.insert(id, place);
        let key = (source.id.to_owned(), package.checksum().to_owned());
        self.by_checksum.insert(key, id);
        Ok(())
    }

    fn add(&mut self, repo: RepoId, package: &PrimaryPackage) -> Result<SolvableId> {
        let (pool, assumed) = (&mut self.pool, &mut self.assumed);
        // No query is answered from this pool: the texts stay outside.
        let added = with_primary(package, |input| {
            let added = pool.add_package(
                repo,
                &PackageInput {
                    facts: PackageFacts::default(),
                    ..*input
                },
            );
            added.inspect(|id| assumed.take(*id, input))
        });
        Ok(added?)
    }

    /// What is assumed is provided by a package that counts as installed, in the words of those who need it.
    fn assume(&mut self, patterns: &[String]) -> Result<()> {
        let assumed = &mut self.assumed;
        let provided = std::mem::take(&mut assumed.provided);
        let counts = |name: &str| {
            !provided.contains(name) || patterns.iter().any(|one| glob_matches(one, name))
        };
        assumed.needs.retain(|(name, ..)| counts(name));
        for names in assumed.of.values_mut() {
            names.retain(|name| counts(name));
        }
        if assumed.needs.is_empty() {
            return Ok(());
        }
        let provides: Vec<DepInput<'_>> = assumed
            .needs
            .iter()
            .map(|(name, flags, epoch, version, release)| DepInput {
                name,
                flags: DepFlags(*flags),
                evr: EvrInput {
                    epoch: *epoch,
                    version,
                    release,
                },
                pre: false,
            })
            .collect();
        self.pool.add_package(
            self.installed,
            &PackageInput {
                name: "@assumed",
                arch: "noarch",
                evr: EvrInput {
                    version: "1",
                    ..EvrInput::default()
                },
                provides: &provides,
                ..PackageInput::default()
            },
        )?;
        Ok(())
    }

    /// What is installed and in no repository provides at least itself.
    fn load_unknown_installed(&mut self) -> Result<()> {
        for nevra in std::mem::take(&mut self.open).into_values() {
            let installed = self.installed;
            self.pool.add_package(
                installed,
                &PackageInput {
                    name: &nevra.name,
                    arch: &nevra.arch,
                    evr: EvrInput {
                        epoch: nevra.evr.epoch_or_zero(),
                        version: &nevra.evr.version,
                        release: &nevra.evr.release,
                    },
                    ..PackageInput::default()
                },
            )?;
        }
        Ok(())
    }

    /// Asks the file lists for paths that packages need and primary does not tell of.
    fn answer_paths(&mut self, sources: &[SolverSource<'_>]) -> Result<()> {
        let missing: BTreeSet<String> = self.pool.missing_paths()?.into_iter().collect();
        if missing.is_empty() {
            return Ok(());
        }
        for source in sources {
            let Some((path, record)) = &source.filelists else {
                continue;
            };
            let stream: VerifiedReader<File> = upstream::open(path, record, &Doubt::default())?;
            let mut found: Vec<(SolvableId, String)> = Vec::new();
            let summary =
                filelists::read(source.id, stream, &XmlLimits::default(), &mut |package| {
                    let key = (source.id.to_owned(), package.pkgid().to_owned());
                    if let Some(id) = self.by_checksum.get(&key) {
                        let hits = package.files().filter(|file| missing.contains(file.path));
                        found.extend(hits.map(|file| (*id, file.path.to_owned())));
                    }
                    ControlFlow::Continue(())
                })?;
            upstream::whole(source.id, "filelists", &summary)?;
            for (id, path) in found {
                self.pool.add_file_provide(id, path.as_bytes())?;
            }
        }
        Ok(())
    }

    fn solve(mut self, request: &ClosureRequest) -> Result<Closure> {
        let mut closure = Closure::default();
        let mut groups: Vec<(String, Vec<SolverJob>)> = Vec::new();
        for spec in &request.specs {
            let selection = self.pool.select(spec, SelectFlags::default(), false)?;
            if selection.is_empty() {
                let why = "no repository of this mirror has it".to_owned();
                closure.failed.push((spec.clone(), why));
                continue;
            }
            let jobs = selection.jobs(JobAction::Install);
            groups.push((spec.clone(), jobs));
        }
        if request.upgrade {
            groups.push(("upgrade".into(), vec![SolverJob::all(JobAction::Update)]));
        }
        let options = SolverOptions {
            ignore_recommended: !request.recommends,
            ..SolverOptions::default()
        };
        // Together, as one transaction would; what cannot stand together is solved one by one, so
        // that one bad request does not keep the others out.
        let all: Vec<SolverJob> = groups.iter().flat_map(|(_, jobs)| jobs.clone()).collect();
        if let SolveResult::Solved(solution) = self.pool.solve(&all, &options)? {
            self.collect(&solution.steps, &mut closure);
            return Ok(closure);
        }
        for (spec, jobs) in groups {
            match self.pool.solve(&jobs, &options)? {
                SolveResult::Solved(solution) => self.collect(&solution.steps, &mut closure),
                SolveResult::Problems(problems) => {
                    let why = problems.first().map(|p| p.main.text.clone());
                    closure.failed.push((spec, why.unwrap_or_default()));
                }
            }
        }
        Ok(closure)
    }

    fn collect(&self, steps: &[rpm_solv::TransactionStep], closure: &mut Closure) {
        for step in steps {
            if step.kind == StepKind::Erase {
                continue;
            }
            let assumed = self.assumed.of.get(&step.solvable);
            closure
                .assumed
                .extend(assumed.into_iter().flatten().cloned());
            if let Some((repo, location)) = self.places.get(&step.solvable) {
                let set = closure.chosen.entry(repo.clone()).or_default();
                set.insert(location.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
