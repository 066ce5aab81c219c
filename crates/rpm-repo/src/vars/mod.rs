//! Variables in `.repo` files: `$releasever`, `$basearch`, `$arch` and the variable directories.
//!
//! A name is `$` and letters, digits and `_`, or the same in braces: `${name}`. As C tdnf names end
//! before `_`, a name that is not known is tried again shorter, cut at its underscores. What is not known
//! stays as it is written, as in dnf (C tdnf puts nothing there, which may be another repository's address),
//! and is listed so that the caller can say so. A value is not expanded again. A lone `$` stays.
//!
//! As in dnf5, `releasever_major` and `releasever_minor` are what stands before and after the first dot of
//! `releasever`; `${name:-words}` is the words where the variable is not known or empty, `${name:+words}` where it is
//! known and not empty; variables in the words are replaced.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Place, Result};
use crate::ini::{self, read_limited};

/// Longest text after expansion, in bytes (C tdnf cuts at 255).
pub const MAX_EXPANDED: usize = 256 << 10;
/// Largest variable file in bytes; only its first line counts.
pub const MAX_VARIABLE_FILE: u64 = 64 << 10;
/// How deep `${name:-words}` may stand in one another, as in dnf5.
const MAX_DEPTH: usize = 32;
/// Most bytes between braces.
const MAX_BRACED: usize = 1024;
/// Variables that are parts of `releasever`.
const RELEASE_PARTS: [&str; 2] = ["releasever_major", "releasever_minor"];

/// The variables of one run.
#[derive(Debug, Clone, Default)]
pub struct Vars {
    built_in: BTreeMap<String, String>,
    from_dirs: BTreeMap<String, String>,
    forced: BTreeMap<String, String>,
}

/// A text after expansion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expanded {
    /// The result.
    pub text: String,
    /// The names that were not known and stayed as they were, in order of appearance.
    pub unknown: Vec<String>,
    /// The names that stand for nothing.
    pub empty: Vec<String>,
}

impl Vars {
    /// No variables.
    pub fn new() -> Vars {
        Vars::default()
    }

    /// Sets a built-in value (`releasever`, `basearch`, `arch`); a file of the variable
    /// directories with this name overrides it (seen in C tdnf).
    pub fn set_built_in(&mut self, name: &str, value: &str) {
        self.built_in.insert(name.to_owned(), value.to_owned());
    }

    /// Sets a value that nothing overrides, such as one from the command line.
    pub fn set(&mut self, name: &str, value: &str) {
        self.forced.insert(name.to_owned(), value.to_owned());
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        let given = |name: &str| {
            [&self.forced, &self.from_dirs, &self.built_in]
                .into_iter()
                .find_map(|map| map.get(name))
        };
        let part = |of: fn(&str) -> &str| given("releasever").map(|version| of(version));
        let derived = match name {
            "releasever_major" => part(|version| version.split('.').next().unwrap_or_default()),
            "releasever_minor" => {
                part(|version| version.split_once('.').map_or("", |(_, minor)| minor))
            }
            _ => None,
        };
        given(name).map(String::as_str).or(derived)
    }

    /// Adds the files of a directory: the file name is the variable, the first line its value. A
    /// variable that an earlier directory defined keeps its value. A directory that does not exist
    /// is no error; files with other names than letters, digits and `_` are skipped. Links below `root` stay in it.
    ///
    /// Errors: the directory or a file cannot be read, a value is not UTF-8 or has control characters. Of several files
    /// the first is named; they define nothing, and all others do.
    pub fn add_dir(&mut self, root: &Path, dir: &Path) -> Result<()> {
        let mut outcome = Ok(());
        for path in plain_files(root, dir, false)? {
            let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
                continue;
            };
            if !is_name(name) || self.from_dirs.contains_key(name) {
                continue;
            }
            match read_first_line(root, &path, name) {
                Ok(value) => {
                    self.from_dirs.insert(name.to_owned(), value);
                }
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let all = [&self.forced, &self.from_dirs, &self.built_in];
        let given = all.into_iter().flat_map(BTreeMap::keys);
        given.map(String::as_str).chain(RELEASE_PARTS)
    }

    /// Replaces the variables in a text. The result is cut at [`MAX_EXPANDED`].
    pub fn expand(&self, text: &str) -> Expanded {
        let mut out = Expanded {
            text: String::with_capacity(text.len()),
            unknown: Vec::new(),
            empty: Vec::new(),
        };
        self.expand_into(text, 0, &mut out);
        if out.text.len() > MAX_EXPANDED {
            let cut = (0..=MAX_EXPANDED)
                .rev()
                .find(|&i| out.text.is_char_boundary(i));
            out.text.truncate(cut.unwrap_or(0));
        }
        out
    }

    fn expand_into(&self, text: &str, depth: usize, out: &mut Expanded) {
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.text.push_str(&rest[..at]);
            rest = self.expand_one(&rest[at + 1..], depth, out);
        }
        out.text.push_str(rest);
    }

    /// `rest` follows a `$`; returns what follows the variable.
    fn expand_one<'t>(&self, rest: &'t str, depth: usize, out: &mut Expanded) -> &'t str {
        if let Some((inside, after)) = rest.strip_prefix('{').and_then(split_brace)
            && self.expand_braced(inside, depth, out)
        {
            return after;
        }
        let end = rest.find(|c: char| !is_name_char(c)).unwrap_or(rest.len());
        if end == 0 {
            // Braces with something else between them stay, and hold a name that nobody replaced.
            let braced = rest
                .strip_prefix('{')
                .filter(|inside| inside.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
            let written =
                braced.map(|inside| inside.split_once('}').map_or(inside, |(name, _)| name));
            out.unknown.extend(written.map(str::to_owned));
            out.text.push('$');
            return rest;
        }
        let mut length = end;
        while self.get(&rest[..length]).is_none() {
            match rest[..length].rfind('_') {
                Some(shorter) if shorter > 0 => length = shorter,
                _ => {
                    length = end;
                    break;
                }
            }
        }
        let name = &rest[..length];
        self.put(name, &format!("${name}"), out);
        &rest[length..]
    }

    /// What stands between braces; false if it is no variable.
    fn expand_braced(&self, inside: &str, depth: usize, out: &mut Expanded) -> bool {
        let end = inside
            .find(|c: char| !is_name_char(c))
            .unwrap_or(inside.len());
        let (name, words) = inside.split_at(end);
        if name.is_empty() || depth >= MAX_DEPTH {
            return false;
        }
        let value = self.get(name).filter(|value| !value.is_empty());
        match (words.get(..2), value) {
            (None, _) if words.is_empty() => self.put(name, &format!("${{{name}}}"), out),
            (Some(":-"), Some(_)) => self.put(name, "", out),
            (Some(":-"), None) | (Some(":+"), Some(_)) => {
                self.expand_into(&words[2..], depth + 1, out);
            }
            (Some(":+"), None) => {}
            _ => return false,
        }
        true
    }

    /// Puts a value, or what is written where there is none.
    fn put(&self, name: &str, written: &str, out: &mut Expanded) {
        match self.get(name) {
            Some("") => out.empty.push(name.to_owned()),
            Some(value) if out.text.len() + value.len() <= MAX_EXPANDED => out.text.push_str(value),
            Some(_) => {}
            None => {
                out.unknown.push(name.to_owned());
                out.text.push_str(written);
            }
        }
    }
}

/// What stands before the brace that closes `text`, and after it.
fn split_brace(text: &str) -> Option<(&str, &str)> {
    let mut open = 0_usize;
    for (at, byte) in text.bytes().enumerate().take(MAX_BRACED) {
        match byte {
            b'{' => open += 1,
            b'}' if open == 0 => return Some((&text[..at], &text[at + 1..])),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_name_char)
}

fn read_first_line(root: &Path, path: &Path, name: &str) -> Result<String> {
    let bad = |why| {
        let place = Place::line(&Arc::from(path), 0);
        Error::config(&place, format!("bad value of variable {name}: {why}"))
    };
    let bytes = read_limited(root, path, MAX_VARIABLE_FILE)?;
    let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let line = line.strip_prefix(ini::BYTE_ORDER_MARK).unwrap_or(line);
    let text = std::str::from_utf8(line)
        .map_err(|_| bad("it is not UTF-8"))?
        .trim();
    if text.chars().any(char::is_control) {
        return Err(bad("it has a control character"));
    }
    Ok(text.to_owned())
}

/// The regular files of a directory (symbolic links followed, those below `root` inside it), by name, and with
/// `dangling` links that lead nowhere, too; none if it does not exist.
pub(crate) fn plain_files(root: &Path, dir: &Path, dangling: bool) -> Result<Vec<PathBuf>> {
    let io = Error::read(dir);
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(io)?.path();
        let led_to = match path.strip_prefix(root) {
            Ok(below) => whole_file::inside(root, below).and_then(|place| place.metadata()),
            Err(_) => path.metadata(),
        };
        let wanted = match led_to {
            Ok(found) => found.is_file(),
            Err(_) => dangling && path.is_symlink(),
        };
        if wanted {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests;
