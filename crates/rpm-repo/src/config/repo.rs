//! `.repo` files.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::keys::{EffectiveKey, is_named, section};
use super::unreadable::{UnreadableValue, pass_over};
use super::value::{
    IpFamily, KeyLine, ProxyAuth, S3Style, Throttle, absolute, boolean, bytes, expire,
    fingerprints, integer, ip_family, list, max_age, optional, parse_bool, posix_time, proxy_auth,
    s3_style, seconds, text, throttle, weak_signatures, whole,
};
use super::{MainConfig, Secret};
use crate::error::{Error, Place, Result, quoted};
use crate::ini::{self, Section};
use crate::layout;
use crate::vars::Vars;

/// The value of `proxy` that stands for none.
pub const NO_PROXY: &str = "_none_";

/// Longest repository id in bytes.
const MAX_ID: usize = 255;

section! {
    /// One repository: a section of a `.repo` file, variables expanded, defaults filled in.
    RepoConfig {
        /// The id: the name of the section.
        id: String = String::new();
        /// Where the section starts.
        source: Place = Place::named("");
        /// `connect_timeout` of tdnf.conf.
        connect_timeout: Option<Duration> = None;
        /// Variables that were used and are not defined; they stayed as written. A `releasever` in here makes
        /// the repository useless: say so before it is used.
        unknown_variables: Vec<UnknownVariable> = Vec::new();
        /// Addresses as they were written, variables not expanded, by key.
        written: BTreeMap<String, String> = BTreeMap::new();
        /// The first line of the section that cannot be used, where [`read_repo_dirs`] read it: nobody may use the
        /// repository.
        fault: Option<Arc<Error>> = None;
    }
    /// Every key of a section of a `.repo` file.
    REPO_KEYS {
        ("name", "the id", "Name for people.")
            name: String = String::new(), text;
        ("baseurl", "none", "URLs (http, https, oci, s3, file), tried in order.")
            baseurl: Vec<String> = Vec::new(), list;
        ("mirrorlist", "none", "URL of a list of URLs.")
            mirrorlist: Option<String> = None, optional;
        ("metalink", "none", "URL of a metalink of repomd.xml.")
            metalink: Option<String> = None, optional;
        ("enabled", "0", "Whether commands use it.")
            enabled: bool = false, boolean;
        ("gpgcheck", "1", "Whether signatures of packages are checked.")
            gpgcheck: bool = true, boolean;
        ("repo_gpgcheck", "0", "Whether the signature of repomd.xml is checked.")
            repo_gpgcheck: bool = false, boolean;
        ("gpgkey", "none", "file: or https: URLs of keys; http: where gpgkey_fingerprint or the user vouches for them.")
            gpgkey: Vec<String> = Vec::new(), list;
        ("gpgkey_fingerprint", "none", "Fingerprints: no other key of gpgkey counts, and with them a key may come from any server.")
            /// Lower case, without blanks; empty: any key.
            gpgkey_fingerprint: Vec<String> = Vec::new(), fingerprints;
        ("weak_signatures", "none", "Weaknesses of package signatures that are admitted: sha1, rsa1024, expired.")
            /// Words of [`WEAK_SIGNATURES`].
            weak_signatures: Vec<String> = Vec::new(), weak_signatures;
        ("priority", "50", "Lower is preferred, whatever the version.")
            priority: i32 = 50, integer;
        ("skip_if_unavailable", "0", "Go on without it where it cannot be had.")
            skip_if_unavailable: bool = false, boolean;
        ("metadata_expire", "48h", "Seconds, or a number and s, m, h or d; never.")
            /// The age after which metadata is asked for again; `None` is never.
            metadata_expire: Option<Duration> = Some(Duration::from_secs(48 * 3600)), expire;
        ("metadata_max_age", "30d with repo_gpgcheck, else never", "Metadata that was made longer ago gets a warning.")
            /// The age of metadata that gets a warning; `None` is never. Absent: see [`RepoConfig::max_age`].
            metadata_max_age: Option<Option<Duration>> = None, max_age;
        ("username", "none", "User for the server.")
            username: Option<Secret> = None, optional;
        ("password", "none", "Password for the server.")
            password: Option<Secret> = None, optional;
        ("auth_header_file", "none", "File of one line, such as Authorization: Bearer TOKEN: this header is sent to the servers that the section names, and to no others.")
            auth_header_file: Option<PathBuf> = None, absolute;
        ("s3_endpoint", "AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, else AWS", "URL of the server that has the buckets of s3://BUCKET/PREFIX; username and password are an access key and its secret.")
            s3_endpoint: Option<String> = None, optional;
        ("s3_region", "AWS_REGION or AWS_DEFAULT_REGION, else us-east-1", "Region of the buckets.")
            s3_region: Option<String> = None, optional;
        ("s3_style", "auto", "path or host: where a request names the bucket; auto is in the path where a server is named.")
            s3_style: Option<S3Style> = None, s3_style;
        ("proxy", "that of tdnf.conf", "URL of a proxy; empty or _none_ for none.")
            proxy: Option<String> = None, optional;
        ("proxy_username", "none", "Its user.")
            proxy_username: Option<Secret> = None, optional;
        ("proxy_password", "none", "Its password.")
            proxy_password: Option<Secret> = None, optional;
        ("proxy_auth_method", "that of tdnf.conf", "How the proxy is told its login: any or basic, or none for not at all; other ways of dnf's end with an error.")
            proxy_auth_method: ProxyAuth = ProxyAuth::Basic, proxy_auth;
        ("ip_resolve", "that of tdnf.conf", "4 or 6: only addresses of this family are used.")
            ip_resolve: Option<IpFamily> = None, ip_family;
        ("timeout", "30", "Seconds without a connection or a byte.")
            /// `None` (0 or absent) is no limit of its own.
            timeout: Option<Duration> = None, seconds;
        ("minrate", "0", "Bytes per second below which a mirror is given up.")
            /// 0 is no limit.
            minrate: u64 = 0, bytes;
        ("bandwidth", "that of tdnf.conf", "Bytes per second of the line, for a throttle in percent.")
            /// 0 is unknown.
            bandwidth: u64 = 0, bytes;
        ("throttle", "that of tdnf.conf", "Most bytes per second, or a percentage of bandwidth.")
            /// See [`RepoConfig::speed_limit`].
            throttle: Throttle = Throttle::Rate(0), throttle;
        ("retries", "10", "How often a file is tried again.")
            retries: u32 = 10, whole;
        ("sslverify", "that of tdnf.conf", "Whether the server's certificate is checked.")
            sslverify: bool = true, boolean;
        ("sslcacert", "that of tdnf.conf", "File of certificates that are trusted.")
            sslcacert: Option<PathBuf> = None, optional;
        ("ssl_builtin_roots", "that of tdnf.conf", "Whether Mozilla's certificate authorities inside the program are trusted where the system has none and nothing names any.")
            ssl_builtin_roots: bool = true, boolean;
        ("sslclientcert", "none", "Own certificate.")
            sslclientcert: Option<PathBuf> = None, optional;
        ("sslclientkey", "none", "Its key.")
            sslclientkey: Option<PathBuf> = None, optional;
        ("skip_md_filelists", "0", "Do not use file lists.")
            skip_md_filelists: bool = false, boolean;
        ("skip_md_updateinfo", "0", "Do not use advisories.")
            skip_md_updateinfo: bool = false, boolean;
        ("skip_md_other", "0", "Do not use changelogs.")
            skip_md_other: bool = false, boolean;
        ("excludepkgs", "none", "Names or globs of its packages that are left out.")
            | ("exclude", "none", "The same.")
            excludepkgs: Vec<String> = Vec::new(), list;
        ("includepkgs", "none", "Names or globs: others of its packages are left out.")
            includepkgs: Vec<String> = Vec::new(), list;
        ("module_hotfixes", "0", "Its packages take the place of those of modules, whatever stream is in use.")
            module_hotfixes: bool = false, boolean;
        ("snapshot", "none", "File (from the .repo file's directory on) or URL that lists NAME=EVR: nothing else of the repository exists.")
            snapshot: Option<String> = None, optional;
        ("snapshottime", "that of tdnf.conf", "POSIX time in seconds: packages whose file time in the repository is later do not exist.")
            snapshottime: Option<u64> = None, posix_time;
    }
}

/// Keys in whose values variables are expanded.
const EXPANDED_KEYS: [&str; 13] = [
    "name",
    "proxy",
    "proxy_username",
    "proxy_password",
    "baseurl",
    "mirrorlist",
    "metalink",
    "gpgkey",
    "username",
    "password",
    "s3_endpoint",
    "s3_region",
    "snapshot",
];

/// The keys that say where the metadata are; the first of them counts.
const METADATA_ADDRESSES: [&str; 3] = ["metalink", "mirrorlist", "baseurl"];

/// Keys whose values are addresses: nothing in the place of a variable is another address.
const ADDRESSES: [&str; 5] = ["baseurl", "mirrorlist", "metalink", "gpgkey", "snapshot"];

/// A variable that was used without being defined, or that stands for nothing in an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVariable {
    /// The variable, without `$`.
    pub name: String,
    /// The key whose value uses it.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// It is defined, and empty.
    pub is_empty: bool,
}

/// Keys of yum, dnf and zypper that change nothing about what is installed: nothing is said of them.
const FOREIGN_KEYS: &[&str] = &[
    "autorefresh",
    "countme",
    "deltarepobaseurl",
    "deltarpm",
    "enabled_metadata",
    "enablegroups",
    "failovermethod",
    "fastestmirror",
    "gpgcakey",
    "http_caching",
    "keeppackages",
    "max_parallel_downloads",
    "mdpolicy",
    "mediaid",
    "metadata_timer_sync",
    "mirrorlist_expire",
    "service",
    "type",
    "ui_repoid_vars",
    "user_agent",
    "zchunk",
];
/// Keys of theirs that would change what is installed, and have no effect here.
const DECIDING_KEYS: &[&str] = &["cost"];

fn is_key(key: &str) -> bool {
    is_named(REPO_KEYS, key) || is_harmless(key) || DECIDING_KEYS.contains(&key) || key == "path"
}

/// Whether a key of a `.repo` file is another program's and changes nothing about what is installed.
pub fn is_harmless(key: &str) -> bool {
    FOREIGN_KEYS.contains(&key) || key.starts_with("deltarpm") || key.starts_with("x-")
}

/// `metadata_max_age` of a repository with signed metadata that does not say: whoever withholds updates repeats what
/// was signed once.
const SIGNED_MAX_AGE: Duration = Duration::from_secs(30 * 24 * 3600);

impl RepoConfig {
    /// Whether `excludepkgs` and `includepkgs` leave out a package; `named` says whether one of their words names it.
    pub fn leaves_out(&self, named: impl Fn(&String) -> bool) -> bool {
        let (excluded, included) = (&self.excludepkgs, &self.includepkgs);
        excluded.iter().any(&named) || !included.is_empty() && !included.iter().any(named)
    }

    /// Most bytes per second; 0 is no limit. A percentage of nothing is none.
    pub fn speed_limit(&self) -> u64 {
        match self.throttle {
            Throttle::Rate(rate) => rate,
            Throttle::Percent(percent) if self.bandwidth > 0 && percent > 0 => {
                let (whole, rest) = (self.bandwidth / 100, self.bandwidth % 100);
                (whole * percent + rest * percent / 100).max(1)
            }
            Throttle::Percent(_) => 0,
        }
    }

    /// The age of metadata that gets a warning; `None` is never.
    pub fn max_age(&self) -> Option<Duration> {
        let of_signed = self.repo_gpgcheck.then_some(SIGNED_MAX_AGE);
        self.metadata_max_age.unwrap_or(of_signed)
    }

    /// A repository with nothing but an id and the defaults; what tdnf.conf says of servers counts.
    ///
    /// Errors: an id that could not be used as a name of anything.
    pub fn new(id: &str, source: Place, main: &MainConfig) -> Result<RepoConfig> {
        if let Some(why) = id_fault(id) {
            let what = format!("bad repository id {:?}: {why}", quoted(id));
            return Err(Error::config(&source, what));
        }
        Ok(RepoConfig {
            id: id.to_owned(),
            name: id.to_owned(),
            sslverify: main.sslverify,
            sslcacert: main.sslcacert.clone(),
            ssl_builtin_roots: main.ssl_builtin_roots,
            proxy_auth_method: main.proxy_auth_method,
            ip_resolve: main.ip_resolve,
            bandwidth: main.bandwidth,
            throttle: main.throttle,
            connect_timeout: main.connect_timeout,
            snapshottime: main.snapshottime,
            source,
            ..RepoConfig::with_defaults()
        })
    }

    /// Sets one key from its text, as a line of the file or `--setopt=REPO.KEY=VALUE` does.
    /// Variables are expanded in what has an address, and in name, username and password. Returns false for
    /// an unknown key.
    ///
    /// Errors: a value of the wrong kind, or the key `path`.
    pub fn set(&mut self, key: &str, value: &str, place: &Place, vars: &Vars) -> Result<bool> {
        // zypper writes `path=/`, below baseurl.
        if key == "path" && value == "/" {
            return Ok(true);
        }
        if key == "path" {
            let why = "the place of a cache follows from the id and the URL";
            let what = format!("key {key} is not allowed in repository {}: {why}", self.id);
            return Err(Error::config(place, what));
        }
        // Of a section an empty value is a word of its own: the proxy of tdnf.conf does not count.
        let value = match (key, value) {
            ("proxy", "") => NO_PROXY,
            (_, value) => value,
        };
        if EXPANDED_KEYS.contains(&key) {
            if METADATA_ADDRESSES.contains(&key) {
                self.written.insert(key.to_owned(), value.to_owned());
            }
            let value = &self.expand(key, value, place, vars);
            let known = self.set_key(&KeyLine { key, value, place })?;
            // As dnf takes it: a path is a directory of this machine.
            for url in self.baseurl.iter_mut().filter(|url| url.starts_with('/')) {
                *url = layout::file_url(Path::new(url.as_str()));
            }
            return Ok(known);
        }
        self.set_key(&KeyLine { key, value, place })
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

    /// Where the metadata are, as it was written: the same for all releases and architectures of a repository whose
    /// address names them by variables. Empty where no file said it.
    pub fn address_as_written(&self) -> &str {
        let mut keys = METADATA_ADDRESSES.iter();
        let first = keys.find_map(|key| self.written.get(*key).filter(|text| !text.is_empty()));
        first.map_or("", String::as_str)
    }

    fn expand(&mut self, key: &str, value: &str, place: &Place, vars: &Vars) -> String {
        let expanded = vars.expand(value);
        self.unknown_variables.retain(|unknown| unknown.key != key);
        let variable = |is_empty: bool| {
            move |name: String| UnknownVariable {
                name,
                key: key.to_owned(),
                place: place.clone(),
                is_empty,
            }
        };
        let empty = expanded.empty.into_iter();
        let empty = empty.filter(|_| ADDRESSES.contains(&key));
        let unknown = expanded.unknown.into_iter().map(variable(false));
        self.unknown_variables
            .extend(unknown.chain(empty.map(variable(true))));
        expanded.text
    }
}

/// Why a text cannot be an id. Ids become file column values and command line words.
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

/// As [`read_repo_dirs`] for one directory of the host.
///
/// Errors: the first bad file or section, or bad value of a key that checks something; two sections with one id.
pub fn read_repo_dir(dir: &Path, main: &MainConfig, vars: &Vars) -> Result<Vec<RepoConfig>> {
    let found = read_repo_dirs(Path::new("/"), &[dir.to_owned()], main, vars)?;
    let left_out = found.unusable.into_iter().chain(found.passed_over);
    match left_out.into_iter().next() {
        Some(error) => Err(error),
        None => sound(found.repos),
    }
}

/// What [`read_repo_dirs`] found.
#[derive(Debug)]
pub struct RepoFiles {
    /// The repositories; those with a [`RepoConfig::fault`] are for names alone.
    pub repos: Vec<RepoConfig>,
    /// What is left out: the second section with an id, a section that is off and whose id cannot be used, a file that
    /// may not be read.
    pub passed_over: Vec<Error>,
    /// What is left out and may have been on: a file with a bad line that belongs to no section, a section whose id
    /// cannot be used.
    pub unusable: Vec<Error>,
}

/// Reads every `.repo` file of some directories, in this order and that of their names; no directory, no repos. Links
/// below `root` stay in it. What is wrong with one repository does not hide the others.
///
/// Errors: a directory that cannot be read.
pub fn read_repo_dirs(
    root: &Path,
    dirs: &[PathBuf],
    main: &MainConfig,
    vars: &Vars,
) -> Result<RepoFiles> {
    let (mut repos, mut passed_over, mut unusable) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen: HashMap<String, Place> = HashMap::new();
    for dir in dirs {
        for file in layout::repo_files(root, dir)? {
            let document = match ini::read_sections(root, &file, is_key) {
                Err(Error::Read { path, source })
                    if source.kind() == ErrorKind::PermissionDenied =>
                {
                    passed_over.push(Error::Read { path, source });
                    continue;
                }
                Err(error) => {
                    unusable.push(Error::RepoFile(Arc::new(error)));
                    continue;
                }
                Ok(document) => document,
            };
            for section in &document.sections {
                let repo = match from_section(section, main, vars) {
                    Err(error) => {
                        let left = if is_on(section) {
                            &mut unusable
                        } else {
                            &mut passed_over
                        };
                        left.push(error);
                        continue;
                    }
                    Ok(repo) => repo,
                };
                match seen.get(&repo.id) {
                    Some(first) => passed_over.push(Error::DuplicateRepo {
                        id: repo.id,
                        first: first.clone(),
                        second: repo.source,
                    }),
                    None => {
                        seen.insert(repo.id.clone(), repo.source.clone());
                        repos.push(repo);
                    }
                }
            }
        }
    }
    Ok(RepoFiles {
        repos,
        passed_over,
        unusable,
    })
}

/// Whether a section says that it is on.
fn is_on(section: &Section) -> bool {
    let entry = section.get("enabled");
    entry.is_some_and(|entry| parse_bool(&entry.value) != Some(false))
}

/// Reads one `.repo` file; every section is a repository, also one called main. Does not look for
/// duplicate ids.
pub fn read_repo_file(
    root: &Path,
    path: &Path,
    main: &MainConfig,
    vars: &Vars,
) -> Result<Vec<RepoConfig>> {
    let document = ini::read(root, path, is_key)?;
    let sections = document.sections.iter();
    let read = sections.map(|section| from_section(section, main, vars));
    sound(read.collect::<Result<_>>()?)
}

/// All of them, or the first fault.
fn sound(mut repos: Vec<RepoConfig>) -> Result<Vec<RepoConfig>> {
    let fault = repos.iter_mut().find_map(|repo| repo.fault.take());
    fault.map_or(Ok(repos), |fault| Err(Error::Section(fault)))
}

fn from_section(section: &Section, main: &MainConfig, vars: &Vars) -> Result<RepoConfig> {
    let mut repo = RepoConfig::new(&section.name, section.place.clone(), main)?;
    repo.fault = section.fault.clone();
    for entry in &section.entries {
        let outcome = repo.set(&entry.key, &entry.value, &entry.place, vars);
        match pass_over(outcome, REPO_KEYS, repo.place_of(&entry.key)) {
            Ok(unreadable) => repo.unreadable_values.extend(unreadable),
            Err(error) => {
                repo.fault.get_or_insert(Arc::new(error));
            }
        }
    }
    Ok(repo)
}
