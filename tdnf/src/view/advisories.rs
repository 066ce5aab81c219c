//! Advisories as `updateinfo` shows them.

use std::fmt::Write as _;

use chrono::{DateTime, Local, NaiveDateTime, Utc};
use rpm_repo::updateinfo::Advisory;
use serde::{Serialize, Serializer};

use super::columns::Columns;
use crate::screen::{JsonShape, View};

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

/// A line per package of an advisory: behind the columns of tdnf its severity, CVEs and bugs.
pub struct AdvisoryList<'a>(pub &'a [Advisory]);

impl View for AdvisoryList<'_> {
    fn text(&self, width: usize) -> String {
        let columns = Columns::free(width);
        let mut text = String::new();
        for (advisory, file) in files(self.0) {
            let mut cells = vec![id(advisory), kind(advisory).to_owned(), file.to_owned()];
            cells.extend(severity(advisory).map(str::to_owned));
            cells.extend(references(advisory, "cve"));
            cells.extend(references(advisory, "bugzilla").map(|bug| format!("bug:{bug}")));
            columns.put(&mut text, &cells);
        }
        or_none(text, self.0)
    }

    fn json(&self) -> impl Serialize {
        shapes(self.0, false)
    }
}

/// A block per package of an advisory.
pub struct AdvisoryInfo<'a>(pub &'a [Advisory]);

impl View for AdvisoryInfo<'_> {
    fn text(&self, width: usize) -> String {
        let mut text = String::new();
        for (advisory, file) in files(self.0) {
            put_block(&mut text, advisory, file, width);
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

/// How grave it is; `None` where that is not said.
fn severity(advisory: &Advisory) -> Option<&str> {
    let text = advisory.severity.trim();
    Some(text).filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case("none"))
}

/// The CVE names or bug numbers of an advisory.
fn references<'a>(advisory: &'a Advisory, kind: &'a str) -> impl Iterator<Item = String> + 'a {
    let references = advisory.references.iter();
    let of_kind = references.filter(move |one| one.kind == kind && !one.id.is_empty());
    of_kind.map(|one| one.id.clone())
}

fn put_block(text: &mut String, advisory: &Advisory, file: &str, width: usize) {
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "{label:>11} : {value}");
    };
    line("Name", file);
    line("Update ID", &id(advisory));
    line("Type", kind(advisory));
    if let Some(severity) = severity(advisory) {
        line("Severity", severity);
    }
    line("Updated", &updated(advisory));
    let _ = writeln!(text, "Needs Reboot: {}", u8::from(needs_reboot(advisory)));
    for (label, kind) in [("CVEs", "cve"), ("Bugs", "bugzilla")] {
        let mut cells = vec![format!("{label:>11} :")];
        cells.extend(references(advisory, kind));
        if cells.len() > 1 {
            Columns::free(width).put(text, &cells);
        }
    }
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

/// What version 2 of the JSON tells of advisories beside the data of version 1; the text has it in its
/// lines.
pub struct AdvisoryDetails<'a>(pub &'a [Advisory]);

impl View for AdvisoryDetails<'_> {
    const FIELD: &'static str = "Advisories";
    const SINCE: JsonShape = JsonShape::Document;

    fn json(&self) -> impl Serialize {
        let details = self.0.iter().map(|advisory| DetailShape {
            id: id(advisory),
            severity: severity(advisory),
            cves: references(advisory, "cve").collect(),
            bugs: references(advisory, "bugzilla").collect(),
        });
        details.collect::<Vec<_>>()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DetailShape<'a> {
    #[serde(rename = "UpdateID")]
    id: String,
    severity: Option<&'a str>,
    #[serde(rename = "CVEs")]
    cves: Vec<String>,
    bugs: Vec<String>,
}

/// The date of the last change in local time, as C's `%c` writes it; the text itself where it is
/// no date.
fn updated(advisory: &Advisory) -> String {
    let date = date(advisory).map(|date| date.with_timezone(&Local));
    let date = date.map(|date| date.format("%a %b %e %H:%M:%S %Y").to_string());
    date.unwrap_or_else(|| last_change(advisory).to_owned())
}

/// When an advisory was changed last, in seconds since 1970; `None` where that is no date.
pub fn changed_at(advisory: &Advisory) -> Option<u64> {
    u64::try_from(date(advisory)?.timestamp()).ok()
}

fn last_change(advisory: &Advisory) -> &str {
    match advisory.updated.as_str() {
        "" => &advisory.issued,
        updated => updated,
    }
}

/// Dates stand for UTC; some writers give seconds since 1970.
fn date(advisory: &Advisory) -> Option<DateTime<Utc>> {
    let text = last_change(advisory);
    let date = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok();
    let seconds = || DateTime::from_timestamp(text.parse().ok()?, 0);
    date.map(|date| date.and_utc()).or_else(seconds)
}
