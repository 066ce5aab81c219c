//! The history as table and as JSON.

use std::fmt::Write as _;

use chrono::{DateTime, Local};
use serde::Serialize;

use super::columns::Columns;
use crate::history::{Failed, HistoryEntry};
use crate::screen::View;

/// Columns of everything but the command line.
const OTHER_COLUMNS: usize = 41;

/// Transactions as `history` shows them.
#[derive(Default)]
pub struct Transactions<'a> {
    /// Those that were carried out.
    pub done: &'a [HistoryEntry],
    /// Those that failed.
    pub failed: &'a [Failed],
    /// Whether what came and went is shown, too, and those that failed.
    pub info: bool,
    /// Whether command lines that are longer than their column go on below it, for people; scripts
    /// know a line each.
    pub folded: bool,
}

impl View for Transactions<'_> {
    fn text(&self, columns: usize) -> String {
        let width = columns.saturating_sub(OTHER_COLUMNS);
        let (line, time) = ("cmd line", "date/time");
        let mut text = format!("ID   {line:<width$} {time:<21} +add  / -rem\n");
        let put = |text: &mut String, id: &str, line: &str, rest: &str| match self.folded {
            true => put_folded(text, id, &fold(line, width), rest, width),
            false => put_folded(text, id, &[line.to_owned()], rest, width),
        };
        for entry in self.done {
            let (id, line, date) = (entry.id, &entry.command_line, date(entry.timestamp));
            let (added, removed) = (entry.added.len(), entry.removed.len());
            let counts = format!("+{added:<4} / -{removed:<4}");
            let id = format!("{id:>4}");
            put(&mut text, &id, line, &format!("{date:<21} {counts}"));
            if self.info {
                let items = Columns::free(columns).folded(self.folded);
                put_items(&mut text, &items, "added", &entry.added);
                put_items(&mut text, &items, "removed", &entry.removed);
                put_items(&mut text, &items, "weak signatures", &weak_words(entry));
                text.push('\n');
            }
        }
        for failed in self.failed.iter().filter(|_| self.info) {
            let (line, date) = (&failed.command_line, date(failed.timestamp));
            put(&mut text, "   -", line, &format!("{date:<21} failed"));
            let _ = writeln!(text, "reason: {}\n", failed.reason);
        }
        text
    }

    fn json(&self) -> impl Serialize {
        let shapes = self.done.iter().map(|entry| shape(entry, self.info));
        shapes.collect::<Vec<_>>()
    }
}

/// A row whose command line may go on below itself.
fn put_folded(text: &mut String, id: &str, lines: &[String], rest: &str, width: usize) {
    let first = lines.first().map_or("", String::as_str);
    let _ = writeln!(text, "{id} {first:<width$} {rest}");
    for more in lines.iter().skip(1) {
        let _ = writeln!(text, "{:id$} {more}", "", id = id.len());
    }
}

/// A text in lines of at most so many characters (one at least), parted at blanks where there are
/// some.
fn fold(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        let fits = |line: &&mut String| line.chars().count() + 1 + letters.len() <= width;
        match lines.last_mut().filter(fits) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None if letters.is_empty() => lines.push(String::new()),
            None => lines.extend(letters.chunks(width).map(|part| part.iter().collect())),
        }
    }
    lines
}

fn put_items(text: &mut String, columns: &Columns, word: &str, items: &[String]) {
    if let [all @ .., last] = items {
        let all = all.iter().map(|item| format!("{item},"));
        let cells = [format!("{word}:")].into_iter().chain(all);
        columns.put(text, &cells.chain([last.clone()]).collect::<Vec<_>>());
    }
}

/// `%a %b %d %Y %H:%M` in local time.
fn date(timestamp: i64) -> String {
    DateTime::from_timestamp(timestamp, 0).map_or_else(String::new, |time| {
        time.with_timezone(&Local)
            .format("%a %b %d %Y %H:%M")
            .to_string()
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TransactionShape<'a> {
    id: i64,
    cmd_line: &'a str,
    time_stamp: i64,
    added_count: usize,
    removed_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    weak_signatures: Vec<String>,
}

fn shape(entry: &HistoryEntry, info: bool) -> TransactionShape<'_> {
    TransactionShape {
        id: entry.id,
        cmd_line: &entry.command_line,
        time_stamp: entry.timestamp,
        added_count: entry.added.len(),
        removed_count: entry.removed.len(),
        added: info.then_some(entry.added.as_slice()),
        removed: info.then_some(entry.removed.as_slice()),
        weak_signatures: match info {
            true => weak_words(entry),
            false => Vec::new(),
        },
    }
}

/// `name-version-release.arch (sha1,rsa1024)`.
fn weak_words(entry: &HistoryEntry) -> Vec<String> {
    let words = |(package, weakness): &(String, String)| format!("{package} ({weakness})");
    entry.weak.iter().map(words).collect()
}
