//! One document on its way into the store: compressed, hashed, named by its checksum.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use rpm_pkg::digest::DigestAlgo;
use rpm_repo::compress::{Encoder, Format};
use rpm_repo::layout::Href;
use rpm_repo::repomd::RepomdRecord;

use super::MetadataOrder;
use crate::error::{Error, Result};
use crate::manifest::SnapshotFile;
use crate::store::{HashedFile, digest_text};

/// Bytes of text that are collected before they are compressed.
const BLOCK: usize = 64 << 10;

/// A document being written. gzip: what every client of the last twenty years reads.
pub(super) struct DocumentOutput {
    encoder: Encoder<BufWriter<File>>,
    path: PathBuf,
    kind: String,
    stem: String,
    waiting: String,
}

impl DocumentOutput {
    pub(super) fn create(order: &MetadataOrder<'_>, kind: &str, stem: &str) -> Result<Self> {
        let path = order.work.join(format!("{stem}.gz"));
        let file = File::create(&path).map_err(Error::file(&path, "create"))?;
        let encoder = Encoder::new(BufWriter::new(file), Format::Gzip, DigestAlgo::Sha256)
            .map_err(Error::file(&path, "write"))?;
        Ok(Self {
            encoder,
            path,
            kind: kind.to_owned(),
            stem: stem.to_owned(),
            waiting: String::new(),
        })
    }

    /// Takes the text over and empties it.
    pub(super) fn write(&mut self, text: &mut String) -> Result<()> {
        self.waiting.push_str(text);
        text.clear();
        if self.waiting.len() >= BLOCK {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.encoder
            .write_all(self.waiting.as_bytes())
            .map_err(Error::file(&self.path, "write"))?;
        self.waiting.clear();
        Ok(())
    }

    pub(super) fn finish(
        mut self,
        order: &MetadataOrder<'_>,
    ) -> Result<(RepomdRecord, SnapshotFile)> {
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
        };
        let entry = SnapshotFile {
            path: href,
            size: written.size,
            digest: digest_text(&digest),
            package: None,
        };
        Ok((record, entry))
    }
}
