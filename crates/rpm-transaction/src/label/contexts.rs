//! The table of a policy that says which label a path has: `file_contexts` (file_contexts(5),
//! selabel_file(5)).
//!
//! A line is an expression for whole paths, a type of file or none, and a label. Of several lines
//! that match, the last one counts; lines without any special character come before all others.

use std::collections::HashMap;
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};

use super::super::files::Kind;

/// Lines of a table that are read; the tables of Fedora and Debian have some 7,000.
const MAX_LINES: usize = 20_000;
/// The longest expression and the longest label.
const MAX_FIELD: usize = 4096;
/// Bytes of a compiled expression.
const MAX_COMPILED: usize = 64 << 10;
/// What makes a path an expression.
const SPECIAL: &[u8] = b".^$?*+|[({";
/// A path that matches is to be left alone.
const NONE: &[u8] = b"<<none>>";

/// The name of the policy that `/etc/selinux/config` chooses; `None` where SELinux is off.
pub(super) fn policy_name(config: &[u8]) -> Option<Vec<u8>> {
    let value = |key: &[u8]| {
        let lines = config.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
        let mut values =
            lines.filter_map(|line| line.strip_prefix(key)?.trim_ascii().strip_prefix(b"="));
        values.next_back().map(<[u8]>::trim_ascii)
    };
    if value(b"SELINUX").is_none_or(|mode| mode.eq_ignore_ascii_case(b"disabled")) {
        return None;
    }
    let name = value(b"SELINUXTYPE").unwrap_or(b"targeted");
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let good = !name.is_empty() && name.iter().all(plain) && !name.starts_with(b".");
    good.then(|| name.to_vec())
}

/// One line.
#[derive(Debug)]
struct Line {
    expression: String,
    /// Compiled when a path first gets so far; `None` inside: it cannot be.
    compiled: OnceLock<Option<Regex>>,
    /// The bytes that every path begins with that can match.
    begins: Vec<u8>,
    kind: Option<Kind>,
    label: Vec<u8>,
    exact: bool,
}

/// The whole table.
#[derive(Debug, Default)]
pub(super) struct FileContexts {
    /// In the order of the files, [`FileContexts::finish`] puts the exact ones behind.
    lines: Vec<Line>,
    /// Lines by the first directory of their paths; those that fit several stand under none.
    by_top: HashMap<Vec<u8>, Vec<usize>>,
    /// Directories that are labelled as others: theirs, and the others.
    aliases: Vec<(Vec<u8>, Vec<u8>)>,
}

impl FileContexts {
    /// Adds the lines of one file. Answers the number of the first line that is not understood.
    pub(super) fn add(&mut self, text: &[u8]) -> Option<usize> {
        let mut bad = None;
        for (line, number) in text.split(|&b| b == b'\n').zip(1..) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            match Line::parse(line).filter(|_| self.lines.len() < MAX_LINES) {
                Some(line) => self.lines.push(line),
                None => bad = bad.or(Some(number)),
            }
        }
        bad
    }

    /// Adds lines of a file of aliases (`file_contexts.subs`).
    pub(super) fn add_aliases(&mut self, text: &[u8]) {
        for line in text.split(|&b| b == b'\n').take(MAX_LINES) {
            let words = line
                .split(u8::is_ascii_whitespace)
                .filter(|w| !w.is_empty());
            let words: Vec<&[u8]> = words.collect();
            if let [from, to, ..] = words[..]
                && !from.starts_with(b"#")
            {
                self.aliases.push((from.to_vec(), to.to_vec()));
            }
        }
    }

    /// All files are added.
    pub(super) fn finish(&mut self) {
        self.lines.sort_by_key(|line| line.exact);
        for (number, line) in self.lines.iter().enumerate() {
            let top = top(&line.begins).unwrap_or_default();
            self.by_top.entry(top.to_vec()).or_default().push(number);
        }
    }

    /// The label of a path; `None` where the table says nothing, or to leave it alone.
    pub(super) fn lookup(&self, path: &[u8], kind: Kind) -> Option<&[u8]> {
        let aliased = self.without_alias(path);
        let path = aliased.as_deref().unwrap_or(path);
        let none = Vec::new();
        let of = |top: &[u8]| self.by_top.get(top).unwrap_or(&none);
        let mut own = of(top(path).unwrap_or_default()).iter().rev().peekable();
        let mut any = match top(path) {
            Some(_) => of(b""),
            None => &none,
        }
        .iter()
        .rev()
        .peekable();
        // The two lists side by side, the later line first.
        while let Some(&number) = match (own.peek(), any.peek()) {
            (Some(a), Some(b)) if a < b => any.next(),
            (Some(_), _) => own.next(),
            _ => any.next(),
        } {
            let line = self.lines.get(number)?;
            if line.matches(path, kind) {
                return (line.label != NONE).then_some(&line.label);
            }
        }
        None
    }

    /// The path under its other name, if its directory has one.
    fn without_alias(&self, path: &[u8]) -> Option<Vec<u8>> {
        let applies = |(from, _): &&(Vec<u8>, Vec<u8>)| {
            let rest = path.strip_prefix(&from[..]);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        // Later lines, and the administrator's own file, come first.
        let (from, to) = self.aliases.iter().rev().find(applies)?;
        Some([&to[..], path.get(from.len()..).unwrap_or_default()].concat())
    }
}

/// The first directory of a path, with its slash before and behind.
fn top(path: &[u8]) -> Option<&[u8]> {
    let rest = path.strip_prefix(b"/")?;
    let end = rest.iter().position(|&b| b == b'/')?;
    path.get(..end + 2)
}

impl Line {
    fn parse(line: &[u8]) -> Option<Line> {
        let words = line
            .split(u8::is_ascii_whitespace)
            .filter(|w| !w.is_empty());
        let words: Vec<&[u8]> = words.collect();
        let (expression, kind, label) = match words[..] {
            [expression, label] => (expression, None, label),
            [expression, kind, label] => (expression, Some(kind_of(kind)?), label),
            _ => return None,
        };
        if expression.len() > MAX_FIELD || label.len() > MAX_FIELD {
            return None;
        }
        let (begins, exact) = literal(expression);
        Some(Line {
            expression: String::from_utf8(expression.to_vec()).ok()?,
            compiled: OnceLock::new(),
            begins,
            kind,
            label: label.to_vec(),
            exact,
        })
    }

    fn matches(&self, path: &[u8], kind: Kind) -> bool {
        if self.kind.is_some_and(|wanted| wanted != kind) || !path.starts_with(&self.begins) {
            return false;
        }
        if self.exact {
            return path.len() == self.begins.len();
        }
        let compiled = self.compiled.get_or_init(|| {
            RegexBuilder::new(&format!("^(?:{})$", self.expression))
                .unicode(false)
                .dot_matches_new_line(true)
                .size_limit(MAX_COMPILED)
                .build()
                .ok()
        });
        compiled.as_ref().is_some_and(|regex| regex.is_match(path))
    }
}

/// What every path that an expression matches begins with, and whether that is all of it.
fn literal(expression: &[u8]) -> (Vec<u8>, bool) {
    let mut begins = Vec::new();
    let mut bytes = expression.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            // An alternative may begin in another way.
            _ if SPECIAL.contains(&byte) => {
                if expression.contains(&b'|') && !in_group(expression) {
                    return (Vec::new(), false);
                }
                // `x*` and the like say of the byte before that it may be missing.
                if matches!(byte, b'?' | b'*' | b'{') {
                    begins.pop();
                }
                return (begins, false);
            }
            b'\\' => match bytes.next() {
                Some(&next) if !next.is_ascii_alphanumeric() => begins.push(next),
                _ => return (begins, false),
            },
            byte => begins.push(byte),
        }
    }
    (begins, true)
}

/// Does every `|` stand between parentheses?
fn in_group(expression: &[u8]) -> bool {
    let mut depth = 0_usize;
    for &byte in expression {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'|' if depth == 0 => return false,
            _ => {}
        }
    }
    true
}

/// The type of a line: `--` and so on, as `ls` shows it.
fn kind_of(word: &[u8]) -> Option<Kind> {
    Some(match word {
        b"--" => Kind::Regular,
        b"-d" => Kind::Directory,
        b"-l" => Kind::Symlink,
        b"-p" => Kind::Fifo,
        b"-c" => Kind::CharDevice,
        b"-b" => Kind::BlockDevice,
        b"-s" => Kind::Socket,
        _ => return None,
    })
}
