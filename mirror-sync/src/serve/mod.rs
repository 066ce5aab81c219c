//! The mirror over HTTP: files, ranges, conditions, pages; repositories in proxy mode on demand.
//!
//! Async stands here and in repo-client alone: ten thousand slow clients cost a task each, not a
//! thread. Only `GET` and `HEAD` are answered, only what lies below `public/` is shown, a client
//! that takes nothing for a minute is dropped, and earlier where others have no room. Work that blocks (filling the proxy's store) runs on
//! threads of its own.

mod access_log;
pub(crate) mod answer;
mod browse;
mod doors;
mod evict;
mod proxy;
mod room;
pub(crate) mod route;
mod stream;
mod tls;
mod turns;
mod watched;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cli_kit::Printer;
use hyper::body::Incoming;
use hyper::header::{ALLOW, HOST, HeaderValue};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use repo_client::Client;
use tokio::net::{TcpListener, TcpStream};

use crate::config::{Config, RepoMode, RepoSection};
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::status::{PageOf, Status};
use crate::{publish, snapshot, status};
use access_log::{AccessLog, Told, Visit, told};
use answer::{HttpAnswer, refusal, text};
use doors::{Doors, Refused, Visitor, unauthorized};
use proxy::{Proxy, Shared};
use room::{Place, Room};
use route::{Route, route};
use stream::Patient;

/// Time for a request's headers to come in.
const HEADERS_WITHIN: Duration = Duration::from_secs(20);
/// Largest head of a request in bytes.
const MAX_HEAD: usize = 32 << 10;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;

/// Time between two looks at what the proxy's store may give away.
const EVICT_EVERY: Duration = Duration::from_secs(3600);
/// Time between two looks at files that may have changed: certificates, tokens.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the server works with.
pub(crate) struct Server {
    config: Config,
    layout: Layout,
    doors: Doors,
    log: Option<Arc<AccessLog>>,
    proxies: Vec<Arc<Proxy>>,
    requests: AtomicU64,
    refused: AtomicU64,
    /// One search at a time.
    searching: tokio::sync::Mutex<()>,
}

/// What may be asked of a server while it runs.
pub(crate) struct Signals {
    pub(crate) stop: Arc<AtomicBool>,
    /// Read certificates and tokens again, begin a new access log.
    pub(crate) renew: Arc<AtomicBool>,
}

/// Serves until told to stop.
pub(crate) fn serve(
    config: &Config,
    client: Client,
    printer: &Printer,
    signals: &Signals,
) -> Result<()> {
    let layout = Layout::new(&config.mirror.path);
    let doors = Doors::new(config, &layout)?;
    let log = AccessLog::open(&config.serve, printer)?.map(Arc::new);
    let public = layout.public();
    layout.make(&public)?;
    layout.refuse_root_among_others()?;
    let (keys, faults) = status::public_keys(config, &status::collect(config, &layout, now()));
    for fault in faults {
        printer.err(&format!("warning: {fault}"));
    }
    for (path, key) in keys {
        publish::put(&public, &path, &key)?;
    }
    let proxies = proxies(config, &layout, client)?;
    let server = Arc::new(Server {
        config: config.clone(),
        layout,
        doors,
        log,
        proxies,
        requests: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        searching: tokio::sync::Mutex::default(),
    });
    let address = config.serve.listen.clone();
    let told = |why: std::io::Error| Error::Serve {
        address: address.clone(),
        why: why.to_string(),
    };
    let limit = connections(config.serve.max_connections);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(
            std::thread::available_parallelism()
                .map_or(2, usize::from)
                .min(8),
        )
        .enable_all()
        .build()
        .map_err(told)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(&address).await.map_err(told)?;
        let local = listener.local_addr().map_err(told)?;
        server.tell_what_is_open(local, printer);
        let (name, scheme) = (&server.config.mirror.name, server.scheme());
        printer.info(&format!("serving {name} on {scheme}://{local}/"));
        tokio::spawn(evict_now_and_then(Arc::clone(&server)));
        let renew = Arc::clone(&signals.renew);
        tokio::spawn(look_at_files(Arc::clone(&server), printer.clone(), renew));
        accept(server, listener, limit, &signals.stop).await;
        Ok(())
    })
}

fn proxies(config: &Config, layout: &Layout, client: Client) -> Result<Vec<Arc<Proxy>>> {
    let lazy = |section: &RepoSection| section.mode == RepoMode::Proxy;
    if !config.repo.values().any(lazy) {
        return Ok(Vec::new());
    }
    let shared = Arc::new(Shared::new(layout, client)?);
    let repos = config.repo.iter().filter(|(_, section)| lazy(section));
    repos
        .map(|(id, _)| Ok(Arc::new(Proxy::new(config, &shared, id)?)))
        .collect()
}

/// Keeps the store of the repositories in proxy mode within its limits. A failure costs room only,
/// and the next look comes.
async fn evict_now_and_then(server: Arc<Server>) {
    while !server.proxies.is_empty() {
        let ours = Arc::clone(&server);
        let _ = tokio::task::spawn_blocking(move || proxy::evict(&ours.proxies, now())).await;
        tokio::time::sleep(EVICT_EVERY).await;
    }
}

/// Reads again what operators replace, when they have or when they say so.
async fn look_at_files(server: Arc<Server>, printer: Printer, renew: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let asked = renew.swap(false, Ordering::Relaxed);
        let ours = Arc::clone(&server);
        let look = move || {
            if let Some(log) = ours.log.as_ref().filter(|_| asked) {
                log.reopen();
            }
            ours.doors.look(asked)
        };
        for line in tokio::task::spawn_blocking(look).await.unwrap_or_default() {
            printer.err(&line);
        }
    }
}

/// As many connections as wished and as file descriptors allow (two for each).
fn connections(wished: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    let limit = match setrlimit(Resource::Nofile, most) {
        Ok(()) => now.maximum,
        Err(_) => now.current,
    };
    let files = limit
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(usize::MAX);
    wished.min(files.saturating_sub(64) / 2).max(1)
}

async fn accept(server: Arc<Server>, listener: TcpListener, limit: usize, stop: &AtomicBool) {
    let each = server.config.serve.connections_per_client;
    let room = Arc::new(Room::new(limit, each));
    while !stop.load(Ordering::Relaxed) {
        let next = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
        let (stream, from) = match next {
            Ok(Ok((stream, from))) => (stream, from.ip()),
            // Out of descriptors, or a client that was gone already: the next one may do.
            Ok(Err(_)) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            Err(_) => continue,
        };
        if !room.lets_in(from) {
            continue;
        }
        let place = loop {
            match room.place(from).await {
                Some(place) => break place,
                None if stop.load(Ordering::Relaxed) => return,
                None => {}
            }
        };
        tokio::spawn(Arc::clone(&server).attend(stream, from, place));
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Server {
    /// Serves a connection to its end. Whatever ends it concerns only that client.
    async fn attend(self: Arc<Self>, stream: TcpStream, from: IpAddr, place: Place) {
        let leaves = place.leaves();
        let local = stream.local_addr().ok();
        let stream = Patient::new(stream, place);
        let served = async {
            let Some(tls) = self.doors.tls() else {
                return self.converse(TokioIo::new(stream), from, local).await;
            };
            let opened = tokio::time::timeout(HEADERS_WITHIN, tls.accept(stream)).await;
            match opened {
                Ok(Ok(stream)) => self.converse(TokioIo::new(stream), from, local).await,
                Ok(Err(why)) => tracing::debug!(%from, %why, "no TLS"),
                Err(_) => {}
            }
        };
        tokio::select! {
            () = served => {}
            () = leaves => {}
        }
    }

    async fn converse(
        &self,
        io: impl Read + Write + Unpin,
        from: IpAddr,
        local: Option<SocketAddr>,
    ) {
        let service = service_fn(|request| async move {
            Ok::<_, Infallible>(self.answer(request, from, local).await)
        });
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_WITHIN)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .serve_connection(io, service)
            .await;
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        from: IpAddr,
        local: Option<SocketAddr>,
    ) -> Response<Told> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let visitor = self.doors.visitor(request.headers());
        let log = self.log.as_ref().map(|log| {
            let mut visit = Visit::of(&request, from);
            visit.user = self.doors.user(&visitor);
            (Arc::clone(log), visit)
        });
        let answer = self.decide(&request, &visitor, local).await;
        if answer.status().is_client_error() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        told(answer, log)
    }

    async fn decide(
        &self,
        request: &Request<Incoming>,
        visitor: &Visitor,
        local: Option<SocketAddr>,
    ) -> HttpAnswer {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut answer = refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
            answer
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let Some(target) = route(request.uri().path()) else {
            return refusal(StatusCode::NOT_FOUND, "no such file");
        };
        match target {
            Route::Health => self.health(visitor).await,
            Route::Search => self.search(request, visitor).await,
            Route::File(path) => match self.doors.refuses(visitor, &path) {
                Some(Refused::Locked) => unauthorized(),
                Some(Refused::Gone) => refusal(StatusCode::NOT_FOUND, "no such file"),
                None => match self.file(request, &path).await {
                    answer if answer.status() == StatusCode::NOT_FOUND => {
                        let folder = self.folder(request, visitor, &path).await;
                        folder.unwrap_or(answer)
                    }
                    answer => answer,
                },
            },
            Route::Dated { repo, .. } if !self.doors.lets(visitor, &repo) => unauthorized(),
            Route::Dated { date, repo, path } => {
                let place = (date.as_str(), repo.as_str(), path.as_str());
                self.dated(request, visitor, place).await
            }
            page => self.page(&page, request, visitor, local).await,
        }
    }

    /// A page: made on a thread of its own, state files are read for it.
    async fn page(
        &self,
        page: &Route,
        request: &Request<Incoming>,
        visitor: &Visitor,
        local: Option<SocketAddr>,
    ) -> HttpAnswer {
        let Some(shown) = self.shown_to(visitor) else {
            return unauthorized();
        };
        let Some(status) = self.status(shown.clone()).await else {
            return unreadable();
        };
        let (kind, body) = match page {
            Route::Status => {
                let body = serde_json::to_string(&status).unwrap_or_default();
                ("application/json", body)
            }
            Route::Metrics => {
                let mut body = status::metrics(&status);
                self.own_metrics(&mut body);
                ("text/plain; version=0.0.4; charset=utf-8", body)
            }
            Route::RepoFile => {
                let url = self.url(request, local);
                let body = self.repo_file(&shown, &status, &url, visitor);
                ("text/plain; charset=utf-8", body)
            }
            _ => {
                let mut config = shown;
                config.mirror.url = Some(self.url(request, local));
                let page = status::page(&status, &config, PageOf::Serve);
                ("text/html; charset=utf-8", page)
            }
        };
        self.private(text(StatusCode::OK, kind, body))
    }

    /// How these repositories are; none if it cannot be told.
    async fn status(&self, config: Config) -> Option<Status> {
        let layout = self.layout.clone();
        let collect = move || status::collect(&config, &layout, now()).for_clients();
        tokio::task::spawn_blocking(collect).await.ok()
    }

    /// Whether all is well, and why not: one line for each repository that needs a look. Of those that the visitor may
    /// not see it is only said that there are some.
    async fn health(&self, visitor: &Visitor) -> HttpAnswer {
        let Some(status) = self.status(self.config.clone()).await else {
            return unreadable();
        };
        let (mut code, mut body) = (StatusCode::OK, "ok\n".to_owned());
        if !status.healthy {
            let shown = self.shown_to(visitor).unwrap_or_default();
            let Some(shown) = self.status(shown).await else {
                return unreadable();
            };
            let mut lines = shown.reasons;
            if lines.len() < status.reasons.len() {
                lines.push("more needs a look that wants a token".to_owned());
            }
            (code, body) = (StatusCode::SERVICE_UNAVAILABLE, lines.join("\n") + "\n");
        }
        text(code, "text/plain; charset=utf-8", body)
    }

    /// The configuration without the repositories that a visitor may not see; none if he shows something that is good
    /// for nothing, or if there is nothing for him.
    fn shown_to(&self, visitor: &Visitor) -> Option<Config> {
        let mut config = self.config.clone();
        config.repo.retain(|id, _| self.doors.lets(visitor, id));
        let mut locked = config.repo.keys().filter(|id| self.doors.is_locked(id));
        let opens = !visitor.shows_something || locked.next().is_some();
        let sees = !config.repo.is_empty() || self.config.repo.is_empty();
        (opens && sees).then_some(config)
    }

    /// `/mirror.repo` for a visitor: with his token where it is wanted, and a word about what he does not see.
    fn repo_file(&self, shown: &Config, status: &Status, url: &str, visitor: &Visitor) -> String {
        let login = visitor.login();
        let login = login.map(|login| (login.user.as_str(), login.token.as_str()));
        let mut text = status::repo_file_for(shown, status, url, login);
        if shown.repo.len() < self.config.repo.len() {
            text.push_str("\n# Who has a token sees more: curl -u USER:TOKEN ");
            text.push_str(&format!("{}/mirror.repo\n", url.trim_end_matches('/')));
        }
        text
    }

    /// What an operator may not have meant.
    fn tell_what_is_open(&self, local: SocketAddr, printer: &Printer) {
        let url = self.config.mirror.url.as_deref().unwrap_or_default();
        let in_clear = !self.doors.is_tls() && !url.starts_with("https://");
        if self.doors.are_locked() && in_clear && !local.ip().is_loopback() {
            printer.err(
                "warning: tokens come unencrypted, whoever listens has them: set serve.tls_cert, or mirror.url to the \
                 https:// address of the web server in front",
            );
        }
        for file in self.doors.empty_files() {
            printer.err(&format!(
                "warning: {file}: no token is in it: nobody comes in"
            ));
        }
        if self.doors.is_tls() && url.starts_with("http://") {
            printer.err(&format!(
                "warning: mirror.url = {url}: TLS is spoken here: /mirror.repo leads clients astray unless another web \
                 server is there"
            ));
        }
        let key = self.config.serve.tls_key.as_deref();
        if let Some(key) = key.filter(|key| repo_client::is_open_to_all(key)) {
            let word = cli_kit::shell_word(&key.to_string_lossy());
            printer.err(&format!(
                "warning: serve.tls_key: everybody may read the key: `chmod o-r {word}`"
            ));
        }
    }

    fn scheme(&self) -> &'static str {
        match self.doors.is_tls() {
            true => "https",
            false => "http",
        }
    }

    fn own_metrics(&self, out: &mut String) {
        let lines = [
            ("http_requests_total", "Requests answered.", &self.requests),
            ("http_refused_total", "Requests refused.", &self.refused),
        ];
        for (name, help, count) in lines {
            let count = count.load(Ordering::Relaxed);
            out.push_str(&format!(
                "# HELP mirror_sync_{name} {help}\n# TYPE mirror_sync_{name} counter\nmirror_sync_{name} {count}\n"
            ));
        }
    }

    /// The URL under which this client reached us: the configured one, else the one it used, as
    /// far as that can be a host and port.
    fn url(&self, request: &Request<Incoming>, local: Option<SocketAddr>) -> String {
        if let Some(url) = &self.config.mirror.url {
            return url.clone();
        }
        let host = request
            .headers()
            .get(HOST)
            .and_then(|host| host.to_str().ok());
        let plain = |host: &&str| {
            !host.is_empty()
                && host.len() < 256
                && host
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c))
        };
        let host = host.filter(plain).map(str::to_owned);
        let host = host.or_else(|| local.map(|address| address.to_string()));
        let host = host.unwrap_or_else(|| self.config.serve.listen.clone());
        format!("{}://{host}", self.scheme())
    }

    async fn file(&self, request: &Request<Incoming>, path: &str) -> HttpAnswer {
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let proxy = self.proxies.iter().find(|proxy| proxy.id() == first);
        let (root, path) = match proxy {
            None => (self.layout.public(), path.to_owned()),
            Some(proxy) => match proxy::fetch(proxy, rest).await {
                Ok(place) => place,
                Err(answer) => return *answer,
            },
        };
        send(request, root, &path, rest).await
    }

    async fn dated(
        &self,
        request: &Request<Incoming>,
        visitor: &Visitor,
        (date, repo, path): (&str, &str, &str),
    ) -> HttpAnswer {
        if !self.config.repo.contains_key(repo) {
            return refusal(StatusCode::NOT_FOUND, "no such snapshot");
        }
        let (layout, id, word) = (self.layout.clone(), repo.to_owned(), date.to_owned());
        let found = tokio::task::spawn_blocking(move || snapshot::find_stamp(&layout, &id, &word));
        match found.await {
            Ok(Ok(stamp)) => {
                let path = format!("snapshots/{repo}/{stamp}/{path}");
                match send(request, self.layout.public(), &path, &path).await {
                    answer if answer.status() == StatusCode::NOT_FOUND => {
                        let path = path.trim_end_matches('/');
                        let folder = self.folder(request, visitor, path).await;
                        folder.unwrap_or(answer)
                    }
                    answer => answer,
                }
            }
            _ => refusal(StatusCode::NOT_FOUND, "no snapshot of that day or before"),
        }
    }
}

fn unreadable() -> HttpAnswer {
    refusal(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the mirror's state cannot be read",
    )
}

/// Opens and sends a file below `root`; `shown` is what clients call it.
async fn send(request: &Request<Incoming>, root: PathBuf, path: &str, shown: &str) -> HttpAnswer {
    let name = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || answer::open(&root, &name)).await;
    let Ok(Ok(file)) = opened else {
        return refusal(StatusCode::NOT_FOUND, "no such file");
    };
    match answer::file(request, shown, file).await {
        Ok(answer) => answer,
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read"),
    }
}
