//! When nothing is left to ask for: the second half of the request that would take longest.

use std::time::Instant;

use super::{RequestKind, SegmentRequest, others_requests};
use crate::transfer::file::Stream;
use crate::transfer::ids::HostId;
use crate::transfer::picture::Picture;
use crate::transfer::segments::Claim;
use crate::transfer::tuning::segments::{
    REST, REST_LASTS, SEGMENT, STEAL_LASTS, USELESS, USELESS_SHARE,
};

/// Whether a server brings next to nothing while another one brings much more: it takes over no request,
/// least of all its own, from which the other one could take the rest.
pub(crate) fn is_useless(picture: &Picture, host: HostId) -> bool {
    let others = picture.hosts.iter();
    let others = others.filter(|(id, one)| *id != host && one.is_usable());
    let best = others.map(|(_, one)| one.best).fold(0.0, f64::max);
    let ours = picture.each(host);
    ours.is_some_and(|ours| ours < USELESS && ours < best * USELESS_SHARE)
}

/// The request that would take longest: its own time, and what a server could take of it.
struct Longest {
    lasts: f64,
    rest: u64,
    ask: SegmentRequest,
}

/// What a server takes over from a slow request.
pub(crate) fn steal(picture: &Picture, host: HostId, now: Instant) -> Option<SegmentRequest> {
    if picture.hosts[host].no_ranges || is_useless(picture, host) {
        return None;
    }
    let mut best: Option<Longest> = None;
    for (rest, _, claim, stream) in others_requests(picture, host, now) {
        let Some(lasts) = worth(claim, stream, now) else {
            continue;
        };
        if best.as_ref().is_none_or(|longest| lasts > longest.lasts) {
            best = Some(Longest {
                lasts,
                rest: claim.to.saturating_sub(claim.at),
                ask: SegmentRequest {
                    kind: RequestKind::Steal(claim.key),
                    ..rest
                },
            });
        }
    }
    let Longest {
        lasts,
        rest,
        mut ask,
    } = best?;
    let theirs = rest as f64 / lasts.max(0.001);
    let ours = picture.each(host).unwrap_or(theirs);
    let share = (rest as f64 * ours / (ours + theirs).max(1.0)) as u64;
    ask.from = ask.to - share.clamp(REST, rest - REST);
    Some(ask)
}

/// How long a request will still last, if that is worth a second one.
fn worth(claim: &Claim, stream: &Stream, now: Instant) -> Option<f64> {
    let rest = claim.to.saturating_sub(claim.at);
    let lasts = rest as f64 / stream.rate(now)?.max(1.0);
    let large = rest >= 2 * SEGMENT && lasts > STEAL_LASTS;
    (large || rest >= 2 * REST && lasts > REST_LASTS).then_some(lasts)
}

#[cfg(test)]
mod tests;
