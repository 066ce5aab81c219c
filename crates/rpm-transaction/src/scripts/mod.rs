//! Running a package's scriptlets inside the root.
//!
//! A scriptlet is started by this program starting itself again in a hidden mode ([`runner`]):
//! the standard library has no safe way to change the root between fork and exec. The new
//! process enters the root, sets umask and directory, and becomes the interpreter, or runs the
//! embedded Lua. So nothing a scriptlet does to its process reaches this one.

pub mod runner;

mod lua;
mod posix;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use rustix::fs::{self, AtFlags, Mode, OFlags};

use super::error::TransactionError;
use super::event::{Event, ScriptStream, TransactionObserver};
use super::root::{RootDir, join, unlink};

/// `%_install_script_path` of rpm when it is not set.
const SCRIPT_PATH: &str = "/sbin:/bin:/usr/sbin:/usr/bin:/usr/X11R6/bin";
/// The body of the scriptlet that runs, beside the journal. rpm takes a random name in /var/tmp; here the directory is
/// root's alone, and anyone who finds the journal of a run that was killed finds the body, too.
const BODY_NAME: &[u8] = b"scriptlet";
/// Tells scriptlets of relocatable packages where the package is; with a number behind it for
/// each prefix.
const PREFIX_VARIABLE: &str = "RPM_INSTALL_PREFIX";
/// A daemon may keep the streams of a scriptlet that is over; they are read this much longer.
const LINGER: Duration = Duration::from_millis(200);
/// Output is handed on in pieces of this size at most.
const PIECE: usize = 8192;
/// The stack of a thread that reads or feeds a stream: a piece, and room for what the standard library needs.
const STREAM_STACK: usize = 128 << 10;

/// May a scriptlet see this variable of the user's environment? Only what names home, language,
/// terminal and proxies; nothing that steers a loader or a shell (docs/reference/transactions.md, 3.7).
pub fn allowed_variable(name: &OsStr) -> bool {
    const NAMES: [&str; 14] = [
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "LANGUAGE",
        "TERM",
        "TZ",
        "SOURCE_DATE_EPOCH",
        "http_proxy",
        "https_proxy",
        "ftp_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
    ];
    let Some(name) = name.to_str() else {
        return false;
    };
    NAMES.contains(&name) || name == "NO_PROXY" || name.starts_with("LC_")
}

/// One scriptlet that is to run.
pub(crate) struct Call<'a> {
    /// NEVRA of its package.
    pub package: &'a str,
    /// "%pre" and so on.
    pub script: &'a str,
    /// Interpreter and its arguments.
    pub program: &'a [Vec<u8>],
    /// The text, if there is one.
    pub body: Option<&'a [u8]>,
    /// `$1`, `$2`.
    pub arguments: &'a [i64],
    /// What it reads: paths of a file trigger, one per line.
    pub input: &'a [u8],
    /// Where a relocatable package is.
    pub prefixes: &'a [Vec<u8>],
}

/// Where and how scriptlets run.
pub(crate) struct Runner<'a> {
    /// The root they run in.
    pub root: &'a RootDir,
    /// This program.
    pub program: &'a Path,
    /// What they see of the environment besides PATH.
    pub environment: &'a [(OsString, OsString)],
}

/// How a scriptlet ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With status 0.
    Well,
    /// In another way, in words.
    Badly(String),
}

/// A body in a file of the root; deleted when dropped.
pub(crate) struct BodyFile<'a> {
    root: &'a RootDir,
    path: Option<Vec<u8>>,
}

impl<'a> BodyFile<'a> {
    /// Chooses the place below the journal's directory; nothing is written yet. Without a body the path is empty.
    pub(crate) fn choose(root: &'a RootDir, state_dir: &str, body: Option<&[u8]>) -> BodyFile<'a> {
        let path = body.map(|_| join(state_dir.as_bytes(), BODY_NAME));
        BodyFile { root, path }
    }

    /// The path in the root; empty without a body.
    pub(crate) fn path(&self) -> &[u8] {
        self.path.as_deref().unwrap_or_default()
    }

    fn write(&self, body: &[u8]) -> Result<(), TransactionError> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let failed = |e: io::Error| TransactionError::file("cannot write scriptlet", path, e);
        let (dir, base) = self.root.open_parent(path).map_err(|e| failed(e.into()))?;
        // A daemon may still read the body of an earlier scriptlet: it keeps its file.
        unlink(&dir, base).map_err(|e| failed(e.into()))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let fd = fs::openat(dir, base, flags, mode).map_err(|e| failed(e.into()))?;
        File::from(fd).write_all(body).map_err(failed)
    }
}

impl Drop for BodyFile<'_> {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            remove_path(self.root, path);
        }
    }
}

/// Deletes the body that an interrupted transaction left, or that could not be deleted when its scriptlet ended.
pub(crate) fn remove_body(root: &RootDir, state_dir: &str) {
    remove_path(root, &join(state_dir.as_bytes(), BODY_NAME));
}

fn remove_path(root: &RootDir, path: &[u8]) {
    if let Ok((dir, base)) = root.open_parent(path) {
        // Nothing can be done about a body that cannot be deleted, and it does no harm.
        let _ = fs::unlinkat(dir, base, AtFlags::empty());
    }
}

impl Runner<'_> {
    /// Runs a scriptlet to its end. An error means that the root cannot be written; a scriptlet
    /// that cannot be started has [`Ended::Badly`].
    pub(crate) fn run(
        &self,
        call: &Call<'_>,
        body: &BodyFile<'_>,
        observer: &mut dyn TransactionObserver,
    ) -> Result<Ended, TransactionError> {
        observer.event(Event::ScriptStarted {
            package: call.package,
            script: call.script,
        });
        if let Some(text) = call.body {
            body.write(text)?;
        }
        // The command goes at once: it has our ends of the streams.
        let begun = self.command(call, body.path()).and_then(|mut command| {
            let output = gather(&mut command, call.input)?;
            Ok((command.spawn()?, output))
        });
        let (mut child, output) = match begun {
            Ok(begun) => begun,
            Err(e) => return Ok(Ended::Badly(format!("cannot be started: {e}"))),
        };
        let status = self.follow(call, &mut child, &output, observer);
        Ok(match status {
            Ok(status) if status.success() => Ended::Well,
            Ok(status) => Ended::Badly(describe(status)),
            Err(e) => Ended::Badly(format!("cannot be waited for: {e}")),
        })
    }

    fn command(&self, call: &Call<'_>, body: &[u8]) -> io::Result<Command> {
        let root = fs::fstat(self.root.fd())?;
        let mut command = Command::new(self.program);
        command
            .arg0("tdnf-scriptlet")
            .arg(runner::MODE)
            .arg(self.root.path());
        command
            .arg(root.st_dev.to_string())
            .arg(root.st_ino.to_string());
        command.args(call.program.iter().map(|word| OsStr::from_bytes(word)));
        if !body.is_empty() {
            command.arg(OsStr::from_bytes(body));
            command.args(call.arguments.iter().map(i64::to_string));
        }
        command
            .env_clear()
            .envs(self.environment.iter().map(|(k, v)| (k, v)));
        command.env("PATH", SCRIPT_PATH);
        for (number, prefix) in call.prefixes.iter().enumerate() {
            let prefix = OsStr::from_bytes(prefix);
            if number == 0 {
                command.env(PREFIX_VARIABLE, prefix);
            }
            command.env(format!("{PREFIX_VARIABLE}{number}"), prefix);
        }
        // Its own process group: Ctrl-C is for us, a scriptlet is never cut in the middle.
        command.process_group(0);
        Ok(command)
    }

    /// Hands output on until the scriptlet is over and its streams are quiet.
    fn follow(
        &self,
        call: &Call<'_>,
        child: &mut Child,
        output: &Receiver<(ScriptStream, Vec<u8>)>,
        observer: &mut dyn TransactionObserver,
    ) -> io::Result<ExitStatus> {
        let (package, script) = (call.package, call.script);
        let mut status = None;
        loop {
            match output.recv_timeout(LINGER) {
                Ok((stream, bytes)) => {
                    let bytes = &bytes;
                    observer.event(Event::ScriptOutput {
                        package,
                        script,
                        stream,
                        bytes,
                    });
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if status.is_some() => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if status.is_none() {
                status = child.try_wait()?;
            }
        }
        status.map_or_else(|| child.wait(), Ok)
    }
}

/// Feeds the input and reads both streams, each in a thread of its own. The threads end when
/// the scriptlet, and every daemon it left, has closed the streams. They stand before it starts: a
/// scriptlet whose output nobody can read must not begin.
fn gather(command: &mut Command, input: &[u8]) -> io::Result<Receiver<(ScriptStream, Vec<u8>)>> {
    let (sender, receiver) = mpsc::channel();
    let (stdin, mut feed) = io::pipe()?;
    command.stdin(stdin);
    if !input.is_empty() {
        let input = input.to_vec();
        // A scriptlet that does not read its input is no error.
        start(move || drop(feed.write_all(&input)))?;
    }
    let (output, stdout) = io::pipe()?;
    command.stdout(stdout);
    let to = sender.clone();
    start(move || pass_on(output, ScriptStream::Out, &to))?;
    let (output, stderr) = io::pipe()?;
    command.stderr(stderr);
    start(move || pass_on(output, ScriptStream::Err, &sender))?;
    Ok(receiver)
}

fn start(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().stack_size(STREAM_STACK);
    thread.spawn(work).map(drop)
}

fn pass_on(mut from: impl Read, stream: ScriptStream, to: &Sender<(ScriptStream, Vec<u8>)>) {
    let mut piece = [0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => {
                let bytes = piece.get(..count).unwrap_or_default().to_vec();
                if to.send((stream, bytes)).is_err() {
                    return;
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// The words of rpm for a bad end.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}
