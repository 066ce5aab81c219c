//! Who holds a lock: what a waiting user is told.

use std::fmt;
use std::fs;

use chrono::{DateTime, Local};

/// The longest command that is written down or shown.
const MAX_COMMAND: usize = 120;
/// Ticks per second in `/proc/PID/stat` (USER_HZ, the same on every architecture we build for).
const TICKS: u64 = 100;

/// The holder of a lock, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// Its process number; `None` for a process of another container.
    pub pid: Option<u32>,
    /// What it was asked to do.
    pub command: Option<String>,
    /// Seconds since 1970 when it began.
    pub since: Option<u64>,
}

impl Holder {
    /// What `/proc` tells of a process.
    pub fn of_process(pid: Option<u32>) -> Self {
        let Some(pid) = pid.filter(|pid| *pid != 0) else {
            return Self::default();
        };
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<_> = words
            .split(|byte| *byte == 0)
            .filter(|word| !word.is_empty())
            .map(String::from_utf8_lossy)
            .collect();
        Self {
            pid: Some(pid),
            command: Some(shown(&words.join(" "))).filter(|text| !text.is_empty()),
            since: started(pid),
        }
    }

    /// This process, which does `command`.
    pub fn this(command: &str, since: u64) -> Self {
        Self {
            pid: Some(std::process::id()),
            command: Some(shown(command)),
            since: Some(since),
        }
    }

    /// The lines that stand in a lock file: the process number as C tdnf writes it, then time and
    /// command.
    pub fn to_text(&self) -> String {
        let pid = self.pid.unwrap_or_default();
        let since = self.since.unwrap_or_default();
        format!(
            "{pid}\n{since}\n{}\n",
            self.command.as_deref().unwrap_or_default()
        )
    }

    /// Reads them; the first line alone is a C tdnf's.
    pub fn of_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        Some(Self {
            pid: Some(pid),
            since: lines.next().and_then(|line| line.parse().ok()),
            command: lines.next().map(shown).filter(|text| !text.is_empty()),
        })
    }

    /// What is known here, filled up with what is known there.
    pub fn or(self, other: Self) -> Self {
        Self {
            pid: self.pid.or(other.pid),
            command: self.command.or(other.command),
            since: self.since.or(other.since),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}")?,
            None => write!(f, "a process that cannot be seen from here")?,
        }
        if let Some(command) = &self.command {
            write!(f, " ({command})")?;
        }
        let since = self.since.and_then(|since| i64::try_from(since).ok());
        match since.and_then(|since| DateTime::from_timestamp(since, 0)) {
            Some(time) => {
                let local = time.with_timezone(&Local);
                write!(f, " since {}", local.format("%Y-%m-%d %H:%M:%S"))
            }
            None => Ok(()),
        }
    }
}

/// One line without control characters, passwords in URLs left out.
fn shown(text: &str) -> String {
    let words = text
        .split_whitespace()
        .map(|word| match word.contains("://") {
            true => repo_client::redact(word),
            false => word.to_owned(),
        });
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars()
        .filter(|c| !c.is_control())
        .take(MAX_COMMAND)
        .collect()
}

/// When a process began, from `/proc`.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and parentheses; behind its last one the fields are numbers.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: u64 = fields.split_whitespace().nth(19)?.parse().ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let boot = boot.lines().find_map(|line| line.strip_prefix("btime "))?;
    let boot: u64 = boot.trim().parse().ok()?;
    boot.checked_add(ticks / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let holder = Holder::this("install a https://u:secret@h/x.rpm\n\x1b[1m", 1_700_000_000);
        let again = Holder::of_text(&holder.to_text()).expect("it has a number");
        assert_eq!(again, holder);
        let text = holder.to_string();
        assert!(!text.contains("secret") && !text.contains('\x1b'), "{text}");
        assert!(
            text.contains("(install a https://***@h/x.rpm [1m) since 2023-11-1"),
            "{text}"
        );
    }

    #[test]
    fn the_file_of_c_tdnf_has_a_number_only() {
        assert_eq!(Holder::of_text("123").and_then(|h| h.pid), Some(123));
        assert_eq!(Holder::of_text(""), None);
        assert_eq!(Holder::of_text("x\n1\n2"), None);
    }

    #[test]
    fn proc_tells_of_this_process() {
        let holder = Holder::of_process(Some(std::process::id()));
        assert!(
            holder.command.is_some() && holder.since > Some(1_600_000_000),
            "{holder:?}"
        );
        assert_eq!(Holder::of_process(Some(0)), Holder::default());
    }
}
