//! A file, or the rest of one, as the body of a request.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::stream;
use reqwest::Body;

use crate::limit::Limiter;

/// Bytes of a file that are read and sent at once.
pub(crate) const PIECE: usize = 256 << 10;

/// Where the bytes of a body come from.
pub(crate) struct FileBody {
    /// From where it stands.
    pub(crate) file: File,
    /// Bytes to be sent.
    pub(crate) left: u64,
    /// Not faster than it allows.
    pub(crate) limiter: Option<Arc<Limiter>>,
    /// Bytes per second of that; 0 means no limit.
    pub(crate) throttle: u64,
    /// Counts what has been sent.
    pub(crate) sent: Arc<AtomicU64>,
}

impl From<FileBody> for Body {
    fn from(body: FileBody) -> Self {
        Body::wrap_stream(stream::try_unfold(body, FileBody::next))
    }
}

impl FileBody {
    async fn next(mut self) -> std::io::Result<Option<(Bytes, Self)>> {
        if self.left == 0 {
            return Ok(None);
        }
        // At a low limit the next piece comes before it counts as silence.
        let piece = match self.throttle {
            0 => PIECE,
            rate => usize::try_from(rate.clamp(512, PIECE as u64)).unwrap_or(PIECE),
        };
        let most = usize::try_from(self.left).unwrap_or(piece);
        let mut piece = vec![0; most.min(piece)];
        // That it ended early is seen by whoever counts: the request breaks.
        self.file.read_exact(&mut piece)?;
        if let Some(limiter) = &self.limiter {
            tokio::time::sleep(limiter.charge(piece.len())).await;
        }
        self.left -= piece.len() as u64;
        self.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Ok(Some((piece.into(), self)))
    }
}
