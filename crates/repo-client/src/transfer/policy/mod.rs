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
#[cfg(test)]
pub(crate) mod stage;
pub(crate) mod steal;
pub(crate) mod turns;

use super::ids::{FileId, HostId, SourceId};
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
