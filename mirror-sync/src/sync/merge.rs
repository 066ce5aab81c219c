//! Snapshots of several repositories become one of a repository that is filled by that alone.

use std::collections::{BTreeMap, BTreeSet};

use rpm_pkg::digest::{DigestAlgo, Hasher};

use super::{SyncRun, metadata, offers};
use crate::config::RepoMode;
use crate::error::{Error, Result};
use crate::layout::CURRENT;
use crate::manifest::{self, FORMAT, Manifest, MergeSource};
use crate::plan;
use crate::regenerate::{self, MetadataOrder, MetadataSource, stored};
use crate::store::digest_text;
use crate::trust::{self, PackageTrust};
use crate::upstream::Listed;

/// Most packages that are named as in several sources.
const MAX_TOLD: usize = 10;

/// What came of it.
pub(crate) struct Merged {
    /// The new snapshot; none if what is shown was made of these.
    pub(crate) manifest: Option<Manifest>,
    /// Packages that several sources have with different content: of the first one it is taken.
    pub(crate) collisions: Vec<String>,
}

/// Merges and publishes; of each source it is said whether it was asked for as this snapshot. The caller holds the mirror's lock.
///
/// # Errors
/// A snapshot is damaged; the repository is none that is filled so; a package is none that it may have; more packages
/// would go than may at once.
pub(crate) fn merge(
    run: &SyncRun<'_>,
    into: &str,
    sources: &[(Manifest, bool)],
    allow_delete: bool,
) -> Result<Merged> {
    let section = run.config.repo.get(into);
    if section.is_none_or(|section| section.mode != RepoMode::Merge) {
        let why = format!(
            "{into} is no repository that is merged: add `mode = \"merge\"` to [repo.{into}]"
        );
        return Err(Error::Usage(why));
    }
    check_doors(run, into, sources)?;
    let made_from: Vec<MergeSource> = sources
        .iter()
        .map(|(source, fixed)| source_of(run, source, *fixed))
        .collect();
    let sources: Vec<&Manifest> = sources.iter().map(|(source, _)| source).collect();
    let sources = sources.as_slice();
    let (mut state, _) = run.publisher().remembered(into)?;
    let shown = state.current(CURRENT).map(|shown| shown.stamp.clone());
    let current = shown.and_then(|stamp| manifest::read(&run.layout, into, &stamp).ok());
    let names: Vec<String> = sources
        .iter()
        .map(|one| format!("{}@{}", one.repo, one.stamp))
        .collect();
    let made_of = digest_of(&names.join(" "));
    let trust = PackageTrust::of(run.config, into)?;
    let selection = digest_of(&format!("{} {:?}", trust.rules, run.config.mirror.sign_key));
    tell_unchecked(run, into, &made_from);
    let same = |one: &Manifest| {
        one.upstream == made_of && one.selection == selection && one.sources == made_from
    };
    if current.as_ref().is_some_and(same) {
        return Ok(Merged {
            manifest: None,
            collisions: Vec::new(),
        });
    }
    let mut sets = Vec::new();
    for source in sources {
        sets.push(stored::open(&run.layout, &run.store, source)?);
    }
    let (chosen, collisions) = choose(sources, &sets);
    for line in collisions.iter().take(MAX_TOLD) {
        run.printer.err(&format!("{into}: warning: {line}"));
    }
    if let Some(more @ 1..) = collisions.len().checked_sub(MAX_TOLD) {
        run.printer
            .err(&format!("{into}: warning: the same of {more} more"));
    }
    let keeps: Vec<BTreeSet<&str>> = chosen
        .iter()
        .map(|list| list.iter().map(|one| one.location.as_str()).collect())
        .collect();
    let order: Vec<MetadataSource<'_>> = sets
        .iter()
        .zip(&keeps)
        .map(|((set, _), keep)| MetadataSource { set, keep })
        .collect();
    let key = run.config.mirror.sign_key.as_deref();
    let key = key.map(trust::signing_key).transpose()?;
    run.layout.make(&run.layout.partial())?;
    let mut files = regenerate::write(&MetadataOrder {
        sources: &order,
        store: &run.store,
        work: &run.layout.partial().join(format!("metadata-{into}")),
        key: key.as_ref(),
        now: run.now,
    })?;
    let packages: Vec<_> = chosen.iter().flatten().map(|one| one.entry()).collect();
    let count = packages.len();
    files.extend(packages);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let had = current.as_ref().map_or(&[][..], |one| &one.files);
    let (_, gone) = plan::differences(had, &plan::package_names(&files));
    if !allow_delete {
        let (gone, limits) = (gone.len(), &run.config.mirror);
        plan::guard(into, limits, current.as_ref(), gone, count)?;
    }
    let mut manifest = Manifest {
        format: FORMAT,
        repo: into.to_owned(),
        stamp: metadata::free_stamp(run, into, run.now)?,
        made: run.now,
        upstream: made_of,
        revision: None,
        timestamp: sources.iter().map(|one| one.timestamp).max().unwrap_or(0),
        selection,
        rules: String::new(),
        made_here: true,
        first_part: false,
        packages: count,
        bytes: files.iter().map(|file| file.size).sum(),
        files,
        sources: made_from,
        deltas: Vec::new(),
    };
    manifest = run.judged(&trust, manifest)?;
    offers::offer_deltas(run, &mut manifest)?;
    (state.last_try, state.last_success) = (run.now, run.now);
    state.outcome = "new".to_owned();
    state.error = None;
    run.publisher().publish(&manifest, &mut state)?;
    run.publisher().retain(into, &state)?;
    Ok(Merged {
        manifest: Some(manifest),
        collisions,
    })
}

/// Refuses to show without a token what asks for one where it comes from, unless that is meant: said in the section that is
/// merged into.
fn check_doors(run: &SyncRun<'_>, into: &str, sources: &[(Manifest, bool)]) -> Result<()> {
    let section = |id: &str| run.config.repo.get(id);
    let file = |id: &str| section(id).and_then(|section| run.config.tokens_file(section));
    if section(into).is_some_and(|section| section.tokens_file.is_some()) {
        return Ok(());
    }
    let mut ids = sources.iter().map(|(source, _)| source.repo.as_str());
    match ids.find(|id| file(id).is_some() && file(id) != file(into)) {
        None => Ok(()),
        Some(id) => Err(Error::Usage(format!(
            "clients of {id} need a token (tokens_file), and those of {into} would get its packages without that one: say in \
             [repo.{into}] which tokens it asks for (tokens_file = \"...\"; \"\" for none)"
        ))),
    }
}

/// What is remembered of a source.
fn source_of(run: &SyncRun<'_>, source: &Manifest, fixed: bool) -> MergeSource {
    let section = run.config.repo.get(&source.repo);
    MergeSource {
        repo: source.repo.clone(),
        stamp: source.stamp.clone(),
        fixed,
        keys: run.config.key_files(&source.repo),
        check: section.is_some_and(|section| run.config.checks_packages(section)),
        weak: section.map_or(Vec::new(), |section| section.weak_signatures.0.clone()),
    }
}

/// Says of which sources no signature is known, so that clients do not check any.
fn tell_unchecked(run: &SyncRun<'_>, into: &str, sources: &[MergeSource]) {
    let section = run.config.repo.get(into);
    if section.is_none_or(|section| section.gpgcheck.is_some() || !section.gpgkey.0.is_empty()) {
        return;
    }
    let open = sources.iter().filter(|source| !source.check);
    let open: Vec<&str> = open.map(|source| source.repo.as_str()).collect();
    if !open.is_empty() {
        run.printer.err(&format!(
            "{into}: warning: clients check no signature of its packages (gpgcheck=0 in mirror.repo), as those of {} are not \
             checked here: set gpgkey there, or in [repo.{into}]",
            open.join(", ")
        ));
    }
}

fn digest_of(text: &str) -> String {
    digest_text(&Hasher::digest(DigestAlgo::Sha256, text.as_bytes()))
}

/// What is taken of each source: each package once, and each path. Of two contents the first source has the word.
fn choose<'s>(
    sources: &[&Manifest],
    sets: &'s [(repo_client::MetadataSet, Vec<Listed>)],
) -> (Vec<Vec<&'s Listed>>, Vec<String>) {
    let mut names: BTreeMap<String, (&Listed, usize)> = BTreeMap::new();
    let mut paths: BTreeSet<&str> = BTreeSet::new();
    let mut collisions = Vec::new();
    let mut chosen = Vec::new();
    for (at, (_, packages)) in sets.iter().enumerate() {
        let mut own = Vec::new();
        for package in packages {
            let name = package.nevra.to_string();
            let source = |at: usize| sources.get(at).map_or("", |one| one.repo.as_str());
            match names.get(&name) {
                // The same file is there already, or one repository itself has two.
                Some((other, _)) if other.digest == package.digest => continue,
                Some((_, first)) if *first != at => {
                    let (first, second) = (source(*first), source(at));
                    collisions.push(format!(
                        "{name} of {first} and of {second} differ: that of {first} is taken"
                    ));
                    continue;
                }
                _ if !paths.insert(&package.location) => {
                    collisions.push(format!(
                        "{name} of {}: another package lies at {}: it is left out",
                        source(at),
                        package.location
                    ));
                    continue;
                }
                _ => {}
            }
            names.entry(name).or_insert((package, at));
            own.push(package);
        }
        chosen.push(own);
    }
    (chosen, collisions)
}
