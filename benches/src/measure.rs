//! One run of one command, and the median of several.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The accounting of one finished process with all its children.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// User plus system time, seconds.
    pub cpu: f64,
    /// Wall time, seconds.
    pub wall: f64,
    /// Peak resident memory of the largest process, MiB.
    pub memory: f64,
    /// Exit status.
    pub code: i32,
}

/// A program with its arguments, the directory it runs in and nothing of the caller's locale.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub words: Vec<String>,
    /// Exit codes that count as success: tdnf answers `--assumeno` with 8, dnf with 1.
    pub good: Vec<i32>,
    /// A control group that limits its memory.
    pub group: Option<PathBuf>,
}

/// Runs `$3...` with its output in `$2`; user, system and wall seconds go to `$1`. bash counts in
/// milliseconds; only /usr/bin/time around it knows the peak memory (a bash takes 4 MiB of its own).
const SCRIPT: &str = r#"
TIMEFORMAT='%3U %3S %3R'
if [ -n "$GROUP" ]; then echo $$ > "$GROUP/cgroup.procs" || exit 99; fi
{ time "${@:3}" > "$2" 2>&1; } 2> "$1"
"#;

impl Program {
    pub(crate) fn new<S: AsRef<str>>(words: &[S], good: &[i32]) -> Program {
        let words = words.iter().map(|w| w.as_ref().to_owned()).collect();
        Program {
            words,
            good: good.to_vec(),
            group: None,
        }
    }

    /// Runs it once; output is dropped, stdin is empty.
    pub(crate) fn run(&self, scratch: &Path) -> Result<Figures, String> {
        let [times, peak, output] =
            ["times.txt", "peak.txt", "output.txt"].map(|name| scratch.join(name));
        let status = Command::new("/usr/bin/time")
            .args(["-q", "-f", "%M", "-o"])
            .arg(&peak)
            .args(["bash", "-c", SCRIPT, "bash"])
            .args([&times, &output])
            .args(&self.words)
            .env("LC_ALL", "C")
            .env("GROUP", self.group.as_deref().unwrap_or(Path::new("")))
            .stdin(Stdio::null())
            .status()
            .map_err(|e| format!("/usr/bin/time: {e}"))?;
        let code = status.code().unwrap_or(-1);
        if !self.good.contains(&code) {
            return Err(self.failure(code, &output));
        }
        let [user, system, wall] = numbers(&times)?[..] else {
            return Err("bash wrote no times".to_owned());
        };
        let [kib] = numbers(&peak)?[..] else {
            return Err("/usr/bin/time wrote no peak".to_owned());
        };
        Ok(Figures {
            cpu: user + system,
            wall,
            memory: kib / 1024.0,
            code,
        })
    }

    fn failure(&self, code: i32, output: &Path) -> String {
        let said = std::fs::read_to_string(output).unwrap_or_default();
        let mut tail: Vec<&str> = said.lines().rev().take(12).collect();
        tail.reverse();
        format!("{:?} ended with {code}:\n{}", self.words, tail.join("\n"))
    }
}

fn numbers(file: &Path) -> Result<Vec<f64>, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect())
}

/// What is counted, in a run of its own: it is the same in every run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Calls that wait for the disk.
    pub syncs: usize,
    /// Requests to the servers of the lab, and the bytes that they sent.
    pub requests: usize,
    pub bytes: u64,
}

/// What waits for the disk.
const SYNCS: &str = "trace=fsync,fdatasync,syncfs,sync,sync_file_range,msync";

impl Program {
    /// Counts, without a limit of memory. `log` is the one of the servers.
    pub(crate) fn counts(&self, scratch: &Path, log: &Path) -> Result<Counts, String> {
        let syncs = scratch.join("syncs.txt");
        let words = [
            "strace",
            "-f",
            "--seccomp-bpf",
            "-qq",
            "-e",
            SYNCS,
            "-e",
            "signal=none",
            "-o",
        ];
        let mut words: Vec<String> = words.map(str::to_owned).to_vec();
        words.push(syncs.display().to_string());
        words.extend(self.words.iter().cloned());
        let empty = std::fs::File::options().write(true).open(log);
        empty
            .and_then(|file| file.set_len(0))
            .map_err(|e| format!("{}: {e}", log.display()))?;
        Program::new(&words, &self.good).run(scratch)?;
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
        };
        // A call that another one interrupted stands on two lines.
        let syncs = read(&syncs)?
            .lines()
            .filter(|line| !line.contains("resumed>"))
            .count();
        let requests = read(log)?;
        let bytes = requests.lines().filter_map(|line| line.parse::<u64>().ok());
        Ok(Counts {
            syncs,
            requests: requests.lines().count(),
            bytes: bytes.sum(),
        })
    }
}

pub(crate) fn median_of(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

/// Several values of one figure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    fn of(values: Vec<f64>) -> Spread {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        Spread {
            median: median_of(values),
            least,
            most,
        }
    }
}

/// What several runs of one program took.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub program: String,
    pub cpu: Spread,
    pub wall: Spread,
    pub memory: f64,
    pub counts: Option<Counts>,
}

impl Outcome {
    pub(crate) fn of(program: &str, runs: &[Figures], counts: Option<Counts>) -> Outcome {
        let all = |figure: fn(&Figures) -> f64| runs.iter().map(figure).collect();
        Outcome {
            program: program.to_owned(),
            cpu: Spread::of(all(|f| f.cpu)),
            wall: Spread::of(all(|f| f.wall)),
            memory: median_of(all(|f| f.memory)),
            counts,
        }
    }
}

/// The median of every figure on its own.
pub(crate) fn median(runs: &[Figures]) -> Figures {
    Figures {
        cpu: median_of(runs.iter().map(|f| f.cpu).collect()),
        wall: median_of(runs.iter().map(|f| f.wall).collect()),
        memory: median_of(runs.iter().map(|f| f.memory).collect()),
        code: runs.last().map_or(0, |f| f.code),
    }
}
