//! Generated worlds, each with one request: tdnf and dnf 4 leave the same set of packages, or both refuse, or the
//! difference is of a kind that is listed with its reason.
//!
//! `TDNF_WORLDS=2000` tries so many instead of the usual 200, `TDNF_TEST_SEED=N` other ones.

mod differences;
mod journeys;
mod package;
mod stage;
mod tally;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use differences::Case;
use stage::{Peer, Verdict};
use tally::Tally;
use testkit::fixtures::unprivileged;
use world::World;

/// Worlds of one run, and the seed of the first.
const USUAL: u64 = 200;
const SEED: u64 = 1;
/// Every so many worlds the request is carried out, and rpm is asked what is there.
const CARRIED_OUT: u64 = 20;

fn number(variable: &str, usual: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Puts one world to both.
fn case(seed: u64, dnf: &mut Peer) -> Case {
    let dir = tempfile::tempdir().unwrap();
    let world = World::generate(seed);
    world.write(dir.path());
    let peer = world.asked_of_dnf(dir.path(), dnf);
    let own = world.asked_of_tdnf(dir.path());
    if let Some((own, peer)) = world.updates(dir.path(), dnf) {
        assert_eq!(own, peer, "check-update (tdnf, dnf), seed {seed}: {world}");
    }
    if let (Verdict::After(after), true) = (&own, seed.is_multiple_of(CARRIED_OUT)) {
        assert_eq!(
            world.carried_out(dir.path()),
            *after,
            "seed {seed}: {world}"
        );
    }
    Case { world, own, peer }
}

#[test]
fn tdnf_and_dnf_leave_the_same_packages() {
    if unprivileged() {
        return;
    }
    let (first, count) = (number("TDNF_TEST_SEED", SEED), number("TDNF_WORLDS", USUAL));
    println!("TDNF_TEST_SEED={first} TDNF_WORLDS={count}");
    let next = AtomicU64::new(first);
    let work = || {
        let (mut dnf, mut tally) = (Peer::start(), Tally::default());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return tally;
            }
            tally.add(seed, &case(seed, &mut dnf));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let tally = thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let all = all.into_iter().map(|thread| thread.join().unwrap());
        all.fold(Tally::default(), Tally::with)
    });
    println!("{tally}");
    tally.assert(count);
}
