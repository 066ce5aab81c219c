//! Points tried, and what came of them.

use std::fmt::Display;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::site::Found;

/// Failures that are shown; all are counted.
const SHOWN: usize = 8;

/// What came of all points.
#[derive(Default)]
pub(super) struct Tally {
    old: AtomicUsize,
    new: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Tally {
    pub(super) fn note(&self, point: &dyn Display, found: Result<Found, String>) {
        match found {
            Ok(Found::Old) => {
                self.old.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Found::New) => {
                self.new.fetch_add(1, Ordering::Relaxed);
            }
            Err(why) => self
                .failures
                .lock()
                .unwrap()
                .push(format!("{point}: {why}")),
        }
    }

    /// Prints the numbers; fails if a point failed or none came out as the old system, or none as the new one.
    pub(super) fn tell(&self, what: &str) {
        let count = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        let (old, new) = (count(&self.old), count(&self.new));
        let failures = self.failures.lock().unwrap();
        let bad = failures.len();
        let points = old + new + bad;
        println!("{what}: {points} points, {old} old, {new} new, {bad} failures");
        failures
            .iter()
            .take(SHOWN)
            .for_each(|failure| println!("{}\n", failure.get(..4000).unwrap_or(failure)));
        assert!(
            failures.is_empty(),
            "{bad} of {points} points failed: see above"
        );
        assert!(
            old > 0 && new > 0,
            "both sides of the commit point must be met"
        );
    }
}

/// `sample` of the numbers from 1 to `calls`, spread evenly; all of them with `TDNF_CRASH=all`, or those of
/// `TDNF_CRASH=first-last`.
pub(super) fn points(calls: usize, sample: usize) -> Vec<usize> {
    let wish = std::env::var("TDNF_CRASH").unwrap_or_default();
    if let Some((first, last)) = wish.split_once('-') {
        let number = |word: &str| word.parse::<usize>().unwrap();
        return (number(first)..=number(last)).collect();
    }
    if everything() || calls <= sample {
        return (1..=calls).collect();
    }
    let steps = sample - 1;
    (0..sample).map(|n| 1 + n * (calls - 1) / steps).collect()
}

/// Is every point wanted, or a sample?
pub(super) fn everything() -> bool {
    std::env::var_os("TDNF_CRASH").is_some_and(|word| word == "all")
}

/// Tries each point, as many at once as the machine has processors.
pub(super) fn each<T: Sync>(points: &[T], work: &(dyn Fn(&T) + Sync)) {
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(point);
                }
            });
        }
    });
}
