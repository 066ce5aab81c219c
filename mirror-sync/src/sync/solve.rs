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
        let closure = ask(run, candidates, &wish(select, list(select))?, asking.id)?;
        for (repo, locations) in closure.chosen {
            chosen.locations.entry(repo).or_default().extend(locations);
        }
        chosen.failed.insert(asking.id.to_owned(), closure.failed);
    }
    Ok(chosen)
}

fn wish(select: &SelectSection, specs: &[String]) -> Result<ClosureRequest> {
    let foreign = |arch: &&String| !matches!(arch.as_str(), "noarch" | "src" | "nosrc");
    let arch = select.arch.iter().find(foreign).cloned();
    let installed = select.installed.as_deref().map(closure::read_installed);
    Ok(ClosureRequest {
        specs: specs.to_vec(),
        upgrade: false,
        recommends: select.recommends,
        installed: installed.transpose()?.unwrap_or_default(),
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
    for (one, keep) in candidates.iter().zip(&filters) {
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
