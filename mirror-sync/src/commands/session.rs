//! What a command works with: configuration, layout, printer. The only reader of the clock, the
//! environment and signals.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cli_kit::Printer;
use repo_client::{
    CaEnvironment, Client, ClientOptions, ProxyEnvironment, RegistryLogins, S3Environment,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::Common;
use crate::config::{self, Config, DEFAULT_FILE, Word, set};
use crate::error::{Error, Result};
use crate::layout::{self, Layout};
use crate::observer::TerminalObserver;
use crate::store::Store;
use crate::sync::{SyncOptions, SyncRun};

/// What a command works with.
pub(crate) struct Session<'p> {
    /// The configuration, flags included.
    pub(crate) config: Config,
    pub(crate) layout: Layout,
    pub(crate) printer: &'p Printer,
    /// Seconds since 1970.
    pub(crate) now: u64,
    /// The options that hints repeat, to be pasted.
    pub(crate) repeated: String,
    wait: Duration,
}

impl<'p> Session<'p> {
    /// Reads the configuration: the file, then the flags.
    pub(crate) fn open(common: &Common, printer: &'p Printer) -> Result<Self> {
        let path = common.config.as_deref();
        let path = path.unwrap_or_else(|| Path::new(DEFAULT_FILE));
        let mut table = if common.config.is_some() || path.is_file() {
            config::read(path)?
        } else {
            toml::Table::new()
        };
        for word in &common.set {
            // Alone first: what is wrong with it is not the file's fault.
            let mut alone = toml::Table::new();
            set::set(&mut alone, word)?;
            config::from_table(alone, &format!("--set {word}"))?;
            set::set(&mut table, word)?;
        }
        let place = path.display().to_string();
        let mut config = config::from_table(table, &place)?;
        if let Some(root) = &common.root {
            config.mirror.path = root.into();
        }
        let nothing_said = common.config.is_none() && config.mirror.path.as_os_str().is_empty();
        if nothing_said && !path.is_file() {
            config::read(path)?;
        }
        config.check(&place)?;
        let mut in_buckets = false;
        for (id, repo) in &config.repo {
            let lists = repo.mirrorlist.iter().chain(&repo.metalink);
            let mut urls = repo.baseurl.0.iter().chain(lists);
            in_buckets |= urls.clone().any(|url| url.starts_with("s3:"));
            let Some(Word(file)) = &repo.auth_header_file else {
                continue;
            };
            if let Some(url) = urls.find(|url| repo_client::is_in_clear(url)) {
                let url = repo_client::redact(url);
                printer.err(&format!(
                    "warning: repo.{id}: the header of auth_header_file goes unencrypted to {url}"
                ));
            }
            if repo_client::is_open_to_all(Path::new(file)) {
                let word = cli_kit::shell_word(file);
                printer.err(&format!(
                    "warning: repo.{id}: everybody may read the auth_header_file: `chmod o-r {word}`"
                ));
            }
        }
        if in_buckets {
            tell_open_keys(printer);
        }
        if let Some(rate) = common.limit_rate {
            config.limits.rate = rate;
        }
        Ok(Self {
            layout: Layout::new(&config.mirror.path),
            config,
            printer,
            now: now(),
            repeated: common.repeated(),
            wait: common.wait.unwrap_or_default(),
        })
    }

    /// Does work for which the mirror must be locked.
    pub(crate) fn change<T>(
        &self,
        options: &SyncOptions,
        work: impl FnOnce(&SyncRun<'_>) -> Result<T>,
    ) -> Result<T> {
        let layout = self.layout.clone();
        let _lock = layout.lock(self.wait)?;
        let store = Store::open(&layout.store())?;
        let stop = stop_flag();
        work(&SyncRun {
            config: &self.config,
            options,
            store,
            client: client(&stop),
            layout,
            printer: self.printer,
            observer: TerminalObserver::new(self.printer),
            stop,
            now: self.now,
        })
    }

    /// All repositories, or the ones named, which must be known.
    pub(crate) fn repositories(&self, named: &[String]) -> Result<Vec<String>> {
        let mut known: Vec<String> = self.config.repo.keys().cloned().collect();
        known.extend(layout::names_in(&self.layout.root().join("state"))?);
        known.sort();
        known.dedup();
        let named = self.config.meant(named);
        if let Some(id) = named.iter().find(|id| !known.contains(id)) {
            return Err(Error::Usage(format!(
                "no repository {id} in this mirror; known: {}",
                known.join(", ")
            )));
        }
        Ok(if named.is_empty() { known } else { named })
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// What the environment says of object stores.
fn stores() -> S3Environment {
    let home = std::env::var_os("HOME");
    S3Environment::of(
        &|name| std::env::var(name).ok(),
        home.as_deref().map(Path::new),
    )
}

/// Files of the user with keys for object stores that others may read, too.
fn tell_open_keys(printer: &Printer) {
    let stores = stores();
    let files = [&stores.credentials_file, &stores.identity_file];
    for file in files.into_iter().flatten() {
        if repo_client::is_open_to_all(file) {
            let word = cli_kit::shell_word(&file.to_string_lossy());
            printer.err(&format!(
                "warning: everybody may read keys: `chmod o-r {word}`"
            ));
        }
    }
}

/// The network, until the flag says stop.
pub(crate) fn client(stop: &Arc<AtomicBool>) -> Client {
    let variable = |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok());
    Client::new(ClientOptions {
        user_agent: format!("mirror-sync/{}", crate::VERSION),
        proxy_environment: ProxyEnvironment {
            http: variable(&["http_proxy"]),
            https: variable(&["https_proxy", "HTTPS_PROXY"]),
            all: variable(&["all_proxy", "ALL_PROXY"]),
            no_proxy: variable(&["no_proxy", "NO_PROXY"]),
        },
        ca_environment: CaEnvironment::of(
            std::env::var_os("SSL_CERT_FILE"),
            std::env::var_os("SSL_CERT_DIR"),
        ),
        registry_logins: RegistryLogins::of(
            std::env::var_os("REGISTRY_AUTH_FILE"),
            std::env::var_os("XDG_RUNTIME_DIR"),
            std::env::var_os("DOCKER_CONFIG"),
            std::env::var_os("HOME").as_deref().map(Path::new),
        ),
        s3: stores(),
        own_sections: true,
        clock: Some(now),
        stop: Some(Arc::clone(stop)),
        ..ClientOptions::default()
    })
}

/// A flag that becomes true when the process is asked to end.
pub(crate) fn stop_flag() -> Arc<AtomicBool> {
    flag_of(&[SIGINT, SIGTERM, SIGHUP])
}

/// The same for a server, to which a hangup means something else.
pub(crate) fn server_stop_flag() -> Arc<AtomicBool> {
    flag_of(&[SIGINT, SIGTERM])
}

/// A flag that becomes true when a server is asked to look at its files again.
pub(crate) fn renew_flag() -> Arc<AtomicBool> {
    let renew = Arc::new(AtomicBool::new(false));
    let _ = signal_hook::flag::register(SIGHUP, Arc::clone(&renew));
    renew
}

fn flag_of(signals: &[i32]) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in signals {
        // The second signal ends the process at once; what is on disk stands a kill anyhow.
        let _ = signal_hook::flag::register_conditional_default(*signal, Arc::clone(&stop));
        let _ = signal_hook::flag::register(*signal, Arc::clone(&stop));
    }
    stop
}
