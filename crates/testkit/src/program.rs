//! Programs that are run: how they ended and what they said.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Most memory that a measured run may use, in KiB: the common bound of docs/threats.md.
pub const MAX_PEAK_KIB: u64 = 256 * 1024;
/// Seconds after which a measured run is killed, and so fails its test.
const MAX_SECONDS: u32 = 180;

/// How a run ended and what it said.
#[derive(Debug)]
pub struct Run {
    /// Exit code; -1: killed by a signal.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// Peak resident memory in KiB; none unless it was [`measured`].
    pub peak: Option<u64>,
    /// How long it took; zero for a run that somebody else waited for.
    pub time: Duration,
}

/// A word that would steer a terminal, in every way there is.
pub const STEERING: &str =
    "evil\x1b]0;x\x07\x1b[2J\u{9b}2J\u{7f}\u{8}\r\u{202e}\u{2066}\u{61c}\u{200f}\u{2028}end";

/// What tells programs of language, terminal and log, each with [`STEERING`].
pub const STEERING_VARIABLES: [&str; 9] = [
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_MESSAGES",
    "TERM",
    "COLUMNS",
    "NO_COLOR",
    "TZ",
    "TDNF_LOG",
];

impl Run {
    /// Of a program that has ended.
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
            peak: None,
            time: Duration::ZERO,
        }
    }

    /// Both outputs.
    pub fn text(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// It ended with exit code 0.
    pub fn success(&self) -> bool {
        self.code == 0
    }

    /// Asserts success.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.ends(0)
    }

    /// Asserts this exit code, and no panic.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.text());
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    /// Asserts that nothing in both outputs steers a terminal: escapes, controls, marks that turn the direction of text.
    #[track_caller]
    pub fn steers_nothing(self) -> Self {
        let text = self.text();
        let steers = |c: char| {
            c.is_control() && !matches!(c, '\n' | '\t')
                || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!text.contains(steers), "{text:?}");
        self
    }

    /// Asserts this exit code and a line of standard error.
    #[track_caller]
    pub fn fails(self, code: i32, line: &str) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        assert!(
            self.err.lines().any(|found| found == line),
            "no line '{line}' in {self:#?}"
        );
        self
    }

    /// Asserts an end of its own making that was no success: no signal, no panic.
    #[track_caller]
    pub fn failed(self) -> Self {
        assert!(self.code > 0, "{}: {}", self.code, self.text());
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    /// One line of the output has all these words.
    #[track_caller]
    pub fn says(&self, words: &[&str]) {
        let text = self.text();
        let found = text
            .lines()
            .any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "no line has all of {words:?}:\n{text}");
    }

    /// A clean refusal by a [`measured`] run: an exit code, no panic, bounded memory, a line with these words.
    #[track_caller]
    pub fn refused(&self, words: &[&str]) {
        let text = self.text();
        assert_ne!(
            self.code, -1,
            "killed by a signal after {:?}:\n{text}",
            self.time
        );
        assert_ne!(self.code, 0, "not refused:\n{text}");
        assert!(!text.contains("panicked"), "{text}");
        let peak = self.peak.expect("the run was measured");
        assert!(peak <= MAX_PEAK_KIB, "{peak} KiB:\n{text}");
        self.says(words);
    }
}

/// Runs a program without input.
#[track_caller]
pub fn run(command: &mut Command) -> Run {
    run_with(command, b"")
}

/// Runs a program with this input, of which it may leave what it likes unread.
#[track_caller]
pub fn run_with(command: &mut Command, input: &[u8]) -> Run {
    let start = Instant::now();
    let output = output(command, input);
    Run {
        time: start.elapsed(),
        ..Run::of(output)
    }
}

/// The bytes that a program, which must succeed, makes of its input.
#[track_caller]
pub fn filter(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let output = output(command, input);
    assert!(output.status.success(), "{command:?}: {output:?}");
    output.stdout
}

#[track_caller]
fn output(command: &mut Command, input: &[u8]) -> Output {
    if input.is_empty() {
        let output = command.stdin(Stdio::null()).output();
        return output.unwrap_or_else(|e| panic!("{command:?}: {e}"));
    }
    let [stdin, out, err] = [(); 3].map(|()| Stdio::piped());
    let child = command.stdin(stdin).stdout(out).stderr(err).spawn();
    let mut child = child.unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let pipe = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // A program that reads nothing closes the pipe; that is no fault.
        scope.spawn(move || pipe.map(|mut pipe| pipe.write_all(input)));
        child.wait_with_output()
    });
    output.unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// Standard output of a program that must succeed.
#[track_caller]
pub fn ok(command: &mut Command) -> String {
    let run = run(command);
    assert!(run.success(), "{command:?}: {}\n{}", run.code, run.text());
    run.out
}

/// Runs a command, killed after so many seconds; writes its exit code (-1 for a signal) and its peak memory in KiB.
const WATCH: &str = "
import os, signal, sys
pid = os.fork()
if pid == 0:
    signal.alarm(int(sys.argv[1]))
    os.execvp(sys.argv[3], sys.argv[3:])
_, status, usage = os.wait4(pid, 0)
code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
with open(sys.argv[2], 'w') as file:
    file.write(f'{code} {usage.ru_maxrss}')
";

/// Runs a program without input and measures its memory; `PATH` and all else is that of `command`. One that takes
/// longer than three minutes is killed.
pub fn measured(command: &Command) -> Run {
    let usage = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let mut watch = Command::new("/usr/bin/python3");
    watch
        .args(["-I", "-S", "-c", WATCH])
        .arg(MAX_SECONDS.to_string())
        .arg(usage.path())
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    let set = |(name, value): (_, Option<_>)| value.map(|value| (name, value));
    watch.envs(command.get_envs().filter_map(set));
    if let Some(dir) = command.get_current_dir() {
        watch.current_dir(dir);
    }
    let run = run(&mut watch);
    let text = fs::read_to_string(usage.path()).expect("the watcher wrote what it saw");
    let (code, peak) = text.split_once(' ').expect("two numbers");
    Run {
        code: code.parse().expect("an exit code"),
        peak: Some(peak.parse().expect("a size")),
        ..run
    }
}
