//! The cache folder of one repository: reading, locking, swapping.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rpm_repo::repomd::{self, Repomd, RepomdRecord};
use rustix::fs::{CWD, FlockOperation, OFlags, RenameFlags};
use whole_file::{Access, Durability, Folder, Stamp, open_plain, remove_odd};

use super::index::NewIndex;
use super::parts::UNFINISHED;
use super::state::{MAX_STATE, STATE, SetFacts};
use super::{PartFile, RepoRefresh, local_name};
use crate::error::{Error, Result};
use crate::path::read_plain;
use crate::request::hash_file;

/// A clock may be this much behind the file system's without the cache counting as expired.
const CLOCK_SLACK: u64 = 60;

/// The name of the file that a run holds locked.
const LOCK: &str = ".lock";

/// The folder.
pub(crate) struct Cache {
    root: PathBuf,
}

/// A set read back, each byte known to be what was checked.
pub(crate) struct LoadedSet {
    pub(crate) repomd: Repomd,
    /// Records that are left out of it: their location is none of metadata.
    pub(crate) misplaced: Vec<RepomdRecord>,
    /// `repomd.xml` itself and its SHA-256.
    pub(crate) index: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) parts: Vec<PartFile>,
    /// Wanted kinds that the repository has and the cache lacks (or has in part).
    pub(crate) missing: Vec<String>,
    pub(crate) state: SetFacts,
}

pub(crate) enum CacheLock {
    Held(File),
    Busy,
    Impossible,
}

impl Cache {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The current set.
    pub(crate) fn live(&self) -> PathBuf {
        self.root.join("repodata")
    }

    /// The set being fetched.
    pub(crate) fn staging(&self) -> PathBuf {
        self.root.join("repodata.new")
    }

    pub(crate) fn try_lock(&self) -> Result<CacheLock> {
        let unwritable = |kind| {
            matches!(
                kind,
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            )
        };
        let base = self.root.parent().unwrap_or(&self.root);
        match whole_file::make_folders(base, &self.root) {
            Err((_, e)) if unwritable(e.kind()) && self.live().is_dir() => {
                return Ok(CacheLock::Impossible);
            }
            Err((place, e)) => return Err(Error::io(&place, "create", e)),
            Ok(()) => self.refuse_odd()?,
        }
        let path = self.root.join(LOCK);
        let file = match open_plain(&path, OFlags::RDWR | OFlags::CREATE) {
            Err(e) if unwritable(e.kind()) => return Ok(CacheLock::Impossible),
            other => other.map_err(|e| Error::io(&path, "open", e))?,
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(CacheLock::Held(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(CacheLock::Busy),
            Err(e) => Err(Error::io(&path, "lock", e.into())),
        }
    }

    /// A cache has no links: one in an image would lead out of it. What is no file in the place of the lock is not
    /// taken away, as that could take the lock of another run.
    fn refuse_odd(&self) -> Result<()> {
        let look = |e| Error::io(&self.root, "look at", e);
        for entry in fs::read_dir(&self.root).map_err(look)? {
            let entry = entry.map_err(look)?;
            let kind = entry.file_type().map_err(look)?;
            let why = match kind.is_file() {
                _ if kind.is_symlink() => "a symbolic link, which no cache has: remove it",
                false if entry.file_name() == LOCK => "a lock is a regular file: remove it",
                _ => continue,
            };
            return Err(Error::io(entry.path(), "use", io::Error::other(why)));
        }
        Ok(())
    }

    /// The set before the current one, until the current one has been read to its end.
    fn former(&self) -> PathBuf {
        self.root.join("repodata.old")
    }

    /// Undoes the half of a swap that had no exchange to use.
    pub(crate) fn recover(&self) {
        // What a killed run had ready, or could not remove from a disk that failed. Nothing else depends on it.
        let _ = Folder::open(self.root()).and_then(|root| root.clear_waiting());
        if !self.live().exists() {
            let _ = fs::rename(self.former(), self.live());
        }
    }

    /// The current set was read to its end: the former one is not needed any more.
    pub(crate) fn accept(&self) {
        let former = self.former();
        if former.exists() {
            let _ = fs::remove_dir_all(former);
        }
    }

    /// The current set cannot be read: the former one takes its place, if there is one, and the
    /// next run asks the servers.
    pub(crate) fn reject(&self) -> bool {
        let former = self.former();
        let Ok(CacheLock::Held(_lock)) = self.try_lock() else {
            return false;
        };
        let exchanged =
            rustix::fs::renameat_with(CWD, &former, CWD, self.live(), RenameFlags::EXCHANGE);
        let restored = match exchanged {
            Ok(()) => fs::remove_dir_all(&former).is_ok(),
            Err(_) if former.is_dir() => {
                fs::remove_dir_all(self.live()).is_ok() && fs::rename(&former, self.live()).is_ok()
            }
            Err(_) => false,
        };
        if restored {
            let _ = fs::remove_file(self.root.join("lastrefresh"));
        }
        restored
    }

    /// Whether the last refresh is younger than `expire` (`None`: never expires). The marker's
    /// change time counts, as in C tdnf. A marker from the future counts as expired.
    pub(crate) fn is_fresh(&self, now: u64, expire: Option<Duration>) -> bool {
        let Ok(about) = fs::symlink_metadata(self.root.join("lastrefresh")) else {
            return false;
        };
        let Some(expire) = expire else { return true };
        let then = u64::try_from(about.ctime()).unwrap_or(0);
        if then > now.saturating_add(CLOCK_SLACK) {
            return false;
        }
        now.saturating_sub(then) < expire.as_secs()
    }

    /// Marks the cache as refreshed now, by a new file: an old one may have a second name elsewhere.
    pub(crate) fn touch(&self) -> Result<()> {
        write(&self.root.join("lastrefresh"), b"")
    }

    /// The current set, if its index is whole and, where asked for, signed.
    pub(crate) fn load(&self, repo: &RepoRefresh<'_>) -> Option<LoadedSet> {
        let dir = self.live();
        let text = read_plain(&dir.join(STATE), MAX_STATE)?;
        let state = SetFacts::parse(std::str::from_utf8(&text).ok()?)?;
        let path = dir.join("repomd.xml");
        let bytes = read_plain(&path, repomd::MAX_SIZE as u64)?;
        let digest = Hasher::digest(DigestAlgo::Sha256, &bytes);
        if digest.to_string() != state.repomd {
            return None;
        }
        if repo.config.repo_gpgcheck {
            let signature = read_plain(&dir.join("repomd.xml.asc"), super::index::MAX_SIGNATURE)?;
            repo.check_signature?(&signature, &bytes).ok()?;
        }
        let mut repomd = repomd::parse(&path.display().to_string(), &bytes).ok()?;
        let misplaced = repomd.take_misplaced();
        let (mut parts, mut missing) = (Vec::new(), Vec::new());
        for kind in repo.wanted() {
            match (repomd.record(kind), kind) {
                (None, "primary") => missing.push(kind.to_owned()),
                (None, _) => {}
                (Some(record), _) => {
                    let name = local_name(record);
                    let path = dir.join(&name);
                    if state.is_untouched(&name, &path) || is_whole(&path, record) {
                        parts.push(PartFile::new(kind, path, record));
                    } else {
                        missing.push(kind.to_owned());
                    }
                }
            }
        }
        Some(LoadedSet {
            repomd,
            misplaced,
            index: bytes,
            digest,
            parts,
            missing,
            state,
        })
    }

    /// Writes index, signature and state beside the staged parts.
    pub(crate) fn write_index(&self, new: &NewIndex, files: &[PartFile]) -> Result<()> {
        let dir = self.staging();
        write(&dir.join("repomd.xml"), &new.bytes)?;
        if let Some(signature) = &new.signature {
            write(&dir.join("repomd.xml.asc"), signature)?;
        }
        self.write_state(&dir, &new.state, files)
    }

    /// Writes the state of the set in `dir`.
    pub(crate) fn write_state(
        &self,
        dir: &Path,
        state: &SetFacts,
        files: &[PartFile],
    ) -> Result<()> {
        let mut state = state.clone();
        for file in files {
            let about = fs::symlink_metadata(&file.path)
                .map_err(|e| Error::io(&file.path, "look at", e))?;
            let name = local_name(&file.record);
            state.parts.retain(|(known, _)| *known != name);
            state.parts.push((name, Stamp::of(&about)));
        }
        write(&dir.join(STATE), state.text().as_bytes())
    }

    /// Puts the staged set in the place of the current one. With `keep` there is a good set to
    /// lose: the new one is made safe on disk first.
    pub(crate) fn swap(&self, keep: bool) -> Result<()> {
        let (live, staging, former) = (self.live(), self.staging(), self.former());
        remove_leftovers(&staging);
        if keep {
            for name in ["repomd.xml", STATE] {
                let path = staging.join(name);
                sync(&path)?;
            }
            sync(&staging)?;
        }
        match rustix::fs::renameat_with(CWD, &staging, CWD, &live, RenameFlags::EXCHANGE) {
            Ok(()) => {
                // A former set is still there: the one just replaced has never been read.
                if former.exists() || fs::rename(&staging, &former).is_err() {
                    let _ = fs::remove_dir_all(&staging);
                }
                return Ok(());
            }
            Err(rustix::io::Errno::NOENT) => {}
            Err(_) if live.exists() => {
                // No exchange on this file system: recover() repairs what a crash in between leaves.
                let _ = fs::remove_dir_all(&former);
                fs::rename(&live, &former).map_err(|e| Error::io(&live, "set aside", e))?;
            }
            Err(_) => {}
        }
        fs::rename(&staging, &live).map_err(|e| Error::io(&live, "put in place", e))
    }

    /// Highest (timestamp, revision) seen: of this folder, or, where nothing was seen at its address yet, of the folders
    /// that the repository had while its address was written otherwise. Where it was written alike its variables had
    /// other values: that is another release or architecture, which may be older.
    pub(crate) fn seen(&self, address: &str) -> Option<(u64, u64)> {
        let elsewhere = || {
            let seen = self.former_roots().into_iter();
            let seen = seen.filter_map(|root| seen_in(&root));
            let moved =
                seen.filter(|(_, of)| address.is_empty() || !of.is_empty() && *of != mark(address));
            moved.map(|(age, _)| age).max()
        };
        seen_in(&self.root).map(|(age, _)| age).or_else(elsewhere)
    }

    /// The folders of the same repository for other addresses: `<id>-<8 hexadecimal digits>` beside this one.
    fn former_roots(&self) -> Vec<PathBuf> {
        let own = self.root.file_name().and_then(OsStr::to_str);
        let Some((id, _)) = own.and_then(id_and_hash) else {
            return Vec::new();
        };
        let beside = self
            .root
            .parent()
            .and_then(|parent| fs::read_dir(parent).ok());
        let folders = beside.into_iter().flatten().flatten();
        let same = folders.filter(|entry| {
            let name = entry.file_name();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            is_folder
                && name
                    .to_str()
                    .and_then(id_and_hash)
                    .is_some_and(|(other, _)| other == id)
        });
        same.map(|entry| entry.path()).collect()
    }

    /// Notes the age of an accepted index at an address as it is written, or a greater one that was seen before unless older ones are allowed. A
    /// clock that is plainly wrong notes nothing.
    pub(crate) fn remember(&self, repomd: &Repomd, address: &str, now: u64, allow_older: bool) {
        if now < super::index::PLAUSIBLE_NOW {
            return;
        }
        let before = self.seen(address).filter(|_| !allow_older);
        let age = super::index::age(repomd).max(before.unwrap_or_default());
        let noted = (age, mark(address));
        if seen_in(&self.root).as_ref() == Some(&noted) {
            return;
        }
        // Not fatal: only the next comparison suffers.
        let _ = write(
            &self.root.join("seen"),
            format!("{} {} {}\n", age.0, age.1, noted.1).as_bytes(),
        );
    }
}

/// What was seen in a cache folder, and the [`mark`] of the address then.
fn seen_in(root: &Path) -> Option<((u64, u64), String)> {
    let bytes = read_plain(&root.join("seen"), 4096)?;
    let text = String::from_utf8(bytes).ok()?;
    let mut words = text.split_whitespace();
    let age = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((age, words.next().unwrap_or_default().to_owned()))
}

/// A short name of an address as it is written; none of an empty one.
fn mark(address: &str) -> String {
    let mut mark = Hasher::digest(DigestAlgo::Sha256, address.as_bytes()).hex();
    mark.truncate(if address.is_empty() { 0 } else { 8 });
    mark
}

/// The parts of a cache folder's name ([`rpm_repo::layout::cache_dir_name`]).
fn id_and_hash(name: &str) -> Option<(&str, &str)> {
    let (id, hash) = name.rsplit_once('-')?;
    let is_hash = hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then_some((id, hash))
}

fn is_whole(path: &Path, record: &repomd::RepomdRecord) -> bool {
    let Some(wanted) = record.checksum else {
        return false;
    };
    let Ok(file) = open_plain(path, OFlags::RDONLY) else {
        return false;
    };
    hash_file(file, wanted.algo()).is_ok_and(|found| found == wanted)
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let replace = || whole_file::replace(path, bytes, Access::Umask, Durability::Cache);
    remove_odd(path)
        .and_then(|()| replace())
        .map_err(|e| Error::io(path, "write", e))
}

fn sync(path: &Path) -> Result<()> {
    let file = File::open(path).map_err(|e| Error::io(path, "open", e))?;
    file.sync_data().map_err(|e| Error::io(path, "sync", e))
}

/// Parts of parts do not belong into a whole set.
fn remove_leftovers(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if UNFINISHED.iter().any(|end| name.ends_with(end)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
