//! The text form of `.repo` files and `tdnf.conf`.
//!
//! `[section]` lines, `key = value` lines, comments on their own lines (`#` or `;`), empty lines
//! anywhere, and continuation lines: an indented line continues the value above, joined with one
//! space. An indented line that starts with a known key and `=` is a key of its own, because C tdnf
//! has no continuation and people indent keys. There are no inline comments and no quotes. A later
//! key of the same name wins. A line that is none of these is an error with file and line.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Place, Result};

/// Largest configuration file in bytes.
pub const MAX_FILE: u64 = 4 << 20;
/// Longest value in bytes, continuation lines joined.
pub const MAX_VALUE: usize = 256 << 10;

/// What some editors put before the first line.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A parsed file.
#[derive(Debug, Clone)]
pub struct Document {
    /// The sections in the order of the file; two of the same name stay two.
    pub sections: Vec<Section>,
}

/// One `[name]` and what follows it.
#[derive(Debug, Clone)]
pub struct Section {
    /// The text between the brackets, trimmed.
    pub name: String,
    /// Where the section starts.
    pub place: Place,
    /// The keys in the order of the file.
    pub entries: Vec<IniEntry>,
    /// The first bad line, where such lines are passed over.
    pub(crate) fault: Option<Arc<Error>>,
}

/// One `key = value`.
#[derive(Debug, Clone)]
pub struct IniEntry {
    /// The key, trimmed.
    pub key: String,
    /// The value, trimmed, continuation lines joined with one space.
    pub value: String,
    /// Where the key stands.
    pub place: Place,
}

impl Section {
    /// The value that counts for a key: the last one.
    pub fn get(&self, key: &str) -> Option<&IniEntry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }
}

/// Reads and parses a file; links below `root` stay in it. `is_key` knows the keys that may be indented.
///
/// Errors: the file cannot be read, is larger than [`MAX_FILE`], or has a bad line.
pub fn read(root: &Path, path: &Path, is_key: fn(&str) -> bool) -> Result<Document> {
    let text = read_limited(root, path, MAX_FILE)?;
    parse(&text, path, is_key)
}

/// As [`read`], but a bad line between the keys of a section is a fault of that section.
pub(crate) fn read_sections(
    root: &Path,
    path: &Path,
    is_key: fn(&str) -> bool,
) -> Result<Document> {
    let text = read_limited(root, path, MAX_FILE)?;
    parse_lines(&text, path, is_key, |section, error| {
        section.fault.get_or_insert(Arc::new(error));
        Ok(())
    })
}

/// Reads a whole small file, refusing more than `limit` bytes.
pub(crate) fn read_limited(root: &Path, path: &Path, limit: u64) -> Result<Vec<u8>> {
    use std::io::Read;
    let io = Error::read(path);
    let file = whole_file::open_of_root(root, path).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        return Err(Error::FileTooLarge {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(bytes)
}

/// Parses the bytes of a file; `path` is only for messages.
pub fn parse(bytes: &[u8], path: &Path, is_key: fn(&str) -> bool) -> Result<Document> {
    parse_lines(bytes, path, is_key, |_, error| Err(error))
}

/// `on_fault` hears of a line that cannot be used and of the section that it belongs to.
fn parse_lines(
    bytes: &[u8],
    path: &Path,
    is_key: fn(&str) -> bool,
    on_fault: fn(&mut Section, Error) -> Result<()>,
) -> Result<Document> {
    let file: Arc<Path> = Arc::from(path);
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut parser = IniParser {
        sections: Vec::new(),
        open_value: false,
        is_key,
    };
    for (index, line) in bytes.split(|&b| b == b'\n').enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let Err(error) = parser.line(line, Place::line(&file, number)) else {
            continue;
        };
        // Whose keys follow a bad header nobody knows.
        let is_header = line.trim_ascii_start().starts_with(b"[");
        match parser.sections.last_mut().filter(|_| !is_header) {
            Some(section) => on_fault(section, error)?,
            None => return Err(error),
        }
        parser.open_value = false;
    }
    Ok(Document {
        sections: parser.sections,
    })
}

struct IniParser {
    sections: Vec<Section>,
    /// The last entry may be continued by an indented line.
    open_value: bool,
    is_key: fn(&str) -> bool,
}

impl IniParser {
    fn line(&mut self, line: &[u8], place: Place) -> Result<()> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Old files have comments in other character sets.
        if line.trim_ascii_start().starts_with(b"#") || line.trim_ascii_start().starts_with(b";") {
            return Ok(());
        }
        let line = match std::str::from_utf8(line) {
            Ok(line) => Cow::Borrowed(line),
            // A name is for people: old files are in Latin-1. In everything else a guess could mean another file.
            Err(_)
                if line
                    .trim_ascii_start()
                    .to_ascii_lowercase()
                    .starts_with(b"name") =>
            {
                Cow::Owned(line.iter().map(|&byte| char::from(byte)).collect())
            }
            Err(_) => return Err(Error::config(&place, "the line is not UTF-8")),
        };
        let line = &*line;
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(Error::config(&place, "the line has a control character"));
        }
        let text = line.trim();
        if text.is_empty() {
            self.open_value = false;
            return Ok(());
        }
        if self.open_value && line.starts_with([' ', '\t']) && !self.is_indented_key(text) {
            return self.go_on(text, place);
        }
        match text.strip_prefix('[') {
            Some(rest) => self.section(rest, place),
            None => self.entry(text, place),
        }
    }

    /// True for `key = ...` with a known key, and for a section header.
    fn is_indented_key(&self, text: &str) -> bool {
        let key = text.split_once('=').map(|(key, _)| key.trim());
        key.is_some_and(self.is_key) || (text.starts_with('[') && text.ends_with(']'))
    }

    fn section(&mut self, rest: &str, place: Place) -> Result<()> {
        let Some(name) = rest.strip_suffix(']') else {
            return Err(Error::config(&place, "a section line must end with ]"));
        };
        self.open_value = false;
        self.sections.push(Section {
            name: name.trim().to_owned(),
            place,
            entries: Vec::new(),
            fault: None,
        });
        Ok(())
    }

    fn entry(&mut self, text: &str, place: Place) -> Result<()> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(Error::config(&place, "expected [section] or key = value"));
        };
        let Some(section) = self.sections.last_mut() else {
            return Err(Error::config(&place, "a key before the first [section]"));
        };
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return Err(Error::config(&place, "an empty key"));
        }
        check_length(value.len(), &place)?;
        section.entries.push(IniEntry {
            key: key.to_owned(),
            value: value.to_owned(),
            place,
        });
        self.open_value = true;
        Ok(())
    }

    fn go_on(&mut self, text: &str, place: Place) -> Result<()> {
        if let Some(entry) = self.sections.last_mut().and_then(|s| s.entries.last_mut()) {
            check_length(entry.value.len() + text.len(), &place)?;
            if !entry.value.is_empty() {
                entry.value.push(' ');
            }
            entry.value.push_str(text);
        }
        Ok(())
    }
}

fn check_length(length: usize, place: &Place) -> Result<()> {
    if length > MAX_VALUE {
        return Err(Error::config(place, "the value is too long"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
