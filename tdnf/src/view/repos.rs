//! Repositories as `repolist` and `reposync` show them.

use std::fmt::Write as _;

use serde::Serialize;

use crate::screen::{JsonShape, View};

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RepoRow {
    /// Id.
    #[serde(rename = "Repo")]
    pub id: String,
    /// Name for people.
    #[serde(rename = "RepoName")]
    pub name: String,
    /// Whether commands use it.
    pub enabled: bool,
}

/// The table of `repolist`; no header if there is nothing to list.
pub struct RepoTable(pub Vec<RepoRow>);

impl View for RepoTable {
    fn text(&self, _: usize) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut text = format!("{:<20}{:<41}{:<9}\n", "repo id", "repo name", "status");
        for row in &self.0 {
            let status = if row.enabled { "enabled" } else { "disabled" };
            let _ = writeln!(text, "{:<19} {:<40} {status:<9}", row.id, row.name);
        }
        text
    }

    fn json(&self) -> impl Serialize {
        &self.0
    }
}

/// What `reposync` did with one repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RepoCopy {
    /// Id.
    pub repo: String,
    /// Where packages are, with `--urls`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// How many packages were wanted.
    pub packages: usize,
    /// How many of them were not there yet and came.
    pub downloaded: usize,
    /// Files that went, with `--delete`.
    pub deleted: Vec<String>,
    /// Packages that could not be had.
    pub failed: Vec<String>,
}

/// What `reposync` did; the text was said while it did it.
pub struct RepoCopies<'a>(pub &'a [RepoCopy]);

impl View for RepoCopies<'_> {
    const SINCE: JsonShape = JsonShape::Document;

    fn json(&self) -> impl Serialize {
        self.0
    }
}
