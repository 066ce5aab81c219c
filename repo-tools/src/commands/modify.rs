//! `modifyrepo FILE REPODATA`: records are added, replaced or removed.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};
use rpm_repo::compress::Format;
use rpm_repo::repomd::Repomd;

use super::{Entry, Session, checksum, flag, text, value};
use crate::create::{Extra, add_one, is_kind, load};
use crate::document::{FileStyle, format};
use crate::error::{Error, Result};
use crate::update::Update;

pub(super) const ENTRY: Entry = Entry {
    name: "modifyrepo",
    programs: &["modifyrepo", "modifyrepo_c"],
    args,
    run,
};

fn args(command: Command) -> Command {
    command
        .about("Adds, replaces or removes records of a repository")
        .arg(
            Arg::new("input")
                .help("The file to add, or with --remove a type")
                .value_name("FILE"),
        )
        .arg(
            Arg::new("repodata")
                .value_name("REPODATA")
                .help("The repository's repodata directory"),
        )
        .arg(value(
            "mdtype",
            "Type of the record; by default the file's name up to the first dot",
        ))
        .arg(flag("remove", "Remove the record of this type"))
        .arg(flag("compress", "Compress the file (done anyway)"))
        .arg(flag("no-compress", "Take the file as it is"))
        .arg(value("compress-type", "Compression (gz)"))
        .arg(value("checksum", "Checksum in repomd.xml (sha256)").short('s'))
        .arg(flag(
            "unique-md-filenames",
            "File name with checksum (done anyway)",
        ))
        .arg(flag("simple-md-filenames", "File name without checksum"))
        .arg(value("batchfile", "Do what the sections of a file say").short('f'))
        .arg(value("new-name", "Name of the file in repodata"))
}

/// One change.
struct Change {
    /// The file to add, or the type to remove.
    input: String,
    remove: bool,
    kind: Option<String>,
    name: Option<String>,
    format: Format,
    checksum: rpm_pkg::digest::DigestAlgo,
    unique: bool,
}

fn run(args: &ArgMatches, session: &Session) -> Result<()> {
    let first = text(args, "input");
    let (changes, repodata) = match text(args, "batchfile") {
        Some(file) => {
            let repodata = text(args, "repodata").or(first);
            (batch(Path::new(&file), args)?, repodata)
        }
        None => (
            first
                .map(|input| change(input, args))
                .transpose()?
                .into_iter()
                .collect(),
            text(args, "repodata"),
        ),
    };
    let Some(repodata) = repodata.filter(|_| !changes.is_empty()) else {
        return Err(Error::Usage(
            "expected FILE (or --remove TYPE, or --batchfile) and REPODATA".into(),
        ));
    };
    let update = Update::begin(Path::new(&repodata))?;
    let mut repomd = update.old.repomd.clone();
    for change in &changes {
        apply(change, &mut repomd, &update, session)?;
    }
    let changed = update.publish(&repomd)?;
    let what = if changed {
        "changed"
    } else {
        "nothing changed"
    };
    session.printer.info(&format!("{repodata}: {what}"));
    Ok(())
}

fn change(input: String, args: &ArgMatches) -> Result<Change> {
    let packed = text(args, "compress-type").map_or(Ok(Format::Gzip), |name| format(&name))?;
    let sum = text(args, "checksum").unwrap_or_else(|| "sha256".to_owned());
    Ok(Change {
        input,
        remove: args.get_flag("remove"),
        kind: text(args, "mdtype"),
        name: text(args, "new-name"),
        format: if args.get_flag("no-compress") {
            Format::Plain
        } else {
            packed
        },
        checksum: checksum(&sum)?,
        unique: !args.get_flag("simple-md-filenames"),
    })
}

/// A batch file: a section per change, named by its file, with keys as the options are called.
fn batch(path: &Path, args: &ArgMatches) -> Result<Vec<Change>> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path, "read"))?;
    let mut changes: Vec<Change> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            changes.push(change(name.to_owned(), args)?);
            continue;
        }
        let (Some(change), Some((key, value))) = (changes.last_mut(), line.split_once('=')) else {
            return Err(Error::Usage(format!(
                "{}: {line}: expected [FILE] or key=value",
                path.display()
            )));
        };
        set(change, key.trim(), value.trim())?;
    }
    Ok(changes)
}

fn set(change: &mut Change, key: &str, value: &str) -> Result<()> {
    let truth = || ["1", "true", "yes"].contains(&value.to_ascii_lowercase().as_str());
    match key {
        "path" => change.input = value.to_owned(),
        "type" | "mdtype" => change.kind = Some(value.to_owned()),
        "new-name" => change.name = Some(value.to_owned()),
        "remove" => change.remove = truth(),
        "compress" if !truth() => change.format = Format::Plain,
        "compress" => {}
        "compress-type" => change.format = format(value)?,
        "checksum" => change.checksum = checksum(value)?,
        "unique-md-filenames" => change.unique = truth(),
        "simple-md-filenames" => change.unique = !truth(),
        _ => return Err(Error::Usage(format!("unknown key {key} in the batch file"))),
    }
    Ok(())
}

fn apply(change: &Change, repomd: &mut Repomd, update: &Update, session: &Session) -> Result<()> {
    let file_kind = || {
        let name = change.input.rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default().to_owned()
    };
    let kind = match &change.kind {
        Some(kind) => kind.clone(),
        None if change.remove => change.input.clone(),
        None => file_kind(),
    };
    if change.remove {
        let before = repomd.records.len();
        repomd.records.retain(|record| record.kind != kind);
        if repomd.records.len() == before {
            let path = update.old.dir.clone();
            return Err(Error::NoRecord { path, kind });
        }
        return Ok(());
    }
    let loaded = load(&[Extra {
        kind: kind.clone(),
        path: PathBuf::from(&change.input),
        name: change.name.clone(),
        format: Some(change.format),
    }])?;
    let style = FileStyle {
        dir: update.dir(),
        format: change.format,
        checksum: change.checksum,
        unique_names: change.unique,
        timestamp: session.now,
    };
    for loaded in &loaded {
        let record = add_one(loaded, &style)?;
        match repomd.records.iter_mut().find(|old| old.kind == kind) {
            // The same file again changes nothing, not even the time.
            Some(old) if old.href == record.href && old.checksum == record.checksum => {}
            Some(old) => *old = record,
            None => repomd.records.push(record),
        }
    }
    if kind == "group" {
        let stale = |other: &str| other != kind && is_kind(other, &kind);
        repomd.records.retain(|record| !stale(&record.kind));
    }
    Ok(())
}
