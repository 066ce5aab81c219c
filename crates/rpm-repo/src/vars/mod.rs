//! Variables in `.repo` files: `$releasever`, `$basearch`, `$arch` and the variable directories.
//!
//! A name is `$` and letters, digits and `_`, or the same in braces: `${name}`. As C tdnf names end
//! before `_`, a name that is not known is tried again shorter, cut at its underscores. What is not known
//! becomes empty, as in C tdnf, and is listed so that the caller can say so. A value is not
//! expanded again. A lone `$` stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Place, Result};
use crate::ini::read_limited;

/// Longest text after expansion, in bytes (C tdnf cuts at 255).
pub const MAX_EXPANDED: usize = 256 << 10;
/// Largest variable file in bytes; only its first line counts.
pub const MAX_VARIABLE_FILE: u64 = 64 << 10;

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
    /// The names that were not known and became empty, in order of appearance.
    pub unknown: Vec<String>,
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
        [&self.forced, &self.from_dirs, &self.built_in]
            .into_iter()
            .find_map(|map| map.get(name))
            .map(String::as_str)
    }

    /// Adds the files of a directory: the file name is the variable, the first line its value. A
    /// variable that an earlier directory defined keeps its value. A directory that does not exist
    /// is no error; files with other names than letters, digits and `_` are skipped.
    ///
    /// Errors: the directory or a file cannot be read, a value is not UTF-8 or has control characters.
    pub fn add_dir(&mut self, dir: &Path) -> Result<()> {
        for path in plain_files(dir)? {
            let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
                continue;
            };
            if !is_name(name) || self.from_dirs.contains_key(name) {
                continue;
            }
            let value = read_first_line(&path, name)?;
            self.from_dirs.insert(name.to_owned(), value);
        }
        Ok(())
    }

    /// Replaces the variables in a text. The result is cut at [`MAX_EXPANDED`].
    pub fn expand(&self, text: &str) -> Expanded {
        let mut out = Expanded {
            text: String::with_capacity(text.len()),
            unknown: Vec::new(),
        };
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.text.push_str(&rest[..at]);
            rest = self.expand_one(&rest[at + 1..], &mut out);
        }
        out.text.push_str(rest);
        if out.text.len() > MAX_EXPANDED {
            let cut = (0..=MAX_EXPANDED)
                .rev()
                .find(|&i| out.text.is_char_boundary(i));
            out.text.truncate(cut.unwrap_or(0));
        }
        out
    }

    /// `rest` follows a `$`; returns what follows the variable.
    fn expand_one<'t>(&self, rest: &'t str, out: &mut Expanded) -> &'t str {
        if let Some((name, after)) = rest.strip_prefix('{').and_then(|r| r.split_once('}'))
            && is_name(name)
        {
            self.put(name, out);
            return after;
        }
        let end = rest.find(|c: char| !is_name_char(c)).unwrap_or(rest.len());
        if end == 0 {
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
        self.put(&rest[..length], out);
        &rest[length..]
    }

    fn put(&self, name: &str, out: &mut Expanded) {
        match self.get(name) {
            Some(value) if out.text.len() + value.len() <= MAX_EXPANDED => out.text.push_str(value),
            Some(_) => {}
            None => out.unknown.push(name.to_owned()),
        }
    }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_name_char)
}

fn read_first_line(path: &Path, name: &str) -> Result<String> {
    let bad = |why| {
        let place = Place::line(&Arc::from(path), 0);
        Error::config(&place, format!("bad value of variable {name}: {why}"))
    };
    let bytes = read_limited(path, MAX_VARIABLE_FILE)?;
    let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let text = std::str::from_utf8(line)
        .map_err(|_| bad("it is not UTF-8"))?
        .trim();
    if text.chars().any(char::is_control) {
        return Err(bad("it has a control character"));
    }
    Ok(text.to_owned())
}

/// The regular files of a directory (symbolic links followed), by name; none if it does not exist.
pub(crate) fn plain_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let io = Error::read(dir);
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(io)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests;
