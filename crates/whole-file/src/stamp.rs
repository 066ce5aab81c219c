//! Whether a file is still the one that was looked at.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// What tells one state of a file from another. Whoever writes into a file or puts another in its place changes the
/// stamp, as no program can set the time of change; only a write within the same tick of the kernel's clock (at most
/// 10 ms) cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Size in bytes.
    pub size: u64,
    /// Modification time: seconds since 1970, nanoseconds.
    pub mtime: (i64, i64),
    /// Time of the last change of any kind.
    pub ctime: (i64, i64),
    /// Inode number.
    pub inode: u64,
}

impl Stamp {
    /// Of a file's metadata.
    pub fn of(meta: &Metadata) -> Stamp {
        Stamp {
            size: meta.len(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
        }
    }

    /// Modification time in seconds since 1970 as metadata has it; 0 for times before.
    pub fn time(&self) -> u64 {
        u64::try_from(self.mtime.0).unwrap_or(0)
    }

    /// Reads what [`Display`](fmt::Display) wrote at the beginning of a line, and gives what follows the blank
    /// behind it; none if it is not that.
    pub fn read(line: &str) -> Option<(Stamp, &str)> {
        let mut words = line.splitn(7, ' ');
        let size = words.next()?.parse().ok()?;
        let mut number = || words.next()?.parse().ok();
        let stamp = Stamp {
            size,
            mtime: (number()?, number()?),
            ctime: (number()?, number()?),
            inode: words.next()?.parse().ok()?,
        };
        Some((stamp, words.next()?))
    }
}

impl fmt::Display for Stamp {
    /// Six numbers with blanks between them: size, modification time, change time, inode.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stamp { size, inode, .. } = self;
        let (mtime, ctime) = (self.mtime, self.ctime);
        write!(
            f,
            "{size} {} {} {} {} {inode}",
            mtime.0, mtime.1, ctime.0, ctime.1
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let file = tempfile::tempfile().unwrap();
        let stamp = Stamp::of(&file.metadata().unwrap());
        let line = format!("{stamp} a b");
        assert_eq!(Stamp::read(&line), Some((stamp, "a b")));
        let bad = ["", "1 2 3 4 5 6", "1 2 3 4 5 x y", "-1 2 3 4 5 6 y"];
        assert!(bad.iter().all(|line| Stamp::read(line).is_none()));
    }

    #[test]
    fn a_change_that_keeps_size_and_modification_time_changes_the_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "old").unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let before = file.metadata().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::fs::write(&path, "new").unwrap();
        file.set_modified(before.modified().unwrap()).unwrap();
        let (old, new) = (Stamp::of(&before), Stamp::of(&file.metadata().unwrap()));
        assert_eq!(
            (old.size, old.mtime, old.inode),
            (new.size, new.mtime, new.inode)
        );
        assert_ne!(old, new);
    }
}
