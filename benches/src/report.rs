//! What was found, for people and for programs, and the dated files that keep it.

use crate::lab::Lab;
use crate::managers::first_line;
use crate::measure::{Outcome, Spread};
use crate::plot;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Upper bounds that a case has to keep; `None` means that the figure is shown only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    pub cpu: Option<f64>,
    pub wall: Option<f64>,
    pub memory: Option<f64>,
    /// Wall time as a multiple of the first peer's.
    pub wall_ratio: Option<f64>,
}

/// One case's outcome.
pub(crate) struct Row {
    pub name: &'static str,
    pub ours: Outcome,
    pub peers: Vec<Outcome>,
    pub limit: Option<Outcome>,
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
        check("cpu", self.ours.cpu.median, self.mark.cpu);
        check("wall", self.ours.wall.median, self.mark.wall);
        check("memory", self.ours.memory, self.mark.memory);
        if let Some(peer) = self.peers.first() {
            let ratio = self.ours.wall.median / peer.wall.median;
            check("wall ratio", ratio, self.mark.wall_ratio);
        }
        out
    }

    pub(crate) fn reached(&self) -> bool {
        self.misses().is_empty()
    }

    /// What a peer needs less of than we do, in words.
    fn behind(&self) -> Vec<String> {
        let mut out = Vec::new();
        for peer in &self.peers {
            let ours = &self.ours;
            let mut check = |what: &str, ours: f64, theirs: f64| {
                if theirs < ours {
                    out.push(format!(
                        "{}: {what} × {:.2}",
                        peer.program,
                        ours / theirs.max(0.0005)
                    ));
                }
            };
            check("cpu", ours.cpu.median, peer.cpu.median);
            check("wall", ours.wall.median, peer.wall.median);
            check("memory", ours.memory, peer.memory);
            if let (Some(ours), Some(theirs)) = (ours.counts, peer.counts) {
                check("requests", ours.requests as f64, theirs.requests as f64);
                check("waits for the disk", ours.syncs as f64, theirs.syncs as f64);
                // A header more or less is no matter.
                if ours.bytes > theirs.bytes + theirs.bytes / 100 {
                    check("bytes", ours.bytes as f64, theirs.bytes as f64);
                }
            }
        }
        out
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, &Outcome)> {
        let ours = std::iter::once(("ours", &self.ours));
        let peers = self.peers.iter().map(|peer| ("peer", peer));
        ours.chain(peers)
            .chain(self.limit.iter().map(|limit| ("limit", limit)))
    }
}

const HEAD: &str = "| case | program | cpu s (least – most) | × ours | wall s (least – most) | × ours | MiB | requests | MB sent | waits for the disk |\n\
                    |---|---|---|---|---|---|---|---|---|---|\n";

/// A page in Markdown: first the cases in which somebody is ahead of us.
pub(crate) fn page(rows: &[Row], lab: &Lab, runs: usize) -> String {
    let mut out = String::new();
    let repository = if lab.big_is_real {
        "large (65,500 packages)"
    } else {
        "small (the recipe's)"
    };
    let _ = writeln!(
        out,
        "Medians of {runs} runs of each program in turn after one that is not counted, whole processes, {repository} repository, \
         loopback HTTP. Requests, bytes and calls that wait for the disk (fsync and its like) are counted in a run of their own. \
         `limit:` is the simplest program for what the work cannot do without. On a machine that does other things at the same time \
         only ratios and CPU seconds within one run mean something.\n"
    );
    let _ = writeln!(
        out,
        "{}\n",
        about(lab)
            .iter()
            .map(|(k, v)| format!("{k}: {v}"))
            .collect::<Vec<_>>()
            .join("; ")
    );
    let (behind, ahead): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|row| !row.behind().is_empty());
    if !behind.is_empty() {
        let _ = writeln!(out, "## A peer is ahead in something\n");
        for row in &behind {
            let _ = writeln!(out, "* {}: {}", row.name, row.behind().join(", "));
        }
        let _ = write!(out, "\n{HEAD}");
        behind.iter().for_each(|row| table_rows(&mut out, row));
    }
    if !ahead.is_empty() {
        let _ = write!(out, "\n## No peer is ahead\n\n{HEAD}");
        ahead.iter().for_each(|row| table_rows(&mut out, row));
    }
    let missed: Vec<&Row> = rows.iter().filter(|row| !row.reached()).collect();
    if !missed.is_empty() {
        let _ = writeln!(out, "\n## Marks that are missed\n");
        for row in missed {
            let _ = writeln!(out, "* {}: {}", row.name, row.misses().join("; "));
        }
    }
    for note in &lab.notes {
        let verdict = if note.reached { "reached" } else { "missed" };
        let _ = writeln!(out, "\n{} Mark: {verdict}.", note.text);
    }
    out
}

fn table_rows(out: &mut String, row: &Row) {
    for (role, one) in row.all() {
        let case = if role == "ours" { row.name } else { "" };
        let start = if role == "limit" { "limit: " } else { "" };
        let ratio = |theirs: &Spread, ours: &Spread| match role {
            "ours" => String::new(),
            _ => format!("{:.2}", theirs.median / ours.median.max(0.0005)),
        };
        let spread = |s: &Spread| format!("{:.3} ({:.3} – {:.3})", s.median, s.least, s.most);
        let counts = one.counts.map_or_else(
            || " | | ".to_owned(),
            |c| format!("{} | {:.3} | {}", c.requests, c.bytes as f64 / 1e6, c.syncs),
        );
        let _ = writeln!(
            out,
            "| {case} | {start}{} | {} | {} | {} | {} | {:.1} | {counts} |",
            one.program,
            spread(&one.cpu),
            ratio(&one.cpu, &row.ours.cpu),
            spread(&one.wall),
            ratio(&one.wall, &row.ours.wall),
            one.memory,
        );
    }
}

/// The same for programs: seconds, MiB, bytes.
pub(crate) fn document(rows: &[Row], lab: &Lab, runs: usize) -> Value {
    let spread = |s: &Spread| json!({"median": s.median, "least": s.least, "most": s.most});
    let outcome = |(role, one): (&str, &Outcome)| {
        json!({
            "program": one.program, "role": role, "cpu_seconds": spread(&one.cpu), "wall_seconds": spread(&one.wall),
            "peak_mib": one.memory,
            "counts": one.counts.map(|c| json!({"requests": c.requests, "bytes": c.bytes, "disk_waits": c.syncs})),
        })
    };
    let cases: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "case": row.name, "programs": row.all().map(outcome).collect::<Vec<_>>(),
                "behind": row.behind(), "missed": row.misses(),
            })
        })
        .collect();
    let notes: Vec<Value> = lab
        .notes
        .iter()
        .map(|note| json!({"text": note.text, "reached": note.reached}))
        .collect();
    let about: serde_json::Map<String, Value> =
        about(lab).into_iter().map(|(k, v)| (k, v.into())).collect();
    json!({"runs": runs, "about": about, "cases": cases, "notes": notes})
}

/// Machine and programs.
fn about(lab: &Lab) -> Vec<(String, String)> {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut out = vec![
        ("machine".to_owned(), format!("{cores} × {model}")),
        (
            "load at the end".to_owned(),
            load.split(' ').next().unwrap_or_default().to_owned(),
        ),
    ];
    out.extend(lab.managers.versions());
    for program in ["rpm", "createrepo_c", "bsdtar"] {
        if let Some(line) = first_line(Command::new(program).arg("--version")) {
            out.push((program.to_owned(), line));
        }
    }
    out
}

/// Writes page, document and plots under `benches/results/`, named by the day and the group.
pub(crate) fn write(
    page: &str,
    group: Option<&str>,
    found: Option<(&[Row], &Lab, usize)>,
) -> Result<Vec<PathBuf>, String> {
    let day = first_line(Command::new("date").arg("+%F")).ok_or("date says nothing")?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let stem = group.map_or_else(|| day.clone(), |group| format!("{day}-{group}"));
    let mut files = vec![(format!("{stem}.md"), page.to_owned())];
    if let Some((rows, lab, runs)) = found {
        let text = format!("{:#}\n", document(rows, lab, runs));
        files.push((format!("{stem}.json"), text));
        for (name, svg) in plot::all(rows) {
            files.push((format!("{stem}-{name}.svg"), svg));
        }
    }
    let mut written = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        written.push(path);
    }
    Ok(written)
}
