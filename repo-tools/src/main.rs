//! createrepo and its friends.

use std::process::ExitCode;

fn main() -> ExitCode {
    whole_file::narrow_umask();
    whole_file::survive_limits();
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    ExitCode::from(repo_tools::run(words.collect()))
}
