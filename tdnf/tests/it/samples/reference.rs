//! The runs of the reference as they stand in `tdnf-samples.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// One run of the C program.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    /// The command line as it is written there.
    pub(super) command: String,
    /// The run was on a terminal of 100 columns; everything it said stands in `out`.
    pub(super) terminal: bool,
    pub(super) out: String,
    pub(super) err: String,
    pub(super) code: i32,
}

/// Where the samples are: beside the checkout, as all that is read and not copied.
fn file() -> Option<PathBuf> {
    let path = testkit::fixtures::shared()?.join("reference/tdnf-samples.txt");
    path.is_file().then_some(path)
}

/// The numbers of the faults that `docs/reference/tdnf.md` lists in section 22; none without it.
pub(super) fn faults() -> Option<BTreeSet<u32>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/tdnf.md");
    let text = std::fs::read_to_string(path).ok()?;
    let (_, rest) = text.rsplit_once("\n## 22. ")?;
    let (last, _) = rest.split_once("\n## ")?;
    let number = |line: &str| line.split_once(". ")?.0.parse().ok();
    Some(last.lines().filter_map(number).collect())
}

/// All samples by number, or none after saying that the test is skipped.
pub(super) fn samples() -> Option<BTreeMap<u32, Sample>> {
    let Some(path) = file() else {
        testkit::fixtures::skipped(
            "no reference/tdnf-samples.txt in the shared folder (TDNF_SHARED)",
        );
        return None;
    };
    let text = std::fs::read_to_string(&path).expect("the samples are readable");
    let mut all = BTreeMap::new();
    let mut open: Option<(u32, Sample, Part)> = None;
    for line in text.lines() {
        if let Some((number, sample)) = heading(line) {
            finish(&mut all, open.take());
            let part = if sample.terminal {
                Part::Out
            } else {
                Part::None
            };
            open = Some((number, sample, part));
            continue;
        }
        let Some((_, sample, part)) = &mut open else {
            continue;
        };
        match line {
            "--- stdout:" => *part = Part::Out,
            "--- stderr:" => *part = Part::Err,
            _ if line.starts_with("--- exit: ") => {
                sample.code = line["--- exit: ".len()..].trim().parse().expect("a number");
                *part = Part::None;
            }
            _ if line.starts_with("======") || line.starts_with("######") => *part = Part::None,
            _ => match part {
                Part::None => {}
                Part::Out => add(&mut sample.out, line),
                Part::Err => add(&mut sample.err, line),
            },
        }
    }
    finish(&mut all, open);
    Some(all)
}

#[derive(Clone, Copy)]
enum Part {
    None,
    Out,
    Err,
}

fn finish(all: &mut BTreeMap<u32, Sample>, done: Option<(u32, Sample, Part)>) {
    if let Some((number, sample, _)) = done {
        assert!(
            all.insert(number, sample).is_none(),
            "sample {number} stands there twice"
        );
    }
}

/// `############ [N] (tty) $ COMMAND`.
fn heading(line: &str) -> Option<(u32, Sample)> {
    let rest = line.strip_prefix("############ [")?;
    let (number, rest) = rest.split_once("] ")?;
    let (terminal, rest) = match rest.strip_prefix("(tty) ") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let command = rest.strip_prefix("$ ")?.to_owned();
    let sample = Sample {
        command,
        terminal,
        ..Sample::default()
    };
    Some((number.parse().ok()?, sample))
}

/// Adds a line, its written control characters made real.
fn add(text: &mut String, line: &str) {
    let ends = line.ends_with("<no newline at end>");
    let line = line.trim_end_matches("<no newline at end>");
    text.push_str(&line.replace("<CR>", "\r").replace("<ESC>", "\u{1b}"));
    if !ends {
        text.push('\n');
    }
}
