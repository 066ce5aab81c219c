//! `replay TARGET SEED...`: a fuzz target on its seeds and on what is near them, without the engine.
//!
//! A program of its own, so that what it takes in by path comes without its tests.

#![allow(clippy::unwrap_used)]

#[allow(missing_docs, unreachable_pub, clippy::module_inception)] // It is the library of the fuzz targets.
#[path = "../../../fuzz/src/lib.rs"]
mod fuzz;

/// Inputs made of each seed.
const NEAR: usize = 40;
/// Longest input that is changed, in bytes: a longer one is run as it is.
const LONGEST: usize = 64 << 10;

macro_rules! targets {
    ($($name:ident)*) => {
        fn target(name: &str) -> fn(&[u8]) {
            match name {
                $(stringify!($name) => fuzz::$name::run,)*
                _ => panic!("there is no target {name}"),
            }
        }
    };
}

targets! {
    bundle catalog comps deltas filelists header history journal keys lock metalink modules payload primary repofile
    rpmdb scriptlet updateinfo
}

fn main() {
    let mut words = std::env::args().skip(1);
    let target = target(&words.next().expect("a target"));
    for (number, seed) in words.enumerate() {
        let seed = std::fs::read(seed).unwrap();
        target(&seed);
        if seed.is_empty() || seed.len() > LONGEST {
            continue;
        }
        let mut random = fastrand::Rng::with_seed(number as u64);
        for _ in 0..NEAR {
            target(&near(&seed, &mut random));
        }
    }
}

/// A seed with one to three bytes changed, half of the time cut.
fn near(seed: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut near = seed.to_vec();
    for _ in 0..random.usize(1..4) {
        let place = random.usize(..near.len());
        near[place] = *random
            .choice(b"\0\x01\x7f\x80\xff<>&\"'\n: {}[]-09")
            .unwrap();
    }
    if random.bool() {
        near.truncate(random.usize(..near.len()));
    }
    near
}
