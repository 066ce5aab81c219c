//! What `repoquery` says of packages.

use std::collections::BTreeSet;

use rpm_catalog::ChangelogEntry;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::plan::PackageId;
use crate::screen::View;

/// What is said of a package besides its name.
#[derive(Debug, Clone)]
pub enum PackageDetail {
    /// Nothing more.
    Name,
    /// The paths of its files.
    Files(Vec<String>),
    /// Dependencies of a kind: its key in JSON, and the dependencies.
    Deps(&'static str, Vec<String>),
    /// Its changelog.
    Changelog(Vec<ChangelogEntry>),
    /// Where its file is to be had; empty for what is installed.
    Location(String),
    /// Its source package.
    Source(String),
    /// A text of the user's own form, which JSON does not have.
    Formatted(String),
}

/// One package.
#[derive(Debug, Clone)]
pub struct QueriedPackage {
    /// Name, version, architecture.
    pub id: PackageId,
    /// Repository id.
    pub repo: String,
    /// What was asked.
    pub answer: PackageDetail,
}

/// The packages of a query; all have the same kind of answer.
pub struct QueryResult(pub Vec<QueriedPackage>);

impl View for QueryResult {
    fn text(&self, _: usize) -> String {
        let mut lines = Vec::new();
        let mut sets = BTreeSet::new();
        for package in &self.0 {
            match &package.answer {
                PackageDetail::Name => lines.push(package.id.nvra()),
                // What several packages have is said once.
                PackageDetail::Files(all) | PackageDetail::Deps(_, all) => {
                    sets.extend(all.iter().cloned())
                }
                PackageDetail::Changelog(entries) => lines.extend(entries.iter().map(change_line)),
                PackageDetail::Location(url) => {
                    lines.extend(Some(url.clone()).filter(|u| !u.is_empty()))
                }
                PackageDetail::Source(text) | PackageDetail::Formatted(text) => {
                    lines.push(text.clone())
                }
            }
        }
        let all = lines.into_iter().chain(sets);
        all.map(|line| line + "\n").collect()
    }

    fn json(&self) -> impl Serialize {
        self.0.iter().map(shape).collect::<Vec<_>>()
    }
}

fn change_line(entry: &ChangelogEntry) -> String {
    format!("{} {}\n{}", day(entry.date), entry.author, entry.text)
}

/// `Www Mmm dd yyyy`, as changelogs write it.
fn day(date: u64) -> String {
    let time = i64::try_from(date)
        .ok()
        .and_then(|date| chrono::DateTime::from_timestamp(date, 0));
    time.map_or_else(String::new, |time| time.format("%a %b %d %Y").to_string())
}

/// A package in JSON: the keys in tdnf's order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct QueryShape<'a> {
    nevra: String,
    name: &'a str,
    arch: &'a str,
    evr: String,
    repo: &'a str,
    #[serde(flatten)]
    answer: AnswerShape<'a>,
}

fn shape(package: &QueriedPackage) -> QueryShape<'_> {
    QueryShape {
        nevra: package.id.nvra(),
        name: &package.id.name,
        arch: &package.id.arch,
        evr: package.id.evr(),
        repo: &package.repo,
        answer: AnswerShape(&package.answer),
    }
}

/// The one key of an answer, or none.
struct AnswerShape<'a>(&'a PackageDetail);

impl Serialize for AnswerShape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            PackageDetail::Name | PackageDetail::Formatted(_) => {}
            PackageDetail::Files(paths) => map.serialize_entry("Files", paths)?,
            PackageDetail::Deps(key, deps) => map.serialize_entry(key, deps)?,
            PackageDetail::Changelog(entries) => {
                let entries: Vec<_> = entries.iter().map(change_shape).collect();
                map.serialize_entry("ChangeLogs", &entries)?;
            }
            PackageDetail::Location(url) => map.serialize_entry("Location", url)?,
            PackageDetail::Source(name) => map.serialize_entry("Source", name)?,
        }
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeShape<'a> {
    time: String,
    author: &'a str,
    text: &'a str,
}

fn change_shape(entry: &ChangelogEntry) -> ChangeShape<'_> {
    ChangeShape {
        time: day(entry.date),
        author: &entry.author,
        text: &entry.text,
    }
}
