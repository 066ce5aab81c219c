//! Row 87, the history: a run killed behind its commit point leaves nothing out of it, least of all which packages
//! came as dependencies.

use std::path::Path;
use testkit::program::{self, ok};

use testkit::rpmdb::{self, Cell};
use testkit::spec::Spec;
use testkit::stage::Stage;
use testkit::step::{self, Order};

use super::site::{Found, copy, next_start_command, possible, stage_with, tdnf};
use super::specs::shell;
use super::tally::{Tally, each, points};

/// Points of a sample.
const SAMPLE: usize = 120;

/// `app` and what it needs; the shell that they need stands there.
fn site() -> Stage {
    let needed = Spec::new("needed", "1").file("/opt/needed", "1").build();
    let app = Spec::new("app", "1")
        .lines("Requires: needed")
        .script("posttrans", ":")
        .file("/opt/app", "1")
        .build();
    let stage = stage_with(&[shell(), needed, app]);
    let base = &stage.root;
    ok(&mut next_start_command(base.path()));
    stage
}

/// What the history says of the install: how often it is recorded, what came with it, and the marks.
#[derive(Debug, PartialEq, Eq)]
struct Recorded {
    times: usize,
    came: Vec<String>,
    marks: Vec<(String, String)>,
    begun: usize,
}

fn recorded(root: &Path) -> Recorded {
    let dump = rpmdb::dump(&root.join("var/lib/tdnf/history.db"), &[]);
    let text = |cell: &Cell| String::from_utf8_lossy(&cell.bytes).into_owned();
    let none = Vec::new();
    let rows = |table: &str| -> Vec<Vec<String>> {
        let rows = dump.get(table).unwrap_or(&none);
        rows.iter()
            .map(|row| row.iter().map(text).collect())
            .collect()
    };
    let named = |table: &str, id: &str| {
        let row = rows(table).into_iter().find(|row| row[0] == id);
        row.unwrap()[1].clone()
    };
    let all = rows("transactions");
    let own: Vec<_> = all
        .iter()
        .filter(|row| row[2].contains("install app"))
        .collect();
    let of_own = |row: &&Vec<String>| own.iter().any(|own| own[0] == row[1]);
    let items = rows("trans_items");
    let mut came: Vec<String> = items
        .iter()
        .filter(of_own)
        .map(|row| named("rpms", &row[3]))
        .collect();
    came.sort();
    let flags = rows("flag_set");
    let mark = |row: &Vec<String>| (named("names", &row[2]), row[3].clone());
    let mut marks: Vec<_> = flags.iter().filter(of_own).map(mark).collect();
    marks.sort();
    let begun = ["begun_transaction", "begun_items", "begun_flags"];
    Recorded {
        times: own.len(),
        came,
        marks,
        begun: begun.iter().map(|table| rows(table).len()).sum(),
    }
}

/// Killed at a call, started again: the history says of the system what it is.
fn killed(base: &Path, point: usize, words: &[&str]) -> (String, Result<Found, String>) {
    let root = copy(base);
    let mut at = "never reached".to_owned();
    step::run(&tdnf(root.path(), words), root.path(), &mut |call| {
        if call.number != point {
            return Order::Go;
        }
        at = call.to_string();
        Order::KillAll
    });
    let next = program::run(&mut next_start_command(root.path()));
    let said = &next.err;
    let there = root.path().join("opt/app").exists();
    let (one, mark) = (
        |name: &str| format!("{name}-1-1.noarch"),
        |name: &str, value: &str| (name.to_owned(), value.to_owned()),
    );
    let expected = Recorded {
        times: usize::from(there),
        came: if there {
            vec![one("app"), one("needed")]
        } else {
            Vec::new()
        },
        marks: if there {
            vec![mark("app", "0"), mark("needed", "1")]
        } else {
            Vec::new()
        },
        begun: 0,
    };
    let found = recorded(root.path());
    let verdict = if !next.success() {
        Err(format!("the next start fails: {said}"))
    } else if found != expected {
        Err(format!(
            "found {found:?}, expected {expected:?}\nthe next start said: {said}"
        ))
    } else {
        Ok(if there { Found::New } else { Found::Old })
    };
    (format!("killed at call {point}, {at}"), verdict)
}

#[test]
fn row_87_the_history_is_completed_with_its_marks() {
    if !possible() {
        return;
    }
    let stage = site();
    let base = &stage.root;
    let words = ["-y", "install", "app"];
    let whole = copy(base.path());
    let run = step::run(&tdnf(whole.path(), &words), whole.path(), &mut |_| {
        Order::Go
    });
    assert_eq!(run.code, Some(0), "{}", run.output);
    let tally = Tally::default();
    each(&points(run.calls, SAMPLE), &|point| {
        let (name, verdict) = killed(base.path(), *point, &words);
        tally.note(&name, verdict);
    });
    tally.tell(&format!(
        "killed in an install of {} changing calls, the history",
        run.calls
    ));
}
