//! What the last run left to know: which files it saw in which state, with which options.
//!
//! A text file beside the lock. It only ever saves work: without it, or when the repository was
//! copied to another place or changed by another program, files are compared by size and
//! modification time with what primary says, as createrepo does it. With it a change that kept both
//! is seen too, by the time of change and the inode.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rpm_repo::compress::BlockSize;
use rpm_repo::repomd::RepomdRecord;
use whole_file::Stamp;

use crate::package::{Noted, PackageIdentity};
use crate::scan::PackageFile;

/// The first line; another number is another form of the file, which is not read, or of the documents:
/// records and blocks of another form are never taken over as they stand.
const HEAD: &str = "repo-tools state 2";

/// The state of a finished run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FinishedRun {
    /// SHA-256 of the repomd.xml that the run published.
    pub repomd: String,
    /// Everything but the tree that decides what metadata look like, in one line.
    pub options: String,
    /// Device and inode of the directory of packages.
    pub place: (u64, u64),
    /// Files of older repodata that are still there, youngest generation first.
    pub generations: Vec<Vec<String>>,
    /// The documents that the run wrote.
    pub documents: Vec<WrittenDocument>,
    /// What each package is, in the order of `packages`: see [`identity`].
    pub identities: String,
    /// One line per package, in the order of the documents: see [`line`].
    pub packages: String,
}

/// A document as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenDocument {
    /// The checksum of its file.
    pub checksum: String,
    /// The blocks of its file, without the last.
    pub blocks: Vec<BlockSize>,
}

/// What the state knows of a package.
#[derive(Debug, Clone, Copy)]
pub struct SeenPackage {
    /// Its place in the documents, from 0.
    pub place: u64,
    /// Its file and what it is.
    pub noted: Noted,
}

/// A package's line: stamp, location.
pub fn line(found: &PackageFile, out: &mut String) {
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{} {}", found.stamp, found.location);
}

/// Length of what [`identity`] writes.
const IDENTITY: usize = 32;

/// A package's identity: 32 hexadecimal digits.
pub fn identity(identity: PackageIdentity, out: &mut String) {
    // Writing into a string cannot fail.
    let _ = write!(out, "{:016x}{:016x}", identity.name, identity.checksum);
}

fn read_identity(digits: &str) -> Option<PackageIdentity> {
    let (name, checksum) = digits.split_at_checked(IDENTITY / 2)?;
    Some(PackageIdentity {
        name: u64::from_str_radix(name, 16).ok()?,
        checksum: u64::from_str_radix(checksum, 16).ok()?,
    })
}

fn read_document(line: &str) -> Option<WrittenDocument> {
    let mut words = line.split(' ');
    let checksum = words.next()?.to_owned();
    let mut blocks = Vec::new();
    while let Some(open) = words.next() {
        let (open, packed) = (open.parse().ok()?, words.next()?.parse().ok()?);
        blocks.push(Some(BlockSize { open, packed }).filter(|size| size.is_possible())?);
    }
    Some(WrittenDocument { checksum, blocks })
}

/// Device and inode of a directory.
pub fn place(dir: &Path) -> (u64, u64) {
    fs::metadata(dir).map_or((0, 0), |meta| (meta.dev(), meta.ino()))
}

impl FinishedRun {
    /// Reads the bytes of a state; none if it cannot be used.
    pub fn read(bytes: Vec<u8>) -> Option<FinishedRun> {
        let mut text = String::from_utf8(bytes).ok()?;
        let mut state = FinishedRun::default();
        let mut rest = text.strip_prefix(HEAD)?.strip_prefix('\n')?;
        loop {
            let (line, after) = rest.split_once('\n')?;
            rest = after;
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            match key {
                "repomd" => state.repomd = value.to_owned(),
                "options" => state.options = value.to_owned(),
                "place" => {
                    let (device, inode) = value.split_once(' ')?;
                    state.place = (device.parse().ok()?, inode.parse().ok()?);
                }
                "old" => {
                    let names = value.split(' ').filter(|name| !name.is_empty());
                    state.generations.push(names.map(str::to_owned).collect());
                }
                "document" => state.documents.push(read_document(value)?),
                "identities" => state.identities = value.to_owned(),
                "packages" => break,
                _ => return None,
            }
        }
        // In place: it is large.
        let start = text.len() - rest.len();
        text.drain(..start);
        state.packages = text;
        state.is_in_order().then_some(state)
    }

    /// Whether the packages stand in the order in which they are written: lines that changed places would give one
    /// package the identity of another.
    fn is_in_order(&self) -> bool {
        let key = |line| {
            let (_, location) = Stamp::read(line)?;
            Some((location.rsplit('/').next(), location))
        };
        let keys: Option<Vec<_>> = self.packages.lines().map(key).collect();
        keys.is_some_and(|keys| keys.is_sorted_by(|a, b| a < b))
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!(
            "{HEAD}\nrepomd {}\noptions {}\nplace {} {}\n",
            self.repomd, self.options, self.place.0, self.place.1
        );
        for names in &self.generations {
            out.push_str("old ");
            out.push_str(&names.join(" "));
            out.push('\n');
        }
        for document in &self.documents {
            out.push_str("document ");
            out.push_str(&document.checksum);
            for BlockSize { open, packed } in &document.blocks {
                // Writing into a string cannot fail.
                let _ = write!(out, " {open} {packed}");
            }
            out.push('\n');
        }
        out.push_str("identities ");
        out.push_str(&self.identities);
        out.push_str("\npackages\n");
        out.push_str(&self.packages);
        out.into_bytes()
    }

    /// The packages by location; an empty map if a line cannot be read.
    pub fn seen(&self) -> HashMap<&str, SeenPackage> {
        let lines = self.packages.lines().enumerate();
        let read = lines.map(|(index, line)| {
            let (stamp, location) = Stamp::read(line)?;
            let digits = self
                .identities
                .get(index * IDENTITY..(index + 1) * IDENTITY)?;
            let identity = read_identity(digits)?;
            let noted = Noted { stamp, identity };
            let place = index as u64;
            Some((location, SeenPackage { place, noted }))
        });
        read.collect::<Option<_>>().unwrap_or_default()
    }

    /// The blocks of a document of this run, by the checksum of its file.
    pub fn blocks(&self, record: &RepomdRecord) -> Option<&[BlockSize]> {
        let checksum = record.checksum?.to_string();
        let mut documents = self.documents.iter();
        let document = documents.find(|document| document.checksum == checksum)?;
        Some(&document.blocks)
    }
}
