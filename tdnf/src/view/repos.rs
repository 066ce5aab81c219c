//! Repositories as `repolist` shows them.

use std::fmt::Write as _;

use cli_kit::Printer;
use serde::Serialize;

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepoRow {
    /// Id.
    #[serde(rename = "Repo")]
    pub id: String,
    /// Name for people.
    #[serde(rename = "RepoName")]
    pub name: String,
    /// Whether commands use it.
    #[serde(rename = "Enabled")]
    pub enabled: bool,
}

/// The table of `repolist`; no header if there is nothing to list.
pub fn list(printer: &Printer, rows: &[RepoRow]) {
    if printer.mode().json {
        return printer.json(&rows);
    }
    if rows.is_empty() {
        return;
    }
    let mut text = format!("{:<20}{:<41}{:<9}\n", "repo id", "repo name", "status");
    for row in rows {
        let status = if row.enabled { "enabled" } else { "disabled" };
        let _ = writeln!(text, "{:<19} {:<40} {status:<9}", row.id, row.name);
    }
    printer.crit_part(&text);
}
