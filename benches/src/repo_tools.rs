//! createrepo against createrepo_c, with as many workers.
//!
//! The program is `repo-tools` beside the `tdnf` that is measured; without it there are no cases.

use crate::cases::Case;
use crate::lab::{Lab, cache, must};
use crate::measure::Program;
use crate::report::Mark;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Times that the recipe's packages stand in the tree: some 600 packages.
const COPIES: usize = 6;
/// Packages of the tree of hard links.
const LINKS: usize = 10_000;
/// 100 MB in MiB.
const MEMORY: f64 = 95.3;

pub(crate) fn all(lab: &Lab) -> Result<Vec<Case>, String> {
    let program = lab.tdnf.with_file_name("repo-tools");
    if !program.is_file() {
        eprintln!("no {}: createrepo is not measured", program.display());
        return Ok(Vec::new());
    }
    let tree = copies(lab)?;
    let full = case(
        lab,
        &program,
        &tree,
        "createrepo, everything read",
        0.5,
        &[],
    )?;
    let update = case(
        lab,
        &program,
        &tree,
        "createrepo, nothing new",
        0.1,
        &["--update"],
    )?;
    // Both find the metadata of an earlier run of their own.
    for program in std::iter::once(&update.ours).chain(update.peer.as_ref().map(|(_, p)| p)) {
        program.run(&lab.scratch)?;
    }
    let links = links(lab)?;
    let mut large = case(
        lab,
        &program,
        &links,
        "createrepo, 10,000 hard links",
        0.5,
        &[],
    )?;
    large.mark.wall_ratio = None;
    Ok(vec![full, update, large])
}

/// A run of each; without `--update` each begins without metadata.
fn case(
    lab: &Lab,
    program: &Path,
    tree: &Path,
    name: &'static str,
    ratio: f64,
    more: &[&str],
) -> Result<Case, String> {
    let folder = tree.file_name().unwrap_or_default().to_string_lossy();
    let kind = if more.is_empty() { "full" } else { "update" };
    let out = |who: &str| lab.scratch.join(format!("{folder}-{kind}-{who}"));
    let (ours, theirs) = (out("ours"), out("theirs"));
    let words = |program: &[&str], out: &Path| {
        let mut all: Vec<String> = program.iter().map(|w| (*w).to_owned()).collect();
        all.extend(["-q", "--workers", "2", "--no-database", "-o"].map(str::to_owned));
        all.push(out.display().to_string());
        all.extend(more.iter().map(|w| (*w).to_owned()));
        all.push(tree.display().to_string());
        Program::new(&all, &[0])
    };
    let program = program.display().to_string();
    let dirs = [ours.clone(), theirs.clone()];
    for dir in &dirs {
        std::fs::create_dir_all(dir).map_err(|e| e.to_string())?;
    }
    let fresh = more.is_empty();
    Ok(Case {
        name,
        ours: words(&[&program, "createrepo"], &ours),
        peer: Some(("createrepo_c", words(&["createrepo_c"], &theirs))),
        prepare: Box::new(move || if fresh { empty(&dirs) } else { Ok(()) }),
        mark: Mark {
            wall_ratio: Some(ratio),
            memory: Some(MEMORY),
            ..Mark::default()
        },
        scratch: lab.scratch.clone(),
    })
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
    for copy in 0..COPIES {
        let from = cache().join("repo/Packages");
        let to = tree.join(copy.to_string());
        must(Command::new("cp").arg("-rL").arg(from).arg(to))?;
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
