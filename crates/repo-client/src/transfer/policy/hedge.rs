//! The rest of a request that stalls, asked once more of someone else.

use std::time::Instant;

use super::steal::is_useless;
use super::{SegmentRequest, others_requests};
use crate::transfer::file::{Stream, WantedFile};
use crate::transfer::ids::HostId;
use crate::transfer::picture::Picture;
use crate::transfer::segments::Claim;
use crate::transfer::tuning::segments::{LOSSY_STALLS, REST_LASTS, STALLS, USELESS};

/// What a server brings a second time.
pub(crate) fn hedge(picture: &Picture, host: HostId, now: Instant) -> Option<SegmentRequest> {
    if picture.hosts[host].no_ranges || is_useless(picture, host) {
        return None;
    }
    let mut others = others_requests(picture, host, now);
    others.find_map(|(rest, file, claim, stream)| {
        // Over the same connection it would come no sooner.
        let same = stream.shared.is_some() && stream.host == host;
        if same || claim.at >= claim.to || is_twice(file, claim) {
            return None;
        }
        let late = is_late(picture, host, claim, stream, now);
        let (from, to) = file.map.missing(claim.at, claim.to).filter(|_| late)?;
        Some(SegmentRequest { from, to, ..rest })
    })
}

/// Whether another request is to bring some of the same bytes.
fn is_twice(file: &WantedFile, claim: &Claim) -> bool {
    let mut others = file.map.claims().iter();
    others.any(|other| other.key != claim.key && other.at < claim.to && claim.at < other.to)
}

/// Whether a request stalls, or would last so long that another server is sooner.
fn is_late(picture: &Picture, host: HostId, claim: &Claim, stream: &Stream, now: Instant) -> bool {
    let stalls = if picture.probe.is_lossy() {
        LOSSY_STALLS
    } else {
        STALLS
    };
    if now.duration_since(stream.last).as_secs_f64() > stalls {
        return true;
    }
    // Next to nothing is late whoever else comes, also one of whom nothing is known.
    let drips = stream.rate(now).is_some_and(|rate| rate < USELESS);
    if drips && stream.host != host && stream.age(now).as_secs_f64() > REST_LASTS {
        return true;
    }
    let rest = (claim.to - claim.at) as f64;
    let rates = stream.rate(now).zip(picture.each(host));
    stream.host != host
        && rates.is_some_and(|(theirs, ours)| {
            rest / theirs.max(1.0) > REST_LASTS + 3.0 * rest / ours.max(1.0)
        })
}

#[cfg(test)]
mod tests;
