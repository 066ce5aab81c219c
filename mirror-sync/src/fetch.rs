//! Brings files into the store: through the one scheduler, judged by workers as they come.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use repo_client::transfer::{self, TransferLimits};
use repo_client::{Access, Cause, Client, FetchedFile, FileRequest, MetadataSet};
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};

use crate::config::LimitSection;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::observer::TerminalObserver;
use crate::store::{HashedFile, Store};
use crate::trust::{self, PackageTrust};
use crate::upstream::FileUrls;

/// Most threads that judge packages.
const MAX_JUDGES: usize = 8;
/// Hexadecimal digits that tell the parts of one repository from those of another.
const OWNER_LENGTH: usize = 16;

/// One file to have.
#[derive(Clone)]
pub(crate) struct FetchJob {
    pub(crate) repo: String,
    pub(crate) path: String,
    /// URLs, preferred first; or why it may not be fetched.
    pub(crate) urls: FileUrls,
    /// Bytes that it must have. None of a part of the metadata: an index that is wrong about one has its digest.
    pub(crate) size: Option<u64>,
    /// Bytes that it is said to have: for sums, and for the limit of what has no `size`.
    pub(crate) announced: Option<u64>,
    /// Digest: its name in the store.
    pub(crate) digest: Digest,
    /// 0 first.
    pub(crate) priority: u32,
    /// How the servers are spoken to.
    pub(crate) access: Arc<Access>,
    /// What its signature must be; none for metadata.
    pub(crate) trust: Option<Arc<PackageTrust>>,
}

impl FetchJob {
    /// A file of a repository, which nobody judges; it is published at `path`.
    pub(crate) fn new(set: &MetadataSet, path: &str, urls: FileUrls, digest: Digest) -> Self {
        Self {
            repo: set.repo.clone(),
            path: path.to_owned(),
            urls,
            size: None,
            announced: None,
            digest,
            priority: 0,
            access: Arc::clone(&set.access),
            trust: None,
        }
    }
}

/// What a transfer brought.
#[derive(Debug, Default)]
pub(crate) struct Transferred {
    pub(crate) bytes: u64,
    pub(crate) requests: u64,
    /// What kept it from being faster, in words.
    pub(crate) limit: Option<String>,
    /// Files that could not be had: repository, path, why.
    pub(crate) failed: Vec<(String, String, String)>,
}

/// A file to be judged.
enum JudgedFile {
    /// It is in the store, at this path.
    Stored(PathBuf),
    /// It has just come.
    Fresh(HashedFile),
}

/// How the files of a run are getting on.
struct Course {
    /// Files that could not be had: repository, path, why.
    failed: Mutex<Vec<(String, String, String)>>,
    /// How many files each repository still lacks; those that failed stay among them.
    lacking: Mutex<HashMap<String, usize>>,
    /// Who is told of a repository that lacks nothing any more while others do.
    whole: Option<mpsc::Sender<String>>,
}

impl Course {
    fn failed(&self, job: &FetchJob, why: String) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.push((job.repo.clone(), job.path.clone(), why));
    }

    /// A file is in the store and was judged for this repository.
    fn came(&self, repo: &str) {
        let mut lacking = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = lacking.get_mut(repo) else {
            return;
        };
        *count = count.saturating_sub(1);
        if *count > 0 {
            return;
        }
        lacking.remove(repo);
        if let Some(whole) = self.whole.as_ref().filter(|_| !lacking.is_empty()) {
            // Nobody listens where there was no thread for it.
            let _ = whole.send(repo.to_owned());
        }
    }
}

/// The tools of the work.
pub(crate) struct Fetcher<'a> {
    pub(crate) client: &'a Client,
    pub(crate) layout: &'a Layout,
    /// Where files are on their way, below the layout's root.
    pub(crate) partial: PathBuf,
    pub(crate) store: &'a Store,
    /// How hard upstream may be used.
    pub(crate) limits: &'a LimitSection,
    pub(crate) observer: &'a TerminalObserver,
    /// Set to true to stop.
    pub(crate) stop: &'a AtomicBool,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

impl Fetcher<'_> {
    /// Gets what the store lacks, and judges what it has but was never judged for its repository.
    /// A file that fails does not stop the others.
    ///
    /// # Errors
    /// Stopped; the store cannot be written.
    pub(crate) fn run(&self, jobs: Vec<FetchJob>) -> Result<Transferred> {
        self.work_off(jobs, None)
    }

    /// The same; `whole` is called with each repository whose every file is there while others still lack some.
    ///
    /// # Errors
    /// As of [`Fetcher::run`].
    pub(crate) fn run_telling(
        &self,
        jobs: Vec<FetchJob>,
        whole: &(dyn Fn(&str) + Sync),
    ) -> Result<Transferred> {
        let (send, receive) = mpsc::channel::<String>();
        std::thread::scope(|scope| {
            let tell = move || receive.iter().for_each(|repo| whole(&repo));
            // Where no thread can be had all of them have to wait for the last.
            let _ = std::thread::Builder::new().spawn_scoped(scope, tell);
            self.work_off(jobs, Some(send))
        })
    }

    fn work_off(
        &self,
        jobs: Vec<FetchJob>,
        whole: Option<mpsc::Sender<String>>,
    ) -> Result<Transferred> {
        let mut done = Transferred::default();
        if jobs.is_empty() {
            return Ok(done);
        }
        let _coming = self.store.begin()?;
        self.layout.make(&self.partial)?;
        let mut lacking = HashMap::new();
        for job in &jobs {
            *lacking.entry(job.repo.clone()).or_default() += 1;
        }
        let course = Course {
            failed: Mutex::default(),
            lacking: Mutex::new(lacking),
            whole,
        };
        let (mut there, mut files) = (Vec::new(), Vec::<Vec<FetchJob>>::new());
        let mut places = HashMap::new();
        for job in jobs {
            if self.store.has(&job.digest, job.size) {
                match job.trust {
                    None => course.came(&job.repo),
                    Some(_) => there.push(job),
                }
            } else if let Err(why) = &job.urls {
                course.failed(&job, why.clone());
            } else {
                // Repositories that list the same content share one transfer.
                let place = *places.entry(job.digest).or_insert(files.len());
                match files.get_mut(place) {
                    Some(sharing) => sharing.push(job),
                    None => files.push(vec![job]),
                }
            }
        }
        loop {
            let (mut by_label, wanted) = self.wanted(files);
            let summary = self.work(wanted, there, &by_label, &course)?;
            done.bytes += summary.bytes;
            done.requests += summary.requests;
            if summary.limit != repo_client::LimitKind::Unknown {
                done.limit = Some(summary.limit.words(cli_kit::iec_rate));
            }
            (files, there) = (Vec::new(), Vec::new());
            for (label, error) in summary.failed {
                let sharing = by_label.remove(&label).unwrap_or_default();
                let owner = sharing.first().map(|job| job.repo.clone());
                // What one repository's servers do not give, or not in the size that it says, another one that lists
                // it gets from its own.
                let (own, others): (Vec<_>, Vec<_>) = sharing
                    .into_iter()
                    .partition(|job| Some(&job.repo) == owner.as_ref());
                let why = plain(&label, &error.to_string());
                done.failed
                    .extend(own.into_iter().map(|job| (job.repo, job.path, why.clone())));
                files.extend((!others.is_empty()).then_some(others));
            }
            if files.is_empty() {
                break;
            }
        }
        let failed = course.failed.into_inner();
        done.failed
            .extend(failed.unwrap_or_else(PoisonError::into_inner));
        Ok(done)
    }

    /// What is to be asked for, each file of the servers of the first that lists it; and who lists it, by label.
    fn wanted(
        &self,
        files: Vec<Vec<FetchJob>>,
    ) -> (HashMap<String, Vec<FetchJob>>, Vec<FileRequest>) {
        let mut by_label = HashMap::new();
        let mut wanted = Vec::new();
        for sharing in files {
            let Some(first) = sharing.first() else {
                continue;
            };
            let mut label = format!("{}/{}", first.repo, first.path);
            if by_label.contains_key(&label) {
                label = format!("{label} ({})", first.digest);
            }
            wanted.push(wanted_file(&label, first, &self.partial));
            by_label.insert(label, sharing);
        }
        (by_label, wanted)
    }

    fn limits(&self) -> TransferLimits {
        let some = |bytes: u64| (bytes > 0).then_some(bytes);
        TransferLimits {
            global_bps: some(self.limits.rate.0),
            per_host_bps: some(self.limits.rate_per_host.0),
            connections_per_host: self.limits.connections_per_host.max(1),
            connections_per_file: self.limits.connections_per_file.max(1),
            ..TransferLimits::default()
        }
    }

    fn work(
        &self,
        wanted: Vec<FileRequest>,
        there: Vec<FetchJob>,
        by_label: &HashMap<String, Vec<FetchJob>>,
        course: &Course,
    ) -> Result<transfer::TransferSummary> {
        let (send, receive) = mpsc::channel::<(JudgedFile, Vec<FetchJob>)>();
        let receive = Mutex::new(receive);
        let trouble: Mutex<Option<Error>> = Mutex::new(None);
        let judges = std::thread::available_parallelism().map_or(1, usize::from);
        let judge = || {
            loop {
                let next = receive
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .recv();
                let Ok((file, jobs)) = next else { break };
                if let Err(error) = self.take(&file, &jobs, course) {
                    let mut slot = trouble.lock().unwrap_or_else(PoisonError::into_inner);
                    slot.get_or_insert(error);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..judges.min(MAX_JUDGES) {
                // Where no thread can be had the others do its work, or this one at the end.
                let _ = std::thread::Builder::new().spawn_scoped(scope, judge);
            }
            for job in there.into_iter().filter(|job| job.trust.is_some()) {
                let path = self.store.path(&job.digest);
                let _ = send.send((JudgedFile::Stored(path), vec![job]));
            }
            let mut sink = |done: FetchedFile| {
                let jobs = by_label.get(&done.label).cloned().unwrap_or_default();
                // Every job has a digest.
                if let Some(file) = HashedFile::fetched(done) {
                    let _ = send.send((JudgedFile::Fresh(file), jobs));
                }
                Ok(())
            };
            let summary = if wanted.is_empty() {
                Ok(transfer::TransferSummary::default())
            } else {
                let limits = self.limits();
                transfer::fetch_all(
                    self.client,
                    wanted,
                    &limits,
                    self.observer,
                    &mut sink,
                    self.stop,
                )
            };
            drop(send);
            judge();
            summary
        })
        .map_err(|error| match error {
            repo_client::Error::Stopped => Error::Stopped,
            error @ repo_client::Error::Setup(_) => Error::Client(error),
            other => Error::repository("transfer", other.to_string()),
        })
        .and_then(|summary| {
            match trouble.into_inner().unwrap_or_else(PoisonError::into_inner) {
                Some(error) => Err(error),
                None => Ok(summary),
            }
        })
    }

    /// Judges one file for each repository that wants it; good for one is good for the store.
    fn take(&self, file: &JudgedFile, jobs: &[FetchJob], course: &Course) -> Result<()> {
        let mut good = Vec::new();
        let (path, size) = match file {
            JudgedFile::Stored(path) => (path.as_path(), None),
            JudgedFile::Fresh(file) => (file.path(), Some(file.size())),
        };
        for job in jobs {
            let verdict = match (&job.trust, size, job.size) {
                (_, Some(got), Some(expected)) if got != expected => {
                    Err(Cause::Size { got, expected }.to_string())
                }
                (None, ..) => Ok(String::new()),
                (Some(trust), ..) => trust::judge_package(path, trust, self.now),
            };
            match verdict {
                Ok(_) => good.push(job),
                Err(why) => course.failed(job, why),
            }
        }
        match file {
            JudgedFile::Fresh(file) if good.is_empty() => {
                let _ = std::fs::remove_file(file.path());
            }
            JudgedFile::Fresh(file) => self.store.adopt(file)?,
            JudgedFile::Stored(_) => {}
        }
        good.into_iter().for_each(|job| course.came(&job.repo));
        Ok(())
    }
}

/// What is asked for. Its part is its repository's own: what others' servers gave does not get in the way.
fn wanted_file(label: &str, job: &FetchJob, partial: &Path) -> FileRequest {
    let urls = job.urls.clone().unwrap_or_default();
    let mut owner = Hasher::digest(DigestAlgo::Sha256, job.repo.as_bytes()).hex();
    owner.truncate(OWNER_LENGTH);
    let name = crate::store::digest_text(&job.digest).replace(':', "-");
    FileRequest {
        size: job.size,
        max_size: repo_client::part_limit(job.announced),
        digest: Some(job.digest),
        priority: job.priority,
        access: Arc::clone(&job.access),
        ..FileRequest::new(label, urls, partial.join(format!("{name}-{owner}")))
    }
}

/// An error without the label in front, which the caller writes itself.
fn plain(label: &str, text: &str) -> String {
    let text = text.strip_prefix(label).unwrap_or(text);
    text.trim_start_matches(": ").to_owned()
}

#[cfg(test)]
mod tests;
