//! Finds options by their names, and defines no more of them than that takes: most lines have one
//! or two, and to define all takes longer than the rest of a short run.

use std::cell::OnceCell;

use clap::{Arg, Command};

use super::options::{GROUPS, bare};

/// Groups of options, defined when they are first looked into.
pub(super) struct OptionLookup {
    groups: [OnceCell<Command>; GROUPS.len()],
}

/// An option and the number of its group.
#[derive(Clone, Copy)]
pub(super) struct FoundOption<'l> {
    pub(super) option: &'l Arg,
    pub(super) group: usize,
}

impl FoundOption<'_> {
    /// Its long name; empty if it has none.
    pub(super) fn long(&self) -> &str {
        self.option.get_long().unwrap_or_default()
    }

    /// Whether it has a value.
    pub(super) fn takes_value(&self) -> bool {
        self.option.get_action().takes_values()
    }
}

impl OptionLookup {
    pub(super) fn new() -> Self {
        let groups = [const { OnceCell::new() }; GROUPS.len()];
        Self { groups }
    }

    pub(super) fn by_name(&self, name: &str) -> Option<FoundOption<'_>> {
        self.all()
            .find(|found| found.option.get_long() == Some(name))
    }

    pub(super) fn by_letter(&self, letter: char) -> Option<FoundOption<'_>> {
        self.all()
            .find(|found| found.option.get_short() == Some(letter))
    }

    /// All options, group after group.
    pub(super) fn all(&self) -> impl Iterator<Item = FoundOption<'_>> {
        let groups = self.groups.iter().zip(GROUPS).enumerate();
        groups.flat_map(|(group, (cell, define))| {
            let options = cell.get_or_init(|| define(bare())).get_arguments();
            options.map(move |option| FoundOption { option, group })
        })
    }
}
