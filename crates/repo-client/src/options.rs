//! How servers are spoken to: for all repositories ([`ClientOptions`]) and for one ([`Access`]).

mod s3;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::Url;
use rpm_repo::config::{IpFamily, NO_PROXY, ProxyAuth, RepoConfig, Secret};

pub use s3::{S3Access, S3Environment};

/// Time limit for a connection, and for silence, when the configuration names none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes per second below which a transfer counts as stuck when `minrate` is not set.
pub const DEFAULT_MIN_RATE: u64 = 64;
/// Extra rounds over all mirrors when `retries` is not set (tdnf's default).
pub const DEFAULT_RETRIES: u32 = 10;
/// CA bundles looked for, in this order: Debian, Fedora/Photon, openSUSE, Alpine.
pub const CA_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Settings of a [`crate::Client`].
#[derive(Clone, Default)]
pub struct ClientOptions {
    /// `User-Agent` header.
    pub user_agent: String,
    /// The way of every repository that has none of its own: `proxy=` of tdnf.conf, or as the environment says.
    pub proxy: Route,
    /// Proxy variables of the environment, read by the caller.
    pub proxy_environment: ProxyEnvironment,
    /// CA bundle files tried in order; empty means [`CA_BUNDLES`].
    pub ca_bundles: Vec<PathBuf>,
    /// Certificates that the environment names, read by the caller: they take the place of the bundles.
    pub ca_environment: CaEnvironment,
    /// Where logins to registries (`oci://`) stand.
    pub registry_logins: RegistryLogins,
    /// What the environment says of object stores, read by the caller.
    pub s3: S3Environment,
    /// Whoever wrote the sections also has the environment: a server that a section names may be shown its keys of object
    /// stores. Else sections may come from anybody, and it may not.
    pub own_sections: bool,
    /// The clock, in seconds since 1970: signatures for object stores bear a date. Without one nothing is signed.
    pub clock: Option<fn() -> u64>,
    /// Set to true to stop all transfers soon (they end with [`crate::Cause::Stopped`] and can
    /// be resumed).
    pub stop: Option<Arc<AtomicBool>>,
}

/// A proxy server.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proxy {
    /// URL, `http://`, `https://`, `socks5://` or `socks5h://` (the proxy looks names up); without scheme it is http.
    pub url: String,
    /// Login; used only if both are set.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
}

/// Which way a repository's servers are reached.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub enum Route {
    /// As all go: [`ClientOptions::proxy`], else by the environment.
    #[default]
    Common,
    /// Without a proxy: `proxy=_none_`, or an empty `proxy=` of a section.
    Direct,
    /// By a proxy that the configuration names.
    Through(Proxy),
}

impl Route {
    /// What the keys `proxy`, `proxy_username` and `proxy_password` say.
    pub fn of(url: Option<&str>, username: Option<&Secret>, password: Option<&Secret>) -> Self {
        let exposed = |secret: &Secret| secret.expose().to_owned();
        match url {
            None => Self::Common,
            Some(NO_PROXY) => Self::Direct,
            Some(url) => Self::Through(Proxy {
                url: url.to_owned(),
                username: username.map(exposed),
                password: password.map(exposed),
            }),
        }
    }
}

/// The environment's proxy variables, as strings.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct ProxyEnvironment {
    /// `http_proxy` (lower case only, as curl).
    pub http: Option<String>,
    /// `https_proxy` or `HTTPS_PROXY`.
    pub https: Option<String>,
    /// `all_proxy` or `ALL_PROXY`.
    pub all: Option<String>,
    /// `no_proxy` or `NO_PROXY`.
    pub no_proxy: Option<String>,
}

/// The environment's variables for certificates. Relative paths are relative to the working directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaEnvironment {
    /// `SSL_CERT_FILE`: a bundle.
    pub file: Option<PathBuf>,
    /// `SSL_CERT_DIR`: directories of files with certificates, whatever their names.
    pub dirs: Vec<PathBuf>,
}

impl CaEnvironment {
    /// From the values of the two variables; an empty value, or one between colons, names nothing.
    pub fn of(file: Option<OsString>, dirs: Option<OsString>) -> Self {
        let is_there = |path: &PathBuf| !path.as_os_str().is_empty();
        let dirs = dirs.unwrap_or_default();
        let dirs = dirs.as_bytes().split(|byte| *byte == b':');
        let dirs = dirs.map(|dir| PathBuf::from(OsStr::from_bytes(dir)));
        Self {
            file: file.map(PathBuf::from).filter(is_there),
            dirs: dirs.filter(is_there).collect(),
        }
    }

    /// Whether it names no certificates.
    pub(crate) fn is_empty(&self) -> bool {
        self.file.is_none() && self.dirs.is_empty()
    }
}

/// Files that logins to registries stand in, the first counts most. What is not there is passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryLogins {
    pub(crate) files: Vec<PathBuf>,
}

impl RegistryLogins {
    /// By the environment, which the caller has read: `REGISTRY_AUTH_FILE` alone if it is set; else
    /// `$XDG_RUNTIME_DIR/containers/auth.json` and `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`. What is
    /// empty counts as not set.
    pub fn of(
        auth_file: Option<OsString>,
        runtime_dir: Option<OsString>,
        docker_config: Option<OsString>,
        home: Option<&Path>,
    ) -> Self {
        let path = |value: Option<OsString>| {
            let path = value.map(PathBuf::from);
            path.filter(|path| !path.as_os_str().is_empty())
        };
        if let Some(only) = path(auth_file) {
            return Self { files: vec![only] };
        }
        let podman = path(runtime_dir).map(|dir| dir.join("containers/auth.json"));
        let docker = path(docker_config).or_else(|| home.map(|home| home.join(".docker")));
        let docker = docker.map(|dir| dir.join("config.json"));
        Self {
            files: podman.into_iter().chain(docker).collect(),
        }
    }
}

/// How the servers of one repository are spoken to.
#[derive(Clone)]
pub struct Access {
    /// Repository id, for messages and for the shared speed limit.
    pub repo: String,
    /// Basic auth user; sent only to the hosts in `origins`, and only with a password.
    pub username: Option<String>,
    /// Basic auth password.
    pub password: Option<String>,
    /// File with a header for the hosts in `origins`; its `Authorization` takes the place of a login.
    pub auth_header_file: Option<PathBuf>,
    /// Where `s3:` URLs lead.
    pub s3: S3Access,
    /// URLs whose scheme, host and port may see the login: the ones the configuration names.
    pub origins: Vec<String>,
    /// The way to the servers.
    pub route: Route,
    /// How a proxy of HTTP is told its login.
    pub proxy_auth: ProxyAuth,
    /// The only addresses that are used.
    pub family: Option<IpFamily>,
    /// Limit for a connection; none is `timeout`.
    pub connect_timeout: Option<Duration>,
    /// Limit for silence, and the window for `min_rate`.
    pub timeout: Duration,
    /// Bytes per second; slower over a whole `timeout` means [`crate::Cause::TooSlow`].
    pub min_rate: u64,
    /// Bytes per second over all transfers of this repository; 0 means no limit.
    pub throttle: u64,
    /// Extra rounds over all mirrors after passing failures.
    pub retries: u32,
    /// TLS settings.
    pub tls: Tls,
    /// Not each server of a metalink need have every file: that one has not is said only if none has.
    pub some_lack: bool,
}

/// TLS settings of one repository.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tls {
    /// Check certificate and host name (`sslverify`).
    pub verify: bool,
    /// Extra CA file (`sslcacert`); trusted beside the system's bundle.
    pub ca: Option<PathBuf>,
    /// Trust Mozilla's certificate authorities where neither the system nor anybody names any (`ssl_builtin_roots`).
    pub builtin_roots: bool,
    /// Client certificate, PEM (`sslclientcert`).
    pub client_cert: Option<PathBuf>,
    /// Client key, PEM (`sslclientkey`); none means that it is in the certificate's file.
    pub client_key: Option<PathBuf>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            verify: true,
            ca: None,
            builtin_roots: true,
            client_cert: None,
            client_key: None,
        }
    }
}

impl Default for Access {
    fn default() -> Self {
        Self {
            repo: String::new(),
            username: None,
            password: None,
            auth_header_file: None,
            s3: S3Access::default(),
            origins: Vec::new(),
            route: Route::Common,
            proxy_auth: ProxyAuth::Basic,
            family: None,
            connect_timeout: None,
            timeout: DEFAULT_TIMEOUT,
            min_rate: DEFAULT_MIN_RATE,
            throttle: 0,
            retries: DEFAULT_RETRIES,
            tls: Tls::default(),
            some_lack: false,
        }
    }
}

impl Access {
    /// The settings of a repository's configuration. `timeout` is the limit for a connection and
    /// for silence, not for a whole file as in C tdnf: a large file on a slow line must not fail.
    pub fn from_config(config: &RepoConfig) -> Self {
        let secret = |s: &Option<Secret>| s.as_ref().map(|s| s.expose().to_owned());
        let named = config.mirrorlist.iter().chain(&config.metalink);
        let default = Self::default();
        Self {
            repo: config.id.clone(),
            username: secret(&config.username),
            password: secret(&config.password),
            auth_header_file: config.auth_header_file.clone(),
            s3: S3Access {
                endpoint: config.s3_endpoint.clone(),
                region: config.s3_region.clone(),
                style: config.s3_style,
            },
            origins: config.baseurl.iter().chain(named).cloned().collect(),
            route: Route::of(
                config.proxy.as_deref(),
                config.proxy_username.as_ref(),
                config.proxy_password.as_ref(),
            ),
            proxy_auth: config.proxy_auth_method,
            family: config.ip_resolve,
            connect_timeout: config.connect_timeout,
            timeout: config.timeout.unwrap_or(default.timeout),
            min_rate: if config.minrate == 0 {
                default.min_rate
            } else {
                config.minrate
            },
            throttle: config.speed_limit(),
            retries: config.retries,
            some_lack: config.metalink.is_some(),
            tls: Tls {
                verify: config.sslverify,
                ca: config.sslcacert.clone(),
                builtin_roots: config.ssl_builtin_roots,
                client_cert: config.sslclientcert.clone(),
                client_key: config.sslclientkey.clone(),
            },
        }
    }
    /// User and password for `url`: its own, else the repository's if the host is one the
    /// configuration names.
    pub(crate) fn login_for(&self, url: &Url) -> Option<(String, Option<String>)> {
        if !url.username().is_empty() || url.password().is_some() {
            let user = decode_percent(url.username());
            return Some((user, url.password().map(decode_percent)));
        }
        let (user, password) = (self.username.as_ref()?, self.password.as_ref()?);
        let login = || (user.clone(), Some(password.clone()));
        self.names(url).then(login)
    }

    /// Whether the configuration names the bucket of `url`.
    pub(crate) fn names_bucket(&self, url: &Url) -> bool {
        let named = self.origins.iter();
        let mut named = named.filter_map(|text| Url::parse(text).ok());
        named.any(|named| named.scheme() == url.scheme() && named.host() == url.host())
    }

    /// The file with a header for `url`.
    pub(crate) fn auth_header_for(&self, url: &Url) -> Option<&Path> {
        let file = self.auth_header_file.as_deref()?;
        self.names(url).then_some(file)
    }

    /// Whether the configuration names the host of `url`, with its scheme and port.
    fn names(&self, url: &Url) -> bool {
        let named = self.origins.iter();
        let mut named = named.filter_map(|text| Url::parse(text).ok());
        named.any(|named| named.origin() == url.origin())
    }
}

/// `%41` becomes `A`; bytes that are no UTF-8 become the replacement character.
pub(crate) fn decode_percent(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_are_those_of_docker_and_podman() {
        let home = Path::new("/home/u");
        let files = |auth: &str, run: &str, docker: &str| {
            let logins = RegistryLogins::of(
                Some(auth.into()),
                Some(run.into()),
                Some(docker.into()),
                Some(home),
            );
            logins
                .files
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(files("/a.json", "/run/u", "/d"), ["/a.json"]);
        assert_eq!(
            files("", "/run/u", "/d"),
            ["/run/u/containers/auth.json", "/d/config.json"]
        );
        assert_eq!(files("", "", ""), ["/home/u/.docker/config.json"]);
    }
}
