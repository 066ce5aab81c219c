//! One install of 600 packages into an empty root, staging and journal included.

use crate::cases::{Case, limit, once, tdnf};
use crate::install::anew;
use crate::lab::{Lab, cache, must};
use crate::measure::Program;
use crate::report::{Mark, Note};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many packages.
const COUNT: usize = 600;

/// Against `rpm -i` of the same files.
pub(crate) fn all(lab: &mut Lab) -> Result<Vec<Case>, String> {
    let packages = packages()?;
    let root = lab.root("many", "recipe", "")?;
    once(&tdnf(lab, &root, &["makecache"], &[0]), &lab.scratch)?;
    let (ours, theirs) = programs(lab, &root, &packages);
    let prepare = anew(lab, &root)?;
    let one = programs(lab, &root, packages.get(..1).unwrap_or_default());
    let mut counts = Vec::new();
    for program in [&one.0, &ours, &one.1, &theirs] {
        prepare()?;
        counts.push(program.counts(&lab.scratch, &lab.requests)?.syncs);
    }
    lab.notes.push(Note {
        text: format!(
            "Calls that wait for the disk, one package and {COUNT}: tdnf {} and {}, rpm -i {} and {}. \
             Ours must not grow with the packages.",
            counts[0], counts[1], counts[2], counts[3]
        ),
        reached: counts[1] <= counts[0],
    });
    Ok(vec![Case {
        name: "install of 600 packages into an empty root",
        ours,
        peers: vec![("rpm -i", theirs)],
        limit: unpacked(&root, &packages),
        prepare,
        mark: Mark {
            wall_ratio: Some(1.3),
            memory: Some(120.0),
            ..Mark::default()
        },
        scratch: lab.scratch.clone(),
    }])
}

/// Our command and rpm's for these files. Neither checks signatures; both check digests.
pub(crate) fn programs(lab: &Lab, root: &Path, packages: &[String]) -> (Program, Program) {
    let place = root.display().to_string();
    let mut rpm = vec!["rpm", "--root", &place, "--dbpath", "/var/lib/rpm"];
    rpm.extend(["--nosignature", "-i"]);
    rpm.extend(packages.iter().map(String::as_str));
    let mut ours = vec!["--nogpgcheck", "-y", "-C", "install"];
    ours.extend(packages.iter().map(String::as_str));
    (tdnf(lab, root, &ours, &[0]), Program::new(&rpm, &[0]))
}

/// The payloads of these files unpacked into the root, two at once, and written to the disk: without order, checks,
/// database or a way back.
pub(crate) fn unpacked(root: &Path, packages: &[String]) -> Option<(&'static str, Program)> {
    let line = "mkdir \"$1\"; printf '%s\\0' \"${@:2}\" | xargs -0 -P2 -n1 bsdtar -C \"$1\" -xf; sync -f \"$1\"";
    let place = root.join("unpacked").display().to_string();
    let mut words = vec![place.as_str()];
    words.extend(packages.iter().map(String::as_str));
    limit("bsdtar -P2 and sync", line, &words)
}

/// The files of the packages, built once by `rpmbuild`: four small files each, and a megabyte in every tenth.
pub(crate) fn packages() -> Result<Vec<String>, String> {
    let folder = cache().join("many-1");
    if !folder.exists() {
        let work = cache().join(format!("many-work-{}", std::process::id()));
        std::fs::create_dir_all(&work).map_err(|e| format!("{}: {e}", work.display()))?;
        build(&work)?;
        std::fs::rename(work.join("RPMS/noarch"), &folder)
            .map_err(|e| format!("{}: {e}", folder.display()))?;
        std::fs::remove_dir_all(&work).map_err(|e| e.to_string())?;
    }
    let entries = std::fs::read_dir(&folder).map_err(|e| e.to_string())?;
    let paths = entries.filter_map(|entry| entry.ok().map(|e| e.path()));
    let mut files: Vec<String> = paths.map(|path| path.display().to_string()).collect();
    files.sort();
    if files.len() == COUNT {
        Ok(files)
    } else {
        Err(format!(
            "{}: {} packages, not {COUNT}",
            folder.display(),
            files.len()
        ))
    }
}

/// One source package with all of them.
fn build(work: &Path) -> Result<(), String> {
    let mut spec =
        "Name: many\nVersion: 1\nRelease: 1\nSummary: bench\nLicense: MIT\nBuildArch: noarch\n\
                    AutoReqProv: no\n%description\nbench\n%install\n"
            .to_owned();
    let _ = writeln!(
        spec,
        "for n in $(seq {COUNT}); do\nd=%{{buildroot}}/usr/share/many/$n; mkdir -p $d\n\
         for f in 1 2 3; do echo $n $f > $d/$f; done\nhead -c 20000 /dev/urandom > $d/4\n\
         [ $((n % 10)) != 0 ] || head -c 1000000 /dev/urandom > $d/5\ndone"
    );
    for n in 1..=COUNT {
        let _ = writeln!(
            spec,
            "%package p{n}\nSummary: bench\nAutoReqProv: no\n%description p{n}\nbench\n\
             %files p{n}\n/usr/share/many/{n}"
        );
    }
    rpmbuild(work, "many", &spec)
}

/// Builds the packages of a spec below a folder.
pub(crate) fn rpmbuild(work: &Path, name: &str, spec: &str) -> Result<(), String> {
    let file: PathBuf = work.join(format!("{name}.spec"));
    std::fs::write(&file, spec).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut rpmbuild = Command::new("rpmbuild");
    rpmbuild.args([
        "-bb",
        "--quiet",
        "--define",
        &format!("_topdir {}", work.display()),
    ]);
    rpmbuild.args([
        "--define",
        "_binary_payload w3.zstdio",
        "--define",
        "__os_install_post %{nil}",
    ]);
    must(rpmbuild.arg(&file))
}
