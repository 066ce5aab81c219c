//! The second step: which packages of what upstream has are wanted.

use std::collections::BTreeSet;

use cli_kit::counted;
use repo_client::MetadataSet;

use super::look::Looked;
use super::repo::{Repo, RepoStep};
use super::solve::{self, SolverCandidate};
use super::{SyncRun, fetch, jobs};
use crate::config;
use crate::error::{Error, Result};
use crate::plan::{groups, select};
use crate::regenerate;
use crate::report::{RepoOutcome, RunReport};
use crate::store::digest_text;
use crate::upstream::{self, Listed, Refused, Upstream};
use rpm_pkg::nevra::Nevra;
use rpm_repo::compress::Doubt;
use rpm_repo::comps;
use rpm_repo::lock::LockedPackage;
use rpm_repo::xml::XmlLimits;

/// Most packages that are named as left out.
const MAX_TOLD: usize = 10;

/// A repository of which it is known what is wanted.
pub(super) struct Selected {
    repo: Repo,
    wanted: WantedSet,
}

/// What is wanted of upstream's set.
pub(super) struct WantedSet {
    /// The index and where it came from.
    pub(super) set: MetadataSet,
    pub(super) packages: Vec<Listed>,
    /// Locations of those that are to be published first.
    pub(super) first: BTreeSet<String>,
    /// What cannot be had, and why. While there is any, nothing is published.
    pub(super) refused: Refused,
}

impl Selected {
    pub(super) fn into_parts(self) -> (Repo, WantedSet) {
        (self.repo, self.wanted)
    }

    fn fail(self, run: &SyncRun<'_>, error: &Error) -> Box<super::repo::EndedRepo> {
        self.repo.fail(run, error, Some(self.wanted.set))
    }

    fn asks_solver(&self) -> bool {
        let select = &self.repo.section.select;
        select.wants_closure() || (!select.first.is_empty() && self.repo.current.is_none())
    }
}

/// Decides which packages of each repository are wanted. The solver sees all repositories of the
/// run: what is wanted of one may be needed by another.
pub(super) fn select(
    run: &SyncRun<'_>,
    line: Vec<RepoStep<Looked>>,
    report: &mut RunReport,
) -> Vec<RepoStep<Selected>> {
    let _span = tracing::info_span!("select").entered();
    let mut filter = |step: RepoStep<Looked>| step.and_then(|looked| filter(run, looked, report));
    let line: Vec<RepoStep<Selected>> = line.into_iter().map(&mut filter).collect();
    if !line.iter().flatten().any(Selected::asks_solver) {
        return line;
    }
    let answer = SolverAnswers::ask(run, &line);
    let settle = |selected: Selected| match &answer {
        Ok(answer) => selected.settle(run, answer),
        Err(error) if selected.asks_solver() => {
            let error = Error::repository(&selected.repo.id, error.to_string());
            Err(selected.fail(run, &error))
        }
        Err(_) => Ok(selected),
    };
    line.into_iter().map(|step| step.and_then(settle)).collect()
}

/// All that filters can tell.
fn filter(run: &SyncRun<'_>, looked: Looked, report: &mut RunReport) -> RepoStep<Selected> {
    let (mut repo, mut upstream) = looked.into_parts();
    let kept = fetch_parts(run, &repo, &mut upstream.set, report)
        .and_then(|()| passing(run, &repo, &upstream))
        .and_then(|kept| {
            take_groups(run, &mut repo, &upstream, &kept)?;
            Ok(kept)
        });
    let Upstream {
        set,
        mut packages,
        refused,
    } = upstream;
    match kept {
        Ok(kept) => {
            tell_idle(run, &repo, &packages, &kept);
            let mut kept = kept.into_iter();
            packages.retain(|_| kept.next().unwrap_or(false));
            if let Err(error) = leave_out(run, &repo, refused, packages.is_empty()) {
                return Err(repo.fail(run, &error, Some(set)));
            }
            let mut refused = Refused::new();
            if let Some(locked) = &repo.locked {
                let own = |package: &LockedPackage| package.repo == repo.id;
                refused.extend(locked.missing(packages.iter(), own));
            }
            repo.report.failed.clone_from(&refused);
            let wanted = WantedSet {
                set,
                packages,
                first: BTreeSet::new(),
                refused,
            };
            Ok(Selected { repo, wanted })
        }
        Err(error) => Err(repo.fail(run, &error, Some(set))),
    }
}

/// Says which patterns mean nothing that upstream has, and that nothing is left.
fn tell_idle(run: &SyncRun<'_>, repo: &Repo, packages: &[Listed], kept: &[bool]) {
    let warn = |what: String| run.printer.err(&format!("{}: warning: {what}", repo.id));
    let idle = select::idle(packages, &repo.section.select);
    for pattern in idle.iter().take(MAX_TOLD) {
        warn(format!("select.include: no package upstream is {pattern}"));
    }
    if !packages.is_empty() && !kept.contains(&true) {
        let all = counted(packages.len() as u64, "package");
        warn(format!("of {all} upstream none is selected: see select"));
    }
}

/// Says which packages cannot be taken, but for those that are not wanted anyway: each bad record costs its own package.
///
/// # Errors
/// There is no other package.
fn leave_out(
    run: &SyncRun<'_>,
    repo: &Repo,
    refused: Vec<(Nevra, String)>,
    none_left: bool,
) -> Result<()> {
    let id = &repo.id;
    let wanted: Refused = refused
        .into_iter()
        .filter(|(nevra, _)| select::passes(nevra, &repo.section.select))
        .map(|(nevra, why)| (nevra.to_string(), why))
        .filter(|(name, _)| repo.locked.iter().all(|locked| locked.has_name(name)))
        .collect();
    if let (true, Some((name, why))) = (none_left, wanted.first()) {
        let what = format!("no package can be taken: {name}: {why}");
        return Err(Error::repository(id, what));
    }
    for (name, why) in wanted.iter().take(MAX_TOLD) {
        run.printer
            .err(&format!("{id}: warning: {name} is left out: {why}"));
    }
    if let Some(more) = wanted.len().checked_sub(MAX_TOLD).filter(|more| *more > 0) {
        let more = counted(more as u64, "package");
        run.printer
            .err(&format!("{id}: warning: {more} more left out for the like"));
    }
    Ok(())
}

/// Gets the parts that selecting needs: all that are kept where something is left out.
fn fetch_parts(
    run: &SyncRun<'_>,
    repo: &Repo,
    set: &mut MetadataSet,
    report: &mut RunReport,
) -> Result<()> {
    let select = &repo.section.select;
    if select.is_everything() && select.first.is_empty() {
        return Ok(());
    }
    let records = set.repomd.records.iter();
    let kept = records.filter(|record| record.kind != "primary" && regenerate::is_kept(record));
    let jobs = kept.filter_map(|record| jobs::record(set, record));
    let done = run.fetcher().run(jobs.collect())?;
    report.count(&done);
    fetch::leave_packages_out(run, set);
    match done.failed.first() {
        None => Ok(()),
        Some((repo, path, why)) => Err(Error::Partial {
            repo: repo.clone(),
            missing: done.failed.len(),
            wanted: done.failed.len(),
            first: format!("{path}: {why}"),
        }),
    }
}

/// Adds the packages of the groups that are selected to the list of packages.
fn take_groups(
    run: &SyncRun<'_>,
    repo: &mut Repo,
    upstream: &Upstream,
    kept: &[bool],
) -> Result<()> {
    let asked = &repo.section.select.groups;
    if asked.is_empty() {
        return Ok(());
    }
    let repomd = &upstream.set.repomd;
    let record = repomd.record("group").or(repomd.record("group_gz"));
    let none = "groups are selected, but upstream publishes none (no comps)";
    let record = record.ok_or_else(|| Error::repository(&repo.id, none))?;
    let stream = upstream::open(&solve::stored(run, record), record, &Doubt::default())?;
    let comps = comps::read(&repo.id, stream, &XmlLimits::default())?;
    let names = groups::packages(&comps, asked).map_err(|why| {
        let what = format!("select.groups: {why}");
        Error::repository(&repo.id, what)
    })?;
    let here: BTreeSet<&str> = upstream
        .packages
        .iter()
        .zip(kept)
        .filter_map(|(package, kept)| kept.then_some(package.nevra.name.as_str()))
        .collect();
    let (there, absent): (Vec<String>, Vec<String>) = names
        .into_iter()
        .partition(|name| here.contains(name.as_str()));
    if !absent.is_empty() {
        let (id, more) = (&repo.id, absent.len().saturating_sub(MAX_TOLD));
        let list: Vec<&str> = absent.iter().take(MAX_TOLD).map(String::as_str).collect();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        run.printer.err(&format!(
            "{id}: the groups that are selected name packages that are not here: {}{more}",
            list.join(", ")
        ));
    }
    // Asked again after upstream was published anew, the list begins anew.
    let own = run.config.repo.get(&repo.id);
    let own = own.map(|section| section.select.packages.clone());
    let mut list = own.unwrap_or_default();
    list.extend(there);
    if list.is_empty() {
        let what = "select.groups: no package of these groups is here";
        return Err(Error::repository(&repo.id, what));
    }
    repo.section.select.packages = list;
    Ok(())
}

/// Which of upstream's packages pass the filters of the configuration.
fn passing(run: &SyncRun<'_>, repo: &Repo, upstream: &Upstream) -> Result<Vec<bool>> {
    let select = &repo.section.select;
    let advised = if select.advisories.is_empty() {
        None
    } else {
        let record = upstream.set.repomd.record("updateinfo");
        let none = "advisories are selected, but upstream publishes none (no updateinfo)";
        let record = record.ok_or_else(|| Error::repository(&repo.id, none))?;
        let stream = upstream::open(&solve::stored(run, record), record, &Doubt::default())?;
        Some(select::advised(&repo.id, stream, &select.advisories)?)
    };
    let mut keep = select::wanted(&upstream.packages, select, advised.as_ref());
    if let Some(locked) = &repo.locked {
        let named = locked.named(&upstream.packages);
        keep.iter_mut()
            .zip(named)
            .for_each(|(keep, named)| *keep &= named);
    }
    Ok(keep)
}

/// What the solver said to all repositories of the run.
struct SolverAnswers {
    needed: solve::Chosen,
    first: solve::Chosen,
}

impl SolverAnswers {
    /// Asks what lists of packages need, and what is published first.
    fn ask(run: &SyncRun<'_>, line: &[RepoStep<Selected>]) -> Result<Self> {
        let candidates: Vec<SolverCandidate<'_>> = line.iter().filter_map(candidate).collect();
        let ask =
            |list: fn(&config::SelectSection) -> &[String]| solve::solve(run, &candidates, list);
        Ok(Self {
            needed: ask(|select| &select.packages)?,
            first: ask(|select| &select.first)?,
        })
    }
}

/// A repository as the solver sees it. One that has left the run, because it is current or failed,
/// offers all that upstream has.
fn candidate(step: &RepoStep<Selected>) -> Option<SolverCandidate<'_>> {
    Some(match step {
        Ok(Selected { repo, wanted }) => SolverCandidate {
            id: &repo.id,
            set: &wanted.set,
            select: Some(&repo.section.select),
            offered: wanted
                .packages
                .iter()
                .map(|p| p.location.as_str())
                .collect(),
        },
        Err(ended) => SolverCandidate {
            id: &ended.report.id,
            set: ended.set.as_ref()?,
            select: None,
            offered: BTreeSet::new(),
        },
    })
}

impl Selected {
    /// Leaves what the solver chose. A closure that came out the same from the same upstream is
    /// nothing new.
    fn settle(mut self, run: &SyncRun<'_>, answer: &SolverAnswers) -> RepoStep<Selected> {
        // A request that cannot be met makes the set of the repository that asked incomplete.
        for chosen in [&answer.needed, &answer.first] {
            let failed = chosen.failed.get(&self.repo.id).into_iter().flatten();
            self.repo.report.failed.extend(failed.clone().cloned());
            self.wanted.refused.extend(failed.cloned());
        }
        let chosen = |chosen: &solve::Chosen| chosen.locations.get(&self.repo.id).cloned();
        let mut first = chosen(&answer.first).unwrap_or_default();
        let needed = chosen(&answer.needed).unwrap_or_default();
        let packages = &mut self.wanted.packages;
        if self.repo.section.select.wants_closure() {
            packages.retain(|package| needed.contains(&package.location));
        }
        first.retain(|location| packages.iter().any(|package| package.location == *location));
        self.wanted.first = first;
        if self.repo.section.select.wants_closure() && !run.options.force && self.is_published() {
            return Err(self
                .repo
                .end(run, RepoOutcome::NothingNew, Some(self.wanted.set)));
        }
        Ok(self)
    }

    fn is_published(&self) -> bool {
        let (repo, wanted) = (&self.repo, &self.wanted);
        repo.current.as_ref().is_some_and(|current| {
            let packages = current.files.iter().filter(|file| file.package.is_some());
            let had: BTreeSet<&str> = packages.map(|file| file.path.as_str()).collect();
            let now = wanted
                .packages
                .iter()
                .map(|package| package.location.as_str());
            current.upstream == digest_text(&wanted.set.repomd_digest)
                && current.selection == repo.selection
                && !current.first_part
                && wanted.refused.is_empty()
                && had == now.collect()
        })
    }
}
