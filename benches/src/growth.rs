//! How the work of a change grows: with the packages that it installs, and with those that are installed already.
//!
//! The packages are small, and each has a `README` and a `copyright`: names that every package of a system has.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::available;
use crate::cases::{Case, once, tdnf};
use crate::install::anew;
use crate::lab::{Lab, cache};
use crate::many::{programs, unpacked};
use crate::measure::Program;
use crate::report::{Mark, Note, Row};

/// The most that are installed; one more is what "one" is.
const COUNT: usize = 6000;
/// So many packages in one source package: rpmbuild is slow with more.
const CHUNK: usize = 600;
/// The peak memory that a case may have, MiB: headers, plan and index of files for each package, and some 12 MiB of the
/// program itself, of which the kernel maps more or less as its page cache stands.
const MEMORY: [(&str, f64); 1] = [("install of 2,000 small packages", 30.0)];
/// The largest exponent between the two largest of a series.
const EXPONENT: f64 = 1.1;

/// A series: what is done, and the cases by size.
pub(crate) type Series = (&'static str, &'static [(usize, &'static str)]);

const AT_ONCE: Series = (
    "packages at once",
    &[
        (60, "install of 60 small packages"),
        (600, "install of 600 small packages"),
        (2000, "install of 2,000 small packages"),
        (6000, "install of 6,000 small packages"),
    ],
);
const INSTALL: Series = (
    "install of one, by installed packages",
    &[
        (300, "install of one, 300 installed"),
        (2000, "install of one, 2,000 installed"),
        (6000, "install of one, 6,000 installed"),
    ],
);
const UPGRADE: Series = (
    "upgrade of one, by installed packages",
    &[
        (300, "upgrade of one, 300 installed"),
        (2000, "upgrade of one, 2,000 installed"),
        (6000, "upgrade of one, 6,000 installed"),
    ],
);
const ERASE: Series = (
    "erasure of one, by installed packages",
    &[
        (300, "erasure of one, 300 installed"),
        (2000, "erasure of one, 2,000 installed"),
        (6000, "erasure of one, 6,000 installed"),
    ],
);

/// All of them, and those of [`available`].
pub(crate) const SERIES: &[Series] = &[
    AT_ONCE,
    INSTALL,
    UPGRADE,
    ERASE,
    available::MAKECACHE,
    available::SOLVE,
    available::INFO,
];
/// The most packages of a short run, at once and installed.
const QUICK: (usize, usize) = (600, 2000);

/// Against `rpm` with the same files.
pub(crate) fn all(lab: &Lab) -> Result<Vec<Case>, String> {
    let folder = packages()?;
    let file = |number: usize, version: u32| {
        let name = format!("g{number}-{version}-1.noarch.rpm");
        folder.join(name).display().to_string()
    };
    let files = |count: usize| -> Vec<String> { (1..=count).map(|n| file(n, 1)).collect() };
    let mut cases = Vec::new();
    for &(count, name) in AT_ONCE.1 {
        if lab.quick && count > QUICK.0 {
            continue;
        }
        let root = fresh(lab, &format!("at-once-{count}"))?;
        let both = programs(lab, &root, &files(count));
        let limit = unpacked(&root, &files(count));
        cases.push(Case {
            limit,
            ..case(lab, name, &root, both)?
        });
    }
    for (place, &(count, install)) in INSTALL.1.iter().enumerate() {
        if lab.quick && count > QUICK.1 {
            continue;
        }
        let root = fresh(lab, &format!("installed-{count}"))?;
        once(&programs(lab, &root, &files(count)).0, &lab.scratch)?;
        let upgraded = programs(lab, &root, &[file(1, 2)]);
        let upgrade = (upgraded.0, as_upgrade(upgraded.1));
        let one = programs(lab, &root, &[file(COUNT + 1, 1)]);
        let erase = (
            tdnf(lab, &root, &["-y", "-C", "remove", "g2"], &[0]),
            rpm_erase(&root),
        );
        let rows = [
            (install, one),
            (UPGRADE.1[place].1, upgrade),
            (ERASE.1[place].1, erase),
        ];
        for (name, both) in rows {
            cases.push(case(lab, name, &root, both)?);
        }
    }
    Ok(cases)
}

fn fresh(lab: &Lab, name: &str) -> Result<PathBuf, String> {
    let root = lab.root(name, "recipe", "")?;
    once(&tdnf(lab, &root, &["makecache"], &[0]), &lab.scratch)?;
    Ok(root)
}

fn case(
    lab: &Lab,
    name: &'static str,
    root: &Path,
    (ours, theirs): (Program, Program),
) -> Result<Case, String> {
    Ok(Case {
        name,
        ours,
        peers: vec![("rpm", theirs)],
        limit: None,
        prepare: anew(lab, root)?,
        mark: Mark {
            memory: MEMORY
                .iter()
                .find(|(of, _)| *of == name)
                .map(|(_, most)| *most),
            ..Mark::default()
        },
        scratch: lab.scratch.clone(),
    })
}

fn as_upgrade(mut rpm: Program) -> Program {
    let words = rpm.words.iter_mut().filter(|word| *word == "-i");
    words.for_each(|word| *word = "-U".to_owned());
    rpm
}

fn rpm_erase(root: &Path) -> Program {
    let root = root.display().to_string();
    Program::new(
        &[
            "rpm",
            "--root",
            &root,
            "--dbpath",
            "/var/lib/rpm",
            "-e",
            "g2",
        ],
        &[0],
    )
}

/// The exponent of each pair of a series that was run: CPU time grows with that power of the size.
pub(crate) fn exponents(rows: &[Row]) -> Vec<Note> {
    let cpu = |name: &str| Some(rows.iter().find(|row| row.name == name)?.ours.cpu.median);
    let mut notes = Vec::new();
    for (what, sizes) in SERIES {
        let mut text = format!("Growth of CPU time with {what}:");
        let mut last = None;
        for pair in sizes.windows(2) {
            let [(small, a), (large, b)] = pair else {
                continue;
            };
            if let (Some(a), Some(b)) = (cpu(a), cpu(b)) {
                let exponent = (b / a).ln() / (*large as f64 / *small as f64).ln();
                let _ = write!(text, " {small} to {large} exponent {exponent:.2};");
                last = Some(exponent);
            }
        }
        if let Some(exponent) = last {
            let reached = exponent <= EXPONENT;
            notes.push(Note { text, reached });
        }
    }
    notes
}

/// The folder of the packages, built once by `rpmbuild`.
fn packages() -> Result<PathBuf, String> {
    let folder = cache().join("growth-1");
    if folder.exists() {
        return Ok(folder);
    }
    eprintln!("making {COUNT} small packages (once, some minutes)");
    let work = cache().join(format!("growth-work-{}", std::process::id()));
    std::fs::create_dir_all(&work).map_err(|e| format!("{}: {e}", work.display()))?;
    let starts = (1..=COUNT).step_by(CHUNK).map(|first| (first, 1, CHUNK));
    for (first, version, count) in starts.chain([(COUNT + 1, 1, 1), (1, 2, 1)]) {
        build(&work, first, version, count)?;
    }
    std::fs::rename(work.join("RPMS/noarch"), &folder)
        .map_err(|e| format!("{}: {e}", folder.display()))?;
    std::fs::remove_dir_all(&work).map_err(|e| e.to_string())?;
    Ok(folder)
}

fn build(work: &Path, first: usize, version: u32, count: usize) -> Result<(), String> {
    let last = first + count - 1;
    let mut spec = format!(
        "Name: growth{first}\nVersion: {version}\nRelease: 1\nSummary: bench\nLicense: MIT\nBuildArch: noarch\n\
         AutoReqProv: no\n%description\nbench\n%install\nfor n in $(seq {first} {last}); do\n\
         d=%{{buildroot}}/usr/share/growth/$n; mkdir -p $d\n\
         for f in README copyright a$n b$n; do echo $n $f {version} > $d/$f; done\ndone\n"
    );
    for n in first..=last {
        let _ = writeln!(
            spec,
            "%package -n g{n}\nSummary: bench\nAutoReqProv: no\n%description -n g{n}\nbench\n\
             %files -n g{n}\n/usr/share/growth/{n}"
        );
    }
    crate::many::rpmbuild(work, "growth", &spec)
}
