//! One TOML file, and the same by flags: what is mirrored, from where, to where, and how.
//!
//! Every key can also be set from the command line with `--set KEY=VALUE` (see [`set`]), so that a
//! mirror can run without a file. An unknown key is an error: a typing mistake in `max_delete`
//! must not switch a guard off in silence.

pub(crate) mod matrix;
mod repo;
mod serve;
pub(crate) mod set;
mod target;
mod units;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rpm_repo::config::{MainConfig, NO_PROXY, RepoConfig, Secret, Throttle, WEAK_SIGNATURES};
use rpm_repo::vars::Vars;
use rpm_repo::{Place, layout};
use serde::Deserialize;

use crate::error::{Error, Result};
pub(crate) use repo::{OneOrMany, RepoMode, RepoSection, SelectSection};
pub(crate) use serve::{LogFormat, ServeSection};
pub(crate) use target::{TargetKind, TargetSection};
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
    /// Places on other servers to which the mirror publishes.
    #[serde(default)]
    pub(crate) target: BTreeMap<String, TargetSection>,
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

impl Config {
    /// The keys of a repository as files, `file://` taken off.
    pub(crate) fn key_files(&self, id: &str) -> Vec<PathBuf> {
        let list = self.repo.get(id).map(|repo| repo.gpgkey.0.as_slice());
        let plain = |text: &String| PathBuf::from(text.strip_prefix("file://").unwrap_or(text));
        list.unwrap_or_default().iter().map(plain).collect()
    }

    /// The repositories that are meant by these names: a section that stands for several may be named itself.
    pub(crate) fn meant(&self, names: &[String]) -> Vec<String> {
        let members = |name: &String| {
            let is_of = |section: &RepoSection| {
                let member = section.member.as_ref();
                member.is_some_and(|member| member.family == *name)
            };
            let found = self.repo.iter().filter(|(_, section)| is_of(section));
            let found: Vec<String> = found.map(|(id, _)| id.clone()).collect();
            match found.is_empty() || self.repo.contains_key(name) {
                true => vec![name.clone()],
                false => found,
            }
        };
        names.iter().flat_map(members).collect()
    }

    /// Whether packages of one repository may be needed by those of another: they are not of different architectures or
    /// releases of the lists.
    pub(crate) fn goes_with(&self, id: &str, other: &str) -> bool {
        let member = |id: &str| {
            self.repo
                .get(id)
                .and_then(|section| section.member.as_ref())
        };
        match (member(id), member(other)) {
            (Some(one), Some(other)) => one.goes_with(other),
            _ => true,
        }
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
            ("s3_endpoint", &section.s3_endpoint),
            ("s3_region", &section.s3_region),
            ("s3_style", &section.s3_style),
            ("proxy_auth_method", &section.proxy_auth_method),
            ("ip_resolve", &section.ip_resolve),
            ("bandwidth", &section.bandwidth),
            ("throttle", &section.throttle),
        ] {
            if let Some(Word(value)) = word {
                config.set(key, value, &place, &Vars::new())?;
            }
        }
        if section.rate.0 > 0 {
            // Both count: the lower one is met first.
            let limits = [section.rate.0, config.speed_limit()];
            let lower = limits.into_iter().filter(|limit| *limit > 0).min();
            let lower = lower.unwrap_or(0).to_string();
            config.set("throttle", &lower, &place, &Vars::new())?;
        }
        config.ssl_builtin_roots = section.ssl_builtin_roots.unwrap_or(true);
        config.sslclientcert.clone_from(&section.sslclientcert);
        config.sslclientkey.clone_from(&section.sslclientkey);
        Ok(config)
    }

    /// The file of the tokens of which clients of a repository need one.
    pub(crate) fn tokens_file<'a>(&'a self, section: &'a RepoSection) -> Option<&'a PathBuf> {
        let file = section.tokens_file.as_ref();
        let file = file.or(self.serve.tokens_file.as_ref());
        file.filter(|file| !file.as_os_str().is_empty())
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
        if let Some(url) = self.mirror.url.as_deref()
            && !is_place(url)
        {
            let url = repo_client::redact(url);
            return wrong(format!(
                "mirror.url: {url}: expected http://HOST/PATH, https://HOST/PATH or file:///PATH"
            ));
        }
        if self.mirror.max_delete_percent > 100 {
            return wrong("mirror.max_delete_percent is a percentage: 0 to 100".into());
        }
        if let Some(why) = self.serve.fault() {
            return wrong(why);
        }
        for (id, repo) in &self.repo {
            if let Some(why) = unfit(id) {
                return at(id, why.into());
            }
            if let Some(what) = matrix::without_value(repo) {
                return at(id, what);
            }
            if let Some(what) = repo
                .member
                .as_ref()
                .and_then(|member| member.unused.clone())
            {
                return at(id, what);
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
            let keyless = |key: &str| format!("{key} is on, but gpgkey names no key");
            let is_merged = repo.mode == RepoMode::Merge;
            if is_merged && repo.has_upstream() {
                let why = "mode = \"merge\" takes no URL: `snapshot merge` fills it; take baseurl, mirrorlist and metalink out, or the mode";
                return at(id, why.into());
            }
            if !repo.has_upstream() && !is_merged && repo.mode != RepoMode::Bundle {
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
        let faults = self.target.iter();
        let mut faults = faults.filter_map(|(name, target)| target.fault(self, name));
        match faults.next() {
            Some((key, why)) => wrong(format!("{key}: {why}")),
            None => Ok(()),
        }
    }
}

/// Whether a text is the URL of a place on a web server, or of a folder where clients have mounted it.
fn is_place(url: &str) -> bool {
    let after = |scheme| url.strip_prefix(scheme);
    let rest = after("https://").or_else(|| after("http://"));
    let is_odd = |c: char| c.is_whitespace() || c.is_control();
    (rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':']))
        || url.starts_with("file:///"))
        && !url.contains(is_odd)
}

/// Names of `public/` that are not repositories.
const RESERVED: [&str; 8] = [
    "snapshots",
    "metrics",
    "status.json",
    "index.html",
    "mirror.repo",
    "keys",
    "healthz",
    "search",
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
        what: match error.kind() {
            std::io::ErrorKind::NotFound => "there is no configuration: begin with an example \
                (`cp /usr/share/doc/mirror-sync/mirror-sync.toml /etc/`), or name a file with -c"
                .to_owned(),
            _ => format!(
                "the configuration cannot be read: {}",
                cli_kit::plain(error)
            ),
        },
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
pub(crate) fn from_table(mut table: toml::Table, place: &str) -> Result<Config> {
    let members = matrix::expand(&mut table, place)?;
    let mut config: Config = table
        .try_into()
        .map_err(|error: toml::de::Error| Error::Config {
            place: place.to_owned(),
            what: plain(error.message()),
        })?;
    for (id, member) in members {
        if let Some(section) = config.repo.get_mut(&id) {
            section.member = Some(member);
        }
    }
    let named: Vec<Vec<String>> = config
        .target
        .values()
        .map(|one| config.meant(&one.repos))
        .collect();
    for (target, repos) in config.target.values_mut().zip(named) {
        target.repos = repos;
    }
    Ok(config)
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
    // `[repo.updates-5.0-x86_64]` is a table `0-x86_64` of `updates-5`.
    if key.starts_with(|c: char| c.is_ascii_digit()) && known.contains(&"baseurl") {
        return format!(
            "no key is called {key}: a name with dots is quoted, [repo.\"NAME.{key}\"]"
        );
    }
    format!("no key is called {key}{near} (known: {})", known.join(", "))
}

#[cfg(test)]
mod tests;
