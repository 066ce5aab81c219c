//! Finding text in names, summaries and descriptions.

use crate::error::SolvError;
use crate::facts;
use crate::ffi::Id;
use crate::pool::{Pool, SolvableId, TextStore};
use memchr::memmem::Finder;

/// How much of a cache file is read at a time.
const SCAN_BUFFER: usize = 1 << 20;

impl Pool {
    /// Packages whose name, summary or description contains a needle, whatever the case of ASCII letters: one list per needle, in pool order.
    ///
    /// # Errors
    /// A cache file is damaged or cannot be read.
    pub fn search(&self, needles: &[&str]) -> Result<Vec<Vec<SolvableId>>, SolvError> {
        let lowered: Vec<Vec<u8>> = needles
            .iter()
            .map(|needle| needle.to_ascii_lowercase().into_bytes())
            .collect();
        let finders: Vec<Finder<'_>> = lowered.iter().map(Finder::new).collect();
        let mut found = vec![Vec::new(); needles.len()];
        let mut text = Vec::new();
        let mut visit = |id: SolvableId, body: &[u8]| {
            if self.solvable(id).is_none() {
                return;
            }
            text.clear();
            text.extend_from_slice(self.name(id).as_bytes());
            // A byte that no text holds keeps a match from reaching over the border.
            text.push(0);
            if let Some((summary, description)) = facts::texts_of(body) {
                text.extend_from_slice(summary);
                text.push(0);
                if description != summary {
                    text.extend_from_slice(description);
                }
            }
            text.make_ascii_lowercase();
            for (finder, list) in finders.iter().zip(&mut found) {
                if finder.find(&text).is_some() {
                    list.push(id);
                }
            }
        };
        for block in self.repos.iter().flat_map(|slot| &slot.blocks) {
            match &block.store {
                TextStore::Memory { bytes, starts } => {
                    for (index, start) in starts.iter().enumerate() {
                        if let Some(body) = bytes
                            .get(*start..)
                            .and_then(|record| facts::body(record, index as u32))
                        {
                            visit(SolvableId(block.start + index as Id), body);
                        }
                    }
                }
                TextStore::File(cache) => cache.scan(SCAN_BUFFER, &mut |index, body| {
                    visit(SolvableId(block.start + index as Id), body);
                })?,
            }
        }
        Ok(found)
    }
}
