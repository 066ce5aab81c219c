//! Options of which the order counts: several of them make one list.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use rpm_repo::config::parse_list;

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

    /// The items of a value.
    fn items(value: &str) -> Vec<String>;
}

/// The options of a list, a line each: name, value, help, and what an option makes.
macro_rules! choices {
    ($list:ident $items:expr; $($long:literal $value_name:literal $help:literal $make:ident;)*) => {
        impl OneOf for $list {
            const CHOICES: &'static [OptionChoice<Self>] = &[$(OptionChoice {
                long: $long,
                value_name: $value_name,
                help: $help,
                make: Self::$make,
            }),*];

            fn items(value: &str) -> Vec<String> {
                $items(value)
            }
        }
    };
}

/// Items between commas and blanks, as dnf cuts them; an empty value is an item that names nothing.
fn listed(value: &str) -> Vec<String> {
    match parse_list(value) {
        items if items.is_empty() => whole(value),
        items => items,
    }
}

fn whole(value: &str) -> Vec<String> {
    vec![value.to_owned()]
}

choices! { RepoSwitch listed;
    "disablerepo" "REPO,.." "Switch repositories off (ids or globs)" Disable;
    "enablerepo" "REPO,.." "Switch repositories on (ids or globs)" Enable;
    "repo" "REPO,.." "Use these repositories only (ids or globs)" Only;
    "repoid" "REPO,.." "Same as --repo" Only;
}

choices! { RepoFrom whole;
    "repofromdir" "ID,DIR" "A repository made of the packages below DIR" Dir;
    "repofrompath" "ID,URL" "A repository for this run" Path;
}

choices! { PluginSwitch listed;
    "disableplugin" "GLOB" "Switch plugins off" Disable;
    "enableplugin" "GLOB" "Switch plugins on" Enable;
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
            let places = matches.indices_of(choice.long);
            let given = places
                .into_iter()
                .flatten()
                .zip(values.into_iter().flatten());
            found.extend(given.flat_map(|(place, value)| {
                let items = T::items(value).into_iter();
                items.map(move |item| (place, (choice.make)(item)))
            }));
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

impl RepoSwitch {
    /// The id or glob.
    pub fn pattern(&self) -> &String {
        match self {
            Self::Enable(pattern) | Self::Disable(pattern) | Self::Only(pattern) => pattern,
        }
    }

    /// The option that it came by.
    pub fn option(&self) -> &'static str {
        match self {
            Self::Enable(_) => "--enablerepo",
            Self::Disable(_) => "--disablerepo",
            Self::Only(_) => "--repo",
        }
    }
}

/// Repositories of this run, as they were typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepoFrom {
    /// `--repofromdir ID,DIR`.
    Dir(String),
    /// `--repofrompath ID,URL`.
    Path(String),
}

/// Switches plugins on or off, by name or glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginSwitch {
    /// `--enableplugin`.
    Enable(String),
    /// `--disableplugin`.
    Disable(String),
}
