//! Who of those that want the same file fetches it, and who waits: clients of one repository, and repositories that list
//! the same file.

use std::collections::hash_map::{Entry, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rpm_pkg::digest::Digest;

/// How long a repository waits for a file that another one is fetching before it asks its own servers.
const SHARED_PATIENCE: Duration = Duration::from_secs(3);

/// Who asks for the same file: one after the other, and who waits has no thread.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// The files that clients ask for now.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<String, Turn>>>);

/// One client's wait for its turn, or its turn.
pub(super) struct InTurn {
    of: Turns,
    file: String,
    pub(super) turn: Turn,
}

impl Turns {
    pub(super) fn of(&self, file: &str) -> InTurn {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = all.entry(file.to_owned()).or_default();
        InTurn {
            of: self.clone(),
            file: file.to_owned(),
            turn: Arc::clone(turn),
        }
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        let mut all = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody but the list and this one knows of it.
        if Arc::strong_count(&self.turn) <= 2 {
            all.remove(&self.file);
        }
    }
}

/// The files that repositories are fetching.
#[derive(Default)]
pub(super) struct Fetching {
    /// How many repositories are fetching a file: several may list the same one.
    under_way: Mutex<HashMap<Digest, usize>>,
    /// One of them has ended.
    landed: Condvar,
}

impl Fetching {
    fn under_way(&self) -> MutexGuard<'_, HashMap<Digest, usize>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a file that another repository is fetching, but no longer than [`SHARED_PATIENCE`]: its servers may be
    /// slow, or may have no such file. Says that this one fetches it now.
    pub(super) fn begin(&self, digest: Digest) -> UnderWay<'_> {
        let wait = |busy: &mut HashMap<Digest, usize>| busy.contains_key(&digest);
        let (mut busy, _) = self
            .landed
            .wait_timeout_while(self.under_way(), SHARED_PATIENCE, wait)
            .unwrap_or_else(PoisonError::into_inner);
        *busy.entry(digest).or_default() += 1;
        UnderWay { all: self, digest }
    }
}

/// A file that a repository is fetching, until this is dropped.
pub(super) struct UnderWay<'a> {
    all: &'a Fetching,
    digest: Digest,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut busy = self.all.under_way();
        if let Entry::Occupied(mut count) = busy.entry(self.digest) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        drop(busy);
        self.all.landed.notify_all();
    }
}
