//! The history as table and as JSON.

use std::fmt::Write as _;

use chrono::{DateTime, Local};
use serde::Serialize;

use crate::history::{Failed, HistoryEntry};
use crate::screen::View;

/// Columns of everything but the command line.
const OTHER_COLUMNS: usize = 41;

/// Transactions as `history` shows them.
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
        table(self.done, self.failed, self.info, columns)
    }

    fn json(&self) -> impl Serialize {
        let shape = |entry| TransactionShape::of(entry, self.info);
        self.done.iter().map(shape).collect::<Vec<_>>()
    }
}

fn table(entries: &[HistoryEntry], failures: &[Failed], info: bool, width: usize) -> String {
    let column = width.saturating_sub(OTHER_COLUMNS);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "ID   {:<column$} {:<21} +add  / -rem",
        "cmd line", "date/time"
    );
    for entry in entries {
        let _ = writeln!(
            text,
            "{:>4} {:<column$} {:<21} +{:<4} / -{:<4}",
            entry.id,
            entry.command_line,
            date(entry.timestamp),
            entry.added.len(),
            entry.removed.len(),
        );
        if info {
            put_items(&mut text, "added", &entry.added);
            put_items(&mut text, "removed", &entry.removed);
            text.push('\n');
        }
    }
    for failed in failures.iter().filter(|_| info) {
        let (line, date) = (&failed.command_line, date(failed.timestamp));
        let _ = writeln!(text, "   - {line:<column$} {date:<21} failed");
        let _ = writeln!(text, "reason: {}\n", failed.reason);
    }
    text
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
}

impl<'a> TransactionShape<'a> {
    fn of(entry: &'a HistoryEntry, info: bool) -> Self {
        Self {
            id: entry.id,
            cmd_line: &entry.command_line,
            time_stamp: entry.timestamp,
            added_count: entry.added.len(),
            removed_count: entry.removed.len(),
            added: info.then_some(entry.added.as_slice()),
            removed: info.then_some(entry.removed.as_slice()),
        }
    }
}
