//! What is shown: view models, and the [`Screen`] that renders them.

pub mod advisories;
mod columns;
pub mod conversion;
pub mod history;
pub mod image;
pub mod keys;
pub mod lock;
pub mod notes;
pub mod packages;
pub mod plan;
pub mod repoquery;
pub mod repos;
#[cfg(test)]
pub(crate) mod tests;
pub mod transcript;

use serde::Serialize;

use crate::audit::AuditFinding;

use crate::screen::View;

/// `--version`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Version {
    /// The program.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

impl View for Version {
    fn text(&self, _: usize) -> String {
        format!("{}: {}\n", self.name, self.version)
    }

    fn json(&self) -> impl Serialize {
        self
    }
}

/// `count`.
pub struct PackageCount(pub usize);

impl View for PackageCount {
    fn text(&self, _: usize) -> String {
        format!("Package count = {}\n", self.0)
    }

    fn json(&self) -> impl Serialize {
        self.0
    }
}

/// `--urls`: where the packages of a plan are, a line each.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Addresses(pub Vec<String>);

impl View for Addresses {
    const FIELD: &'static str = "Urls";

    fn text(&self, _: usize) -> String {
        self.0.iter().map(|url| format!("{url}\n")).collect()
    }

    fn json(&self) -> impl Serialize {
        self
    }
}

/// What `check-installed` finds: a line each.
pub struct Findings<'a>(pub &'a [AuditFinding]);

impl View for Findings<'_> {
    fn text(&self, _: usize) -> String {
        self.0
            .iter()
            .map(|finding| format!("{finding}\n"))
            .collect()
    }

    fn json(&self) -> impl Serialize {
        self.0
    }
}
