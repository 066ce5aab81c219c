//! Reading one package file: headers, checksum, records.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use rpm_pkg::digest::{Digest, DigestAlgo};
use rpm_pkg::header::tag;
use rpm_pkg::package::Package;
use rpm_repo::compress::HashingReader;
use rpm_repo::filelists::{self, FilelistsPackage};
use rpm_repo::other::{self, OtherPackage};
use rpm_repo::primary::{self, FileFacts, PrimaryPackage};
use rustix::fs::OFlags;
use whole_file::Stamp;

use crate::cache;
use crate::error::PackageFault;

/// Bytes read at a time.
const BLOCK: usize = 128 << 10;

/// How packages are turned into records.
#[derive(Debug, Clone)]
pub struct RecordStyle {
    /// Checksum of package files.
    pub checksum: DigestAlgo,
    /// `xml:base` of every location.
    pub base: Option<String>,
    /// Most changelog entries per package.
    pub changelogs: usize,
    /// Where checksums of package files are kept, if anywhere.
    pub cache: Option<PathBuf>,
}

/// What is to be remembered of a package that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// The file's state at reading.
    pub stamp: Stamp,
    /// What it is.
    pub identity: PackageIdentity,
}

/// Two hashes by which a package is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageIdentity {
    /// Of the full name.
    pub name: u64,
    /// Of the file's checksum in hexadecimal.
    pub checksum: u64,
}

/// One worker's reusable memory.
#[derive(Default)]
pub struct PackageReader {
    primary: PrimaryPackage,
    filelists: FilelistsPackage,
    other: OtherPackage,
    block: Vec<u8>,
}

type HashingFile = HashingReader<BufReader<File>>;

impl PackageReader {
    /// Reads the package at `path`, which metadata call `href`, and appends its records to `texts`:
    /// those for primary, filelists and other. `time` stands for the file's modification time, if
    /// given. Returns what is to be remembered, and the file's checksum.
    ///
    /// # Errors
    /// Headers that rpm would refuse or whose digests differ; a file shorter than its signature
    /// header says; a file that changed meanwhile; names and texts that no client takes. Then nothing was appended.
    pub fn read(
        &mut self,
        path: &Path,
        href: &str,
        style: &RecordStyle,
        time: Option<u64>,
        texts: &mut [String; 3],
    ) -> Result<(Noted, Digest), PackageFault> {
        let (file, about) = whole_file::open_named(path, OFlags::RDONLY)?;
        let before = Stamp::of(&about);
        let buffered = BufReader::with_capacity(BLOCK, file);
        let stream = HashingReader::new(buffered, Some(style.checksum));
        let mut package = Package::open(stream)?;
        let headers = package.verify_header_digests()?;
        check_length(&package, before.size)?;
        let cached = style.cache.as_ref();
        let cached =
            cached.and_then(|dir| cache::place(dir, path, &before, &headers, style.checksum));
        let known = cached
            .as_ref()
            .and_then(|place| cache::get(place, style.checksum));
        let checksum = match known {
            Some(known) => known,
            None => self.checksum(package.reader_mut(), &before)?,
        };
        if let Some(place) = cached.filter(|_| known.is_none()) {
            cache::put(&place, &checksum);
        }
        let facts = FileFacts {
            location: href,
            base: style.base.as_deref(),
            time: time.unwrap_or_else(|| before.time()),
            size: before.size,
            checksum,
        };
        let hex = facts.checksum.hex();
        self.records(&package, &facts, &hex, style.changelogs, texts)?;
        let identity = PackageIdentity {
            name: crate::hash(&package.nevra().to_string()),
            checksum: crate::hash(&hex),
        };
        let stamp = before;
        Ok((Noted { stamp, identity }, checksum))
    }

    /// Reads the file to its end; its checksum.
    fn checksum(
        &mut self,
        stream: &mut HashingFile,
        before: &Stamp,
    ) -> Result<Digest, PackageFault> {
        self.drain(stream)?;
        let read = stream.count();
        let checksum = stream.take_digest();
        let after = Stamp::of(&stream.stream_mut().get_ref().metadata()?);
        if read != before.size || after.size != before.size || after.mtime != before.mtime {
            return Err(PackageFault::Changed);
        }
        checksum.ok_or(PackageFault::Changed)
    }

    fn drain(&mut self, stream: &mut HashingFile) -> io::Result<()> {
        self.block.resize(BLOCK, 0);
        while stream.read(&mut self.block)? > 0 {}
        Ok(())
    }

    fn records(
        &mut self,
        package: &Package<HashingFile>,
        facts: &FileFacts<'_>,
        checksum: &str,
        changelogs: usize,
        texts: &mut [String; 3],
    ) -> Result<(), PackageFault> {
        let [primary, filelists, other] = texts;
        self.primary.fill(package, facts);
        self.filelists.fill(&package.header, checksum);
        self.other.fill(&package.header, checksum, changelogs);
        let faults = [
            self.primary.fault(),
            self.filelists.fault(),
            self.other.fault(),
        ];
        let first = faults.into_iter().flatten().next();
        if let Some(what) = first {
            return Err(PackageFault::Record(what));
        }
        primary::write_package(&self.primary, primary);
        filelists::write_package(&self.filelists, filelists);
        other::write_package(&self.other, other);
        Ok(())
    }
}

/// The signature header says how long header and payload are together.
fn check_length<R: Read>(package: &Package<R>, found: u64) -> Result<(), PackageFault> {
    let sizes = [tag::LONGSIGSIZE, tag::SIG_SIZE];
    let size = sizes.iter().find_map(|t| package.signature.uint(*t));
    let Some(expected) = size.and_then(|size| size.checked_add(package.header_range().start))
    else {
        return Ok(());
    };
    if found < expected {
        return Err(PackageFault::Truncated { expected, found });
    }
    Ok(())
}
