//! The history as table and as JSON.

use std::fmt::Write as _;

use chrono::{DateTime, Local};
use serde::Serialize;

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
}

impl View for Transactions<'_> {
    fn text(&self, columns: usize) -> String {
        let width = columns.saturating_sub(OTHER_COLUMNS);
        let (line, time) = ("cmd line", "date/time");
        let mut text = format!("ID   {line:<width$} {time:<21} +add  / -rem\n");
        for entry in self.done {
            let (id, line, date) = (entry.id, &entry.command_line, date(entry.timestamp));
            let (added, removed) = (entry.added.len(), entry.removed.len());
            let _ = write!(text, "{id:>4} {line:<width$} {date:<21} ");
            let _ = writeln!(text, "+{added:<4} / -{removed:<4}");
            if self.info {
                put_items(&mut text, "added", &entry.added);
                put_items(&mut text, "removed", &entry.removed);
                put_items(&mut text, "weak signatures", &weak_words(entry));
                text.push('\n');
            }
        }
        for failed in self.failed.iter().filter(|_| self.info) {
            let (line, date) = (&failed.command_line, date(failed.timestamp));
            let _ = writeln!(text, "   - {line:<width$} {date:<21} failed");
            let _ = writeln!(text, "reason: {}\n", failed.reason);
        }
        text
    }

    fn json(&self) -> impl Serialize {
        let shapes = self.done.iter().map(|entry| shape(entry, self.info));
        shapes.collect::<Vec<_>>()
    }
}

fn put_items(text: &mut String, word: &str, items: &[String]) {
    if !items.is_empty() {
        let _ = writeln!(text, "{word}: {}", items.join(", "));
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
