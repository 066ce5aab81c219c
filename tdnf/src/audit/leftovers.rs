//! Temporary files of an rpm that was killed.

use std::collections::HashSet;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::{self, AtFlags, FileType};

use super::AuditFinding;
use rpm_transaction::RootDir;

/// rpm writes `NAME;TID` beside the file that it is to become, TID in eight hex digits.
const TID_DIGITS: usize = 8;
/// The mode of such a file until it is complete.
const UNFINISHED: u32 = 0o200;
/// Where bodies of scriptlets are written, and what they are called.
const SCRIPTS: (&[u8], &[u8]) = (b"/var/tmp", b"rpm-tmp.");

/// Finds them in the directories of packages. A name that only looks like one is skipped: it
/// must be unfinished, or stand beside a file of a package.
pub(super) fn find(
    root: &RootDir,
    dirs: &HashSet<Vec<u8>>,
    owned: &HashSet<Vec<u8>>,
) -> Vec<AuditFinding> {
    let mut paths = Vec::new();
    for dir in dirs {
        let wanted = |name: &[u8], mode: u32| {
            let Some(base) = temporary(name) else {
                return false;
            };
            mode & 0o777 == UNFINISHED || owned.contains(&[dir, base].concat())
        };
        search(root, dir, &wanted, &mut paths);
    }
    let script = |name: &[u8], mode: u32| name.starts_with(SCRIPTS.1) && mode & 0o777 == 0o600;
    search(root, SCRIPTS.0, &script, &mut paths);
    paths.sort();
    let shown = |path: Vec<u8>| String::from_utf8_lossy(&path).into_owned();
    paths
        .into_iter()
        .map(|path| AuditFinding::Leftover { path: shown(path) })
        .collect()
}

fn search(
    root: &RootDir,
    dir: &[u8],
    wanted: &dyn Fn(&[u8], u32) -> bool,
    paths: &mut Vec<Vec<u8>>,
) {
    // What cannot be opened has nothing for us.
    let Ok(fd) = root.open_dir(dir) else { return };
    let Ok(entries) = fs::Dir::read_from(&fd) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Ok(stat) = fs::statat(fd.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        let ours = FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_uid == 0;
        if ours && wanted(name.to_bytes(), stat.st_mode) {
            let dir = dir.strip_suffix(b"/").unwrap_or(dir);
            paths.push([dir, b"/", name.to_bytes()].concat());
        }
    }
}

/// The name before `;TID`.
fn temporary(name: &[u8]) -> Option<&[u8]> {
    let (base, tid) = name.split_at_checked(name.len().checked_sub(TID_DIGITS + 1)?)?;
    let digits = tid.strip_prefix(b";")?;
    let hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    (!base.is_empty() && digits.iter().all(hex)).then_some(base)
}

/// Deletes what [`super::look`] found, files alone. The caller holds the lock of the database:
/// no rpm is at work.
///
/// # Errors
/// The first file that cannot be deleted, with its path.
pub fn remove_leftovers(
    root: &RootDir,
    findings: &[AuditFinding],
) -> Result<(), (String, io::Error)> {
    for finding in findings {
        let AuditFinding::Leftover { path } = finding else {
            continue;
        };
        let failed = |e: rustix::io::Errno| (path.clone(), e.into());
        let (dir, base) = root.open_parent(path.as_bytes()).map_err(failed)?;
        match fs::unlinkat(dir, base, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(e) => return Err(failed(e)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::temporary;

    #[test]
    fn names_of_rpm_and_others() {
        assert_eq!(temporary(b"bash;6b003cf4"), Some(&b"bash"[..]));
        assert_eq!(temporary(b"a;b;00000000"), Some(&b"a;b"[..]));
        for other in [
            "bash",
            ";6b003cf4",
            "bash;6B003CF4",
            "bash;6b003cf",
            "bash:6b003cf4",
            "6b003cf4",
            "",
        ] {
            assert_eq!(temporary(other.as_bytes()), None, "{other}");
        }
    }
}
