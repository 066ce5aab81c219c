//! Reading ahead in a thread: decompression and hashing beside parsing.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Bytes in one block.
pub const BLOCK: usize = 256 << 10;
/// Blocks on their way at most; with one on each side this is 1 MiB of memory.
const BLOCKS: usize = 2;

/// A reader whose source is read by a thread of its own. Errors arrive where they happened; the end
/// is only reported if the source reported it. Dropping it stops the thread at its next block.
pub struct Ahead {
    full: Option<Receiver<io::Result<AheadBlock>>>,
    empty: SyncSender<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
    block: AheadBlock,
    position: usize,
    ended: bool,
}

#[derive(Default)]
struct AheadBlock {
    bytes: Vec<u8>,
    length: usize,
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
            block: AheadBlock::default(),
            position: 0,
            ended: false,
        })
    }

    fn next_block(&mut self) -> io::Result<()> {
        let used = std::mem::take(&mut self.block.bytes);
        if !used.is_empty() {
            // The thread may have ended: then the block is not needed.
            let _ = self.empty.try_send(used);
        }
        self.position = 0;
        self.block.length = 0;
        let received = self.full.as_ref().and_then(|full| full.recv().ok());
        match received {
            Some(Ok(block)) => {
                self.ended = block.length == 0;
                self.block = block;
                Ok(())
            }
            Some(Err(error)) => Err(error),
            None => Err(io::Error::other("the reading thread ended early")),
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.block.length {
            if self.ended || out.is_empty() {
                return Ok(0);
            }
            self.next_block()?;
        }
        let left = self
            .block
            .bytes
            .get(self.position..self.block.length)
            .unwrap_or_default();
        let count = (&mut { left }).read(out)?;
        self.position += count;
        Ok(count)
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
    full: &SyncSender<io::Result<AheadBlock>>,
    empty: &Receiver<Vec<u8>>,
) {
    let mut source = match open() {
        Ok(source) => source,
        Err(error) => return drop(full.send(Err(error))),
    };
    loop {
        let bytes = empty.try_recv().unwrap_or_else(|_| vec![0; BLOCK]);
        let filled = fill(&mut source, bytes);
        let last = filled.as_ref().map_or(true, |block| block.length == 0);
        if full.send(filled).is_err() || last {
            return;
        }
    }
}

/// Fills a block as far as the source goes.
fn fill(source: &mut impl Read, mut bytes: Vec<u8>) -> io::Result<AheadBlock> {
    let mut length = 0;
    while let Some(space) = bytes.get_mut(length..).filter(|space| !space.is_empty()) {
        match source.read(space) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(AheadBlock { bytes, length })
}
