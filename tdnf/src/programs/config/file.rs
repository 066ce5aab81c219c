//! A configuration file that keeps its comments and its order while keys change.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use whole_file::{Access, Durability};

use super::{Result, Stop, system};

/// Largest file that is edited.
const MAX_FILE: u64 = 4 << 20;
/// Under this name JSON shows the comments of a section.
const COMMENT: &str = ".comment";

enum Line {
    Section(String),
    Pair(String, String),
    /// A comment or an empty line, as it is.
    Other(String),
}

/// The lines of a file.
pub(super) struct IniFile {
    path: PathBuf,
    lines: Vec<Line>,
}

impl IniFile {
    /// A file that is not there yet.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            lines: Vec::new(),
        }
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
            .map_err(|error| system(path, &error))?;
        if text.len() as u64 > MAX_FILE {
            return Err(system(path, &"larger than a configuration file may be"));
        }
        let mut lines = Vec::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let number = index + 1;
            match take(line, &mut lines) {
                Some(line) => lines.push(line),
                None if continues(line, &mut lines) => {}
                None => {
                    let what = format!("line {number}: expected [section] or key = value");
                    return Err(Stop(2, format!("{}: {what}", path.display())));
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            lines,
        })
    }

    /// Where the lines behind a section's head begin and end.
    fn range(&self, section: &str) -> Option<std::ops::Range<usize>> {
        let head = |line: &Line| matches!(line, Line::Section(name) if name == section);
        let start = self.lines.iter().position(head)? + 1;
        let next = |line: &Line| matches!(line, Line::Section(_));
        let rest = self.lines.get(start..).unwrap_or_default();
        let end = rest
            .iter()
            .position(next)
            .map_or(self.lines.len(), |at| start + at);
        Some(start..end)
    }

    fn section(&self, section: &str) -> &[Line] {
        self.range(section)
            .and_then(|range| self.lines.get(range))
            .unwrap_or_default()
    }

    pub(super) fn has(&self, section: &str) -> bool {
        self.range(section).is_some()
    }

    /// The value that counts: the last one.
    pub(super) fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.section(section)
            .iter()
            .rev()
            .find_map(|line| match line {
                Line::Pair(own, value) if own == key => Some(value.as_str()),
                _ => None,
            })
    }

    pub(super) fn add_section(&mut self, section: &str) {
        if !self.lines.is_empty() {
            self.lines.push(Line::Other(String::new()));
        }
        self.lines.push(Line::Section(section.to_owned()));
    }

    /// Sets a key where it stands, else behind the last key of the section.
    pub(super) fn set(&mut self, section: &str, key: &str, value: &str) {
        let Some(range) = self.range(section) else {
            return;
        };
        let start = range.start;
        let of_section = self.lines.get(range).unwrap_or_default();
        let is = |line: &Line| matches!(line, Line::Pair(own, _) if own == key);
        let pair = Line::Pair(key.to_owned(), value.to_owned());
        if let Some(at) = of_section.iter().rposition(is) {
            self.lines[start + at] = pair;
            return;
        }
        let last = of_section
            .iter()
            .rposition(|line| !matches!(line, Line::Other(text) if text.trim().is_empty()));
        self.lines.insert(start + last.map_or(0, |at| at + 1), pair);
    }

    /// Removes a key, however often it is there; says whether it was.
    pub(super) fn remove(&mut self, section: &str, key: &str) -> bool {
        let Some(range) = self.range(section) else {
            return false;
        };
        let before = self.lines.len();
        let mut index = 0;
        self.lines.retain(|line| {
            let here = range.contains(&index);
            index += 1;
            !(here && matches!(line, Line::Pair(own, _) if own == key))
        });
        self.lines.len() < before
    }

    pub(super) fn remove_section(&mut self, section: &str) {
        if let Some(range) = self.range(section) {
            self.lines.drain(range.start - 1..range.end);
        }
    }

    /// Whether no section is left.
    pub(super) fn is_empty(&self) -> bool {
        !self
            .lines
            .iter()
            .any(|line| matches!(line, Line::Section(_)))
    }

    /// A section with its comments, in the one form.
    pub(super) fn text_of(&self, section: &str) -> String {
        let mut text = format!("[{section}]\n");
        self.section(section)
            .iter()
            .for_each(|line| push(line, &mut text));
        text
    }

    /// A section as an object; comments are one text.
    pub(super) fn json_of(&self, section: &str) -> Value {
        let mut map = Map::new();
        let mut comments = Vec::new();
        for line in self.section(section) {
            match line {
                Line::Pair(key, value) => {
                    map.insert(key.clone(), Value::String(value.clone()));
                }
                Line::Other(text) if !text.trim().is_empty() => comments.push(text.as_str()),
                _ => {}
            }
        }
        if !comments.is_empty() {
            map.insert(COMMENT.to_owned(), Value::String(comments.join("\n")));
        }
        Value::Object(map)
    }

    /// Replaces the file; the new one has the mode of the old one.
    pub(super) fn write(&self) -> Result<()> {
        let mut text = String::new();
        self.lines.iter().for_each(|line| push(line, &mut text));
        let mode = fs::metadata(&self.path).map_or(0o644, |old| old.permissions().mode() & 0o7777);
        let access = Access::Mode(mode);
        whole_file::replace(&self.path, text.as_bytes(), access, Durability::Synced)
            .map_err(|error| system(&self.path, &error))
    }

    pub(super) fn delete(&self) -> Result<()> {
        fs::remove_file(&self.path).map_err(|error| system(&self.path, &error))
    }
}

fn push(line: &Line, text: &mut String) {
    match line {
        Line::Section(name) => text.push_str(&format!("[{name}]\n")),
        Line::Pair(key, value) => text.push_str(&format!("{key} = {value}\n")),
        Line::Other(other) => text.push_str(&format!("{other}\n")),
    }
}

/// What a line is by itself; `None` if it is nothing, or continues the value above.
fn take(line: &str, before: &mut [Line]) -> Option<Line> {
    let text = line.trim();
    if text.is_empty() || text.starts_with(['#', ';']) {
        return Some(Line::Other(line.trim_end().to_owned()));
    }
    if let Some(name) = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
    {
        return Some(Line::Section(name.trim().to_owned()));
    }
    let (key, value) = text.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let plain = key
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let indented = line.starts_with([' ', '\t']) && matches!(before.last(), Some(Line::Pair(..)));
    if key.is_empty() || indented && !plain {
        return None;
    }
    Some(Line::Pair(key.to_owned(), value.to_owned()))
}

/// An indented line continues the value above.
fn continues(line: &str, lines: &mut [Line]) -> bool {
    match lines.last_mut() {
        Some(Line::Pair(_, value)) if line.starts_with([' ', '\t']) => {
            if !value.is_empty() {
                value.push(' ');
            }
            value.push_str(line.trim());
            true
        }
        _ => false,
    }
}
