//! The lists of `docs/differences.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Numbers of samples that the documentation names.
#[derive(Default)]
pub(super) struct Listed {
    /// What the C program answers is a plain fault, which the reference lists by this number.
    pub(super) quirks: BTreeMap<u32, u32>,
    /// We mean something else, for a reason.
    pub(super) fixes: BTreeSet<u32>,
    /// The situation is not rebuilt.
    pub(super) not_rebuilt: BTreeSet<u32>,
}

/// Headings of the three tables.
const QUIRKS: &str = "Samples that differ: faults of the C program";
const FIXES: &str = "Samples that differ: further fixes";
const NOT_REBUILT: &str = "Samples that are not rebuilt";

impl Listed {
    /// Reads the three tables: numbers, separated by commas, in the first column; in that of
    /// faults, the fault's number in the second.
    pub(super) fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/differences.md");
        let text = std::fs::read_to_string(&path).expect("the documentation is there");
        let mut listed = Self::default();
        let mut title = "";
        for line in text.lines() {
            if let Some(found) = line.strip_prefix("## ").or_else(|| line.strip_prefix("# ")) {
                title = found;
            }
            let mut cells = line.strip_prefix('|').unwrap_or_default().split('|');
            let (first, second) = (cells.next(), cells.next());
            for number in numbers(first.unwrap_or_default()) {
                let new = match title {
                    QUIRKS => {
                        let fault = numbers(second.unwrap_or_default()).next();
                        let fault = fault.unwrap_or_else(|| panic!("{number}: which fault?"));
                        listed.quirks.insert(number, fault).is_none()
                    }
                    FIXES => listed.fixes.insert(number),
                    NOT_REBUILT => listed.not_rebuilt.insert(number),
                    _ => true,
                };
                assert!(new, "sample {number} is listed twice");
            }
        }
        listed
    }

    /// Whether it is said that the sample differs.
    pub(super) fn differs(&self, number: u32) -> bool {
        self.quirks.contains_key(&number) || self.fixes.contains(&number)
    }
}

/// The numbers of a cell.
fn numbers(cell: &str) -> impl Iterator<Item = u32> {
    cell.split(',').filter_map(|word| word.trim().parse().ok())
}
