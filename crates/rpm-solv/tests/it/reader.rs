//! A reader for libsolv's test case files: repositories as testtags, jobs, flags, expected results.

use rpm_pkg::dep::DepFlags;
use rpm_solv::{DepInput, EvrInput, PackageInput};
use std::path::Path;

/// A package in testtags form.
#[derive(Debug, Default, Clone)]
pub struct TestPackage {
    pub words: Vec<String>,
    pub vendor: String,
    pub deps: Vec<(String, String)>,
    pub files: Vec<String>,
}

/// A repository.
#[derive(Debug, Clone)]
pub struct TestRepo {
    pub name: String,
    pub priority: i32,
    pub packages: Vec<TestPackage>,
}

/// One solver run and what is expected of it.
#[derive(Debug, Default, Clone)]
pub struct Run {
    pub jobs: Vec<String>,
    /// Flags of the pool, and packages hidden in it: both stay for the runs that follow.
    pub pool_flags: Vec<String>,
    pub disabled: Vec<String>,
    /// Pairs of versions to compare.
    pub comparisons: Vec<(String, String)>,
    /// Namespaces that the case answers for.
    pub namespaces: bool,
    /// The run makes a dependency from its text.
    pub makes_ids: bool,
    pub solver_flags: Vec<String>,
    pub wanted: Vec<String>,
    pub expected: Vec<String>,
}

/// A file: what is in the pool, and the runs.
#[derive(Debug, Default)]
pub struct Case {
    pub repos: Vec<TestRepo>,
    pub arch: String,
    pub disttype: String,
    pub installed: String,
    pub runs: Vec<Run>,
    /// Directives that this reader does not carry out.
    pub unsupported: Vec<String>,
}

pub fn read(path: &Path) -> Case {
    let text = std::fs::read_to_string(path).unwrap();
    let mut case = Case::default();
    let mut run = Run::default();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(first) = words.first().filter(|word| !word.starts_with('#')) else {
            continue;
        };
        let mut inline = Vec::new();
        if words.last() == Some(&"<inline>") {
            while let Some(more) = lines.next_if(|line| line.starts_with("#>")) {
                inline.push(more[2..].to_owned());
            }
        }
        match *first {
            "repo" => {
                if words.get(3) == Some(&"testtags") && words.get(4) != Some(&"<inline>") {
                    let beside = path.with_file_name(words[4]);
                    let text = std::fs::read_to_string(beside).unwrap();
                    inline = text.lines().map(str::to_owned).collect();
                }
                let priority = words[2].split('.').next().unwrap_or("0");
                case.repos.push(TestRepo {
                    name: words[1].to_owned(),
                    priority: priority.parse().unwrap(),
                    packages: packages(&inline),
                });
            }
            "system" => {
                case.arch = words[1].replace("unset", "");
                case.disttype = words[2].to_owned();
                case.installed = words.get(3).unwrap_or(&"").to_string();
            }
            "job" => run.jobs.push(words[1..].join(" ")),
            "solverflags" => {
                let flags = words[1..].join(",");
                run.solver_flags = flags
                    .split(',')
                    .filter(|flag| !flag.is_empty())
                    .map(str::to_owned)
                    .collect();
            }
            "result" => {
                run.wanted = words[1].split(',').map(str::to_owned).collect();
                run.expected = inline;
            }
            "nextjob" => {
                // Flags do not outlive a solver, those of the pool do. A solver that is used again
                // (`reusesolver`) must find what a new one finds.
                let next = Run {
                    pool_flags: run.pool_flags.clone(),
                    disabled: run.disabled.clone(),
                    ..Run::default()
                };
                case.runs.push(std::mem::replace(&mut run, next));
            }
            "poolflags" => {
                let flags = words[1..].iter().flat_map(|word| word.split(','));
                run.pool_flags.extend(flags.map(str::to_owned));
            }
            "disable" if words[1] == "pkg" => run.disabled.push(words[2].to_owned()),
            "evrcmp" => {
                let pair = (words[1].to_owned(), words[2].to_owned());
                run.comparisons.push(pair);
            }
            "namespace" => run.namespaces = true,
            "genid" => run.makes_ids = true,
            // Names of features the library must have been built with: it was.
            "feature" => {}
            other => case.unsupported.push(other.to_owned()),
        }
    }
    case.runs.push(run);
    case
}

fn packages(lines: &[String]) -> Vec<TestPackage> {
    let mut found: Vec<TestPackage> = Vec::new();
    let mut block: Option<String> = None;
    for line in lines {
        let line = line.trim();
        if let Some(tag) = line.strip_prefix('+') {
            block = Some(tag.trim_end_matches(':').to_owned());
            continue;
        }
        if line.starts_with('-') && block.is_some() {
            block = None;
            continue;
        }
        let (tag, value) = match &block {
            Some(tag) => (tag.clone(), line),
            None => match line.strip_prefix('=').and_then(|rest| rest.split_once(':')) {
                Some((tag, value)) => (tag.to_owned(), value.trim()),
                None => continue,
            },
        };
        if tag == "Pkg" {
            found.push(TestPackage {
                words: value.split_whitespace().map(str::to_owned).collect(),
                ..TestPackage::default()
            });
            continue;
        }
        let Some(package) = found.last_mut() else {
            continue;
        };
        match tag.as_str() {
            "Vnd" => package.vendor = value.to_owned(),
            "Fls" => package.files.push(value.to_owned()),
            _ => package.deps.push((tag, rich(value))),
        }
    }
    found
}

/// Test cases write boolean dependencies with signs; rpm with words, in parentheses.
pub fn rich(dep: &str) -> String {
    let mut changed = false;
    let words: Vec<&str> = dep
        .split(' ')
        .map(|word| {
            let new = match word {
                "&" => "and",
                "|" => "or",
                "+" => "with",
                "-" => "without",
                "IF" | "<IF>" => "if",
                "UNLESS" | "<UNLESS>" => "unless",
                "ELSE" | "<ELSE>" => "else",
                _ => return word,
            };
            changed = true;
            new
        })
        .collect();
    if changed {
        format!("({})", words.join(" "))
    } else {
        dep.to_owned()
    }
}

fn dep(text: &str, pre: bool) -> DepInput<'_> {
    let words: Vec<&str> = text.split(' ').collect();
    let flags = words.get(1).and_then(|word| DepFlags::from_symbol(word));
    match flags.filter(|_| !text.starts_with('(')) {
        None => DepInput {
            name: text,
            pre,
            ..DepInput::default()
        },
        Some(flags) => DepInput {
            name: words[0],
            flags,
            evr: EvrInput::new(None, words[2], ""),
            pre,
        },
    }
}

/// Lends a package in the pool's form.
pub fn with_input<T>(package: &TestPackage, add: impl FnOnce(&PackageInput<'_>) -> T) -> T {
    let list = |tag: &str| -> Vec<DepInput<'_>> {
        let of = package.deps.iter().filter(|(have, _)| have == tag);
        of.map(|(_, text)| dep(text, tag == "Prq")).collect()
    };
    let (provides, mut requires) = (list("Prv"), list("Req"));
    requires.extend(list("Prq"));
    let (conflicts, obsoletes) = (list("Con"), list("Obs"));
    let (recommends, suggests) = (list("Rec"), list("Sug"));
    let (supplements, enhances) = (list("Sup"), list("Enh"));
    let files: Vec<&[u8]> = package.files.iter().map(|file| file.as_bytes()).collect();
    let word = |index: usize| package.words.get(index).map_or("", String::as_str);
    let version = word(1);
    add(&PackageInput {
        name: word(0),
        arch: word(3),
        evr: EvrInput {
            version,
            release: word(2),
            ..EvrInput::default()
        },
        vendor: &package.vendor,
        provides: &provides,
        requires: &requires,
        conflicts: &conflicts,
        obsoletes: &obsoletes,
        recommends: &recommends,
        suggests: &suggests,
        supplements: &supplements,
        enhances: &enhances,
        files: &files,
        ..PackageInput::default()
    })
}
