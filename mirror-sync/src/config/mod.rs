//! One TOML file, and the same by flags: what is mirrored, from where, to where, and how.
//!
//! Every key can also be set from the command line with `--set KEY=VALUE` (see [`set`]), so that a
//! mirror can run without a file. An unknown key is an error: a typing mistake in `max_delete`
//! must not switch a guard off in silence.

pub(crate) mod set;
mod units;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rpm_repo::config::{MainConfig, NO_PROXY, RepoConfig, Secret, Throttle, WEAK_SIGNATURES};
use rpm_repo::vars::Vars;
use rpm_repo::{Place, layout};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
pub(crate) use units::{Bytes, OptionValue, TimeSpan, Word, address, day_start, size, time};

/// Largest configuration file in bytes.
const MAX_CONFIG: u64 = 4 << 20;
/// Where the file is looked for.
pub(crate) const DEFAULT_FILE: &str = "/etc/mirror-sync.toml";

/// Everything that is configured.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) mirror: Mirror,
    /// How hard upstream may be used.
    #[serde(default)]
    pub(crate) limits: LimitSection,
    #[serde(default)]
    pub(crate) serve: ServeSection,
    /// Programs run at certain points.
    #[serde(default)]
    pub(crate) hooks: Hooks,
    /// URL prefixes that moved: old to new.
    #[serde(default)]
    pub(crate) rewrite: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) repo: BTreeMap<String, RepoSection>,
    /// Bundles for isolated sites.
    #[serde(default)]
    pub(crate) bundle: BundleSection,
}

/// `[mirror]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mirror {
    /// The directory that holds everything. Required.
    pub(crate) path: PathBuf,
    /// What people call it.
    pub(crate) name: String,
    /// The URL under which clients see `public/`; for the ready `.repo` file.
    pub(crate) url: Option<String>,
    /// Private key (armored) that signs metadata made here.
    pub(crate) sign_key: Option<PathBuf>,
    /// Snapshots kept for each repository; 0 keeps all.
    pub(crate) keep_snapshots: usize,
    /// Snapshots younger than this are kept in any case.
    pub(crate) keep_for: TimeSpan,
    /// Snapshots from whose metadata deltas lead to those of a new one; 0 makes none.
    pub(crate) deltas: usize,
    /// How long files of a former publication stay reachable for clients under way.
    pub(crate) grace: TimeSpan,
    /// Most packages that may disappear at once, in percent of what is published.
    pub(crate) max_delete_percent: u64,
    /// Most packages that may disappear at once; 0 means no such limit.
    pub(crate) max_delete: usize,
    /// Directories with RPMs that may be used instead of fetching (an ISO, a cache).
    pub(crate) seed: Vec<PathBuf>,
    /// Bytes the mirror may occupy; 0 means the disk.
    pub(crate) quota: Bytes,
}

impl Default for Mirror {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            name: "RPM mirror".to_owned(),
            url: None,
            sign_key: None,
            keep_snapshots: 10,
            deltas: 3,
            keep_for: TimeSpan(Duration::from_secs(7 * 86_400)),
            grace: TimeSpan(Duration::from_secs(86_400)),
            max_delete_percent: 20,
            max_delete: 0,
            seed: Vec::new(),
            quota: Bytes(0),
        }
    }
}

/// `[limits]`. The defaults are polite: public mirrors count more than 8 connections as abuse.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitSection {
    /// Bytes per second over everything; 0 means no limit.
    pub(crate) rate: Bytes,
    /// Bytes per second from one host; 0 means no limit.
    pub(crate) rate_per_host: Bytes,
    pub(crate) connections_per_host: usize,
    pub(crate) connections_per_file: usize,
}

impl Default for LimitSection {
    fn default() -> Self {
        Self {
            rate: Bytes(0),
            rate_per_host: Bytes(0),
            connections_per_host: 6,
            connections_per_file: 6,
        }
    }
}

/// `[serve]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServeSection {
    /// Address and port.
    pub(crate) listen: String,
    /// Most connections at once; more wait.
    pub(crate) max_connections: usize,
    /// How long upstream's index counts as current in proxy mode.
    pub(crate) proxy_expire: TimeSpan,
    /// How long a package of a repository in proxy mode is kept without being requested; 0 keeps it.
    pub(crate) proxy_keep: TimeSpan,
    /// Bytes that the repositories in proxy mode may take together; 0 is no limit.
    pub(crate) proxy_quota: Bytes,
}

impl Default for ServeSection {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            max_connections: 1024,
            proxy_expire: TimeSpan(Duration::from_secs(300)),
            proxy_keep: TimeSpan(Duration::from_secs(90 * 86_400)),
            proxy_quota: Bytes(0),
        }
    }
}

/// `[hooks]`: shell commands; the report comes on standard input.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Hooks {
    /// After a repository was published (`MIRROR_SYNC_REPO`, `MIRROR_SYNC_SNAPSHOT`).
    pub(crate) published: Option<String>,
    /// After a run that ended well.
    pub(crate) success: Option<String>,
    /// After a run that did not.
    pub(crate) failure: Option<String>,
}

/// `[bundle]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BundleSection {
    /// Public keys that may sign bundles for this site.
    pub(crate) keys: Vec<PathBuf>,
    /// What this site is called.
    pub(crate) site: Option<String>,
}

/// How a repository is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RepoMode {
    /// Fetched by `sync`.
    #[default]
    Mirror,
    /// Filled by `serve` as clients ask.
    Proxy,
    /// Filled by `bundle apply`.
    Bundle,
}

/// `[repo.ID]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RepoSection {
    /// What people call it.
    pub(crate) name: Option<String>,
    /// Mirror or proxy.
    pub(crate) mode: RepoMode,
    /// Left out of runs that name no repository.
    pub(crate) disabled: bool,
    /// URLs of the same repository, preferred first.
    pub(crate) baseurl: OneOrMany,
    /// URL of a list of such URLs.
    pub(crate) mirrorlist: Option<String>,
    pub(crate) metalink: Option<String>,
    /// Files or `file:` URLs of the keys that sign this repository.
    pub(crate) gpgkey: OneOrMany,
    /// Whether packages must be signed by one of these keys.
    pub(crate) gpgcheck: Option<bool>,
    /// Weaknesses of package signatures that are admitted: sha1, rsa1024, expired.
    pub(crate) weak_signatures: OneOrMany,
    /// Whether repomd.xml must be signed by one of these keys.
    pub(crate) repo_gpgcheck: bool,
    /// Login, sent only to the hosts named here.
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    /// File with a header of one line, sent only to the hosts named here.
    pub(crate) auth_header_file: Option<Word>,
    /// URL of a proxy; none if it is empty.
    pub(crate) proxy: Option<String>,
    pub(crate) proxy_username: Option<String>,
    pub(crate) proxy_password: Option<String>,
    pub(crate) proxy_auth_method: Option<Word>,
    /// The only family of addresses that is used.
    pub(crate) ip_resolve: Option<Word>,
    /// Bytes per second of the line, and how much of it is used.
    pub(crate) bandwidth: Option<Word>,
    pub(crate) throttle: Option<Word>,
    /// Check server certificates.
    pub(crate) sslverify: Option<bool>,
    /// Further CA file.
    pub(crate) sslcacert: Option<PathBuf>,
    /// Trust the certificate authorities inside the program where the system has none.
    pub(crate) ssl_builtin_roots: Option<bool>,
    pub(crate) sslclientcert: Option<PathBuf>,
    pub(crate) sslclientkey: Option<PathBuf>,
    /// Seconds without a byte after which a transfer counts as dead.
    pub(crate) timeout: Option<TimeSpan>,
    /// How often all servers are asked again for what none of them gave.
    pub(crate) retries: Option<u32>,
    /// What of it is mirrored; everything if absent.
    pub(crate) select: SelectSection,
}

/// `[repo.ID.select]`. What is not restricted here is taken.
#[derive(Debug, Clone, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SelectSection {
    /// Architectures (`x86_64`, `noarch`, `src`).
    pub(crate) arch: Vec<String>,
    /// Shell patterns of names or full names; at least one must match.
    pub(crate) include: Vec<String>,
    /// Shell patterns; none may match.
    pub(crate) exclude: Vec<String>,
    /// Only the newest N versions of each name and architecture; 0 means all.
    pub(crate) newest: usize,
    /// Built on or after this day (`2026-01-31`).
    pub(crate) built_after: Option<String>,
    pub(crate) built_before: Option<String>,
    /// Without source packages.
    pub(crate) no_source: bool,
    /// Without debuginfo and debugsource packages.
    pub(crate) no_debug: bool,
    /// Only packages of advisories: kinds (`security`), ids, or CVE names.
    pub(crate) advisories: Vec<String>,
    /// Only the package files that this lock of tdnf names.
    pub(crate) lock: Option<PathBuf>,
    /// Only these packages and all that they need.
    pub(crate) packages: Vec<String>,
    /// Nothing but what packages lists of other repositories need from here.
    pub(crate) only_needed: bool,
    /// These and all that they need are published first, the rest follows.
    pub(crate) first: Vec<String>,
    /// Recommended packages count as needed.
    pub(crate) recommends: bool,
    /// File with the packages that every client has already, one `name-version-release.arch` a line.
    pub(crate) installed: Option<PathBuf>,
}

impl SelectSection {
    /// Whether anything is left out, so that metadata must be made to match.
    pub(crate) fn is_everything(&self) -> bool {
        let plain = SelectSection {
            first: self.first.clone(),
            recommends: self.recommends,
            installed: self.installed.clone(),
            ..SelectSection::default()
        };
        *self == plain
    }

    pub(crate) fn wants_closure(&self) -> bool {
        !self.packages.is_empty() || self.only_needed
    }
}

/// One text or several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Texts")]
pub(crate) struct OneOrMany(pub(crate) Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl From<Texts> for OneOrMany {
    fn from(texts: Texts) -> Self {
        match texts {
            Texts::One(text) => Self(vec![text]),
            Texts::Many(texts) => Self(texts),
        }
    }
}

impl Config {
    /// The keys of a repository as files, `file://` taken off.
    pub(crate) fn key_files(&self, id: &str) -> Vec<PathBuf> {
        let list = self.repo.get(id).map(|repo| repo.gpgkey.0.as_slice());
        let plain = |text: &String| PathBuf::from(text.strip_prefix("file://").unwrap_or(text));
        list.unwrap_or_default().iter().map(plain).collect()
    }

    /// What the client needs to know of a repository.
    pub(crate) fn client_config(&self, id: &str, section: &RepoSection) -> Result<RepoConfig> {
        let place = Place::named(&format!("[repo.{id}]"));
        let mut config = RepoConfig::new(id, place, &MainConfig::default())?;
        config.sslverify = section.sslverify.unwrap_or(true);
        config.baseurl = section.baseurl.0.iter().map(|u| self.moved(u)).collect();
        config.mirrorlist = section.mirrorlist.as_deref().map(|u| self.moved(u));
        config.metalink = section.metalink.as_deref().map(|u| self.moved(u));
        config.repo_gpgcheck = section.repo_gpgcheck;
        config.gpgcheck = self.checks_packages(section);
        config.username = section.username.as_deref().map(Secret::new);
        config.password = section.password.as_deref().map(Secret::new);
        config.timeout = section.timeout.map(|span| span.0);
        config.retries = section.retries.unwrap_or(config.retries);
        config.sslcacert.clone_from(&section.sslcacert);
        let proxy = section.proxy.as_deref();
        config.proxy = proxy.map(|url| if url.is_empty() { NO_PROXY } else { url }.to_owned());
        config.proxy_username = section.proxy_username.as_deref().map(Secret::new);
        config.proxy_password = section.proxy_password.as_deref().map(Secret::new);
        let place = config.source.clone();
        for (key, word) in [
            ("auth_header_file", &section.auth_header_file),
            ("proxy_auth_method", &section.proxy_auth_method),
            ("ip_resolve", &section.ip_resolve),
            ("bandwidth", &section.bandwidth),
            ("throttle", &section.throttle),
        ] {
            if let Some(Word(value)) = word {
                config.set(key, value, &place, &Vars::new())?;
            }
        }
        config.ssl_builtin_roots = section.ssl_builtin_roots.unwrap_or(true);
        config.sslclientcert.clone_from(&section.sslclientcert);
        config.sslclientkey.clone_from(&section.sslclientkey);
        Ok(config)
    }

    /// Whether packages of a repository must be signed: as it says, else when it names keys.
    pub(crate) fn checks_packages(&self, section: &RepoSection) -> bool {
        section.gpgcheck.unwrap_or(!section.gpgkey.0.is_empty())
    }

    fn moved(&self, url: &str) -> String {
        let fits = self.rewrite.iter().filter(|(old, _)| url.starts_with(*old));
        match fits.max_by_key(|(old, _)| old.len()) {
            Some((old, new)) => format!("{new}{}", url.get(old.len()..).unwrap_or_default()),
            None => url.to_owned(),
        }
    }

    /// Looks for what cannot work, before anything is done.
    pub(crate) fn check(&self, place: &str) -> Result<()> {
        let wrong = |what: String| {
            Err(Error::Config {
                place: place.to_owned(),
                what,
            })
        };
        let at = |id: &str, why: String| wrong(format!("repo.{id}: {why}"));
        if self.mirror.path.as_os_str().is_empty() {
            return wrong("mirror.path is missing: the directory that holds the mirror".into());
        }
        if self.mirror.max_delete_percent > 100 {
            return wrong("mirror.max_delete_percent is a percentage: 0 to 100".into());
        }
        if let Err(why) = address(&self.serve.listen) {
            return wrong(format!("serve.listen = {}: {why}", self.serve.listen));
        }
        for (id, repo) in &self.repo {
            if let Some(why) = unfit(id) {
                return at(id, why.into());
            }
            let client = match self.client_config(id, repo) {
                Ok(client) => client,
                Err(error) => return wrong(error.to_string()),
            };
            if let (Throttle::Percent(_), 0) = (client.throttle, client.bandwidth) {
                return at(id, "throttle is a percentage: set bandwidth".into());
            }
            if repo.proxy_username.is_some() && repo.proxy.is_none() {
                return at(id, "proxy_username needs proxy".into());
            }
            let places = usize::from(!repo.baseurl.0.is_empty())
                + usize::from(repo.mirrorlist.is_some())
                + usize::from(repo.metalink.is_some());
            let keyless = |key: &str| format!("{key} is on, but gpgkey names no key");
            if places == 0 && repo.mode != RepoMode::Bundle {
                return at(id, "no URL: set baseurl, mirrorlist or metalink".into());
            }
            if self.checks_packages(repo) && repo.gpgkey.0.is_empty() {
                return at(id, keyless("gpgcheck"));
            }
            let mut weak = repo.weak_signatures.0.iter();
            if let Some(word) = weak.find(|word| !WEAK_SIGNATURES.contains(&word.as_str())) {
                let known = WEAK_SIGNATURES.join(", ");
                return at(id, format!("weak_signatures = {word}: expected {known}"));
            }
            if repo.repo_gpgcheck && repo.gpgkey.0.is_empty() {
                return at(id, keyless("repo_gpgcheck"));
            }
            for (key, day) in [
                ("built_after", &repo.select.built_after),
                ("built_before", &repo.select.built_before),
            ] {
                if let Some(day) = day
                    && day_start(day).is_none()
                {
                    return wrong(format!(
                        "repo.{id}.select.{key} = {day}: expected a day as 2026-01-31"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Names of `public/` that are not repositories.
const RESERVED: [&str; 6] = [
    "snapshots",
    "metrics",
    "status.json",
    "index.html",
    "mirror.repo",
    "keys",
];

/// Why a text cannot be the name of a repository or channel.
pub(crate) fn unfit(id: &str) -> Option<&'static str> {
    if id.is_empty() || id.len() > 200 {
        return Some("an id has 1 to 200 characters");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+:~".contains(c);
    if !id.chars().all(plain) || layout::fault(id).is_some() {
        return Some("an id consists of letters, digits and ._-+:~");
    }
    if id.starts_with('.') {
        return Some("an id does not begin with a dot");
    }
    RESERVED
        .contains(&id)
        .then_some("this name is taken: the mirror has a page of that name")
}

/// Reads the configuration.
pub(crate) fn read(path: &Path) -> Result<toml::Table> {
    let unread = |error: std::io::Error| Error::Config {
        place: path.display().to_string(),
        what: format!(
            "the configuration cannot be read: {}",
            cli_kit::plain(error)
        ),
    };
    let about = std::fs::metadata(path).map_err(unread)?;
    if about.len() > MAX_CONFIG {
        return Err(Error::Config {
            place: path.display().to_string(),
            what: format!("larger than {MAX_CONFIG} bytes"),
        });
    }
    let text = std::fs::read_to_string(path).map_err(unread)?;
    // Checked for its own sake, too: only here is the line of a mistake known.
    let _: Config = toml::from_str(&text)
        .map_err(|error| in_place(&path.display().to_string(), &text, &error))?;
    toml::from_str(&text).map_err(|error| in_place(&path.display().to_string(), &text, &error))
}

/// A table as configuration, of which [`Config::check`] tells whether it can work.
pub(crate) fn from_table(table: toml::Table, place: &str) -> Result<Config> {
    table
        .try_into()
        .map_err(|error: toml::de::Error| Error::Config {
            place: place.to_owned(),
            what: plain(error.message()),
        })
}

fn in_place(name: &str, text: &str, error: &toml::de::Error) -> Error {
    let line = error.span().map(|span| {
        text.get(..span.start)
            .map_or(0, |t| t.matches('\n').count())
            + 1
    });
    Error::Config {
        place: line.map_or(name.to_owned(), |line| format!("{name}:{line}")),
        what: plain(error.message()),
    }
}

/// What the library says of a table, in one line and in the words of the file: a key that nobody knows comes as
/// "unknown field `pth`, expected one of `path`, `name`".
fn plain(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut words = line.split('`').skip(1).step_by(2);
    let (true, Some(key)) = (line.starts_with("unknown field"), words.next()) else {
        return line
            .replace("expected usize", "expected a number")
            .replace("expected u64", "expected a number");
    };
    let known: Vec<&str> = words.collect();
    let distance = |other: &&&str| strsim::damerau_levenshtein(key, other);
    let near = known.iter().min_by_key(distance);
    let near = near.filter(|near| strsim::damerau_levenshtein(key, near) <= key.len().div_ceil(3));
    let near = near.map_or_else(String::new, |near| format!(", did you mean {near}?"));
    format!("no key is called {key}{near} (known: {})", known.join(", "))
}

#[cfg(test)]
mod tests;
