//! A connection that does not wait forever: a client that takes no byte for too long is dropped, and what was to be
//! sent to it with it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::room::Place;

/// How long a client may take no byte, or an idle connection may stay open.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The connection.
pub(super) struct Patient {
    inner: TcpStream,
    place: Place,
    clock: Pin<Box<Sleep>>,
    /// The client does not take what is sent.
    stuck: bool,
}

impl Patient {
    pub(super) fn new(inner: TcpStream, place: Place) -> Self {
        Self {
            inner,
            place,
            clock: Box::pin(sleep(PATIENCE)),
            stuck: false,
        }
    }

    /// Lets the outcome of a write through.
    fn taken<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.stuck = poll.is_pending();
        if poll.is_ready() {
            self.place.took();
        }
        self.timed(cx, poll)
    }

    /// Lets an outcome through and winds the clock; while there is none the clock runs.
    fn timed<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.clock.as_mut().reset(Instant::now() + PATIENCE);
            return poll;
        }
        match self.clock.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        if self.stuck {
            // Otherwise the kernel keeps what was not taken, for minutes.
            let _ = self.inner.set_zero_linger();
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_read(cx, buffer);
        self.timed(cx, poll)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, data);
        self.taken(cx, poll)
    }

    /// Without it every buffer would be copied behind the head.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(cx, data);
        self.taken(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
