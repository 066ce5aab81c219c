//! The status on a terminal: a row for each repository, and below it what else is to be said.

use cli_kit::{Printer, iec_size, with_options};

use crate::config::RepoMode;

use super::{RepoStatus, Status, ago};

/// Blanks between two columns.
const GAP: &str = "  ";

/// Prints it; `options` are repeated in commands.
pub(crate) fn print(status: &Status, printer: &Printer, options: &str) {
    printer.json(status);
    let rows: Vec<[String; 7]> = status.repos.iter().map(cells).collect();
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for why in status.of_run() {
        printer.crit(&with_options("mirror-sync", why, options));
    }
    for (repo, row) in status.repos.iter().zip(&rows) {
        let mut line = String::new();
        for (number, (cell, width)) in row.iter().zip(widths).enumerate() {
            let gap = if number > 0 { GAP } else { "" };
            line.push_str(&match number {
                // Numbers end where their column does.
                3 | 4 => format!("{gap}{cell:>width$}"),
                _ => format!("{gap}{cell:<width$}"),
            });
        }
        printer.row(line.trim_end());
        // What is wrong with one that is left out is in the JSON.
        let error = repo.error.iter().filter(|_| !repo.disabled);
        for note in repo.notes().iter().chain(error) {
            printer.crit(&format!(
                "    {}",
                with_options("mirror-sync", note, options)
            ));
        }
    }
}

fn cells(repo: &RepoStatus) -> [String; 7] {
    let word = if repo.packages == 1 {
        "package"
    } else {
        "packages"
    };
    [
        repo.id.clone(),
        repo.words(),
        match repo.outcome.as_str() {
            "" => "-".to_owned(),
            outcome => outcome.to_owned(),
        },
        format!("{} {word}", repo.packages),
        iec_size(repo.bytes),
        match (repo.lag_seconds, &repo.rolled_back_from) {
            (Some(age), None) if repo.mode == RepoMode::Merge => format!("merged: {}", ago(age)),
            (Some(age), None) => format!("same as upstream: {}", ago(age)),
            _ => match repo.try_age_seconds {
                Some(age) => format!("last try: {}", ago(age)),
                None => "never".to_owned(),
            },
        },
        repo.snapshot.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}
