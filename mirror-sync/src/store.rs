//! Every file once, by its digest.
//!
//! A file of the store is never rewritten: it comes by rename, is read-only, and goes when no tree
//! has a link to it any more. Trees are hard links, so that a snapshot costs names and no data.
//!
//! What was renamed here without being synced is only safe once the file system was synced. Between
//! the two a mark with the boot id stands in the store: after a crash of the machine (not of the
//! program) everything younger than the mark is hashed again before it is believed.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};

use crate::error::{Error, Result};

/// Name of the mark.
const MARK: &str = ".unsynced";
/// What the kernel calls this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The store of a mirror.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// Reads a digest written `sha256:hex`.
pub fn parse_digest(text: &str) -> Option<Digest> {
    let (algo, hex) = text.split_once(':')?;
    Digest::from_hex(DigestAlgo::from_name(algo)?, hex).ok()
}

/// A digest as `sha256:hex`.
pub fn digest_text(digest: &Digest) -> String {
    format!("{}:{}", digest.algo().name(), digest.hex())
}

/// The digest of a file, and its size.
///
/// # Errors
/// It cannot be read.
pub fn hash_file(path: &Path, algo: DigestAlgo) -> io::Result<(Digest, u64)> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let reader = BufReader::with_capacity(256 << 10, file);
    Ok((Hasher::digest_reader(algo, reader)?, size))
}

impl Store {
    /// The store in `root`; looks after what a crash of the machine left.
    ///
    /// # Errors
    /// It cannot be created or read.
    pub fn open(root: &Path) -> Result<Store> {
        fs::create_dir_all(root).map_err(Error::file(root, "create"))?;
        let store = Store {
            root: root.to_owned(),
        };
        store.recover()?;
        Ok(store)
    }

    /// Where a file is, or would be.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let shard = hex.get(..2).unwrap_or("00").to_owned();
        self.root.join(digest.algo().name()).join(shard).join(hex)
    }

    /// Whether a file is there, with the right size where that is known.
    pub fn has(&self, digest: &Digest, size: Option<u64>) -> bool {
        fs::symlink_metadata(self.path(digest))
            .is_ok_and(|about| about.is_file() && size.is_none_or(|size| size == about.len()))
    }

    /// Takes a file over by rename; its digest was checked by the caller. A file that is there
    /// already stays; the new one is removed.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn adopt(&self, file: &Path, digest: &Digest, size: Option<u64>) -> Result<PathBuf> {
        let path = self.path(digest);
        if self.has(digest, size) {
            let _ = fs::remove_file(file);
            return Ok(path);
        }
        fs::set_permissions(file, fs::Permissions::from_mode(0o444))
            .map_err(Error::file(file, "protect"))?;
        let renamed = fs::rename(file, &path).or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
            fs::rename(file, &path)
        });
        renamed.map_err(Error::file(&path, "put in place"))?;
        Ok(path)
    }

    /// Stores bytes; says by which digest.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn put(&self, data: &[u8]) -> Result<Digest> {
        let digest = Hasher::digest(DigestAlgo::Sha256, data);
        if !self.has(&digest, Some(data.len() as u64)) {
            let beside = self.root.join(format!(".put.{}", std::process::id()));
            fs::write(&beside, data).map_err(Error::file(&beside, "write"))?;
            self.adopt(&beside, &digest, Some(data.len() as u64))?;
        }
        Ok(digest)
    }

    /// Gives a stored file another name.
    ///
    /// # Errors
    /// It is not there; the name cannot be made.
    pub fn link(&self, digest: &Digest, to: &Path) -> Result<()> {
        let from = self.path(digest);
        match fs::hard_link(&from, to) {
            Ok(()) => Ok(()),
            // As many links as the file system has room for: the next copy begins a new count.
            Err(error) if error.raw_os_error() == Some(31) => {
                let beside = self.root.join(format!(".copy.{}", std::process::id()));
                fs::copy(&from, &beside).map_err(Error::file(&beside, "copy"))?;
                fs::set_permissions(&beside, fs::Permissions::from_mode(0o444))
                    .map_err(Error::file(&beside, "protect"))?;
                fs::rename(&beside, &from).map_err(Error::file(&from, "replace"))?;
                fs::hard_link(&from, to).map_err(Error::file(to, "link"))
            }
            Err(error) => Err(Error::file(to, "link")(error)),
        }
    }

    /// Takes a damaged file out. Trees that link to it keep theirs until they are linked anew.
    pub fn forget(&self, digest: &Digest) {
        let _ = fs::remove_file(self.path(digest));
    }

    /// Says that files are about to come which are not synced one by one.
    ///
    /// # Errors
    /// The mark cannot be written.
    pub fn mark(&self) -> Result<()> {
        let path = self.root.join(MARK);
        if !path.exists() {
            let boot = fs::read(BOOT_ID).unwrap_or_default();
            // Not synced: a journalling file system never has the names that follow without this one,
            // and a mark that a crash has emptied is one of another boot.
            fs::write(&path, &boot).map_err(Error::file(&path, "write"))?;
        }
        Ok(())
    }

    /// Syncs the file system, so that everything here is safe.
    ///
    /// # Errors
    /// The system could not write.
    pub fn sync(&self) -> Result<()> {
        let dir = File::open(&self.root).map_err(Error::file(&self.root, "open"))?;
        rustix::fs::syncfs(&dir).map_err(Error::sys(&self.root, "sync"))?;
        let _ = fs::remove_file(self.root.join(MARK));
        Ok(())
    }

    fn recover(&self) -> Result<()> {
        let path = self.root.join(MARK);
        let (Ok(then), Ok(now)) = (fs::read(&path), fs::read(BOOT_ID)) else {
            return Ok(());
        };
        if then == now {
            return Ok(());
        }
        let since = fs::metadata(&path).map_or(0, |about| about.mtime());
        for (digest, file) in self.files()? {
            let young = fs::metadata(&file).is_ok_and(|about| about.ctime() >= since);
            if young && hash_file(&file, digest.algo()).map_or(true, |(found, _)| found != digest) {
                fs::remove_file(&file).map_err(Error::file(&file, "remove"))?;
            }
        }
        self.sync()
    }

    /// Every file of the store.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn files(&self) -> Result<Vec<(Digest, PathBuf)>> {
        let mut found = Vec::new();
        for algo in crate::layout::names_in(&self.root)? {
            let Some(kind) = DigestAlgo::from_name(&algo) else {
                continue;
            };
            let dir = self.root.join(&algo);
            for shard in crate::layout::names_in(&dir)? {
                let shard = dir.join(shard);
                for name in crate::layout::names_in(&shard)? {
                    if let Ok(digest) = Digest::from_hex(kind, &name) {
                        found.push((digest, shard.join(name)));
                    }
                }
            }
        }
        Ok(found)
    }

    /// Removes files that no tree links to and that are older than `keep` seconds at `now`; says
    /// how many and how many bytes.
    ///
    /// # Errors
    /// The store cannot be read or changed.
    pub fn sweep(&self, now: u64, keep: u64) -> Result<(usize, u64)> {
        let (mut count, mut bytes) = (0, 0);
        for (_, path) in self.files()? {
            let about = fs::metadata(&path).map_err(Error::file(&path, "look at"))?;
            let changed = u64::try_from(about.ctime()).unwrap_or(0);
            if about.nlink() == 1 && changed.saturating_add(keep) <= now {
                fs::remove_file(&path).map_err(Error::file(&path, "remove"))?;
                count += 1;
                bytes += about.len();
            }
        }
        Ok((count, bytes))
    }

    /// Bytes that the store holds.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn size(&self) -> Result<u64> {
        let files = self.files()?;
        Ok(files
            .iter()
            .filter_map(|(_, path)| fs::metadata(path).ok())
            .map(|about| about.len())
            .sum())
    }
}
