//! Random transactions against rpm 4.20 and 6.1, as `random` makes them against 4.18.
//!
//! A sample runs where the roots are; `TDNF_GENERATIONS=all` runs them all.

use super::oracle::Oracle;
use super::random::random_transactions;
use super::rows::everything;
use super::*;

/// Transactions of one run in a sample, and in all.
const SAMPLE: usize = 8;
const ALL: usize = 30;

fn against(suite: &str, number: u64) {
    let Some(oracle) = Oracle::of(suite) else {
        return;
    };
    let steps = if everything() { ALL } else { SAMPLE };
    random_transactions(number, steps, &Pair::with(Some(oracle)), &mut |_| {});
    println!("{suite}, run {number}: {steps} transactions");
}

macro_rules! runs {
    ($($name:ident $suite:literal $number:literal)*) => {
        $(
            #[test]
            fn $name() {
                against($suite, $number);
            }
        )*
    };
}

runs! {
    rpm_4_20_run_1 "trixie" 1 rpm_4_20_run_2 "trixie" 2 rpm_4_20_run_3 "trixie" 3
    rpm_6_run_1 "sid" 1 rpm_6_run_2 "sid" 2 rpm_6_run_3 "sid" 3
}
