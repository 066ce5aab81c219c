//! Which requests are given up though they have not failed.

use std::time::Instant;

use crate::error::Cause;
use crate::ranges::RangeId;
use crate::transfer::file::{FileStage, Stream};
use crate::transfer::ids::FileId;
use crate::transfer::limits::TransferLimits;
use crate::transfer::picture::Picture;
use crate::transfer::tuning::segments::{LOOKED_AT, USELESS, USELESS_SHARE};

/// Requests that bring next to nothing while others could bring it.
pub(crate) fn useless(picture: &Picture, now: Instant) -> Vec<(RangeId, Cause)> {
    let patience = picture.limits.patience;
    let is_useless = |stream: &Stream| {
        let Some(rate) = stream.rate(now).filter(|rate| *rate < USELESS) else {
            return false;
        };
        let file = &picture.files[stream.file];
        let better = file.sources.rows().iter().any(|one| {
            let other = one.host.filter(|host| *host != stream.host && !one.out);
            other.is_some_and(|host| {
                let host = &picture.hosts[host];
                // One that has not been asked yet may do better.
                let unknown = host.best == 0.0 && host.bytes == 0;
                host.is_usable() && (unknown || rate < host.best * USELESS_SHARE)
            })
        });
        better && stream.age(now) >= patience
    };
    give_up(picture, is_useless)
}

/// Requests that have brought something and now are silent: a connection can die without a
/// word, and the next one finds the server at its new address.
pub(crate) fn silent(picture: &Picture, now: Instant) -> Vec<(RangeId, Cause)> {
    let TransferLimits {
        global_bps,
        per_host_bps,
        patience,
        ..
    } = picture.limits;
    if global_bps.or(per_host_bps).is_some() {
        // It may be we who do not read.
        return Vec::new();
    }
    give_up(picture, |stream| {
        // The next one could not go on where this one stopped, or it is we who do not read.
        let file = &picture.files[stream.file];
        let lost = picture.hosts[stream.host].no_ranges || !file.may_mix();
        let ours = file.request.access.throttle > 0;
        let silent = now.duration_since(stream.last.max(stream.began)) >= patience;
        stream.bytes > 0 && silent && !lost && !ours
    })
}

fn give_up(picture: &Picture, which: impl Fn(&Stream) -> bool) -> Vec<(RangeId, Cause)> {
    let seconds = picture.limits.patience.as_secs();
    let all = picture.streams.iter().filter(|(_, stream)| which(stream));
    let slow = |got| Cause::TooSlow { got, seconds };
    all.map(|(id, stream)| (*id, slow(stream.bytes))).collect()
}

/// Connections that did not help, to be given back: those that have brought least.
pub(crate) fn surplus(picture: &Picture) -> Vec<RangeId> {
    let mut all = Vec::new();
    for (id, host) in picture.hosts.iter() {
        let own = |stream: &Stream| stream.host == id && stream.shared.is_none();
        let streams = picture.streams.iter().filter(|(_, stream)| own(stream));
        let mut ours: Vec<(u64, RangeId)> = streams.map(|(id, s)| (s.bytes, *id)).collect();
        ours.sort_unstable();
        let more = host.in_use().saturating_sub(picture.probe.target(id));
        all.extend(ours.into_iter().take(more).map(|(_, id)| id));
    }
    all
}

/// Files that no source can bring.
pub(crate) fn hopeless(picture: &Picture) -> Vec<FileId> {
    let waiting = picture.queue.iter().take(LOOKED_AT);
    let all = picture.open.iter().chain(waiting).copied();
    let hopeless = |id: &FileId| {
        let file = &picture.files[*id];
        file.stage != FileStage::Checking && !file.has_hope(&picture.hosts)
    };
    all.filter(hopeless).collect()
}

#[cfg(test)]
mod tests;
