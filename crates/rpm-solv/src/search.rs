//! Finding text in names, summaries and descriptions.

use crate::error::SolvError;
use crate::facts::{self, FactPart};
use crate::ffi::Id;
use crate::pool::{Pool, SolvableId, TextStore};
use memchr::memmem::Finder;
use rpm_pkg::glob::glob_matches;

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
        let is_glob = |text: &&str| text.contains(['*', '?', '[']);
        let texts = lowered.iter().map(|needle| std::str::from_utf8(needle));
        let globs: Vec<Option<&str>> = texts.map(|text| text.ok().filter(is_glob)).collect();
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
            let fits = |finder: &Finder<'_>, glob: &Option<&str>| {
                let whole = |field: &[u8]| {
                    let field = std::str::from_utf8(field);
                    glob.is_some_and(|glob| field.is_ok_and(|field| glob_matches(glob, field)))
                };
                finder.find(&text).is_some() || text.split(|byte| *byte == 0).any(whole)
            };
            for ((finder, glob), list) in finders.iter().zip(&globs).zip(&mut found) {
                if fits(finder, glob) {
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
                TextStore::Picked(cache, numbers) => {
                    for (index, number) in numbers.iter().enumerate() {
                        let id = SolvableId(block.start + index as Id);
                        cache.record(*number, FactPart::Summary, |body| {
                            visit(id, body);
                            Some(())
                        })?;
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
