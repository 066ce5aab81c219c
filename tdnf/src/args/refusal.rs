//! What clap refuses, in the numbers and words of tdnf.

use clap::error::ErrorKind;

use super::{PROGRAM, options};
use crate::error::{Code, Failure};
use crate::near::nearest;

/// The failure that an error of clap stands for; `word` is what was typed, behind `command`.
pub(super) fn failure(error: &clap::Error, word: &str, command: Option<&String>) -> Failure {
    let own = std::error::Error::source(error).and_then(|own| own.downcast_ref::<Failure>());
    match (error.kind(), own) {
        (ErrorKind::ValueValidation, Some(failure)) => failure.clone(),
        (ErrorKind::InvalidValue, _) => Failure::because(
            Code::CLI_OPTION_ARG_REQUIRED,
            format!("Option {word} requires an argument"),
        ),
        _ => no_such_option(word, command),
    }
}

fn no_such_option(word: &str, command: Option<&String>) -> Failure {
    let failure = Failure::new(Code::CLI_OPTION_NAME_INVALID).remark(format!(
        "No such option: {word}. Please use {PROGRAM} --help"
    ));
    let name = word.trim_start_matches('-');
    let name = name.split_once('=').map_or(name, |(name, _)| name);
    let definition = options::definition();
    let shown = definition
        .get_arguments()
        .filter(|option| !option.is_hide_set());
    let failure = match nearest(name, shown.filter_map(|option| option.get_long())) {
        Some(near) => failure.hint(format!("did you mean '--{near}'?")),
        None => failure,
    };
    let is_plain = |word: &&String| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    match command.filter(is_plain) {
        Some(command) => failure.hint(format!("`tdnf {command} --help` lists its options")),
        None => failure,
    }
}
