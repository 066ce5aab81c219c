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
use testkit::fixtures::unprivileged;

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
    if unprivileged() {
        return;
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
        if !listed.differs(*number) {
            let command = &samples[number].command;
            wrong.push(format!(
                "[{number}] {command}\n    {}",
                lines.join("\n    ")
            ));
        }
    }
    for number in outcome.equal.iter().filter(|n| listed.differs(**n)) {
        wrong.push(format!(
            "[{number}] is equal, but docs/differences.md says that it differs"
        ));
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

/// Percent of the counted samples that are equal. Counted is what is rebuilt and where the C
/// program's answer is none of the plain faults that the reference lists (a crash, a hole, an
/// option that is ignored); each of those, too, is played and stands in the documentation.
const LEAST_EQUAL: usize = 95;

/// Nearly all counted samples are equal, enough are counted, none is listed twice, and what is
/// listed as a fault is one.
#[test]
fn nearly_all_samples_are_equal() {
    let Some(samples) = samples() else { return };
    let listed = Listed::read();
    let quirks: BTreeSet<u32> = listed.quirks.keys().copied().collect();
    let lists = [&quirks, &listed.fixes, &listed.not_rebuilt];
    let named: Vec<u32> = lists.into_iter().flatten().copied().collect();
    let different: BTreeSet<u32> = named.iter().copied().collect();
    assert_eq!(named.len(), different.len(), "one is listed twice");
    assert!(named.iter().all(|number| samples.contains_key(number)));
    if let Some(faults) = reference::faults() {
        let wrong = listed
            .quirks
            .iter()
            .find(|(_, fault)| !faults.contains(fault));
        assert_eq!(wrong, None, "the reference has no such fault");
    }
    let rebuilt = samples.len() - listed.not_rebuilt.len();
    let equal = rebuilt - quirks.len() - listed.fixes.len();
    let counted = rebuilt - quirks.len();
    println!(
        "{} samples, {rebuilt} played: {equal} equal, {} faults of the C program, {} further \
         fixes; {equal} of {counted} without the faults",
        samples.len(),
        quirks.len(),
        listed.fixes.len(),
    );
    assert!(counted >= 300, "{counted} are counted");
    assert!(
        equal * 100 >= counted * LEAST_EQUAL,
        "{equal} of {counted} are equal"
    );
}

/// Every command and every error number of the samples is played and among those that are equal,
/// but for the numbers that only a listed difference has.
#[test]
fn equal_samples_have_every_command_and_error() {
    let Some(samples) = samples() else { return };
    let listed = Listed::read();
    let is_equal = |number: &u32| !listed.differs(*number) && !listed.not_rebuilt.contains(number);
    let of = |kind: fn(&Sample) -> BTreeSet<String>| {
        let all: BTreeSet<String> = samples.values().flat_map(kind).collect();
        let equal = samples.iter().filter(|(number, _)| is_equal(number));
        let equal: BTreeSet<String> = equal.flat_map(|(_, sample)| kind(sample)).collect();
        let left: Vec<String> = all.difference(&equal).cloned().collect();
        (all.len(), left)
    };
    let (commands, left) = of(commands_of);
    println!("{commands} commands");
    assert!(
        commands >= 25 && left.is_empty(),
        "{commands}, without {left:?}"
    );
    let (errors, left) = of(errors_of);
    println!("{errors} error numbers, only in listed differences: {left:?}");
    assert_eq!(left, ONLY_DIFFERENT);
}

/// Error numbers of samples that all are listed as different. 1037 is a warning of files, with 1514 only the import of keys
/// differs, 1613, 1801 and 1802 are answered, and what is said beside 2500 is a warning.
const ONLY_DIFFERENT: &[&str] = &["1037", "1514", "1613", "1801", "1802", "2500"];

/// The commands that a sample's line names.
fn commands_of(sample: &Sample) -> BTreeSet<String> {
    let all = tdnf::commands::ALL.iter();
    let names: Vec<&str> = all
        .flat_map(|command| std::iter::once(command.name).chain(command.aliases.iter().copied()))
        .collect();
    let words = sample.command.split_whitespace();
    // The first of them is the command, what follows are its words.
    let first = words.filter(|word| names.contains(word)).take(1);
    first.map(str::to_owned).collect()
}

/// The numbers of `Error(N)`.
fn errors_of(sample: &Sample) -> BTreeSet<String> {
    let text = format!("{}\n{}", sample.out, sample.err);
    let found = text.split("Error(").skip(1);
    let numbers = found.filter_map(|rest| rest.split_once(") :"));
    numbers.map(|(number, _)| number.to_owned()).collect()
}
