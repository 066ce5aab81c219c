//! One document on its way into the store: compressed, hashed, named by its checksum.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use rpm_pkg::digest::DigestAlgo;
use rpm_repo::compress::{Encoder, Format};
use rpm_repo::layout::Href;
use rpm_repo::repomd::RepomdRecord;

use super::{MadePart, MetadataOrder};
use crate::error::{Error, Result};
use crate::manifest::SnapshotFile;
use crate::store::HashedFile;

/// Bytes of text that are collected before they are compressed.
const BLOCK: usize = 64 << 10;

/// A document being written. gzip: what every client of the last twenty years reads.
pub(super) struct DocumentOutput {
    encoder: Encoder<BufWriter<File>>,
    path: PathBuf,
    kind: String,
    stem: String,
    /// What is to be written next.
    pub(super) text: String,
    failed: Option<Error>,
}

impl DocumentOutput {
    pub(super) fn create(order: &MetadataOrder<'_>, kind: &str, stem: &str) -> Result<Self> {
        let path = order.work.join(format!("{stem}.gz"));
        let file = File::create_new(&path).map_err(Error::file(&path, "create"))?;
        let encoder = Encoder::new(BufWriter::new(file), Format::Gzip, DigestAlgo::Sha256)
            .map_err(Error::file(&path, "write"))?;
        Ok(Self {
            encoder,
            path,
            kind: kind.to_owned(),
            stem: stem.to_owned(),
            text: String::new(),
            failed: None,
        })
    }

    /// Takes the text over if there is enough of it; the end of the work if it cannot be written.
    pub(super) fn go_on(&mut self) -> ControlFlow<()> {
        if self.text.len() >= BLOCK
            && let Err(error) = self.flush()
        {
            self.failed = Some(error);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Says why [`DocumentOutput::go_on`] ended the work, if it did.
    pub(super) fn check(&mut self) -> Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn flush(&mut self) -> Result<()> {
        self.encoder
            .write_all(self.text.as_bytes())
            .map_err(Error::file(&self.path, "write"))?;
        self.text.clear();
        Ok(())
    }

    /// Ends the document with this text.
    pub(super) fn finish(mut self, order: &MetadataOrder<'_>, end: &str) -> Result<MadePart> {
        self.check()?;
        self.text.push_str(end);
        self.flush()?;
        let path = self.path;
        let (mut out, written) = self.encoder.finish().map_err(Error::file(&path, "write"))?;
        out.flush().map_err(Error::file(&path, "write"))?;
        let digest = written.checksum;
        let href = format!("repodata/{}-{}.gz", digest.hex(), self.stem);
        order.store.adopt(&HashedFile::encoded(path, &written))?;
        let record = RepomdRecord {
            kind: self.kind,
            href: Href::parse(&href)?,
            base: None,
            checksum: Some(digest),
            open_checksum: Some(written.open_checksum),
            size: Some(written.size),
            open_size: Some(written.open_size),
            timestamp: Some(order.now),
            database_version: None,
        };
        Ok((record, SnapshotFile::new(&href, written.size, &digest)))
    }
}
