//! What stands after the name of a command; the completion of the shells offers it.

use clap::ValueEnum;

use crate::error::{Code, Failure};
use crate::near::nearest;

/// What an operand, or the value of an option, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// One of these.
    Words(&'static [&'static str]),
    /// A package of a repository.
    Available,
    /// An installed package.
    Installed,
    /// A package, installed or of a repository.
    Package,
    /// The id of a repository.
    Repository,
    /// A path.
    File,
    /// Text that cannot be completed.
    Text,
    /// There is none.
    Nothing,
}

/// The operands of a command.
pub struct Operands {
    /// Keywords that may stand first.
    pub keywords: fn() -> Vec<String>,
    /// Whether one of them has to.
    pub keyword_needed: bool,
    /// What the others are.
    pub rest: Operand,
}

impl Operands {
    /// Operands without a keyword.
    pub(super) const fn all(rest: Operand) -> Self {
        Self::after(Vec::new, rest)
    }

    /// Operands of which the first may be a keyword.
    pub(super) const fn after(keywords: fn() -> Vec<String>, rest: Operand) -> Self {
        Self {
            keywords,
            keyword_needed: false,
            rest,
        }
    }
}

/// The value that the first word stands for, and the words behind it.
pub(super) fn keyword<T: ValueEnum>(words: &[String], ignore_case: bool) -> Option<(T, &[String])> {
    let (first, rest) = words.split_first()?;
    Some((T::from_str(first, ignore_case).ok()?, rest))
}

/// Error 901 for a word that is none of these.
pub(super) fn unknown_keyword(word: &str, known: &[String]) -> Failure {
    let line = format!("'{word}' is none of {}", known.join(", "));
    or_meant(Failure::because(Code::CLI_NO_MATCH, line), word, known)
}

/// The failure for a word that is none of the actions of a command: the words of tdnf, and which there are.
pub(super) fn unknown_action<T: ValueEnum>(word: &str) -> Failure {
    let known = words::<T>();
    let failure = Failure::new(Code::CLI_INVALID_ARGUMENT)
        .remark(format!("unknown action '{word}'"))
        .hint(format!("the actions are {}", known.join(", ")));
    or_meant(failure, word, &known)
}

/// A failure about a word, with the known one that it is like.
fn or_meant(failure: Failure, word: &str, known: &[String]) -> Failure {
    match nearest(word, known.iter().map(String::as_str)) {
        Some(near) => failure.hint(format!("did you mean '{near}'?")),
        None => failure,
    }
}

/// The words that stand for the values of a type, other names included.
pub(super) fn words<T: ValueEnum>() -> Vec<String> {
    let values = T::value_variants().iter().filter_map(T::to_possible_value);
    let names = values.flat_map(|value| {
        let names = value.get_name_and_aliases().map(str::to_owned);
        names.collect::<Vec<_>>()
    });
    names.collect()
}
