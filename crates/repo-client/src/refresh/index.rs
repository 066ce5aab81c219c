//! repomd.xml: asked for, checked before it is parsed, judged by its age.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use reqwest::Url;
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rpm_repo::repomd::{self, Repomd};

use super::cache::LoadedSet;
use super::context::RepoContext;
use super::sources::Sources;
use super::state::SetFacts;
use super::{OlderMetadata, join_url};
use crate::client::parse_url;
use crate::error::{Cause, Error, Failure, Result, SignatureFault};
use crate::event::Event;
use crate::html::looks_like_html;
use crate::redact::redact_url;
use crate::transfer::{Id, IdTable, NextTurn, Rounds, SourceId, Turns, url_key};
use crate::transport::http::Ask;

/// Largest repomd.xml.asc.
pub(crate) const MAX_SIGNATURE: u64 = 1 << 20;
/// 2024-01-01: a clock before that is wrong, and says nothing about the future.
pub(crate) const PLAUSIBLE_NOW: u64 = 1_704_067_200;
/// Metadata may be dated this far ahead.
const MAX_AHEAD: u64 = 24 * 3600;
/// Largest revision: a date written as yyyymmddhhmmss. Anything above would poison the memory.
const MAX_REVISION: u64 = 99_991_231_235_959;
/// Rounds over all mirrors for the index, at most (it is small; failing fast matters more).
pub(super) const MAX_ROUNDS: u32 = 3;
/// How long a mirror is waited for before the next one is asked beside it.
const PATIENCE: Duration = Duration::from_secs(5);
/// No round begins later than this: mirrors that are slow in each would make minutes of it.
const LAST_ROUND: Duration = Duration::from_secs(40);

/// A server's answer.
pub(crate) enum IndexAnswer {
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
    pub(crate) state: SetFacts,
}

/// What an answer is compared with.
pub(crate) struct Known<'a> {
    /// The highest age seen.
    pub(crate) seen: Option<(u64, u64)>,
    /// The set of the cache.
    pub(crate) old: Option<&'a LoadedSet>,
    /// What a metalink says.
    pub(crate) sources: &'a Sources,
    /// Whether a server may say that it has nothing newer. One that compares dates says so, too, where it has gone back.
    pub(crate) if_newer: bool,
}

/// (latest timestamp, revision as a number): what "older" is judged by.
pub(crate) fn age(repomd: &Repomd) -> (u64, u64) {
    (
        repomd.max_timestamp().unwrap_or(0),
        repomd.revision_number().unwrap_or(0),
    )
}

/// The index from the first of `bases` that has a good one, and which that was.
pub(crate) async fn ask(
    context: &RepoContext<'_>,
    bases: &[String],
    known: &Known<'_>,
) -> Result<(IndexAnswer, usize)> {
    let url = |base: &String| parse_url(&join_url(base, "repodata/repomd.xml")?);
    let urls: Result<Vec<Url>> = bases.iter().map(url).collect();
    let urls: IdTable<SourceId, Url> = urls?.into();
    let extra = context.access.retries.min(MAX_ROUNDS);
    let rounds = Rounds {
        extra,
        unreachable: extra,
    };
    let mut turns = Turns::new(urls.ids(), rounds);
    let label = context.index_label();
    let id = context.client.next_id();
    let (urls, begun) = (&urls, Instant::now());
    let mut running = FuturesUnordered::new();
    let mut since: BTreeMap<SourceId, Instant> = BTreeMap::new();
    loop {
        match turns.next() {
            NextTurn::Ask(source) => {
                turns.asked(source);
                since.insert(source, Instant::now());
                let answer = index_from(context, &urls[source], known);
                running.push(answer.map(move |answer| (source, answer)));
            }
            NextTurn::Rest(pause) if running.is_empty() && begun.elapsed() < LAST_ROUND => {
                context.observer.event(pause.event(id, &label));
                if context.client.pause(pause.lasts).await.is_err() {
                    break;
                }
                turns.begin_round(pause.attempt);
                continue;
            }
            _ if running.is_empty() => break,
            _ => {}
        }
        let answer = tokio::time::timeout(PATIENCE, running.next()).await;
        let Ok(Some((source, answer))) = answer else {
            continue;
        };
        since.remove(&source);
        match answer {
            Ok(index) => {
                for (slow, _) in since.iter().filter(|(_, at)| at.elapsed() >= PATIENCE) {
                    let cause = Cause::Timeout(PATIENCE.as_secs());
                    context.tell_failure((id, &label), &urls[*slow], &cause, Some(&urls[source]));
                }
                return Ok((index, source.place()));
            }
            Err(cause) => {
                turns.failed(source, cause.clone(), None);
                let next = match turns.next() {
                    NextTurn::Ask(next) => Some(next),
                    _ => since.keys().next().copied(),
                };
                let next = next.map(|next| &urls[next]);
                // The servers of a metalink need not all have what is current; which one it is stands there.
                if next.is_some() && matches!(cause, Cause::Digest { .. }) {
                    tracing::debug!(url = redact_url(&urls[source]), "{cause}");
                    continue;
                }
                context.tell_failure((id, &label), &urls[source], &cause, next);
            }
        }
    }
    let failure = |(source, cause): (SourceId, &Cause)| Failure {
        url: redact_url(&urls[source]),
        cause: cause.clone(),
    };
    Err(Error::Transfer {
        label,
        failures: turns.failures().map(failure).collect(),
    })
}

async fn index_from(
    context: &RepoContext<'_>,
    url: &Url,
    known: &Known<'_>,
) -> std::result::Result<IndexAnswer, Cause> {
    let Known { old, sources, .. } = *known;
    let mut ask = Ask::default();
    if let Some(state) = old
        .map(|old| &old.state)
        .filter(|state| known.if_newer && state.url == url_key(url.as_str()))
    {
        ask.etag.clone_from(&state.etag);
        ask.modified.clone_from(&state.modified);
    }
    let Some(small) = context.small(url, &ask, repomd::MAX_SIZE as u64).await? else {
        // The cached index was hashed when it was loaded, so the answer cannot make us
        // trust an altered one; but it must be one that the metalink lists, as a new one must.
        let cached = old.map(|old| old.index.as_slice()).unwrap_or_default();
        return mismatch(cached, sources).map_or(Ok(IndexAnswer::Unchanged), Err);
    };
    if looks_like_html(&small.bytes) {
        return Err(Cause::Html);
    }
    if let Some(wrong) = mismatch(&small.bytes, sources) {
        return Err(wrong);
    }
    // A mirror that is behind brings back nothing that has been replaced here by what is current.
    if old.is_some_and(|old| is_listed(&old.index, &sources.hashes)) {
        return Ok(IndexAnswer::Unchanged);
    }
    let digest = Hasher::digest(DigestAlgo::Sha256, &small.bytes);
    let same = old.filter(|old| old.digest == digest);
    let signature = if context.repo.config.repo_gpgcheck {
        Some(signature(context, url, &small.bytes).await?)
    } else {
        None
    };
    if same.is_some() {
        return Ok(IndexAnswer::Unchanged);
    }
    let mut repomd =
        repomd::parse("repomd.xml", &small.bytes).map_err(|e| Cause::Malformed(e.to_string()))?;
    if let Some(primary) = repomd
        .take_misplaced()
        .iter()
        .find(|one| one.kind == "primary")
    {
        let why = format!("its primary is outside repodata/ ({})", primary.href);
        return Err(Cause::Malformed(why));
    }
    judge_age(context, known.seen, &repomd)?;
    if signature.is_some() && old.is_some_and(|old| age(&old.repomd) == age(&repomd)) {
        let repo = context.id();
        context.observer.event(Event::ChangedMetadata { repo });
    }
    let state = SetFacts {
        repomd: digest.to_string(),
        url: url_key(url.as_str()),
        etag: small.etag,
        modified: small.modified,
        parts: Vec::new(),
    };
    Ok(IndexAnswer::New(Box::new(NewIndex {
        bytes: small.bytes,
        signature,
        repomd,
        state,
    })))
}

async fn signature(
    context: &RepoContext<'_>,
    url: &Url,
    data: &[u8],
) -> std::result::Result<Vec<u8>, Cause> {
    let check = context
        .repo
        .check_signature
        .ok_or_else(|| Cause::Signature {
            fault: SignatureFault::NotAccepted,
            text: "repo_gpgcheck=1, but no key: set gpgkey".into(),
        })?;
    let mut at = url.clone();
    at.set_path(&format!("{}.asc", url.path()));
    let small = match context.small(&at, &Ask::default(), MAX_SIGNATURE).await {
        Ok(Some(small)) => small,
        Ok(None) | Err(Cause::Status(404 | 410) | Cause::NotFound) => {
            return Err(Cause::Signature {
                fault: SignatureFault::Missing,
                text: "repomd.xml.asc is missing".into(),
            });
        }
        Err(Cause::Stopped) => return Err(Cause::Stopped),
        Err(other) => return Err(Cause::SignatureFile(Box::new(other))),
    };
    check(&small.bytes, data)?;
    Ok(small.bytes)
}

/// Refuses an index from the future, and a signed one that is older than what we have seen.
fn judge_age(
    context: &RepoContext<'_>,
    seen: Option<(u64, u64)>,
    repomd: &Repomd,
) -> std::result::Result<(), Cause> {
    let (time, revision) = age(repomd);
    let now = context.repo.now;
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
    let Some(seen) = seen.filter(|seen| (time, revision) < *seen) else {
        return Ok(());
    };
    let (offered, seen) = if time == seen.0 {
        (revision, seen.1)
    } else {
        (time, seen.0)
    };
    let refused = match context.repo.older {
        OlderMetadata::Refuse => true,
        OlderMetadata::RefuseSigned => context.repo.config.repo_gpgcheck,
        OlderMetadata::Take => false,
    };
    if refused {
        return Err(Cause::Older { offered, seen });
    }
    context.observer.event(Event::OlderMetadata {
        repo: context.id(),
        seen,
        offered,
    });
    Ok(())
}

/// A metalink lists the digests of the current index and of former ones: one must match.
fn mismatch(bytes: &[u8], sources: &Sources) -> Option<Cause> {
    let first = sources.hashes.first()?;
    if is_listed(bytes, &sources.hashes) || is_listed(bytes, &sources.older) {
        return None;
    }
    Some(Cause::Digest {
        got: Hasher::digest(first.algo(), bytes).to_string(),
        expected: first.to_string(),
    })
}

fn is_listed(bytes: &[u8], digests: &[Digest]) -> bool {
    let found = digests
        .first()
        .map(|first| Hasher::digest(first.algo(), bytes));
    found.is_some_and(|found| digests.contains(&found))
}
