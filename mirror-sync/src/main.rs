//! Local mirrors of RPM repositories.

use std::process::ExitCode;

use cli_kit::{Mode, Printer};

/// No command exists yet: every call is refused, so that no script takes silence for a mirror.
fn main() -> ExitCode {
    Printer::standard(Mode::default())
        .err("mirror-sync: no command is built yet; nothing was mirrored");
    ExitCode::FAILURE
}
