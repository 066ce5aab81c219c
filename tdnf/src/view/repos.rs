//! Repositories as `repolist` and `reposync` show them.

use serde::Serialize;

use super::columns::Columns;
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

/// Percent of the columns for id, name and status.
const SHARES: [usize; 3] = [24, 50, 12];

/// The table of `repolist`; no header if there is nothing to list.
pub struct RepoTable {
    /// The repositories.
    pub rows: Vec<RepoRow>,
    /// As in [`super::packages::PackageList`].
    pub folded: bool,
}

impl View for RepoTable {
    fn text(&self, screen: usize) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let heads = ["repo id", "repo name", "status"];
        let status = |row: &RepoRow| if row.enabled { "enabled" } else { "disabled" };
        let cells = |row: &RepoRow| [row.id.clone(), row.name.clone(), status(row).to_owned()];
        let cells: Vec<_> = self.rows.iter().map(cells).collect();
        let columns = Columns::of(&heads, &SHARES, cells.iter().map(|row| &row[..]), screen);
        let columns = columns.folded(self.folded);
        let mut text = String::new();
        columns.put(&mut text, &heads.map(str::to_owned));
        cells.iter().for_each(|row| columns.put(&mut text, row));
        text
    }

    fn json(&self) -> impl Serialize {
        &self.rows
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
