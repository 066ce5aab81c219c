//! One run of one command, and the median of several.

use std::path::Path;
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
}

impl Program {
    pub(crate) fn new<S: AsRef<str>>(words: &[S], good: &[i32]) -> Program {
        let words = words.iter().map(|w| w.as_ref().to_owned()).collect();
        Program {
            words,
            good: good.to_vec(),
        }
    }

    /// Runs it once under `/usr/bin/time`; output is dropped, stdin is empty.
    pub(crate) fn run(&self, scratch: &Path) -> Result<Figures, String> {
        let figures = scratch.join("time.txt");
        let output = scratch.join("output.txt");
        let log = std::fs::File::create(&output).map_err(|e| e.to_string())?;
        let started = std::time::Instant::now();
        let status = Command::new("/usr/bin/time")
            .args(["-q", "-f", "%U %S %M", "-o"])
            .arg(&figures)
            .args(&self.words)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|e| e.to_string())?)
            .stderr(log)
            .status()
            .map_err(|e| format!("/usr/bin/time: {e}"))?;
        let wall = started.elapsed().as_secs_f64();
        let code = status.code().unwrap_or(-1);
        if !self.good.contains(&code) {
            let said = std::fs::read_to_string(&output).unwrap_or_default();
            let tail: Vec<&str> = said.lines().rev().take(12).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            return Err(format!(
                "{:?} ended with {code}:\n{}",
                self.words,
                tail.join("\n")
            ));
        }
        let text = std::fs::read_to_string(&figures).map_err(|e| e.to_string())?;
        let numbers: Vec<f64> = text
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let [user, system, kib] = numbers[..] else {
            return Err(format!("/usr/bin/time wrote {text:?}"));
        };
        Ok(Figures {
            cpu: user + system,
            wall,
            memory: kib / 1024.0,
            code,
        })
    }
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
