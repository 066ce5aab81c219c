//! Writing a cache file from a stream of packages.

use super::blocks::BlockWriter;
use super::names::name_entries;
use super::order::order_recommends;
use super::pages::PageSums;
use super::pick::STRIDE;
use super::{CachePlace, CacheSection, Footer, MAGIC, MAX_KEY, SECTIONS, SOLVABLE_WORDS, words_of};
use crate::deps;
use crate::error::SolvError;
use crate::facts::FactPart;
use crate::ffi::{self, Id};
use crate::files::FileIndex;
use crate::input::PackageInput;
use crate::pool::{MAX_PACKAGES, add_file_provide};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use xxhash_rust::xxh3::xxh3_64;

/// The file is written in pieces of this size.
const PIECE: usize = 256 << 10;

/// Builds a cache file. Memory holds what the solver needs; facts go straight to the file.
pub struct CacheWriter {
    pub(super) raw: NonNull<ffi::Pool>,
    pub(super) repo: *mut ffi::Repo,
    scratch: String,
    pub(super) files: FileIndex,
    packages: usize,
    blocks: BlockWriter,
    out: BufWriter<File>,
    at: u64,
    path: PathBuf,
    footer: Footer,
    pages: PageSums,
}

impl CacheWriter {
    /// Starts a file at `path`, replacing what is there: callers give a temporary name and rename afterwards.
    /// `key` (at most 96 bytes) names the metadata: [`super::CacheFile::open`] asks for the same one.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path, key: &[u8]) -> Result<Self, SolvError> {
        let file = File::create(path).map_err(SolvError::io(path))?;
        Self::with_file(file, path, key)
    }

    /// Starts in an empty file that is open for writing; `path` is its name in messages.
    ///
    /// # Errors
    /// The file cannot be written, or there is no memory to compress.
    pub fn with_file(file: File, path: &Path, key: &[u8]) -> Result<Self, SolvError> {
        let io = SolvError::io(path);
        let mut out = BufWriter::with_capacity(PIECE, file);
        out.write_all(&MAGIC.to_ne_bytes()).map_err(io)?;
        let blocks = BlockWriter::new().map_err(io)?;
        // SAFETY: a new pool with one repository; both are used by this writer alone and freed with it.
        let (raw, repo) = unsafe {
            let raw = ffi::pool_create();
            ffi::pool_setdisttype(raw, ffi::DISTTYPE_RPM as i32);
            (raw, ffi::repo_create(raw, c"cache".as_ptr()))
        };
        let raw = NonNull::new(raw).ok_or_else(|| io(std::io::ErrorKind::OutOfMemory.into()))?;
        Ok(Self {
            raw,
            repo,
            scratch: String::new(),
            files: FileIndex::default(),
            packages: 0,
            blocks,
            out,
            at: 8,
            path: path.to_owned(),
            footer: Footer {
                key: key[..key.len().min(MAX_KEY)].to_vec(),
                places: [CachePlace::default(); SECTIONS],
            },
            pages: PageSums::default(),
        })
    }

    /// The texts of packages that are added from now on are not compressed: for a file that is soon written anew.
    pub fn leave_plain(&mut self) {
        self.blocks.leave_plain();
    }

    /// Adds a package.
    ///
    /// # Errors
    /// Too many packages, or the file cannot be written.
    pub fn add(&mut self, input: &PackageInput<'_>) -> Result<(), SolvError> {
        let index = self.next_number()?;
        // SAFETY: pool and repository are this writer's.
        unsafe { deps::add_package(self.raw.as_ptr(), self.repo, input, &mut self.scratch) };
        for path in input.files {
            self.files.add(path, index);
        }
        self.add_records(&mut |part, out| part.put(input, out))
    }

    /// The number of the next package.
    pub(super) fn next_number(&self) -> Result<u32, SolvError> {
        if self.packages as u64 >= MAX_PACKAGES {
            return Err(SolvError::TooLarge {
                repo: self.path.display().to_string(),
                what: "packages",
                limit: MAX_PACKAGES,
            });
        }
        Ok(self.packages as u32)
    }

    /// Adds the records that `put` appends.
    pub(super) fn add_records(
        &mut self,
        put: &mut dyn FnMut(FactPart, &mut Vec<u8>),
    ) -> Result<(), SolvError> {
        self.packages += 1;
        if self.blocks.add(put) {
            self.close_block()?;
        }
        Ok(())
    }

    /// How many packages were added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packages
    }

    /// Whether no package was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packages == 0
    }

    /// Paths that packages of this repository depend on and none was found for in its own files.
    #[must_use]
    pub fn missing_paths(&mut self) -> Vec<Vec<u8>> {
        self.files.sort();
        let files = &self.files;
        // SAFETY: the pool is live.
        let wanted = unsafe { ffi::path_strings(self.raw.as_ptr()) }.into_iter();
        let wanted = wanted.map(|(path, _)| path);
        wanted
            .filter(|path| files.find(path).next().is_none())
            .collect()
    }

    /// Writes the rest and closes the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> Result<(), SolvError> {
        self.close_block()?;
        self.footer.places[CacheSection::Facts as usize] = CachePlace {
            offset: 8,
            length: self.at - 8,
            hash: 0,
        };
        self.files.sort();
        // SAFETY: the pool is this writer's and holds its repository alone; the borrow of self ends with the call.
        unsafe { order_recommends(self.raw.as_ref(), &mut *self.repo, self.solvables()) };
        self.add_file_provides();
        let table = self.blocks.finish();
        let words = table.as_flattened().iter();
        let table: Vec<u8> = words.flat_map(|word| word.to_ne_bytes()).collect();
        self.section(CacheSection::Blocks, &table)?;
        self.write_pool()?;
        let files = std::mem::take(&mut self.files);
        let entries = files.entries().iter();
        let hashes: Vec<u8> = entries
            .clone()
            .flat_map(|(hash, _)| hash.to_ne_bytes())
            .collect();
        self.section(CacheSection::FileHashes, &hashes)?;
        let packages: Vec<u8> = entries
            .flat_map(|(_, package)| package.to_ne_bytes())
            .collect();
        self.section(CacheSection::FilePackages, &packages)?;
        self.write_hashes()?;
        self.write_names()?;
        self.write(&self.footer.encode())?;
        self.out.flush().map_err(SolvError::io(&self.path))
    }

    fn write_pool(&mut self) -> Result<(), SolvError> {
        // SAFETY: the pool is live and not changed while these slices are in use; libsolv keeps sstrings bytes of text, nrels
        // relations (three 32-bit numbers each) and idarraysize ids there.
        let (strings, relations, arrays) = unsafe {
            let pool = self.raw.as_ref();
            let repo = &*self.repo;
            (
                bytes_at(pool.ss.stringspace.cast(), pool.ss.sstrings as usize),
                bytes_at(
                    pool.rels.cast(),
                    pool.nrels as usize * size_of::<ffi::Reldep>(),
                ),
                bytes_at(
                    repo.idarraydata.cast(),
                    repo.idarraysize as usize * size_of::<Id>(),
                ),
            )
        };
        self.section(CacheSection::Strings, strings)?;
        self.section(CacheSection::Relations, relations)?;
        let solvables = self.solvable_words();
        self.section(CacheSection::Solvables, &solvables)?;
        self.section(CacheSection::Arrays, arrays)
    }

    /// libsolv's hash table of strings: without it a pool hashes all strings when it loads them.
    fn write_hashes(&mut self) -> Result<(), SolvError> {
        // SAFETY: the pool is live and not changed while the slice is in use; a hash table has mask + 1 entries.
        let hashes = unsafe {
            let strings = &self.raw.as_ref().ss;
            let entries = strings.stringhashmask as usize + 1;
            bytes_at(strings.stringhashtbl.cast(), entries * size_of::<Id>())
        };
        self.section(CacheSection::StringHashes, hashes)
    }

    /// What a query needs that reads its packages alone.
    fn write_names(&mut self) -> Result<(), SolvError> {
        // SAFETY: the pool is live and not changed while it is looked at; its strings begin at the offsets that it keeps.
        let (names, starts) = unsafe {
            let pool = self.raw.as_ref();
            let strings = std::slice::from_raw_parts(pool.ss.strings, pool.ss.nstrings as usize);
            let starts: Vec<u32> = strings.iter().step_by(STRIDE).copied().collect();
            (name_entries(pool, self.solvables()), starts)
        };
        // SAFETY: numbers are readable as bytes as long as they live.
        let (names, starts) = unsafe {
            (
                bytes_at(names.as_ptr().cast(), size_of_val(names.as_slice())),
                bytes_at(starts.as_ptr().cast(), size_of_val(starts.as_slice())),
            )
        };
        self.section(CacheSection::Names, names)?;
        self.section(CacheSection::StringStarts, starts)?;
        let sums = self.pages.finish();
        let sums: Vec<u8> = sums.into_iter().flat_map(u32::to_ne_bytes).collect();
        self.section(CacheSection::Pages, &sums)
    }

    fn solvables(&self) -> &[ffi::Solvable] {
        // SAFETY: the repository's solvables lie between start and end of the live pool's array, without gaps: nothing is ever removed here.
        unsafe {
            let start = (*self.repo).start as usize;
            let first = self.raw.as_ref().solvables.add(start);
            std::slice::from_raw_parts(first, self.packages)
        }
    }

    fn solvable_words(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.packages * SOLVABLE_WORDS * 4);
        for s in self.solvables() {
            out.extend(words_of(s).into_iter().flat_map(u32::to_ne_bytes));
        }
        out
    }

    /// Paths that this repository's packages depend on become provides of the packages that hold them.
    fn add_file_provides(&mut self) {
        // SAFETY: the pool is live.
        for (path, id) in unsafe { ffi::path_strings(self.raw.as_ptr()) } {
            for package in self.files.find(&path) {
                // SAFETY: package numbers count this repository's solvables from its start.
                unsafe {
                    let solvable = (*self.repo).start + package as Id;
                    add_file_provide(self.raw.as_ptr(), solvable, id);
                }
            }
        }
    }

    fn close_block(&mut self) -> Result<(), SolvError> {
        let (out, at) = (&mut self.out, &mut self.at);
        let closed = self.blocks.close(&mut |bytes| {
            *at += bytes.len() as u64;
            out.write_all(bytes)
        });
        closed.map_err(SolvError::io(&self.path))
    }

    fn section(&mut self, section: CacheSection, bytes: &[u8]) -> Result<(), SolvError> {
        self.footer.places[section as usize] = CachePlace {
            offset: self.at,
            length: bytes.len() as u64,
            hash: xxh3_64(bytes),
        };
        if section as usize >= CacheSection::Strings as usize {
            self.pages.add(bytes);
        }
        self.write(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SolvError> {
        self.out
            .write_all(bytes)
            .map_err(SolvError::io(&self.path))?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

/// # Safety
/// `length` initialised bytes must stay readable and unchanged at `at`; `at` may be null if `length` is 0.
unsafe fn bytes_at<'a>(at: *const u8, length: usize) -> &'a [u8] {
    if at.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { std::slice::from_raw_parts(at, length) }
}

impl Drop for CacheWriter {
    fn drop(&mut self) {
        // SAFETY: the pool is this writer's own and is freed once, with its repository.
        unsafe { ffi::pool_free(self.raw.as_ptr()) }
    }
}
