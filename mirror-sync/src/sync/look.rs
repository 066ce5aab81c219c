//! The first step: what upstream has now, and whether that is anything new.

use repo_client::{MetadataSet, OlderMetadata};

use super::repo::{Repo, RepoStep};
use super::{SyncRun, deltas};
use crate::error::{Error, Result};
use crate::layout::{self, CURRENT};
use crate::manifest::{self, Ahead, Manifest, SnapshotFile};
use crate::report::RepoOutcome;
use crate::store::digest_text;
use crate::upstream::{self, Listed, PrimaryList, Upstream, UpstreamQuery};

/// A repository whose upstream has something new.
pub(super) struct Looked {
    repo: Repo,
    upstream: Upstream,
}

/// What upstream said.
enum UpstreamNews {
    /// This is what is published already.
    Known(MetadataSet),
    New(Upstream),
}

pub(super) fn look(run: &SyncRun<'_>, mut repo: Repo) -> RepoStep<Looked> {
    match ask(run, &mut repo) {
        Ok(UpstreamNews::New(upstream)) => {
            note_ahead(run, &mut repo, &digest_text(&upstream.set.repomd_digest));
            Ok(Looked::new(repo, upstream))
        }
        Ok(UpstreamNews::Known(set)) => Err(repo.end(run, RepoOutcome::NothingNew, Some(set))),
        Err(error) => Err(repo.fail(run, &error, None)),
    }
}

/// Looks once more after files of a set were missing: they vanish when upstream publishes anew
/// meanwhile, and then its new set is the one to have. What came already is kept. Without a new set the repository ends with the error.
pub(super) fn look_again(
    run: &SyncRun<'_>,
    mut repo: Repo,
    set: MetadataSet,
    lacking: &Error,
) -> RepoStep<Looked> {
    repo.looked_again += 1;
    match ask(run, &mut repo) {
        Ok(UpstreamNews::New(upstream)) if upstream.set.repomd_digest != set.repomd_digest => {
            run.printer.info(&format!(
                "{}: upstream has published a new set meanwhile: continuing with it",
                repo.id
            ));
            Ok(Looked::new(repo, upstream))
        }
        _ => Err(repo.fail(run, lacking, Some(set))),
    }
}

impl Looked {
    pub(super) fn new(repo: Repo, upstream: Upstream) -> Self {
        Self { repo, upstream }
    }

    pub(super) fn into_parts(self) -> (Repo, Upstream) {
        (self.repo, self.upstream)
    }
}

fn ask(run: &SyncRun<'_>, repo: &mut Repo) -> Result<UpstreamNews> {
    let _span = tracing::info_span!("look", repo = repo.id).entered();
    let config = run.config.client_config(&repo.id, &repo.section)?;
    let trust = std::sync::Arc::clone(&repo.trust);
    // With deltas in view the index comes first and alone.
    let first: &[&str] = if deltas::may_exist(run, repo) {
        &[]
    } else {
        &["primary"]
    };
    let question = UpstreamQuery {
        parts: first,
        older: match run.options.allow_older {
            true => OlderMetadata::Take,
            false => OlderMetadata::RefuseSigned,
        },
        ..UpstreamQuery::new(&config, &trust.keys, run.now)
    };
    let (mut set, older) = upstream::refresh(&run.client, &run.layout, &question, &run.observer)
        .map_err(|error| said_older(run, repo, error))?;
    refuse_older(run, repo, &set, older)?;
    if !run.options.force {
        let upstream = digest_text(&set.repomd_digest);
        let is_held = hold(run, repo, &upstream)?;
        if is_held || (is_shown(repo, &upstream) && !repo.section.select.wants_closure()) {
            return Ok(UpstreamNews::Known(set));
        }
    }
    if first.is_empty() {
        set = with_primary(run, repo, &set, question)?;
    }
    keep_primary(run, &set)?;
    let PrimaryList {
        packages,
        refused,
        left_out,
    } = upstream::list(&set)?;
    if let Some(left_out) = left_out {
        let id = &repo.id;
        run.printer
            .err(&format!("{id}: warning: primary: {left_out}"));
    }
    if upstream::primary_of(&set)?.doubt.take() {
        let id = &repo.id;
        run.printer.err(&format!(
            "{id}: warning: upstream's repomd.xml is wrong about a size of primary, or about the checksum of what it \
             unpacks to; the file itself is right and was read"
        ));
    }
    let records = &set.repomd.records;
    let what = if packages.iter().any(Listed::lies_elsewhere) {
        Some("packages lie elsewhere")
    } else if records.iter().any(|record| record.base.is_some()) {
        Some("metadata lie elsewhere")
    } else {
        None
    };
    if let (Some(what), true, 0) = (what, repo.section.select.is_everything(), repo.looked_again) {
        let id = &repo.id;
        run.printer.err(&format!(
            "{id}: upstream's {what}: the metadata are made here, where they lie in the mirror"
        ));
    }
    repo.elsewhere = what.is_some() || !refused.is_empty();
    Ok(UpstreamNews::New(Upstream {
        set,
        packages,
        refused,
    }))
}

/// The set of an index with its primary: made by a delta, of the store, or fetched.
fn with_primary(
    run: &SyncRun<'_>,
    repo: &mut Repo,
    set: &MetadataSet,
    question: UpstreamQuery<'_>,
) -> Result<MetadataSet> {
    deltas::take(run, repo, set)?;
    copy_stored_primary(run, set);
    let question = UpstreamQuery {
        complete: true,
        parts: &["primary"],
        ..question
    };
    let (whole, older) = upstream::refresh(&run.client, &run.layout, &question, &run.observer)
        .map_err(|error| said_older(run, repo, error))?;
    // Upstream may have been published anew meanwhile.
    refuse_older(run, repo, &whole, older)?;
    Ok(whole)
}

/// Remembers that upstream has something which clients do not see yet.
fn note_ahead(run: &SyncRun<'_>, repo: &mut Repo, upstream: &str) {
    let is_here = repo
        .current
        .as_ref()
        .is_some_and(|one| is_of(one, upstream));
    let since = |ahead: &Ahead| ahead.since;
    let since = repo.state.ahead.as_ref().map_or(run.now, since);
    repo.state.ahead = (!is_here).then_some(Ahead { since, packages: 0 });
}

/// Whether a set is of this index, and whole.
fn is_of(manifest: &Manifest, upstream: &str) -> bool {
    manifest.upstream == upstream
        && !manifest.first_part
        // One of a version that kept parts anywhere is made again without them.
        && manifest.files.iter().all(SnapshotFile::is_in_place)
}

/// Whether what is published is of this index and selection.
fn is_shown(repo: &Repo, upstream: &str) -> bool {
    let current = repo.current.as_ref();
    current.is_some_and(|one| is_of(one, upstream) && one.selection == repo.selection)
}

/// Whether a rollback holds: until upstream has something newer than what was rolled back from, whatever the
/// configuration says by now. Where whose signatures count has changed, what is held is judged again.
fn hold(run: &SyncRun<'_>, repo: &mut Repo, upstream: &str) -> Result<bool> {
    let Some(newest) = repo.state.rolled_back_from(CURRENT) else {
        return Ok(false);
    };
    let from = manifest::read(&run.layout, &repo.id, newest).ok();
    let Some(from) = from.filter(|from| is_of(from, upstream)) else {
        return Ok(false);
    };
    let id = &repo.id;
    if from.selection != repo.selection {
        run.printer.err(&format!(
            "{id}: warning: what was rolled back from {newest} is held until upstream has something newer: what has changed \
             in the configuration counts from then on, or with `--force`"
        ));
    }
    if let Some(current) = repo.current.take_if(|one| one.rules != repo.trust.rules) {
        let current = run.judged(&repo.trust, current)?;
        if !run.options.dry_run {
            let path = run.layout.manifest(id, &current.stamp);
            run.layout.write_json(&path, &current)?;
        }
        repo.current = Some(current);
    }
    Ok(true)
}

/// The rollback guard: nothing older than what was accepted once.
fn refuse_older(
    run: &SyncRun<'_>,
    repo: &Repo,
    set: &MetadataSet,
    older: Option<(u64, u64)>,
) -> Result<()> {
    let offered = upstream::age(set);
    let told = |seen: u64, offered: u64| {
        Err(Error::Older {
            repo: repo.id.clone(),
            offered: manifest::date(offered),
            seen: manifest::date(seen),
            also: run.options.switches(),
        })
    };
    if run.options.allow_older {
        return Ok(());
    }
    let seen = repo.state.seen;
    if offered < seen {
        return told(seen.0, offered.0);
    }
    match older {
        Some((offered, before)) if seen.0 > 0 => told(before, offered),
        _ => Ok(()),
    }
}

/// An error with the way out, where a server was refused for the age of its index.
fn said_older(run: &SyncRun<'_>, repo: &Repo, error: Error) -> Error {
    let age = match &error {
        Error::Client(client) => upstream::refused_age(client),
        _ => None,
    };
    match age {
        Some((offered, seen)) => Error::Older {
            repo: repo.id.clone(),
            offered: format!("revision {offered}"),
            seen: format!("revision {seen}"),
            also: run.options.switches(),
        },
        None => error,
    }
}

/// Gives the client the primary of the store, where it has none: then it need not be fetched.
fn copy_stored_primary(run: &SyncRun<'_>, set: &MetadataSet) {
    let record = set.repomd.record("primary");
    let Some((record, digest)) = record.and_then(|record| Some((record, record.checksum?))) else {
        return;
    };
    let name = record.href.as_str().strip_prefix("repodata/");
    let name = name.filter(|name| !name.contains('/') && !name.starts_with("tdnf.state"));
    if let Some(name) = name.filter(|_| run.store.has(&digest, record.size)) {
        // What cannot be copied is fetched.
        let _ = layout::copy(&run.store.path(&digest), &set.dir.join(name));
    }
}

/// Puts the primary that the client just fetched into the store, so that it is not fetched again.
fn keep_primary(run: &SyncRun<'_>, set: &MetadataSet) -> Result<()> {
    let Some(part) = set.part("primary") else {
        return Ok(());
    };
    let Some(digest) = part.record.checksum else {
        return Ok(());
    };
    if run.store.has(&digest, None) {
        return Ok(());
    }
    let partial = run.layout.partial();
    run.layout.make(&partial)?;
    let copy = partial.join(format!("primary-{}", set.repo));
    layout::copy(&part.path, &copy).map_err(Error::file(&copy, "copy"))?;
    run.store.mark()?;
    run.store.adopt_as(&copy, &digest)
}
