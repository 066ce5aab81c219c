//! Opening a cache file and reading facts from it.

use super::blocks::{self, Block, BlockReader};
use super::{CachePlace, CacheSection, FOOTER, Footer, MAGIC};
use crate::error::SolvError;
use crate::facts::{self, FactPart};
use crate::files::FileIndex;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// Largest section that is read into memory.
const MAX_SECTION: u64 = 1 << 31;

/// An open cache file whose key matched.
pub struct CacheFile {
    file: File,
    path: PathBuf,
    footer: Footer,
    pub(super) blocks: Vec<Block>,
    pub(super) reader: RefCell<BlockReader>,
    index: Option<FileIndex>,
    pub(super) own_paths: HashSet<Vec<u8>>,
}

impl CacheFile {
    /// Opens a cache file.
    ///
    /// # Errors
    /// [`SolvError::Io`] if it cannot be opened, [`SolvError::CacheUnusable`] if it is damaged, of another version or of
    /// another key: callers build it again.
    pub fn open(path: &Path, key: &[u8]) -> Result<Self, SolvError> {
        let file = File::open(path).map_err(SolvError::io(path))?;
        let cache = Self::with_file(file, path)?;
        match cache.is_of(key) {
            true => Ok(cache),
            false => Err(cache.unusable("it was made from other metadata")),
        }
    }

    /// The same file, opened once more.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn again(&self) -> Result<Self, SolvError> {
        let file = self.file.try_clone().map_err(self.io())?;
        Self::with_file(file, &self.path)
    }

    /// Whether it was made for `key`.
    #[must_use]
    pub fn is_of(&self, key: &[u8]) -> bool {
        self.footer.key == key
    }

    /// A file that is open for reading, made for any key; `path` is its name in messages.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn with_file(file: File, path: &Path) -> Result<Self, SolvError> {
        let io = SolvError::io(path);
        let unusable = |why| SolvError::CacheUnusable {
            path: path.to_owned(),
            why,
        };
        let length = file.metadata().map_err(io)?.len();
        let end = length
            .checked_sub(FOOTER as u64)
            .filter(|end| *end >= 8)
            .ok_or_else(|| unusable("it is too short"))?;
        let mut magic = [0; 8];
        file.read_exact_at(&mut magic, 0).map_err(io)?;
        let mut bytes = [0; FOOTER];
        file.read_exact_at(&mut bytes, end).map_err(io)?;
        let footer = Footer::decode(&bytes)
            .filter(|_| u64::from_ne_bytes(magic) == MAGIC)
            .ok_or_else(|| unusable("it is damaged or of another version"))?;
        let mut at = 8;
        for place in footer.places {
            if place.offset != at {
                return Err(unusable("its sections do not follow each other"));
            }
            at = at
                .checked_add(place.length)
                .filter(|at| *at <= end)
                .ok_or_else(|| unusable("a section is too long"))?;
        }
        if at != end {
            return Err(unusable("its sections do not fill it"));
        }
        let mut cache = Self {
            file,
            path: path.to_owned(),
            footer,
            blocks: Vec::new(),
            reader: RefCell::default(),
            index: None,
            own_paths: HashSet::new(),
        };
        let facts = cache.place(CacheSection::Facts);
        cache.blocks = blocks::blocks(&cache.groups(CacheSection::Blocks)?, facts.offset)
            .filter(|(_, end)| *end == facts.offset + facts.length)
            .map(|(blocks, _)| blocks)
            .ok_or_else(|| unusable("its blocks do not fill their section"))?;
        Ok(cache)
    }

    /// How many packages the file says it holds.
    #[must_use]
    pub fn package_count(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.end) as usize
    }

    /// Bytes of all facts.
    #[cfg(test)]
    pub(super) fn facts_length(&self) -> u64 {
        self.place(CacheSection::Facts).length
    }

    pub(super) fn place(&self, section: CacheSection) -> CachePlace {
        self.footer.places[section as usize]
    }

    pub(super) fn unusable(&self, why: &'static str) -> SolvError {
        SolvError::CacheUnusable {
            path: self.path.clone(),
            why,
        }
    }

    /// For `map_err`: the file could not be read.
    pub(super) fn io(&self) -> impl Fn(std::io::Error) -> SolvError {
        SolvError::io(&self.path)
    }

    pub(super) fn read(&self, bytes: &mut [u8], at: u64) -> Result<(), SolvError> {
        let read = self.file.read_exact_at(bytes, at);
        read.map_err(self.io())
    }

    /// A section's bytes, checked.
    pub(super) fn section(&self, section: CacheSection) -> Result<Vec<u8>, SolvError> {
        let mut bytes = vec![0; self.length(section)?];
        self.fill(section, &mut bytes)?;
        Ok(bytes)
    }

    /// A section as groups of 32-bit numbers, checked; read in place, because most of a run's time goes by on copies.
    pub(super) fn groups<const N: usize>(
        &self,
        section: CacheSection,
    ) -> Result<Vec<[u32; N]>, SolvError> {
        let length = self.length(section)?;
        if length % size_of::<[u32; N]>() != 0 {
            return Err(self.unusable("a section is damaged"));
        }
        let mut groups = vec![[0; N]; length / size_of::<[u32; N]>()];
        // SAFETY: the groups lie `length` bytes long in a row without padding, and any bytes are numbers.
        let bytes =
            unsafe { std::slice::from_raw_parts_mut(groups.as_mut_ptr().cast::<u8>(), length) };
        self.fill(section, bytes)?;
        Ok(groups)
    }

    /// A section's bytes as 32-bit numbers.
    pub(super) fn words(&self, section: CacheSection) -> Result<Vec<u32>, SolvError> {
        Ok(self.groups::<1>(section)?.into_flattened())
    }

    fn length(&self, section: CacheSection) -> Result<usize, SolvError> {
        let length = self.place(section).length;
        if length > MAX_SECTION {
            return Err(self.unusable("a section is too long"));
        }
        Ok(length as usize)
    }

    /// Reads a whole section and compares its hash.
    fn fill(&self, section: CacheSection, bytes: &mut [u8]) -> Result<(), SolvError> {
        let place = self.place(section);
        self.read(bytes, place.offset)?;
        if xxh3_64(bytes) != place.hash {
            return Err(self.unusable("a section is damaged"));
        }
        Ok(())
    }

    /// Whether packages of this file depend on `path`: then its holders in this file already provide it.
    pub(crate) fn knows_path(&self, path: &[u8]) -> bool {
        self.own_paths.contains(path)
    }

    /// The file index, read when first asked for.
    pub(crate) fn file_index(&mut self) -> Result<&FileIndex, SolvError> {
        if self.index.is_none() {
            let hashes = self.section(CacheSection::FileHashes)?;
            let packages = self.words(CacheSection::FilePackages)?;
            if hashes.len() != packages.len() * 8 {
                return Err(self.unusable("its file index is damaged"));
            }
            let entries = hashes
                .chunks_exact(8)
                .zip(packages)
                .map(|(chunk, package)| {
                    let mut hash = [0; 8];
                    hash.copy_from_slice(chunk);
                    (u64::from_ne_bytes(hash), package)
                })
                .collect();
            self.index = Some(FileIndex::from_sorted(entries));
        }
        self.index
            .as_ref()
            .ok_or_else(|| self.unusable("its file index is damaged"))
    }

    /// [`crate::path_hash`] of each package's checksum text, in file order: how other metadata names packages.
    ///
    /// # Errors
    /// The file is damaged or cannot be read.
    pub fn checksum_hashes(&self) -> Result<Vec<u64>, SolvError> {
        let mut hashes = Vec::with_capacity(self.package_count());
        self.scan(FactPart::Plan, &mut |_, body| {
            let (checksum, _) = facts::identity(body).unwrap_or_default();
            hashes.push(crate::path_hash(checksum.as_bytes()));
        })?;
        Ok(hashes)
    }
}
