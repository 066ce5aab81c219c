//! Deltas of metadata: what of a file has changed, so that a client with the old one need not fetch
//! the new one whole. The format stands in `docs/deltas.md`.
//!
//! A delta leads from the packed bytes of one file to the packed bytes of another. Both are opened
//! as streams; the difference is of their text; the result is packed again in the way that gives the new
//! file's bytes exactly. It needs no trust: the result is compared with the checksum of `repomd.xml`,
//! and who meets any trouble fetches the whole file.
//!
//! | module | what it knows |
//! |---|---|
//! | `tokens` | where text is cut |
//! | `chunks` | which stretches of two texts differ |
//! | `ops` | the form of a delta's body |
//! | `header` | its first lines |
//! | `packing` | how a file was packed, found by trying |
//! | `make` `apply` | both directions |
//! | `index` | `repodata/deltas.json`: which deltas there are |

mod apply;
mod chunks;
mod header;
mod index;
mod make;
mod ops;
mod packing;
mod tokens;

pub use crate::compress::Packing;
pub use apply::apply;
pub use header::{DeltaHeader, MAX_HEADER};
pub use index::{INDEX, MAX_INDEX, MAX_OFFERS, Offer, file_name, parse, stem, to_bytes};
pub use make::{DeltaTarget, File, FinishedDelta, make};

use std::io;

/// Largest delta in bytes: one that is larger than this is no gain over any file that may be fetched.
pub const MAX_DELTA: u64 = 256 << 20;
/// Largest zstd window of a delta, as a power of two: 8 MiB, what its level uses.
pub const MAX_WINDOW_LOG: u32 = 23;

/// Why there is no delta, or no file from one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The delta is not in the form that this version knows.
    #[error("not a delta of a known form: {0}")]
    Form(&'static str),
    /// The delta leads to another file.
    #[error("the delta is for another file")]
    OtherFile,
    /// The result is not the file that was asked for.
    #[error("the result of the delta is not the expected file")]
    Differs,
    /// Something is larger than it may be.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The new file's bytes cannot be had by packing its text again.
    #[error("the file was packed in a way that cannot be repeated exactly")]
    NotExact,
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests;
