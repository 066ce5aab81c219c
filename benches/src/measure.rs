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

fn median_of(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
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
