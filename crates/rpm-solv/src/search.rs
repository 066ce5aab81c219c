//! Finding text in names, summaries and descriptions.

use crate::error::SolvError;
use crate::facts::{self, FactPart};
use crate::ffi::Id;
use crate::pool::{Pool, SolvableId, TextStore};
use memchr::memmem::Finder;

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
            if let Some((summary, description)) = facts::summary(body) {
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
        let mut visit = |id: SolvableId, body: &[u8]| {
            if self.solvable(id).is_some() {
                visit(id, body);
            }
        };
        for block in self.repos.iter().flat_map(|slot| &slot.blocks) {
            match &block.store {
                TextStore::Memory(records) => {
                    for (index, records) in records.iter().enumerate() {
                        let id = SolvableId(block.start + index as Id);
                        facts::bodies(&records[FactPart::Summary as usize])
                            .for_each(|body| visit(id, body));
                    }
                }
                TextStore::File(cache) => cache.scan(FactPart::Summary, &mut |index, body| {
                    visit(SolvableId(block.start + index as Id), body);
                })?,
            }
        }
        Ok(found)
    }
}
