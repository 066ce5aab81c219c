//! `.repo` files.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys::{REPO_KEYS, is_named};
use super::unreadable::{UnreadableValue, pass_over};
use super::value::{bad, boolean, bytes, optional, parse_expire, parse_list, throttle, whole};
use super::{MainConfig, Secret};
use crate::error::{Error, Place, Result, quoted};
use crate::ini::{self, Section};
use crate::layout;
use crate::vars::Vars;

/// Longest repository id in bytes.
const MAX_ID: usize = 255;

/// Defaults of C tdnf.
const DEFAULT_PRIORITY: i32 = 50;
const DEFAULT_EXPIRE: Duration = Duration::from_secs(48 * 3600);
const DEFAULT_RETRIES: u32 = 10;

/// One repository: a section of a `.repo` file, variables expanded, defaults filled in.
#[derive(Debug, Clone)]
pub struct RepoConfig {
    /// The id: the name of the section.
    pub id: String,
    /// `name`; the id if absent.
    pub name: String,
    /// `baseurl`: tried in this order.
    pub baseurl: Vec<String>,
    /// `mirrorlist`: URL of a text file with one URL per line.
    pub mirrorlist: Option<String>,
    /// `metalink`: URL of a metalink file.
    pub metalink: Option<String>,
    /// `enabled`; false if absent.
    pub enabled: bool,
    /// `gpgcheck`; true if absent.
    pub gpgcheck: bool,
    /// `repo_gpgcheck`; false if absent.
    pub repo_gpgcheck: bool,
    /// `gpgkey`: URLs of keys.
    pub gpgkey: Vec<String>,
    /// `priority`: lower is preferred; 50 if absent.
    pub priority: i32,
    /// `skip_if_unavailable`; false if absent.
    pub skip_if_unavailable: bool,
    /// `metadata_expire`: age after which metadata is asked for again; `None` is never; 48 h if absent.
    pub metadata_expire: Option<Duration>,
    /// `username` for HTTP basic authentication.
    pub username: Option<Secret>,
    /// `password` for HTTP basic authentication.
    pub password: Option<Secret>,
    /// `timeout`: seconds a transfer may take or stand still; `None` (0 or absent) is no limit.
    pub timeout: Option<Duration>,
    /// `minrate`: bytes per second below which a transfer is too slow; 0 is no limit.
    pub minrate: u64,
    /// `throttle`: bytes per second a transfer may use; 0 (also a percentage) is no limit.
    pub throttle: u64,
    /// `retries` per file; 10 if absent.
    pub retries: u32,
    /// `sslverify`; that of tdnf.conf if absent.
    pub sslverify: bool,
    /// `sslcacert`: file of CA certificates.
    pub sslcacert: Option<PathBuf>,
    /// `sslclientcert`: file of the client's certificate.
    pub sslclientcert: Option<PathBuf>,
    /// `sslclientkey`: file of the client's key.
    pub sslclientkey: Option<PathBuf>,
    /// `skip_md_filelists`: do not load filelists.
    pub skip_md_filelists: bool,
    /// `skip_md_updateinfo`: do not load updateinfo.
    pub skip_md_updateinfo: bool,
    /// `skip_md_other`: do not load changelogs.
    pub skip_md_other: bool,
    /// Where the section starts.
    pub source: Place,
    /// Variables that were used and are not defined; they became empty. A `releasever` in here makes
    /// the repository useless: say so before it is used.
    pub unknown_variables: Vec<UnknownVariable>,
    /// Unknown keys, with their places; they have no effect.
    pub unknown_keys: Vec<(String, Place)>,
    /// Lines whose value cannot be read; they have no effect.
    pub unreadable_values: Vec<UnreadableValue>,
    places: BTreeMap<String, Place>,
}

/// A variable that was used without being defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVariable {
    /// The variable, without `$`.
    pub name: String,
    /// The key whose value uses it.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
}

/// Keys that other package managers know; here only so that they may be indented.
const FOREIGN_KEYS: &[&str] = &[
    "type",
    "cost",
    "exclude",
    "excludepkgs",
    "includepkgs",
    "proxy",
    "countme",
    "module_hotfixes",
];

fn is_key(key: &str) -> bool {
    is_named(REPO_KEYS, key) || FOREIGN_KEYS.contains(&key) || key == "path"
}

impl RepoConfig {
    /// A repository with nothing but an id and the defaults; `sslverify` is that of tdnf.conf.
    ///
    /// Errors: [`Error::BadRepoId`].
    pub fn new(id: &str, source: Place, main: &MainConfig) -> Result<RepoConfig> {
        if let Some(why) = id_fault(id) {
            return Err(Error::BadRepoId {
                place: source,
                id: quoted(id),
                why,
            });
        }
        Ok(RepoConfig {
            id: id.to_owned(),
            name: id.to_owned(),
            baseurl: Vec::new(),
            mirrorlist: None,
            metalink: None,
            enabled: false,
            gpgcheck: true,
            repo_gpgcheck: false,
            gpgkey: Vec::new(),
            priority: DEFAULT_PRIORITY,
            skip_if_unavailable: false,
            metadata_expire: Some(DEFAULT_EXPIRE),
            username: None,
            password: None,
            timeout: None,
            minrate: 0,
            throttle: 0,
            retries: DEFAULT_RETRIES,
            sslverify: main.sslverify,
            sslcacert: None,
            sslclientcert: None,
            sslclientkey: None,
            skip_md_filelists: false,
            skip_md_updateinfo: false,
            skip_md_other: false,
            source,
            unknown_variables: Vec::new(),
            unknown_keys: Vec::new(),
            unreadable_values: Vec::new(),
            places: BTreeMap::new(),
        })
    }

    /// Sets one key from its text, as a line of the file or `--setopt=REPO.KEY=VALUE` does.
    /// Variables are expanded in name, baseurl, metalink, mirrorlist and gpgkey. Returns false for
    /// an unknown key.
    ///
    /// Errors: a value of the wrong kind, or the key `path`.
    pub fn set(&mut self, key: &str, value: &str, place: &Place, vars: &Vars) -> Result<bool> {
        match key {
            "name" => self.name = self.expand(key, value, place, vars),
            "baseurl" => self.baseurl = parse_list(&self.expand(key, value, place, vars)),
            "mirrorlist" => self.mirrorlist = optional(&self.expand(key, value, place, vars)),
            "metalink" => self.metalink = optional(&self.expand(key, value, place, vars)),
            "gpgkey" => self.gpgkey = parse_list(&self.expand(key, value, place, vars)),
            "username" => self.username = optional(value).map(|v| Secret::new(&v)),
            "password" => self.password = optional(value).map(|v| Secret::new(&v)),
            "sslcacert" => self.sslcacert = optional(value).map(PathBuf::from),
            "sslclientcert" => self.sslclientcert = optional(value).map(PathBuf::from),
            "sslclientkey" => self.sslclientkey = optional(value).map(PathBuf::from),
            "path" => {
                return Err(Error::ForbiddenKey {
                    place: place.clone(),
                    repo: self.id.clone(),
                    key: key.to_owned(),
                    why: "the place of a cache follows from the id and the URL",
                });
            }
            _ => return self.set_plain(key, value, place),
        }
        self.places.insert(key.to_owned(), place.clone());
        Ok(true)
    }

    /// The keys with numbers and booleans.
    fn set_plain(&mut self, key: &str, value: &str, place: &Place) -> Result<bool> {
        match key {
            "enabled" => self.enabled = boolean(place, key, value)?,
            "gpgcheck" => self.gpgcheck = boolean(place, key, value)?,
            "repo_gpgcheck" => self.repo_gpgcheck = boolean(place, key, value)?,
            "skip_if_unavailable" => self.skip_if_unavailable = boolean(place, key, value)?,
            "sslverify" => self.sslverify = boolean(place, key, value)?,
            "skip_md_filelists" => self.skip_md_filelists = boolean(place, key, value)?,
            "skip_md_updateinfo" => self.skip_md_updateinfo = boolean(place, key, value)?,
            "skip_md_other" => self.skip_md_other = boolean(place, key, value)?,
            "minrate" => self.minrate = bytes(place, key, value)?,
            "throttle" => self.throttle = throttle(place, key, value)?,
            "retries" => self.retries = whole(place, key, value)?,
            "timeout" => {
                let seconds = whole(place, key, value)?;
                self.timeout = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
            }
            "priority" => {
                let expected = "a whole number";
                self.priority = value
                    .parse()
                    .map_err(|_| bad(place, key, value, expected))?;
            }
            "metadata_expire" => {
                self.metadata_expire =
                    parse_expire(value).ok_or_else(|| Error::BadMetadataExpire {
                        place: place.clone(),
                        value: quoted(value),
                    })?;
            }
            _ => {
                self.unknown_keys.push((key.to_owned(), place.clone()));
                return Ok(false);
            }
        }
        self.places.insert(key.to_owned(), place.clone());
        Ok(true)
    }

    /// Where a key was given; `None` if the value is the default.
    pub fn place_of(&self, key: &str) -> Option<&Place> {
        self.places.get(key)
    }

    /// The name of the directory that holds this repository's metadata below the cache directory.
    pub fn cache_dir_name(&self) -> String {
        let first = self.baseurl.first();
        let url = self
            .metalink
            .as_ref()
            .or(self.mirrorlist.as_ref())
            .or(first);
        layout::cache_dir_name(&self.id, url.map(String::as_str))
    }

    fn expand(&mut self, key: &str, value: &str, place: &Place, vars: &Vars) -> String {
        let expanded = vars.expand(value);
        self.unknown_variables.retain(|unknown| unknown.key != key);
        self.unknown_variables
            .extend(expanded.unknown.into_iter().map(|name| UnknownVariable {
                name,
                key: key.to_owned(),
                place: place.clone(),
            }));
        expanded.text
    }
}

/// Why a text cannot be an id. Ids become file names, column values and command line words.
fn id_fault(id: &str) -> Option<&'static str> {
    match id {
        "" => Some("it is empty"),
        "." | ".." => Some("it is the name of a directory above"),
        _ if id.len() > MAX_ID => Some("it is longer than 255 bytes"),
        _ if id.contains('/') => Some("it has a slash"),
        _ if id.chars().any(char::is_control) => Some("it has a control character"),
        _ => None,
    }
}

/// Reads every `.repo` file of a directory in the order of their names; no directory, no repos.
///
/// Errors: the first bad file or section, or bad value of a key that checks something; two sections with one id.
pub fn read_repo_dir(dir: &Path, main: &MainConfig, vars: &Vars) -> Result<Vec<RepoConfig>> {
    read_repo_dirs(&[dir.to_owned()], main, vars)
}

/// As [`read_repo_dir`] over several directories, in this order.
pub fn read_repo_dirs(dirs: &[PathBuf], main: &MainConfig, vars: &Vars) -> Result<Vec<RepoConfig>> {
    let mut repos: Vec<RepoConfig> = Vec::new();
    let mut seen: HashMap<String, Place> = HashMap::new();
    for dir in dirs {
        for file in layout::repo_files(dir)? {
            for repo in read_repo_file(&file, main, vars)? {
                if let Some(first) = seen.insert(repo.id.clone(), repo.source.clone()) {
                    return Err(Error::DuplicateRepo {
                        id: repo.id,
                        first,
                        second: repo.source,
                    });
                }
                repos.push(repo);
            }
        }
    }
    Ok(repos)
}

/// Reads one `.repo` file; every section is a repository, also one called main. Does not look for
/// duplicate ids.
pub fn read_repo_file(path: &Path, main: &MainConfig, vars: &Vars) -> Result<Vec<RepoConfig>> {
    let document = ini::read(path, is_key)?;
    document
        .sections
        .iter()
        .map(|section| from_section(section, main, vars))
        .collect()
}

fn from_section(section: &Section, main: &MainConfig, vars: &Vars) -> Result<RepoConfig> {
    let mut repo = RepoConfig::new(&section.name, section.place.clone(), main)?;
    for entry in &section.entries {
        let outcome = repo.set(&entry.key, &entry.value, &entry.place, vars);
        let unreadable = pass_over(outcome, REPO_KEYS, repo.place_of(&entry.key))?;
        repo.unreadable_values.extend(unreadable);
    }
    Ok(repo)
}
