//! Where a repository is to be had: metalink, mirrorlist or baseurl, in this order of strength.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::Url;
use rpm_pkg::digest::Digest;
use rpm_repo::config::RepoConfig;
use rpm_repo::layout::check_base;
use rpm_repo::{metalink, mirrorlist};
use std::path::PathBuf;

use super::cache::{Cache, write};
use super::context::RepoContext;
use super::index::MAX_ROUNDS;
use crate::client::{origin, parse_url};
use crate::error::{Cause, Error, Result};
use crate::event::Event;
use crate::html::looks_like_html;
use crate::oci::address::{is_registry, with_reference};
use crate::options::decode_percent;
use crate::path::{IN_PATH, read_plain};
use crate::redact::{redact, redact_url};
use crate::transfer::Pause;
use crate::transport::http::Ask;

/// Base URLs, best first, and what a metalink says of the index.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sources {
    pub(crate) bases: Vec<String>,
    /// Digests of the index that is current; empty without a metalink.
    pub(crate) hashes: Vec<Digest>,
    /// Those of older ones that mirrors may still have.
    pub(crate) older: Vec<Digest>,
}

/// What may not stand in a path at all (RFC 3986 3.3) and is left by the parser of URLs.
const NO_PATH: &AsciiSet = &CONTROLS.add(b'[').add(b']').add(b'^').add(b'|').add(b'\\');

/// The URL of a file below a base: the base keeps its query (a token), the name is encoded as it stands: a `%` in
/// it is one of the file's name. The base of a registry gets the tag that it leaves out.
pub fn join_url(base: &str, href: &str) -> Result<String> {
    let mut url = base_url(base)?;
    let above = utf8_percent_encode(url.path().trim_end_matches('/'), NO_PATH);
    let path = format!("{above}/{}", utf8_percent_encode(href, IN_PATH));
    url.set_path(&path);
    Ok(url.into())
}

/// The URL of a repository, with the tag that it leaves out if it is of a registry.
fn base_url(base: &str) -> Result<Url> {
    let url = parse_url(base)?;
    let bad = |why| Error::BadUrl {
        url: redact(base),
        why,
    };
    match is_registry(&url) {
        true => with_reference(url).map_err(bad),
        false => Ok(url),
    }
}

/// The URLs of a file that metadata name by any reference: a URL, a path with `..`, an absolute path. It is read against
/// the base that the metadata name (`xml:base`, a reference as well), and that against the URL of the repository.
/// Where the name may be written encoded or not, both readings come.
///
/// # Errors
/// It is no reference; it leads to another scheme than that of the repository or https, or from a server to a file of
/// this machine.
pub fn resolve_url(repository: &str, base: Option<&str>, reference: &str) -> Result<Vec<String>> {
    let bad = |why: String| Error::BadUrl {
        url: redact(reference),
        why,
    };
    let joined = |from: &Url, to: &str| from.join(to).map_err(|error| bad(error.to_string()));
    let below = |text: &str| format!("{}/", text.trim_end_matches('/'));
    let mut folder = base_url(repository)?;
    let path = below(folder.path());
    folder.set_path(&path);
    if let Some(base) = base {
        let mut named = joined(&folder, &below(base))?;
        if named.query().is_none() && named.origin() == folder.origin() {
            named.set_query(folder.query());
        }
        folder = named;
    }
    let (dir, name) = reference.rsplit_once('/').unwrap_or(("", reference));
    let dir = match dir {
        "" if reference.starts_with('/') => joined(&folder, "/")?,
        "" => folder.clone(),
        dir => joined(&folder, &format!("{dir}/"))?,
    };
    let mut dir = dir;
    dir.set_query(folder.query().filter(|_| dir.origin() == folder.origin()));
    let decoded = decode_percent(name);
    let names = [Some(&*decoded), (decoded != name).then_some(name)];
    let url = |name: &str| {
        let url = join_url(dir.as_str(), name)?;
        check_base(&url, repository).map_err(|error| bad(error.to_string()))?;
        Ok(url)
    };
    names.into_iter().flatten().map(url).collect()
}

enum List<'a> {
    Metalink(&'a str),
    Mirrors(&'a str),
}

impl List<'_> {
    fn url(&self) -> &str {
        match self {
            Self::Metalink(url) | Self::Mirrors(url) => url,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Metalink(_) => "metalink",
            Self::Mirrors(_) => "mirrorlist",
        }
    }

    fn parse(&self, bytes: &[u8]) -> std::result::Result<Sources, Cause> {
        // Its URL is said with what is wrong.
        let name = self.name();
        let malformed = |error: rpm_repo::Error| Cause::Malformed(error.to_string());
        let mut sources = match self {
            Self::Mirrors(_) => Sources {
                bases: mirrorlist::parse(name, bytes).map_err(malformed)?,
                ..Sources::default()
            },
            Self::Metalink(_) => {
                let link = metalink::parse(name, bytes).map_err(malformed)?;
                if link.hashes.is_empty() {
                    return Err(Cause::NoChecksum);
                }
                Sources {
                    bases: link.urls,
                    hashes: link.hashes,
                    older: link.older,
                }
            }
        };
        // A list from a server may not send us to local files; what we cannot speak is skipped.
        let local = self.url().starts_with("file:");
        sources
            .bases
            .retain(|base| parse_url(base).is_ok_and(|url| local || url.scheme() != "file"));
        if sources.bases.is_empty() {
            let why = format!("no usable URL in the {name}");
            return Err(Cause::Malformed(why));
        }
        Ok(sources)
    }
}

fn list(config: &RepoConfig) -> Option<List<'_>> {
    let metalink = config.metalink.as_deref().map(List::Metalink);
    metalink.or_else(|| config.mirrorlist.as_deref().map(List::Mirrors))
}

/// Base URLs without any request: from the configuration, or a list kept in the cache.
pub(crate) fn known(config: &RepoConfig, cache: &Cache) -> Vec<String> {
    match list(config) {
        None => spoken(&config.baseurl),
        Some(list) => cached_list(cache, &list)
            .map(|s| s.bases)
            .unwrap_or_default(),
    }
}

/// Those that we can speak.
fn spoken(bases: &[String]) -> Vec<String> {
    let mut bases = bases.to_vec();
    bases.retain(|base| parse_url(base).is_ok());
    bases
}

/// Those of the configuration that we can speak; the others are told of.
///
/// Errors: there are only others.
fn asked_bases(context: &RepoContext<'_>) -> Result<Vec<String>> {
    let bases = &context.repo.config.baseurl;
    let good = spoken(bases);
    for base in bases {
        let Err(error) = parse_url(base) else {
            continue;
        };
        let (Some(next), Error::BadUrl { url, why }) = (good.first(), &error) else {
            return Err(error);
        };
        context.observer.event(Event::MirrorFailed {
            id: context.client.next_id(),
            label: &context.index_label(),
            url,
            cause: &Cause::Settings(why.clone()),
            next: Some(next),
        });
    }
    Ok(good)
}

fn list_path(cache: &Cache, list: &List<'_>) -> PathBuf {
    cache.root().join(list.name())
}

fn cached_list(cache: &Cache, list: &List<'_>) -> Option<Sources> {
    let bytes = read_plain(&list_path(cache, list), metalink::MAX_SIZE as u64)?;
    list.parse(&bytes).ok()
}

/// Base URLs in the order to be tried: servers that failed in this run go last.
pub(crate) async fn ask(context: &RepoContext<'_>, cache: &Cache) -> Result<Sources> {
    let config = context.repo.config;
    let mut sources = match list(config) {
        Some(list) => asked_list(context, cache, &list).await?,
        None => Sources {
            bases: asked_bases(context)?,
            ..Sources::default()
        },
    };
    if sources.bases.is_empty() {
        return Err(Error::NoUrl {
            repo: config.id.clone(),
        });
    }
    let mut urls: Vec<Url> = sources
        .bases
        .iter()
        .map(|base| parse_url(base))
        .collect::<Result<_>>()?;
    urls.sort_by_key(|url| context.client.failures_of(&origin(url)));
    for url in &urls {
        let failures = context.client.failures_of(&origin(url));
        tracing::debug!(
            repo = config.id,
            mirror = redact_url(url),
            failures,
            "to be asked in this order"
        );
    }
    sources.bases = urls.into_iter().map(String::from).collect();
    Ok(sources)
}

/// The list from its server; the cached one if the server fails, but never for a metalink:
/// its digests are what it is for.
async fn asked_list(context: &RepoContext<'_>, cache: &Cache, list: &List<'_>) -> Result<Sources> {
    let url = parse_url(list.url())?;
    let limit = metalink::MAX_SIZE as u64;
    let (label, shown) = (
        format!("{}: {}", context.id(), list.name()),
        redact_url(&url),
    );
    let id = context.client.next_id();
    let rounds = context.access.retries.min(MAX_ROUNDS);
    let mut attempt = 0;
    loop {
        let got = match context.small(&url, &Ask::default(), limit).await {
            Ok(Some(small)) => match list.parse(&small.bytes) {
                Ok(sources) => Ok((sources, small.bytes)),
                Err(_) if looks_like_html(&small.bytes) => Err(Cause::Html),
                Err(cause) => Err(cause),
            },
            Ok(None) => Err(Cause::Status(304)),
            Err(cause) => Err(cause),
        };
        let cause = match got {
            Ok((sources, bytes)) => {
                write(&list_path(cache, list), &bytes)?;
                return Ok(sources);
            }
            Err(cause) => cause,
        };
        context.observer.event(Event::MirrorFailed {
            id,
            label: &label,
            url: &shown,
            cause: &cause,
            next: None,
        });
        let kept = match list {
            List::Mirrors(_) => cached_list(cache, list),
            List::Metalink(_) => None,
        };
        if let Some(kept) = kept {
            return Ok(kept);
        }
        attempt += 1;
        if !cause.is_passing() || attempt > rounds {
            return Err(Error::at(label, shown, cause));
        }
        let pause = Pause::before(attempt, rounds);
        context.observer.event(pause.event(id, &label));
        if let Err(stopped) = context.client.pause(pause.lasts).await {
            return Err(Error::at(label, shown, stopped));
        }
    }
}
