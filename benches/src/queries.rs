//! Questions to the 65,484-package repository with 300 packages installed, everything warm.

use std::path::Path;
use std::process::Command;

use crate::cases::{Case, dnf, once, tdnf};
use crate::lab::Lab;
use crate::report::Mark;

/// Packages of the large repository that `upgrade` is measured with: so many have an update.
const UPDATES: usize = 50;

/// A command, the peer's for the same, and the CPU seconds to keep.
struct Question {
    name: &'static str,
    ours: &'static [&'static str],
    peer: &'static [&'static str],
    good: i32,
    peer_good: &'static [i32],
    cpu: f64,
}

const fn asks(
    name: &'static str,
    ours: &'static [&'static str],
    peer: &'static [&'static str],
    cpu: f64,
) -> Question {
    Question {
        name,
        ours,
        peer,
        good: 0,
        peer_good: &[0],
        cpu,
    }
}

const QUESTIONS: &[Question] = &[
    asks("list all, 65,484 packages", &["list"], &["list"], 0.25),
    asks(
        "list installed, 300 of them",
        &["list", "installed"],
        &["list", "--installed"],
        0.015,
    ),
    asks("search", &["search", "editor"], &["search", "editor"], 0.12),
    asks("info", &["info", "socat"], &["info", "socat"], 0.10),
    asks(
        "repoquery --whatrequires",
        &["repoquery", "--whatrequires", "libc6"],
        &["repoquery", "--whatrequires", "libc6"],
        0.12,
    ),
    asks(
        "provides of a path in primary",
        &["provides", "/usr/bin/socat"],
        &["provides", "/usr/bin/socat"],
        0.12,
    ),
    asks(
        "provides of a path only in filelists",
        &["provides", "/usr/share/doc/socat/copyright"],
        &["provides", "/usr/share/doc/socat/copyright"],
        0.5,
    ),
    asks(
        "repoquery --file of a path only in filelists",
        &["repoquery", "--file", "/usr/share/doc/socat/copyright"],
        &["repoquery", "--file", "/usr/share/doc/socat/copyright"],
        0.5,
    ),
    Question {
        peer_good: &[0, 100],
        ..asks("check-update", &["check-update"], &["check-update"], 0.10)
    },
    Question {
        good: 8,
        peer_good: &[1],
        ..asks(
            "upgrade --assumeno with 50 updates",
            &["--assumeno", "upgrade"],
            &["--assumeno", "upgrade"],
            0.15,
        )
    },
    Question {
        good: 8,
        peer_good: &[1],
        ..asks(
            "install --assumeno of one new package",
            &["--assumeno", "install", "socat"],
            &["--assumeno", "install", "socat"],
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
    once(&tdnf(lab, &root, &["makecache"], &[0]), &scratch)?;
    once(&dnf(&root, &["makecache"], &[0]), &scratch)?;
    lab.fill(&root, 300)?;
    lab.fill_old(&root, &names(lab, &root)?)?;
    let mut cases = Vec::new();
    for question in QUESTIONS {
        let peer: Vec<&str> = ["-C"].iter().chain(question.peer).copied().collect();
        // What is read once for all later runs (the index of file lists) is there.
        once(&tdnf(lab, &root, question.ours, &[question.good]), &scratch)?;
        cases.push(Case {
            name: question.name,
            ours: tdnf(lab, &root, question.ours, &[question.good]),
            peer: Some(("dnf -C", dnf(&root, &peer, question.peer_good))),
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
        peer: None,
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
