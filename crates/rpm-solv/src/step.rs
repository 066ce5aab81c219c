//! The solver's answer: what changes.

use crate::pool::SolvableId;

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StepKind {
    /// A new package.
    Install,
    /// In place of an older version.
    Upgrade,
    /// In place of a newer version.
    Downgrade,
    /// The same package again.
    Reinstall,
    /// The same version with other content.
    Change,
    /// In place of packages of another name.
    Obsoletes,
    /// Gone, with nothing in its place.
    Erase,
}

/// Why a step is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecisionReason {
    /// A job asked for it.
    User,
    /// Another package needs it (or, erased, must go with another).
    Dependency,
    /// A weak dependency.
    Weak,
    /// Update of what is installed.
    Update,
    /// Erased because it is no longer needed.
    Clean,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionStep {
    /// What is done.
    pub kind: StepKind,
    /// The new package, or the erased one.
    pub solvable: SolvableId,
    /// Installed packages that go in its favour: old versions and obsoleted packages.
    pub replaces: Vec<SolvableId>,
    /// Why.
    pub reason: DecisionReason,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Solution {
    /// Changes: first what is installed and goes, then the rest in the order it was decided in.
    pub steps: Vec<TransactionStep>,
}
