//! Places on other servers to which the mirror publishes: buckets and registries.

use std::path::PathBuf;

use rpm_repo::config::RepoConfig;
use serde::Deserialize;

use super::{Bytes, Config, OneOrMany, RepoMode, RepoSection, TimeSpan, Word, unfit};
use crate::error::Result;

/// Files that are sent at once where the configuration names no number.
const CONNECTIONS: usize = 8;
/// Most files that may be sent at once.
const MAX_CONNECTIONS: usize = 64;

/// `[target.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TargetSection {
    /// `s3://BUCKET/PREFIX` or `oci://HOST/NAME`.
    pub(crate) url: String,
    /// Repositories that go there; all if none is named.
    pub(crate) repos: Vec<String>,
    /// The URL under which clients see the place, if that is another one (a CDN, a bucket's plain address).
    pub(crate) public_url: Option<String>,
    /// Nothing is sent there.
    pub(crate) disabled: bool,
    /// Files sent at once.
    pub(crate) connections: Option<usize>,
    /// Bytes per second; 0 means no limit.
    pub(crate) rate: Bytes,
    /// Key id and secret of a bucket, login of a registry.
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) auth_header_file: Option<Word>,
    pub(crate) s3_endpoint: Option<Word>,
    pub(crate) s3_region: Option<Word>,
    pub(crate) s3_style: Option<Word>,
    pub(crate) proxy: Option<String>,
    pub(crate) sslverify: Option<bool>,
    pub(crate) sslcacert: Option<PathBuf>,
    pub(crate) timeout: Option<TimeSpan>,
    pub(crate) retries: Option<u32>,
}

/// What kind of place a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetKind {
    Bucket,
    Registry,
}

impl TargetSection {
    pub(crate) fn kind(&self) -> Option<TargetKind> {
        match self.url.split_once("://")? {
            ("s3", rest) if !rest.is_empty() => Some(TargetKind::Bucket),
            ("oci" | "oci+http", rest) if rest.contains('/') => Some(TargetKind::Registry),
            _ => None,
        }
    }

    /// Whether a repository is published there.
    pub(crate) fn takes(&self, id: &str) -> bool {
        !self.disabled && (self.repos.is_empty() || self.repos.iter().any(|one| one == id))
    }

    pub(crate) fn at_once(&self) -> usize {
        self.connections
            .unwrap_or(CONNECTIONS)
            .clamp(1, MAX_CONNECTIONS)
    }

    /// The URL of a place below, with the ends of both joined by one slash.
    pub(crate) fn below(&self, path: &str) -> String {
        format!("{}/{path}", self.url.trim_end_matches('/'))
    }

    /// What the client needs to know of the place.
    pub(crate) fn client_config(&self, config: &Config, name: &str) -> Result<RepoConfig> {
        let like = RepoSection {
            baseurl: OneOrMany(vec![self.url.clone()]),
            username: self.username.clone(),
            password: self.password.clone(),
            auth_header_file: self.auth_header_file.clone(),
            proxy: self.proxy.clone(),
            sslverify: self.sslverify,
            sslcacert: self.sslcacert.clone(),
            s3_endpoint: self.s3_endpoint.clone(),
            s3_region: self.s3_region.clone(),
            s3_style: self.s3_style.clone(),
            timeout: self.timeout,
            retries: self.retries,
            ..RepoSection::default()
        };
        config.client_config(name, &like)
    }

    /// What cannot work: key and reason.
    pub(super) fn fault(&self, config: &Config, name: &str) -> Option<(String, String)> {
        let at = |key: &str, why: &str| Some((format!("target.{name}{key}"), why.to_owned()));
        if let Some(why) = unfit(name) {
            return at("", why);
        }
        if self.url.is_empty() {
            return at(".url is missing", "s3://BUCKET/PREFIX or oci://HOST/NAME");
        }
        if self.kind().is_none() {
            let why = format!(
                "{}: expected s3://BUCKET/PREFIX or oci://HOST/NAME",
                repo_client::redact(&self.url)
            );
            return at(".url", &why);
        }
        if repo_client::without_login(&self.url) != self.url {
            return at(
                ".url",
                "a login in the URL would be shown to clients: set username and password",
            );
        }
        let is_twin = |(other, section): (&String, &Self)| {
            other.as_str() < name
                && section.url.trim_end_matches('/') == self.url.trim_end_matches('/')
        };
        if config.target.iter().any(is_twin) {
            return at(
                ".url",
                "another target has this place: one writes to a place",
            );
        }
        if let Some(id) = self.repos.iter().find(|id| !config.repo.contains_key(*id)) {
            return at(".repos", &format!("no repository is called {id}"));
        }
        let is_locked = |id: &&String| {
            let section = config.repo.get(*id);
            section.is_some_and(|section| {
                section.mode != RepoMode::Proxy && config.tokens_file(section).is_some()
            })
        };
        // Not named is not meant: whoever comes to this place needs no token of the mirror.
        let mut meant = config
            .repo
            .keys()
            .filter(|id| self.repos.is_empty() && self.takes(id));
        if let Some(id) = meant.find(is_locked) {
            let why = format!(
                "repository {id} wants a token here (tokens_file), and this place asks for none: list the repositories \
                 that go there, with {id} only if all who can read the place may have it"
            );
            return at(".repos", &why);
        }
        if self
            .connections
            .is_some_and(|n| n == 0 || n > MAX_CONNECTIONS)
        {
            return at(".connections", &format!("expected 1 to {MAX_CONNECTIONS}"));
        }
        match self.client_config(config, name) {
            Ok(_) => None,
            Err(error) => at("", &error.to_string()),
        }
    }
}
