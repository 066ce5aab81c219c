//! Real installs of the five packages from the recipe repository.

use crate::cases::{Case, Prepare, once, tdnf, with_five};
use crate::lab::{FIVE, Lab, must};
use crate::managers::Job;
use crate::many::{programs, unpacked};
use crate::measure::Program;
use crate::report::Mark;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn all(lab: &Lab) -> Result<Vec<Case>, String> {
    Ok(vec![
        on_disk(lab)?,
        over_http(lab)?,
        as_image(lab)?,
        in_little_memory(lab)?,
    ])
}

/// Keeps the root as it is now and gives it back before every run, all written to disk.
pub(crate) fn anew(lab: &Lab, root: &Path) -> Result<Prepare, String> {
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    let saved = lab.scratch.join(format!("{name}-saved"));
    must(Command::new("cp").arg("-a").arg(root).arg(&saved))?;
    let root = root.to_owned();
    Ok(Box::new(move || {
        if root.exists() {
            std::fs::remove_dir_all(&root).map_err(|e| e.to_string())?;
        }
        must(Command::new("cp").arg("-a").arg(&saved).arg(&root))?;
        must(&mut Command::new("sync"))
    }))
}

/// The package files of the five and of all they need.
fn files(lab: &Lab) -> Result<Vec<String>, String> {
    let root = lab.root("plan", "recipe", "")?;
    let folder = lab.scratch.join("files");
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let place = folder.display().to_string();
    let words = ["-y", "install", "--downloadonly", "--downloaddir", &place];
    once(&tdnf(lab, &root, &with_five(&words), &[0]), &lab.scratch)?;
    let entries = std::fs::read_dir(&folder).map_err(|e| e.to_string())?;
    let mut packages: Vec<String> = entries
        .filter_map(|entry| entry.ok().map(|e| e.path().display().to_string()))
        .collect();
    packages.sort();
    Ok(packages)
}

/// Against `rpm -i` of the same files.
fn on_disk(lab: &Lab) -> Result<Case, String> {
    let packages = files(lab)?;
    let root = lab.root("install", "recipe", "")?;
    once(&tdnf(lab, &root, &["makecache"], &[0]), &lab.scratch)?;
    let (ours, theirs) = programs(lab, &root, &packages);
    Ok(Case {
        name: "real install of the five, files on disk",
        ours,
        peers: vec![("rpm -i", theirs)],
        limit: unpacked(&root, &packages),
        prepare: anew(lab, &root)?,
        mark: Mark {
            wall_ratio: Some(1.3),
            ..Mark::default()
        },
        scratch: lab.scratch.clone(),
    })
}

/// From metadata in the cache to the installed system, packages fetched; against dnf.
fn over_http(lab: &Lab) -> Result<Case, String> {
    let root = lab.root("whole", "recipe", "")?;
    lab.warm(&root)?;
    let words = with_five(&["-y", "install"]);
    Ok(Case {
        name: "real install of the five, fetched",
        ours: tdnf(lab, &root, &words, &[0]),
        peers: lab.managers.programs(&root, Job::Install(&FIVE)),
        limit: None,
        prepare: anew(lab, &root)?,
        mark: Mark {
            memory: Some(28.0),
            ..Mark::default()
        },
        scratch: lab.scratch.clone(),
    })
}

/// An image in a folder, packed with gzip, against dnf, tar and gzip.
fn as_image(lab: &Lab) -> Result<Case, String> {
    let root = lab.root("image", "recipe", "")?;
    lab.warm(&root)?;
    let layout = lab.scratch.join("layout");
    let target = format!("oci:{}", layout.display());
    let words = with_five(&["-y", "image", "--compress=gzip", "-o", &target]);
    let packed = lab.scratch.join("image.tar.gz").display().to_string();
    let place = root.display().to_string();
    let script = r#"packed=$1 place=$2; shift 2; "$@"; tar -C "$place" -cf - . | gzip > "$packed""#;
    let mut theirs = Program::new(&["bash", "-ec", script, "bash", &packed, &place], &[0]);
    let installs = lab.managers.programs(&root, Job::Install(&FIVE));
    let dnf = installs.into_iter().find(|(name, _)| *name == "dnf");
    let peers = dnf.map(|(_, install)| {
        theirs.words.extend(install.words);
        ("dnf, tar and gzip", theirs)
    });
    let prepare_root = anew(lab, &root)?;
    Ok(Case {
        name: "image of the five",
        ours: tdnf(lab, &root, &words, &[0]),
        peers: peers.into_iter().collect(),
        limit: None,
        prepare: Box::new(move || {
            if layout.exists() {
                std::fs::remove_dir_all(&layout).map_err(|e| e.to_string())?;
            }
            prepare_root()
        }),
        mark: Mark {
            wall_ratio: Some(0.5),
            memory: Some(64.0),
            ..Mark::default()
        },
        scratch: lab.scratch.clone(),
    })
}

/// With the large repository enabled beside the recipe's, everything cold, in 128 MB.
fn in_little_memory(lab: &Lab) -> Result<Case, String> {
    let root = lab.root("both", "recipe", "priority=10")?;
    lab.root("both", "big", "skip_md_filelists=1")?;
    let prepare = anew(lab, &root)?;
    let excludes = only_in_big(lab, &root)?;
    prepare()?;
    let mut words = with_five(&["-y", "install"]);
    words.extend(excludes.iter().map(String::as_str));
    let mut ours = tdnf(lab, &root, &words, &[0]);
    ours.group = lab.group.as_ref().map(|group| group.0.clone());
    Ok(Case {
        name: if ours.group.is_some() {
            "cold install of the five in 128 MB, large repository on"
        } else {
            "cold install of the five, large repository on (no control group here: peak only)"
        },
        ours,
        peers: Vec::new(),
        limit: None,
        prepare,
        mark: Mark {
            memory: Some(128.0),
            ..Mark::default()
        },
        scratch: lab.scratch.clone(),
    })
}

/// The large repository has metadata only: what the plan wants of it (recommended packages) is excluded.
fn only_in_big(lab: &Lab, root: &Path) -> Result<Vec<String>, String> {
    let root: PathBuf = root.to_owned();
    let program = tdnf(lab, &root, &["install", "--assumeno"], &[8]);
    let output = Command::new(&lab.tdnf)
        .args(program.words.iter().skip(1))
        .args(FIVE)
        .output()
        .map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rows = text.lines().map(|line| line.split_whitespace().collect());
    Ok(rows
        .filter_map(|row: Vec<&str>| match row[..] {
            [name, _, _, "big", ..] => Some(format!("--exclude={name}")),
            _ => None,
        })
        .collect())
}
