//! The cases, one per performance line of the project's issues.

use crate::lab::{FIVE, Lab};
use crate::managers::Job;
use crate::measure::{Figures, Outcome, Program};
use crate::report::{Mark, Note, Row};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What happens before each counted run of any program, not measured.
pub(crate) type Prepare = Box<dyn Fn() -> Result<(), String>>;

/// One case: our command, the peers', and the marks to keep.
pub(crate) struct Case {
    pub name: &'static str,
    pub ours: Program,
    /// Marks that are relative look at the first.
    pub peers: Vec<(&'static str, Program)>,
    /// What any program had to do for this at least, done by the simplest program for it.
    pub limit: Option<(&'static str, Program)>,
    pub prepare: Prepare,
    pub mark: Mark,
    pub scratch: PathBuf,
}

impl Case {
    /// One uncounted run of each, which shows who can do it at all; `runs` of each in turn; then one of each in which
    /// requests and calls are counted.
    pub(crate) fn run(&self, lab: &Lab, runs: usize) -> Result<Row, String> {
        let ours = [("tdnf", &self.ours)].into_iter();
        let peers = self.peers.iter().map(|(name, program)| (*name, program));
        let limit = self.limit.iter().map(|(name, program)| (*name, program));
        let mut programs: Vec<(&str, &Program, Vec<Figures>)> = Vec::new();
        for (place, (name, program)) in ours.chain(peers).chain(limit).enumerate() {
            (self.prepare)()?;
            match program.run(&self.scratch) {
                Err(why) if place == 0 => return Err(why),
                Err(why) => eprintln!("benches: {}: {name} is left out: {why}", self.name),
                Ok(_) => programs.push((name, program, Vec::new())),
            }
        }
        for _ in 0..runs {
            for (_, program, figures) in &mut programs {
                (self.prepare)()?;
                figures.push(program.run(&self.scratch)?);
            }
        }
        let mut outcomes = Vec::new();
        for (name, program, figures) in &programs {
            (self.prepare)()?;
            let counts = program.counts(&self.scratch, &lab.requests);
            let counts =
                counts.inspect_err(|why| eprintln!("benches: {name} is not counted: {why}"));
            outcomes.push(Outcome::of(name, figures, counts.ok()));
        }
        let mut outcomes = outcomes.into_iter();
        let ours = outcomes.next().ok_or("nothing was run")?;
        let (limits, peers) = outcomes.partition(|one| {
            self.limit
                .as_ref()
                .is_some_and(|(name, _)| *name == one.program)
        });
        Ok(Row {
            name: self.name,
            ours,
            peers,
            limit: Vec::into_iter(limits).next(),
            mark: self.mark,
        })
    }
}

/// A limit that is a line for bash, with these arguments.
pub(crate) fn limit(
    name: &'static str,
    line: &str,
    words: &[&str],
) -> Option<(&'static str, Program)> {
    let all = [&["bash", "-ec", line, "bash"], words].concat();
    Some((name, Program::new(&all, &[0])))
}

pub(crate) fn nothing() -> Prepare {
    Box::new(|| Ok(()))
}

pub(crate) fn removing(paths: Vec<PathBuf>) -> Prepare {
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

pub(crate) fn with_five<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().copied().chain(FIVE).collect()
}

/// The caches of all.
pub(crate) fn caches(root: &Path) -> Vec<PathBuf> {
    vec![root.join("var/cache")]
}

pub(crate) fn once(program: &Program, scratch: &Path) -> Result<(), String> {
    program.run(scratch).map(|_| ())
}

/// What a short run has, unless a group is named.
const QUICK: [&str; 5] = ["tdnf", "queries", "many", "growth", "repo-tools"];

/// Builds every case of a group, or of all; warm ones get their caches filled here.
pub(crate) fn all(lab: &mut Lab, group: Option<&str>) -> Result<Vec<Case>, String> {
    let quick = lab.quick;
    let wanted = |name: &str| match group {
        Some(group) => group == name,
        None => !quick || QUICK.contains(&name),
    };
    let mut cases = Vec::new();
    if wanted("tdnf") {
        cases.extend(refreshing(lab)?);
        cases.extend(solving(lab)?);
        cases.extend(crate::install::all(lab)?);
    }
    if wanted("tdnf") || wanted("queries") {
        cases.extend(crate::queries::all(lab)?);
    }
    if wanted("tdnf") && !quick || wanted("large") {
        cases.extend(crate::large::all(lab)?);
    }
    if wanted("tdnf") || wanted("many") {
        cases.extend(crate::many::all(lab)?);
    }
    if wanted("growth") {
        cases.extend(crate::available::all(lab)?);
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

fn refreshing(lab: &mut Lab) -> Result<Vec<Case>, String> {
    let scratch = lab.scratch.clone();
    let lean = lab.root("lean", "big", "skip_md_filelists=1")?;
    let full = lab.root("full", "big", "skip_md_filelists=0")?;
    let fresh = lab.root("fresh", "big", "skip_md_filelists=1")?;
    lab.warm(&fresh)?;
    let size = cache_size(lab, &fresh)?;
    lab.notes.push(size);
    Ok(vec![
        Case {
            name: "cold makecache, primary only",
            ours: tdnf(lab, &lean, &["makecache"], &[0]),
            peers: lab.managers.programs(&lean, Job::Makecache),
            limit: limit(
                "zcat of it",
                "zcat \"$@\" > /dev/null",
                &[&lab.metadata("primary")?],
            ),
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
            peers: lab.managers.programs(&full, Job::Makecache),
            limit: limit(
                "zcat of both",
                "zcat \"$@\" > /dev/null",
                &[&lab.metadata("primary")?, &lab.metadata("filelists")?],
            ),
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
            peers: lab.managers.programs(&fresh, Job::Makecache),
            limit: limit(
                "one request by curl",
                "curl -fsS -o /dev/null \"$1\"",
                &[&format!("{}/big/repodata/repomd.xml", lab.url)],
            ),
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
        lab.warm(root)?;
        cases.push(Case {
            name,
            ours: tdnf(lab, root, &with_five(&["install", "--assumeno"]), &[8]),
            peers: lab.managers.programs(root, Job::Solve(&FIVE)),
            limit: None,
            prepare: nothing(),
            mark: Mark {
                cpu: Some(cpu),
                memory: Some(50.0),
                ..Mark::default()
            },
            scratch: scratch.clone(),
        });
    }
    let place = filled.display().to_string();
    cases.push(Case {
        name: "list installed, 300 packages",
        ours: tdnf(lab, &filled, &["list", "installed"], &[0]),
        peers: lab.managers.programs(&filled, Job::Installed),
        limit: limit(
            "rpm -qa",
            "rpm --root \"$1\" --dbpath /var/lib/rpm -qa",
            &[&place],
        ),
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
        peers: lab.managers.programs(&warm, Job::Version),
        limit: None,
        prepare: nothing(),
        mark: Mark {
            wall: Some(0.005),
            ..Mark::default()
        },
        scratch,
    });
    Ok(cases)
}
