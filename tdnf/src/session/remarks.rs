//! What sections of `.repo` files, and options about them, say that has no effect or is unwise: a warning each.

use std::collections::BTreeSet;

use cli_kit::shell_word;
use repo_client::is_open_to_all;
use rpm_pkg::glob::glob_matches;
use rpm_repo::config::{MAIN_KEYS, ProxyAuth, REPO_KEYS, RepoConfig, Throttle, is_harmless};

use super::Session;
use crate::near::{meant, nearest};

impl Session<'_> {
    /// What the command line and tdnf.conf say of repositories that there are not has no effect.
    pub(super) fn tell_unused(&self, repos: &[RepoConfig]) {
        let (settings, main) = (&self.settings, &self.settings.main);
        let is_there = |glob: &str| {
            // Pseudo repositories, such as that of files of the command line, are always there.
            glob.starts_with('@') || repos.iter().any(|repo| glob_matches(glob, &repo.id))
        };
        let absent = |glob: &&String| !repos.is_empty() && !is_there(glob);
        let tell = |option: &str, glob: &String| {
            let ids = repos.iter().map(|repo| repo.id.as_str());
            let near = meant(glob, ids);
            self.warn_once(&match glob.is_empty() {
                true => format!("warning: {option}: the list is empty and names no repository"),
                false => format!("warning: {option}: there is no repository '{glob}'{near}"),
            });
        };
        for glob in main.snapshotexcluderepos.iter().filter(absent) {
            tell("snapshotexcluderepos", glob);
        }
        let overridden = settings.repo_overrides.iter().map(|change| &change.repo);
        overridden
            .filter(absent)
            .for_each(|glob| tell("--setopt", glob));
        for switch in settings
            .switches
            .iter()
            .filter(|switch| absent(&switch.pattern()))
        {
            tell(switch.option(), switch.pattern());
        }
        let limits = |repo: &RepoConfig| repo.place_of("snapshottime").is_some();
        let is_limited = main.snapshottime.is_some() || repos.iter().any(limits);
        if !main.snapshotexcluderepos.is_empty() && !is_limited {
            self.warn_once("warning: snapshotexcluderepos has no effect without snapshottime");
        }
    }

    /// A section without the key is off, as in C tdnf; in yum and dnf it is on.
    pub(super) fn tell_without_enabled(&self, repos: &[RepoConfig]) {
        let is_silent = |repo: &&RepoConfig| !repo.enabled && repo.fault.is_none();
        let mut without = Vec::new();
        for repo in repos.iter().filter(is_silent) {
            let mut bad = repo.unreadable_values.iter();
            let is_given =
                repo.place_of("enabled").is_some() || bad.any(|value| value.key == "enabled");
            if is_given || self.is_switched(repo) {
                continue;
            }
            let mut unknown = repo.unknown_keys.iter();
            match unknown.find(|(key, _)| nearest(key, ["enabled"]).is_some()) {
                Some((key, place)) => self.printer.err(&format!(
                    "warning: {place}: unknown key '{key}': did you mean 'enabled'? Without it the repository is off"
                )),
                None => without.push(format!("{} ({})", repo.id, repo.source)),
            }
        }
        if !without.is_empty() {
            let without = without.join(", ");
            self.printer.err(&format!(
                "warning: off for want of enabled=1 in the section: {without}"
            ));
        }
    }

    /// Unknown keys have no effect, which is said unless they change nothing about what is installed.
    pub(super) fn tell_typos(&self, repos: &[RepoConfig]) {
        for (name, place) in &self.settings.main.other_sections {
            self.warn_once(&format!(
                "warning: {place}: the section '{name}' has no effect here: repositories stand in .repo files"
            ));
        }
        let main = self.settings.main.unknown_keys.iter();
        let main = main.map(|unknown| (unknown, MAIN_KEYS));
        let others = repos.iter().flat_map(|repo| &repo.unknown_keys);
        let others = others.map(|unknown| (unknown, REPO_KEYS));
        let mut told = BTreeSet::new();
        for ((key, place), known) in main.chain(others) {
            // A file of subscription-manager has hundreds of sections with the same keys.
            if !told.insert((place.file(), key)) {
                continue;
            }
            let near = nearest(key, known.iter().map(|key| key.name));
            let what = match near.filter(|_| !is_harmless(key)) {
                Some(near) => format!("unknown key '{key}': did you mean '{near}'?"),
                None if is_harmless(key) => continue,
                None => format!("the key '{key}' has no effect here"),
            };
            self.printer.err(&format!("warning: {place}: {what}"));
        }
    }

    /// A client's key means nothing without its certificate.
    pub(super) fn tell_keys_alone(&self, repos: &[RepoConfig]) {
        let alone =
            |repo: &&RepoConfig| repo.sslclientkey.is_some() && repo.sslclientcert.is_none();
        for repo in repos.iter().filter(alone) {
            let place = repo.place_of("sslclientkey").unwrap_or(&repo.source);
            self.warn_once(&format!(
                "warning: {place}: repository {}: sslclientkey has no effect without sslclientcert",
                repo.id
            ));
        }
    }

    /// What sections say of the way to their servers and cannot mean, or should not.
    pub(super) fn tell_ways(&self, repos: &[RepoConfig]) {
        let tell = |repo: &RepoConfig, key: &str, what: &str| {
            let (place, id) = (repo.place_of(key).unwrap_or(&repo.source), &repo.id);
            self.warn_once(&format!("warning: {place}: repository {id}: {what}"));
        };
        for repo in repos {
            if let (Throttle::Percent(percent), 0) = (repo.throttle, repo.bandwidth) {
                let what = format!("throttle={percent}% has no effect without bandwidth");
                tell(repo, "throttle", &what);
            }
            if repo.proxy_username.is_some() && repo.proxy.is_none() {
                let what = "proxy_username has no effect without proxy in the same section";
                tell(repo, "proxy_username", what);
            }
            if repo.proxy_username.is_some() && repo.proxy_auth_method == ProxyAuth::None {
                let what = "the proxy is not told its login: proxy_auth_method=none";
                tell(repo, "proxy_auth_method", what);
            }
            let lists = repo.mirrorlist.iter().chain(&repo.metalink);
            let mut urls = repo.baseurl.iter().chain(lists);
            if urls.clone().any(|url| url.starts_with("s3:")) {
                match self.settings.brought.any() {
                    true => self.tell_unused_keys(),
                    false => self.tell_open_keys(),
                }
            }
            let Some(file) = &repo.auth_header_file else {
                continue;
            };
            if let Some(url) = urls.find(|url| repo_client::is_in_clear(url)) {
                let url = repo_client::redact(url);
                let what = format!("the header of auth_header_file goes unencrypted to {url}");
                tell(repo, "auth_header_file", &what);
            }
            if is_open_to_all(file) {
                let file = file.to_string_lossy();
                let (shown, word) = (file.escape_debug(), shell_word(&file));
                let what = format!("everybody may read {shown}: `chmod o-r {word}`");
                tell(repo, "auth_header_file", &what);
            }
            if repo.username.is_some() {
                let what = "an Authorization header of auth_header_file takes the place of username and password";
                tell(repo, "auth_header_file", what);
            }
        }
    }

    /// What the user is known by is not for the sections of an image.
    fn tell_unused_keys(&self) {
        if self.settings.environment.stores.has_keys() {
            self.warn_once(
                "warning: the user's access key for object stores is not used for .repo files of the installroot: \
                 name their directory with --setopt=reposdir=DIR, or set username= and password= in them",
            );
        }
    }

    /// Files of the user with keys for object stores that others may read, too.
    fn tell_open_keys(&self) {
        let stores = &self.settings.environment.stores;
        for file in [&stores.credentials_file, &stores.identity_file] {
            let Some(file) = file.as_deref().filter(|file| is_open_to_all(file)) else {
                continue;
            };
            let file = file.to_string_lossy();
            let (shown, word) = (file.escape_debug(), shell_word(&file));
            self.warn_once(&format!(
                "warning: everybody may read {shown}: `chmod o-r {word}`"
            ));
        }
    }

    /// A name that nobody defines stays in the address, where it is easily overlooked.
    pub(super) fn tell_unknown_variables(&self, repos: &[RepoConfig]) {
        let vars = self.vars();
        for variable in repos.iter().flat_map(|repo| &repo.unknown_variables) {
            let (place, key, name) = (&variable.place, &variable.key, &variable.name);
            let what = match (variable.is_empty, self.settings.vars_dirs.first()) {
                (true, _) => "is empty".to_owned(),
                (false, Some(dir)) => format!(
                    "is not defined (no file {dir}/{name}){near}",
                    dir = dir.display(),
                    near = meant(name, vars.names())
                ),
                (false, None) => "is not defined".to_owned(),
            };
            self.warn_once(&format!(
                "warning: {place}: {key}: the variable '{name}' {what}"
            ));
        }
    }
}
