//! `tdnf.conf`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Secret;
use super::keys::{EffectiveKey, is_named, section};
use super::unreadable::{UnreadableValue, pass_over};
use super::value::{
    IpFamily, KeyLine, ProxyAuth, Throttle, boolean, bytes, ip_family, list, more, optional,
    parse_list, path, paths, posix_time, proxy_auth, seconds, some_boolean, some_whole, throttle,
    whole,
};
use crate::error::{Place, Result};
use crate::ini;

section! {
    /// `[main]` of `tdnf.conf`, defaults filled in. Paths are as written: the reader puts the
    /// installroot in front where that is meant.
    MainConfig {
        /// Sections beside the one that counts, with their places; they have no effect.
        other_sections: Vec<(String, Place)> = Vec::new();
    }
    /// Every key of `[main]` in `tdnf.conf`.
    MAIN_KEYS {
        ("reposdir", "/etc/yum.repos.d", "Directories of .repo files.")
            | ("repodir", "/etc/yum.repos.d", "The same; the last one in the file wins.")
            repo_dirs: Vec<PathBuf> = all_of(&["/etc/yum.repos.d"]), paths;
        ("cachedir", "/var/cache/tdnf", "Where metadata and packages are kept.")
            cache_dir: PathBuf = "/var/cache/tdnf".into(), path;
        ("persistdir", "/var/lib/tdnf", "Where the history is.")
            persist_dir: PathBuf = "/var/lib/tdnf".into(), path;
        ("gpgcheck", "none", "0: files of the command line need no signature. For packages of repositories gpgcheck of the repository counts.")
            gpgcheck: Option<bool> = None, some_boolean;
        ("cligpgcheck", "that of gpgcheck", "0: signatures of files of the command line are not checked.")
            cligpgcheck: Option<bool> = None, some_boolean;
        ("installonly_limit", "2", "How many versions of an install-only package stay.")
            installonly_limit: u32 = 2, whole;
        ("installonlypkgs", "none", "Names that may be installed in several versions.")
            installonlypkgs: Vec<String> = Vec::new(), list;
        ("clean_requirements_on_remove", "0", "Remove dependencies that are no longer needed together with what needed them.")
            clean_requirements_on_remove: bool = false, boolean;
        ("keepcache", "0", "Keep downloaded packages.")
            keepcache: bool = false, boolean;
        ("install_weak_deps", "1", "Install what packages recommend, too.")
            install_weak_deps: bool = true, boolean;
        ("protected_packages", "none", "Names that are never removed, beside those of protected.d; glob:FILES for files that list them.")
            protected_packages: Vec<String> = Vec::new(), list;
        ("tsflags", "none", "What transactions leave out, as --setopt=tsflags=.")
            tsflags: Vec<String> = Vec::new(), more;
        ("excludepkgs", "none", "Packages that are left out: names or globs, with version and architecture if you like.")
            | ("exclude", "none", "The same, as yum spells it; the last one in the file wins.")
            excludepkgs: Vec<String> = Vec::new(), list;
        ("minversions", "none", "NAME=VERSION: lowest versions that may be installed.")
            minversions: Vec<MinVersion> = Vec::new(), min_versions;
        ("snapshottime", "none", "POSIX time in seconds: packages whose file time in their repository is later do not exist.")
            snapshottime: Option<u64> = None, posix_time;
        ("snapshotexcluderepos", "none", "Ids or globs of repositories that snapshottime does not limit.")
            snapshotexcluderepos: Vec<String> = Vec::new(), list;
        ("distroverpkg", "system-release(releasever) system-release redhat-release", "Capabilities whose version is $releasever.")
            /// They are tried in order.
            distroverpkg: Vec<String> = all_of(&["system-release(releasever)", "system-release", "redhat-release"]), list;
        ("proxy", "none", "URL of a proxy.")
            proxy: Option<String> = None, optional;
        ("proxy_username", "none", "Its user.")
            proxy_username: Option<Secret> = None, optional;
        ("proxy_password", "none", "Its password.")
            proxy_password: Option<Secret> = None, optional;
        ("proxy_auth_method", "any", "How the proxy is told its login: any or basic, or none for not at all; other ways of dnf's end with an error.")
            proxy_auth_method: ProxyAuth = ProxyAuth::Basic, proxy_auth;
        ("ip_resolve", "whatever", "4 or 6: only addresses of this family are used, as by -4 and -6.")
            ip_resolve: Option<IpFamily> = None, ip_family;
        ("bandwidth", "0", "Bytes per second of the line, for a throttle in percent; of repositories that do not say.")
            bandwidth: u64 = 0, bytes;
        ("throttle", "0", "Most bytes per second of each repository that does not say, or a percentage of bandwidth.")
            throttle: Throttle = Throttle::Rate(0), throttle;
        ("connect_timeout", "none", "Seconds to connect to a server; else the repository's timeout.")
            connect_timeout: Option<Duration> = None, seconds;
        ("sslverify", "1", "Whether certificates of servers are checked where a repository does not say.")
            sslverify: bool = true, boolean;
        ("sslcacert", "the system's", "File of certificates that are trusted where a repository does not say.")
            sslcacert: Option<PathBuf> = None, optional;
        ("max_parallel_downloads", "0", "Most connections at once, over all servers; 0: as many as help.")
            max_parallel_downloads: u32 = 0, whole;
        ("connections_per_host", "6", "Most connections to one server.")
            connections_per_host: u32 = 6, whole;
        ("ssl_builtin_roots", "1", "Whether Mozilla's certificate authorities inside the program are trusted where the system has none and nothing names any.")
            /// C tdnf has no such key.
            ssl_builtin_roots: bool = true, boolean;
        ("plugins", "0", "Name the plugins that have a conf file. What they do (signed metadata, metalinks) needs no switch.")
            plugins: bool = false, boolean;
        ("pluginpath", "/usr/lib/tdnf-plugins", "Where a missing plugin is said to be; nothing is loaded.")
            pluginpath: Option<PathBuf> = None, optional;
        ("pluginconfpath", "/etc/tdnf/pluginconf.d", "Where plugins are switched on and off.")
            pluginconfpath: PathBuf = "/etc/tdnf/pluginconf.d".into(), path;
        ("varsdir", "/etc/tdnf/vars /etc/dnf/vars /etc/yum/vars", "Directories of variables.")
            /// The first definition wins.
            vars_dirs: Vec<PathBuf> = all_of(&["/etc/tdnf/vars", "/etc/dnf/vars", "/etc/yum/vars"]), paths;
        ("openmax", "1024", "Read for tdnf.conf files of C tdnf; no scriptlet inherits a file, so no limit is set.")
            openmax: u32 = 1024, whole;
        ("lock_timeout", "forever", "How many seconds to wait for another program that holds a lock.")
            /// C tdnf has no such key.
            lock_timeout: Option<u32> = None, some_whole;
        ("dnf_check_update_compat", "0", "check-update ends with exit code 100 if there is anything.")
            dnf_check_update_compat: bool = false, boolean;
        ("distrosync_reinstall_changed", "0", "distro-sync also replaces packages of the same version with other content.")
            distrosync_reinstall_changed: bool = false, boolean;
    }
}

/// One `name=evr` of `minversions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinVersion {
    /// Exact package name.
    pub name: String,
    /// `[epoch:]version[-release]`.
    pub evr: String,
}

fn all_of<T: for<'t> From<&'t str>>(list: &[&str]) -> Vec<T> {
    list.iter().map(|text| T::from(text)).collect()
}

impl Default for MainConfig {
    fn default() -> MainConfig {
        MainConfig::with_defaults()
    }
}

/// Reads `tdnf.conf`: the section `[main]`, or the first section if there is no `[main]` (C tdnf
/// takes the first whatever its name). A file without sections gives the defaults. Links below `root` stay in it.
///
/// Errors: the file cannot be read (`ErrorKind::NotFound` is tdnf error 1602), a bad line, a bad value of a
/// key that checks something.
pub fn read_main_config(root: &Path, path: &Path) -> Result<MainConfig> {
    let document = ini::read(root, path, |key| is_named(MAIN_KEYS, key))?;
    let mut config = MainConfig::default();
    let is_main = |section: &&ini::Section| section.name == "main";
    let named = document.sections.iter().any(|section| is_main(&section));
    let first = document.sections.first().filter(|_| !named);
    let mains = document.sections.iter().filter(is_main);
    let others = document.sections.iter().skip(usize::from(!named));
    let others = others.filter(|section| !is_main(section));
    config.other_sections = others
        .map(|section| (section.name.clone(), section.place.clone()))
        .collect();
    for entry in mains.chain(first).flat_map(|section| &section.entries) {
        let outcome = config.set(&entry.key, &entry.value, &entry.place);
        let unreadable = pass_over(outcome, MAIN_KEYS, config.place_of(&entry.key))?;
        config.unreadable_values.extend(unreadable);
    }
    Ok(config)
}

impl MainConfig {
    /// Sets one key from its text, as a line of the file or `--setopt=KEY=VALUE` does. An empty list
    /// or path is taken as written for lists, and as "the default" for paths. Returns false for an
    /// unknown key.
    ///
    /// Errors: a value of the wrong kind.
    pub fn set(&mut self, key: &str, value: &str, place: &Place) -> Result<bool> {
        self.set_key(&KeyLine { key, value, place })
    }
}

fn min_versions(versions: &mut Vec<MinVersion>, line: &KeyLine<'_>) -> Result<()> {
    let one = |item: String| match item.split_once('=') {
        Some((name, evr)) if !name.is_empty() && !evr.is_empty() => Ok(MinVersion {
            name: name.to_owned(),
            evr: evr.to_owned(),
        }),
        _ => Err(KeyLine {
            value: &item,
            ..*line
        }
        .bad("items of the form name=evr")),
    };
    *versions = parse_list(line.value)
        .into_iter()
        .map(one)
        .collect::<Result<_>>()?;
    Ok(())
}
