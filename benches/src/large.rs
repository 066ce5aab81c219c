//! Large solves: thousands of packages at once, beside what libsolv alone needs for them.

use crate::cases::{Case, dnf, nothing, once, tdnf};
use crate::lab::{Lab, cache, must};
use crate::measure::Program;
use crate::report::Mark;
use std::process::Command;

/// Sets of Debian's that recommend most of what they bring, and CPU seconds.
const SETS: [(&str, &str, f64); 3] = [
    (
        "warm install --assumeno of multimedia-all, 2,121 packages",
        "multimedia-all",
        0.20,
    ),
    (
        "warm install --assumeno of med-all, 3,118 packages",
        "med-all",
        0.20,
    ),
    (
        "warm install --assumeno of science-all, 2,926 packages",
        "science-all",
        0.30,
    ),
];

const PYTHON: &str = "/usr/bin/python3";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/libsolv.py");

/// One case for each set; none where the large repository is not real.
pub(crate) fn all(lab: &Lab) -> Result<Vec<Case>, String> {
    if !lab.big_is_real {
        return Ok(Vec::new());
    }
    let root = lab.root("large", "big", "skip_md_filelists=1")?;
    once(&tdnf(lab, &root, &["makecache"], &[0]), &lab.scratch)?;
    let solv = lab.scratch.join("big.solv").display().to_string();
    let alone = Command::new(PYTHON).args(["-c", "import solv"]).output();
    let alone = alone.is_ok_and(|output| output.status.success());
    if alone {
        must(Command::new(PYTHON).args([SCRIPT, "write", &primary()?, &solv]))?;
    } else {
        eprintln!("python3-solv is not here: large solves stand beside dnf");
        once(&dnf(&root, &["makecache"], &[0]), &lab.scratch)?;
    }
    let case = |(name, set, cpu): (&'static str, &'static str, f64)| {
        let words = ["install", "--assumeno", set];
        Case {
            name,
            ours: tdnf(lab, &root, &words, &[8]),
            peer: Some(match alone {
                true => (
                    "python3-solv",
                    Program::new(&[PYTHON, SCRIPT, "solve", &solv, set], &[0]),
                ),
                false => ("dnf -C", dnf(&root, &[&["-C"], &words[..]].concat(), &[1])),
            }),
            prepare: nothing(),
            mark: Mark {
                cpu: Some(cpu),
                memory: Some(50.0),
                ..Mark::default()
            },
            scratch: lab.scratch.clone(),
        }
    };
    Ok(SETS.map(case).into())
}

/// The primary metadata of the large repository.
fn primary() -> Result<String, String> {
    let folder = cache().join("big/repodata");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path().display().to_string()));
    let found = paths.find(|path| path.contains("primary.xml"));
    found.ok_or_else(|| format!("{}: no primary metadata", folder.display()))
}
