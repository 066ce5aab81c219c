//! Records that other people's files bring: comps, updateinfo, modules, anything.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rpm_repo::compress::{Expected, Format, VerifiedReader};
use rpm_repo::modules::ModuleIndex;
use rpm_repo::repomd::RepomdRecord;
use rpm_repo::xml::XmlLimits;
use rpm_repo::{comps, updateinfo};
use rustix::fs::OFlags;

use crate::document::{FileStyle, NewFile, whole};
use crate::error::{Error, Result};
use crate::modules::{self, ModulesFile};
use crate::repository::Repository;

/// A file to be taken in.
#[derive(Debug, Clone)]
pub struct Extra {
    /// The record's type.
    pub kind: String,
    /// The file, compressed or not.
    pub path: PathBuf,
    /// Another name for the file in repodata.
    pub name: Option<String>,
    /// Its compression in repodata; none: that of all such records.
    pub format: Option<Format>,
}

impl Extra {
    /// A file to be taken in under its own name, compressed as all such records are.
    pub fn of(kind: &str, path: PathBuf) -> Extra {
        Extra {
            kind: kind.to_owned(),
            path,
            name: None,
            format: None,
        }
    }
}

/// A file that was read and found good.
pub(crate) struct LoadedExtras {
    pub(crate) extra: Extra,
    pub(crate) digest: Digest,
}

/// Reads all of them once: a bad one is named before anything is written.
pub(crate) fn load(extras: &[Extra]) -> Result<Vec<LoadedExtras>> {
    extras
        .iter()
        .map(|extra| {
            check(extra)?;
            let digest = Hasher::digest_reader(DigestAlgo::Sha256, open(&extra.path)?)
                .map_err(Error::file(&extra.path, "read"))?;
            let extra = extra.clone();
            Ok(LoadedExtras { extra, digest })
        })
        .collect()
}

fn open(path: &Path) -> Result<impl Read + use<>> {
    let file = whole_file::open_named(path, OFlags::RDONLY);
    let (file, _) = file.map_err(Error::file(path, "read"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    VerifiedReader::new(file, &name, Expected::default()).map_err(Error::file(path, "read"))
}

/// The kinds that this program understands must be what they claim.
fn check(extra: &Extra) -> Result<()> {
    let name = extra.path.display().to_string();
    let limits = XmlLimits::default();
    match extra.kind.as_str() {
        "group" => comps::read(&name, open(&extra.path)?, &limits).map(drop)?,
        "updateinfo" => {
            let each = &mut |_| ControlFlow::Continue(());
            let summary = updateinfo::read(&name, open(&extra.path)?, &limits, each)?;
            whole(&name, summary)?;
        }
        modules::KIND => {
            ModuleIndex::read(&name, open(&extra.path)?)?;
            if rpm_repo::modules::read(&name, open(&extra.path)?)? == Default::default() {
                let what = "it holds no module documents".to_owned();
                let path = extra.path.clone();
                return Err(Error::Damaged { path, what });
            }
        }
        _ => {}
    }
    Ok(())
}

/// Writes module metadata of several files, and of the record of `old` what they do not replace.
pub(super) fn write_modules(
    loaded: &[&LoadedExtras],
    old: Option<&Repository>,
    style: &FileStyle,
) -> Result<RepomdRecord> {
    let mut file = ModulesFile::create(style)?;
    for loaded in loaded {
        let path = &loaded.extra.path;
        file.add(path, open(path)?, false)?;
    }
    if let Some(old) = old.filter(|old| old.repomd.record(modules::KIND).is_some()) {
        let (name, stream) = old.open_kind(modules::KIND)?;
        file.add(Path::new(&name), stream, true)?;
    }
    file.finish()
}

/// Writes the file into the new repodata and adds its record, instead of one of the same type. comps
/// are there twice, as createrepo does it: as they are and compressed.
pub(crate) fn add_record(
    loaded: &LoadedExtras,
    style: &FileStyle,
    records: &mut Vec<RepomdRecord>,
) -> Result<()> {
    let extra = &loaded.extra;
    let format = extra.format.unwrap_or(style.format);
    let style = FileStyle {
        format,
        ..style.clone()
    };
    records.retain(|record| !is_kind(&record.kind, &extra.kind));
    if extra.kind == "group" && format != Format::Plain {
        let plain = FileStyle {
            format: Format::Plain,
            ..style.clone()
        };
        records.push(write(extra, "group", &plain)?);
        records.push(write(extra, &packed_kind("group", format), &style)?);
    } else {
        records.push(write(extra, &extra.kind, &style)?);
    }
    Ok(())
}

/// Writes the file into the new repodata and describes it.
pub(crate) fn add_one(loaded: &LoadedExtras, style: &FileStyle) -> Result<RepomdRecord> {
    write(&loaded.extra, &loaded.extra.kind, style)
}

/// The type of the compressed form of a record that is there twice (`group_gz`).
pub(crate) fn packed_kind(kind: &str, format: Format) -> String {
    format!("{kind}{}", format.suffix().replace('.', "_"))
}

/// Whether a record is of a kind or another form of it (`group_gz` of `group`).
pub(crate) fn is_kind(record: &str, kind: &str) -> bool {
    let rest = record.strip_prefix(kind);
    rest.is_some_and(|rest| matches!(rest, "" | "_gz" | "_xz" | "_zst" | "_bz2" | "_zck" | "_db"))
}

fn write(extra: &Extra, kind: &str, style: &FileStyle) -> Result<RepomdRecord> {
    let own = extra.path.file_name().unwrap_or_default().to_string_lossy();
    let mut stem = extra.name.as_deref().unwrap_or(&own);
    let packed = Format::of_name(stem);
    if packed != Format::Plain && packed != Format::Zchunk {
        stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    }
    let mut file = NewFile::create(kind, stem, style)?;
    let mut stream = open(&extra.path)?;
    file.copy(&mut stream, &extra.path)?;
    file.finish()
}
