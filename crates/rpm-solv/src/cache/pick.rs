//! Loading a few packages of a cache file: their parts are read as if the file held no others.

use super::copy::MAX_NESTING;
use super::load::{CacheSections, known_text, merge};
use super::pages::Pages;
use super::{CacheFile, CacheSection};
use crate::error::SolvError;
use crate::ffi::{self, Id};
use std::collections::HashMap;
use std::ptr::NonNull;

/// Of so many strings one has its place in the file written down; those behind it are counted from there.
pub(super) const STRIDE: usize = 16;

/// Reads packages one after the other.
struct Picker<'a> {
    pages: Pages<'a>,
    parts: CacheSections,
    /// The file's strings and relations in `parts`.
    strings: HashMap<u32, u32>,
    rels: HashMap<u32, u32>,
    run: Vec<u8>,
}

impl CacheFile {
    /// Puts the packages that are called one of `names` or provide it into `repo`: first solvable, and the number of each
    /// in the file.
    pub(crate) fn load_named_into(
        &self,
        pool: NonNull<ffi::Pool>,
        repo: *mut ffi::Repo,
        names: &[String],
    ) -> Result<(Id, Vec<u32>), SolvError> {
        let mut pages = Pages::open(self)?;
        let numbers: Vec<u32> = self.numbers_of(&mut pages, names)?.into_iter().collect();
        // SAFETY: the pool is live, and nothing changes it while its text is looked at.
        let known = unsafe { known_text(pool.as_ref()) };
        let mut text = vec![0; known.len()];
        pages.read(CacheSection::Strings, 0, &mut text)?;
        if text != known {
            return Err(self.unusable("it was made by another version"));
        }
        let mut picker = Picker {
            pages,
            parts: CacheSections::with_text(text),
            strings: HashMap::new(),
            rels: HashMap::new(),
            run: Vec::new(),
        };
        for number in &numbers {
            picker.package(*number)?;
        }
        let Picker { pages, parts, .. } = picker;
        if !parts.indexes_fit() {
            return Err(pages.damaged());
        }
        // SAFETY: pool and repository are live and belong together (the pool passes its own); the parts were checked.
        let (start, _) = unsafe { merge(pool.as_ptr(), repo, &parts) };
        Ok((start, numbers))
    }
}

impl Picker<'_> {
    fn package(&mut self, number: u32) -> Result<(), SolvError> {
        let mut words = self
            .pages
            .group(CacheSection::Solvables, u64::from(number))?;
        let (strings, lists) = words.split_at_mut(4);
        for id in strings {
            *id = self.string(*id)?;
        }
        for offset in lists {
            *offset = self.list(*offset)?;
        }
        self.parts.solvables.push(words);
        Ok(())
    }

    fn list(&mut self, offset: u32) -> Result<u32, SolvError> {
        if offset == 0 {
            return Ok(0);
        }
        let start = self.parts.arrays.len() as u32;
        for at in u64::from(offset).. {
            let [id] = self.pages.group(CacheSection::Arrays, at)?;
            if id == 0 {
                break;
            }
            let id = self.id(id, 0)?;
            self.parts.arrays.push(id);
        }
        self.parts.arrays.push(0);
        Ok(start)
    }

    fn id(&mut self, id: u32, depth: u32) -> Result<u32, SolvError> {
        if id & ffi::REL_BIT == 0 {
            return self.string(id);
        }
        let index = id & !ffi::REL_BIT;
        if let Some(new) = self.rels.get(&index) {
            return Ok(*new);
        }
        let [name, evr, flags] = self
            .pages
            .group(CacheSection::Relations, u64::from(index))?;
        // A relation is made of earlier ones: no circles.
        let is_later = |part: u32| part & ffi::REL_BIT != 0 && part & !ffi::REL_BIT >= index;
        if depth > MAX_NESTING || index == 0 || is_later(name) || is_later(evr) {
            return Err(self.pages.damaged());
        }
        let (name, evr) = (self.id(name, depth + 1)?, self.id(evr, depth + 1)?);
        let new = self.parts.rels.len() as u32 | ffi::REL_BIT;
        self.parts.rels.push([name, evr, flags]);
        self.rels.insert(index, new);
        Ok(new)
    }

    fn string(&mut self, id: u32) -> Result<u32, SolvError> {
        if id < ffi::KNOWN_STRINGS as u32 {
            return Ok(id);
        }
        if let Some(new) = self.strings.get(&id) {
            return Ok(*new);
        }
        let pages = &mut self.pages;
        let run = u64::from(id) / STRIDE as u64;
        let [from] = pages.group(CacheSection::StringStarts, run)?;
        let to = match run + 1 < pages.length(CacheSection::StringStarts) / 4 {
            true => u64::from(pages.group::<1>(CacheSection::StringStarts, run + 1)?[0]),
            false => pages.length(CacheSection::Strings),
        };
        let length = to.checked_sub(u64::from(from));
        let within = length.filter(|_| to <= pages.length(CacheSection::Strings));
        let length = within.ok_or_else(|| pages.damaged())?;
        self.run.resize(length as usize, 0);
        pages.read(CacheSection::Strings, u64::from(from), &mut self.run)?;
        let mut texts = self.run.split_inclusive(|byte| *byte == 0);
        let text = texts.nth(id as usize % STRIDE);
        let text = text.filter(|text| text.ends_with(&[0]));
        let text = text.ok_or_else(|| pages.damaged())?;
        let new = self.parts.strings.len() as u32;
        self.parts.strings.push(self.parts.text.len() as u32);
        self.parts.text.extend_from_slice(text);
        self.strings.insert(id, new);
        Ok(new)
    }
}
