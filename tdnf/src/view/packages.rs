//! Packages as `list`, `info`, `search`, `provides` and `check-update` show them.

use std::fmt::Write as _;

use cli_kit::{Printer, human_size};
use serde::Serialize;

use crate::plan::Identity;

/// Percent of the width for name.arch, evr and repository.
const LIST_COLUMNS: [usize; 3] = [55, 25, 15];

/// What is known of one package. Texts are empty where a view does not need them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRow {
    /// Name, version, architecture.
    pub identity: Identity,
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

/// `list` and `check-update`: one line per package, or JSON.
pub fn list(printer: &Printer, rows: &[PackageRow]) {
    if printer.mode().json {
        return printer.json(&rows.iter().map(ListShape::of).collect::<Vec<_>>());
    }
    let [name, evr, repo] = LIST_COLUMNS.map(|percent| printer.width() * percent / 100);
    let mut text = String::new();
    for row in rows {
        let label = format!("{}.{}", row.identity.name, row.identity.arch);
        let version = row.identity.evr();
        let _ = writeln!(text, "{label:<name$} {version:<evr$} {:>repo$}", row.repo);
    }
    printer.crit_part(&text);
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListShape<'a> {
    name: &'a str,
    arch: &'a str,
    evr: String,
    repo: &'a str,
}

impl<'a> ListShape<'a> {
    fn of(row: &'a PackageRow) -> Self {
        let PackageRow { identity, repo, .. } = row;
        Self {
            name: &identity.name,
            arch: &identity.arch,
            evr: identity.evr(),
            repo,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SearchShape<'a> {
    name: &'a str,
    summary: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProvidesShape<'a> {
    name: &'a str,
    arch: &'a str,
    evr: String,
    summary: &'a str,
}

/// `info`: one block per package and the sum of the sizes, or JSON.
pub fn info(printer: &Printer, rows: &[PackageRow]) {
    if printer.mode().json {
        return printer.json(&rows.iter().map(InfoShape::of).collect::<Vec<_>>());
    }
    let mut text = String::new();
    let mut total = 0_u64;
    for row in rows {
        total = total.saturating_add(row.install_size);
        put_block(&mut text, row);
    }
    if !rows.is_empty() {
        let _ = write!(text, "\nTotal Size: {} ({total})\n", human_size(total));
    }
    printer.crit_part(&text);
}

fn put_block(text: &mut String, row: &PackageRow) {
    let id = &row.identity;
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
    name: &'a str,
    arch: &'a str,
    evr: String,
    repo: &'a str,
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

impl<'a> InfoShape<'a> {
    fn of(row: &'a PackageRow) -> Self {
        Self {
            name: &row.identity.name,
            arch: &row.identity.arch,
            evr: row.identity.evr(),
            repo: &row.repo,
            url: row.url.as_deref(),
            install_size: row.install_size,
            download_size: row.download_size,
            summary: &row.summary,
            license: &row.license,
            description: &row.description,
        }
    }
}

/// `search`: name and summary.
pub fn search(printer: &Printer, rows: &[PackageRow]) {
    if printer.mode().json {
        let shape = |row| {
            let PackageRow {
                identity, summary, ..
            }: &PackageRow = row;
            SearchShape {
                name: &identity.name,
                summary,
            }
        };
        return printer.json(&rows.iter().map(shape).collect::<Vec<_>>());
    }
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(text, "{} : {}", row.identity.name, row.summary);
    }
    printer.crit_part(&text);
}

/// `provides`: package, summary and repository.
pub fn provides(printer: &Printer, rows: &[PackageRow]) {
    if printer.mode().json {
        let shape = |row| {
            let PackageRow {
                identity, summary, ..
            }: &PackageRow = row;
            let (name, arch) = (&identity.name, &identity.arch);
            ProvidesShape {
                name,
                arch,
                evr: identity.evr(),
                summary,
            }
        };
        return printer.json(&rows.iter().map(shape).collect::<Vec<_>>());
    }
    let mut text = String::new();
    for row in rows {
        let id = &row.identity;
        let _ = writeln!(
            text,
            "{}-{}.{} : {}",
            id.name,
            id.evr(),
            id.arch,
            row.summary
        );
        let _ = writeln!(text, "Repo\t : {}", row.repo);
    }
    printer.crit_part(&text);
}
