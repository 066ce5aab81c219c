//! The mirror over HTTP: files, ranges, conditions, pages; repositories in proxy mode on demand.
//!
//! Async stands here and in repo-client alone: ten thousand slow clients cost a task each, not a
//! thread. Only `GET` and `HEAD` are answered, only what lies below `public/` is shown, a client
//! that takes nothing for a minute is dropped, and earlier where others have no room. Work that blocks (filling the proxy's store) runs on
//! threads of its own.

pub(crate) mod answer;
mod evict;
mod proxy;
mod room;
pub(crate) mod route;
mod stream;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cli_kit::Printer;
use hyper::body::Incoming;
use hyper::header::{ALLOW, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use repo_client::Client;
use tokio::net::TcpListener;

use crate::config::{Config, RepoMode, RepoSection};
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::{manifest, publish, snapshot, status};
use answer::{HttpAnswer, refusal, text};
use proxy::{Proxy, Shared};
use room::Room;
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

/// What the server works with.
pub(crate) struct Server {
    config: Config,
    layout: Layout,
    proxies: Vec<Arc<Proxy>>,
    requests: AtomicU64,
    refused: AtomicU64,
}

/// Serves until told to stop.
pub(crate) fn serve(
    config: &Config,
    client: Client,
    printer: &Printer,
    stop: &AtomicBool,
) -> Result<()> {
    let layout = Layout::new(&config.mirror.path);
    let public = layout.public();
    layout.make(&public)?;
    layout.refuse_root_among_others()?;
    let (keys, faults) = status::public_keys(config);
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
        proxies,
        requests: AtomicU64::new(0),
        refused: AtomicU64::new(0),
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
        printer.info(&format!(
            "serving {} on http://{local}/",
            server.config.mirror.name
        ));
        tokio::spawn(evict_now_and_then(Arc::clone(&server)));
        accept(server, listener, limit, stop).await;
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
    let room = Arc::new(Room::new(limit));
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
        let place = loop {
            match room.place(from).await {
                Some(place) => break place,
                None if stop.load(Ordering::Relaxed) => return,
                None => {}
            }
        };
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let leaves = place.leaves();
            let local = stream.local_addr().ok();
            let service = service_fn(|request| {
                let server = Arc::clone(&server);
                async move { Ok::<_, Infallible>(server.answer(request, local).await) }
            });
            let io = TokioIo::new(Patient::new(stream, place));
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS_WITHIN)
                .max_buf_size(MAX_HEAD)
                .max_headers(MAX_HEADERS)
                .serve_connection(io, service);
            // Whatever ends a connection concerns only that client.
            tokio::select! {
                _ = served => {}
                () = leaves => {}
            }
        });
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Server {
    async fn answer(&self, request: Request<Incoming>, local: Option<SocketAddr>) -> HttpAnswer {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answer = self.decide(&request, local).await;
        if answer.status().is_client_error() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    async fn decide(&self, request: &Request<Incoming>, local: Option<SocketAddr>) -> HttpAnswer {
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
            Route::Health => text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n"),
            Route::File(path) => self.file(request, &path).await,
            Route::Dated { date, repo, path } => self.dated(request, &date, &repo, &path).await,
            page => self.page(&page, request, local).await,
        }
    }

    /// A page: made on a thread of its own, state files are read for it.
    async fn page(
        &self,
        page: &Route,
        request: &Request<Incoming>,
        local: Option<SocketAddr>,
    ) -> HttpAnswer {
        let (config, layout) = (self.config.clone(), self.layout.clone());
        let collected =
            tokio::task::spawn_blocking(move || status::collect(&config, &layout, now())).await;
        let Ok(status) = collected else {
            return refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the mirror's state cannot be read",
            );
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
                let body = status::repo_file(&self.config, &status, &url);
                ("text/plain; charset=utf-8", body)
            }
            _ => {
                let mut config = self.config.clone();
                config.mirror.url = Some(self.url(request, local));
                ("text/html; charset=utf-8", status::page(&status, &config))
            }
        };
        text(StatusCode::OK, kind, body)
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
        format!(
            "http://{}",
            host.unwrap_or_else(|| self.config.serve.listen.clone())
        )
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
        date: &str,
        repo: &str,
        path: &str,
    ) -> HttpAnswer {
        if !self.config.repo.contains_key(repo) || manifest::date_end(date).is_none() {
            return refusal(StatusCode::NOT_FOUND, "no such snapshot");
        }
        let (layout, id, word) = (self.layout.clone(), repo.to_owned(), date.to_owned());
        let found = tokio::task::spawn_blocking(move || snapshot::find_stamp(&layout, &id, &word));
        match found.await {
            Ok(Ok(stamp)) => {
                let path = format!("snapshots/{repo}/{stamp}/{path}");
                send(request, self.layout.public(), &path, &path).await
            }
            _ => refusal(StatusCode::NOT_FOUND, "no snapshot of that day or before"),
        }
    }
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
