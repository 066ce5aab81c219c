//! Which tests run the program, and with what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::runs::{self, Test};
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
/// Covers number, text and exit code of every error, without a run that ends with it.
const ERROR_TABLE: &str = "error_numbers_and_texts_are_those_of_the_reference";
/// The cell of a row that nothing covers.
const NOT_COVERED: &str = "not covered";

/// The tests that run the program.
pub(super) struct Sources {
    /// In the order of the files.
    tests: Vec<Test>,
    /// Options with a value.
    with_value: BTreeSet<String>,
}

impl Sources {
    pub(super) fn read() -> Self {
        let mut files = Vec::new();
        rust_files(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"),
            &mut files,
        );
        files.sort();
        let mut tests = Vec::new();
        for file in files {
            // The tests here speak of everything and run nothing.
            if file.parent().is_some_and(|dir| dir.ends_with("it/compat"))
                && !file.ends_with("mod.rs")
            {
                continue;
            }
            tests.extend(runs::tests(
                &std::fs::read_to_string(&file).unwrap_or_default(),
            ));
        }
        let definition = tdnf::args::options::definition();
        let takes = |option: &&clap::Arg| option.get_action().takes_values();
        let names = |option: &clap::Arg| {
            let long = option.get_long().map(|name| format!("--{name}"));
            let short = option.get_short().map(|letter| format!("-{letter}"));
            long.into_iter().chain(short)
        };
        let options = definition.get_arguments().filter(takes);
        let with_value = options.flat_map(names).collect();
        Self { tests, with_value }
    }

    /// Whether a test, or a function of its file that it calls, has a literal with this part, and this number.
    pub(super) fn holds(&self, test: &str, part: &str, number: Option<&str>) -> bool {
        let mut named = self.tests.iter().filter(|found| found.name == test);
        named.any(|test| {
            let numbered = number.is_none_or(|number| test.numbers.contains(number));
            numbered && test.literals.iter().any(|literal| literal.contains(part))
        })
    }

    /// The tests that run the program with what a row is about.
    fn running(&self, kind: Kind, row: &str) -> Vec<&str> {
        let with = format!("{row}=");
        let is_option =
            |word: &String| word == row || (row.starts_with("--") && word.starts_with(&with));
        let said = [format!("Error({row}) :"), format!("\"Error\":{row},")];
        let runs = |test: &&Test| match kind {
            Kind::Command => {
                let mut runs = test.runs.iter();
                runs.any(|words| runs::commands(words, &self.with_value).contains(row))
            }
            Kind::Option => test.runs.iter().flatten().flatten().any(is_option),
            // A key of both tables belongs to a repository unless it is seen to be in [main].
            Kind::MainKey => {
                let is_shared = rpm_repo::config::REPO_KEYS
                    .iter()
                    .any(|key| key.name == row);
                test.main_keys.contains(row) || (!is_shared && test.keys.contains(row))
            }
            Kind::RepoKey => test.keys.contains(row),
            Kind::Error => {
                let has = |text: &String| said.iter().any(|said| text.contains(said.as_str()));
                test.literals.iter().any(has)
            }
        };
        let running = self.tests.iter().filter(|test| !test.runs.is_empty());
        let found = running.filter(runs);
        found.map(|test| test.name.as_str()).collect()
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

    /// Whether the samples are at hand.
    pub(super) fn has_samples(&self) -> bool {
        !self.played.is_empty()
    }

    /// The cell of a row.
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
            let tests = self.sources.running(kind, row);
            let mut seen = BTreeSet::new();
            let tests = tests.into_iter().filter(|name| seen.insert(*name));
            parts.extend(
                tests
                    .take(MANY - numbers.len())
                    .map(|name| format!("`{name}`")),
            );
        }
        match (parts.is_empty(), kind) {
            (true, Kind::Error) => format!("`{ERROR_TABLE}`"),
            (true, _) => NOT_COVERED.to_owned(),
            (false, _) => parts.join("; "),
        }
    }

    /// What is wrong with the cell of a row.
    pub(super) fn unknown(&self, kind: Kind, row: &str, cell: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let running = self.sources.running(kind, row);
        if cell == NOT_COVERED {
            wrong.extend(running.first().map(|test| format!("{test} covers it")));
            return wrong;
        }
        for part in cell.split("; ") {
            match part.strip_prefix("samples ") {
                // Without the samples at hand their numbers cannot be looked up.
                Some(_) if self.played.is_empty() => {}
                Some(list) => {
                    let stale = list.split(", ").filter(|number| {
                        let sample = number.parse().ok().and_then(|n: u32| self.played.get(&n));
                        !sample.is_some_and(|sample| speaks(sample, kind, row))
                    });
                    wrong.extend(stale.map(|number| format!("sample {number} does not run it")));
                }
                None => {
                    let name = part.trim_matches('`');
                    let table = kind == Kind::Error && name == ERROR_TABLE;
                    if !table && !running.contains(&name) {
                        wrong.push(format!("'{name}' does not run it"));
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
        Kind::MainKey => words.any(|word| word.starts_with(&format!("--setopt={row}="))),
        Kind::RepoKey => {
            let key = format!(".{row}=");
            words.any(|word| word.starts_with("--setopt=") && word.contains(&key))
        }
    }
}
