//! Finds options by their names, and defines no more of them than that takes: most lines have one
//! or two, and to define all takes longer than the rest of a short run.

use std::cell::OnceCell;

use clap::{Arg, Command};

use super::options::{GROUPS, bare};

/// Groups of options, defined when they are first looked into.
pub(crate) struct OptionLookup {
    groups: [OnceCell<Command>; GROUPS.len()],
}

/// An option and the number of its group.
#[derive(Clone, Copy)]
pub(crate) struct FoundOption<'l> {
    pub(crate) option: &'l Arg,
    pub(crate) group: usize,
}

impl FoundOption<'_> {
    /// Its long name; empty if it has none.
    pub(crate) fn long(&self) -> &str {
        self.option.get_long().unwrap_or_default()
    }

    /// Whether it has a value.
    pub(crate) fn takes_value(&self) -> bool {
        self.option.get_action().takes_values()
    }
}

impl OptionLookup {
    pub(crate) fn new() -> Self {
        let groups = [const { OnceCell::new() }; GROUPS.len()];
        Self { groups }
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<FoundOption<'_>> {
        self.all()
            .find(|found| found.option.get_long() == Some(name))
    }

    pub(crate) fn by_letter(&self, letter: char) -> Option<FoundOption<'_>> {
        self.all()
            .find(|found| found.option.get_short() == Some(letter))
    }

    /// All options, group after group.
    pub(crate) fn all(&self) -> impl Iterator<Item = FoundOption<'_>> {
        let groups = self.groups.iter().zip(GROUPS).enumerate();
        groups.flat_map(|(group, (cell, define))| {
            let options = cell.get_or_init(|| define(bare())).get_arguments();
            options.map(move |option| FoundOption { option, group })
        })
    }
}
