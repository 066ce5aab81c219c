//! A bundle becomes what clients of the isolated site see. Everything is checked before anything
//! changes: signature, site, order, age, every digest, every vendor signature, and that nothing is
//! missing. A run that was killed is simply run again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;

use super::contents::RepoGoal;
use super::opened::{Opened, canonical, open};
use super::record::{self, Applied, Receipt};
use crate::error::Result;
use crate::layout::{self, CURRENT};
use crate::manifest::{self, Manifest, SnapshotFile};
use crate::plan;
use crate::store::{self, HashedFile, digest_text};
use crate::sync::{SyncRun, free_stamp};
use crate::trust::{self, PackageTrust};

/// What was done.
#[derive(Debug, Serialize)]
pub(crate) struct AppliedBundle {
    pub(crate) bundle: String,
    /// Packages that came, by repository.
    pub(crate) added: Names,
    /// Packages that went, by repository.
    pub(crate) removed: Names,
    /// Nothing was changed: it was only looked at.
    pub(crate) dry_run: bool,
}

/// Full names of packages, by repository.
type Names = BTreeMap<String, Vec<String>>;

/// Files that came with the bundle, by their names in the store.
type Came = BTreeMap<String, HashedFile>;

/// Applies the bundle in these parts. The caller holds the mirror's lock.
///
/// # Errors
/// [`Error::Bundle`] says why it was refused, [`Error::DeleteGuard`] that too much would go; then nothing was changed.
pub(crate) fn apply(run: &SyncRun<'_>, parts: &[PathBuf]) -> Result<AppliedBundle> {
    let dry_run = run.options.dry_run;
    let keys = trust::keyring(&run.config.bundle.keys)?;
    let bundle = open(parts, &keys, run.now)?;
    let mut applied = record::applied(&run.layout)?;
    in_order(run, &bundle, &applied)?;
    for goal in &bundle.contents.repos {
        let id = &goal.whole.repo;
        if !run.config.repo.contains_key(id) {
            return Err(bundle.refuse(format!(
                "it brings repository {id}, which is not configured here (`[repo.{id}]` with `mode = \"bundle\"` and its gpgkey)"
            )));
        }
    }
    let (added, removed) = changes(run, &bundle)?;
    repo_client::require_space(run.layout.root(), bundle.contents.bytes())?;
    let stage = run.layout.partial().join(format!("bundle-{}", bundle.name));
    run.layout.make(&run.layout.partial())?;
    layout::remove_tree(&stage)?;
    run.layout.make(&stage)?;
    let result = staged(run, &bundle, &stage);
    layout::remove_tree(&stage)?;
    result?;
    if !dry_run {
        applied.site.clone_from(&bundle.contents.site);
        let receipt = Receipt::new(&bundle.contents, &bundle.reference, run.now);
        applied.receipts.push(receipt);
        record::write_applied(&run.layout, &applied)?;
    }
    Ok(AppliedBundle {
        added,
        removed,
        bundle: bundle.name,
        dry_run,
    })
}

/// The right site, not expired, not a replay, nothing left out before it.
fn in_order(run: &SyncRun<'_>, bundle: &Opened, applied: &Applied) -> Result<()> {
    let contents = &bundle.contents;
    let configured = run.config.bundle.site.as_deref();
    let known = (!applied.site.is_empty()).then_some(applied.site.as_str());
    if let Some(here) = configured.or(known)
        && here != contents.site
    {
        return Err(bundle.refuse(format!("it is for site {}, this is {here}", contents.site)));
    }
    if let Some(end) = contents.expires.filter(|end| *end <= run.now) {
        return Err(bundle.refuse(format!("it expired on {}", manifest::date(end))));
    }
    let last = applied.receipts.last().map(|receipt| &receipt.bundle);
    if let Some(last) = last.filter(|last| contents.number <= last.number) {
        return Err(bundle.refuse(if last.id == bundle.reference.id {
            "it has already been applied".to_owned()
        } else {
            format!(
                "bundle {} has already been applied: this one is older",
                last.number
            )
        }));
    }
    match &contents.previous {
        Some(previous) if Some(previous) != last => Err(bundle.refuse(format!(
            "it follows bundle {}, {}; apply that one first, or ask for a full one",
            previous.number,
            match last {
                Some(last) => format!("but {} was the last one applied here", last.number),
                None => "which was never applied here".to_owned(),
            }
        ))),
        _ => Ok(()),
    }
}

/// What comes and what goes of what clients see, by repository: a full bundle does not know what is here. No more may go
/// than the guard allows.
fn changes(run: &SyncRun<'_>, bundle: &Opened) -> Result<(Names, Names)> {
    let (mut added, mut removed) = (Names::new(), Names::new());
    for RepoGoal { whole, .. } in &bundle.contents.repos {
        let id = &whole.repo;
        let shown = shown(run, id)?;
        let had = shown.as_ref().map_or(&[][..], |shown| &shown.files);
        let names = plan::package_names(&whole.files);
        let (comes, goes) = plan::differences(had, &names);
        if !run.options.allow_delete {
            let (limits, shown) = (&run.config.mirror, shown.as_ref());
            plan::guard(id, limits, shown, goes.len(), names.len())?;
        }
        added.insert(id.clone(), comes);
        removed.insert(id.clone(), goes);
    }
    Ok((added, removed))
}

/// What clients see of a repository, if its list is whole.
fn shown(run: &SyncRun<'_>, id: &str) -> Result<Option<Manifest>> {
    let (state, _) = run.publisher().remembered(id)?;
    let shown = state.current(CURRENT);
    Ok(shown.and_then(|shown| manifest::read(&run.layout, id, &shown.stamp).ok()))
}

fn staged(run: &SyncRun<'_>, bundle: &Opened, stage: &std::path::Path) -> Result<()> {
    let came = bundle.unpack(stage)?.into_values();
    let came = came
        .map(|file| (digest_text(file.digest()), file))
        .collect();
    complete(run, bundle, &came)?;
    let judged = signed(run, bundle, &came)?;
    if run.options.dry_run {
        return Ok(());
    }
    run.store.mark()?;
    for file in came.values() {
        run.store.adopt(file)?;
    }
    judged.iter().try_for_each(|whole| publish(run, whole))
}

/// Every file of every set came now, or is here since an earlier bundle.
fn complete(run: &SyncRun<'_>, bundle: &Opened, came: &Came) -> Result<()> {
    let mut missing: Vec<&SnapshotFile> = Vec::new();
    for entry in bundle
        .contents
        .repos
        .iter()
        .flat_map(|goal| &goal.whole.files)
    {
        let sent = came.get(&canonical(&entry.digest));
        let fits = sent.is_some_and(|file| file.size() == entry.size);
        if !fits && !run.store.has(&entry.digest()?, Some(entry.size)) {
            missing.push(entry);
        }
    }
    match missing.first() {
        None => Ok(()),
        Some(first) => Err(bundle.refuse(format!(
            "{} files that an earlier bundle brought are not here ({}): ask for a full one",
            missing.len(),
            first.path
        ))),
    }
}

/// Every package is signed by its vendor, as the site's configuration demands: those that came, and those that the store
/// has for another repository. What this one shows already was judged when it came, unless the rules were others then.
/// Gives the sets, each with the rules that it was judged by.
fn signed(run: &SyncRun<'_>, bundle: &Opened, came: &Came) -> Result<Vec<Manifest>> {
    let mut sets = Vec::new();
    for goal in &bundle.contents.repos {
        let id = &goal.whole.repo;
        let trust = PackageTrust::of(run.config, id)?;
        // A manifest that was lost costs another look at each package.
        let shown = shown(run, id)?.filter(|shown| shown.rules == trust.rules);
        let files = shown.iter().flat_map(|shown| &shown.files);
        let judged: BTreeSet<(bool, String)> = files.map(kind_and_digest).collect();
        for file in &goal.whole.files {
            let path = match came.get(&canonical(&file.digest)) {
                Some(file) => file.path().to_owned(),
                None if judged.contains(&kind_and_digest(file)) => continue,
                None => run.store.path(&file.digest()?),
            };
            let Some(name) = &file.package else {
                if store::is_package(&path)? {
                    return Err(bundle.refuse(format!("{id}: {} is a package", file.path)));
                }
                continue;
            };
            let told = trust::judge_package(&path, &trust, run.now)
                .map_err(|why| bundle.refuse(format!("{id}: {name}: {why}")))?;
            if told != *name {
                return Err(bundle.refuse(format!("{id}: {name} is really {told}")));
            }
        }
        if let Some(line) = trust.weak_line(id) {
            run.printer.err(&line);
        }
        sets.push(Manifest {
            rules: trust.rules,
            // Files of another site.
            sources: Vec::new(),
            ..goal.whole.clone()
        });
    }
    Ok(sets)
}

fn kind_and_digest(file: &SnapshotFile) -> (bool, String) {
    (file.package.is_some(), canonical(&file.digest))
}

/// The name that a set gets here: its own, unless another set has that. Bundles that were made within one second, or by a
/// clock that was put back, have the same.
fn stamp_here(run: &SyncRun<'_>, whole: &Manifest) -> Result<String> {
    let (id, own) = (&whole.repo, &whole.stamp);
    let stamps = manifest::stamps(&run.layout, id)?;
    let newest = stamps.last().filter(|newest| *newest > own);
    let is_it = |stamp: &&String| {
        let had = manifest::read(&run.layout, id, stamp);
        had.is_ok_and(|had| had.files == whole.files)
    };
    match [own].into_iter().chain(newest).find(is_it) {
        Some(had) => Ok(had.clone()),
        None => free_stamp(run, id, manifest::seconds(own).unwrap_or(whole.made)),
    }
}

fn publish(run: &SyncRun<'_>, whole: &Manifest) -> Result<()> {
    let publisher = run.publisher();
    let (mut state, damage) = publisher.remembered(&whole.repo)?;
    if let Some(damage) = damage {
        run.printer.err(&format!("warning: {damage}: done"));
    }
    let whole = &Manifest {
        stamp: stamp_here(run, whole)?,
        ..whole.clone()
    };
    publisher.publish(whole, &mut state)?;
    publisher.retain(&whole.repo, &state).map(|_| ())
}
