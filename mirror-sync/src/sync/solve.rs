//! Package lists with all that they need, over all repositories of the run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use repo_client::MetadataSet;
use rpm_repo::repomd::RepomdRecord;

use super::SyncRun;
use crate::config::SelectSection;
use crate::error::Result;
use crate::plan::closure::{self, Closure, ClosureRequest, SolverSource};
use crate::upstream::Refused;

/// Most needs that a line names.
const MAX_NEEDS: usize = 12;

/// One repository as the solver sees it.
pub(super) struct SolverCandidate<'a> {
    pub(super) id: &'a str,
    pub(super) set: &'a MetadataSet,
    /// What it asks for; none if it only offers, and then all that it has.
    pub(super) select: Option<&'a SelectSection>,
    /// Locations that may be taken from it.
    pub(super) offered: BTreeSet<&'a str>,
}

/// What the solver chose, and what it could not fulfil: by the repository it is from, and by the one
/// that asked.
#[derive(Default)]
pub(super) struct Chosen {
    pub(super) locations: BTreeMap<String, BTreeSet<String>>,
    /// Requests that cannot be met, and why.
    pub(super) failed: BTreeMap<String, Refused>,
}

/// Decides what lists of packages need. Each repository that has a list asks for itself: what it has
/// itself is taken from it, what it lacks from the others.
pub(super) fn solve(
    run: &SyncRun<'_>,
    candidates: &[SolverCandidate<'_>],
    list: impl Fn(&SelectSection) -> &[String],
) -> Result<Chosen> {
    let mut chosen = Chosen::default();
    for asking in candidates {
        let Some(select) = asking.select.filter(|select| !list(select).is_empty()) else {
            continue;
        };
        let wish = wish(run, asking.id, select, list(select))?;
        let closure = ask(run, candidates, &wish, asking.id)?;
        tell_assumed(run, asking.id, &closure);
        for (repo, locations) in closure.chosen {
            chosen.locations.entry(repo).or_default().extend(locations);
        }
        let mut lacking = closure.lacking;
        let told = |(spec, why): (String, String)| match lacking.remove(&spec) {
            None => (spec, why),
            Some(needs) => {
                let (id, needs) = (asking.id, named(&needs));
                let way = format!(
                    "{why}; it lacks {needs}: mirror what has them too, or name what clients have already in select.assume \
                     of [repo.{id}]"
                );
                (spec, way)
            }
        };
        let failed = closure.failed.into_iter().map(told).collect();
        chosen.failed.insert(asking.id.to_owned(), failed);
    }
    Ok(chosen)
}

/// Says what was taken as given.
fn tell_assumed(run: &SyncRun<'_>, id: &str, closure: &Closure) {
    if !closure.assumed.is_empty() {
        let needs = named(&closure.assumed);
        run.printer
            .err(&format!("{id}: taken as given (select.assume): {needs}"));
    }
}

/// A list of needs, cut at some length.
fn named(needs: &BTreeSet<String>) -> String {
    let first: Vec<&str> = needs.iter().take(MAX_NEEDS).map(String::as_str).collect();
    match needs.len().saturating_sub(MAX_NEEDS) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

fn wish(
    run: &SyncRun<'_>,
    id: &str,
    select: &SelectSection,
    specs: &[String],
) -> Result<ClosureRequest> {
    let foreign = |arch: &&String| !matches!(arch.as_str(), "noarch" | "src" | "nosrc");
    let section = run.config.repo.get(id);
    let member = section.and_then(|section| section.member.as_ref());
    let of_member = member.and_then(|member| member.vars.get("basearch"));
    let arch = select.arch.iter().find(foreign).or(of_member).cloned();
    let installed = select.installed.as_deref().map(closure::read_installed);
    Ok(ClosureRequest {
        specs: specs.to_vec(),
        upgrade: false,
        recommends: select.recommends,
        installed: installed.transpose()?.unwrap_or_default(),
        assume: select.assume.clone(),
        explain: true,
        arch: arch.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
    })
}

fn ask(
    run: &SyncRun<'_>,
    candidates: &[SolverCandidate<'_>],
    wish: &ClosureRequest,
    asking: &str,
) -> Result<Closure> {
    let filter = |one: &SolverCandidate<'_>, location: &str| {
        one.select.is_none() || one.offered.contains(location)
    };
    let filters: Vec<_> = candidates
        .iter()
        .map(|one| move |location: &str| filter(one, location))
        .collect();
    let mut sources = Vec::new();
    let goes_with = |one: &SolverCandidate<'_>| run.config.goes_with(asking, one.id);
    let all = candidates.iter().zip(&filters);
    for (one, keep) in all.filter(|(one, _)| goes_with(one)) {
        let Some(part) = one.set.part("primary") else {
            continue;
        };
        let record = one.set.repomd.record("filelists");
        let filelists = record
            .map(|record| (stored(run, record), record.clone()))
            .filter(|(path, _)| path.is_file());
        sources.push(SolverSource {
            id: one.id,
            preferred: one.id == asking,
            primary: (Path::new(&part.path), &part.record),
            filelists,
            keep,
        });
    }
    closure::closure(&sources, wish)
}

/// Where a part lies in the store.
pub(super) fn stored(run: &SyncRun<'_>, record: &RepomdRecord) -> PathBuf {
    let digest = record.checksum;
    digest.map_or_else(PathBuf::new, |digest| run.store.path(&digest))
}
