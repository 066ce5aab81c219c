//! A package of `filelists.xml` from the header of a package file.

use rpm_pkg::header::{Header, tag};

use super::FilelistsPackage;
use crate::primary::FileKind;
use crate::record::{PackageKey, TextSpan};
use crate::rule;
use crate::xml::push_clean;

/// The type bits of a mode, and what they are for a directory.
const TYPE: u16 = 0o170_000;
const DIRECTORY: u16 = 0o040_000;
/// RPMFILE_GHOST.
const GHOST: u32 = 64;

impl FilelistsPackage {
    /// Fills this from a package's header and the checksum of its file in hexadecimal.
    pub fn fill(&mut self, header: &Header, checksum: &str) {
        self.text.clear();
        self.files.clear();
        self.key = PackageKey::from_header(header, checksum, &mut self.text);
        each_file(header, |dir, base, kind| {
            let start = self.text.len();
            let is_whole = match dir.is_ascii() && base.is_ascii() {
                true => push_clean(dir, &mut self.text) & push_clean(base, &mut self.text),
                false => push_clean(&[dir, base].concat(), &mut self.text),
            };
            if !is_whole {
                self.key.header_fault = Some(rule::NO_XML);
            }
            self.files.push((TextSpan::since(start, &self.text), kind));
        });
    }
}

/// Calls `each` with directory, base name and kind of every file of a header. Files of a header
/// whose tags do not fit together are left out from where they stop fitting.
pub(crate) fn each_file<'h>(
    header: &'h Header,
    mut each: impl FnMut(&'h [u8], &'h [u8], FileKind),
) {
    let mut modes = header.u16s(tag::FILEMODES);
    let mut flags = header.u32s(tag::FILEFLAGS);
    let mut kind = || {
        let (mode, flags) = (modes.next()?, flags.next()?);
        Some(match (mode & TYPE, flags & GHOST) {
            (DIRECTORY, _) => FileKind::Dir,
            (_, GHOST) => FileKind::Ghost,
            _ => FileKind::File,
        })
    };
    if !header.has(tag::BASENAMES) {
        for path in header.strings(tag::OLDFILENAMES) {
            let Some(kind) = kind() else { return };
            each(path, b"", kind);
        }
        return;
    }
    let dirs: Vec<&[u8]> = header.strings(tag::DIRNAMES).collect();
    let mut indexes = header.u32s(tag::DIRINDEXES);
    for base in header.strings(tag::BASENAMES) {
        let dir = indexes.next().and_then(|index| dirs.get(index as usize));
        let (Some(dir), Some(kind)) = (dir, kind()) else {
            return;
        };
        each(dir, base, kind);
    }
}
