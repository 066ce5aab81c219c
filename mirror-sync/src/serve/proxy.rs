//! A repository in proxy mode: filled as clients ask.
//!
//! The index is asked for at most once per `serve.proxy_expire`; with it comes every part of the
//! metadata, so that what is shown is one whole, checked set. A package is fetched by its digest
//! when the first client asks for it, once however many ask, and shown when it is whole and was
//! judged: an error page, a poisoned or a half object can never be stored. If upstream is away the
//! last whole set is served, and every package that is in the store.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use cli_kit::{OutputMode, Printer};
use hyper::StatusCode;
use repo_client::{Access, Client, OlderMetadata, Silent};
use rpm_pkg::digest::Digest;
use rpm_repo::config::RepoConfig;
use tokio::sync::Semaphore;

use super::answer::{HttpAnswer, refusal};
use super::evict::{self, Keep};
use super::turns::{Fetching, Turns};
use crate::config::{Config, LimitSection, RepoMode};
use crate::error::{Error, Result};
use crate::fetch::{FetchJob, Fetcher};
use crate::layout::{self, Layout, MAX_INDEX};
use crate::manifest::{self, asked};
use crate::observer::TerminalObserver;
use crate::report::RepoOutcome;
use crate::store::{self, Store};
use crate::trust::PackageTrust;
use crate::upstream::{self, FileUrls, UpstreamQuery};

/// A failure is remembered so long: a thousand clients must not ask upstream a thousand times.
const REMEMBER_FAILURE: Duration = Duration::from_secs(2);
/// How long a client waits for upstream's index while there is an older set to be shown.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most rounds over all servers after the first: a client waits, and asks again itself.
const MAX_RETRIES: u32 = 1;
/// Former sets that clients under way may still ask for.
const FORMER_SETS: usize = 3;

/// Threads that may wait for upstreams, of all that `serve` has (512): what lies on the disk is sent meanwhile.
const WAITING: usize = 384;
/// Most of them for one repository.
const WAITING_EACH: usize = 32;

/// One file that the current set names.
#[derive(Clone)]
struct Known {
    urls: FileUrls,
    size: Option<u64>,
    /// Bytes of a part of the metadata as the index says.
    announced: Option<u64>,
    digest: Digest,
    package: bool,
}

/// One whole set.
struct Set {
    index: Digest,
    files: HashMap<String, Known>,
    access: Arc<Access>,
}

#[derive(Default)]
struct Shown {
    sets: Vec<Arc<Set>>,
    asked: Option<Instant>,
    /// Why there is no set at all, lately.
    failed: Option<(Instant, String)>,
}

/// One lock per file that is being fetched; below it how it failed lately.
type Flight = Arc<Mutex<Option<LateFailure>>>;

/// How a file failed.
struct LateFailure {
    then: Instant,
    why: String,
    /// It was in the store: what another repository brings changes nothing.
    was_there: bool,
}

/// What all proxied repositories share.
pub(super) struct Shared {
    layout: Layout,
    store: Store,
    client: Client,
    fetching: Fetching,
}

impl Shared {
    pub(super) fn new(layout: &Layout, client: Client) -> Result<Self> {
        Ok(Self {
            layout: layout.clone(),
            store: Store::open(&layout.proxied())?,
            client,
            fetching: Fetching::default(),
        })
    }
}

/// The repository.
pub(super) struct Proxy {
    config: RepoConfig,
    trust: Arc<PackageTrust>,
    limits: LimitSection,
    shared: Arc<Shared>,
    expire: Duration,
    keep: Keep,
    shown: Mutex<Shown>,
    turns: Turns,
    refreshing: Mutex<()>,
    renewing: AtomicBool,
    /// Clients that wait for upstream at once; more of them wait without a thread.
    places: Arc<Semaphore>,
    /// Files that are being fetched.
    flights: Mutex<HashMap<Digest, Flight>>,
    /// Packages of the store that were judged by the rules of this repository: others, or metadata, may have brought them.
    judged: Mutex<HashSet<Digest>>,
    /// What clients asked for, as it is written down.
    asked_for: Mutex<asked::Asked>,
}

impl Proxy {
    pub(super) fn new(config: &Config, shared: &Arc<Shared>, id: &str) -> Result<Self> {
        let section = config.repo.get(id).cloned().unwrap_or_default();
        let mut client = config.client_config(id, &section)?;
        client.retries = client.retries.min(MAX_RETRIES);
        Ok(Self {
            config: client,
            trust: Arc::new(PackageTrust::of(config, id)?),
            limits: config.limits.clone(),
            shared: Arc::clone(shared),
            expire: config.serve.proxy_expire.0,
            keep: Keep {
                unused: config.serve.proxy_keep.0,
                bytes: config.serve.proxy_quota.0,
            },
            shown: Mutex::default(),
            turns: Turns::default(),
            refreshing: Mutex::default(),
            renewing: AtomicBool::new(false),
            places: Arc::new(Semaphore::new(places(config))),
            flights: Mutex::default(),
            judged: Mutex::default(),
            asked_for: Mutex::new(asked::read(&shared.layout, id)?),
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.config.id
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current set, fetched again if it is time. A client does not wait long for an upstream
    /// that does not answer: it gets the last set, and the answer is there for a later one.
    fn current(self: &Arc<Self>) -> Result<Arc<Set>> {
        let Some(last) = self.last() else {
            return self.renew();
        };
        if self.is_fresh() || self.renewing.swap(true, Ordering::AcqRel) {
            return Ok(last);
        }
        let (done, ended) = mpsc::channel();
        let ours = Arc::clone(self);
        let asked = std::thread::Builder::new().spawn(move || {
            let renewed = ours.renew();
            ours.renewing.store(false, Ordering::Release);
            // Nobody waits any more if it took too long.
            let _ = done.send(renewed.is_ok());
        });
        match asked {
            Ok(_) => drop(ended.recv_timeout(PATIENCE)),
            // No thread can be had: the next client's question tries again.
            Err(_) => self.renewing.store(false, Ordering::Release),
        }
        Ok(self.last().unwrap_or(last))
    }

    /// The packages that upstream lists, by path, and their bytes; none before a client has asked.
    pub(super) fn listed(&self) -> Vec<(String, u64)> {
        let Some(set) = self.last() else {
            return Vec::new();
        };
        let packages = set.files.iter().filter(|(_, known)| known.package);
        packages
            .map(|(path, known)| (path.clone(), known.size.unwrap_or(0)))
            .collect()
    }

    fn last(&self) -> Option<Arc<Set>> {
        self.shown().sets.last().cloned()
    }

    fn is_fresh(&self) -> bool {
        let asked = self.shown().asked;
        asked.is_some_and(|then| then.elapsed() < self.expire)
    }

    fn renew(&self) -> Result<Arc<Set>> {
        // One asks, the others wait for the answer.
        let _one = self
            .refreshing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = self.last().filter(|_| self.is_fresh()) {
            return Ok(set);
        }
        if let Some((then, why)) = &self.shown().failed
            && then.elapsed() < REMEMBER_FAILURE
        {
            return Err(Error::repository(self.id(), why.as_str()));
        }
        let asked = self.ask(true);
        let error = asked.as_ref().err().map(tracing::field::display);
        tracing::debug!(repo = self.id(), error, "upstream was asked for its index");
        self.shown().asked = Some(Instant::now());
        if let Err(error) = self.remember(asked.as_ref().err()) {
            tracing::warn!(repo = self.id(), %error, "the state is not written");
        }
        let set = match (asked, self.last()) {
            (Ok(set), _) => set,
            (Err(_), Some(last)) => return Ok(last),
            // Upstream is away and this process is young: what a former one left.
            (Err(error), None) => self.ask(false).map_err(|_| {
                let (text, name) = (error.to_string(), format!("repository {}: ", self.id()));
                let why = text.strip_prefix(&name).unwrap_or(&text).to_owned();
                self.shown().failed = Some((Instant::now(), why));
                error
            })?,
        };
        let mut shown = self.shown();
        shown.failed = None;
        if shown.sets.last().is_none_or(|last| last.index != set.index) {
            shown.sets.push(Arc::clone(&set));
            let surplus = shown.sets.len().saturating_sub(FORMER_SETS);
            shown.sets.drain(..surplus);
        }
        Ok(set)
    }

    /// Writes down for the status how asking upstream ended.
    fn remember(&self, error: Option<&Error>) -> Result<()> {
        let layout = &self.shared.layout;
        let mut state = match manifest::read_state(layout, self.id()) {
            // All of it is written anew here.
            Err(Error::Damaged { .. }) => manifest::RepoState::default(),
            other => other?,
        };
        let outcome = match error {
            None => RepoOutcome::NothingNew,
            Some(_) => RepoOutcome::Failed,
        };
        state.ended(outcome.word(), error.map(ToString::to_string), super::now());
        if error.is_none() {
            state.last_success = state.last_try;
        }
        manifest::write_state(layout, self.id(), &state)
    }

    /// Writes down for the status that a client had a package.
    fn count(&self, known: &Known) -> Result<()> {
        let mut asked_for = self
            .asked_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bytes = known.size.unwrap_or(0);
        if known.package && asked_for.insert(known.digest, bytes).is_none() {
            asked::add(&self.shared.layout, self.id(), &known.digest, bytes)?;
        }
        Ok(())
    }

    fn ask(&self, ask: bool) -> Result<Arc<Set>> {
        let question = UpstreamQuery {
            ask,
            // A replay must not take fixes away: the newer set stays.
            older: OlderMetadata::Refuse,
            ..UpstreamQuery::new(&self.config, &self.trust.keys, super::now())
        };
        let (set, _) =
            upstream::refresh(&self.shared.client, &self.shared.layout, &question, &Silent)?;
        if let Some(last) = self.shown().sets.last()
            && last.index == set.repomd_digest
        {
            return Ok(Arc::clone(last));
        }
        let mut files = HashMap::new();
        for package in upstream::list(&set)?.packages {
            let known = Known {
                urls: package.urls(&set),
                size: Some(package.size),
                announced: None,
                digest: package.digest,
                package: true,
            };
            files.insert(package.location, known);
        }
        for record in &set.repomd.records {
            if let Some(digest) = record.checksum {
                let path = record.href.as_str().to_owned();
                let known = Known {
                    urls: upstream::urls(&set, &path, record.base.as_deref()),
                    size: None,
                    announced: record.size,
                    digest,
                    package: false,
                };
                files.insert(path, known);
            }
        }
        for name in ["repomd.xml", "repomd.xml.asc"] {
            let path = set.dir.join(name);
            if let Ok(data) = layout::read(&path, MAX_INDEX) {
                let known = Known {
                    urls: Ok(Vec::new()),
                    size: Some(data.len() as u64),
                    announced: None,
                    digest: self.shared.store.put(&data)?,
                    package: false,
                };
                files.insert(format!("repodata/{name}"), known);
            }
        }
        let mut made = Set {
            index: set.repomd_digest,
            files,
            access: Arc::clone(&set.access),
        };
        // All parts at once: a client that has the index finds what it names, whatever upstream
        // does next.
        let mut packages = Vec::new();
        for (path, known) in made.files.iter().filter(|(_, known)| !known.package) {
            if store::is_package(&self.have(&made, path, known)?)? {
                tracing::warn!(
                    repo = self.id(),
                    path,
                    "a part that is a package is left out"
                );
                packages.push(path.clone());
            }
        }
        for path in packages {
            made.files.remove(&path);
        }
        Ok(Arc::new(made))
    }

    /// The stored file of a path, fetched if need be. None if no set names it.
    fn find(self: &Arc<Self>, path: &str) -> Result<Option<PathBuf>> {
        let known_sets = || self.shown().sets.clone();
        let mut sets = if is_index(path) || known_sets().is_empty() {
            vec![self.current()?]
        } else {
            known_sets()
        };
        sets.reverse();
        for set in sets {
            if let Some(known) = set.files.get(path) {
                let place = self.have(&set, path, known)?;
                return Ok(Some(self.given(place, known)));
            }
        }
        Ok(None)
    }

    /// The stored file of a path for which upstream need not be asked.
    fn find_here(&self, path: &str) -> Option<PathBuf> {
        let sets = self.shown().sets.clone();
        let named = sets.iter().rev().find_map(|set| set.files.get(path));
        let known = named.filter(|_| !is_index(path))?;
        let place = self.shared.store.path(&known.digest);
        self.is_here(known).then(|| self.given(place, known))
    }

    /// Notes that a client gets a file.
    fn given(&self, place: PathBuf, known: &Known) -> PathBuf {
        evict::used(&place, super::now());
        if let Err(error) = self.count(known) {
            tracing::warn!(repo = self.id(), %error, "a package is not counted");
        }
        place
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Digest, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judged(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a file is in the store and may be given to clients of this repository.
    fn is_here(&self, known: &Known) -> bool {
        let judged = !known.package || self.judged().contains(&known.digest);
        judged && self.shared.store.has(&known.digest, known.size)
    }

    fn have(&self, set: &Set, path: &str, known: &Known) -> Result<PathBuf> {
        let place = self.shared.store.path(&known.digest);
        if self.is_here(known) {
            return Ok(place);
        }
        let flight = Arc::clone(self.flights().entry(known.digest).or_default());
        let mut failure = flight.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_here(known) {
            return Ok(place);
        }
        let is_there = || self.shared.store.has(&known.digest, known.size);
        if let Some(late) = &*failure
            && late.then.elapsed() < REMEMBER_FAILURE
            && (late.was_there || !is_there())
        {
            let why = &late.why;
            return Err(Error::repository(self.id(), format!("{path}: {why}")));
        }
        let under_way = self.shared.fetching.begin(known.digest);
        let result = self.fetch(set, path, known);
        drop(under_way);
        if let Err(error) = &result {
            *failure = Some(LateFailure {
                then: Instant::now(),
                why: error.to_string(),
                was_there: is_there(),
            });
        }
        drop(failure);
        if result.is_ok() {
            self.flights().remove(&known.digest);
        }
        result.map(|()| place)
    }

    /// What clients are told of an error: nothing that names a path of this host.
    fn for_clients(&self, error: &Error) -> String {
        let (text, root) = (error.to_string(), self.shared.layout.root().join(""));
        tracing::warn!(repo = self.id(), error = text, "a client gets no file");
        let mut words = text.split([' ', '"', '\'', '(']);
        match text.contains(&*root.to_string_lossy())
            || words.any(|word| word.starts_with('/') || word.starts_with("file:"))
        {
            true => "the mirror cannot give this file; its log (`--verbose`) says why".to_owned(),
            false => text,
        }
    }

    fn fetch(&self, set: &Set, path: &str, known: &Known) -> Result<()> {
        let silent = Printer::standard(OutputMode {
            quiet: true,
            ..OutputMode::default()
        });
        let fetcher = Fetcher {
            client: &self.shared.client,
            layout: &self.shared.layout,
            partial: self.shared.layout.proxied_partial(),
            store: &self.shared.store,
            limits: &self.limits,
            observer: &TerminalObserver::new(&silent),
            stop: &AtomicBool::new(false),
            now: super::now(),
        };
        let job = FetchJob {
            repo: self.id().to_owned(),
            path: path.to_owned(),
            urls: known.urls.clone(),
            size: known.size,
            announced: known.announced,
            digest: known.digest,
            priority: 0,
            access: Arc::clone(&set.access),
            trust: known.package.then(|| Arc::clone(&self.trust)),
        };
        match fetcher.run(vec![job])?.failed.into_iter().next() {
            None => {
                if known.package {
                    self.judged().insert(known.digest);
                }
                Ok(())
            }
            Some((repo, path, why)) => Err(Error::repository(repo, format!("{path}: {why}"))),
        }
    }
}

/// Only the index says whether there is something new; the rest is immutable.
fn is_index(path: &str) -> bool {
    path.starts_with(layout::INDEX)
}

/// How many clients of one repository may wait for upstream with a thread each.
fn places(config: &Config) -> usize {
    let proxied = config.repo.values();
    let count = proxied.filter(|repo| repo.mode == RepoMode::Proxy).count();
    (WAITING / count.max(1)).clamp(1, WAITING_EACH)
}

/// Where the file of a request lies: the directory and the name below it.
pub(super) async fn fetch(
    proxy: &Arc<Proxy>,
    path: &str,
) -> std::result::Result<(PathBuf, String), Box<HttpAnswer>> {
    let (ours, name) = (Arc::clone(proxy), path.to_owned());
    let here = tokio::task::spawn_blocking(move || ours.find_here(&name)).await;
    let found = match here {
        Ok(Some(place)) => Ok(Ok(Some(place))),
        _ => {
            let (ours, name) = (Arc::clone(proxy), path.to_owned());
            let waiting = proxy.turns.of(path);
            let turn = Arc::clone(&waiting.turn).lock_owned().await;
            // It is never closed.
            let place = Arc::clone(&proxy.places).acquire_owned().await;
            // Whoever asked may go: what is begun for him is finished for the others.
            let work = move || {
                let _held = (place, turn, waiting);
                ours.find(&name)
            };
            tokio::task::spawn_blocking(work).await
        }
    };
    let missing = || Box::new(refusal(StatusCode::NOT_FOUND, "upstream has no such file"));
    match found {
        Ok(Ok(Some(place))) => {
            let root = proxy.shared.layout.proxied();
            let inside = place.strip_prefix(&root).map_err(|_| missing())?;
            Ok((root.clone(), inside.to_string_lossy().into_owned()))
        }
        Ok(Ok(None)) => Err(missing()),
        Ok(Err(error)) => Err(Box::new(refusal(
            StatusCode::BAD_GATEWAY,
            &proxy.for_clients(&error),
        ))),
        Err(_) => Err(Box::new(refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the request could not be handled",
        ))),
    }
}

/// Keeps the store that all proxied repositories share within its limits. Before each of them has
/// a set, here or from a former run, it cannot be told which metadata are needed: then nothing goes.
pub(super) fn evict(proxies: &[Arc<Proxy>], now: u64) -> Result<(usize, u64)> {
    let mut needed = HashSet::new();
    for proxy in proxies {
        let sets = match proxy.last() {
            Some(_) => proxy.shown().sets.clone(),
            None => vec![proxy.ask(false)?],
        };
        let files = sets.iter().flat_map(|set| set.files.values());
        needed.extend(files.filter(|one| !one.package).map(|one| one.digest));
    }
    match proxies.first() {
        Some(one) => {
            let partial = one.shared.layout.proxied_partial();
            one.shared.layout.make(&partial)?;
            evict::evict(&one.shared.store, &partial, one.keep, &needed, now)
        }
        None => Ok((0, 0)),
    }
}
