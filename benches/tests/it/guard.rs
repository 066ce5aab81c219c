//! Instructions that fixed lines need, counted by callgrind: the same run needs the same on any machine, at any load.
//!
//! Stored in `benches/instructions.toml` by `./dev guard --update`, with what the numbers depend on besides our code.
//! [`MORE`] above the stored value fails, [`LESS`] below it is said. Another Rust than the stored one fails as well: it
//! stands in this repository. Another machine (valgrind, C compiler, AVX2) only widens what is allowed, and is said.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::fixtures::{skipped, unprivileged};
use testkit::{program, stage};

use crate::scene::{Line, Scene};

/// What a line may need, as a multiple of the stored value; on another machine than the stored one.
const MORE: f64 = 1.03;
const MORE_ELSEWHERE: f64 = 1.10;
/// Below this a new value should be stored.
const LESS: f64 = 0.97;
/// Times that a line is counted before it fails: threads that meet otherwise cost more, never less.
const TRIES: usize = 3;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.toml");

/// What the values depend on besides the code, and the values.
#[derive(Debug, Default, PartialEq)]
struct Stored {
    rustc: String,
    machine: String,
    lines: BTreeMap<String, u64>,
}

impl Stored {
    fn read(text: &str) -> Self {
        let table: toml::Table = text.parse().expect("instructions.toml is TOML");
        let word = |name: &str| table[name].as_str().expect("a word").to_owned();
        let lines = table["instructions"].as_table().expect("a table");
        let number = |value: &toml::Value| {
            let value = value.as_integer().expect("a number");
            u64::try_from(value).expect("a count")
        };
        Self {
            rustc: word("rustc"),
            machine: word("machine"),
            lines: lines
                .iter()
                .map(|(name, value)| (name.clone(), number(value)))
                .collect(),
        }
    }

    /// `order`: the lines as they are run.
    fn text(&self, order: &[&str]) -> String {
        let mut text = format!(
            "# Instructions of whole runs under callgrind, stored by `./dev guard --update`: benches/tests/it/guard.rs.\n\
             rustc = \"{}\"\nmachine = \"{}\"\n\n[instructions]\n",
            self.rustc, self.machine
        );
        for name in order {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "\"{name}\" = {}", self.lines[*name]);
        }
        text
    }
}

/// What is found in a count; `None`: nothing to be said.
fn judged(
    stored: Option<u64>,
    counted: u64,
    more: f64,
) -> Result<Option<&'static str>, &'static str> {
    let Some(stored) = stored else {
        return Err("no value is stored");
    };
    let ratio = counted as f64 / stored as f64;
    if ratio > more {
        Err("MORE than is allowed")
    } else if ratio < LESS {
        Ok(Some("less: store the new value"))
    } else {
        Ok(None)
    }
}

/// Instructions of a run: of the program and of what it forks, until that becomes another program.
fn count(line: &Line, folder: &Path) -> u64 {
    (line.before)();
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("the target folder is writable");
    let mut command = stage::program(Path::new("valgrind"));
    command
        .args(["--tool=callgrind", "-q"])
        .arg(format!("--callgrind-out-file={}/%p", folder.display()))
        .arg(&line.program)
        .args(&line.words);
    program::run(&mut command).ends(line.code);
    let entries = fs::read_dir(folder).expect("valgrind wrote");
    let texts = entries.map(|entry| fs::read_to_string(entry.expect("ours").path()).expect("text"));
    let totals = texts.filter_map(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("summary: "));
        line.and_then(|count| count.trim().parse::<u64>().ok())
    });
    totals.sum()
}

/// The compilers that a program names, and what runs it here.
fn made_with(program: &Path) -> [String; 2] {
    let said = program::ok(
        Command::new("readelf")
            .args(["-p", ".comment"])
            .arg(program),
    );
    let entry = |start: &str| {
        let line = said.lines().find_map(|line| line.split_once(start));
        line.map_or_else(|| "unknown".to_owned(), |(_, rest)| rest.trim().to_owned())
    };
    let valgrind = program::ok(Command::new("valgrind").arg("--version"));
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let vectors = if processor.contains(" avx2 ") {
        "AVX2"
    } else {
        "no AVX2"
    };
    let machine = format!("{}; GCC {}; {vectors}", valgrind.trim(), entry("GCC: "));
    [entry("rustc version "), machine]
}

/// The release binaries, or none after saying what lacks.
fn programs() -> Option<PathBuf> {
    let Some(tdnf) = std::env::var_os("TDNF_RELEASE_BINARY").map(PathBuf::from) else {
        skipped("no TDNF_RELEASE_BINARY: `./dev guard` and `./dev test` build it");
        return None;
    };
    if Command::new("valgrind").arg("--version").output().is_err() {
        skipped("no valgrind");
        return None;
    }
    if !tdnf.with_file_name("repo-tools").is_file() {
        skipped(
            "no repo-tools beside TDNF_RELEASE_BINARY: `./dev guard` and `./dev test` build it",
        );
        return None;
    }
    Some(tdnf)
}

#[test]
fn no_line_needs_more_instructions_than_stored() {
    if unprivileged() {
        return;
    }
    let Some(tdnf) = programs() else { return };
    let update = std::env::var_os("TDNF_GUARD").is_some_and(|word| word == "update");
    let stored =
        fs::read_to_string(FILE).map_or_else(|_| Stored::default(), |text| Stored::read(&text));
    let [rustc, machine] = made_with(&tdnf);
    let elsewhere = machine != stored.machine;
    let more = if elsewhere { MORE_ELSEWHERE } else { MORE };
    // Longer paths need more: 2 % where little else is done. A process has one such folder.
    let _ = tempfile::env::override_temp_dir(Path::new("/tmp"));
    let scene = Scene::new(&tdnf);
    let lines = scene.lines();
    let mut found = BTreeMap::new();
    let mut faults = Vec::new();
    for line in &lines {
        // Once without valgrind: what is made once for all later runs is there, and a wrong end shows early.
        (line.before)();
        let mut plain = stage::program(&line.program);
        program::run(plain.args(&line.words)).ends(line.code);
        let folder = testkit::fixtures::cache_dir()
            .join("guard")
            .join(line.name.replace(' ', "-"));
        let value = stored.lines.get(line.name).copied();
        let mut least = count(line, &folder);
        for _ in 1..TRIES {
            if judged(value, least, more).is_err() && !update {
                least = least.min(count(line, &folder));
            }
        }
        found.insert(line.name.to_owned(), least);
        let verdict = judged(value, least, more);
        let change = value.map_or(0.0, |value| (least as f64 / value as f64 - 1.0) * 100.0);
        let words = verdict.map_or_else(|fault| fault, Option::unwrap_or_default);
        eprintln!("{:28} {least:>13}  {change:+.2} %  {words}", line.name);
        if verdict.is_err() {
            faults.push(format!(
                "{}: {least} instructions, {} stored ({change:+.2} %): {words}; where: `callgrind_annotate {}/*`",
                line.name,
                value.unwrap_or_default(),
                folder.display()
            ));
        }
    }
    if update {
        let order: Vec<&str> = lines.iter().map(|line| line.name).collect();
        let text = Stored {
            rustc,
            machine,
            lines: found,
        }
        .text(&order);
        fs::write(FILE, text).expect("the checkout is writable");
        return eprintln!("stored: {FILE}");
    }
    if elsewhere {
        eprintln!(
            "stored on {}, counted on {machine}: {MORE_ELSEWHERE} times as many are allowed, not {MORE}",
            stored.machine
        );
    }
    if rustc != stored.rustc {
        faults.push(format!(
            "stored for Rust {}, built by {rustc}",
            stored.rustc
        ));
    }
    assert!(
        faults.is_empty(),
        "{}\nWhat is meant to need more is stored by `./dev guard --update`.",
        faults.join("\n")
    );
}

#[test]
fn more_fails_and_less_is_said() {
    assert_eq!(judged(Some(1000), 1029, MORE), Ok(None));
    assert!(judged(Some(1000), 1031, MORE).is_err());
    assert_eq!(judged(Some(1000), 971, MORE), Ok(None));
    assert!(judged(Some(1000), 969, MORE).is_ok_and(|said| said.is_some()));
    assert!(judged(None, 1, MORE).is_err());
}

#[test]
fn what_is_stored_is_read_again() {
    let stored = Stored {
        rustc: "1".into(),
        machine: "m; n".into(),
        lines: [("a, b", 7), ("--c", 1 << 40)]
            .map(|(name, count)| (name.to_owned(), count))
            .into(),
    };
    assert_eq!(Stored::read(&stored.text(&["--c", "a, b"])), stored);
}
