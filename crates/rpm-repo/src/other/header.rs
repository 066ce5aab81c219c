//! A package of `other.xml` from the header of a package file.

use rpm_pkg::header::{Header, tag};

use super::{OtherEntry, OtherPackage};
use crate::record::{PackageKey, TextSpan};

/// How many changelog entries of a package createrepo_c takes, the newest ones.
pub const CHANGELOG_LIMIT: usize = 10;

impl OtherPackage {
    /// Fills this from a package's header and the checksum of its file in hexadecimal, with at most
    /// `limit` changelog entries.
    pub fn fill(&mut self, header: &Header, checksum: &str, limit: usize) {
        self.text.clear();
        self.changelogs.clear();
        self.key = PackageKey::from_header(header, checksum, &mut self.text);
        let names = header.strings(tag::CHANGELOGNAME);
        let texts = header.strings(tag::CHANGELOGTEXT);
        let times = header.u32s(tag::CHANGELOGTIME);
        for ((author, text), time) in names.zip(texts).zip(times).take(limit) {
            let author = TextSpan::clean(without_end_spaces(author), &mut self.text);
            let text = TextSpan::clean(text, &mut self.text);
            let date = time.into();
            self.changelogs.push(OtherEntry { author, date, text });
        }
        self.spread_dates();
        self.changelogs.reverse();
    }

    /// Entries of one day stand in the header newest first with equal times; readers order by time.
    /// Each newer one gets a second more, as createrepo does it.
    fn spread_dates(&mut self) {
        let mut last = None;
        for at in 0..self.changelogs.len() {
            let Some(date) = self.changelogs.get(at).map(|entry| entry.date) else {
                return;
            };
            if last != Some(date) {
                last = Some(date);
                continue;
            }
            let newer = self.changelogs.iter_mut().take(at).rev();
            for (wanted, entry) in (date..).zip(newer) {
                if entry.date != wanted {
                    break;
                }
                entry.date += 1;
            }
        }
    }
}

/// Bytes without the spaces at their end; one byte always stays.
fn without_end_spaces(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|b| *b != b' ').map_or(1, |at| at + 1);
    text.get(..end).unwrap_or_default()
}
