//! The small decisions around a run: names, records that stay, repomd.xml, what counts as the same.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use cli_kit::Printer;
use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_repo::repomd::{self, Repomd, RepomdRecord};
use rustix::fs::FileType;
use whole_file::Folder;

use super::extras::{LoadedExtras, is_kind};
use super::{Built, CreateOptions, CreatePlan};
use crate::document::MetadataDocument;
use crate::error::{Error, PackageFault, Result};
use crate::package::Noted;
use crate::repository::Repository;
use crate::scan::PackageFile;
use crate::stage::{INDEX, REPODATA};
use crate::state;

/// Whether a record, or a database for yum made of it, describes the packages: such records never
/// outlive a change of them.
pub(crate) fn is_package_kind(record: &str) -> bool {
    let mut documents = MetadataDocument::ALL.iter();
    documents.any(|document| is_kind(record, document.kind()))
}

/// The location in metadata of a file.
pub(super) fn href(location: &str, options: &CreateOptions) -> Result<String> {
    let mut rest = location;
    for _ in 0..options.cut_dirs {
        rest = rest.split_once('/').map_or(rest, |(_, rest)| rest);
    }
    if options.prefix.is_empty() {
        return Ok(rest.to_owned());
    }
    let href = format!("{}/{rest}", options.prefix.trim_end_matches('/'));
    match rpm_repo::layout::fault(&href) {
        None => Ok(href),
        Some(why) => Err(Error::Package {
            path: location.into(),
            fault: PackageFault::Location(why),
        }),
    }
}

/// The files of the old metadata, by [`href`] the other way round.
///
/// # Errors
/// The old primary cannot be read.
pub(super) fn recycled<'r>(
    options: &CreateOptions,
    old: impl Iterator<Item = &'r Repository>,
    printer: &Printer,
) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for old in old {
        let prefix = options.prefix.trim_end_matches('/');
        old.packages(&mut |_, package| {
            let location = package.location();
            let below = location.strip_prefix(prefix);
            let below = below.and_then(|rest| rest.strip_prefix('/'));
            let file = below.filter(|_| !prefix.is_empty()).unwrap_or(location);
            if package.location_base() == options.style.base.as_deref() {
                files.push(file.to_owned());
            }
        })?;
    }
    if files.is_empty() {
        printer.err("warning: --recycle-pkglist: the old metadata list no packages");
    }
    Ok(files)
}

/// Whether a file of module metadata in the tree counts: in `repodata` of this repository none does (what its
/// record holds stays anyway), in that of another one the file that its repomd.xml lists.
pub(super) fn is_wanted(path: &Path, options: &CreateOptions) -> bool {
    let above = path.parent().filter(|above| above.ends_with(REPODATA));
    let Some(root) = above.and_then(Path::parent) else {
        return true;
    };
    let is_own = fs::canonicalize(root).ok() == fs::canonicalize(&options.out).ok();
    let listed = |repository: Repository| {
        let record = repository.repomd.record(crate::modules::KIND);
        record.is_some_and(|record| path.ends_with(record.href.path()))
    };
    !is_own && Repository::open(root).is_ok_and(listed)
}

/// All options that decide what metadata look like, in one line: first those that decide a
/// package's records, then, after a bar, the others.
pub(super) fn fingerprint(options: &CreateOptions, extras: &[LoadedExtras]) -> String {
    let tags = &options.tags;
    let mut line = format!(
        "{} {} {:?} {:?} {} | {} {} {:?} {} {} {} {:?} {:?} {:?} {:?}",
        options.style.checksum,
        options.style.changelogs,
        options.style.base,
        options.prefix,
        options.cut_dirs,
        options.format,
        options.general,
        options.database,
        options.repomd_checksum,
        options.unique_names,
        options.keep_records,
        options.revision,
        tags.repo_tags,
        tags.content_tags,
        tags.distro_tags,
    );
    for loaded in extras {
        // Writing into a string cannot fail.
        let _ = write!(
            line,
            " {:?} {:?} {:?} {}",
            loaded.extra.kind,
            loaded.extra.path.file_name().unwrap_or_default(),
            loaded.extra.format,
            loaded.digest.hex()
        );
    }
    line
}

/// The part of a fingerprint that decides a package's records.
pub(super) fn record_style(fingerprint: &str) -> &str {
    fingerprint.split(" | ").next().unwrap_or_default()
}

/// The records of the old repository that stay beside the new ones.
pub(super) fn kept_records(old: &Repomd, new: &[RepomdRecord]) -> Vec<RepomdRecord> {
    let is_ours = |record: &RepomdRecord| {
        is_package_kind(&record.kind)
            || new
                .iter()
                .any(|n| n.kind == record.kind || is_form_of(&record.kind, &n.kind))
    };
    let kept = old
        .records
        .iter()
        .filter(|r| !is_ours(r) && r.base.is_none());
    kept.cloned().collect()
}

fn is_form_of(old: &str, new: &str) -> bool {
    is_kind(old, new) || (new.starts_with("group") && is_kind(old, "group"))
}

/// The new repomd.xml.
pub(super) fn repomd(options: &CreateOptions, records: Vec<RepomdRecord>) -> Repomd {
    let revision = options
        .revision
        .clone()
        .unwrap_or_else(|| options.time.to_string());
    Repomd {
        revision: Some(revision),
        records,
        ..options.tags.clone()
    }
}

/// Whether a new repomd.xml would say nothing new: times apart, it names the same files.
pub(super) fn is_same(old: &Repomd, new: &Repomd, options: &CreateOptions) -> bool {
    let facts = |record: &RepomdRecord| {
        (
            record.kind.clone(),
            record.href.clone(),
            record.checksum,
            record.open_checksum,
        )
    };
    let all = |repomd: &Repomd| repomd.records.iter().map(facts).collect::<Vec<_>>();
    let revision = options.revision.is_none() || old.revision == new.revision;
    revision
        && all(old) == all(new)
        && (&old.repo_tags, &old.content_tags, &old.distro_tags)
            == (&new.repo_tags, &new.content_tags, &new.distro_tags)
}

/// Writes repomd.xml into a directory; returns its SHA-256 in hexadecimal.
pub(crate) fn write_repomd(repomd: &Repomd, dir: &Folder) -> Result<String> {
    let path = dir.path().join(INDEX);
    let mut bytes = Vec::new();
    repomd::write(repomd, &mut bytes).map_err(Error::file(&path, "write"))?;
    dir.create_new(Path::new(INDEX))
        .and_then(|mut file| file.write_all(&bytes))
        .map_err(Error::file(&path, "write"))?;
    Ok(Hasher::digest(DigestAlgo::Sha256, &bytes).hex())
}

/// The lines of the state. A bad package has none: the next run opens it again.
pub(super) fn lines(plan: &CreatePlan<'_>, built: &Built) -> String {
    let mut out = String::new();
    for (found, noted) in plan.found.iter().zip(&built.noted) {
        if let Some(Noted { stamp, .. }) = noted {
            let found = PackageFile {
                location: found.location.clone(),
                stamp: *stamp,
            };
            state::line(&found, &mut out);
        }
    }
    out
}

/// What the packages of these lines are.
pub(super) fn identities(built: &Built) -> String {
    let mut out = String::new();
    for noted in built.noted.iter().flatten() {
        state::identity(noted.identity, &mut out);
    }
    out
}

/// Names in repodata that have a meaning of their own; signatures die with what they signed, and the
/// index of deltas is rebuilt.
fn fixed_names(name: &str) -> bool {
    name.starts_with(INDEX) || name == super::deltas::INDEX_NAME
}

/// Files in repodata that no index lists and that were not made by a tool of this kind: they stay.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn foreign_names(
    repodata: Option<&Folder>,
    old: Option<&Repository>,
) -> Result<BTreeSet<String>> {
    let Some(repodata) = repodata else {
        return Ok(BTreeSet::new());
    };
    let listed: BTreeSet<&str> = old
        .iter()
        .flat_map(|old| old.repomd.records.iter().map(|r| r.href.file_name()))
        .collect();
    let is_made = |name: &str| {
        let digits = name.bytes().take_while(u8::is_ascii_hexdigit).count();
        (digits >= 32 && name.as_bytes().get(digits) == Some(&b'-'))
            || MetadataDocument::ALL.iter().any(|document| {
                let rest = name.strip_prefix(document.kind());
                rest.is_some_and(|rest| rest.starts_with(".xml") || rest.starts_with(".sqlite"))
            })
    };
    let entries = repodata.entries();
    let entries = entries.map_err(Error::file(repodata.path(), "read"))?;
    let names = entries
        .into_iter()
        .filter(|(_, kind)| *kind == FileType::RegularFile)
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| !listed.contains(name.as_str()) && !is_made(name) && !fixed_names(name));
    Ok(names.collect())
}
