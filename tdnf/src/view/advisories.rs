//! Advisories as `updateinfo` shows them.

use std::fmt::Write as _;

use chrono::{DateTime, Local, NaiveDateTime};
use rpm_repo::updateinfo::Advisory;
use serde::{Serialize, Serializer};

use crate::screen::View;

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

/// Whether the machine has to be restarted after the update.
pub fn needs_reboot(advisory: &Advisory) -> bool {
    let packages = &advisory.packages;
    advisory.reboot_suggested || packages.iter().any(|package| package.reboot_suggested)
}

/// How many advisories of each kind.
pub struct AdvisoryCounts<'a>(pub &'a [Advisory]);

impl AdvisoryCounts<'_> {
    fn of(&self, word: &str) -> usize {
        self.0.iter().filter(|one| kind(one) == word).count()
    }
}

impl View for AdvisoryCounts<'_> {
    fn text(&self, _: usize) -> String {
        let words = KINDS.into_iter().filter(|word| self.of(word) > 0);
        let text = words.map(|word| format!("{} {word} notice(s)\n", self.of(word)));
        or_none(text.collect(), self.0)
    }

    fn json(&self) -> impl Serialize {
        CountShape(self)
    }
}

/// A number for each kind, in their order.
struct CountShape<'a>(&'a AdvisoryCounts<'a>);

impl Serialize for CountShape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(KINDS.map(|word| (word, self.0.of(word))))
    }
}

fn or_none(text: String, advisories: &[Advisory]) -> String {
    match advisories {
        [] => "\n0 updates.\n".to_owned(),
        _ => text,
    }
}

/// A line per package of an advisory.
pub struct AdvisoryList<'a>(pub &'a [Advisory]);

impl View for AdvisoryList<'_> {
    fn text(&self, _: usize) -> String {
        let lines = files(self.0)
            .map(|(advisory, file)| format!("{} {} {file}\n", id(advisory), kind(advisory)));
        or_none(lines.collect(), self.0)
    }

    fn json(&self) -> impl Serialize {
        shapes(self.0, false)
    }
}

/// A block per package of an advisory.
pub struct AdvisoryInfo<'a>(pub &'a [Advisory]);

impl View for AdvisoryInfo<'_> {
    fn text(&self, _: usize) -> String {
        let mut text = String::new();
        for (advisory, file) in files(self.0) {
            put_block(&mut text, advisory, file);
        }
        or_none(text, self.0)
    }

    fn json(&self) -> impl Serialize {
        shapes(self.0, true)
    }
}

/// Every package file with its advisory.
fn files(advisories: &[Advisory]) -> impl Iterator<Item = (&Advisory, &str)> {
    advisories.iter().flat_map(|advisory| {
        let packages = advisory.packages.iter();
        packages.map(move |package| (advisory, package.filename.as_str()))
    })
}

fn put_block(text: &mut String, advisory: &Advisory, file: &str) {
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "{label:>11} : {value}");
    };
    line("Name", file);
    line("Update ID", &id(advisory));
    line("Type", kind(advisory));
    line("Updated", &updated(advisory));
    let _ = writeln!(text, "Needs Reboot: {}", u8::from(needs_reboot(advisory)));
    let _ = writeln!(text, "Description : {}", advisory.description);
}

fn shapes(advisories: &[Advisory], info: bool) -> Vec<AdvisoryShape<'_>> {
    let shape = |advisory| AdvisoryShape {
        r#type: kind(advisory),
        id: id(advisory),
        updated: info.then(|| updated(advisory)),
        needs_reboot: info.then(|| needs_reboot(advisory)),
        description: info.then_some(advisory.description.as_str()),
        packages: files(std::slice::from_ref(advisory))
            .map(|(_, file)| file)
            .collect(),
    };
    advisories.iter().map(shape).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AdvisoryShape<'a> {
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

/// The date of the last change in local time, as C's `%c` writes it; the text itself where it is
/// no date. Dates stand for UTC; some writers give seconds since 1970.
fn updated(advisory: &Advisory) -> String {
    let text = match advisory.updated.as_str() {
        "" => &advisory.issued,
        _ => &advisory.updated,
    };
    let seconds = || DateTime::from_timestamp(text.parse().ok()?, 0);
    let date = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok();
    let date = date.map(|date| date.and_utc()).or_else(seconds);
    let date = date.map(|date| date.with_timezone(&Local).format("%a %b %e %H:%M:%S %Y"));
    date.map_or_else(|| text.clone(), |date| date.to_string())
}
