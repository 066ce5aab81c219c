//! A plan as table and as JSON.

use std::fmt::Write as _;

use cli_kit::human_size;
use rpm_trust::SignedBy;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::columns::{Align, Columns};
use crate::plan::{ChangeReason, Plan, PlannedAction, PlannedChange, WeakSignature};
use crate::screen::{JsonShape, View};

/// Percent of the width for name, arch, evr, repo, install size and download size.
const COLUMNS: [usize; 6] = [20, 15, 20, 15, 10, 10];

/// What stands above the columns.
const HEADS: [&str; 6] = ["Package", "Arch", "Version", "Repo", "Size", "Download"];

/// The kinds of changes in their order, what stands above those of a kind that were asked for, and
/// the verb of the summary.
const GROUPS: [(PlannedAction, &str, &str); 6] = [
    (PlannedAction::Install, "Installing", "install"),
    (PlannedAction::Upgrade, "Upgrading", "upgrade"),
    (PlannedAction::Downgrade, "Downgrading", "downgrade"),
    (PlannedAction::Remove, "Removing", "remove"),
    (PlannedAction::Reinstall, "Reinstalling", "reinstall"),
    (PlannedAction::Obsolete, "Obsoleting", "replace"),
];

/// The parts of a group in their order, by what stands behind the heading of the group.
const PARTS: [&str; 5] = [
    "",
    " dependencies",
    " weak dependencies",
    " dependent packages",
    " unused dependencies",
];

/// What will change: the table before the question. What was asked for stands apart from what comes
/// along or has to go with it.
impl View for Plan {
    const QUIETED: bool = true;

    fn text(&self, width: usize) -> String {
        let mut text = String::new();
        for word in &self.unavailable {
            let _ = writeln!(text, "No package {word} available");
        }
        if self.is_empty() {
            return text;
        }
        let rows: Vec<_> = self.changes.iter().map(Row::of).collect();
        let columns = Columns::of(
            &HEADS,
            &COLUMNS,
            rows.iter().map(|row| &row.cells[..]),
            width,
        );
        let columns = columns.align(5, Align::Right);
        text.push('\n');
        columns.put(&mut text, &HEADS.map(str::to_owned));
        for (action, heading, _) in GROUPS {
            for part in PARTS {
                let rows = rows
                    .iter()
                    .filter(|row| row.action == action && row.part == part);
                let mut rows = rows.peekable();
                if rows.peek().is_some() {
                    let _ = writeln!(text, "\n{heading}{part}:");
                }
                rows.for_each(|row| columns.put(&mut text, &row.cells));
            }
        }
        put_totals(&mut text, self, width);
        text
    }

    fn json(&self) -> impl Serialize {
        PlanShape(self)
    }
}

/// A line of the table and where it stands.
struct Row {
    action: PlannedAction,
    /// One of [`PARTS`].
    part: &'static str,
    cells: Vec<String>,
}

impl Row {
    fn of(change: &PlannedChange) -> Self {
        let mut cells = vec![
            change.package.name.clone(),
            change.package.arch.clone(),
            change.package.evr(),
            change.repo().to_owned(),
            human_size(change.install_size),
            human_size(change.download_size()),
        ];
        cells.extend(remark(change));
        Self {
            action: change.action,
            part: part(change),
            cells,
        }
    }
}

fn part(change: &PlannedChange) -> &'static str {
    use PlannedAction::{Downgrade, Install, Remove, Upgrade};
    match (change.action, change.reason) {
        (Install | Upgrade | Downgrade, ChangeReason::Dependency) => PARTS[1],
        (Install | Upgrade | Downgrade, ChangeReason::WeakDependency) => PARTS[2],
        (Remove, ChangeReason::Unneeded) => PARTS[4],
        (Remove, ChangeReason::Consequence | ChangeReason::Dependency) => PARTS[3],
        _ => PARTS[0],
    }
}

/// What stands behind a row: the version that goes, the packages whose place it takes, or what a
/// package that has to go needs.
fn remark(change: &PlannedChange) -> Option<String> {
    let own = |old: &&crate::plan::PackageId| old.name == change.package.name;
    let (versions, others): (Vec<_>, Vec<_>) = change.replaced.iter().partition(own);
    let mut parts = Vec::new();
    if matches!(
        change.action,
        PlannedAction::Upgrade | PlannedAction::Downgrade
    ) && !versions.is_empty()
    {
        let versions: Vec<_> = versions.iter().map(|old| old.evr()).collect();
        parts.push(format!("from {}", versions.join(", ")));
    }
    if !others.is_empty() {
        let others: Vec<_> = others.iter().map(|old| old.nevra()).collect();
        parts.push(format!("replaces {}", others.join(", ")));
    }
    parts.extend(change.because.clone());
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// How many packages, and the one sum of the sizes.
fn put_totals(text: &mut String, plan: &Plan, width: usize) {
    let counts = GROUPS.map(|(action, _, verb)| (plan.of(action).count(), verb));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts
        .map(|(count, verb)| format!("{count} to {verb}"))
        .collect();
    let counts = counts.join(", ");
    let counts: Vec<_> = counts
        .split_inclusive(", ")
        .map(|part| part.trim_end().to_owned())
        .collect();
    text.push('\n');
    Columns::free(width).put(text, &[&["Packages:".to_owned()], &counts[..]].concat());
    let sum = |goes: bool, size: fn(&PlannedChange) -> u64| {
        let changes = plan.changes.iter();
        let sizes = changes
            .filter(|change| change.is_removal() == goes)
            .map(size);
        human_size(sizes.fold(0, u64::saturating_add))
    };
    let installed = |change: &PlannedChange| change.install_size;
    let _ = writeln!(text, "Total installed size: {}", sum(false, installed));
    let _ = writeln!(
        text,
        "Total download size: {}",
        sum(false, PlannedChange::download_size)
    );
    if plan.changes.iter().any(PlannedChange::is_removal) {
        let _ = writeln!(text, "Total freed size: {}", sum(true, installed));
    }
}

/// The changes of a group. What is obsoleted is also removed, and the JSON of C tdnf lists it under
/// both.
fn shown(plan: &Plan, action: PlannedAction) -> Vec<&PlannedChange> {
    let also = plan
        .of(PlannedAction::Obsolete)
        .filter(|_| action == PlannedAction::Remove);
    plan.of(action).chain(also).collect()
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
        for (action, _, _) in GROUPS {
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

/// All that is known of the changes of a plan. The text is the table.
#[derive(Serialize)]
#[serde(transparent)]
pub struct PlanEntries<'a>(Vec<PlanEntry<'a>>);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PlanEntry<'a> {
    action: PlannedAction,
    name: &'a str,
    epoch: u32,
    version: &'a str,
    release: &'a str,
    arch: &'a str,
    reason: ChangeReason,
    repo: &'a str,
    location: Option<&'a str>,
    url: Option<&'a str>,
    size: Option<u64>,
    checksum: Option<EntryChecksum<'a>>,
    signer: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EntryChecksum<'a> {
    r#type: &'a str,
    value: &'a str,
}

impl<'a> PlanEntries<'a> {
    /// Without signers: nothing was fetched yet.
    pub fn of(plan: &'a Plan) -> Self {
        let entry = |change: &'a PlannedChange| {
            let (package, origin) = (&change.package, change.origin.as_ref());
            let checksum = origin.and_then(|origin| origin.checksum.as_ref());
            PlanEntry {
                action: change.action,
                name: &package.name,
                epoch: package.epoch,
                version: &package.version,
                release: &package.release,
                arch: &package.arch,
                reason: change.reason,
                repo: change.repo(),
                location: origin.map(|origin| &*origin.location),
                url: origin
                    .map(|origin| &*origin.url)
                    .filter(|url| !url.is_empty()),
                size: origin.map(|origin| origin.size),
                checksum: checksum.map(|(kind, value)| EntryChecksum {
                    r#type: kind,
                    value,
                }),
                signer: None,
            }
        };
        Self(plan.changes.iter().map(entry).collect())
    }

    /// Says who signed the package of a change.
    pub fn sign(&mut self, change: usize, signer: Option<&'a SignedBy>) {
        if let Some(entry) = self.0.get_mut(change) {
            entry.signer = signer.map(|key| &*key.fingerprint);
        }
    }
}

impl View for PlanEntries<'_> {
    const FIELD: &'static str = "Plan";
    const SINCE: JsonShape = JsonShape::Document;

    fn json(&self) -> impl Serialize {
        self
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
