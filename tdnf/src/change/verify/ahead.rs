//! Packages are examined while others still come, and on all processors once they are there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rpm_transaction::Identity;
use rpm_trust::policy::Evidence;
use rpm_trust::{Keyring, SignatureState};

use super::examine;
use crate::change::fetch::FetchedPackage;
use crate::error::Outcome;
use crate::plan::Plan;

/// How long files gather before they are examined: where all come sooner a thread gains nothing, and costs its memory.
const BEAT: Duration = Duration::from_millis(500);

/// Bytes for which further threads are worth their memory.
const WORTH: u64 = 8 << 20;
/// Most threads that examine.
const MAX_THREADS: usize = 4;

/// What files were found to be, by the number of the change in the plan. A file is not in it where it was not looked
/// at, as the last ones are not: whoever needs it examines it then.
#[derive(Debug, Default)]
pub(in crate::change) struct Examined(BTreeMap<usize, (Identity, Evidence)>);

impl Examined {
    /// What was found, once.
    pub(in crate::change) fn take(&mut self, change: usize) -> Option<(Identity, Evidence)> {
        self.0.remove(&change)
    }

    /// Examines the files that were not looked at while they came, on all processors where that is worth it. What is
    /// wrong with one is found again when it is judged, in the order of the plan.
    pub(in crate::change) fn add_rest(
        &mut self,
        plan: &Plan,
        files: &[FetchedPackage],
        keyring: &Keyring,
        now: u64,
    ) {
        let rest = files
            .iter()
            .filter(|file| !self.0.contains_key(&file.change));
        let rest = rest.filter_map(|file| Some((file, plan.changes.get(file.change)?)));
        let rest: Vec<_> = rest.collect();
        let size = |(file, _): &(&FetchedPackage, _)| file.path.metadata().map_or(0, |of| of.len());
        let threads = thread::available_parallelism().map_or(1, usize::from);
        if threads < 2 || rest.iter().map(size).sum::<u64>() < WORTH {
            return;
        }
        let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        let examine_some = || {
            let mut found = Vec::new();
            while let Some((file, change)) = rest.get(next.fetch_add(1, Ordering::Relaxed))
                && !is_over.load(Ordering::Relaxed)
            {
                let result = examine(&file.path, change, keyring, now);
                // The run ends with a bad file, and with a new key all that follow are examined anew.
                let ends = result
                    .as_ref()
                    .map_or(true, |(_, evidence)| needs_key(evidence));
                is_over.fetch_or(ends, Ordering::Relaxed);
                found.extend(result.ok().map(|result| (file.change, result)));
            }
            found
        };
        thread::scope(|scope| {
            let spawn = |_| {
                thread::Builder::new()
                    .spawn_scoped(scope, examine_some)
                    .ok()
            };
            let others: Vec<_> = (1..threads.min(MAX_THREADS)).filter_map(spawn).collect();
            self.0.extend(examine_some());
            for other in others {
                self.0.extend(other.join().unwrap_or_default());
            }
        });
    }
}

/// Runs `work`, which tells of each file (change and path) that is there, and examines those beside it with the keys of
/// `keyring` at the time `now`. What is wrong with a file is found again, and said, when it is its turn to be judged.
///
/// # Errors
/// Those of `work`.
pub(in crate::change) fn beside<T>(
    plan: &Plan,
    keyring: &Keyring,
    now: u64,
    work: impl FnOnce(&mut dyn FnMut(usize, PathBuf)) -> Outcome<T>,
) -> Outcome<(T, Examined)> {
    let (tell, told) = mpsc::channel::<(usize, PathBuf)>();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let examine_all = || {
            let told = told;
            let mut examined = Examined::default();
            loop {
                if over.load(Ordering::Relaxed) {
                    return examined;
                }
                let Ok((index, path)) = told.try_recv() else {
                    thread::park_timeout(BEAT);
                    continue;
                };
                let Some(change) = plan.changes.get(index) else {
                    continue;
                };
                let Ok(found) = examine(&path, change, keyring, now) else {
                    continue;
                };
                let waits = needs_key(&found.1);
                examined.0.insert(index, found);
                // With a new key all that follow are examined anew.
                if waits {
                    return examined;
                }
            }
        };
        // Without a thread everything is examined when it is judged.
        let worker = thread::Builder::new().spawn_scoped(scope, examine_all).ok();
        let done = work(&mut |change, path| drop(tell.send((change, path))));
        over.store(true, Ordering::Relaxed);
        let examined = worker.and_then(|worker| {
            worker.thread().unpark();
            worker.join().ok()
        });
        Ok((done?, examined.unwrap_or_default()))
    })
}

/// Whether keys that the keyring has not may change what was found.
fn needs_key(evidence: &Evidence) -> bool {
    let states = evidence.signatures.iter();
    states
        .map(|(_, state)| state)
        .any(|state| !matches!(state, SignatureState::Good(_)))
}
