//! Every file once, by its digest.
//!
//! A file of the store is never rewritten: it comes by rename when its bytes were hashed, is
//! read-only, and goes when no tree has a link to it any more. Trees are hard links, so that a snapshot costs names and no data.
//!
//! What was renamed here without being synced is only safe once the file system was synced. Between
//! the two a mark with the boot id stands in the store: after a crash of the machine (not of the
//! program) everything younger than the mark is hashed again before it is believed.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use repo_client::FetchedFile;
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rpm_pkg::package::begins_as_package;
use rpm_repo::compress::Written;
use whole_file::{Access, Durability, WholeFile};

use crate::error::{Error, Result};
use crate::layout;

/// Permission bits of a stored file.
const READ_ONLY: u32 = 0o444;
/// Name of the mark.
const MARK: &str = ".unsynced";
/// Most bytes of it.
const MAX_MARK: u64 = 64;
/// What the kernel calls this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A complete file and the digest that its bytes were just found to have.
#[derive(Debug, Clone)]
pub(crate) struct HashedFile {
    path: PathBuf,
    digest: Digest,
    size: u64,
}

impl HashedFile {
    pub(crate) fn read(path: &Path, algo: DigestAlgo) -> Result<HashedFile> {
        let (digest, size) = hash_file(path, algo).map_err(Error::file(path, "read"))?;
        let path = path.to_owned();
        Ok(HashedFile { path, digest, size })
    }

    /// A file whose `size` bytes `hasher` has seen on their way.
    pub(crate) fn streamed(path: PathBuf, hasher: Hasher, size: u64) -> HashedFile {
        let digest = hasher.finish();
        HashedFile { path, digest, size }
    }

    /// A file that an encoder wrote.
    pub(crate) fn encoded(path: PathBuf, written: &Written) -> HashedFile {
        let (digest, size) = (written.checksum, written.size);
        HashedFile { path, digest, size }
    }

    /// A file that a transfer checked while it came; none if no digest was asked for.
    pub(crate) fn fetched(done: FetchedFile) -> Option<HashedFile> {
        let (path, size) = (done.path, done.size);
        done.digest.map(|digest| HashedFile { path, digest, size })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Of all its bytes.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

/// The store of a mirror.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    root: PathBuf,
    /// How many transfers bring files.
    coming: Arc<AtomicUsize>,
}

/// A transfer that brings files, until this is dropped.
pub(crate) struct Coming<'a>(&'a Store);

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.0.coming.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Reads a digest written `sha256:hex`.
pub(crate) fn parse_digest(text: &str) -> Option<Digest> {
    let (algo, hex) = text.split_once(':')?;
    Digest::from_hex(DigestAlgo::from_name(algo)?, hex).ok()
}

/// A digest as `sha256:hex`.
pub(crate) fn digest_text(digest: &Digest) -> String {
    format!("{}:{}", digest.algo().name(), digest.hex())
}

/// The digest of a file, and its size.
pub(crate) fn hash_file(path: &Path, algo: DigestAlgo) -> io::Result<(Digest, u64)> {
    let file = layout::open(path)?;
    let size = file.metadata()?.len();
    let reader = BufReader::with_capacity(256 << 10, file);
    Ok((Hasher::digest_reader(algo, reader)?, size))
}

/// Whether a file begins as a package does (the magic of rpm's lead): such a file is never metadata.
pub(crate) fn is_package(path: &Path) -> Result<bool> {
    let file = layout::open(path).map_err(Error::file(path, "open"))?;
    begins_as_package(file).map_err(Error::file(path, "read"))
}

impl Store {
    /// The store in `root`; looks after what a crash of the machine left.
    pub(crate) fn open(root: &Path) -> Result<Store> {
        let store = Store {
            root: root.to_owned(),
            coming: Arc::default(),
        };
        store.make(root)?;
        store.recover()?;
        Ok(store)
    }

    /// Where a file is, or would be.
    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let shard = hex.get(..2).unwrap_or("00").to_owned();
        self.root.join(digest.algo().name()).join(shard).join(hex)
    }

    /// Whether a file is there, with the right size where that is known.
    pub(crate) fn has(&self, digest: &Digest, size: Option<u64>) -> bool {
        fs::symlink_metadata(self.path(digest))
            .is_ok_and(|about| about.is_file() && size.is_none_or(|size| size == about.len()))
    }

    /// Takes a file over by rename, under the digest that it was found to have. A file that is
    /// there already stays; the new one is removed.
    pub(crate) fn adopt(&self, file: &HashedFile) -> Result<()> {
        let (from, path) = (file.path(), self.path(&file.digest));
        if self.has(&file.digest, Some(file.size)) {
            let _ = fs::remove_file(from);
            return Ok(());
        }
        fs::set_permissions(from, fs::Permissions::from_mode(READ_ONLY))
            .map_err(Error::file(from, "protect"))?;
        self.make(path.parent().unwrap_or(&self.root))?;
        fs::rename(from, &path).map_err(Error::file(&path, "put in place"))
    }

    /// Takes a file over by rename if its bytes have this digest.
    pub(crate) fn adopt_as(&self, path: &Path, digest: &Digest) -> Result<()> {
        let file = HashedFile::read(path, digest.algo())?;
        if file.digest != *digest {
            let what = format!("its digest is {}, not {digest}", file.digest);
            return Err(Error::unfit(path, "store", what));
        }
        self.adopt(&file)
    }

    fn make(&self, dir: &Path) -> Result<()> {
        layout::make_below(self.root.parent().unwrap_or(&self.root), dir)
    }

    /// Stores bytes; says by which digest.
    pub(crate) fn put(&self, data: &[u8]) -> Result<Digest> {
        let digest = Hasher::digest(DigestAlgo::Sha256, data);
        if !self.has(&digest, Some(data.len() as u64)) {
            let path = self.path(&digest);
            self.make(path.parent().unwrap_or(&self.root))?;
            whole_file::replace(&path, data, Access::Mode(READ_ONLY), Durability::Cache)
                .map_err(Error::file(&path, "write"))?;
        }
        Ok(digest)
    }

    /// Gives a stored file another name.
    pub(crate) fn link(&self, digest: &Digest, to: &Path) -> Result<()> {
        self.hard_link(digest, to).map_err(Error::file(to, "link"))
    }

    /// Lets a name that is there already lead to a stored file.
    pub(crate) fn relink(&self, digest: &Digest, to: &Path) -> Result<()> {
        whole_file::replace_by(to, Durability::Cache, |name| self.hard_link(digest, name))
            .map_err(Error::file(to, "replace"))
    }

    fn hard_link(&self, digest: &Digest, to: &Path) -> io::Result<()> {
        let from = self.path(digest);
        match fs::hard_link(&from, to) {
            // As many links as the file system has room for: the next copy begins a new count.
            Err(error) if error.kind() == io::ErrorKind::TooManyLinks => {
                let copy = WholeFile::new(&from, Access::Mode(READ_ONLY))?;
                io::copy(&mut layout::open(&from)?, &mut copy.file())?;
                copy.place(Durability::Cache)?;
                fs::hard_link(&from, to)
            }
            other => other,
        }
    }

    /// Takes a damaged file out. Trees that link to it keep theirs until they are linked again.
    pub(crate) fn forget(&self, digest: &Digest) {
        let _ = fs::remove_file(self.path(digest));
    }

    /// Says that files are about to come which are not synced one by one.
    pub(crate) fn begin(&self) -> Result<Coming<'_>> {
        self.coming.fetch_add(1, Ordering::AcqRel);
        let coming = Coming(self);
        self.mark()?;
        Ok(coming)
    }

    /// The same of files that come one after the other in this thread.
    pub(crate) fn mark(&self) -> Result<()> {
        let path = self.root.join(MARK);
        if !path.exists() {
            let boot = fs::read(BOOT_ID).unwrap_or_default();
            // Not synced: a journalling file system never has the names that follow without this one,
            // and a mark that a crash has emptied is one of another boot.
            whole_file::replace(&path, &boot, Access::Umask, Durability::Cache)
                .map_err(Error::file(&path, "write"))?;
        }
        Ok(())
    }

    /// Syncs the file system, so that everything that is here now is safe. While more comes the mark stays.
    pub(crate) fn sync(&self) -> Result<()> {
        let is_all = self.coming.load(Ordering::Acquire) == 0;
        let dir = File::open(&self.root).map_err(Error::file(&self.root, "open"))?;
        let failed = Error::file(&self.root, "sync");
        rustix::fs::syncfs(&dir).map_err(|error| failed(error.into()))?;
        if is_all {
            let _ = fs::remove_file(self.root.join(MARK));
        }
        Ok(())
    }

    fn recover(&self) -> Result<()> {
        let path = self.root.join(MARK);
        let Ok(about) = fs::symlink_metadata(&path) else {
            return Ok(());
        };
        let Ok(now) = fs::read(BOOT_ID) else {
            return Ok(());
        };
        // What is no mark of ours is one of another boot.
        let then = layout::read(&path, MAX_MARK).unwrap_or_default();
        if then == now {
            return Ok(());
        }
        let since = about.mtime();
        for (digest, file) in self.files()? {
            let young = fs::metadata(&file).is_ok_and(|about| about.ctime() >= since);
            if young && hash_file(&file, digest.algo()).map_or(true, |(found, _)| found != digest) {
                fs::remove_file(&file).map_err(Error::file(&file, "remove"))?;
            }
        }
        self.sync()
    }

    pub(crate) fn files(&self) -> Result<Vec<(Digest, PathBuf)>> {
        let mut found = Vec::new();
        for algo in layout::names_in(&self.root)? {
            let Some(kind) = DigestAlgo::from_name(&algo) else {
                continue;
            };
            let dir = self.root.join(&algo);
            self.make(&dir)?;
            for shard in layout::names_in(&dir)? {
                let shard = dir.join(shard);
                self.make(&shard)?;
                for name in layout::names_in(&shard)? {
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
    pub(crate) fn sweep(&self, now: u64, keep: u64) -> Result<(usize, u64)> {
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
    pub(crate) fn size(&self) -> Result<u64> {
        let files = self.files()?;
        Ok(files
            .iter()
            .filter_map(|(_, path)| fs::metadata(path).ok())
            .map(|about| about.len())
            .sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        (dir, store)
    }

    #[test]
    fn a_file_is_adopted_under_no_digest_but_its_own() {
        let (dir, store) = store();
        let file = dir.path().join("file");
        fs::write(&file, "one").unwrap();
        let one = Hasher::digest(DigestAlgo::Sha256, b"one");
        let two = Hasher::digest(DigestAlgo::Sha256, b"two");
        let said = store.adopt_as(&file, &two).unwrap_err().to_string();
        assert!(said.contains(&one.hex()), "{said}");
        assert!(store.files().unwrap().is_empty());
        store.adopt_as(&file, &one).unwrap();
        assert!(!file.exists());
        assert_eq!(fs::read(store.path(&one)).unwrap(), b"one");
        let mode = fs::metadata(store.path(&one)).unwrap().mode();
        assert_eq!(mode & 0o7777, READ_ONLY);
    }

    #[test]
    fn what_is_put_at_once_does_not_mix() {
        let (_dir, store) = store();
        std::thread::scope(|scope| {
            for byte in 0..16_u8 {
                let store = &store;
                scope.spawn(move || {
                    for size in 1..40 {
                        let data = vec![byte; size * 1000];
                        let digest = store.put(&data).unwrap();
                        assert!(store.has(&digest, Some(data.len() as u64)));
                    }
                });
            }
        });
        let files = store.files().unwrap();
        assert_eq!(files.len(), 16 * 39);
        for (digest, path) in files {
            assert_eq!(hash_file(&path, digest.algo()).unwrap().0, digest);
        }
    }

    #[test]
    fn a_name_leads_to_the_stored_file_again() {
        let (dir, store) = store();
        let digest = store.put(b"good").unwrap();
        let name = dir.path().join("name");
        fs::write(&name, "bad").unwrap();
        store.relink(&digest, &name).unwrap();
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        assert_eq!(inode(&name), inode(&store.path(&digest)));
        store.relink(&digest, &name).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
