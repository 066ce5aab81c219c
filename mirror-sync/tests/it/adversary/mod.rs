//! A hostile upstream and a hostile carrier of bundles: answers and bundles of every kind are replayed, exchanged, cut,
//! stretched, held back, drawn from a seed. What comes of it is what is right, or a clear error and a mirror that is as
//! it was; and nothing of it stays: afterwards an honest one is enough.
//!
//! `TDNF_ADVERSARY=5000` tries so many instead of the usual 300, `TDNF_TEST_SEED=N` other ones.

mod carrier;
mod client;
mod members;
mod upstream;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use testkit::program::Run;

use crate::scene::files_in;

const USUAL: u64 = 300;
const SEED: u64 = 1;
/// Hunts at once: most of their time is spent waiting.
const AT_ONCE: usize = 8;
/// Longest run, or answer of a server.
const MOST_TIME: Duration = Duration::from_secs(60);
/// The most memory of one run, in KiB.
const MOST_MEMORY: u64 = 128 * 1024;

/// How a hunt ended that ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// With what is right, all the same.
    Right,
    /// Refused; nothing changed.
    Refused,
}

/// Why a hunt ended badly.
type Hunted = Result<Outcome, String>;

/// Files below a folder, and what is in them.
type Shown = BTreeMap<String, Vec<u8>>;

fn shown(dir: &Path) -> Shown {
    let files = files_in(dir).into_iter();
    files
        .map(|name| (name.clone(), fs::read(dir.join(&name)).unwrap()))
        .collect()
}

/// What no run may do, however it ends.
pub(crate) fn behaved(run: &Run) -> Result<(), String> {
    let text = run.text();
    if run.code == -1 || text.contains("panicked") {
        return Err(format!("killed, or a panic: {text}"));
    }
    if run.time > MOST_TIME {
        return Err(format!("took {:?}: {text}", run.time));
    }
    match run.peak {
        Some(peak) if peak <= MOST_MEMORY => Ok(()),
        other => Err(format!("took {other:?} KiB: {text}")),
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Hunts seed after seed, and says how many ended how.
fn hunt(name: &str, count: u64, one: &(dyn Fn(u64) -> Hunted + Sync)) {
    let first = number("TDNF_TEST_SEED", SEED);
    println!("{name}: TDNF_TEST_SEED={first} TDNF_ADVERSARY={count}");
    let next = AtomicU64::new(first);
    let work = || {
        let seeds = std::iter::from_fn(|| {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            (seed < first + count).then_some(seed)
        });
        let told = |seed, why| format!("TDNF_TEST_SEED={seed} TDNF_ADVERSARY=1: {why}");
        seeds
            .map(|seed| one(seed).map_err(|why| told(seed, why)))
            .collect::<Vec<Hunted>>()
    };
    let results: Vec<Hunted> = thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap());
        ended.flatten().collect()
    });
    let wrong: Vec<&str> = results
        .iter()
        .filter_map(|one| one.as_ref().err().map(String::as_str))
        .collect();
    let right = results.iter().filter(|one| **one == Ok(Outcome::Right));
    let right = right.count();
    let refused = results.len() - right - wrong.len();
    println!("{count} hunts: {right} ended with what is right, {refused} refused");
    assert!(
        wrong.is_empty(),
        "{} of {count}: {}",
        wrong.len(),
        wrong.join("\n\n")
    );
    // Both ways out are really taken.
    assert!(count < 50 || (right > 0 && refused > 0));
}

/// The seeds are shared out among the three kinds of runs; a single one is tried with each.
fn share() -> u64 {
    number("TDNF_ADVERSARY", USUAL).div_ceil(3)
}

#[test]
fn row_125_a_hostile_upstream_of_sync() {
    let upstream = upstream::Upstream::new();
    hunt("sync", share(), &|seed| upstream.sync(seed));
}

#[test]
fn row_125_a_hostile_upstream_of_serve() {
    let upstream = upstream::Upstream::new();
    hunt("serve", share(), &|seed| client::serve(&upstream, seed));
}

#[test]
fn row_125_a_hostile_carrier_of_bundles() {
    let carrier = carrier::Carrier::new();
    hunt("bundle apply", share(), &|seed| carrier.apply(seed));
}
