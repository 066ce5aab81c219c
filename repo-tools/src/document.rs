//! The three documents that list packages: their kinds, and a thread that writes one of them.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use rpm_pkg::digest::DigestAlgo;
use rpm_repo::compress::{Ahead, Encoder, Format, PackedBlock, VerifiedReader, Written};
use rpm_repo::layout::{Href, is_relative_base};
use rpm_repo::primary::ParseSummary;
use rpm_repo::repomd::RepomdRecord;
use rpm_repo::xml::XmlLimits;
use rpm_repo::{filelists, other, primary};
use rustix::fs::OFlags;
use whole_file::Folder;

use crate::error::{Error, Result};
use crate::own::OwnDocuments;
use crate::select::SelectedPackages;
use crate::state::WrittenDocument;

/// Gets a package's checksum, and a function that appends its record.
pub type EachRecord<'e> = dyn FnMut(&str, &dyn Fn(&mut String)) -> ControlFlow<()> + 'e;

/// A document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataDocument {
    /// What packages are, give and need.
    Primary,
    /// All their files.
    Filelists,
    /// Their changelogs.
    Other,
}

impl MetadataDocument {
    /// All, in the order of repomd.xml.
    pub const ALL: [MetadataDocument; 3] = [
        MetadataDocument::Primary,
        MetadataDocument::Filelists,
        MetadataDocument::Other,
    ];

    /// The type of its record.
    pub fn kind(self) -> &'static str {
        match self {
            MetadataDocument::Primary => "primary",
            MetadataDocument::Filelists => "filelists",
            MetadataDocument::Other => "other",
        }
    }

    /// Appends the start of a document of `packages` packages.
    pub fn begin(self, packages: u64, out: &mut String) {
        match self {
            MetadataDocument::Primary => primary::begin(packages, out),
            MetadataDocument::Filelists => filelists::begin(packages, out),
            MetadataDocument::Other => other::begin(packages, out),
        }
    }

    /// The end of a document.
    pub fn end(self) -> &'static str {
        match self {
            MetadataDocument::Primary => primary::END,
            MetadataDocument::Filelists => filelists::END,
            MetadataDocument::Other => other::END,
        }
    }

    /// Calls `each` with the package's checksum and a function that writes its record again; in
    /// primary a package without an `xml:base` gets `base`, and one with a relative one that below `base`.
    pub fn each(
        self,
        name: &str,
        stream: impl Read,
        base: Option<&str>,
        each: &mut EachRecord<'_>,
    ) -> rpm_repo::Result<ParseSummary> {
        let limits = XmlLimits::default();
        match self {
            MetadataDocument::Primary => primary::read(name, stream, &limits, &mut |package| {
                let base = base.and_then(|base| moved_base(package.location_base(), base));
                let location = package.refused_location();
                let write = |out: &mut String| package.write_moved(location, base.as_deref(), out);
                each(package.checksum(), &write)
            }),
            MetadataDocument::Filelists => filelists::read(name, stream, &limits, &mut |package| {
                let write = |out: &mut String| filelists::write_package(package, out);
                each(package.pkgid(), &write)
            }),
            MetadataDocument::Other => other::read(name, stream, &limits, &mut |package| {
                let write = |out: &mut String| other::write_package(package, out);
                each(package.pkgid(), &write)
            }),
        }
    }
}

/// What was read of the document at `path`, if all of it can be used.
///
/// # Errors
/// [`Error::Damaged`]: something was left out.
pub(crate) fn whole(path: &str, summary: ParseSummary) -> Result<ParseSummary> {
    match &summary.left_out {
        None => Ok(summary),
        Some(left_out) => Err(Error::Damaged {
            path: path.into(),
            what: left_out.to_string(),
        }),
    }
}

/// The base of a package whose repository lies at `base`; none if its own stays.
fn moved_base<'b>(own: Option<&str>, base: &'b str) -> Option<Cow<'b, str>> {
    let Some(own) = own else {
        return Some(Cow::Borrowed(base));
    };
    // Only repositories on this machine are read here.
    if !is_relative_base(own, "file:///") {
        return None;
    }
    // `scheme:`, an empty part and the server stay.
    let mut parts: Vec<&str> = base.trim_end_matches('/').split('/').collect();
    for part in own.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.len() > 3 => drop(parts.pop()),
            ".." => {}
            part => parts.push(part),
        }
    }
    Some(Cow::Owned(parts.join("/")))
}

/// How files of repodata are made.
#[derive(Debug, Clone)]
pub struct FileStyle {
    /// The new repodata.
    pub dir: Folder,
    /// Compression.
    pub format: Format,
    /// Checksum in repomd.xml.
    pub checksum: DigestAlgo,
    /// Whether file names begin with the checksum.
    pub unique_names: bool,
    /// Timestamp of the record.
    pub timestamp: u64,
}

/// The compression that createrepo_c's options call `name`.
pub fn format(name: &str) -> Result<Format> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "gz" | "gzip" => Format::Gzip,
        "xz" => Format::Xz,
        "zst" | "zstd" => Format::Zstd,
        "bz2" | "bzip2" => Format::Bzip2,
        "none" => Format::Plain,
        _ => {
            return Err(Error::Usage(format!(
                "unknown compression {name}: gz, xz, zst, bz2 or none"
            )));
        }
    })
}

/// One file of repodata in the making.
pub struct NewFile {
    encoder: Encoder<BufWriter<File>>,
    /// Its name until it is finished.
    name: String,
    /// Where that is, for messages.
    path: PathBuf,
    kind: String,
    style: FileStyle,
}

impl NewFile {
    /// Starts the file of a record called `kind`; `stem` is its name without checksum and suffix.
    pub fn create(kind: &str, stem: &str, style: &FileStyle) -> Result<NewFile> {
        let name = format!("{stem}{}", style.format.suffix());
        let path = style.dir.path().join(&name);
        let file = style.dir.create_new(Path::new(&name));
        let file = file.map_err(Error::file(&path, "create"))?;
        let encoder = Encoder::new(BufWriter::new(file), style.format, style.checksum)
            .map_err(Error::file(&path, "write"))?;
        Ok(NewFile {
            encoder,
            name,
            path,
            kind: kind.to_owned(),
            style: style.clone(),
        })
    }

    /// Starts a document of `packages` packages.
    pub fn of_packages(
        document: MetadataDocument,
        packages: u64,
        style: &FileStyle,
    ) -> Result<NewFile> {
        let mut file =
            NewFile::create(document.kind(), &format!("{}.xml", document.kind()), style)?;
        let mut text = String::new();
        document.begin(packages, &mut text);
        file.write(text.as_bytes())?;
        Ok(file)
    }

    /// Adds everything that `stream` has to give, which was opened at `from`.
    pub fn copy(&mut self, stream: &mut impl Read, from: &Path) -> Result<()> {
        let mut block = vec![0; 64 << 10];
        loop {
            let count = stream.read(&mut block).map_err(Error::file(from, "read"))?;
            let Some(piece) = block.get(..count).filter(|piece| !piece.is_empty()) else {
                return Ok(());
            };
            self.write(piece)?;
        }
    }

    /// Adds text.
    pub fn write(&mut self, data: &[u8]) -> Result<()> {
        self.encoder
            .write_all(data)
            .map_err(Error::file(&self.path, "write"))
    }

    /// Adds the text of a block of an older file from `at` on.
    pub fn write_block(&mut self, block: &PackedBlock, at: usize) -> Result<()> {
        self.encoder
            .write_block(block, at)
            .map_err(Error::file(&self.path, "write"))
    }

    /// Ends the file, gives it its name and describes it.
    pub fn finish(self) -> Result<RepomdRecord> {
        self.finish_document().map(|(record, _)| record)
    }

    /// [`NewFile::finish`] of a document that the next run takes over.
    fn finish_document(self) -> Result<FinishedDocument> {
        let (path, plain) = (self.path, self.name);
        let (mut out, written) = self.encoder.finish().map_err(Error::file(&path, "write"))?;
        out.flush().map_err(Error::file(&path, "write"))?;
        let name = if self.style.unique_names {
            format!("{}-{plain}", written.checksum.hex())
        } else {
            plain.clone()
        };
        let dir = &self.style.dir;
        dir.rename(Path::new(&plain), dir, Path::new(&name))
            .map_err(Error::file(dir.path().join(&name), "create"))?;
        let record = record(self.kind, &name, &written, &self.style)?;
        let (blocks, taken) = (written.blocks.sizes, written.blocks.taken);
        tracing::debug!(kind = record.kind, blocks = blocks.len(), taken, "written");
        let checksum = written.checksum.to_string();
        Ok((record, WrittenDocument { checksum, blocks }))
    }
}

/// What repomd.xml, and what the state of the run says of it.
pub type FinishedDocument = (RepomdRecord, WrittenDocument);

fn record(kind: String, name: &str, written: &Written, style: &FileStyle) -> Result<RepomdRecord> {
    let open = style.format != Format::Plain;
    Ok(RepomdRecord {
        kind,
        href: Href::parse(&format!("{}/{name}", crate::stage::REPODATA))?,
        base: None,
        checksum: Some(written.checksum),
        open_checksum: open.then_some(written.open_checksum),
        size: Some(written.size),
        open_size: open.then_some(written.open_size),
        timestamp: Some(style.timestamp),
        database_version: None,
    })
}

/// One piece of a document, in order.
#[derive(Debug)]
pub enum DocumentPiece {
    /// The records of packages that were read now.
    Fresh(String),
    /// The next records of the old document that are kept, by their places.
    Old(Range<u64>),
    /// Nothing more is needed.
    Stop,
}

/// The documents that records are taken over from.
#[derive(Debug)]
pub enum OldDocuments {
    /// Of any origin: each record is read, and written in the form that it has here.
    Foreign(SelectedPackages),
    /// Those that the last run wrote.
    Own(OwnDocuments),
}

/// Writes a document from its pieces; `packages` is their number.
///
/// # Errors
/// Writing fails; the old document is not what it should be ([`Error::Damaged`], also for what its
/// checksum or its syntax says).
pub fn write(
    document: MetadataDocument,
    packages: u64,
    old: Option<&OldDocuments>,
    pieces: &Receiver<DocumentPiece>,
    style: &FileStyle,
) -> Result<Option<FinishedDocument>> {
    let mut file = NewFile::of_packages(document, packages, style)?;
    let goes_on = match old {
        Some(OldDocuments::Own(own)) => own.write(document, pieces, &mut file)?,
        Some(OldDocuments::Foreign(old)) => {
            write_old(document, old, pieces, &mut file)? && write_fresh(pieces, &mut file)?
        }
        None => write_fresh(pieces, &mut file)?,
    };
    if !goes_on {
        return Ok(None);
    }
    file.write(document.end().as_bytes())?;
    file.finish_document().map(Some)
}

/// Writes what there is when all that is kept was written. False if the run was given up meanwhile.
fn write_fresh(pieces: &Receiver<DocumentPiece>, file: &mut NewFile) -> Result<bool> {
    loop {
        match pieces.recv() {
            Ok(DocumentPiece::Fresh(text)) => file.write(text.as_bytes())?,
            Ok(DocumentPiece::Stop) => return Ok(true),
            // More of what is kept is nobody's piece.
            Ok(DocumentPiece::Old(_)) | Err(_) => return Ok(false),
        }
    }
}

/// Runs through the old document and writes fresh pieces between its kept records. False if the
/// run was given up meanwhile.
fn write_old(
    document: MetadataDocument,
    old: &SelectedPackages,
    pieces: &Receiver<DocumentPiece>,
    file: &mut NewFile,
) -> Result<bool> {
    let mut text = String::new();
    let mut kept = 0..0;
    let flow = old.records(document, &mut |write| {
        while kept.next().is_none() {
            match pieces.recv() {
                Ok(DocumentPiece::Fresh(fresh)) => file.write(fresh.as_bytes())?,
                Ok(DocumentPiece::Old(places)) => kept = places,
                Ok(DocumentPiece::Stop) | Err(_) => return Ok(false),
            }
        }
        text.clear();
        write(&mut text);
        file.write(text.as_bytes())?;
        Ok(true)
    });
    flow.map_err(|error| match error {
        Error::Metadata(error) => Error::Damaged {
            path: old.repository.dir.clone(),
            what: error.to_string(),
        },
        error => error,
    })
}

/// Writes a document again with another number of packages in its head.
pub fn recount(
    document: MetadataDocument,
    record: &RepomdRecord,
    packages: u64,
    style: &FileStyle,
) -> Result<FinishedDocument> {
    let name = Path::new(record.href.file_name());
    let aside = PathBuf::from(format!("{}.aside", document.kind()));
    let path = style.dir.path().join(&aside);
    let moved = style.dir.rename(name, &style.dir, &aside);
    moved.map_err(Error::file(&path, "create"))?;
    let mut stream = open_file(&style.dir, &aside, record)?;
    let mut file = NewFile::of_packages(document, packages, style)?;
    skip_head(&mut stream, &path)?;
    file.copy(&mut stream, &path)?;
    let gone = style.dir.remove(&aside);
    gone.map_err(Error::file(&path, "remove"))?;
    file.finish_document()
}

/// The head that this program writes is two lines.
fn skip_head(stream: &mut impl Read, path: &Path) -> Result<()> {
    let mut byte = [0];
    for _ in 0..2 {
        while byte != [b'\n'] {
            stream
                .read_exact(&mut byte)
                .map_err(Error::file(path, "read"))?;
        }
        byte = [0];
    }
    Ok(())
}

/// Opens a file of repodata, checked against its record while it is read.
pub fn open_file(folder: &Folder, below: &Path, record: &RepomdRecord) -> Result<Ahead> {
    let path = folder.path().join(below);
    let (folder, below, expected) = (folder.clone(), below.to_owned(), record.expected());
    let name = record.href.file_name().to_owned();
    let open = move || {
        let file = folder.file(&below, OFlags::RDONLY)?;
        VerifiedReader::new(file, &name, expected)
    };
    Ahead::spawn(open).map_err(Error::file(path, "read"))
}
