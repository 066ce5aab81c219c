//! The laboratory: transfers against their physical limits.
//!
//! Each case prints one row: setup, limit, result, efficiency. By default sizes and times are scaled down
//! so that a case takes some ten seconds, and the mark leaves room for the probing that a short run
//! cannot spread over its length; `MIRROR_LAB=full` runs the real sizes at the real marks.
//! Rates are low, so that a loaded machine matters little. Namespaces and lines are in `net`.

mod cases;
mod daytwo;
mod job;
mod net;
mod netcases;

use std::io::Write;

use crate::transfer::Shelf;
use repo_client::FileRequest;

/// Whether the real sizes are asked for.
pub(crate) fn full() -> bool {
    std::env::var_os("MIRROR_LAB").is_some_and(|word| word == "full")
}

/// The scaled value, or the real one.
pub(crate) fn scaled<T>(small: T, real: T) -> T {
    if full() { real } else { small }
}

/// Prints a row; `MIRROR_LAB_TABLE` names a file that gets it, too.
pub(crate) fn row(
    case: &str,
    setup: &str,
    limit: f64,
    result: f64,
    unit: &str,
    got: &job::Outcome,
) {
    let efficiency = result / limit;
    let line = format!(
        "| {case} | {setup} | {limit:.1} {unit} | {result:.1} {unit} | {:.1} % | {} | {} | {} |",
        efficiency * 100.0,
        got.requests,
        got.connections,
        got.limit
    );
    println!(
        "| case | setup | limit | result | efficiency | requests | connections | in words |\n{line}"
    );
    if let Some(path) = std::env::var_os("MIRROR_LAB_TABLE") {
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path);
        writeln!(file.unwrap(), "{line}").unwrap();
    }
}

/// Files of the shelf at URLs that `base` makes of their names.
pub(crate) fn at(shelf: &Shelf, names: &[String], bases: &[String]) -> Vec<FileRequest> {
    let one = |name: &String| FileRequest {
        access: Default::default(),
        urls: bases.iter().map(|base| format!("{base}/{name}")).collect(),
        ..shelf.wanted(name, &[])
    };
    names.iter().map(one).collect()
}

/// Kilobytes per second.
pub(crate) fn rate(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 / 1000.0 / seconds
}
