//! Large solves: thousands of packages at once, beside what libsolv alone needs for them.

use crate::cases::{Case, nothing, tdnf};
use crate::lab::{Lab, must};
use crate::managers::Job;
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
    lab.warm(&root)?;
    let solv = lab.scratch.join("big.solv").display().to_string();
    let alone = Command::new(PYTHON).args(["-c", "import solv"]).output();
    let alone = alone.is_ok_and(|output| output.status.success());
    if alone {
        must(Command::new(PYTHON).args([SCRIPT, "write", &lab.metadata("primary")?, &solv]))?;
    } else {
        eprintln!("python3-solv is not here: large solves have no limit beside them");
    }
    let case = |(name, set, cpu): (&'static str, &'static str, f64)| {
        let words = ["install", "--assumeno", set];
        Case {
            name,
            ours: tdnf(lab, &root, &words, &[8]),
            peers: lab.managers.programs(&root, Job::Solve(&[set])),
            limit: alone.then(|| {
                let words = [PYTHON, SCRIPT, "solve", &solv, set];
                ("libsolv alone, by python3-solv", Program::new(&words, &[0]))
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
