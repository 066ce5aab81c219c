//! Rows that no call in a test tells: what `tdnf-automatic` takes and says, and exit codes. Their tests are named here.
//!
//! The rows come from the program's tables, its help and `docs/exit-codes.md`: one without a test fails, and so does a
//! test that does not hold what proves the row.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::sources::Sources;
use crate::interop_lab::program;

/// A row, and its test.
struct Proof {
    row: &'static str,
    since: &'static str,
    test: &'static str,
    /// A part of a literal of the test, or of a function of its file that it calls.
    says: &'static str,
    /// A number of the test.
    number: Option<&'static str>,
}

const fn says(
    row: &'static str,
    since: &'static str,
    test: &'static str,
    says: &'static str,
) -> Proof {
    Proof {
        row,
        since,
        test,
        says,
        number: None,
    }
}

const fn ends(
    row: &'static str,
    since: &'static str,
    test: &'static str,
    says: &'static str,
    number: &'static str,
) -> Proof {
    Proof {
        number: Some(number),
        ..self::says(row, since, test, says)
    }
}

/// The version of C tdnf that the script is of, or an earlier one.
const C: &str = "3.5";
const OWN: &str = "own";
const REPORTS: &str = "tdnf_automatic_reports_and_installs";
const REFUSES: &str = "tdnf_automatic_refuses_what_it_does_not_know";
const LINES: &str = "tdnf_automatic_says_what_the_script_said";
const HOLDER: &str = "tdnf_automatic_says_who_holds_the_lock_and_ends";
const CAUSES: &str = "tdnf_automatic_names_the_cause_of_each_fault";
const WEEK: &str = "a_week_of_a_host";
const EXIT_CODES: &str = "exit_codes_are_those_of_the_document";

const AUTOMATIC: &[Proof] = &[
    says("--conf", C, CAUSES, "--conf"),
    says("--help", C, REFUSES, "--help"),
    says(
        "--install",
        C,
        "row_15_tdnf_automatic_checks_like_tdnf",
        "--install",
    ),
    says("--installroot", OWN, REPORTS, "--installroot"),
    says("--notify", C, REPORTS, "--notify"),
    says("--timer", C, LINES, "--timer"),
    says("--version", C, REFUSES, "--version"),
    says("-c", C, REPORTS, "-c"),
    says("-h", C, REFUSES, "-h"),
    says("-i", C, LINES, "-i"),
    says("-n", C, LINES, "-n"),
    says("-t", C, LINES, "-t"),
    says("-v", C, REFUSES, "-v"),
    says("apply_updates", C, REPORTS, "apply_updates=yes"),
    says("emit_to_file", C, REPORTS, "emit_to_file="),
    says("emit_to_stdio", C, LINES, "emit_to_stdio=no"),
    says(
        "network_online_timeout",
        C,
        CAUSES,
        "network_online_timeout=1",
    ),
    says("lock_timeout", OWN, HOLDER, "lock_timeout=1"),
    says("random_sleep", C, LINES, "random_sleep=1"),
    says("show_updates", C, LINES, "show_updates=no"),
    says("system_name", C, REPORTS, "system_name=box"),
    says("tdnf_conf", C, REPORTS, "tdnf_conf="),
    says("upgrade_type", C, LINES, "upgrade_type=security"),
    ends(
        "exit 0",
        C,
        WEEK,
        "No updates available on box. System upto date...",
        "0",
    ),
    ends("exit 2", C, CAUSES, "' does not exist", "2"),
    ends(
        "exit 13",
        C,
        CAUSES,
        "this script must be run as root...",
        "13",
    ),
    ends("exit 22", C, WEEK, "Invalid entry '", "22"),
    ends("exit 64", C, CAUSES, "System is off-line...", "64"),
    ends("exit 77", OWN, LINES, "emit_to_file=/nonexistent/", "77"),
    ends(
        "exit 121",
        C,
        CAUSES,
        "Failed to refresh repo cache..",
        "121",
    ),
];

const EXITS: &[Proof] = &[
    ends("0", C, EXIT_CODES, "Nothing to do.", "0"),
    ends("1", OWN, EXIT_CODES, "/dev/full", "1"),
    ends("100", C, EXIT_CODES, "dnf_check_update_compat=1", "100"),
    ends(
        "128 + n",
        OWN,
        "row_93_sigint_phases_question",
        "SIGTERM",
        "143",
    ),
    says(
        "others",
        C,
        "error_numbers_and_texts_are_those_of_the_reference",
        "exit code {exit}",
    ),
    ends("tdnf-config 1", C, REFUSES, "--file needs a file", "1"),
    ends("tdnf-config 2", C, EXIT_CODES, "tdnf-config", "2"),
    ends(
        "tdnf-config 3",
        C,
        "tdnf_config_reads_and_changes",
        "repo 'foo' not found",
        "3",
    ),
    ends(
        "tdnf-config 4",
        C,
        "tdnf_config_reads_and_changes",
        "'nosuch' not found in 'main'",
        "4",
    ),
    ends(
        "tdnf-config 5",
        C,
        "tdnf_config_reads_and_changes",
        "repo 'foo' already exists",
        "5",
    ),
    ends(
        "tdnf-history-util 1",
        C,
        REFUSES,
        "mark needs 'install' or 'remove'",
        "1",
    ),
];

/// A table of such rows: its title, and name, version and cell of each.
pub(super) type Table = (&'static str, Vec<[String; 3]>);

/// The tables as the document must have them.
pub(super) fn tables() -> [Table; 2] {
    let rows = |proofs: &[Proof]| {
        let row = |proof: &Proof| {
            let cell = format!("`{}`", proof.test);
            [proof.row.to_owned(), proof.since.to_owned(), cell]
        };
        proofs.iter().map(row).collect()
    };
    [
        ("tdnf-automatic", rows(AUTOMATIC)),
        ("Exit codes", rows(EXITS)),
    ]
}

/// What is wrong with the rows: one that has no test, or no longer exists, and tests that do not hold what they prove.
pub(super) fn faults(sources: &Sources) -> Vec<String> {
    let mut wrong = Vec::new();
    let all = [(AUTOMATIC, rows_of_automatic()), (EXITS, rows_of_exits())];
    for (proofs, rows) in all {
        let proven: BTreeSet<&str> = proofs.iter().map(|proof| proof.row).collect();
        let rows: BTreeSet<&str> = rows.iter().map(String::as_str).collect();
        wrong.extend(
            rows.difference(&proven)
                .map(|row| format!("{row}: no test")),
        );
        wrong.extend(
            proven
                .difference(&rows)
                .map(|row| format!("{row}: is no row")),
        );
        let unproven = proofs
            .iter()
            .filter(|proof| !sources.holds(proof.test, proof.says, proof.number));
        wrong.extend(
            unproven.map(|proof| format!("{}: '{}' does not show it", proof.row, proof.test)),
        );
    }
    wrong
}

/// Options by the help, keys by the program's table, exit codes by the document.
fn rows_of_automatic() -> Vec<String> {
    let output = Command::new(program())
        .args(["automatic", "--help"])
        .output();
    let help = String::from_utf8(output.expect("the program runs").stdout).expect("text");
    let lines = help.lines().filter_map(|line| line.split_once('\t'));
    let options = lines.flat_map(|(options, _)| options.split(", "));
    let mut rows: Vec<String> = options.map(|option| option.trim().to_owned()).collect();
    rows.extend(
        tdnf::programs::AUTOMATIC_KEYS
            .iter()
            .map(|key| key.name.to_owned()),
    );
    rows.push("exit 0".to_owned());
    let exits = companions()
        .into_iter()
        .filter_map(|(name, number)| (name == "tdnf-automatic").then(|| format!("exit {number}")));
    rows.extend(exits);
    rows
}

fn rows_of_exits() -> Vec<String> {
    let text = exit_codes();
    let (first, _) = text.split_once("| number |").expect("the table of errors");
    let cells = first
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    let cells = cells
        .map(|(first, _)| first)
        .filter(|first| *first != "exit");
    let mut rows: Vec<String> = cells.map(str::to_owned).collect();
    let others = companions()
        .into_iter()
        .filter(|(name, _)| name != "tdnf-automatic");
    rows.extend(others.map(|(name, number)| format!("{name} {number}")));
    rows
}

/// The exit codes of the programs beside tdnf: a name between backquotes, then numbers with what they mean.
fn companions() -> Vec<(String, u8)> {
    let text = exit_codes();
    let (first, _) = text.split_once("| number |").expect("the table of errors");
    let mut found = Vec::new();
    for part in first.split("`tdnf-").skip(1) {
        let (name, meaning) = part.split_once("`:").expect("a name, then its codes");
        let numbers = meaning
            .split_whitespace()
            .filter_map(|word| word.parse().ok());
        found.extend(numbers.map(|number| (format!("tdnf-{name}"), number)));
    }
    found
}

fn exit_codes() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/exit-codes.md");
    std::fs::read_to_string(path).expect("docs/exit-codes.md is there")
}
