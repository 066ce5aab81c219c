//! Removes from the store what clients of repositories in proxy mode no longer request, and parts that nobody fetches.
//!
//! The time of a file's last change is the time of its last use: a file of a store has no other use
//! for it. A file that is just being sent may go, too: a process that has it open reads it to the end.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rpm_pkg::digest::Digest;
use rustix::fs::OFlags;

use crate::error::{Error, Result};
use crate::layout;
use crate::store::Store;

/// A use is written down once in so many seconds.
const STEP: u64 = 3600;
/// A file that has just come is not removed before the client that asked for it has opened it.
const YOUNG: u64 = 60;

/// What may stay; zero means no limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep {
    /// Since its last use.
    pub(super) unused: Duration,
    /// Bytes of all files together.
    pub(super) bytes: u64,
}

/// In the order in which they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Part,
    Journal,
    /// It has come, and is judged before it takes its place in the store.
    Came,
    Stored,
}

/// Notes that a file is used now.
pub(super) fn used(path: &Path, now: u64) {
    let fresh = |about: fs::Metadata| {
        u64::try_from(about.mtime()).is_ok_and(|then| then.saturating_add(STEP) > now)
    };
    if fs::metadata(path).is_ok_and(fresh) {
        return;
    }
    let Some(time) = UNIX_EPOCH.checked_add(Duration::from_secs(now)) else {
        return;
    };
    let times = FileTimes::new().set_accessed(time).set_modified(time);
    // Without it the file only goes earlier.
    let _ = layout::open(path).and_then(|file| file.set_times(times));
}

/// Removes what was not used for too long, and then, until the rest fits, parts in `partial` and what was used longest
/// ago; never what is in `needed` or is being fetched. Says how many files, and how many bytes.
pub(super) fn evict(
    store: &Store,
    partial: &Path,
    keep: Keep,
    needed: &HashSet<Digest>,
    now: u64,
) -> Result<(usize, u64)> {
    let mut all = Vec::new();
    let mut left: u64 = 0;
    for (digest, path) in store.files()? {
        let about = fs::metadata(&path).map_err(Error::file(&path, "look at"))?;
        left = left.saturating_add(about.len());
        if !needed.contains(&digest) {
            all.push((Kind::Stored, changed(&about), about.len(), path));
        }
    }
    for name in layout::names_in(partial)? {
        let path = partial.join(name);
        // One that has just taken its place in the store.
        let Ok(about) = fs::symlink_metadata(&path) else {
            continue;
        };
        left = left.saturating_add(about.len());
        let kind = match path.extension().and_then(OsStr::to_str) {
            Some("part") => Kind::Part,
            Some("journal") => Kind::Journal,
            _ => Kind::Came,
        };
        all.push((kind, changed(&about), about.len(), path));
    }
    all.sort();
    let (mut count, mut bytes) = (0, 0);
    for (kind, then, size, path) in all {
        let age = now.saturating_sub(then);
        let forgotten = !keep.unused.is_zero() && age > keep.unused.as_secs();
        let crowded = keep.bytes > 0 && left > keep.bytes;
        if !forgotten && !crowded {
            continue;
        }
        let idle = match kind {
            Kind::Part => lock(&path),
            Kind::Journal if !path.with_extension("part").exists() => lock(&path),
            Kind::Came if age > YOUNG => lock(&path),
            Kind::Stored if forgotten || age > YOUNG => Some(None),
            _ => None,
        };
        let Some(_held) = idle else { continue };
        fs::remove_file(&path).map_err(Error::file(&path, "remove"))?;
        left = left.saturating_sub(size);
        count += 1;
        bytes += size;
    }
    Ok((count, bytes))
}

fn changed(about: &fs::Metadata) -> u64 {
    u64::try_from(about.mtime()).unwrap_or(0)
}

/// A file on its way, locked as a transfer locks its own; none if one has it.
fn lock(path: &Path) -> Option<Option<File>> {
    let file = whole_file::open_plain(path, OFlags::RDWR).ok()?;
    file.try_lock().is_ok().then_some(Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    /// A store of files with so many bytes, used so many seconds ago.
    fn store(files: &[(usize, u64)]) -> (tempfile::TempDir, Store, Vec<Digest>) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("proxied")).unwrap();
        let put = |(at, (bytes, ago)): (usize, &(usize, u64))| {
            let digest = store.put(&vec![at as u8; *bytes]).unwrap();
            let path = store.path(&digest);
            let old = fs::File::open(&path).unwrap();
            let time = std::time::UNIX_EPOCH + Duration::from_secs(NOW - ago);
            old.set_modified(time).unwrap();
            digest
        };
        let digests = files.iter().enumerate().map(put).collect();
        (dir, store, digests)
    }

    fn left(store: &Store, digests: &[Digest]) -> Vec<bool> {
        digests.iter().map(|one| store.has(one, None)).collect()
    }

    #[test]
    fn what_was_used_longest_ago_goes_until_the_rest_fits() {
        let (dir, store, all) = store(&[(1000, 5000), (1000, 9000), (1000, 7000), (1000, 10)]);
        let keep = Keep {
            unused: Duration::ZERO,
            bytes: 2500,
        };
        let needed = HashSet::new();
        assert_eq!(
            evict(&store, &dir.path().join("partial"), keep, &needed, NOW).unwrap(),
            (2, 2000)
        );
        assert_eq!(left(&store, &all), [true, false, false, true]);
    }

    #[test]
    fn what_nobody_asked_for_goes_and_what_is_needed_or_young_stays() {
        let (dir, store, all) = store(&[(10, 100), (10, 5000), (10, 5000), (5000, 3)]);
        used(&store.path(&all[1]), NOW);
        let keep = Keep {
            unused: Duration::from_secs(4000),
            bytes: 20,
        };
        let needed = HashSet::from([all[2]]);
        assert_eq!(
            evict(&store, &dir.path().join("partial"), keep, &needed, NOW)
                .unwrap()
                .0,
            1
        );
        assert_eq!(left(&store, &all), [false, true, true, true]);
    }

    #[test]
    fn row_117_parts_that_nobody_fetches_go_first() {
        let (dir, store, all) = store(&[(1000, 5000)]);
        let partial = dir.path().join("partial");
        fs::create_dir(&partial).unwrap();
        let put = |name: &str| {
            let path = partial.join(name);
            fs::write(&path, [0; 1000]).unwrap();
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(NOW - 10))
                .unwrap();
            file
        };
        let fetched = put("fetched.part");
        fetched.lock().unwrap();
        for name in ["fetched.journal", "left.part", "left.journal", "whole"] {
            put(name);
        }
        let names = || layout::names_in(&partial).unwrap();
        let keep = |bytes| Keep {
            unused: Duration::from_secs(4_000_000),
            bytes,
        };
        let look = |keep, now| evict(&store, &partial, keep, &HashSet::new(), now).unwrap();
        assert_eq!(look(keep(100_000), NOW), (0, 0));
        assert_eq!(look(keep(4500), NOW).0, 2);
        assert_eq!(names(), ["fetched.journal", "fetched.part", "whole"]);
        assert_eq!(left(&store, &all), [true]);
        // What has just come is taken into the store; without that it goes, too.
        assert_eq!(look(keep(3500), NOW).0, 1);
        assert_eq!(left(&store, &all), [false]);
        assert_eq!(names(), ["fetched.journal", "fetched.part", "whole"]);
        assert_eq!(look(keep(2500), NOW + 100).0, 1);
        assert_eq!(names(), ["fetched.journal", "fetched.part"]);
        drop(fetched);
        assert_eq!(look(keep(0), NOW + 5_000_000).0, 2);
        assert!(names().is_empty());
    }
}
