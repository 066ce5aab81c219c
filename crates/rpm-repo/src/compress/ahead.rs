//! Reading ahead in a thread: decompression and hashing beside parsing.

use std::io::{self, Cursor, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Bytes in one block.
pub(super) const BLOCK: usize = 256 << 10;
/// Blocks on their way at most; with one on each side this is 1 MiB of memory.
const BLOCKS: usize = 2;

/// A reader whose source is read by a thread of its own. Errors arrive where they happened; the end
/// is only reported if the source reported it. Dropping it stops the thread at its next block.
pub struct Ahead {
    full: Option<Receiver<io::Result<Vec<u8>>>>,
    empty: SyncSender<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
    block: Cursor<Vec<u8>>,
    ended: bool,
}

impl Ahead {
    /// Starts the thread. `open` makes the source there, so that the source need not be [`Send`].
    /// Errors: the thread cannot be started.
    pub fn spawn<R: Read, F>(open: F) -> io::Result<Ahead>
    where
        F: FnOnce() -> io::Result<R> + Send + 'static,
    {
        let (send_full, full) = sync_channel(BLOCKS);
        let (empty, take_empty) = sync_channel(BLOCKS + 2);
        let thread = std::thread::Builder::new()
            .name("decompress".to_owned())
            .spawn(move || run(open, &send_full, &take_empty))
            .map_err(|e| io::Error::new(e.kind(), format!("no thread to decompress it: {e}")))?;
        Ok(Ahead {
            full: Some(full),
            empty,
            thread: Some(thread),
            block: Cursor::default(),
            ended: false,
        })
    }

    fn next_block(&mut self) -> io::Result<()> {
        let used = std::mem::take(&mut self.block).into_inner();
        if used.capacity() > 0 {
            // The thread may have ended: then the block is not needed.
            let _ = self.empty.try_send(used);
        }
        let received = self.full.as_ref().and_then(|full| full.recv().ok());
        match received {
            Some(Ok(block)) => {
                self.ended = block.is_empty();
                self.block = Cursor::new(block);
                Ok(())
            }
            Some(Err(error)) => Err(error),
            None => Err(io::Error::other("the reading thread ended early")),
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.block.read(out)?;
            if count > 0 || self.ended || out.is_empty() {
                return Ok(count);
            }
            self.next_block()?;
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.full = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was already reported as an error of the stream.
            let _ = thread.join();
        }
    }
}

/// The thread: an empty block is the end, an error is the last thing sent.
fn run<R: Read>(
    open: impl FnOnce() -> io::Result<R>,
    full: &SyncSender<io::Result<Vec<u8>>>,
    empty: &Receiver<Vec<u8>>,
) {
    let mut source = match open() {
        Ok(source) => source,
        Err(error) => return drop(full.send(Err(error))),
    };
    loop {
        let mut block = empty
            .try_recv()
            .unwrap_or_else(|_| Vec::with_capacity(BLOCK));
        block.clear();
        let filled = (&mut source).take(BLOCK as u64).read_to_end(&mut block);
        let is_last = matches!(filled, Err(_) | Ok(0));
        if full.send(filled.map(|_| block)).is_err() || is_last {
            return;
        }
    }
}
