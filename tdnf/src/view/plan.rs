//! A plan as table and as JSON.

use std::fmt::Write as _;

use cli_kit::human_size;
use serde::Serialize;

use crate::plan::{GROUPS, Plan, PlannedAction, PlannedChange};
use crate::screen::View;

/// Percent of the width for name, arch, evr, repo, install size and download size.
const COLUMNS: [usize; 6] = [20, 15, 20, 15, 10, 10];

/// What will change: the table before the question.
impl View for Plan {
    const QUIETED: bool = true;

    fn text(&self, columns: usize) -> String {
        table(self, columns)
    }

    fn json(&self) -> impl Serialize {
        shape(self)
    }
}

/// The table that stands before the question.
fn table(plan: &Plan, width: usize) -> String {
    let mut text = String::new();
    for word in &plan.unavailable {
        let _ = writeln!(text, "No package {word} available");
    }
    for action in GROUPS {
        let changes = shown(plan, action);
        if !changes.is_empty() {
            put_group(&mut text, heading(action), &changes, width);
        }
    }
    text
}

/// The changes of a group. What is obsoleted is also removed, and C tdnf lists it under both.
fn shown(plan: &Plan, action: PlannedAction) -> Vec<&PlannedChange> {
    let also = plan
        .of(PlannedAction::Obsolete)
        .filter(|_| action == PlannedAction::Remove);
    plan.of(action).chain(also).collect()
}

fn heading(action: PlannedAction) -> &'static str {
    match action {
        PlannedAction::Install => "Installing:",
        PlannedAction::Upgrade => "Upgrading:",
        PlannedAction::Downgrade => "Downgrading:",
        PlannedAction::Remove => "Removing:",
        PlannedAction::Reinstall => "Reinstalling:",
        PlannedAction::Obsolete => "Obsoleting:",
    }
}

fn put_group(text: &mut String, heading: &str, changes: &[&PlannedChange], width: usize) {
    let [name, arch, evr, repo, installed, download] = COLUMNS.map(|percent| width * percent / 100);
    let _ = writeln!(text, "\n{heading}");
    let (mut total_installed, mut total_download) = (0_u64, 0_u64);
    for change in changes {
        total_installed = total_installed.saturating_add(change.install_size);
        total_download = total_download.saturating_add(change.download_size());
        let _ = writeln!(
            text,
            "{:<name$} {:<arch$} {:<evr$} {:<repo$} {:<installed$} {:>download$}",
            change.package.name,
            change.package.arch,
            change.package.evr(),
            change.repo(),
            human_size(change.install_size),
            human_size(change.download_size()),
        );
    }
    let _ = writeln!(
        text,
        "\nTotal installed size: {}",
        human_size(total_installed)
    );
    let _ = writeln!(text, "Total download size: {}", human_size(total_download));
}

#[derive(Serialize)]
struct ChangeRow<'a> {
    #[serde(rename = "Name")]
    name: &'a str,
    #[serde(rename = "Arch")]
    arch: &'a str,
    #[serde(rename = "Evr")]
    evr: String,
    #[serde(rename = "InstallSize")]
    install_size: u64,
    #[serde(rename = "Repo")]
    repo: &'a str,
}

/// The JSON object of tdnf: one array per kind of change that there is.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PlanShape<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unavailable: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    install: Vec<ChangeRow<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    upgrade: Vec<ChangeRow<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    downgrade: Vec<ChangeRow<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remove: Vec<ChangeRow<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reinstall: Vec<ChangeRow<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    obsolete: Vec<ChangeRow<'a>>,
}

/// The plan in that shape.
pub fn shape(plan: &Plan) -> PlanShape<'_> {
    let rows = |action| shown(plan, action).into_iter().map(row).collect();
    PlanShape {
        unavailable: &plan.unavailable,
        install: rows(PlannedAction::Install),
        upgrade: rows(PlannedAction::Upgrade),
        downgrade: rows(PlannedAction::Downgrade),
        remove: rows(PlannedAction::Remove),
        reinstall: rows(PlannedAction::Reinstall),
        obsolete: rows(PlannedAction::Obsolete),
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
