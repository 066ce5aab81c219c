//! Looking at upstream and deciding what of it is wanted.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use repo_client::MetadataSet;
use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_repo::repomd::Record;
use rpm_trust::Keyring;

use crate::config::RepoSection;
use crate::error::{Error, Result};
use crate::fetch::Job;
use crate::manifest::{self, Manifest, State};
use crate::plan::closure;
use crate::plan::select;
use crate::report::{Outcome, RepoReport, Report};
use crate::store::digest_text;
use crate::sync::Run;
use crate::trust;
use crate::upstream::{self, Listed, Question, Upstream};

/// The work on one repository.
pub(super) struct Work {
    /// Its id.
    pub(super) id: String,
    /// Its configuration.
    pub(super) section: RepoSection,
    /// Its keys.
    pub(super) keyring: Arc<Keyring>,
    /// Whether packages must be signed by them.
    pub(super) check: bool,
    /// What upstream has; none after a failure.
    pub(super) upstream: Option<Upstream>,
    /// Which of its packages are wanted, by place.
    pub(super) keep: Vec<bool>,
    /// Locations of what is to be published first.
    pub(super) first: BTreeSet<String>,
    /// What is published now.
    pub(super) current: Option<Manifest>,
    /// What is remembered.
    pub(super) state: State,
    /// What was selected, and whose signatures count, as a digest.
    pub(super) selection: String,
    /// What is told in the end.
    pub(super) report: RepoReport,
    /// Nothing more to do.
    pub(super) done: bool,
}

/// Looks at one repository. A failure stands in the report.
pub(super) fn look(run: &Run<'_>, id: &str) -> Work {
    let section = run.config.repo.get(id).cloned().unwrap_or_default();
    let mut work = Work {
        id: id.to_owned(),
        check: run.config.checks_packages(&section),
        section,
        keyring: Arc::default(),
        upstream: None,
        keep: Vec::new(),
        first: BTreeSet::new(),
        current: None,
        state: State::default(),
        selection: String::new(),
        report: RepoReport {
            id: id.to_owned(),
            ..RepoReport::default()
        },
        done: false,
    };
    if let Err(error) = work.look(run) {
        work.end(run, Err(error));
    }
    work
}

impl Work {
    fn look(&mut self, run: &Run<'_>) -> Result<()> {
        self.state = manifest::read_state(&run.layout, &self.id)?;
        if let Some(shown) = self.state.current(crate::layout::CURRENT) {
            // A manifest that was lost costs a comparison, not the run.
            self.current = manifest::read(&run.layout, &self.id, &shown.stamp).ok();
            self.report.snapshot = Some(shown.stamp.clone());
        }
        self.keyring = Arc::new(trust::keyring(&run.config.key_files(&self.id))?);
        self.selection = self.selection(run)?;
        self.ask(run)
    }

    fn ask(&mut self, run: &Run<'_>) -> Result<()> {
        let config = run.config.client_config(&self.id, &self.section)?;
        let keyring = Arc::clone(&self.keyring);
        // With deltas in view the index comes first and alone.
        let first: &[&str] = if self.may_have_deltas(run) {
            &[]
        } else {
            &["primary"]
        };
        let question = Question {
            config: &config,
            keyring: &keyring,
            ask: true,
            complete: false,
            parts: first,
            allow_older: run.options.allow_older,
            now: run.now,
        };
        let (mut set, older) =
            upstream::refresh(&run.client, &run.layout, &question, &run.observer)?;
        self.refuse_older(run, &set, older)?;
        let same = self.is_known(run, &digest_text(&set.repomd_digest));
        if same && !run.options.force && !self.section.select.wants_closure() {
            self.report.outcome = Outcome::NothingNew;
            self.done = true;
        }
        let (packages, refused) = if self.done {
            (Vec::new(), Vec::new())
        } else {
            if first.is_empty() {
                set = self.with_primary(run, &set, question)?;
            }
            keep_primary(run, &set)?;
            upstream::list(&set)?
        };
        self.report.failed.clone_from(&refused);
        self.upstream = Some(Upstream {
            set,
            packages,
            refused,
        });
        Ok(())
    }

    /// The set of an index with its primary: made by a delta, of the store, or fetched.
    fn with_primary(
        &mut self,
        run: &Run<'_>,
        set: &MetadataSet,
        question: Question<'_>,
    ) -> Result<MetadataSet> {
        self.take_deltas(run, set)?;
        lend_primary(run, set);
        let question = Question {
            complete: true,
            parts: &["primary"],
            ..question
        };
        let (whole, older) = upstream::refresh(&run.client, &run.layout, &question, &run.observer)?;
        // Upstream may have been published anew meanwhile.
        self.refuse_older(run, &whole, older)?;
        Ok(whole)
    }

    /// Whether the newest set that was ever published is of this index and selection. What was
    /// rolled back from stays so until upstream has something newer.
    fn is_known(&self, run: &Run<'_>, upstream: &str) -> bool {
        let fits = |manifest: &Manifest| {
            manifest.upstream == upstream
                && manifest.selection == self.selection
                && !manifest.first_part
        };
        let newest = &self.state.newest_shown;
        self.current.as_ref().is_some_and(|current| {
            fits(current)
                || (*newest > current.stamp
                    && manifest::read(&run.layout, &self.id, newest).is_ok_and(|m| fits(&m)))
        })
    }

    /// The rollback guard: nothing older than what was accepted once.
    fn refuse_older(
        &self,
        run: &Run<'_>,
        set: &MetadataSet,
        older: Option<(u64, u64)>,
    ) -> Result<()> {
        let offered = upstream::age(set);
        let told = |seen: u64, offered: u64| {
            Err(Error::Older {
                repo: self.id.clone(),
                offered: manifest::date(offered),
                seen: manifest::date(seen),
            })
        };
        if run.options.allow_older {
            return Ok(());
        }
        if offered < self.state.seen {
            return told(self.state.seen.0, offered.0);
        }
        match older {
            Some((offered, seen)) if self.state.seen.0 > 0 => told(seen, offered),
            _ => Ok(()),
        }
    }

    /// Asks again after files were missing; true if upstream has another set now.
    pub(super) fn moved(&mut self, run: &Run<'_>) -> bool {
        let before = self.upstream.as_ref().map(|up| up.set.repomd_digest);
        let former = std::mem::take(&mut self.keep);
        let looked = self.ask(run);
        let now = self.upstream.as_ref().map(|up| up.set.repomd_digest);
        if looked.is_err() || self.done || before == now {
            self.keep = former;
            return false;
        }
        run.printer.info(&format!(
            "{}: upstream was published anew meanwhile: going on with its new set",
            self.id
        ));
        let mut works = [std::mem::replace(self, empty())];
        select(run, &mut works, &mut Report::default());
        let [work] = works;
        *self = work;
        if self.upstream.is_some() && !self.done {
            self.plan(run);
        }
        true
    }

    /// What decides whether a snapshot is still the one wanted.
    fn selection(&self, run: &Run<'_>) -> Result<String> {
        let mut text = serde_json::to_string(&self.section.select).unwrap_or_default();
        for key in self.keyring.key_ids() {
            text.push_str(&key);
        }
        text.push_str(&format!(" check={}", self.check));
        if let Some(path) = &self.section.select.installed {
            text.push_str(&closure::read_installed(path)?.join("\n"));
        }
        if !self.section.select.is_everything() {
            text.push_str(&format!(" key={:?}", run.config.mirror.sign_key));
        }
        let digest = Hasher::digest(DigestAlgo::Sha256, text.as_bytes());
        Ok(digest_text(&digest))
    }

    /// Wanted packages with their places.
    pub(super) fn packages(&self) -> impl Iterator<Item = (usize, &Listed)> {
        let list = self.upstream.iter().flat_map(|up| up.packages.iter());
        list.enumerate()
            .filter(|(at, _)| self.keep.get(*at).copied().unwrap_or(false))
    }

    /// Whether the metadata are made here.
    pub(super) fn made_here(&self) -> bool {
        !self.section.select.is_everything()
    }

    /// The records of upstream's index that are wanted as files.
    pub(super) fn records(&self) -> Vec<Record> {
        let all = self.upstream.iter().flat_map(|up| &up.set.repomd.records);
        all.filter(|record| self.wants(record)).cloned().collect()
    }

    /// Whether a record of upstream's index is wanted as a file.
    pub(super) fn wants(&self, record: &Record) -> bool {
        !self.made_here() || crate::regenerate::is_kept(record)
    }

    /// All files of this repository that the store must have.
    pub(super) fn jobs(&self) -> Vec<Job> {
        if self.upstream.is_none() || self.done {
            return Vec::new();
        }
        let packages = self.packages().map(|(_, package)| package);
        let mut jobs: Vec<Job> = packages.filter_map(|p| self.package_job(p, 1)).collect();
        jobs.extend(self.records().iter().filter_map(|r| self.record_job(r)));
        jobs
    }

    /// The files of what is published first; nothing if something is published already.
    pub(super) fn first_jobs(&self) -> Vec<Job> {
        if self.first.is_empty() || self.current.is_some() || self.done {
            return Vec::new();
        }
        let wanted = self
            .packages()
            .map(|(_, package)| package)
            .filter(|package| self.first.contains(&package.location));
        let mut jobs: Vec<Job> = wanted.filter_map(|p| self.package_job(p, 0)).collect();
        let up = self.upstream.as_ref();
        let records = up.map(|up| up.set.repomd.records.as_slice());
        let kept = records
            .unwrap_or_default()
            .iter()
            .filter(|record| crate::regenerate::is_kept(record));
        jobs.extend(kept.filter_map(|record| self.record_job(record)));
        jobs
    }

    fn package_job(&self, package: &Listed, priority: u32) -> Option<Job> {
        let set = &self.upstream.as_ref()?.set;
        // Judged for this repository when it was published last.
        let known = self.judged(&digest_text(&package.digest));
        Some(Job {
            repo: self.id.clone(),
            path: package.location.clone(),
            urls: urls(set, &package.location, package.base.as_deref()),
            size: Some(package.size),
            digest: package.digest,
            priority,
            access: Arc::clone(&set.access),
            trust: (!known).then(|| (Arc::clone(&self.keyring), self.check)),
        })
    }

    fn judged(&self, digest: &str) -> bool {
        self.current.as_ref().is_some_and(|current| {
            current.selection == self.selection
                && current
                    .files
                    .iter()
                    .any(|file| file.package.is_some() && file.digest == digest)
        })
    }

    /// A part of the metadata.
    pub(super) fn record_job(&self, record: &Record) -> Option<Job> {
        let set = &self.upstream.as_ref()?.set;
        Some(Job {
            repo: self.id.clone(),
            path: record.href.as_str().to_owned(),
            urls: urls(set, record.href.as_str(), record.base.as_deref()),
            size: record.size,
            digest: record.checksum?,
            priority: 0,
            access: Arc::clone(&set.access),
            trust: None,
        })
    }
}

fn empty() -> Work {
    Work {
        id: String::new(),
        section: RepoSection::default(),
        keyring: Arc::default(),
        check: false,
        upstream: None,
        keep: Vec::new(),
        first: BTreeSet::new(),
        current: None,
        state: State::default(),
        selection: String::new(),
        report: RepoReport::default(),
        done: true,
    }
}

/// URLs of a file; an `xml:base` that may not be followed gives none, and the file is then named
/// as one that cannot be had.
pub(super) fn urls(set: &MetadataSet, path: &str, base: Option<&str>) -> Vec<String> {
    let Ok(href) = rpm_repo::layout::Href::parse(path) else {
        return Vec::new();
    };
    set.urls_of(&href, base).unwrap_or_default()
}

/// Decides which packages of each repository are wanted. Failures stand in the reports.
pub(super) fn select(run: &Run<'_>, works: &mut [Work], report: &mut Report) {
    for work in works.iter_mut() {
        if work.upstream.is_none() || work.done {
            continue;
        }
        if let Err(error) = fetch_parts(run, work, report).and_then(|()| work.filter(run)) {
            work.end(run, Err(error));
        }
    }
    let asks = |work: &Work| {
        let select = &work.section.select;
        work.upstream.is_some()
            && !work.done
            && (select.wants_closure() || (!select.first.is_empty() && work.current.is_none()))
    };
    if !works.iter().any(asks) {
        return;
    }
    if let Err(error) = super::solve::solve(run, works) {
        let text = error.to_string();
        for work in works.iter_mut().filter(|work| asks(work)) {
            let what = text.clone();
            let repo = work.id.clone();
            work.end(run, Err(Error::Repository { repo, what }));
        }
    }
}

/// Gets the parts that selecting needs: all that are kept where something is left out.
fn fetch_parts(run: &Run<'_>, work: &Work, report: &mut Report) -> Result<()> {
    let select = &work.section.select;
    if select.is_everything() && select.first.is_empty() {
        return Ok(());
    }
    let up = work.upstream.as_ref();
    let records = up.map(|up| up.set.repomd.records.as_slice());
    let kept = records
        .unwrap_or_default()
        .iter()
        .filter(|record| record.kind != "primary" && crate::regenerate::is_kept(record));
    let jobs = kept.filter_map(|record| work.record_job(record)).collect();
    let fetcher = run.fetcher();
    let done = fetcher.run(jobs)?;
    report.bytes_received += done.bytes;
    report.requests += done.requests;
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

impl Work {
    fn filter(&mut self, run: &Run<'_>) -> Result<()> {
        let select = self.section.select.clone();
        let Some(up) = &self.upstream else {
            return Ok(());
        };
        let advised = if select.advisories.is_empty() {
            None
        } else {
            let record = up.set.repomd.record("updateinfo");
            let record = record.ok_or_else(|| Error::Repository {
                repo: self.id.clone(),
                what: "advisories are selected, but upstream publishes none (no updateinfo)".into(),
            })?;
            let path = stored(run, record);
            let stream = upstream::open(&path, record)?;
            Some(select::advised(&self.id, stream, &select.advisories)?)
        };
        self.keep = select::wanted(&up.packages, &select, advised.as_ref());
        Ok(())
    }
}

/// Where a part lies in the store.
pub(super) fn stored(run: &Run<'_>, record: &Record) -> PathBuf {
    let digest = record.checksum;
    digest.map_or_else(PathBuf::new, |digest| run.store.path(&digest))
}

/// Gives the client the primary of the store, where it has none: then it need not be fetched.
fn lend_primary(run: &Run<'_>, set: &MetadataSet) {
    let record = set.repomd.record("primary");
    let Some((record, digest)) = record.and_then(|record| Some((record, record.checksum?))) else {
        return;
    };
    let name = record.href.as_str().strip_prefix("repodata/");
    let name = name.filter(|name| !name.contains('/') && !name.starts_with("tdnf.state"));
    if let Some(name) = name.filter(|_| run.store.has(&digest, record.size)) {
        // What cannot be copied is fetched.
        let _ = std::fs::copy(run.store.path(&digest), set.dir.join(name));
    }
}

/// Puts the primary that the client just fetched into the store, so that it is not fetched again.
fn keep_primary(run: &Run<'_>, set: &MetadataSet) -> Result<()> {
    let Some(part) = set.part("primary") else {
        return Ok(());
    };
    let Some(digest) = part.record.checksum else {
        return Ok(());
    };
    if run.store.has(&digest, part.record.size) {
        return Ok(());
    }
    let partial = run.layout.partial();
    std::fs::create_dir_all(&partial).map_err(Error::file(&partial, "create"))?;
    let copy = partial.join(format!("primary-{}", set.repo));
    std::fs::copy(&part.path, &copy).map_err(Error::file(&copy, "copy"))?;
    run.store.mark()?;
    run.store.adopt_as(&copy, &digest)
}
