//! Options of which the order counts: several of them make one list.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::options::GENERAL;

/// Options that make one list, in the order of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InOrder<T>(pub Vec<T>);

/// One of the options of a list.
pub struct OptionChoice<T: 'static> {
    long: &'static str,
    value_name: &'static str,
    help: &'static str,
    make: fn(String) -> T,
}

/// What such a list is made of.
pub trait OneOf: Sized + 'static {
    /// The options.
    const CHOICES: &'static [OptionChoice<Self>];
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: OneOf> Args for InOrder<T> {
    fn augment_args(command: Command) -> Command {
        let options = T::CHOICES.iter().map(|choice| {
            Arg::new(choice.long)
                .long(choice.long)
                .value_name(choice.value_name)
                .help(choice.help)
                .help_heading(GENERAL)
                .action(ArgAction::Append)
        });
        command.args(options)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<T: OneOf> FromArgMatches for InOrder<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found = Vec::new();
        for choice in T::CHOICES {
            let values = matches.get_many::<String>(choice.long);
            let made = values.into_iter().flatten().cloned().map(choice.make);
            let places = matches.indices_of(choice.long);
            found.extend(places.into_iter().flatten().zip(made));
        }
        found.sort_by_key(|(place, _)| *place);
        Ok(Self(found.into_iter().map(|(_, made)| made).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Switches repositories on or off, by id or glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepoSwitch {
    /// `--enablerepo`.
    Enable(String),
    /// `--disablerepo`.
    Disable(String),
    /// `--repo`, `--repoid`: the first one switches everything off before.
    Only(String),
}

impl OneOf for RepoSwitch {
    const CHOICES: &'static [OptionChoice<Self>] = &[
        OptionChoice {
            long: "disablerepo",
            value_name: "REPO",
            help: "Switch repositories off (id or glob)",
            make: Self::Disable,
        },
        OptionChoice {
            long: "enablerepo",
            value_name: "REPO",
            help: "Switch repositories on (id or glob)",
            make: Self::Enable,
        },
        OptionChoice {
            long: "repo",
            value_name: "REPO",
            help: "Use these repositories only (id or glob)",
            make: Self::Only,
        },
        OptionChoice {
            long: "repoid",
            value_name: "REPO",
            help: "Same as --repo",
            make: Self::Only,
        },
    ];
}

/// Repositories of this run, as they were typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepoFrom {
    /// `--repofromdir ID,DIR`.
    Dir(String),
    /// `--repofrompath ID,URL`.
    Path(String),
}

impl OneOf for RepoFrom {
    const CHOICES: &'static [OptionChoice<Self>] = &[
        OptionChoice {
            long: "repofromdir",
            value_name: "ID,DIR",
            help: "A repository made of the packages below DIR",
            make: Self::Dir,
        },
        OptionChoice {
            long: "repofrompath",
            value_name: "ID,URL",
            help: "A repository for this run",
            make: Self::Path,
        },
    ];
}

/// Switches plugins on or off, by name or glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginSwitch {
    /// `--enableplugin`.
    Enable(String),
    /// `--disableplugin`.
    Disable(String),
}

impl OneOf for PluginSwitch {
    const CHOICES: &'static [OptionChoice<Self>] = &[
        OptionChoice {
            long: "disableplugin",
            value_name: "GLOB",
            help: "Switch plugins off",
            make: Self::Disable,
        },
        OptionChoice {
            long: "enableplugin",
            value_name: "GLOB",
            help: "Switch plugins on",
            make: Self::Enable,
        },
    ];
}
