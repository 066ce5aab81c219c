//! Lock files and what differs between them.

use std::fmt::Write;

use rpm_repo::lock::Difference;
use serde::Serialize;
use serde_json::Value;

use crate::screen::View;

/// A lock file on standard output.
pub struct LockText<'a>(pub &'a str);

impl View for LockText<'_> {
    fn text(&self, _: usize) -> String {
        self.0.to_owned()
    }

    fn json(&self) -> impl Serialize {
        // Other formats than ours are no JSON.
        serde_json::from_str(self.0).unwrap_or_else(|_| Value::from(self.0))
    }
}

/// What differs between two locks, by architecture: a line each, below the name of the architecture where there are
/// several.
pub struct LockDifferences<'a>(pub &'a [(String, Vec<Difference>)]);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DifferenceRow<'a> {
    arch: &'a str,
    kind: &'static str,
    package: &'a str,
    old: Option<&'a str>,
    new: Option<&'a str>,
}

impl View for LockDifferences<'_> {
    fn text(&self, _: usize) -> String {
        let mut text = String::new();
        for (arch, differences) in self.0 {
            if self.0.len() > 1 {
                let _ = writeln!(text, "{arch}:");
            }
            for difference in differences {
                let _ = writeln!(text, "{difference}");
            }
        }
        text
    }

    fn json(&self) -> impl Serialize {
        let rows = self.0.iter();
        let rows = rows.flat_map(|(arch, differences)| {
            differences.iter().map(move |difference| {
                let (kind, package, old, new) = match difference {
                    Difference::Added(package) => ("Added", package, None, None),
                    Difference::Removed(package) => ("Removed", package, None, None),
                    Difference::Moved(package, old, new) => {
                        ("Moved", package, Some(old), Some(new))
                    }
                    Difference::Rebuilt(package, old, new) => {
                        ("Rebuilt", package, Some(old), Some(new))
                    }
                    Difference::Signed(package, old, new) => {
                        ("Signed", package, Some(old), Some(new))
                    }
                    Difference::Gone(package) => ("Gone", package, None, None),
                };
                DifferenceRow {
                    arch,
                    kind,
                    package,
                    old: old.map(String::as_str),
                    new: new.map(String::as_str),
                }
            })
        });
        rows.collect::<Vec<_>>()
    }
}
