//! Packages as `list`, `info`, `search`, `provides` and `check-update` show them.

use std::fmt::Write as _;

use cli_kit::human_size;
use serde::Serialize;

use super::columns::{Align, Columns};
use crate::plan::PackageId;
use crate::screen::View;

/// Percent of the columns for name.arch, evr and repository.
const LIST_COLUMNS: [usize; 3] = [55, 25, 15];

/// What is known of one package. Texts are empty where a view does not need them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageRow {
    /// Name, version, architecture.
    pub id: PackageId,
    /// Repository id; `@System` for installed packages.
    pub repo: String,
    /// Bytes on disk.
    pub install_size: u64,
    /// Bytes of the package file; 0 if unknown.
    pub download_size: u64,
    /// One line.
    pub summary: String,
    /// Home page.
    pub url: Option<String>,
    /// License.
    pub license: String,
    /// Paragraphs.
    pub description: String,
}

/// `list` and `check-update`: one line per package.
pub struct PackageList<'a> {
    /// The packages.
    pub rows: &'a [PackageRow],
    /// Whether a row that is longer than the screen takes a second line, for people; scripts know a
    /// line each.
    pub folded: bool,
}

impl View for PackageList<'_> {
    fn text(&self, screen: usize) -> String {
        let label = |id: &PackageId| format!("{}.{}", id.name, id.arch);
        let cells = |row: &PackageRow| [label(&row.id), row.id.evr(), row.repo.clone()];
        let cells: Vec<_> = self.rows.iter().map(cells).collect();
        let columns = Columns::of(
            &[""; 3],
            &LIST_COLUMNS,
            cells.iter().map(|row| &row[..]),
            screen,
        );
        let columns = columns.align(2, Align::Right).folded(self.folded);
        let mut text = String::new();
        cells.iter().for_each(|row| columns.put(&mut text, row));
        text
    }

    fn json(&self) -> impl Serialize {
        shapes(self.rows, list_shape)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListShape<'a> {
    name: &'a str,
    arch: &'a str,
    evr: String,
    repo: &'a str,
}

fn list_shape(row: &PackageRow) -> ListShape<'_> {
    ListShape {
        name: &row.id.name,
        arch: &row.id.arch,
        evr: row.id.evr(),
        repo: &row.repo,
    }
}

fn shapes<'a, T>(rows: &'a [PackageRow], shape: impl Fn(&'a PackageRow) -> T) -> Vec<T> {
    rows.iter().map(shape).collect()
}

/// `info`: one block per package and the sum of the sizes.
pub struct PackageInfo<'a>(pub &'a [PackageRow]);

impl View for PackageInfo<'_> {
    fn text(&self, _: usize) -> String {
        let mut text = String::new();
        let mut total = 0_u64;
        for row in self.0 {
            total = total.saturating_add(row.install_size);
            put_block(&mut text, row);
        }
        if !self.0.is_empty() {
            let _ = write!(text, "\nTotal Size: {} ({total})\n", human_size(total));
        }
        text
    }

    fn json(&self) -> impl Serialize {
        shapes(self.0, |row| InfoShape {
            head: list_shape(row),
            url: row.url.as_deref(),
            install_size: row.install_size,
            download_size: row.download_size,
            summary: &row.summary,
            license: &row.license,
            description: &row.description,
        })
    }
}

fn put_block(text: &mut String, row: &PackageRow) {
    let id = &row.id;
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "{label:<14}: {value}");
    };
    line("Name", &id.name);
    line("Arch", &id.arch);
    line("Epoch", &id.epoch.to_string());
    line("Version", &id.version);
    line("Release", &id.release);
    let sized = |bytes: u64| format!("{} ({bytes})", human_size(bytes));
    line("Install Size", &sized(row.install_size));
    if row.download_size > 0 {
        // One column further than the others, as in tdnf.
        line("Download Size ", &sized(row.download_size));
    }
    line("Repo", &row.repo);
    line("Summary", &row.summary);
    line("URL", row.url.as_deref().unwrap_or("(null)"));
    line("License", &row.license);
    line("Description", &row.description);
    text.push('\n');
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InfoShape<'a> {
    #[serde(flatten)]
    head: ListShape<'a>,
    url: Option<&'a str>,
    install_size: u64,
    #[serde(skip_serializing_if = "is_zero")]
    download_size: u64,
    summary: &'a str,
    license: &'a str,
    description: &'a str,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// `search`: name and summary.
pub struct PackageMatches<'a>(pub &'a [PackageRow]);

impl View for PackageMatches<'_> {
    fn text(&self, _: usize) -> String {
        let line = |row: &PackageRow| format!("{} : {}\n", row.id.name, row.summary);
        self.0.iter().map(line).collect()
    }

    fn json(&self) -> impl Serialize {
        shapes(self.0, |row| MatchShape {
            name: &row.id.name,
            summary: &row.summary,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MatchShape<'a> {
    name: &'a str,
    summary: &'a str,
}

/// `provides`: package, summary and repository.
pub struct PackageProviders<'a>(pub &'a [PackageRow]);

impl View for PackageProviders<'_> {
    fn text(&self, _: usize) -> String {
        let lines = |row: &PackageRow| {
            let (nevra, summary, repo) = (row.id.nevra(), &row.summary, &row.repo);
            format!("{nevra} : {summary}\nRepo\t : {repo}\n")
        };
        self.0.iter().map(lines).collect()
    }

    fn json(&self) -> impl Serialize {
        shapes(self.0, |row| ProviderShape {
            name: &row.id.name,
            arch: &row.id.arch,
            evr: row.id.evr(),
            summary: &row.summary,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProviderShape<'a> {
    name: &'a str,
    arch: &'a str,
    evr: String,
    summary: &'a str,
}
