//! Removes from the store what clients of repositories in proxy mode no longer request.
//!
//! The time of a file's last change is the time of its last use: a file of a store has no other use
//! for it. A file that is just being sent may go, too: a process that has it open reads it to the end.

use std::collections::HashSet;
use std::fs::{self, FileTimes};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rpm_pkg::digest::Digest;

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

/// Removes what was not used for too long, and then what was used longest ago until the rest fits;
/// never what is in `needed`. Says how many files, and how many bytes.
pub(super) fn evict(
    store: &Store,
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
            all.push((u64::try_from(about.mtime()).unwrap_or(0), about.len(), path));
        }
    }
    all.sort();
    let (mut count, mut bytes) = (0, 0);
    for (then, size, path) in all {
        let age = now.saturating_sub(then);
        let forgotten = !keep.unused.is_zero() && age > keep.unused.as_secs();
        let crowded = keep.bytes > 0 && left > keep.bytes && age > YOUNG;
        if !forgotten && !crowded {
            continue;
        }
        fs::remove_file(&path).map_err(Error::file(&path, "remove"))?;
        left = left.saturating_sub(size);
        count += 1;
        bytes += size;
    }
    Ok((count, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    /// A store of files with so many bytes, used so many seconds ago.
    fn store(files: &[(usize, u64)]) -> (tempfile::TempDir, Store, Vec<Digest>) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
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
        let (_dir, store, all) = store(&[(1000, 5000), (1000, 9000), (1000, 7000), (1000, 10)]);
        let keep = Keep {
            unused: Duration::ZERO,
            bytes: 2500,
        };
        let needed = HashSet::new();
        assert_eq!(evict(&store, keep, &needed, NOW).unwrap(), (2, 2000));
        assert_eq!(left(&store, &all), [true, false, false, true]);
    }

    #[test]
    fn what_nobody_asked_for_goes_and_what_is_needed_or_young_stays() {
        let (_dir, store, all) = store(&[(10, 100), (10, 5000), (10, 5000), (5000, 3)]);
        used(&store.path(&all[1]), NOW);
        let keep = Keep {
            unused: Duration::from_secs(4000),
            bytes: 20,
        };
        let needed = HashSet::from([all[2]]);
        assert_eq!(evict(&store, keep, &needed, NOW).unwrap().0, 1);
        assert_eq!(left(&store, &all), [false, true, true, true]);
    }
}
