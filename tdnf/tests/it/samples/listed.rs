//! The lists of `docs/differences.md`.

use std::collections::BTreeSet;
use std::path::Path;

/// Numbers of samples that the documentation names.
#[derive(Default)]
pub(super) struct Listed {
    /// We mean something else, for a reason.
    pub(super) different: BTreeSet<u32>,
    /// The situation is not rebuilt.
    pub(super) not_rebuilt: BTreeSet<u32>,
}

impl Listed {
    /// Reads the tables under "Samples that differ" and "Samples that are not rebuilt": numbers,
    /// separated by commas, in the first column.
    pub(super) fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/differences.md");
        let text = std::fs::read_to_string(&path).expect("the documentation is there");
        let mut listed = Self::default();
        let mut list: Option<fn(&mut Self) -> &mut BTreeSet<u32>> = None;
        for line in text.lines() {
            match line.strip_prefix("## ") {
                Some("Samples that differ") => list = Some(|listed| &mut listed.different),
                Some("Samples that are not rebuilt") => {
                    list = Some(|listed| &mut listed.not_rebuilt)
                }
                Some(_) => list = None,
                None => {}
            }
            let Some(cell) = line.strip_prefix('|').and_then(|row| row.split('|').next()) else {
                continue;
            };
            let Some(list) = list else { continue };
            for word in cell
                .split(',')
                .map(str::trim)
                .filter(|word| word.bytes().all(|b| b.is_ascii_digit()))
            {
                if let Ok(number) = word.parse() {
                    assert!(
                        list(&mut listed).insert(number),
                        "sample {number} is listed twice"
                    );
                }
            }
        }
        listed
    }
}
