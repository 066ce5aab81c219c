//! Package files of a cache that several runs share: none removes what another counts on.

use std::fs::{self, File};
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use whole_file::remove_odd;

use super::Session;

/// In the cache, for its owner alone: whoever can open it can keep others waiting.
const FILE: &str = ".in-use";

/// A file that all runs on a cache share; none where the cache cannot be written.
fn share(cache: &Path) -> Option<File> {
    whole_file::make_folders(cache.parent()?, cache).ok()?;
    let path = cache.join(FILE);
    // What is no file there is nobody's lock, and whose it is nobody knows.
    remove_odd(&path).ok()?;
    if path.is_symlink() {
        fs::remove_file(&path).ok()?;
    }
    let flags =
        OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR);
    let file = File::from(opened.ok()?);
    // Waits while another run removes its files, which is short.
    flock(&file, FlockOperation::LockShared).ok()?;
    Some(file)
}

impl Session<'_> {
    /// From now on no other run removes package files of the cache.
    pub fn use_cache(&self) {
        self.in_use.get_or_init(|| share(&self.cache_dir));
    }

    /// Does something with the package files of the cache if no other run uses them.
    pub fn alone_in_cache(&self, work: impl FnOnce()) {
        let file = self.in_use.get().and_then(Option::as_ref);
        let locked = file.map(|file| flock(file, FlockOperation::NonBlockingLockExclusive));
        if locked == Some(Err(Errno::WOULDBLOCK)) {
            tracing::debug!("another run uses the cache: package files stay in it");
        } else {
            work();
        }
        let _ = file.map(|file| flock(file, FlockOperation::LockShared));
    }
}
