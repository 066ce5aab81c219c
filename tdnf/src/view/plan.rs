//! A plan as table and as JSON.

use std::fmt::Write as _;

use cli_kit::human_size;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::plan::{Plan, PlannedAction, PlannedChange, WeakSignature};
use crate::screen::{JsonShape, View};

/// Percent of the width for name, arch, evr, repo, install size and download size.
const COLUMNS: [usize; 6] = [20, 15, 20, 15, 10, 10];

/// The kinds of changes in their order, and what stands above those of a kind.
const GROUPS: [(PlannedAction, &str); 6] = [
    (PlannedAction::Install, "Installing:"),
    (PlannedAction::Upgrade, "Upgrading:"),
    (PlannedAction::Downgrade, "Downgrading:"),
    (PlannedAction::Remove, "Removing:"),
    (PlannedAction::Reinstall, "Reinstalling:"),
    (PlannedAction::Obsolete, "Obsoleting:"),
];

/// What will change: the table before the question.
impl View for Plan {
    const QUIETED: bool = true;

    fn text(&self, width: usize) -> String {
        let mut text = String::new();
        for word in &self.unavailable {
            let _ = writeln!(text, "No package {word} available");
        }
        for (action, heading) in GROUPS {
            let changes = shown(self, action);
            if !changes.is_empty() {
                put_group(&mut text, heading, &changes, width);
            }
        }
        text
    }

    fn json(&self) -> impl Serialize {
        PlanShape(self)
    }
}

/// The changes of a group. What is obsoleted is also removed, and C tdnf lists it under both.
fn shown(plan: &Plan, action: PlannedAction) -> Vec<&PlannedChange> {
    let also = plan
        .of(PlannedAction::Obsolete)
        .filter(|_| action == PlannedAction::Remove);
    plan.of(action).chain(also).collect()
}

fn put_group(text: &mut String, heading: &str, changes: &[&PlannedChange], width: usize) {
    let _ = writeln!(text, "\n{heading}");
    let (mut total_installed, mut total_download) = (0_u64, 0_u64);
    let mut rows = Vec::new();
    for change in changes {
        total_installed = total_installed.saturating_add(change.install_size);
        total_download = total_download.saturating_add(change.download_size());
        rows.push([
            change.package.name.clone(),
            change.package.arch.clone(),
            change.package.evr(),
            change.repo().to_owned(),
            human_size(change.install_size),
            human_size(change.download_size()),
        ]);
    }
    let [name, arch, evr, repo, installed, download] = columns(&rows, width);
    for row in &rows {
        let [n, a, e, r, i, d] = row;
        let _ = writeln!(
            text,
            "{n:<name$} {a:<arch$} {e:<evr$} {r:<repo$} {i:<installed$} {d:>download$}"
        );
    }
    let _ = writeln!(
        text,
        "\nTotal installed size: {}",
        human_size(total_installed)
    );
    let _ = writeln!(text, "Total download size: {}", human_size(total_download));
}

/// Widths of the columns: shares of the width where all fits them, else what the longest cells need.
fn columns(rows: &[[String; 6]], width: usize) -> [usize; 6] {
    let mut needed = [0; 6];
    for row in rows {
        for (most, cell) in needed.iter_mut().zip(row) {
            *most = (*most).max(cell.chars().count());
        }
    }
    let shares = COLUMNS.map(|percent| width * percent / 100);
    let fits = needed
        .iter()
        .zip(shares)
        .all(|(needed, share)| *needed <= share);
    if fits { shares } else { needed }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeRow<'a> {
    name: &'a str,
    arch: &'a str,
    evr: String,
    install_size: u64,
    repo: &'a str,
}

/// The JSON object of tdnf: one array per kind of change that there is.
pub struct PlanShape<'a>(pub &'a Plan);

impl Serialize for PlanShape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.0.unavailable.is_empty() {
            map.serialize_entry("Unavailable", &self.0.unavailable)?;
        }
        for (action, _) in GROUPS {
            let rows: Vec<_> = shown(self.0, action).into_iter().map(row).collect();
            if !rows.is_empty() {
                map.serialize_entry(&action, &rows)?;
            }
        }
        map.end()
    }
}

fn row(change: &PlannedChange) -> ChangeRow<'_> {
    ChangeRow {
        name: &change.package.name,
        arch: &change.package.arch,
        evr: change.package.version_release(),
        install_size: change.install_size,
        repo: change.repo(),
    }
}

/// Packages whose weak signatures were admitted. The text was said as a warning.
pub struct WeakSignatures<'a>(pub &'a [WeakSignature]);

impl View for WeakSignatures<'_> {
    const FIELD: &'static str = "WeakSignatures";
    const SINCE: JsonShape = JsonShape::Document;

    fn json(&self) -> impl Serialize {
        self.0
    }
}
