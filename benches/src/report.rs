//! The table that people read, and the dated file that keeps it.

use crate::lab::Lab;
use crate::measure::Figures;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Upper bounds that a case has to keep; `None` means that the figure is shown only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    pub cpu: Option<f64>,
    pub wall: Option<f64>,
    pub memory: Option<f64>,
    /// Wall time as a multiple of the peer's.
    pub wall_ratio: Option<f64>,
}

/// One case's outcome.
pub(crate) struct Row {
    pub name: &'static str,
    pub ours: Figures,
    pub peer: Option<(&'static str, Figures)>,
    pub mark: Mark,
}

/// A finding that is counted, not timed.
pub(crate) struct Note {
    pub text: String,
    /// Whether its mark holds.
    pub reached: bool,
}

impl Row {
    /// What the case did not reach, in words; empty when all of its marks hold.
    fn misses(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut check = |what: &str, value: f64, bound: Option<f64>| {
            if let Some(bound) = bound.filter(|b| value > *b) {
                out.push(format!("{what} {value:.3} > {bound}"));
            }
        };
        check("cpu", self.ours.cpu, self.mark.cpu);
        check("wall", self.ours.wall, self.mark.wall);
        check("memory", self.ours.memory, self.mark.memory);
        if let Some((_, peer)) = &self.peer {
            check(
                "wall ratio",
                self.ours.wall / peer.wall,
                self.mark.wall_ratio,
            );
        }
        out
    }

    pub(crate) fn reached(&self) -> bool {
        self.misses().is_empty()
    }
}

pub(crate) fn table(rows: &[Row], lab: &Lab, runs: usize) -> String {
    let mut out = String::new();
    let repository = if lab.big_is_real {
        "65,484-package"
    } else {
        "recipe (small)"
    };
    let _ = writeln!(
        out,
        "medians of {runs} runs, whole processes, {repository} repository, loopback HTTP\n"
    );
    let _ = writeln!(
        out,
        "| case | ours: cpu s | wall s | MiB | peer | cpu s | wall s | MiB | cpu ratio | wall ratio | mark |"
    );
    let _ = writeln!(out, "|---|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let ours = &row.ours;
        let _ = write!(
            out,
            "| {} | {:.3} | {:.3} | {:.1} ",
            row.name, ours.cpu, ours.wall, ours.memory
        );
        let _ = match &row.peer {
            Some((name, p)) => write!(
                out,
                "| {name} | {:.3} | {:.3} | {:.1} | {:.3} | {:.3} ",
                p.cpu,
                p.wall,
                p.memory,
                ours.cpu / p.cpu.max(0.001),
                ours.wall / p.wall.max(0.001)
            ),
            None => write!(out, "| | | | | | "),
        };
        let misses = row.misses();
        let verdict = if misses.is_empty() {
            "reached".to_owned()
        } else {
            misses.join("; ")
        };
        let _ = writeln!(out, "| {verdict} |");
    }
    for note in &lab.notes {
        let verdict = if note.reached { "reached" } else { "missed" };
        let _ = writeln!(out, "\n{} Mark: {verdict}.", note.text);
    }
    out
}

/// Writes the table under `benches/results/`, named by the day and the group.
pub(crate) fn write(text: &str, group: Option<&str>) -> Result<PathBuf, String> {
    let day = std::process::Command::new("date")
        .arg("+%F")
        .output()
        .map_err(|e| e.to_string())?;
    let day = String::from_utf8_lossy(&day.stdout).trim().to_owned();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let end = group.map_or_else(String::new, |group| format!("-{group}"));
    let path = folder.join(format!("{day}{end}.md"));
    std::fs::write(&path, text).map_err(|e| e.to_string())?;
    Ok(path)
}
