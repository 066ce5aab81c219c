//! Documents that this program wrote: records are taken over as they stand, unread, and so are the
//! packed blocks in which nothing has changed.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use memchr::memmem;
use rpm_repo::compress::{Ahead, BlockReader, BlockSize, Format, PackedBlock, RECORD_END};

use crate::document::{DocumentPiece, MetadataDocument, NewFile};
use crate::error::{Error, Result};
use crate::repository::Repository;
use crate::state::FinishedRun;

/// Bytes of text read at a time from a file without blocks.
const PIECE: u64 = 256 << 10;

/// The documents of the last run.
#[derive(Debug)]
pub struct OwnDocuments {
    repository: Arc<Repository>,
    /// The blocks of each, in the order of [`MetadataDocument::ALL`].
    blocks: [Vec<BlockSize>; 3],
}

impl OwnDocuments {
    /// The documents of a repository, if they are those that a run wrote.
    pub fn of(repository: &Arc<Repository>, state: &FinishedRun) -> Option<OwnDocuments> {
        let blocks = |document: MetadataDocument| {
            let record = repository.repomd.record(document.kind())?;
            state.blocks(record).map(<[BlockSize]>::to_vec)
        };
        let [primary, filelists, other] = MetadataDocument::ALL;
        Some(OwnDocuments {
            repository: Arc::clone(repository),
            blocks: [blocks(primary)?, blocks(filelists)?, blocks(other)?],
        })
    }

    /// Writes fresh pieces and the records between them that are taken over. False if the run was given
    /// up meanwhile.
    ///
    /// # Errors
    /// [`Error::Damaged`]: a document is not what was written.
    pub(crate) fn write(
        &self,
        document: MetadataDocument,
        pieces: &Receiver<DocumentPiece>,
        file: &mut NewFile,
    ) -> Result<bool> {
        let mut old = OldText::open(self, document)?;
        loop {
            match pieces.recv() {
                Ok(DocumentPiece::Fresh(text)) => file.write(text.as_bytes())?,
                Ok(DocumentPiece::Old(places)) => {
                    old.pass(places.start, None)?;
                    old.pass(places.end, Some(file))?;
                }
                Ok(DocumentPiece::Stop) => break,
                Err(_) => return Ok(false),
            }
        }
        // What is left is read for the checksum.
        while old.next_block()? {}
        Ok(true)
    }
}

enum OldSource {
    Blocks(Box<BlockReader<File>>),
    Stream(Ahead, PackedBlock),
}

/// The text of an old document, and how far it was passed.
struct OldText {
    source: OldSource,
    path: PathBuf,
    /// Offset in the present block.
    at: usize,
    /// Records that ended before `at`.
    place: u64,
    /// The last bytes of the block before: the end of a record may have begun there.
    tail: Vec<u8>,
}

impl OldText {
    /// Opens a document and passes its head, which is two lines.
    fn open(own: &OwnDocuments, document: MetadataDocument) -> Result<OldText> {
        let repository = &own.repository;
        let record = repository.record(document.kind())?;
        let path = repository.file(record);
        let source = if Format::of_name(record.href.file_name()) == Format::Gzip {
            let [primary, filelists, other] = &own.blocks;
            let blocks = match document {
                MetadataDocument::Primary => primary,
                MetadataDocument::Filelists => filelists,
                MetadataDocument::Other => other,
            };
            let reader = repository
                .open_packed(record)
                .and_then(|file| BlockReader::new(file, record.expected(), blocks.clone()));
            OldSource::Blocks(Box::new(reader.map_err(damaged(&path))?))
        } else {
            let (_, stream) = repository.open_record(record)?;
            OldSource::Stream(stream, PackedBlock::default())
        };
        let mut old = OldText {
            source,
            path,
            at: 0,
            place: 0,
            tail: Vec::new(),
        };
        old.next_block()?;
        let lines = memchr::memchr_iter(b'\n', &old.block().text);
        old.at = lines.take(2).last().map_or(0, |end| end + 1);
        Ok(old)
    }

    fn block(&self) -> &PackedBlock {
        match &self.source {
            OldSource::Blocks(reader) => reader.block(),
            OldSource::Stream(_, block) => block,
        }
    }

    /// Goes on to the next block; false behind the last.
    fn next_block(&mut self) -> Result<bool> {
        let text = &self.block().text;
        let from = text
            .len()
            .saturating_sub(RECORD_END.len() - 1)
            .max(self.at.min(text.len()));
        let tail = text.get(from..).unwrap_or_default().to_vec();
        let is_there = match &mut self.source {
            OldSource::Blocks(reader) => reader.next_block(),
            OldSource::Stream(stream, block) => {
                block.text.clear();
                let read = stream.take(PIECE).read_to_end(&mut block.text);
                read.map(|count| count > 0)
            }
        };
        (self.at, self.tail) = (0, tail);
        is_there.map_err(damaged(&self.path))
    }

    /// Goes on to the end of the last record before the place `to`, and writes what it passes.
    fn pass(&mut self, to: u64, mut file: Option<&mut NewFile>) -> Result<()> {
        while self.place < to {
            let from = self.at;
            self.find(to);
            let block = self.block();
            if let Some(file) = &mut file {
                if self.at == block.text.len() {
                    file.write_block(block, from)?;
                } else {
                    file.write(block.text.get(from..self.at).unwrap_or_default())?;
                }
            }
            if self.place < to && !self.next_block()? {
                return Err(Error::Damaged {
                    path: self.path.clone(),
                    what: format!("it has {} packages, not {to}", self.place),
                });
            }
        }
        Ok(())
    }

    /// Moves behind the last record before `to`, or to the end of the block.
    fn find(&mut self, to: u64) {
        while self.place < to {
            match self.record_end() {
                Some(end) => (self.at, self.place) = (end, self.place + 1),
                None => return self.at = self.block().text.len(),
            }
        }
    }

    /// The next end of a record in the block.
    fn record_end(&mut self) -> Option<usize> {
        let tail = std::mem::take(&mut self.tail);
        let text = &self.block().text;
        let head = text.get(..text.len().min(RECORD_END.len() - 1))?;
        if !tail.is_empty()
            && let Some(found) = memmem::find(&[&tail, head].concat(), RECORD_END)
        {
            return Some(found + RECORD_END.len() - tail.len());
        }
        let found = memmem::find(text.get(self.at..)?, RECORD_END)?;
        Some(self.at + found + RECORD_END.len())
    }
}

fn damaged(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |error| Error::Damaged {
        path,
        what: error.to_string(),
    }
}
