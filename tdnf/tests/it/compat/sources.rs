//! Which tests there are and what they speak of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::samples;

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Command,
    Option,
    MainKey,
    RepoKey,
    Error,
}

/// How many tests a cell names.
const MANY: usize = 3;
/// Covers every number and its text.
const ERROR_TABLE: &str = "error_numbers_and_texts_are_those_of_the_reference";

/// The test functions of the workspace.
pub(super) struct Sources {
    /// Name and text, in the order of the files.
    tests: Vec<(String, String)>,
}

impl Sources {
    pub(super) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        for dir in ["tdnf/tests", "tdnf/src", "crates"] {
            rust_files(&root.join(dir), &mut files);
        }
        files.sort();
        let mut tests = Vec::new();
        for file in files {
            // This test speaks of everything and covers nothing.
            if file.parent().is_some_and(|dir| dir.ends_with("it/compat")) {
                continue;
            }
            tests.extend(tests_of(
                &std::fs::read_to_string(&file).unwrap_or_default(),
            ));
        }
        Self { tests }
    }

    fn speaks_of(&self, patterns: &[String]) -> Vec<&str> {
        let has = |text: &String| {
            patterns
                .iter()
                .any(|pattern| text.contains(pattern.as_str()))
        };
        let found = self.tests.iter().filter(|(_, text)| has(text));
        found.map(|(name, _)| name.as_str()).collect()
    }
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// Name and text of each function under `#[test]`.
fn tests_of(text: &str) -> Vec<(String, String)> {
    let mut tests = Vec::new();
    for part in text.split("#[test]").skip(1) {
        let Some(name) = part
            .split("fn ")
            .nth(1)
            .and_then(|rest| rest.split('(').next())
        else {
            continue;
        };
        let end = part
            .find("\n}\n")
            .or_else(|| part.find("\n    }\n"))
            .unwrap_or(part.len());
        tests.push((name.trim().to_owned(), part[..end].to_owned()));
    }
    tests
}

/// Finds the tests of a row.
pub(super) struct Covering<'a> {
    sources: &'a Sources,
    /// Samples that are played and equal, or known to differ for a reason: number and line.
    played: BTreeMap<u32, samples::Played>,
}

impl<'a> Covering<'a> {
    pub(super) fn of(sources: &'a Sources) -> Self {
        Self {
            sources,
            played: samples::played(),
        }
    }

    /// The cell of a row; empty if nothing covers it.
    pub(super) fn cell(&self, kind: Kind, row: &str) -> String {
        let numbers: Vec<u32> = self
            .played
            .iter()
            .filter(|(_, sample)| speaks(sample, kind, row))
            .map(|(number, _)| *number)
            .take(MANY)
            .collect();
        let mut parts = Vec::new();
        if !numbers.is_empty() {
            let list: Vec<String> = numbers.iter().map(u32::to_string).collect();
            parts.push(format!("samples {}", list.join(", ")));
        }
        if numbers.len() < MANY {
            let tests = self.sources.speaks_of(&patterns(kind, row));
            let mut seen = BTreeSet::new();
            let tests = tests.into_iter().filter(|name| seen.insert(*name));
            parts.extend(
                tests
                    .take(MANY - numbers.len())
                    .map(|name| format!("`{name}`")),
            );
        }
        if parts.is_empty() && kind == Kind::Error {
            parts.push(format!("`{ERROR_TABLE}`"));
        }
        parts.join("; ")
    }

    /// What is wrong with a cell.
    pub(super) fn unknown(&self, cell: &str) -> Vec<String> {
        if cell.is_empty() {
            return vec!["no test covers it".to_owned()];
        }
        let mut wrong = Vec::new();
        for part in cell.split("; ") {
            match part.strip_prefix("samples ") {
                // Without the samples at hand their numbers cannot be looked up.
                Some(_) if self.played.is_empty() => {}
                Some(list) => {
                    let numbers = list
                        .split(", ")
                        .map(|number| (number, number.parse::<u32>()));
                    let gone = numbers.filter(|(_, number)| {
                        !number
                            .as_ref()
                            .is_ok_and(|number| self.played.contains_key(number))
                    });
                    wrong.extend(gone.map(|(number, _)| format!("sample {number} is not played")));
                }
                None => {
                    let name = part.trim_matches('`');
                    let known = self.sources.tests.iter().any(|(test, _)| test == name);
                    if !known && name != ERROR_TABLE {
                        wrong.push(format!("there is no test {name}"));
                    }
                }
            }
        }
        wrong
    }
}

/// Whether a sample uses what the row is about.
fn speaks(sample: &samples::Played, kind: Kind, row: &str) -> bool {
    let mut words = sample.command.split_whitespace();
    match kind {
        Kind::Command => words
            .skip(1)
            .find(|word| !word.starts_with('-'))
            .is_some_and(|word| word == row),
        Kind::Option => words.any(|word| {
            word == row || (row.starts_with("--") && word.starts_with(&format!("{row}=")))
        }),
        Kind::Error => {
            let said = format!("Error({row}) : ");
            let object = format!("{{\"Error\":{row},");
            sample.err.lines().any(|line| line.starts_with(&said))
                || sample.out.starts_with(&object)
        }
        Kind::MainKey | Kind::RepoKey => {
            words.any(|word| word.starts_with(&format!("--setopt={row}=")))
        }
    }
}

/// What a test that covers a row has in its text.
fn patterns(kind: Kind, row: &str) -> Vec<String> {
    match kind {
        Kind::Command => vec![format!("\"{row}\""), format!("tdnf {row} ")],
        Kind::Option => vec![
            format!("\"{row}\""),
            format!("\"{row}="),
            format!("\"{row} "),
            format!(" {row} "),
            format!(" {row}\""),
        ],
        Kind::MainKey | Kind::RepoKey => [
            format!("\"{row}\""),
            format!("\"{row}="),
            format!("\\n{row}="),
            format!("\n{row}="),
            format!(" {row}="),
            format!("setopt={row}="),
            format!("\n{row} ="),
        ]
        .to_vec(),
        Kind::Error => vec![
            format!("Error({row}) :"),
            format!("\"Error\":{row},"),
            format!("Code({row})"),
        ],
    }
}
