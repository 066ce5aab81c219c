//! The three documents that list packages: their kinds, and a thread that writes one of them.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rpm_pkg::digest::DigestAlgo;
use rpm_repo::compress::{Ahead, Encoder, Format, VerifiedReader, Written};
use rpm_repo::layout::Href;
use rpm_repo::repomd::RepomdRecord;
use rpm_repo::xml::XmlLimits;
use rpm_repo::{filelists, other, primary};

use crate::error::{Error, Result};
use crate::repository::Repository;

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
    /// primary a package without an `xml:base` gets `base`.
    pub fn each(
        self,
        name: &str,
        stream: impl Read,
        base: Option<&str>,
        each: &mut EachRecord<'_>,
    ) -> rpm_repo::Result<rpm_repo::primary::ParseSummary> {
        let limits = XmlLimits::default();
        match self {
            MetadataDocument::Primary => primary::read(name, stream, &limits, &mut |package| {
                let base = base.filter(|_| package.location_base().is_none());
                let location = package.refused_location();
                let write = |out: &mut String| package.write_moved(location, base, out);
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

/// How files of repodata are made.
#[derive(Debug, Clone)]
pub struct FileStyle {
    /// The new repodata.
    pub dir: PathBuf,
    /// Compression.
    pub format: Format,
    /// Checksum in repomd.xml.
    pub checksum: DigestAlgo,
    /// Whether file names begin with the checksum.
    pub unique_names: bool,
    /// Timestamp of the record.
    pub timestamp: u64,
}

/// The end of a file's name in a compression.
pub fn suffix(format: Format) -> &'static str {
    match format {
        Format::Gzip => ".gz",
        Format::Xz => ".xz",
        Format::Zstd => ".zst",
        Format::Bzip2 => ".bz2",
        _ => "",
    }
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
    path: PathBuf,
    kind: String,
    style: FileStyle,
}

impl NewFile {
    /// Starts the file of a record called `kind`; `stem` is its name without checksum and suffix.
    pub fn create(kind: &str, stem: &str, style: &FileStyle) -> Result<NewFile> {
        let path = style.dir.join(format!("{stem}{}", suffix(style.format)));
        let file = File::create(&path).map_err(Error::file(&path, "create"))?;
        let encoder = Encoder::new(BufWriter::new(file), style.format, style.checksum)
            .map_err(Error::file(&path, "write"))?;
        Ok(NewFile {
            encoder,
            path,
            kind: kind.to_owned(),
            style: style.clone(),
        })
    }

    /// Adds text.
    pub fn write(&mut self, data: &[u8]) -> Result<()> {
        self.encoder
            .write_all(data)
            .map_err(Error::file(&self.path, "write"))
    }

    /// Ends the file, gives it its name and describes it.
    pub fn finish(self) -> Result<RepomdRecord> {
        let path = self.path;
        let (mut out, written) = self.encoder.finish().map_err(Error::file(&path, "write"))?;
        out.flush().map_err(Error::file(&path, "write"))?;
        let plain = path.file_name().unwrap_or_default().to_string_lossy();
        let name = if self.style.unique_names {
            format!("{}-{plain}", written.checksum.hex())
        } else {
            plain.into_owned()
        };
        let named = self.style.dir.join(&name);
        std::fs::rename(&path, &named).map_err(Error::file(&named, "create"))?;
        record(self.kind, &name, &written, &self.style)
    }
}

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
    })
}

/// One piece of a document, in order.
#[derive(Debug)]
pub enum DocumentPiece {
    /// The records of packages that were read now.
    Fresh(String),
    /// The record that stands at this place of the old document.
    Old(u64),
    /// Nothing more is needed.
    Stop,
}

/// Old metadata whose records are taken over.
#[derive(Debug, Clone)]
pub struct OldRecords {
    /// The repository.
    pub repository: Arc<Repository>,
    /// Which places are taken over, ascending.
    pub kept: Arc<Vec<u64>>,
    /// The checksum of each kept package.
    pub checksums: Arc<Vec<String>>,
}

/// Writes a document from its pieces; `packages` is their number.
///
/// # Errors
/// Writing fails; the old document is not what it should be ([`Error::Damaged`], also for what its
/// checksum or its syntax says).
pub fn write(
    document: MetadataDocument,
    packages: u64,
    old: Option<&OldRecords>,
    pieces: &Receiver<DocumentPiece>,
    style: &FileStyle,
) -> Result<Option<RepomdRecord>> {
    let mut file = NewFile::create(document.kind(), &format!("{}.xml", document.kind()), style)?;
    let mut text = String::new();
    document.begin(packages, &mut text);
    file.write(text.as_bytes())?;
    if let Some(old) = old
        && !write_old(document, old, pieces, &mut file)?
    {
        return Ok(None);
    }
    loop {
        match pieces.recv() {
            Ok(DocumentPiece::Fresh(text)) => file.write(text.as_bytes())?,
            Ok(DocumentPiece::Old(place)) => return Err(missing(document, old, place)),
            Ok(DocumentPiece::Stop) => break,
            Err(_) => return Ok(None),
        }
    }
    file.write(document.end().as_bytes())?;
    file.finish().map(Some)
}

fn missing(document: MetadataDocument, old: Option<&OldRecords>, place: u64) -> Error {
    let path = old
        .map(|old| old.repository.dir.clone())
        .unwrap_or_default();
    let what = format!("{} ends before package {place}", document.kind());
    Error::Damaged { path, what }
}

/// Runs through the old document and writes fresh pieces between its kept records. False if the
/// run was given up meanwhile.
fn write_old(
    document: MetadataDocument,
    old: &OldRecords,
    pieces: &Receiver<DocumentPiece>,
    file: &mut NewFile,
) -> Result<bool> {
    let mut place = 0_u64;
    let mut kept = old.kept.iter().zip(old.checksums.iter()).peekable();
    let mut stopped: Option<Result<bool>> = None;
    let mut text = String::new();
    let (name, stream) = old.repository.open_kind(document.kind())?;
    let summary = document.each(&name, stream, None, &mut |checksum, write| {
        let here = place;
        place += 1;
        let Some((_, expected)) = kept.next_if(|(kept, _)| **kept == here) else {
            return ControlFlow::Continue(());
        };
        if expected != checksum {
            let what = format!("package {here} of {name} is not that of primary");
            let path = old.repository.dir.clone();
            stopped = Some(Err(Error::Damaged { path, what }));
            return ControlFlow::Break(());
        }
        loop {
            text.clear();
            let done = match pieces.recv() {
                Ok(DocumentPiece::Fresh(fresh)) => {
                    text = fresh;
                    false
                }
                Ok(DocumentPiece::Old(_)) => {
                    write(&mut text);
                    true
                }
                Ok(DocumentPiece::Stop) | Err(_) => {
                    stopped = Some(Ok(false));
                    return ControlFlow::Break(());
                }
            };
            if let Err(error) = file.write(text.as_bytes()) {
                stopped = Some(Err(error));
                return ControlFlow::Break(());
            }
            if done {
                return ControlFlow::Continue(());
            }
        }
    });
    match (stopped, summary) {
        (Some(outcome), _) => outcome,
        (None, Ok(_)) => Ok(true),
        (None, Err(error)) => Err(Error::Damaged {
            path: old.repository.dir.clone(),
            what: error.to_string(),
        }),
    }
}

/// Writes a document again with another number of packages in its head.
pub fn recount(
    document: MetadataDocument,
    record: &RepomdRecord,
    packages: u64,
    style: &FileStyle,
) -> Result<RepomdRecord> {
    let path = style.dir.join(record.href.file_name());
    let aside = style.dir.join(format!("{}.aside", document.kind()));
    std::fs::rename(&path, &aside).map_err(Error::file(&aside, "create"))?;
    let name = record.href.file_name();
    let mut stream = open_file(&aside, name, record)?;
    let mut file = NewFile::create(document.kind(), &format!("{}.xml", document.kind()), style)?;
    let mut text = String::new();
    document.begin(packages, &mut text);
    file.write(text.as_bytes())?;
    skip_head(&mut stream, &aside)?;
    let mut block = vec![0; 64 << 10];
    loop {
        let count = stream
            .read(&mut block)
            .map_err(Error::file(&aside, "read"))?;
        if count == 0 {
            break;
        }
        file.write(block.get(..count).unwrap_or_default())?;
    }
    std::fs::remove_file(&aside).map_err(Error::file(&aside, "remove"))?;
    file.finish()
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
pub fn open_file(path: &Path, name: &str, record: &RepomdRecord) -> Result<Ahead> {
    let (file, name, expected) = (path.to_owned(), name.to_owned(), record.expected());
    Ahead::spawn(move || VerifiedReader::new(File::open(file)?, &name, expected))
        .map_err(Error::file(path, "read"))
}
