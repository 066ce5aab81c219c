//! A program run call by call: every system call that changes something below a folder is told before it is made, and
//! may be let through, answered with an error, or be the last thing that the program ever asked for.
//!
//! Calls are counted over all threads and children of the program, so that the same number means the same moment of
//! two runs (as far as the program itself does the same twice). x86-64 only: elsewhere [`available`] says no.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{self, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// The shell waits until it is traced, then becomes the program. Whoever runs the tests in the background hands down
/// ignored signals.
const GATE: &str = "read -r go; exec env --default-signal=INT,TERM,HUP \"$@\" </dev/null";

/// A call that is about to be made.
#[derive(Debug)]
pub struct Call {
    /// Its place in the run, from 1.
    pub number: usize,
    /// The name of the system call.
    pub name: &'static str,
    /// The file it is about, as far as that is known.
    pub file: String,
    /// Made by the program itself, not by a child.
    pub own: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.own { "" } else { " (child)" };
        write!(to, "{} {}{whose}", self.name, self.file)
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// It is made.
    Go,
    /// It is not made: program and children are killed in the same moment.
    KillAll,
    /// It is not made if it is the program's own; the program is killed, its children run on to their end.
    KillProgram,
    /// It is not made and answers with this error number.
    Fail(i32),
    /// It is made, and the program gets this signal.
    Signal(i32),
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Calls that were told.
    pub calls: usize,
    /// Standard output and standard error.
    pub output: String,
}

/// Can programs be stepped here?
pub fn available() -> bool {
    cfg!(target_arch = "x86_64")
}

/// Runs `command` (program, arguments and variables of it) to its end and asks `decide` about every call that changes
/// something below `root`.
#[allow(clippy::zombie_processes)] // The tracer waits for it, and for every child of it.
pub fn run(command: &Command, root: &Path, decide: &mut dyn FnMut(&Call) -> Order) -> Ended {
    let mut output = tempfile::tempfile().expect("a temporary file can be made");
    let mut gate = Command::new("sh");
    gate.args(["-c", GATE, "sh"]).arg(command.get_program());
    gate.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => gate.env(name, value),
            None => gate.env_remove(name),
        };
    }
    let copy = || Stdio::from(output.try_clone().expect("a descriptor is left"));
    gate.stdin(Stdio::piped()).stdout(copy()).stderr(copy());
    let mut child = gate.spawn().expect("sh runs");
    let program = Pid::from_raw(i32::try_from(child.id()).expect("a process number"));
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(program, options).expect("our own child may be traced");
    ptrace::interrupt(program).expect("it is traced");
    waitpid(program, Some(WaitPidFlag::__WALL)).expect("it stops");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"\n").expect("the shell reads");
    drop(stdin);
    let mut tracer = Tracer {
        program,
        root: fs::canonicalize(root).expect("the root is there"),
        groups: HashMap::new(),
        failing: HashMap::new(),
        calls: 0,
        code: None,
        decide,
    };
    tracer.go_on(program, None);
    tracer.follow();
    let (code, calls) = (tracer.code, tracer.calls);
    let mut bytes = Vec::new();
    output.seek(SeekFrom::Start(0)).expect("a file");
    output.read_to_end(&mut bytes).expect("readable");
    Ended {
        code,
        calls,
        output: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

struct Tracer<'a> {
    program: Pid,
    root: PathBuf,
    /// The process of each thread that is traced.
    groups: HashMap<Pid, Pid>,
    /// Threads whose call is answered with an error when it returns.
    failing: HashMap<Pid, i32>,
    calls: usize,
    code: Option<i32>,
    decide: &'a mut dyn FnMut(&Call) -> Order,
}

impl Tracer<'_> {
    /// Until the program and every child is gone.
    fn follow(&mut self) {
        // Other threads of the tests have children and tracees of their own.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            match waitpid(None, Some(flags)) {
                Err(Errno::EINTR) => {}
                Err(_) => return,
                Ok(WaitStatus::Exited(pid, code)) => self.gone(pid, Some(code)),
                Ok(WaitStatus::Signaled(pid, ..)) => self.gone(pid, None),
                Ok(WaitStatus::PtraceSyscall(pid)) => self.at_call(pid),
                Ok(WaitStatus::PtraceEvent(pid, ..)) => self.go_on(pid, None),
                Ok(WaitStatus::Stopped(pid, signal)) => self.go_on(pid, Some(signal)),
                Ok(_) => {}
            }
        }
    }

    fn gone(&mut self, pid: Pid, code: Option<i32>) {
        self.groups.remove(&pid);
        self.failing.remove(&pid);
        if pid == self.program {
            self.code = code;
        }
    }

    /// A thread that was killed meanwhile cannot go on, and that is all right.
    fn go_on(&self, pid: Pid, signal: Option<Signal>) {
        let _ = ptrace::syscall(pid, signal);
    }

    fn group(&mut self, pid: Pid) -> Pid {
        *self.groups.entry(pid).or_insert_with(|| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
            let number = line.and_then(|text| text.trim().parse().ok());
            number.map_or(pid, Pid::from_raw)
        })
    }

    #[cfg(target_arch = "x86_64")]
    fn at_call(&mut self, pid: Pid) {
        let entering =
            ptrace::syscall_info(pid).is_ok_and(|info| info.op == libc::PTRACE_SYSCALL_INFO_ENTRY);
        if !entering {
            if let Some(errno) = self.failing.remove(&pid)
                && let Ok(mut registers) = ptrace::getregs(pid)
            {
                registers.rax = i64::from(-errno).cast_unsigned();
                let _ = ptrace::setregs(pid, registers);
            }
            return self.go_on(pid, None);
        }
        let Ok(mut registers) = ptrace::getregs(pid) else {
            return self.go_on(pid, None);
        };
        let arguments = [
            registers.rdi,
            registers.rsi,
            registers.rdx,
            registers.r10,
            registers.r8,
        ];
        let number = registers.orig_rax.cast_signed();
        let Some((name, file)) = change(pid, number, arguments, &self.root) else {
            return self.go_on(pid, None);
        };
        self.calls += 1;
        let own = self.group(pid) == self.program;
        let number = self.calls;
        let order = (self.decide)(&Call {
            number,
            name,
            file,
            own,
        });
        match order {
            Order::Go => {}
            Order::KillAll => return self.kill_all(pid),
            Order::KillProgram => {
                let _ = signal::kill(self.program, Signal::SIGKILL);
            }
            Order::Fail(errno) => {
                registers.orig_rax = u64::MAX;
                if ptrace::setregs(pid, registers).is_ok() {
                    self.failing.insert(pid, errno);
                }
            }
            Order::Signal(number) => {
                if let Ok(signal) = Signal::try_from(number) {
                    let _ = signal::kill(self.program, signal);
                }
            }
        }
        self.go_on(pid, None);
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn at_call(&mut self, pid: Pid) {
        self.go_on(pid, None);
    }

    /// All processes that were seen, this one last seen among them; those that were never seen at a call die with
    /// their tracer's orders: they are found through their parents.
    fn kill_all(&mut self, at: Pid) {
        let group = self.group(at);
        let mut victims = vec![self.program, group];
        let mut next = 0;
        while let Some(&victim) = victims.get(next) {
            next += 1;
            for child in children(victim) {
                if !victims.contains(&child) {
                    victims.push(child);
                }
            }
        }
        for victim in victims {
            let _ = signal::kill(victim, Signal::SIGKILL);
        }
    }
}

/// The children of all threads of a process.
fn children(process: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{process}/task"));
    let texts = tasks.into_iter().flatten().flatten();
    texts
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| {
            let numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
            numbers.map(Pid::from_raw).collect::<Vec<_>>()
        })
        .collect()
}

/// Where a call names what it is about.
enum About {
    /// A descriptor in this argument; the call counts if it is a file below the root.
    Descriptor(usize),
    /// A path in this argument.
    Path(usize),
    /// A path here and flags there: it counts if a file is made or emptied.
    Open(usize, usize),
    /// As `Open`, with the flags in a structure.
    Open2,
}

/// The name of a call that changes something below the root, and what it is about.
fn change(
    pid: Pid,
    number: i64,
    arguments: [u64; 5],
    root: &Path,
) -> Option<(&'static str, String)> {
    let (name, about) = meaning(number)?;
    let argument = |at: usize| arguments.get(at).copied().unwrap_or_default();
    let making = (libc::O_CREAT | libc::O_TRUNC) as u64;
    let file = match about {
        About::Descriptor(at) => {
            let link = format!("/proc/{pid}/fd/{}", argument(at));
            let path = fs::read_link(link).ok()?;
            path.starts_with(root).then_some(())?;
            path.display().to_string()
        }
        About::Path(at) => text(pid, argument(at)),
        About::Open(at, flags) => {
            (argument(flags) & making != 0).then_some(())?;
            text(pid, argument(at))
        }
        About::Open2 => {
            let flags = memory(pid, argument(2), 8);
            let flags = u64::from_ne_bytes(flags.try_into().ok()?);
            (flags & making != 0).then_some(())?;
            text(pid, argument(1))
        }
    };
    // Devices and what the C library keeps for itself.
    let elsewhere = ["/dev/", "/proc/"].iter().any(|top| file.starts_with(top));
    let below = file.starts_with(&*root.to_string_lossy());
    (!elsewhere || below).then_some((name, file))
}

fn meaning(number: i64) -> Option<(&'static str, About)> {
    use About::{Descriptor, Open, Open2, Path};
    Some(match number {
        libc::SYS_open => ("open", Open(0, 1)),
        libc::SYS_creat => ("creat", Path(0)),
        libc::SYS_openat => ("openat", Open(1, 2)),
        libc::SYS_openat2 => ("openat2", Open2),
        libc::SYS_write => ("write", Descriptor(0)),
        libc::SYS_pwrite64 => ("pwrite64", Descriptor(0)),
        libc::SYS_writev => ("writev", Descriptor(0)),
        libc::SYS_pwritev => ("pwritev", Descriptor(0)),
        libc::SYS_pwritev2 => ("pwritev2", Descriptor(0)),
        libc::SYS_sendfile => ("sendfile", Descriptor(0)),
        libc::SYS_copy_file_range => ("copy_file_range", Descriptor(2)),
        libc::SYS_splice => ("splice", Descriptor(2)),
        libc::SYS_truncate => ("truncate", Path(0)),
        libc::SYS_ftruncate => ("ftruncate", Descriptor(0)),
        libc::SYS_fallocate => ("fallocate", Descriptor(0)),
        libc::SYS_fsync => ("fsync", Descriptor(0)),
        libc::SYS_fdatasync => ("fdatasync", Descriptor(0)),
        libc::SYS_syncfs => ("syncfs", Descriptor(0)),
        libc::SYS_sync_file_range => ("sync_file_range", Descriptor(0)),
        libc::SYS_rename => ("rename", Path(1)),
        libc::SYS_renameat => ("renameat", Path(3)),
        libc::SYS_renameat2 => ("renameat2", Path(3)),
        libc::SYS_link => ("link", Path(1)),
        libc::SYS_linkat => ("linkat", Path(3)),
        libc::SYS_symlink => ("symlink", Path(1)),
        libc::SYS_symlinkat => ("symlinkat", Path(2)),
        libc::SYS_unlink => ("unlink", Path(0)),
        libc::SYS_unlinkat => ("unlinkat", Path(1)),
        libc::SYS_rmdir => ("rmdir", Path(0)),
        libc::SYS_mkdir => ("mkdir", Path(0)),
        libc::SYS_mkdirat => ("mkdirat", Path(1)),
        libc::SYS_mknod => ("mknod", Path(0)),
        libc::SYS_mknodat => ("mknodat", Path(1)),
        libc::SYS_chmod => ("chmod", Path(0)),
        libc::SYS_fchmod => ("fchmod", Descriptor(0)),
        libc::SYS_fchmodat => ("fchmodat", Path(1)),
        libc::SYS_chown => ("chown", Path(0)),
        libc::SYS_lchown => ("lchown", Path(0)),
        libc::SYS_fchown => ("fchown", Descriptor(0)),
        libc::SYS_fchownat => ("fchownat", Path(1)),
        libc::SYS_utimensat => ("utimensat", Path(1)),
        libc::SYS_setxattr => ("setxattr", Path(0)),
        libc::SYS_lsetxattr => ("lsetxattr", Path(0)),
        libc::SYS_fsetxattr => ("fsetxattr", Descriptor(0)),
        libc::SYS_removexattr => ("removexattr", Path(0)),
        libc::SYS_lremovexattr => ("lremovexattr", Path(0)),
        libc::SYS_fremovexattr => ("fremovexattr", Descriptor(0)),
        _ => return None,
    })
}

/// A text in the memory of a thread; empty when there is none.
fn text(pid: Pid, address: u64) -> String {
    let mut bytes = memory(pid, address, 256);
    let end = bytes.iter().position(|byte| *byte == 0);
    bytes.truncate(end.unwrap_or(bytes.len()));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn memory(pid: Pid, address: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    if address == 0 {
        return Vec::new();
    }
    let read =
        File::open(format!("/proc/{pid}/mem")).and_then(|file| file.read_at(&mut bytes, address));
    bytes.truncate(read.unwrap_or(0));
    bytes
}
