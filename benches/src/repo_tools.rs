//! createrepo against createrepo_c, with as many workers.
//!
//! The program is `repo-tools` beside the `tdnf` that is measured; without it there are no cases.

use crate::cases::{Case, Prepare};
use crate::lab::{Lab, cache, must};
use crate::measure::Program;
use crate::report::Mark;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// Packages of the tree at least: the recipe's, copied as often as it takes.
const PACKAGES: usize = 600;
/// Packages of the tree of hard links.
const LINKS: usize = 10_000;
/// 100 MB in MiB.
const MEMORY: f64 = 95.3;

/// What is compared, and with which options of both programs.
struct Kind {
    name: &'static str,
    peer: &'static str,
    /// Wall time as a multiple of the peer's.
    ratio: Option<f64>,
    more: &'static [&'static str],
    before: Before,
}

/// What each run finds.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    /// No metadata.
    Nothing,
    /// The metadata of the same tree.
    Same,
    /// The metadata of a tree in which one package was another.
    OneOther,
}

/// createrepo_c makes databases for yum unless told not to, we never do: the first line is what
/// users of both get, the second is the work that both do. In that one more than half of our time
/// and a third of theirs is SHA-256 of the packages, at the speed of the processor's own
/// instructions: it is shown, not marked.
const KINDS: [Kind; 5] = [
    Kind {
        name: "createrepo, everything read",
        peer: "createrepo_c",
        ratio: Some(0.5),
        more: &[],
        before: Before::Nothing,
    },
    Kind {
        name: "createrepo, everything read, no databases",
        peer: "createrepo_c --no-database",
        ratio: None,
        more: &["--no-database"],
        before: Before::Nothing,
    },
    Kind {
        name: "createrepo, nothing new",
        peer: "createrepo_c --update",
        ratio: Some(0.1),
        more: &["--update"],
        before: Before::Same,
    },
    Kind {
        name: "createrepo, nothing new, no databases",
        peer: "createrepo_c --update --no-database",
        ratio: Some(0.1),
        more: &["--update", "--no-database"],
        before: Before::Same,
    },
    Kind {
        name: "createrepo, one changed, no databases",
        peer: "createrepo_c --update --no-database",
        ratio: Some(0.33),
        more: &["--update", "--no-database"],
        before: Before::OneOther,
    },
];

pub(crate) fn all(lab: &Lab) -> Result<Vec<Case>, String> {
    let program = lab.tdnf.with_file_name("repo-tools");
    if !program.is_file() {
        eprintln!("no {}: createrepo is not measured", program.display());
        return Ok(Vec::new());
    }
    let tree = copies(lab)?;
    let mut cases = Vec::new();
    for (number, kind) in KINDS.iter().enumerate() {
        let case = case(lab, &program, &tree, number, kind)?;
        if kind.before != Before::Nothing {
            // Both find the metadata of an earlier run of their own.
            for program in std::iter::once(&case.ours).chain(case.peers.iter().map(|(_, p)| p)) {
                program.run(&lab.scratch)?;
            }
        }
        cases.push(case);
    }
    let large = Kind {
        name: "createrepo, 10,000 hard links",
        peer: "createrepo_c",
        ratio: None,
        more: &[],
        before: Before::Nothing,
    };
    cases.push(case(lab, &program, &links(lab)?, KINDS.len(), &large)?);
    cases.extend(merge(lab, &program));
    Ok(cases)
}

/// The large repository and the recipe's, every version of everything.
fn merge(lab: &Lab, program: &Path) -> Option<Case> {
    let out = lab.scratch.join("merged");
    let [large, recipe] =
        [cache().join("big"), cache().join("repo")].map(|p| p.display().to_string());
    let words = [
        &program.display().to_string(),
        "mergerepo",
        "-q",
        "--all",
        "--repo",
        &large,
        "--repo",
        &recipe,
        "-o",
        &out.display().to_string(),
    ];
    lab.big_is_real.then(|| Case {
        name: "mergerepo, 65,000 packages",
        ours: Program::new(&words, &[0]),
        peers: Vec::new(),
        limit: None,
        prepare: Box::new(|| Ok(())),
        mark: Mark {
            memory: Some(MEMORY),
            ..Mark::default()
        },
        scratch: lab.scratch.clone(),
    })
}

/// A run of each, both with metadata of their own.
fn case(
    lab: &Lab,
    program: &Path,
    tree: &Path,
    number: usize,
    kind: &Kind,
) -> Result<Case, String> {
    let out = |who: &str| lab.scratch.join(format!("createrepo-{number}-{who}"));
    let (ours, theirs) = (out("ours"), out("theirs"));
    let words = |program: &[&str], out: &Path| {
        let mut all: Vec<String> = program.iter().map(|w| (*w).to_owned()).collect();
        all.extend(["-q", "--workers", "2", "-o"].map(str::to_owned));
        all.push(out.display().to_string());
        all.extend(kind.more.iter().map(|w| (*w).to_owned()));
        all.push(tree.display().to_string());
        Program::new(&all, &[0])
    };
    let program = program.display().to_string();
    let dirs = [ours.clone(), theirs.clone()];
    for dir in &dirs {
        std::fs::create_dir_all(dir).map_err(|e| e.to_string())?;
    }
    let prepare: Prepare = match kind.before {
        Before::Nothing => Box::new(move || empty(&dirs)),
        Before::Same => Box::new(|| Ok(())),
        Before::OneOther => {
            let package = one_of(tree)?;
            let times = AtomicU64::new(1_000_000_000);
            // createrepo_c looks at whole seconds.
            Box::new(move || touch(&package, times.fetch_add(1, Ordering::Relaxed)))
        }
    };
    Ok(Case {
        name: kind.name,
        ours: words(&[&program, "createrepo"], &ours),
        peers: vec![(kind.peer, words(&["createrepo_c"], &theirs))],
        limit: None,
        prepare,
        mark: Mark {
            wall_ratio: kind.ratio,
            memory: Some(MEMORY),
            ..Mark::default()
        },
        scratch: lab.scratch.clone(),
    })
}

/// A package from the middle of a tree of copies.
fn one_of(tree: &Path) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(tree.join("0")).map_err(|e| e.to_string())?;
    let mut packages: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    packages.sort();
    let middle = packages.len() / 2;
    packages
        .into_iter()
        .nth(middle)
        .ok_or_else(|| "no packages".to_owned())
}

fn touch(package: &Path, time: u64) -> Result<(), String> {
    let time = UNIX_EPOCH + Duration::from_secs(time);
    let file = std::fs::File::options().write(true).open(package);
    file.and_then(|file| file.set_modified(time))
        .map_err(|e| format!("{}: {e}", package.display()))
}

fn empty(dirs: &[PathBuf]) -> Result<(), String> {
    for dir in dirs {
        std::fs::remove_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        std::fs::create_dir_all(dir).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn copies(lab: &Lab) -> Result<PathBuf, String> {
    let tree = lab.scratch.join("tree");
    std::fs::create_dir_all(&tree).map_err(|e| e.to_string())?;
    let from = cache().join("repo/Packages");
    let count = std::fs::read_dir(&from)
        .map_err(|e| format!("{}: {e}", from.display()))?
        .count();
    for copy in 0..PACKAGES.div_ceil(count.max(1)) {
        let to = tree.join(copy.to_string());
        must(Command::new("cp").arg("-rL").arg(&from).arg(to))?;
    }
    Ok(tree)
}

fn links(lab: &Lab) -> Result<PathBuf, String> {
    let tree = lab.scratch.join("links");
    std::fs::create_dir_all(&tree).map_err(|e| e.to_string())?;
    let first = lab.scratch.join("tree/0");
    let mut sources: Vec<PathBuf> = std::fs::read_dir(first)
        .map_err(|e| e.to_string())?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.metadata().is_ok_and(|meta| meta.len() < 200_000))
        .collect();
    sources.sort();
    for (number, source) in (0..LINKS).zip(sources.iter().cycle()) {
        std::fs::hard_link(source, tree.join(format!("{number}.rpm")))
            .map_err(|e| e.to_string())?;
    }
    Ok(tree)
}
