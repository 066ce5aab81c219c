//! `modifyrepo FILE REPODATA`: records are added, replaced or removed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use rpm_pkg::digest::DigestAlgo;
use rpm_repo::compress::Format;
use rpm_repo::repomd::Repomd;

use super::{RunContext, checksum, example, namesake};
use crate::create::{Extra, add_one, is_kind, load};
use crate::document::{FileStyle, format};
use crate::error::{Error, Result};
use crate::repository::Repository;
use crate::update::Update;

/// Adds, replaces or removes records of a repository
#[derive(Args)]
#[command(after_help = example("repo-tools modifyrepo --mdtype productid productid /srv/repo/repodata"))]
pub(super) struct Modify {
    /// The file to add, or with --remove a type
    #[arg(value_name = "FILE")]
    input: Option<String>,
    /// The repository's repodata directory
    repodata: Option<String>,
    /// Type of the record; by default the file's name up to the first dot
    #[arg(long, value_name = "TYPE")]
    mdtype: Option<String>,
    /// Remove the record of this type
    #[arg(long)]
    remove: bool,
    /// Take the file as it is
    #[arg(long)]
    no_compress: bool,
    /// Compression (gz)
    #[arg(long, value_name = "TYPE", value_parser = format)]
    compress_type: Option<Format>,
    /// Checksum in repomd.xml (sha256)
    #[arg(long, short = 's', value_name = "TYPE", value_parser = checksum)]
    checksum: Option<DigestAlgo>,
    /// File name without checksum
    #[arg(long)]
    simple_md_filenames: bool,
    /// Do what the sections of a file say
    #[arg(long, short = 'f', value_name = "FILE")]
    batchfile: Option<PathBuf>,
    /// Name of the file in repodata
    #[arg(long, value_name = "NAME")]
    new_name: Option<String>,
    #[command(flatten)]
    _accepted: ModifyCompat,
}

// What modifyrepo_c knows and is done anyway.
#[derive(Args)]
struct ModifyCompat {
    /// Compress the file (done anyway)
    #[arg(long = "compress")]
    _compress: bool,
    /// File name with checksum (done anyway)
    #[arg(long = "unique-md-filenames")]
    _unique: bool,
}

/// One change.
struct RecordChange {
    /// The file to add, or the type to remove.
    input: String,
    remove: bool,
    kind: Option<String>,
    name: Option<String>,
    format: Format,
    checksum: DigestAlgo,
    unique: bool,
}

impl Modify {
    pub(super) fn run(&self, session: &RunContext) -> Result<()> {
        let (changes, repodata) = match &self.batchfile {
            Some(file) => (
                self.batch(file, session)?,
                self.repodata.as_ref().or(self.input.as_ref()),
            ),
            None => {
                let change = self.input.as_ref().map(|input| self.change(input, session));
                (change.into_iter().collect(), self.repodata.as_ref())
            }
        };
        let Some(repodata) = repodata.filter(|_| !changes.is_empty()) else {
            return Err(Error::Usage(
                "expected FILE (or --remove TYPE, or --batchfile) and REPODATA".into(),
            ));
        };
        let old = Repository::open(Path::new(repodata))?;
        let update = Update::begin(old.folder().clone())?;
        let mut repomd = update.old.repomd.clone();
        for change in &changes {
            apply(change, &mut repomd, &update, session)?;
        }
        let changed = update.publish(&repomd, &BTreeSet::new())?;
        let what = if changed {
            "changed"
        } else {
            "nothing changed"
        };
        session.printer.info(&format!("{repodata}: {what}"));
        Ok(())
    }

    fn change(&self, input: &str, session: &RunContext) -> RecordChange {
        RecordChange {
            input: input.to_owned(),
            remove: self.remove,
            kind: self.mdtype.clone(),
            name: self.new_name.clone(),
            format: match self.no_compress {
                true => Format::Plain,
                false => self
                    .compress_type
                    .unwrap_or(namesake::default_format(session.namesake)),
            },
            checksum: self.checksum.unwrap_or(DigestAlgo::Sha256),
            unique: !self.simple_md_filenames,
        }
    }

    /// A batch file: a section per change, named by its file, with keys as the options are called.
    fn batch(&self, path: &Path, session: &RunContext) -> Result<Vec<RecordChange>> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path, "read"))?;
        let mut changes: Vec<RecordChange> = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                changes.push(self.change(name, session));
                continue;
            }
            let (Some(change), Some((key, value))) = (changes.last_mut(), line.split_once('='))
            else {
                return Err(Error::Usage(format!(
                    "{}: {line}: expected [FILE] or key=value",
                    path.display()
                )));
            };
            set(change, key.trim(), value.trim())?;
        }
        Ok(changes)
    }
}

fn set(change: &mut RecordChange, key: &str, value: &str) -> Result<()> {
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

fn apply(
    change: &RecordChange,
    repomd: &mut Repomd,
    update: &Update,
    session: &RunContext,
) -> Result<()> {
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
            if !session.namesake {
                return Err(Error::NoRecord { path, kind });
            }
            session.printer.err(&format!(
                "Warning: Record of type \"{kind}\", which should be removed, doesn't exist in repomd.xml"
            ));
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
        dir: update.dir.clone(),
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
