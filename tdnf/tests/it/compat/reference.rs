//! The tables of `docs/reference/tdnf.md`.

use std::collections::{BTreeMap, BTreeSet};

/// What C tdnf knows.
pub(super) struct Reference {
    pub(super) commands: BTreeSet<String>,
    pub(super) options: BTreeSet<String>,
    pub(super) main_keys: BTreeSet<String>,
    pub(super) repo_keys: BTreeSet<String>,
    pub(super) errors: BTreeSet<String>,
    /// Number and text of each error; of numbers that stand twice the first.
    pub(super) error_texts: BTreeMap<u32, String>,
}

impl Reference {
    /// Reads the document.
    pub(super) fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/tdnf.md");
        let text = std::fs::read_to_string(path).expect("the reference stands in the repository");
        let section = |title: &str| -> &str {
            let start = text
                .find(title)
                .unwrap_or_else(|| panic!("no section {title}"));
            let rest = &text[start..];
            let end = rest[3..].find("\n## ").map_or(rest.len(), |at| at + 3);
            &rest[..end]
        };
        let errors = rows(section("## 4. Exit codes and errors"));
        let mut error_texts = BTreeMap::new();
        for cells in &errors {
            if let (Some(Ok(number)), Some(text)) = (cells.first().map(|n| n.parse()), cells.get(2))
            {
                error_texts.entry(number).or_insert_with(|| text.clone());
            }
        }
        Self {
            commands: commands(section("## 5. Commands")),
            options: options(section("## 6. Options")),
            main_keys: first_cells(section("## 7. tdnf.conf")),
            repo_keys: first_cells(section("## 8. .repo files")),
            errors: error_texts.keys().map(u32::to_string).collect(),
            error_texts,
        }
    }
}

/// The cells of the table rows of a section, without headings.
fn rows(section: &str) -> Vec<Vec<String>> {
    let lines = section
        .lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    let cells = |line: &str| {
        let inner = line.trim_matches('|');
        inner
            .split(" | ")
            .map(|cell| cell.trim().to_owned())
            .collect::<Vec<_>>()
    };
    lines.skip(1).map(cells).collect()
}

/// `reposdir, repodir` are two names.
fn first_cells(section: &str) -> BTreeSet<String> {
    let all = rows(section);
    let names = all.iter().filter_map(|cells| cells.first());
    names
        .flat_map(|cell| cell.split(',').map(|name| name.trim().to_owned()))
        .collect()
}

/// The paragraph that lists the names.
fn commands(section: &str) -> BTreeSet<String> {
    let start = section.find("Names (exact").expect("the list of names");
    let list = &section[start..];
    let end = list.find("\n\n").unwrap_or(list.len());
    let list = &list[..end];
    let (_, list) = list.split_once(':').expect("names follow");
    let (list, _) = list.split_once(". `").expect("a sentence follows");
    list.split_whitespace()
        .map(|name| name.trim_end_matches('.').to_owned())
        .collect()
}

/// Words that begin with a dash in the first column, and the plain names of the last row.
fn options(section: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for cells in rows(section) {
        let first = cells.first().cloned().unwrap_or_default();
        if first.starts_with("reposync/") {
            let list = cells.get(1).cloned().unwrap_or_default();
            let (_, list) = list.split_once(": ").expect("names follow");
            // `what*` stands for the options with that beginning, which the tables have anyway.
            let names = list.split_whitespace().filter(|name| !name.ends_with('*'));
            found.extend(names.map(|name| format!("--{name}")));
            continue;
        }
        for word in first
            .split([' ', ',', '(', ')'])
            .filter(|word| word.starts_with('-'))
        {
            found.insert(word.to_owned());
        }
    }
    found
}
