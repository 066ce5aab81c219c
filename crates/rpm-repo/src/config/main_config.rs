//! `tdnf.conf`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Secret;
use super::keys::{MAIN_KEYS, is_named};
use super::unreadable::{UnreadableValue, pass_over};
use super::value::{bad, boolean, optional, parse_list, whole};
use crate::error::{Place, Result};
use crate::ini;

/// `[main]` of `tdnf.conf`, defaults filled in. Paths are as written: the reader puts the
/// installroot in front where that is meant.
#[derive(Debug, Clone)]
pub struct MainConfig {
    /// `reposdir` or `repodir` (the later one in the file counts).
    pub repo_dirs: Vec<PathBuf>,
    /// `cachedir`.
    pub cache_dir: PathBuf,
    /// `persistdir`: where the history lives.
    pub persist_dir: PathBuf,
    /// `gpgcheck`: what the file says; C tdnf never uses it, a repository's own key counts.
    pub gpgcheck: Option<bool>,
    /// `installonly_limit`: versions of an install-only package that may stand side by side; 2.
    pub installonly_limit: u32,
    /// `installonlypkgs`: exact names.
    pub installonlypkgs: Vec<String>,
    /// `clean_requirements_on_remove`; false.
    pub clean_requirements_on_remove: bool,
    /// `keepcache`; false.
    pub keepcache: bool,
    /// `excludepkgs`: names and globs.
    pub excludepkgs: Vec<String>,
    /// `minversions`: lower versions are not considered.
    pub minversions: Vec<MinVersion>,
    /// `distroverpkg`: capabilities tried in order for `$releasever`.
    pub distroverpkg: Vec<String>,
    /// `proxy`: URL for all repositories.
    pub proxy: Option<String>,
    /// `proxy_username`.
    pub proxy_username: Option<Secret>,
    /// `proxy_password`.
    pub proxy_password: Option<Secret>,
    /// `sslverify`: default of the repositories; true.
    pub sslverify: bool,
    /// `plugins`: master switch; false.
    pub plugins: bool,
    /// `pluginpath`, if given.
    pub pluginpath: Option<PathBuf>,
    /// `pluginconfpath`.
    pub pluginconfpath: PathBuf,
    /// `varsdir`: directories of variables, the first definition wins.
    pub vars_dirs: Vec<PathBuf>,
    /// `openmax`: open files that C tdnf allows before a transaction; 1024. It has no effect here.
    pub openmax: u32,
    /// `lock_timeout`: seconds to wait for another run that changes the system; forever unless
    /// given. C tdnf has no such key.
    pub lock_timeout: Option<u32>,
    /// `dnf_check_update_compat`; false.
    pub dnf_check_update_compat: bool,
    /// `distrosync_reinstall_changed`; false.
    pub distrosync_reinstall_changed: bool,
    /// Unknown keys, with their places; they have no effect.
    pub unknown_keys: Vec<(String, Place)>,
    /// Lines whose value cannot be read; they have no effect.
    pub unreadable_values: Vec<UnreadableValue>,
    places: BTreeMap<String, Place>,
}

/// One `name=evr` of `minversions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinVersion {
    /// Exact package name.
    pub name: String,
    /// `[epoch:]version[-release]`.
    pub evr: String,
}

impl Default for MainConfig {
    fn default() -> MainConfig {
        let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect();
        let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
        MainConfig {
            repo_dirs: paths(&["/etc/yum.repos.d"]),
            cache_dir: PathBuf::from("/var/cache/tdnf"),
            persist_dir: PathBuf::from("/var/lib/tdnf"),
            gpgcheck: None,
            installonly_limit: 2,
            installonlypkgs: Vec::new(),
            clean_requirements_on_remove: false,
            keepcache: false,
            excludepkgs: Vec::new(),
            minversions: Vec::new(),
            distroverpkg: names(&[
                "system-release(releasever)",
                "system-release",
                "redhat-release",
            ]),
            proxy: None,
            proxy_username: None,
            proxy_password: None,
            sslverify: true,
            plugins: false,
            pluginpath: None,
            pluginconfpath: PathBuf::from("/etc/tdnf/pluginconf.d"),
            vars_dirs: paths(&["/etc/tdnf/vars", "/etc/dnf/vars", "/etc/yum/vars"]),
            openmax: 1024,
            lock_timeout: None,
            dnf_check_update_compat: false,
            distrosync_reinstall_changed: false,
            unknown_keys: Vec::new(),
            unreadable_values: Vec::new(),
            places: BTreeMap::new(),
        }
    }
}

/// Reads `tdnf.conf`: the section `[main]`, or the first section if there is no `[main]` (C tdnf
/// takes the first whatever its name). A file without sections gives the defaults.
///
/// Errors: the file cannot be read (`ErrorKind::NotFound` is tdnf error 1602), a bad line, a bad value of a
/// key that checks something.
pub fn read_main_config(path: &Path) -> Result<MainConfig> {
    let document = ini::read(path, |key| is_named(MAIN_KEYS, key))?;
    let mut config = MainConfig::default();
    let named = document
        .sections
        .iter()
        .any(|section| section.name == "main");
    let first = document.sections.first().filter(|_| !named);
    let mains = document
        .sections
        .iter()
        .filter(|section| section.name == "main");
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
        match key {
            "reposdir" | "repodir" => put_paths(&mut self.repo_dirs, value),
            "varsdir" => put_paths(&mut self.vars_dirs, value),
            "cachedir" => put_path(&mut self.cache_dir, value),
            "persistdir" => put_path(&mut self.persist_dir, value),
            "pluginconfpath" => put_path(&mut self.pluginconfpath, value),
            "pluginpath" => self.pluginpath = optional(value).map(PathBuf::from),
            "installonlypkgs" => self.installonlypkgs = parse_list(value),
            "excludepkgs" => self.excludepkgs = parse_list(value),
            "distroverpkg" => self.distroverpkg = parse_list(value),
            "minversions" => self.minversions = min_versions(place, key, value)?,
            "proxy" => self.proxy = optional(value),
            "proxy_username" => self.proxy_username = optional(value).map(|v| Secret::new(&v)),
            "proxy_password" => self.proxy_password = optional(value).map(|v| Secret::new(&v)),
            "installonly_limit" => self.installonly_limit = whole(place, key, value)?,
            "lock_timeout" => self.lock_timeout = Some(whole(place, key, value)?),
            "openmax" => self.openmax = whole(place, key, value)?,
            "gpgcheck" => self.gpgcheck = Some(boolean(place, key, value)?),
            "keepcache" => self.keepcache = boolean(place, key, value)?,
            "sslverify" => self.sslverify = boolean(place, key, value)?,
            "plugins" => self.plugins = boolean(place, key, value)?,
            "clean_requirements_on_remove" => {
                self.clean_requirements_on_remove = boolean(place, key, value)?;
            }
            "dnf_check_update_compat" => self.dnf_check_update_compat = boolean(place, key, value)?,
            "distrosync_reinstall_changed" => {
                self.distrosync_reinstall_changed = boolean(place, key, value)?;
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
}

fn put_paths(target: &mut Vec<PathBuf>, value: &str) {
    let paths: Vec<PathBuf> = parse_list(value).into_iter().map(PathBuf::from).collect();
    if !paths.is_empty() {
        *target = paths;
    }
}

fn put_path(target: &mut PathBuf, value: &str) {
    if !value.is_empty() {
        *target = PathBuf::from(value);
    }
}

fn min_versions(place: &Place, key: &str, value: &str) -> Result<Vec<MinVersion>> {
    let one = |item: String| match item.split_once('=') {
        Some((name, evr)) if !name.is_empty() && !evr.is_empty() => Ok(MinVersion {
            name: name.to_owned(),
            evr: evr.to_owned(),
        }),
        _ => Err(bad(place, key, &item, "items of the form name=evr")),
    };
    parse_list(value).into_iter().map(one).collect()
}
