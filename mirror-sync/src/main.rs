//! Local mirrors of RPM repositories.

use std::process::ExitCode;

fn main() -> ExitCode {
    whole_file::narrow_umask();
    whole_file::survive_limits();
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    ExitCode::from(mirror_sync::run(words.collect()))
}
