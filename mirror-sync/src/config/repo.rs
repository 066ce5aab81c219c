//! `[repo.ID]`: what is mirrored from where, and what of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::matrix;
use super::units::{Bytes, TimeSpan, Word};

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
    /// Filled by `snapshot merge`.
    Merge,
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
    /// Values of `$basearch`, of `$releasever`, and of other variables: each combination is a repository of its own.
    pub(crate) arches: Vec<String>,
    pub(crate) releases: Vec<String>,
    pub(crate) vars: BTreeMap<String, Vec<String>>,
    /// Which of the repositories of such a section this is.
    #[serde(skip)]
    pub(crate) member: Option<matrix::Member>,
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
    /// File of tokens, one a line, of which clients of `serve` need one; empty: nobody needs one.
    pub(crate) tokens_file: Option<PathBuf>,
    /// Login, sent only to the hosts named here.
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    /// File with a header of one line, sent only to the hosts named here.
    pub(crate) auth_header_file: Option<Word>,
    /// Server, region and way of naming of `s3:` URLs; login above is key and secret.
    pub(crate) s3_endpoint: Option<Word>,
    pub(crate) s3_region: Option<Word>,
    pub(crate) s3_style: Option<Word>,
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
    /// Bytes per second over this repository; 0 is no limit.
    pub(crate) rate: Bytes,
    /// Bytes that its snapshots may take in the store; 0 is no limit.
    pub(crate) quota: Bytes,
    /// What of it is mirrored; everything if absent.
    pub(crate) select: SelectSection,
}

impl RepoSection {
    /// Whether there is a URL that its files come from.
    pub(crate) fn has_upstream(&self) -> bool {
        !self.baseurl.0.is_empty() || self.mirrorlist.is_some() || self.metalink.is_some()
    }
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
    /// Only the packages of these groups and environments of upstream's comps, and all that they need.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    /// What packages need and clients have already: patterns of capabilities (`libc.so.6*`, `/bin/sh`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) assume: Vec<String>,
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
            assume: self.assume.clone(),
            ..SelectSection::default()
        };
        *self == plain
    }

    pub(crate) fn wants_closure(&self) -> bool {
        !self.packages.is_empty() || !self.groups.is_empty() || self.only_needed
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
