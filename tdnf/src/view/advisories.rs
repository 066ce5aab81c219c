//! Advisories as `updateinfo` shows them.

use std::fmt::Write as _;

use chrono::{DateTime, Local, NaiveDateTime};
use cli_kit::Printer;
use rpm_repo::updateinfo::Advisory;
use serde::Serialize;

const KINDS: [&str; 4] = ["Unknown", "Security", "Bugfix", "Enhancement"];

/// The kind in tdnf's words.
fn kind(advisory: &Advisory) -> &'static str {
    match advisory.kind.as_str() {
        "security" => "Security",
        "bugfix" => "Bugfix",
        "enhancement" => "Enhancement",
        _ => "Unknown",
    }
}

/// The id with the prefix that libsolv gives it, as scripts know it.
fn id(advisory: &Advisory) -> String {
    format!("patch:{}", advisory.id)
}

/// Whether the machine has to be started anew after the update.
pub fn needs_reboot(advisory: &Advisory) -> bool {
    let packages = &advisory.packages;
    advisory.reboot_suggested || packages.iter().any(|package| package.reboot_suggested)
}

/// How many advisories of each kind.
pub fn summary(printer: &Printer, advisories: &[Advisory]) {
    let count = |word| advisories.iter().filter(|one| kind(one) == word).count();
    if printer.mode().json {
        let [unknown, security, bugfix, enhancement] = KINDS.map(count);
        return printer.json(&Counts {
            unknown,
            security,
            bugfix,
            enhancement,
        });
    }
    for word in KINDS.into_iter().filter(|word| count(word) > 0) {
        printer.crit(&format!("{} {word} notice(s)", count(word)));
    }
    say_none(printer, advisories);
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Counts {
    unknown: usize,
    security: usize,
    bugfix: usize,
    enhancement: usize,
}

fn say_none(printer: &Printer, advisories: &[Advisory]) {
    if advisories.is_empty() {
        printer.crit("\n0 updates.");
    }
}

/// A line per package of an advisory.
pub fn list(printer: &Printer, advisories: &[Advisory]) {
    show(printer, advisories, false, &|text, advisory, file| {
        let _ = writeln!(text, "{} {} {file}", id(advisory), kind(advisory));
    });
}

/// A block per package of an advisory.
pub fn info(printer: &Printer, advisories: &[Advisory]) {
    show(printer, advisories, true, &|text, advisory, file| {
        let mut line = |label: &str, value: &str| {
            let _ = writeln!(text, "{label:>11} : {value}");
        };
        line("Name", file);
        line("Update ID", &id(advisory));
        line("Type", kind(advisory));
        line("Updated", &updated(advisory));
        let _ = writeln!(text, "Needs Reboot: {}", u8::from(needs_reboot(advisory)));
        let _ = writeln!(text, "Description : {}", advisory.description);
    });
}

fn show(
    printer: &Printer,
    advisories: &[Advisory],
    info: bool,
    put: &dyn Fn(&mut String, &Advisory, &str),
) {
    if printer.mode().json {
        return printer.json(
            &advisories
                .iter()
                .map(|one| Shape::of(one, info))
                .collect::<Vec<_>>(),
        );
    }
    let mut text = String::new();
    for advisory in advisories {
        for package in &advisory.packages {
            put(&mut text, advisory, &package.filename);
        }
    }
    printer.crit_part(&text);
    say_none(printer, advisories);
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shape<'a> {
    r#type: &'static str,
    #[serde(rename = "UpdateID")]
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    needs_reboot: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    packages: Vec<&'a str>,
}

impl<'a> Shape<'a> {
    fn of(advisory: &'a Advisory, info: bool) -> Self {
        let packages = advisory.packages.iter();
        Self {
            r#type: kind(advisory),
            id: id(advisory),
            updated: info.then(|| updated(advisory)),
            needs_reboot: info.then(|| needs_reboot(advisory)),
            description: info.then_some(advisory.description.as_str()),
            packages: packages.map(|package| package.filename.as_str()).collect(),
        }
    }
}

/// The date of the last change in local time, as C's `%c` writes it; the text itself where it is
/// no date. Dates stand for UTC; some writers give seconds since 1970.
fn updated(advisory: &Advisory) -> String {
    let text = if advisory.updated.is_empty() {
        &advisory.issued
    } else {
        &advisory.updated
    };
    let seconds = || DateTime::from_timestamp(text.parse().ok()?, 0);
    let date = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
        .ok()
        .map(|date| date.and_utc())
        .or_else(seconds);
    date.map_or_else(
        || text.clone(),
        |date| {
            date.with_timezone(&Local)
                .format("%a %b %e %H:%M:%S %Y")
                .to_string()
        },
    )
}
