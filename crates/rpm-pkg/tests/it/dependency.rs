//! Rich dependencies: what rpmbuild accepts, we accept; what it refuses, we refuse.

use crate::support::have_rpm;
use rpm_pkg::dep::rich::{self, RichContext};
use std::process::Command;

const OPERANDS: &[&str] = &[
    "a",
    "(d or e)",
    "(d and e)",
    "(d if e)",
    "(d unless e else f)",
    "(d without e)",
    "((d unless e) or f)",
];

const OPS: &[&str] = &["and", "or", "with", "without", "if", "unless"];

fn expressions() -> Vec<String> {
    let mut list: Vec<String> = [
        "(a)",
        "()",
        "(a",
        "a)",
        "(a and)",
        "(and a)",
        "(a b)",
        "(a and b and c)",
        "(a or b or c)",
        "(a with b with c)",
        "(a without b without c)",
        "(a if b if c)",
        "(a if b else c else d)",
        "(a else b)",
        "(a and b or c)",
        "(a if b and c)",
        "(a >= 1 and b < 2:3-4)",
        "(a >= and b)",
        "((a))",
        "(a, b)",
        "(a and, b)",
        "(a xor b)",
        "(a if b else c)",
        "(a unless b else c)",
        "(f(x(y)) and b)",
        "(a=1 and b)",
        "(a == 1 and b)",
        "(a and b else c)",
    ]
    .map(str::to_owned)
    .to_vec();
    for op in OPS {
        for a in OPERANDS {
            for b in OPERANDS {
                list.push(format!("({a} {op} {b})"));
            }
        }
        for (a, b) in [("(d if e)", "(d unless e)"), ("(d unless e)", "(d if e)")] {
            list.push(format!("(x if {a} else {b})"));
            list.push(format!("(x unless {a} else {b})"));
            list.push(format!("((x {op} {a}) or y)"));
            list.push(format!("((x {op} {a}) and y)"));
        }
    }
    list
}

/// Asks rpmspec about one expression after `tag`.
fn accepted_by_rpm(dir: &std::path::Path, tag: &str, text: &str) -> bool {
    let spec = format!(
        "Name: t\nVersion: 1\nRelease: 1\nSummary: t\nLicense: t\n{tag}: {text}\n%description\n%files\n"
    );
    let path = dir.join("t.spec");
    std::fs::write(&path, spec).unwrap();
    let output = Command::new("rpmspec")
        .args(["-q", "--qf", "x"])
        .arg(&path)
        .output()
        .unwrap();
    output.status.success()
}

#[test]
fn rich_dependencies_parse_as_in_rpmbuild() {
    if !have_rpm() || Command::new("rpmspec").arg("--version").output().is_err() {
        println!("skipped: no rpmspec");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let list = expressions();
    for text in &list {
        if !text.starts_with('(') {
            assert!(rich::parse(text).is_err(), "{text}");
            continue;
        }
        for (tag, context) in [
            ("Requires", RichContext::And),
            ("Conflicts", RichContext::Or),
        ] {
            let theirs = accepted_by_rpm(dir.path(), tag, text);
            let ours = rich::parse_in(text, context);
            // rpm takes this one, which means nothing.
            let senseless = ours == Err(rich::RichError::StrayElse);
            if ours.is_ok() != theirs && !senseless {
                wrong.push(format!("{tag}: {text}: rpm {theirs}, we {ours:?}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        list.len() * 2,
        wrong.join("\n")
    );
}
