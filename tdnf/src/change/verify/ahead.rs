//! Packages are examined while others still come.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rpm_transaction::Identity;
use rpm_trust::policy::Evidence;
use rpm_trust::{Keyring, SignatureState};

use super::examine;
use crate::error::Outcome;
use crate::plan::Plan;

/// How long files gather before they are examined: where all come sooner a thread gains nothing, and costs its memory.
const BEAT: Duration = Duration::from_millis(500);

/// What files were found to be, by the number of the change in the plan. A file is not in it where it was not looked
/// at, as the last ones are not: whoever needs it examines it then.
#[derive(Debug, Default)]
pub(in crate::change) struct Examined(BTreeMap<usize, (Identity, Evidence)>);

impl Examined {
    /// What was found, once.
    pub(in crate::change) fn take(&mut self, change: usize) -> Option<(Identity, Evidence)> {
        self.0.remove(&change)
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
