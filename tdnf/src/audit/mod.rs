//! What another tool left when it was stopped in the middle: rpm keeps no journal.
//!
//! A killed `rpm -U` leaves both versions in the database, or temporary files beside the real
//! ones; a killed `rpm -e` leaves a package without its files (docs/reference/transactions.md, 8.1). [`look`] finds
//! that, [`remove_leftovers`] and an erasure without scriptlets put it right.

mod leftovers;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::BufReader;
use std::ops::ControlFlow;

use rpm_db::check::DatabaseFault;
use rpm_db::{Db, DbError, FileState};
use rpm_pkg::digest::Hasher;
use rpm_pkg::files::{FileEntry, FileList};
use rpm_pkg::header::{Header, tag};
use rpm_pkg::nevra::Nevra;
use serde::Serialize;

use rpm_transaction::RootDir;

pub use leftovers::remove_leftovers;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum AuditFinding {
    /// The database itself.
    Database {
        /// What is wrong.
        what: String,
    },
    /// A package stands twice in the database.
    Duplicate {
        /// What was installed last.
        kept: String,
        /// What it should have replaced.
        surplus: String,
        /// Number of the surplus record.
        number: u32,
    },
    /// A temporary file of an rpm that was killed.
    Leftover {
        /// Path in the root.
        path: String,
    },
    /// Files of a package are not there, or are not the package's.
    Incomplete {
        /// The package.
        package: String,
        /// How many are missing.
        missing: usize,
        /// How many have other content.
        changed: usize,
        /// One of them.
        example: String,
    },
}

impl fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuditFinding::Database { what } => write!(f, "rpm database: {what}"),
            AuditFinding::Duplicate { kept, surplus, .. } => {
                write!(f, "{surplus} is still listed, although {kept} replaced it")
            }
            AuditFinding::Leftover { path } => write!(f, "{path} was left by an interrupted rpm"),
            AuditFinding::Incomplete {
                package,
                missing,
                changed,
                example,
            } => write!(
                f,
                "{package}: {missing} files are missing and {changed} are not the package's, \
                 such as {example}"
            ),
        }
    }
}

/// A package as far as it matters here.
struct AuditedPackage {
    hnum: u32,
    nevra: Nevra,
    tid: u32,
    header: Header,
}

/// Looks at database, packages and files; reads every installed file. `side_by_side` says which
/// packages may be installed in several versions.
///
/// # Errors
/// The database cannot be read.
pub fn look(
    root: &RootDir,
    db: &Db,
    side_by_side: &dyn Fn(&Header) -> bool,
) -> Result<Vec<AuditFinding>, DbError> {
    let faults = db.check()?.into_iter().map(|fault| words(&fault));
    let faults = faults.map(|what| AuditFinding::Database { what });
    let mut findings: Vec<AuditFinding> = faults.collect();
    let mut by_name: BTreeMap<String, Vec<AuditedPackage>> = BTreeMap::new();
    db.for_each(&mut |hnum, header| {
        if let Ok(nevra) = Nevra::from_header(&header)
            && nevra.name != "gpg-pubkey"
        {
            let tid = header.u32(tag::INSTALLTID).unwrap_or(0);
            let name = nevra.name.clone();
            by_name.entry(name).or_default().push(AuditedPackage {
                hnum,
                nevra,
                tid,
                header,
            });
        }
        ControlFlow::Continue(())
    })?;
    let mut surplus = HashSet::new();
    for packages in by_name.values_mut() {
        packages.sort_by(|a, b| (b.tid, &b.nevra.evr).cmp(&(a.tid, &a.nevra.evr)));
        if !packages.iter().any(|package| side_by_side(&package.header)) {
            duplicates(packages, &mut surplus, &mut findings);
        }
    }
    let mut owned = HashSet::new();
    let mut dirs = HashSet::new();
    for package in by_name.values().flatten() {
        let Ok(files) = FileList::from_header(&package.header) else {
            continue;
        };
        dirs.extend(files.dirs().map(<[u8]>::to_vec));
        owned.extend((0..files.len()).map(|index| files.path(index)));
        if !surplus.contains(&package.hnum) {
            findings.extend(incomplete(root, package, &files));
        }
    }
    findings.extend(leftovers::find(root, &dirs, &owned));
    Ok(findings)
}

fn words(finding: &DatabaseFault) -> String {
    match finding {
        DatabaseFault::Integrity(text) => text.clone(),
        DatabaseFault::Damaged { hnum, why } => {
            format!("record {hnum} is damaged: {why}")
        }
        DatabaseFault::Digest { hnum, .. } => {
            format!("record {hnum} does not match its own digest")
        }
        DatabaseFault::Missing { table, hnum, .. } => {
            format!("the index {} lacks a row of record {hnum}", table.table())
        }
        DatabaseFault::Extra { table, hnum, .. } => {
            let index = table.table();
            format!("the index {index} has a row that does not belong to record {hnum}")
        }
    }
}

/// Packages of one name, what was installed last first. Those of another architecture stand side
/// by side, but for `noarch`, which replaces them all.
fn duplicates(
    packages: &[AuditedPackage],
    surplus: &mut HashSet<u32>,
    out: &mut Vec<AuditFinding>,
) {
    let mut kept: Vec<&AuditedPackage> = Vec::new();
    for package in packages {
        let replaces = |other: &&&AuditedPackage| {
            let arches = [&other.nevra.arch, &package.nevra.arch];
            arches[0] == arches[1] || arches.iter().any(|arch| *arch == "noarch")
        };
        match kept.iter().find(replaces) {
            None => kept.push(package),
            Some(other) => {
                surplus.insert(package.hnum);
                out.push(AuditFinding::Duplicate {
                    kept: other.nevra.to_string(),
                    surplus: package.nevra.to_string(),
                    number: package.hnum,
                });
            }
        }
    }
}

/// Files that a package brought and that only packages change.
fn incomplete(root: &RootDir, package: &AuditedPackage, files: &FileList) -> Option<AuditFinding> {
    let states: Vec<FileState> = FileState::of(&package.header).collect();
    let (mut missing, mut changed, mut example) = (0, 0, None);
    for (index, file) in files.iter().enumerate() {
        let state = states.get(index).copied().unwrap_or(FileState::Normal);
        if state != FileState::Normal || file.flags.is_ghost() || file.flags.is_config() {
            continue;
        }
        let path = file.path();
        let bad = match root.lstat(&path) {
            Ok(None) => &mut missing,
            Ok(Some(stat)) if differs(root, &path, &file, &stat) => &mut changed,
            // What cannot be looked at is not judged.
            _ => continue,
        };
        *bad += 1;
        example.get_or_insert(path);
    }
    example.map(|path| AuditFinding::Incomplete {
        package: package.nevra.to_string(),
        missing,
        changed,
        example: String::from_utf8_lossy(&path).escape_debug().to_string(),
    })
}

fn differs(root: &RootDir, path: &[u8], file: &FileEntry<'_>, stat: &rustix::fs::Stat) -> bool {
    let kind = u32::from(file.mode) & 0o170_000;
    let (false, Some(digest)) = (kind != 0o100_000, file.digest) else {
        // A directory may have become a link, as /usr merges do; the rest has no content.
        return false;
    };
    if stat.st_mode & 0o170_000 != kind || stat.st_size as u64 != file.size {
        return true;
    }
    let read = root.open_file(path).ok().map(BufReader::new);
    let found = read.and_then(|file| Hasher::digest_reader(digest.algo(), file).ok());
    found.is_some_and(|found| found != digest)
}
