//! The hidden mode in which this program becomes a scriptlet's interpreter.
//!
//! Command line: `MODE root-path device inode program [arguments]`.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::fs::{self, Mode, OFlags};

use super::lua;

/// The first argument that asks for this mode.
pub const MODE: &str = "--internal-scriptlet-runner";

/// What a shell reports for a command that cannot be run; rpm's status for a missing
/// interpreter.
const CANNOT_RUN: u8 = 127;

/// Runs the hidden mode when the command line asks for it; it does not return when the
/// interpreter could be started. `main` must call this first.
pub fn enter(mut words: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    words.next();
    if words.next()? != MODE {
        return None;
    }
    let outcome = become_script(&words.collect::<Vec<_>>());
    let Err((who, error)) = outcome else {
        return Some(ExitCode::SUCCESS);
    };
    report(&format!("{}: {error}\n", who.to_string_lossy()));
    Some(ExitCode::from(CANNOT_RUN))
}

fn become_script(words: &[OsString]) -> Result<(), (OsString, io::Error)> {
    let [root, device, inode, program, arguments @ ..] = words else {
        return Err((MODE.into(), io::ErrorKind::InvalidInput.into()));
    };
    enter_root(Path::new(root), device, inode).map_err(|e| (root.clone(), e))?;
    if program == "<lua>" {
        return match lua::run(arguments) {
            Ok(()) => Ok(()),
            Err(error) => {
                report(&format!("{error}\n"));
                Err((program.clone(), io::Error::other("the script failed")))
            }
        };
    }
    let error = Command::new(program).args(arguments).exec();
    Err((program.clone(), error))
}

/// Makes `root` the root directory, if it is still the directory that was meant.
fn enter_root(root: &Path, device: &OsStr, inode: &OsStr) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = fs::open(root, flags, Mode::empty())?;
    let stat = fs::fstat(&fd)?;
    if stat.st_dev.to_string().as_bytes() != device.as_bytes()
        || stat.st_ino.to_string().as_bytes() != inode.as_bytes()
    {
        return Err(io::Error::other(
            "not the root directory of the transaction any more",
        ));
    }
    rustix::process::umask(Mode::from_raw_mode(0o022));
    rustix::process::fchdir(&fd)?;
    let host = fs::stat("/")?;
    if (host.st_dev, host.st_ino) != (stat.st_dev, stat.st_ino) {
        rustix::process::chroot(".")?;
    }
    rustix::process::chdir("/")?;
    Ok(())
}

/// The runner speaks on its own standard error, which is the scriptlet's: the parent reads it.
fn report(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
