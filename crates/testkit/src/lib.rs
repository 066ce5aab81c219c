//! For tests only: sandbox roots, package and repository builders, a server that misbehaves.
//!
//! Everything here panics with a clear line when the machine lacks what a test needs, except for what is allowed to
//! be absent (real fixtures, oracle roots): then the function answers `None` after printing `skipped: ...`.

pub mod adversary;
pub mod emulated;
pub mod fixtures;
pub mod gpg;
pub mod links;
pub mod many;
pub mod mounts;
pub mod opens;
pub mod program;
pub mod registry;
pub mod relay;
pub mod root;
pub mod rpm;
pub mod rpmdb;
pub mod server;
pub mod spec;
pub mod stage;
pub mod step;
pub mod stores;
pub mod tree;
pub mod words;

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed();
    since.expect("the clock is after 1970").as_secs()
}

/// Bytes that do not compress and in which no wrong offset can hide, the same for the same seed.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}
