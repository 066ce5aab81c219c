//! The client: one runtime, connections kept between requests, nothing started before it is used.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{NoProxy, Url, redirect};
use rpm_repo::config::{IpFamily, ProxyAuth};
use tokio::runtime::{Builder, Runtime};

use crate::auth_header::is_here;
use crate::dns::{NameResolver, family_words, is_of};
use crate::error::{Cause, Error, LOGIN_WANTED, NO_LOGIN, PROXY, Result, UNREACHED, server_name};
use crate::limit::Limiter;
use crate::options::{Access, ClientOptions, Proxy, RegistryLogins, Route, S3Environment, Tls};
use crate::redact::redact;
use crate::tls::{self, verifier};

/// Speaks to servers. Making one costs nothing: runtime, TLS and name lookup start with the
/// first request that needs them. Keep one for the run of the program: it keeps connections and
/// remembers which mirrors failed.
pub struct Client {
    options: ClientOptions,
    runtime: Mutex<Option<Arc<Runtime>>>,
    lookup: NameResolver,
    by_settings: Mutex<HashMap<ConnectionSettings, reqwest::Client>>,
    limiters: Mutex<HashMap<String, Arc<Limiter>>>,
    servers: Mutex<HashMap<String, ServerMemory>>,
    next_id: AtomicU64,
    /// What is known beyond HTTP, by its type.
    kept: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    /// That Mozilla's certificate authorities are trusted was said.
    roots_told: AtomicBool,
}

/// What is remembered of a server for the life of a [`Client`].
#[derive(Debug, Default)]
struct ServerMemory {
    failures: u32,
    /// It could not be reached when it was asked last.
    unreachable: bool,
    /// Bytes per second, when last measured.
    rate: Option<u64>,
    /// It was measured in this run, and nobody has asked for it.
    is_news: bool,
}

/// Requests with equal settings share connections. Plain HTTP never loads certificates.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ConnectionSettings {
    tls: Option<Tls>,
    route: Route,
    proxy_auth: ProxyAuth,
    family: Option<IpFamily>,
    connect: Duration,
    /// HTTP/1.1 only: requests at the same time have a connection each.
    apart: bool,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.rest();
    }
}

impl Client {
    /// A client that has done nothing yet.
    pub fn new(options: ClientOptions) -> Self {
        Self {
            options,
            runtime: Mutex::default(),
            lookup: NameResolver::default(),
            by_settings: Mutex::default(),
            limiters: Mutex::default(),
            servers: Mutex::default(),
            next_id: AtomicU64::new(1),
            kept: Mutex::default(),
            roots_told: AtomicBool::new(false),
        }
    }

    /// Whether some server was asked of whom nothing but the certificate authorities inside this program could vouch
    /// ([`crate::BUILTIN_ROOTS_USED`]).
    pub fn trusts_builtin_roots(&self) -> bool {
        self.roots_told.load(Ordering::Relaxed)
    }

    /// What the environment says of object stores.
    pub(crate) fn s3_environment(&self) -> &S3Environment {
        &self.options.s3
    }

    /// Whether sections are written by whoever has the environment.
    pub(crate) fn owns_sections(&self) -> bool {
        self.options.own_sections
    }

    /// Why what this user is known by is not for `url`, whatever a section says: somebody on the way might read it.
    pub(crate) fn exposes(&self, access: &Access, url: &Url) -> Option<&'static str> {
        let is_checked = url.scheme() == "https" && access.tls.verify;
        // A proxy is not this machine.
        let is_here = is_here(url) && self.proxy_of(&access.route, url).is_none();
        match is_checked || is_here {
            true => None,
            false if url.scheme() == "https" => {
                Some("its certificate is not checked (sslverify=0)")
            }
            false => Some("it does not go by https"),
        }
    }

    /// The clock, in seconds since 1970, if the caller has named one.
    pub(crate) fn clock(&self) -> Option<u64> {
        self.options.clock.map(|clock| clock())
    }

    /// Runs `work` to its end on the calling thread.
    pub(crate) fn block_on<F: Future>(&self, work: F) -> Result<F::Output> {
        let mut kept = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = match &*kept {
            Some(runtime) => Arc::clone(runtime),
            None => {
                let made = Builder::new_current_thread()
                    .enable_all()
                    .max_blocking_threads(4)
                    .build();
                let made = Arc::new(made.map_err(|e| Error::Setup(e.to_string()))?);
                Arc::clone(kept.insert(made))
            }
        };
        drop(kept);
        Ok(runtime.block_on(work))
    }

    /// Closes the connections that wait for a next request, and gives back what they hold: half a megabyte each.
    /// A request after it makes new ones.
    pub fn rest(&self) {
        let lock = self.by_settings.lock();
        lock.unwrap_or_else(PoisonError::into_inner).clear();
        let mut kept = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        // Waiting for its threads is not allowed where another runtime has this one dropped.
        if let Some(runtime) = kept.take().and_then(Arc::into_inner) {
            runtime.shutdown_background();
        }
    }

    /// What a kind of server is known by for the life of the client: one value of each type, made when it is first asked
    /// for.
    pub(crate) fn kept<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let one = kept.entry(TypeId::of::<T>());
        let one = Arc::clone(one.or_insert_with(|| Arc::new(T::default())));
        drop(kept);
        one.downcast().unwrap_or_default()
    }

    /// Where logins to registries stand.
    pub(crate) fn registry_logins(&self) -> &RegistryLogins {
        &self.options.registry_logins
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether the caller asked to stop.
    pub(crate) fn stopped(&self) -> bool {
        self.options
            .stop
            .as_ref()
            .is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Sleeps, but ends early with [`Cause::Stopped`] when asked to stop.
    pub(crate) async fn pause(&self, mut left: Duration) -> std::result::Result<(), Cause> {
        const SLICE: Duration = Duration::from_millis(100);
        while !left.is_zero() {
            if self.stopped() {
                return Err(Cause::Stopped);
            }
            let now = left.min(SLICE);
            tokio::time::sleep(now).await;
            left -= now;
        }
        Ok(())
    }

    /// The speed limit shared by all transfers of a repository.
    pub(crate) fn limiter(&self, access: &Access) -> Option<Arc<Limiter>> {
        if access.throttle == 0 {
            return None;
        }
        let mut all = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        let one = all
            .entry(access.repo.clone())
            .or_insert_with(|| Arc::new(Limiter::new(access.throttle)));
        Some(Arc::clone(one))
    }

    fn remembered<T>(&self, server: &str, what: impl FnOnce(&mut ServerMemory) -> T) -> T {
        let mut all = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        what(all.entry(server.to_owned()).or_default())
    }

    /// Remembers that a server ([`origin`]) failed.
    pub(crate) fn blame(&self, server: &str, cause: &Cause) {
        let failures = self.remembered(server, |one| {
            one.failures = one.failures.saturating_add(1);
            one.unreachable = cause.is_unreachable();
            one.failures
        });
        tracing::debug!(server, failures, "blamed: asked after others from now on");
    }

    /// How often a server has failed in this run: those that did are asked after the others.
    pub(crate) fn failures_of(&self, server: &str) -> u32 {
        self.remembered(server, |one| one.failures)
    }

    /// Whether a server could not be reached in this run.
    pub(crate) fn is_unreachable(&self, server: &str) -> bool {
        self.remembered(server, |one| one.unreachable)
    }

    /// What a server gave when it was measured last, bytes per second.
    pub(crate) fn rate_of(&self, server: &str) -> Option<u64> {
        self.remembered(server, |one| one.rate)
    }

    /// Says what a server (`scheme://host:port`) gave in an earlier run, in bytes per second: the fastest is asked first.
    pub fn recall_rate(&self, server: &str, bps: u64) {
        self.remembered(server, |one| one.rate = Some(bps));
    }

    /// Remembers what a server gives.
    pub(crate) fn measured(&self, server: &str, bps: u64) {
        self.remembered(server, |one| (one.rate, one.is_news) = (Some(bps), true));
    }

    /// What servers gave that were measured since the last call, in bytes per second.
    pub fn new_rates(&self) -> Vec<(String, u64)> {
        let mut all = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let news = all.iter_mut().filter_map(|(name, one)| {
            let news = std::mem::take(&mut one.is_news);
            Some((name.clone(), one.rate.filter(|_| news)?))
        });
        news.collect()
    }

    /// The reqwest client for `url` under the repository's settings; one whose requests share no
    /// connection if they are to be `apart`.
    pub(crate) fn http(
        &self,
        access: &Access,
        url: &Url,
        apart: bool,
    ) -> std::result::Result<reqwest::Client, Cause> {
        self.check_way(access, url)?;
        let secure = url.scheme() == "https";
        let tls = secure.then(|| access.tls.clone());
        let settings = ConnectionSettings {
            tls,
            route: access.route.clone(),
            proxy_auth: access.proxy_auth,
            family: access.family,
            connect: access.connect_timeout.unwrap_or(access.timeout),
            // Without TLS there is no HTTP/2 here.
            apart: apart && secure,
        };
        let mut all = self
            .by_settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = all.get(&settings) {
            return Ok(ready.clone());
        }
        let made = self.build(&settings)?;
        all.insert(settings, made.clone());
        Ok(made)
    }

    fn build(&self, settings: &ConnectionSettings) -> std::result::Result<reqwest::Client, Cause> {
        tls::install_provider();
        // Redirects are followed by our own rules; the environment is not read below the caller. What
        // reqwest sends again by itself is only what an HTTP/2 server says it has not begun.
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .dns_resolver(self.lookup.of_family(settings.family))
            .connect_timeout(settings.connect)
            .no_proxy();
        if !self.options.user_agent.is_empty() {
            builder = builder.user_agent(&self.options.user_agent);
        }
        for proxy in self.proxies(&settings.route, settings.proxy_auth)? {
            builder = builder.proxy(proxy);
        }
        if settings.apart {
            builder = builder.http1_only();
        }
        builder = match &settings.tls {
            Some(tls) if tls.verify => {
                let trusted = tls::trusted(&self.options, tls, &self.roots_told)?;
                builder.tls_backend_preconfigured(verifier::config(trusted, tls, settings.apart)?)
            }
            Some(tls) => {
                builder = builder
                    .tls_certs_only([])
                    .tls_danger_accept_invalid_certs(true);
                match tls::identity(tls)? {
                    Some(identity) => builder.identity(identity),
                    None => builder,
                }
            }
            None => builder.tls_certs_only([]),
        };
        builder
            .build()
            .map_err(|e| Cause::Broken(e.without_url().to_string()))
    }

    fn route<'r>(&'r self, own: &'r Route) -> &'r Route {
        match own {
            Route::Common => &self.options.proxy,
            own => own,
        }
    }

    /// A failure to connect names the proxy, if `url` is reached by one: it was not the server that failed.
    pub(crate) fn blaming_proxy(&self, route: &Route, url: &Url, cause: Cause) -> Cause {
        let Some((proxy, of)) = self.proxy_of(route, url) else {
            return cause;
        };
        let named = |why: &str| format!("{}{of}: {why}", redact(proxy));
        let has_login = match self.route(route) {
            Route::Through(Proxy {
                username: Some(_), ..
            }) => true,
            _ => proxy.contains('@'),
        };
        match cause {
            Cause::Connect(why) => Cause::Connect(format!("{PROXY}{}", named(&why))),
            Cause::Dns(why) => Cause::Dns(format!("{PROXY}{}", named(&why))),
            Cause::Proxy(why) if why == UNREACHED => {
                let server = server_name(&origin(url));
                Cause::Proxy(named(&format!("the proxy cannot reach {server}")))
            }
            Cause::Proxy(why) => Cause::Proxy(named(&why)),
            // It takes none of the ways that were offered: without a login, or with one.
            Cause::ProxyLogin(why) if why == NO_LOGIN && !has_login => {
                Cause::ProxyLogin(named(LOGIN_WANTED))
            }
            Cause::ProxyLogin(why) => Cause::ProxyLogin(named(&why)),
            other => other,
        }
    }

    /// Fails where the settings leave no way to `url`: a proxy is to be told its login in a way that is not ours, or
    /// the host in it (that of the proxy, where there is one) is an address of the wrong family.
    fn check_way(&self, access: &Access, url: &Url) -> std::result::Result<(), Cause> {
        if access.family.is_none() && !matches!(access.proxy_auth, ProxyAuth::Unspoken(_)) {
            return Ok(());
        }
        let proxy = self.proxy_of(&access.route, url);
        if let (ProxyAuth::Unspoken(method), Some((proxy, of))) = (access.proxy_auth, &proxy)
            && !is_socks(proxy)
        {
            let proxy = redact(proxy);
            return Err(Cause::Settings(format!(
                "proxy {proxy}{of}: proxy_auth_method={method} cannot be spoken, only basic"
            )));
        }
        let first = match &proxy {
            Some((proxy, _)) => proxy_url(proxy).ok(),
            None => Some(url.clone()),
        };
        let Some((family, first)) = access.family.zip(first) else {
            return Ok(());
        };
        let host = first.host_str().unwrap_or_default();
        let bare = host.trim_matches(['[', ']']);
        match bare.parse().is_ok_and(|ip| !is_of(Some(family), ip)) {
            true => Err(Cause::Settings(family_words(host, family))),
            false => Ok(()),
        }
    }

    /// The proxy by which `url` is reached, as it is configured, and where that was.
    fn proxy_of<'s>(&'s self, route: &'s Route, url: &Url) -> Option<(&'s str, String)> {
        match self.route(route) {
            Route::Direct => None,
            Route::Through(proxy) => Some((&proxy.url, String::new())),
            Route::Common => self.of_environment(url),
        }
    }

    /// The proxy that the environment names for `url`, and its variable.
    fn of_environment(&self, url: &Url) -> Option<(&str, String)> {
        let env = &self.options.proxy_environment;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let rules = Matcher::builder()
            .http(text(&env.http))
            .https(text(&env.https))
            .all(text(&env.all))
            .no(text(&env.no_proxy))
            .build();
        rules.intercept(&url.as_str().parse().ok()?)?;
        let own = match url.scheme() {
            "https" => ("https_proxy", &env.https),
            _ => ("http_proxy", &env.http),
        };
        let (name, value) = [own, ("all_proxy", &env.all)]
            .into_iter()
            .find_map(|(name, value)| Some((name, value.as_ref()?)))?;
        Some((value, format!(" of {name}")))
    }

    fn proxies(
        &self,
        route: &Route,
        auth: ProxyAuth,
    ) -> std::result::Result<Vec<reqwest::Proxy>, Cause> {
        let bad = |e: reqwest::Error| Cause::Proxy(e.without_url().to_string());
        match self.route(route) {
            Route::Direct => return Ok(Vec::new()),
            Route::Through(named) => {
                speakable(&named.url)?;
                let mut proxy =
                    reqwest::Proxy::all(told(&named.url, auth).as_ref()).map_err(bad)?;
                if let (Some(user), Some(password)) = (&named.username, &named.password)
                    && (auth == ProxyAuth::Basic || is_socks(&named.url))
                {
                    proxy = proxy.basic_auth(user, password);
                }
                return Ok(vec![proxy]);
            }
            Route::Common => {}
        }
        let env = &self.options.proxy_environment;
        let except = env.no_proxy.iter().flat_map(|list| list.split(','));
        if except.map(str::trim).any(|host| host == "*") {
            return Ok(Vec::new());
        }
        let skip = || env.no_proxy.as_deref().and_then(NoProxy::from_string);
        type NewProxy = fn(String) -> reqwest::Result<reqwest::Proxy>;
        let named: [(_, NewProxy); 3] = [
            (&env.http, reqwest::Proxy::http),
            (&env.https, reqwest::Proxy::https),
            (&env.all, reqwest::Proxy::all),
        ];
        let filled = named.into_iter().filter_map(|(url, new)| {
            let url = url.clone().filter(|url| !url.is_empty())?;
            if let Err(cause) = speakable(&url) {
                return Some(Err(cause));
            }
            Some(
                new(told(&url, auth).into_owned())
                    .map_err(bad)
                    .map(|proxy| proxy.no_proxy(skip())),
            )
        });
        filled.collect()
    }
}

/// The URL of a proxy; without scheme it is http.
fn proxy_url(proxy: &str) -> std::result::Result<Url, impl std::fmt::Display> {
    match proxy.contains("://") {
        true => Url::parse(proxy),
        false => Url::parse(&format!("http://{proxy}")),
    }
}

/// Fails for a proxy that is no URL, or is spoken to in another way than ours.
fn speakable(proxy: &str) -> std::result::Result<(), Cause> {
    let url = proxy_url(proxy).map_err(|why| {
        let proxy = redact(proxy);
        Cause::Settings(format!("proxy {proxy}: not a URL: {why}"))
    })?;
    match url.scheme() {
        "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h" => Ok(()),
        other => Err(Cause::Settings(format!(
            "cannot speak {other} to a proxy: only http, https, socks5 and socks5h"
        ))),
    }
}

/// Whether a proxy is no proxy of HTTP: its login is no header.
fn is_socks(proxy: &str) -> bool {
    proxy_url(proxy).is_ok_and(|url| url.scheme().starts_with("socks"))
}

/// The address of a proxy with the login in it that it is told: none for a proxy of HTTP where there is to be none.
fn told(proxy: &str, auth: ProxyAuth) -> Cow<'_, str> {
    let start = proxy.find("://").map_or(0, |mark| mark + 3);
    let (scheme, rest) = proxy.split_at(start);
    match rest.rsplit_once('@') {
        Some((_, host)) if auth == ProxyAuth::None && !is_socks(proxy) => {
            Cow::Owned(format!("{scheme}{host}"))
        }
        _ => Cow::Borrowed(proxy),
    }
}

/// `scheme://host:port`: what counts as one server.
pub(crate) fn origin(url: &Url) -> String {
    let host = url.host_str().unwrap_or("");
    let port = url.port_or_known_default().map(|port| format!(":{port}"));
    format!("{}://{host}{}", url.scheme(), port.unwrap_or_default())
}

/// Parses one URL of a list; only http, https, registries, buckets and file are spoken.
pub(crate) fn parse_url(text: &str) -> Result<Url> {
    let bad = |why: String| Error::BadUrl {
        url: redact(text),
        why,
    };
    if text.trim().is_empty() {
        return Err(bad("the URL is empty".to_owned()));
    }
    // The library says of a text without a scheme that it is relative to nothing.
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    if scheme.is_empty()
        || scheme.contains(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
    {
        let why = "not a URL: it has to begin with http://, https:// or file://";
        return Err(bad(why.to_owned()));
    }
    let url = Url::parse(text).map_err(|e| bad(e.to_string()))?;
    match url.scheme() {
        "http" | "https" | "file" | "oci" | "oci+http" => Ok(url),
        "s3" if url.host_str().is_none_or(str::is_empty) || url.port().is_some() => Err(bad(
            "s3://BUCKET/PREFIX is expected; s3_endpoint names the server".to_owned(),
        )),
        "s3" => Ok(url),
        other => Err(bad(format!(
            "cannot speak {other}: only http, https, oci, s3 and file"
        ))),
    }
}
