//! `docs/compat.md`: every command, option, key and error number with a test that covers it.
//!
//! The rows come from the program's own tables and from those of `docs/reference/tdnf.md`: a row that the document
//! lacks fails here, and so does a test that it names and that does not run the thing. Words are read from the calls in
//! the tests. `TDNF_UPDATE_DOCS=1` writes the document anew.

mod by_hand;
mod reference;
mod runs;
mod since;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use sources::{Covering, Kind, Sources};
use tdnf::args::options;
use tdnf::{commands, error};

/// A table of the document.
struct Table {
    title: &'static str,
    kind: Kind,
    /// Names of the rows, in order.
    rows: Vec<String>,
    /// Those that C tdnf 3.6.0 has.
    reference: BTreeSet<String>,
}

fn document() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/compat.md")
}

/// The rows that there must be.
fn tables() -> Vec<Table> {
    let reference = reference::Reference::read();
    let known = |list: fn(&reference::Reference) -> &BTreeSet<String>| list(&reference).clone();
    let all = |own: Vec<String>, reference: BTreeSet<String>| -> Vec<String> {
        let names: BTreeSet<String> = own.into_iter().chain(reference).collect();
        names.into_iter().collect()
    };
    let names = |list: &[&str]| {
        list.iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let keys = |list: &[rpm_repo::config::EffectiveKey]| {
        let all = list.iter().map(|key| key.name.to_owned());
        all.collect::<Vec<_>>()
    };
    let own_commands = names(&commands::names().chain(["help"]).collect::<Vec<_>>());
    let definition = options::definition();
    let all_options = || definition.get_arguments();
    let letters = all_options().filter_map(|option| option.get_short());
    let letters = letters.map(|letter| format!("-{letter}"));
    let long = all_options().filter_map(|option| option.get_long());
    let long = long.map(|name| format!("--{name}"));
    let mut numbers: Vec<u32> = error::numbers().collect();
    numbers.extend(
        known(|all| &all.errors)
            .iter()
            .filter_map(|number| number.parse::<u32>().ok()),
    );
    numbers.sort_unstable();
    numbers.dedup();
    vec![
        Table {
            title: "Commands",
            kind: Kind::Command,
            rows: all(own_commands, known(|all| &all.commands)),
            reference: known(|all| &all.commands),
        },
        Table {
            title: "Options",
            kind: Kind::Option,
            rows: all(long.chain(letters).collect(), known(|all| &all.options)),
            reference: known(|all| &all.options),
        },
        Table {
            title: "Keys of tdnf.conf",
            kind: Kind::MainKey,
            rows: all(
                keys(rpm_repo::config::MAIN_KEYS),
                known(|all| &all.main_keys),
            ),
            reference: known(|all| &all.main_keys),
        },
        Table {
            title: "Keys of .repo files",
            kind: Kind::RepoKey,
            rows: all(
                keys(rpm_repo::config::REPO_KEYS),
                known(|all| &all.repo_keys),
            ),
            reference: known(|all| &all.repo_keys),
        },
        Table {
            title: "Error numbers",
            kind: Kind::Error,
            rows: numbers.iter().map(u32::to_string).collect(),
            reference: known(|all| &all.errors),
        },
    ]
}

/// Of each row where its name is from, and its tests.
type Rows = BTreeMap<String, (String, String)>;

/// The tables of the document as it is.
fn read(text: &str) -> BTreeMap<String, Rows> {
    let mut tables: BTreeMap<String, Rows> = BTreeMap::new();
    let mut title = String::new();
    for line in text.lines() {
        if let Some(found) = line.strip_prefix("## ") {
            found.clone_into(&mut title);
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", name, since, tests, ""] = cells.as_slice()
            && !name.starts_with("--- ")
            && *name != "---"
            && *tests != "covered by"
        {
            let name = name.trim_matches('`').to_owned();
            let before = tables
                .entry(title.clone())
                .or_default()
                .insert(name.clone(), ((*since).to_owned(), (*tests).to_owned()));
            assert!(before.is_none(), "{name} stands twice under {title}");
        }
    }
    tables
}

fn written(tables: &[Table], covering: &Covering<'_>) -> String {
    let mut text = String::from(
        "# What is covered, and by which test\n\n\
         Every command, option, configuration key and error number of C tdnf 3.6 and of this program, with tests that\n\
         run it: the program gets the word as its command or option, finds the key in a file, or ends with the number.\n\
         Numbers are those of the reference's samples, which `tdnf/tests/it/samples` plays; names are those of test\n\
         functions. A row without such a test says `not covered`. Where an error names only\n\
         `error_numbers_and_texts_are_those_of_the_reference`, its text and exit code are tested, but no run ends with it.\n\
         `TDNF_UPDATE_DOCS=1 cargo test -p tdnf compat` writes this file, where TDNF_SHARED has the samples; the same test\n\
         without the variable fails where a row is missing or a test does not run what its row names. What differs from C\n\
         tdnf is in `differences.md`. The tests of tdnf-automatic and of exit codes are named in\n\
         `tdnf/tests/it/compat/by_hand.rs`; there is none of their rows without one. Every option of createrepo_c,\n\
         mergerepo_c, modifyrepo_c and sqliterepo_c stands with its test in `repo-tools.md`.\n\n\
         `since` is the version of C tdnf that a name is from, with the source (`#`: pull requests of vmware/tdnf): 3.5 is that\n\
         version or an earlier one; dev came after 3.6.3, without a release that we know of; Photon and Azure are patches of\n\
         these distributions; own is none of C tdnf.\n",
    );
    for table in tables {
        text.push_str(&format!(
            "\n## {}\n\n| name | since | covered by |\n|---|---|---|\n",
            table.title
        ));
        for row in &table.rows {
            text.push_str(&format!(
                "| `{row}` | {} | {} |\n",
                since::cell(table.kind, row, &table.reference),
                covering.cell(table.kind, row)
            ));
        }
    }
    for (title, rows) in by_hand::tables() {
        text.push_str(&format!(
            "\n## {title}\n\n| name | since | covered by |\n|---|---|---|\n"
        ));
        for [name, since, cell] in rows {
            text.push_str(&format!("| `{name}` | {since} | {cell} |\n"));
        }
    }
    text
}

#[test]
fn compat_table_is_complete() {
    let sources = Sources::read();
    let covering = Covering::of(&sources);
    let tables = tables();
    if std::env::var_os("TDNF_UPDATE_DOCS").is_some() {
        assert!(
            covering.has_samples(),
            "docs/compat.md is not written: its sample numbers would be lost, as TDNF_SHARED has no reference/tdnf-samples.txt"
        );
        std::fs::write(document(), written(&tables, &covering)).expect("docs/ is ours");
    }
    let text = std::fs::read_to_string(document()).expect("docs/compat.md is there");
    let document = read(&text);
    let mut wrong = by_hand::faults(&sources);
    for (title, rows) in by_hand::tables() {
        let written = rows
            .into_iter()
            .map(|[name, since, cell]| (name, (since, cell)));
        let written: Rows = written.collect();
        if document.get(title) != Some(&written) {
            wrong.push(format!("{title}: its rows are not those of by_hand.rs"));
        }
    }
    for table in &tables {
        let empty = BTreeMap::new();
        let rows = document.get(table.title).unwrap_or(&empty);
        for name in &table.rows {
            match rows.get(name) {
                None => wrong.push(format!("{}: no row {name}", table.title)),
                Some((since, cell)) => {
                    let right = since::cell(table.kind, name, &table.reference);
                    if *since != right {
                        wrong.push(format!("{}: {name}: since {right}", table.title));
                    }
                    let unknown = covering.unknown(table.kind, name, cell);
                    wrong.extend(
                        unknown
                            .into_iter()
                            .map(|what| format!("{}: {name}: {what}", table.title)),
                    );
                }
            }
        }
        let odd = since::names(table.kind).filter(|name| !table.rows.iter().any(|row| row == name));
        wrong.extend(odd.map(|name| format!("{}: {name} is no row", table.title)));
        let stale = rows.keys().filter(|name| !table.rows.contains(name));
        wrong.extend(stale.map(|name| format!("{}: there is no {name}", table.title)));
    }
    assert!(wrong.is_empty(), "docs/compat.md:\n{}", wrong.join("\n"));
}

/// Every number of the reference has its text here, and the exit code that scripts know.
#[test]
fn error_numbers_and_texts_are_those_of_the_reference() {
    let reference = reference::Reference::read();
    let own: BTreeSet<u32> = error::numbers().collect();
    let mut wrong = Vec::new();
    for (number, text) in &reference.error_texts {
        if !own.contains(number) {
            wrong.push(format!("{number} is not in the table"));
        }
        let code = error::Code(*number);
        let shown = code.text();
        let expected = match text.as_str() {
            "(curl text)" => continue,
            // The system's text, also for numbers that are no errno.
            "(no own text)" if (1601..2000).contains(number) => continue,
            // We say what is the matter.
            "(no own text)" if *number == 1526 => "The rpm database cannot be opened".to_owned(),
            "(no own text)" => "Unknown error".to_owned(),
            text => text.trim_start_matches("(strerror) ").to_owned(),
        };
        if shown != expected {
            wrong.push(format!("{number}: '{shown}' instead of '{expected}'"));
        }
        let exit = error::Failure::new(code).exit_code();
        let known = match number {
            905 | 1661 => 0,
            // A failure must not read as success.
            number if number % 256 == 0 => 1,
            number => (number % 256) as u8,
        };
        if exit != known {
            wrong.push(format!("{number}: exit code {exit} instead of {known}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
