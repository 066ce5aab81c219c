//! Since when a server of a repository fails: told where that lasts, for nobody sees it where others give what is wanted.

use repo_client::{FileRequest, MetadataSet, TransferLimits, join_url, redact, server_name};

use super::SyncRun;
use super::repo::Repo;
use crate::layout::{INDEX, MAX_INDEX};
use crate::manifest::ServerState;
use crate::upstream;

/// Most servers that are remembered of a repository.
const MAX_SERVERS: usize = 32;
/// A server of which nothing was heard for so long is asked for its index, in seconds.
const ASK_AFTER: u64 = 86_400;
/// The same of one that has failed.
const ASK_FAILED_AFTER: u64 = 3600;
/// Most characters that are kept of why one fails.
const MAX_WHY: usize = 200;

/// What a run has heard of a server.
enum Heard {
    Nothing,
    Answered,
    Failed(String),
}

/// Notes what the run has heard of the servers of a repository; `set` is what came of asking them.
pub(super) fn note(run: &SyncRun<'_>, repo: &mut Repo, set: Option<&MetadataSet>) {
    let Ok(config) = run.config.client_config(&repo.id, &repo.section) else {
        return;
    };
    let found = set.map(|set| set.base_urls.as_slice()).unwrap_or_default();
    let lists = config.mirrorlist.iter().chain(&config.metalink);
    let mut urls: Vec<(&String, bool)> = lists.map(|url| (url, true)).collect();
    urls.extend(config.baseurl.iter().chain(found).map(|url| (url, false)));
    urls.dedup();
    let failures = run.observer.heard.failures();
    // The index came of the first of them that has not failed.
    let gave_index = found
        .iter()
        .find(|url| failures.below(&redact(url)).is_none());
    let mut known = std::mem::take(&mut repo.state.servers);
    for (url, is_list) in urls {
        let shown = redact(url);
        if repo.state.servers.contains_key(&shown) {
            continue;
        }
        let mut state = known.remove(&shown).unwrap_or_default();
        let gave = run.observer.heard.gave(&server_name(url));
        let heard = match failures.below(&shown) {
            Some(failure) if failure.is_of_index || !gave => Heard::Failed(failure.why.clone()),
            Some(_) => Heard::Answered,
            None if gave || gave_index == Some(url) => Heard::Answered,
            None if is_list && set.is_some() => Heard::Answered,
            None => Heard::Nothing,
        };
        let heard = match (heard, set) {
            (Heard::Nothing, Some(set)) if !is_list && is_due(&state, run.now) => {
                ask(run, set, url)
            }
            (heard, _) => heard,
        };
        match heard {
            // The clock of one that is new begins.
            Heard::Nothing if state.asked == 0 => state.asked = run.now,
            Heard::Nothing => {}
            Heard::Answered => {
                state = ServerState {
                    asked: run.now,
                    ..ServerState::default()
                }
            }
            Heard::Failed(why) => {
                state.asked = run.now;
                if state.since == 0 {
                    state.since = run.now;
                }
                state.why = why.chars().take(MAX_WHY).collect();
            }
        }
        // Of many mirrors those that fail are worth a place.
        if repo.state.servers.len() < MAX_SERVERS
            && (state.since > 0 || config.baseurl.contains(url))
        {
            repo.state.servers.insert(shown, state);
        }
    }
}

fn is_due(state: &ServerState, now: u64) -> bool {
    let after = match state.since {
        0 => ASK_AFTER,
        _ => ASK_FAILED_AFTER,
    };
    state.asked > 0 && now.saturating_sub(state.asked) >= after
}

/// Asks one server for its index.
fn ask(run: &SyncRun<'_>, set: &MetadataSet, base: &str) -> Heard {
    let dest = run.layout.partial().join(format!("asked-{}", set.repo));
    let asked = run.layout.make(&run.layout.partial());
    let Ok(url) = asked
        .map_err(drop)
        .and_then(|()| join_url(base, INDEX).map_err(drop))
    else {
        return Heard::Nothing;
    };
    let request = FileRequest {
        access: upstream::once(set),
        max_size: MAX_INDEX,
        ..FileRequest::new(format!("{}: {base}", set.repo), vec![url], dest.clone())
    };
    let limits = TransferLimits::hasty();
    let mut results = repo_client::fetch(&run.client, vec![request], &limits, &repo_client::Silent);
    let _ = std::fs::remove_file(&dest);
    match results.pop() {
        Some(Ok(_)) => Heard::Answered,
        Some(Err(repo_client::Error::Stopped)) | None => Heard::Nothing,
        Some(Err(error)) => {
            let cause = error.failures().first().map(|one| one.cause.to_string());
            Heard::Failed(cause.unwrap_or_else(|| error.to_string()))
        }
    }
}
