//! What is on the disk at one path, looked at only as far as a rule asks.

use std::cell::OnceCell;
use std::io::BufReader;

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rustix::fs::Stat;

use super::error::TransactionError;
use super::files::{Disk, Entry, Kind};
use super::root::RootDir;

/// A path of the root.
pub(crate) struct DiskFile<'a> {
    root: &'a RootDir,
    path: &'a [u8],
    stat: Option<Stat>,
    /// The digest that was asked for last, with its algorithm.
    digest: OnceCell<Option<Digest>>,
}

impl<'a> DiskFile<'a> {
    /// Looks what is at `path`; a last symbolic link is not followed.
    pub(crate) fn look(
        root: &'a RootDir,
        path: &'a [u8],
    ) -> Result<DiskFile<'a>, TransactionError> {
        let stat = root
            .lstat(path)
            .map_err(|e| TransactionError::file("cannot look at", path, e))?;
        Ok(DiskFile {
            root,
            path,
            stat,
            digest: OnceCell::new(),
        })
    }

    /// Owner, mode, size.
    pub(crate) fn stat(&self) -> Option<&Stat> {
        self.stat.as_ref()
    }

    /// Is a file of somewhere else mounted here?
    pub(crate) fn is_mounted(&self) -> Result<bool, TransactionError> {
        let mounted = self.stat.is_some() && self.kind() != Some(Kind::Directory);
        if !mounted {
            return Ok(false);
        }
        self.root
            .is_mount_point(self.path)
            .map_err(|e| TransactionError::file("cannot look at", self.path, e))
    }

    fn hash(&self, algo: DigestAlgo) -> Option<Digest> {
        let file = self.root.open_file(self.path).ok()?;
        Hasher::digest_reader(algo, BufReader::new(file)).ok()
    }
}

impl Disk for DiskFile<'_> {
    fn kind(&self) -> Option<Kind> {
        let mode = self.stat.as_ref()?.st_mode;
        Kind::from_mode((mode & 0o177_777) as u16)
    }

    fn holds(&self, entry: &Entry<'_>) -> bool {
        let Some(stat) = &self.stat else { return false };
        if self.kind() != Some(entry.kind) {
            return false;
        }
        match entry.kind {
            Kind::Symlink => self
                .root
                .read_link(self.path)
                .is_ok_and(|to| to == entry.link),
            Kind::Regular if stat.st_size as u64 == entry.size => {
                let Some(wanted) = entry.digest else {
                    return entry.size == 0;
                };
                match self.digest.get_or_init(|| self.hash(wanted.algo())) {
                    Some(known) if known.algo() == wanted.algo() => *known == wanted,
                    _ => self.hash(wanted.algo()) == Some(wanted),
                }
            }
            _ => false,
        }
    }
}
