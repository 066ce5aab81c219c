//! What a package's record may say and how long it may be: one rule for who writes metadata and for who reads them, so
//! that nothing is written that a reader leaves out.

use crate::layout;
use crate::record::TextSpan;

/// Longest text of a package (a description, a path, an entry of a changelog, a dependency with its version) in bytes.
/// The longest in the field have some 100,000.
pub(crate) const MAX_TEXT: usize = 1 << 20;
/// Longest tag or text as it is written: a character takes six bytes at most (`&quot;`), and a tag has a name, too.
pub(crate) const MAX_WRITTEN: usize = 8 * MAX_TEXT;
/// Most bytes of text in one record.
pub(crate) const MAX_RECORD_TEXT: usize = 64 << 20;
/// Most files or changelog entries of a package.
pub(crate) const MAX_ITEMS: usize = 2_000_000;
/// Most dependencies in one list of a package. The largest in the field have some 20,000 (provides of TeX); each costs
/// some 100 bytes of memory until it is with the solver.
pub(crate) const MAX_DEPS: usize = 100_000;
/// Dependencies and files that the packages of a document may list besides [`MEAN_LISTED`] for each: some have the
/// symbols of a dozen kernels and little else. In memory they are some 130 MB.
pub(crate) const MAX_LISTED: u64 = 2_000_000;
/// Most dependencies and files of the packages of a large document on average. Those of distributions have 10 to 80, where
/// a kernel alone may have 21,000; there may be many kernels.
pub(crate) const MEAN_LISTED: u64 = 3000;
/// Longest name, version, release or architecture in bytes: that of a file name, of which they are parts.
pub(crate) const MAX_NAME: usize = 255;

/// What is wrong with a text that XML 1.0 has no characters for: written without them it would say something else.
pub(crate) const NO_XML: &str =
    "a name, path or dependency has a character that metadata cannot hold";

/// Why a package cannot be called so: its name, version, release and architecture.
pub(crate) fn name_fault(words: [&str; 4]) -> Option<&'static str> {
    let [name, ..] = words;
    if name.is_empty() {
        return Some("a package without a name");
    }
    if name.contains('/') || layout::fault(name).is_some() {
        return Some("a package name that could be a path");
    }
    if words.iter().any(|word| word.len() > MAX_NAME) {
        return Some("a package name, version, release or architecture that is too long");
    }
    let is_odd = |byte: u8| byte == b'/' || !matches!(byte, b' '..=b'~');
    let strays = |c: char| c == '/' || c.is_control();
    if words
        .iter()
        .any(|word| word.bytes().any(is_odd) && word.contains(strays))
    {
        return Some("a version, release or architecture that could be a path");
    }
    None
}

/// Why the texts of a record, all of which lie in `all`, cannot stand in metadata; those of a tag count together.
pub(crate) fn length_fault(
    all: &str,
    mut tags: impl Iterator<Item = [TextSpan; 3]>,
) -> Option<&'static str> {
    if all.len() > MAX_RECORD_TEXT {
        return Some("a record with too much text");
    }
    let too_long = |spans: [TextSpan; 3]| spans.iter().map(|s| s.len()).sum::<usize>() > MAX_TEXT;
    // Nearly always all of it is shorter than one text may be.
    (all.len() > MAX_TEXT && tags.any(too_long)).then_some("a text is too long")
}
