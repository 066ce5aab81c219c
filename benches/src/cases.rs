//! The cases, one per performance line of the project's issues.

use crate::lab::{FIVE, Lab};
use crate::measure::{Figures, Program, median};
use crate::report::{Mark, Note, Row};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What happens before each counted run of either program, not measured.
pub(crate) type Prepare = Box<dyn Fn() -> Result<(), String>>;

/// One case: our command, the peer's, and the marks to keep.
pub(crate) struct Case {
    pub name: &'static str,
    pub ours: Program,
    pub peer: Option<(&'static str, Program)>,
    pub prepare: Prepare,
    pub mark: Mark,
    pub scratch: PathBuf,
}

impl Case {
    /// One uncounted warm-up of each, then `runs` pairs in turn.
    pub(crate) fn run(&self, runs: usize) -> Result<Row, String> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for counted in 0..=runs {
            (self.prepare)()?;
            let figures = self.ours.run(&self.scratch)?;
            if counted > 0 {
                ours.push(figures);
            }
            let Some((_, program)) = &self.peer else {
                continue;
            };
            (self.prepare)()?;
            let figures: Figures = program.run(&self.scratch)?;
            if counted > 0 {
                theirs.push(figures);
            }
        }
        let peer = self.peer.as_ref().map(|(name, _)| (*name, median(&theirs)));
        Ok(Row {
            name: self.name,
            ours: median(&ours),
            peer,
            mark: self.mark,
        })
    }
}

pub(crate) fn nothing() -> Prepare {
    Box::new(|| Ok(()))
}

fn removing(paths: Vec<PathBuf>) -> Prepare {
    Box::new(move || {
        for path in &paths {
            if path.exists() {
                std::fs::remove_dir_all(path).map_err(|e| format!("{}: {e}", path.display()))?;
            }
        }
        Ok(())
    })
}

/// `tdnf` in a root of the lab.
pub(crate) fn tdnf(lab: &Lab, root: &Path, words: &[&str], good: &[i32]) -> Program {
    let mut all = vec![
        lab.tdnf.display().to_string(),
        "--installroot".to_owned(),
        root.display().to_string(),
        "--releasever=5".to_owned(),
    ];
    all.extend(words.iter().map(|w| (*w).to_owned()));
    Program::new(&all, good)
}

/// `dnf` in the same root, with configuration and cache of its own in it.
pub(crate) fn dnf(root: &Path, words: &[&str], good: &[i32]) -> Program {
    let root = root.display();
    let mut all = vec![
        "env".to_owned(),
        format!("HOME={root}/root"),
        "dnf".to_owned(),
        format!("--config={root}/etc/dnf.conf"),
        format!("--installroot={root}"),
        format!("--setopt=reposdir={root}/etc/yum.repos.d"),
        format!("--setopt=cachedir={root}/var/cache/dnf"),
        "--disableplugin=local".to_owned(),
        "--releasever=5".to_owned(),
        "--forcearch=x86_64".to_owned(),
    ];
    all.extend(words.iter().map(|w| (*w).to_owned()));
    Program::new(&all, good)
}

pub(crate) fn with_five<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().copied().chain(FIVE).collect()
}

fn caches(root: &Path) -> Vec<PathBuf> {
    ["tdnf", "dnf"]
        .map(|name| root.join("var/cache").join(name))
        .to_vec()
}

pub(crate) fn once(program: &Program, scratch: &Path) -> Result<(), String> {
    program.run(scratch).map(|_| ())
}

/// Builds every case of a group, or of all; warm ones get their caches filled here.
pub(crate) fn all(lab: &mut Lab, group: Option<&str>) -> Result<Vec<Case>, String> {
    let wanted = |name: &str| group.is_none_or(|group| group == name);
    let mut cases = Vec::new();
    if wanted("tdnf") {
        cases.extend(metadata(lab)?);
        cases.extend(solving(lab)?);
        cases.extend(crate::install::all(lab)?);
    }
    if wanted("tdnf") || wanted("queries") {
        cases.extend(crate::queries::all(lab)?);
    }
    if wanted("tdnf") || wanted("large") {
        cases.extend(crate::large::all(lab)?);
    }
    if wanted("tdnf") || wanted("many") {
        cases.extend(crate::many::all(lab)?);
    }
    if wanted("growth") {
        cases.extend(crate::growth::all(lab)?);
    }
    if wanted("repo-tools") {
        cases.extend(crate::repo_tools::all(lab)?);
    }
    if wanted("mirror-sync") {
        cases.extend(crate::mirror::all(lab)?);
    }
    Ok(cases)
}

/// Most bytes on disk per package of a repository without file lists: compressed metadata and catalog.
const CACHED: u64 = 534;

/// What the cache of a root takes on disk, by package.
fn cache_size(lab: &Lab, root: &Path) -> Result<Note, String> {
    let count = Command::new(&lab.tdnf)
        .arg("--installroot")
        .arg(root)
        .args(["--releasever=5", "count"])
        .output()
        .map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&count.stdout);
    let number: String = text.chars().filter(char::is_ascii_digit).collect();
    let packages: u64 = number.parse().map_err(|_| format!("no number: {text}"))?;
    let bytes = folder_size(&root.join("var/cache/tdnf")).map_err(|e| e.to_string())?;
    let each = bytes / packages.max(1);
    Ok(Note {
        text: format!(
            "Cache on disk of {packages} packages: {bytes} bytes, {each} per package (at most {CACHED})."
        ),
        // A small repository has the fixed part on few shoulders.
        reached: !lab.big_is_real || each <= CACHED,
    })
}

fn folder_size(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        sum += match entry.file_type()?.is_dir() {
            true => folder_size(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(sum)
}

fn metadata(lab: &mut Lab) -> Result<Vec<Case>, String> {
    let scratch = lab.scratch.clone();
    let lean = lab.root("lean", "big", "skip_md_filelists=1")?;
    let full = lab.root("full", "big", "skip_md_filelists=0")?;
    let fresh = lab.root("fresh", "big", "skip_md_filelists=1")?;
    once(&tdnf(lab, &fresh, &["makecache"], &[0]), &scratch)?;
    once(&dnf(&fresh, &["makecache"], &[0]), &scratch)?;
    let size = cache_size(lab, &fresh)?;
    lab.notes.push(size);
    Ok(vec![
        Case {
            name: "cold makecache, primary only",
            ours: tdnf(lab, &lean, &["makecache"], &[0]),
            peer: None,
            prepare: removing(caches(&lean)),
            mark: Mark {
                cpu: Some(0.9),
                wall: Some(0.7),
                memory: Some(60.0),
                ..Mark::default()
            },
            scratch: scratch.clone(),
        },
        Case {
            name: "cold makecache with filelists",
            ours: tdnf(lab, &full, &["makecache"], &[0]),
            peer: Some(("dnf", dnf(&full, &["makecache"], &[0]))),
            prepare: removing(caches(&full)),
            mark: Mark {
                cpu: Some(4.5),
                memory: Some(200.0),
                ..Mark::default()
            },
            scratch: scratch.clone(),
        },
        Case {
            name: "makecache, nothing new",
            ours: tdnf(lab, &fresh, &["makecache"], &[0]),
            peer: Some(("dnf", dnf(&fresh, &["makecache"], &[0]))),
            prepare: nothing(),
            mark: Mark {
                cpu: Some(0.03),
                ..Mark::default()
            },
            scratch,
        },
    ])
}

fn solving(lab: &Lab) -> Result<Vec<Case>, String> {
    let scratch = lab.scratch.clone();
    let warm = lab.root("warm", "big", "skip_md_filelists=1")?;
    let filled = lab.root("filled", "big", "skip_md_filelists=1")?;
    std::fs::create_dir_all(filled.join("var/lib/rpm")).map_err(|e| e.to_string())?;
    lab.fill(&filled, 300)?;
    let mut cases = Vec::new();
    for (name, root, cpu) in [
        ("warm install --assumeno of the five", &warm, 0.10),
        ("the same with 300 packages installed", &filled, 0.13),
    ] {
        once(&tdnf(lab, root, &["makecache"], &[0]), &scratch)?;
        once(&dnf(root, &["makecache"], &[0]), &scratch)?;
        cases.push(Case {
            name,
            ours: tdnf(lab, root, &with_five(&["install", "--assumeno"]), &[8]),
            peer: Some((
                "dnf -C",
                dnf(root, &with_five(&["-C", "install", "--assumeno"]), &[1]),
            )),
            prepare: nothing(),
            mark: Mark {
                cpu: Some(cpu),
                memory: Some(50.0),
                ..Mark::default()
            },
            scratch: scratch.clone(),
        });
    }
    cases.push(Case {
        name: "list installed, 300 packages",
        ours: tdnf(lab, &filled, &["list", "installed"], &[0]),
        peer: Some(("dnf -C", dnf(&filled, &["-C", "list", "--installed"], &[0]))),
        prepare: nothing(),
        mark: Mark {
            wall: Some(0.015),
            ..Mark::default()
        },
        scratch: scratch.clone(),
    });
    cases.push(Case {
        name: "--version",
        ours: Program::new(
            &[lab.tdnf.display().to_string(), "--version".to_owned()],
            &[0],
        ),
        peer: Some(("dnf", Program::new(&["dnf", "--version"], &[0]))),
        prepare: nothing(),
        mark: Mark {
            wall: Some(0.005),
            ..Mark::default()
        },
        scratch,
    });
    Ok(cases)
}
