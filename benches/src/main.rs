//! Whole-process benchmarks: `tdnf` against the package managers of this machine, `rpm`, and the least that the work takes.
//!
//! Every figure is a whole process as the operating system accounts it: user plus system CPU seconds,
//! wall seconds (bash's `time`, in milliseconds), peak resident memory (`/usr/bin/time`). Medians of several runs, all programs in
//! turn within one run, so that a drift of the machine hits all alike.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod available;
mod cases;
mod fleet;
mod generated;
mod growth;
mod install;
mod lab;
mod large;
mod limit;
mod managers;
mod many;
mod measure;
mod mirror;
mod plot;
mod publish;
mod queries;
mod repo_tools;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

/// What was asked for on the command line.
struct Ask {
    tdnf: PathBuf,
    runs: usize,
    only: Option<String>,
    group: Option<String>,
    write: bool,
    quick: bool,
}

const USAGE: &str = "usage: benches --tdnf BINARY [--runs N] [--only WORD] [--group GROUP] [--quick] [--write]; --quick: three runs of what takes ten minutes, unless a group is named; groups: tdnf, many, large and queries (of tdnf), growth, repo-tools, mirror-sync; publish and fleet (only when named)";

fn parse() -> Result<Ask, String> {
    let mut ask = Ask {
        tdnf: PathBuf::new(),
        runs: 5,
        only: None,
        group: None,
        write: false,
        quick: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value; {USAGE}"));
        match word.as_str() {
            "--tdnf" => ask.tdnf = value()?.into(),
            "--runs" => ask.runs = value()?.parse().map_err(|_| USAGE.to_owned())?,
            "--only" => ask.only = Some(value()?),
            "--group" => ask.group = Some(value()?),
            "--write" => ask.write = true,
            "--quick" => {
                ask.quick = true;
                ask.runs = ask.runs.min(3);
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    if ask.tdnf.as_os_str().is_empty() || ask.runs == 0 {
        return Err(USAGE.to_owned());
    }
    ask.tdnf = ask
        .tdnf
        .canonicalize()
        .map_err(|e| format!("{}: {e}", ask.tdnf.display()))?;
    Ok(ask)
}

fn run() -> Result<bool, String> {
    let ask = parse()?;
    let mut lab = lab::Lab::set_up(&ask.tdnf, ask.quick)?;
    let told = match ask.group.as_deref() {
        Some("publish") => Some(publish::run(&mut lab, ask.runs, ask.only.as_deref())?),
        Some("fleet") => Some(fleet::run(&mut lab)?),
        _ => None,
    };
    if let Some((text, reached)) = told {
        show(&ask, &text, None)?;
        return Ok(reached);
    }
    let mut rows = Vec::new();
    let mut broken = 0;
    for case in cases::all(&mut lab, ask.group.as_deref())? {
        if ask
            .only
            .as_ref()
            .is_some_and(|word| !case.name.contains(word.as_str()))
        {
            continue;
        }
        eprintln!("==> {}", case.name);
        match case.run(&lab, ask.runs) {
            Ok(row) => rows.push(row),
            Err(why) => {
                eprintln!("benches: {}: {why}", case.name);
                broken += 1;
            }
        }
    }
    lab.notes.extend(growth::exponents(&rows));
    let text = report::page(&rows, &lab, ask.runs);
    show(&ask, &text, Some((&rows, &lab, ask.runs)))?;
    if broken > 0 {
        return Err(format!("{broken} cases could not be run"));
    }
    Ok(rows.iter().all(report::Row::reached) && lab.notes.iter().all(|note| note.reached))
}

fn show(
    ask: &Ask,
    text: &str,
    found: Option<(&[report::Row], &lab::Lab, usize)>,
) -> Result<(), String> {
    print!("{text}");
    if ask.write {
        let group = ask.group.as_deref().or(ask.quick.then_some("quick"));
        for path in report::write(text, group, found)? {
            eprintln!("written: {}", path.display());
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            eprintln!("benches: {message}");
            ExitCode::from(2)
        }
    }
}
