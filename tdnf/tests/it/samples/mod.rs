//! The runs of the reference, each in its situation: the same command on a system that was
//! brought to the same state by recipes of ours, compared by meaning.
//!
//! What differs stands in `docs/differences.md`, section "Samples", with the sample's number; a
//! sample whose situation is not rebuilt stands there with the reason. The tests hold both lists
//! to be exact. A sample that differs does not end the row: the state that the next ones need is
//! made by the steps between them.

mod compare;
mod listed;
mod part_1;
mod part_2;
mod part_3;
mod part_4;
mod recipes;
mod reference;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use listed::Listed;
use reference::{Sample, samples};
use stage::{Call, Stage};

/// A sample that the tests play.
pub(crate) struct Played {
    pub(crate) command: String,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// All samples whose situations are rebuilt; none where the samples are not at hand.
pub(crate) fn played() -> BTreeMap<u32, Played> {
    let listed = Listed::read();
    let all = samples().unwrap_or_default().into_iter();
    let played = all.filter(|(number, _)| !listed.not_rebuilt.contains(number));
    let played = played.map(|(number, sample)| {
        let Sample {
            command, out, err, ..
        } = sample;
        (number, Played { command, out, err })
    });
    played.collect()
}

/// One step of a row of samples.
enum Step {
    /// Runs these samples one after the other as their lines say.
    Samples(RangeInclusive<u32>),
    /// Runs one with more than its line tells.
    Sample(u32, Call<'static>),
    /// Brings the system where the next one needs it.
    Do(fn(&mut Stage)),
}

/// A sample with its words where the line does not show them apart.
const fn words(number: u32, words: &'static [&'static str]) -> Step {
    Step::Sample(
        number,
        Call {
            words: Some(words),
            input: "",
            dir: "",
            unprivileged: false,
        },
    )
}

/// A sample with what was typed.
const fn typed(number: u32, input: &'static str) -> Step {
    Step::Sample(
        number,
        Call {
            words: None,
            input,
            dir: "",
            unprivileged: false,
        },
    )
}

/// What came of a row of samples.
#[derive(Default)]
struct Outcome {
    equal: BTreeSet<u32>,
    different: BTreeMap<u32, Vec<String>>,
}

fn play(samples: &BTreeMap<u32, Sample>, steps: &[Step]) -> Outcome {
    let mut stage = Stage::new();
    let mut outcome = Outcome::default();
    let plain = Call::default();
    for step in steps {
        match step {
            Step::Do(change) => change(&mut stage),
            Step::Sample(number, call) => run(&stage, samples, *number, call, &mut outcome),
            Step::Samples(numbers) => {
                for number in numbers.clone() {
                    run(&stage, samples, number, &plain, &mut outcome);
                }
            }
        }
    }
    outcome
}

fn run(
    stage: &Stage,
    samples: &BTreeMap<u32, Sample>,
    number: u32,
    call: &Call<'_>,
    outcome: &mut Outcome,
) {
    let sample = samples
        .get(&number)
        .unwrap_or_else(|| panic!("there is no sample {number}"));
    let done = stage.call(sample, call);
    let lines = compare::differences(stage, sample, &done);
    if lines.is_empty() {
        outcome.equal.insert(number);
    } else {
        outcome.different.insert(number, lines);
    }
}

/// Plays a part and holds it against the lists of the documentation.
#[track_caller]
fn check(part: RangeInclusive<u32>, steps: &[Step]) {
    let Some(samples) = samples() else { return };
    if !rustix::process::geteuid().is_root() {
        return testkit::fixtures::skipped("not root");
    }
    let outcome = play(&samples, steps);
    let listed = Listed::read();
    println!(
        "samples {}-{}: {} equal, {} different, {} not rebuilt",
        part.start(),
        part.end(),
        outcome.equal.len(),
        outcome.different.len(),
        listed.not_rebuilt.range(part.clone()).count(),
    );
    let mut wrong = Vec::new();
    for (number, lines) in &outcome.different {
        if !listed.different.contains(number) {
            let command = &samples[number].command;
            wrong.push(format!(
                "[{number}] {command}\n    {}",
                lines.join("\n    ")
            ));
        }
    }
    for number in listed.different.range(part.clone()) {
        if outcome.equal.contains(number) {
            wrong.push(format!(
                "[{number}] is equal, but docs/differences.md says that it differs"
            ));
        }
    }
    for number in samples.range(part).map(|(number, _)| *number) {
        let rebuilt = outcome.equal.contains(&number) || outcome.different.contains_key(&number);
        if rebuilt == listed.not_rebuilt.contains(&number) {
            let is = if rebuilt { "rebuilt" } else { "not rebuilt" };
            wrong.push(format!(
                "[{number}] is {is}, docs/differences.md says otherwise"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn samples_of_part_1() {
    check(1..=999, part_1::STEPS);
}

#[test]
fn samples_of_part_2() {
    check(1001..=1999, part_2::STEPS);
}

#[test]
fn samples_of_part_3() {
    check(2001..=2999, part_3::STEPS);
}

#[test]
fn samples_of_part_4() {
    check(3001..=3999, part_4::STEPS);
}

/// Percent of the played samples that are equal; each of the others is a fix of the C program's
/// behaviour and listed.
const LEAST_EQUAL: usize = 85;

/// Most samples are equal, enough are rebuilt, and none is listed twice.
#[test]
fn nearly_all_samples_are_equal() {
    let Some(samples) = samples() else { return };
    let listed = Listed::read();
    let known: BTreeSet<u32> = samples.keys().copied().collect();
    assert!(listed.different.is_disjoint(&listed.not_rebuilt));
    assert!(listed.different.is_subset(&known) && listed.not_rebuilt.is_subset(&known));
    let rebuilt = samples.len() - listed.not_rebuilt.len();
    let equal = rebuilt - listed.different.len();
    println!(
        "{} samples, {rebuilt} rebuilt, {equal} equal",
        samples.len()
    );
    assert!(rebuilt >= 300, "{rebuilt} are rebuilt");
    assert!(
        equal * 100 >= rebuilt * LEAST_EQUAL,
        "{equal} of {rebuilt} are equal"
    );
}
