//! createrepo and its friends.

use std::process::ExitCode;

fn main() -> ExitCode {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    ExitCode::from(repo_tools::run(words.collect()))
}
