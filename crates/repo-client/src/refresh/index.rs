//! repomd.xml: asked for, checked before it is parsed, judged by its age.

use std::io::Read;

use reqwest::Url;
use reqwest::header::{ETAG, LAST_MODIFIED};
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rpm_repo::repomd::{self, Repomd};
use std::time::Duration;

use super::cache::Loaded;
use super::state::State;
use super::{Run, join_url};
use crate::download::{next_chunk, parse_url};
use crate::error::{Cause, Error, Failure, Result};
use crate::event::Event;
use crate::limit::Pace;
use crate::part::{looks_like_html, url_key};
use crate::redact::redact_url;
use crate::transport::file;
use crate::transport::http::{Ask, get, text_header};

/// Largest repomd.xml.asc.
pub(crate) const MAX_SIGNATURE: u64 = 1 << 20;
/// 2024-01-01: a clock before that is wrong, and says nothing about the future.
pub(crate) const PLAUSIBLE_NOW: u64 = 1_704_067_200;
/// Metadata may be dated this far ahead.
const MAX_AHEAD: u64 = 24 * 3600;
/// Largest revision: a date written as yyyymmddhhmmss. Anything above would poison the memory.
const MAX_REVISION: u64 = 99_991_231_235_959;
/// Rounds over all mirrors for the index, at most (it is small; failing fast matters more).
const MAX_ROUNDS: u32 = 3;

/// A server's answer.
pub(crate) enum Index {
    /// The index we have is the current one.
    Unchanged,
    /// Another index.
    New(Box<NewIndex>),
}

/// A checked and parsed index.
pub(crate) struct NewIndex {
    pub(crate) bytes: Vec<u8>,
    pub(crate) signature: Option<Vec<u8>>,
    pub(crate) repomd: Repomd,
    pub(crate) state: State,
}

/// A small file in memory.
pub(crate) struct Small {
    pub(crate) bytes: Vec<u8>,
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<String>,
}

/// (latest timestamp, revision as a number): what "older" is judged by.
pub(crate) fn age(repomd: &Repomd) -> (u64, u64) {
    (
        repomd.max_timestamp().unwrap_or(0),
        repomd.revision_number().unwrap_or(0),
    )
}

impl Run<'_> {
    /// The index from the first of `bases` that has a good one, and which that was.
    pub(crate) async fn index(
        &self,
        bases: &[String],
        old: Option<&Loaded>,
        hashes: &[Digest],
    ) -> Result<(Index, usize)> {
        let mut urls: Vec<(usize, Url)> = Vec::new();
        for (at, base) in bases.iter().enumerate() {
            urls.push((at, parse_url(&join_url(base, "repodata/repomd.xml")?)?));
        }
        let mut last: Vec<Option<Failure>> = vec![None; bases.len()];
        let label = format!("{}: repomd.xml", self.id());
        let id = self.client.next_id();
        for round in 0..=self.access.retries.min(MAX_ROUNDS) {
            let mut open = Vec::new();
            for (at, url) in &urls {
                match self.index_from(url, old, hashes).await {
                    Ok(index) => return Ok((index, *at)),
                    Err(cause) => {
                        let shown = redact_url(url);
                        self.observer.event(Event::MirrorFailed {
                            id,
                            label: &label,
                            url: &shown,
                            cause: &cause,
                        });
                        if cause.is_passing() {
                            self.client.blame(url);
                            open.push((*at, url.clone()));
                        }
                        if let Some(slot) = last.get_mut(*at) {
                            *slot = Some(Failure { url: shown, cause });
                        }
                    }
                }
            }
            urls = open;
            let pause = Duration::from_millis(250 << round.min(4));
            if urls.is_empty() {
                break;
            }
            let limit = self.access.retries.min(MAX_ROUNDS);
            if round < limit {
                self.observer.event(Event::Retry {
                    id,
                    label: &label,
                    attempt: round + 1,
                    limit,
                    delay_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                });
            }
            if self.client.pause(pause).await.is_err() {
                break;
            }
        }
        Err(Error::Transfer {
            label,
            failures: last.into_iter().flatten().collect(),
        })
    }

    async fn index_from(
        &self,
        url: &Url,
        old: Option<&Loaded>,
        hashes: &[Digest],
    ) -> std::result::Result<Index, Cause> {
        let mut ask = Ask::default();
        if let Some(state) = old
            .map(|old| &old.state)
            .filter(|state| state.url == url_key(url))
        {
            ask.etag.clone_from(&state.etag);
            ask.modified.clone_from(&state.modified);
        }
        let Some(small) = self.small(url, &ask, repomd::MAX_SIZE as u64).await? else {
            // The cached index was hashed when it was loaded, so the answer cannot make us
            // trust an altered one.
            return Ok(Index::Unchanged);
        };
        if looks_like_html(&small.bytes) {
            return Err(Cause::Html);
        }
        if let Some(wrong) = mismatch(&small.bytes, hashes) {
            return Err(wrong);
        }
        let digest = sha256(&small.bytes);
        let same = old.filter(|old| old.digest == digest);
        let signature = if self.repo.config.repo_gpgcheck {
            Some(self.signature(url, &small.bytes).await?)
        } else {
            None
        };
        if same.is_some() {
            return Ok(Index::Unchanged);
        }
        let shown = redact_url(url);
        let repomd =
            repomd::parse(&shown, &small.bytes).map_err(|e| Cause::Malformed(e.to_string()))?;
        self.judge_age(&repomd)?;
        let state = State {
            repomd: digest.to_string(),
            url: url_key(url),
            etag: small.etag,
            modified: small.modified,
            parts: Vec::new(),
        };
        Ok(Index::New(Box::new(NewIndex {
            bytes: small.bytes,
            signature,
            repomd,
            state,
        })))
    }

    async fn signature(&self, url: &Url, data: &[u8]) -> std::result::Result<Vec<u8>, Cause> {
        let check = self
            .repo
            .check_signature
            .ok_or_else(|| Cause::Signature("repo_gpgcheck=1, but no key: set gpgkey".into()))?;
        let mut at = url.clone();
        at.set_path(&format!("{}.asc", url.path()));
        let small = match self.small(&at, &Ask::default(), MAX_SIGNATURE).await {
            Ok(Some(small)) => small,
            Ok(None) | Err(Cause::Status(404 | 410) | Cause::NotFound) => {
                return Err(Cause::Signature("repomd.xml.asc is missing".into()));
            }
            Err(Cause::Stopped) => return Err(Cause::Stopped),
            Err(other) => return Err(Cause::SignatureFile(Box::new(other))),
        };
        check(&small.bytes, data).map_err(Cause::Signature)?;
        Ok(small.bytes)
    }

    /// Refuses an index from the future, and a signed one that is older than what we have seen.
    fn judge_age(&self, repomd: &Repomd) -> std::result::Result<(), Cause> {
        let (time, revision) = age(repomd);
        let now = self.repo.now;
        if now >= PLAUSIBLE_NOW {
            if time > now.saturating_add(MAX_AHEAD) {
                return Err(Cause::Future { stamp: time, now });
            }
            if revision > MAX_REVISION {
                return Err(Cause::Future {
                    stamp: revision,
                    now,
                });
            }
        }
        let Some(seen) = self.cache.seen().filter(|seen| (time, revision) < *seen) else {
            return Ok(());
        };
        let (offered, seen) = if time == seen.0 {
            (revision, seen.1)
        } else {
            (time, seen.0)
        };
        if self.repo.config.repo_gpgcheck && !self.repo.allow_older {
            return Err(Cause::Older { offered, seen });
        }
        self.observer.event(Event::OlderMetadata {
            repo: self.id(),
            seen,
            offered,
        });
        Ok(())
    }

    /// A small file; none for "not modified".
    pub(crate) async fn small(
        &self,
        url: &Url,
        ask: &Ask,
        limit: u64,
    ) -> std::result::Result<Option<Small>, Cause> {
        if url.scheme() == "file" {
            let mut bytes = Vec::new();
            let open = file::open(url)?;
            open.take(limit.saturating_add(1))
                .read_to_end(&mut bytes)
                .map_err(|e| Cause::Read(e.to_string()))?;
            if bytes.len() as u64 > limit {
                return Err(Cause::TooLarge { limit });
            }
            return Ok(Some(Small {
                bytes,
                etag: None,
                modified: None,
            }));
        }
        let mut response = get(self.client, &self.access, url, ask).await?;
        match response.status().as_u16() {
            200 => {}
            304 if ask.etag.is_some() || ask.modified.is_some() => return Ok(None),
            other => return Err(Cause::Status(other)),
        }
        if response
            .content_length()
            .is_some_and(|length| length > limit)
        {
            return Err(Cause::TooLarge { limit });
        }
        let etag = text_header(response.headers(), ETAG);
        let modified = text_header(response.headers(), LAST_MODIFIED);
        let mut bytes = Vec::new();
        let mut pace = Pace::new(self.access.timeout, self.access.min_rate);
        while let Some(data) = next_chunk(&mut response, self.access.timeout).await? {
            if (bytes.len() as u64).saturating_add(data.len() as u64) > limit {
                return Err(Cause::TooLarge { limit });
            }
            bytes.extend_from_slice(&data);
            pace.count(data.len())?;
        }
        Ok(Some(Small {
            bytes,
            etag,
            modified,
        }))
    }
}

fn sha256(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(DigestAlgo::Sha256);
    hasher.update(bytes);
    hasher.finish()
}

/// A metalink lists the digests of the current index and of former ones: one must match.
fn mismatch(bytes: &[u8], hashes: &[Digest]) -> Option<Cause> {
    let first = hashes.first()?;
    let mut hasher = Hasher::new(first.algo());
    hasher.update(bytes);
    let found = hasher.finish();
    if hashes.contains(&found) {
        return None;
    }
    Some(Cause::Digest {
        got: found.to_string(),
        expected: first.to_string(),
    })
}
