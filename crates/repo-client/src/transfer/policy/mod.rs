//! What is done next, told from the picture alone.
//!
//! | module | what it decides |
//! |---|---|
//! | [`segments`] | which bytes a server is asked for |
//! | [`steal`] | whose request is shortened when nothing is left to ask for |
//! | [`hedge`] | which stalled request is asked once more of someone else |
//! | [`idle`] | which requests are given up |
//! | [`blame`] | who brought wrong bytes |
//! | [`limit`] | which limit was met |
//! | [`probe`] | how many connections a server is worth |
//! | [`turns`] | one source after the other, round after round |

pub(crate) mod blame;
pub(crate) mod hedge;
pub(crate) mod idle;
pub(crate) mod limit;
pub(crate) mod probe;
pub(crate) mod segments;
pub(crate) mod steal;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod turns;

use std::time::Instant;

use super::file::{Stream, WantedFile};
use super::ids::{FileId, HostId, SourceId};
use super::picture::Picture;
use super::segments::Claim;
use super::tuning::segments::REST_LASTS;
use crate::ranges::RangeId;

/// One request to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentRequest {
    pub(crate) file: FileId,
    pub(crate) source: SourceId,
    /// The server of the source.
    pub(crate) host: HostId,
    /// First byte.
    pub(crate) from: u64,
    /// Byte after the last; `u64::MAX` where the size is not known.
    pub(crate) to: u64,
    pub(crate) kind: RequestKind,
}

/// Requests for pieces of files that a server could bring as well, each with the source it has
/// there. Where that source is not known to have the same bytes only a request that lasts counts.
fn others_requests(
    picture: &Picture,
    host: HostId,
    now: Instant,
) -> impl Iterator<Item = (SegmentRequest, &WantedFile, &Claim, &Stream)> {
    let files = picture.shared_files(host, now);
    let files = files.filter(move |(_, file, _)| !limit::is_held_back(picture, file, now));
    files.flat_map(move |(id, file, source)| {
        let known = picture.is_known(file, source);
        file.map.claims().iter().filter_map(move |claim| {
            let stream = picture.streams.get(&claim.key);
            let stream = stream.filter(|stream| stream.sample.is_none())?;
            let old = stream.age(now).as_secs_f64() >= REST_LASTS;
            let rest = SegmentRequest {
                file: id,
                source,
                host,
                from: claim.at,
                to: claim.to,
                kind: RequestKind::Gap,
            };
            (known || claim.source == source || old).then_some((rest, file, claim, stream))
        })
    })
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// Bytes that are missing.
    Gap,
    /// Bytes that are there, to be compared.
    Sample,
    /// Bytes that this request was to bring, which ends before them now.
    Steal(RangeId),
}
