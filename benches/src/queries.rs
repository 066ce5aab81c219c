//! Questions to the 65,484-package repository with 300 packages installed, everything warm.

use std::path::Path;
use std::process::Command;

use crate::cases::{Case, once, tdnf};
use crate::lab::Lab;
use crate::managers::Job;
use crate::report::Mark;

/// Packages of the large repository that `upgrade` is measured with: so many have an update.
const UPDATES: usize = 50;

/// A command, what it is for the others, and the CPU seconds to keep.
struct Question {
    name: &'static str,
    ours: &'static [&'static str],
    job: Option<Job<'static>>,
    good: i32,
    cpu: f64,
}

const fn asks(
    name: &'static str,
    ours: &'static [&'static str],
    job: Option<Job<'static>>,
    cpu: f64,
) -> Question {
    Question {
        name,
        ours,
        job,
        good: 0,
        cpu,
    }
}

const QUESTIONS: &[Question] = &[
    asks(
        "list all, 65,484 packages",
        &["list"],
        Some(Job::List),
        0.25,
    ),
    asks(
        "list installed, 300 of them",
        &["list", "installed"],
        Some(Job::Installed),
        0.015,
    ),
    asks(
        "search",
        &["search", "editor"],
        Some(Job::Search("editor")),
        0.12,
    ),
    asks("info", &["info", "socat"], Some(Job::Info("socat")), 0.10),
    asks(
        "repoquery --whatrequires",
        &["repoquery", "--whatrequires", "libc6"],
        Some(Job::WhatRequires("libc6")),
        0.12,
    ),
    asks(
        "provides of a path in primary",
        &["provides", "/usr/bin/socat"],
        Some(Job::Provides("/usr/bin/socat")),
        0.12,
    ),
    asks(
        "provides of a path only in filelists",
        &["provides", "/usr/share/doc/socat/copyright"],
        Some(Job::Provides("/usr/share/doc/socat/copyright")),
        0.5,
    ),
    asks(
        "repoquery --file of a path only in filelists",
        &["repoquery", "--file", "/usr/share/doc/socat/copyright"],
        Some(Job::Provides("/usr/share/doc/socat/copyright")),
        0.5,
    ),
    asks(
        "check-update",
        &["check-update"],
        Some(Job::CheckUpdate),
        0.10,
    ),
    Question {
        good: 8,
        ..asks(
            "upgrade --assumeno with 50 updates",
            &["--assumeno", "upgrade"],
            Some(Job::Upgrade),
            0.15,
        )
    },
    Question {
        good: 8,
        ..asks(
            "install --assumeno of one new package",
            &["--assumeno", "install", "socat"],
            Some(Job::Solve(&["socat"])),
            0.12,
        )
    },
];

/// A name that bash completes, from its own start on; on the clock, because a person waits. Ends
/// with 1 if there are no candidates.
const COMPLETION: &str = r#"
    source "$1"
    COMP_LINE="$2 install soc"
    COMP_POINT=${#COMP_LINE}
    _tdnf
    [ "${#COMPREPLY[@]}" -gt 0 ]
"#;

/// The completion that is shipped.
const BASH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../conf/completions/tdnf.bash");

/// The cases; none without the large repository.
pub(crate) fn all(lab: &Lab) -> Result<Vec<Case>, String> {
    if !lab.big_is_real {
        return Ok(Vec::new());
    }
    let scratch = lab.scratch.clone();
    let root = lab.root("asked", "big", "metadata_expire=never")?;
    std::fs::create_dir_all(root.join("var/lib/rpm")).map_err(|e| e.to_string())?;
    lab.warm(&root)?;
    lab.fill(&root, 300)?;
    lab.fill_old(&root, &names(lab, &root)?)?;
    let mut cases = Vec::new();
    for question in QUESTIONS {
        let asked = |job| lab.managers.programs(&root, job);
        // What is read once for all later runs (the index of file lists) is there.
        once(&tdnf(lab, &root, question.ours, &[question.good]), &scratch)?;
        cases.push(Case {
            name: question.name,
            ours: tdnf(lab, &root, question.ours, &[question.good]),
            peers: question.job.map(asked).unwrap_or_default(),
            limit: None,
            prepare: Box::new(|| Ok(())),
            mark: Mark {
                cpu: Some(question.cpu),
                ..Mark::default()
            },
            scratch: scratch.clone(),
        });
    }
    cases.push(Case {
        name: "completion of a package's name in bash",
        ours: crate::measure::Program::new(
            &[
                "bash".to_owned(),
                "--norc".to_owned(),
                "-c".to_owned(),
                COMPLETION.to_owned(),
                "bash".to_owned(),
                BASH.to_owned(),
                format!(
                    "{} --installroot {} --releasever=5",
                    lab.tdnf.display(),
                    root.display()
                ),
            ],
            &[0],
        ),
        peers: Vec::new(),
        limit: None,
        prepare: Box::new(|| Ok(())),
        mark: Mark {
            wall: Some(0.05),
            ..Mark::default()
        },
        scratch,
    });
    Ok(cases)
}

/// Names of packages of the large repository that need little else.
fn names(lab: &Lab, root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new(&lab.tdnf)
        .arg("--installroot")
        .arg(root)
        .args(["--releasever=5", "repoquery", "--qf", "%{name}", "fonts-*"])
        .output()
        .map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names.truncate(UPDATES);
    match names.len() {
        UPDATES => Ok(names),
        few => Err(format!("only {few} packages for the updates")),
    }
}
