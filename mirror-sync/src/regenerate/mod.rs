//! Metadata of a part of a repository, made to match exactly what is there.
//!
//! primary, filelists and other keep the records of the packages that stay; updateinfo the
//! advisories that still name one, comps the groups that still have one, modules the streams that
//! still have one. Databases, zchunk forms and delta lists are left out: they describe the whole.

mod modules;
mod output;

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use repo_client::MetadataSet;
use rpm_repo::repomd::{self, Repomd, RepomdRecord};
use rpm_repo::xml::XmlLimits;
use rpm_repo::{comps, filelists, other, primary, updateinfo};
use rpm_trust::sign::SigningKey;

use crate::error::{Error, Result};
use crate::layout;
use crate::manifest::SnapshotFile;
use crate::plan::select::AdvisoryKey;
use crate::store::{Store, digest_text};
use crate::upstream;
use output::DocumentOutput;

/// What is to be described.
pub(crate) struct MetadataOrder<'a> {
    /// Upstream's metadata.
    pub(crate) set: &'a MetadataSet,
    /// Where its parts are, and where the new ones go.
    pub(crate) store: &'a Store,
    /// Locations that stay.
    pub(crate) keep: &'a BTreeSet<&'a str>,
    /// A directory to work in; created for the run and removed after it.
    pub(crate) work: &'a Path,
    /// Signs the new index.
    pub(crate) key: Option<&'a SigningKey>,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

/// Whether a record has a place in metadata made here.
pub(crate) fn is_kept(record: &RepomdRecord) -> bool {
    let kind = record.kind.as_str();
    let twin = kind.ends_with("_db") || kind.ends_with("_zck");
    let other_form = kind.starts_with("group_") && kind != "group_gz";
    !twin && !other_form && !matches!(kind, "prestodelta" | "deltainfo")
}

/// What stays, in the terms of the other documents.
#[derive(Default)]
struct Kept {
    checksums: BTreeSet<String>,
    names: BTreeSet<String>,
    keys: BTreeSet<AdvisoryKey>,
}

/// Writes the metadata and puts them into the store; the entries of the snapshot.
///
/// # Errors
/// Upstream's metadata contradict themselves; the disk is full; the key cannot sign.
pub(crate) fn write(order: &MetadataOrder<'_>) -> Result<Vec<SnapshotFile>> {
    layout::remove_tree(order.work)?;
    std::fs::create_dir_all(order.work).map_err(Error::file(order.work, "create"))?;
    let written = write_in(order);
    layout::remove_tree(order.work)?;
    written
}

fn write_in(order: &MetadataOrder<'_>) -> Result<Vec<SnapshotFile>> {
    let source = &order.set.repomd;
    let mut repomd = Repomd {
        records: Vec::new(),
        revision: Some(order.now.to_string()),
        ..source.clone()
    };
    let mut entries = Vec::new();
    let kept = primary(order, &mut repomd, &mut entries)?;
    let has_group = source.record("group").is_some();
    for record in source.records.iter().filter(|record| is_kept(record)) {
        match record.kind.as_str() {
            "primary" => continue,
            "group_gz" if has_group => continue,
            _ => part(order, record, &kept, &mut repomd, &mut entries)?,
        }
    }
    index(order, &repomd, &mut entries)?;
    Ok(entries)
}

fn part(
    order: &MetadataOrder<'_>,
    record: &RepomdRecord,
    kept: &Kept,
    repomd: &mut Repomd,
    entries: &mut Vec<SnapshotFile>,
) -> Result<()> {
    let done = match record.kind.as_str() {
        "filelists" => Some(filelists(order, record, kept)?),
        "other" => Some(other(order, record, kept)?),
        "updateinfo" => updateinfo(order, record, kept)?,
        "group" | "group_gz" => groups(order, record, kept)?,
        "modules" => modules(order, record, kept)?,
        _ => {
            // Whole as it is: it does not speak of packages.
            if let Some(digest) = record.checksum {
                let size = stored_size(order.store, &digest)?;
                repomd.records.push(record.clone());
                entries.push(entry(record.href.as_str(), size, digest_text(&digest)));
            }
            None
        }
    };
    if let Some((record, entry)) = done {
        repomd.records.push(record);
        entries.push(entry);
    }
    Ok(())
}

/// Bytes of a stored file.
pub(crate) fn stored_size(store: &Store, digest: &rpm_pkg::digest::Digest) -> Result<u64> {
    let path = store.path(digest);
    let about = std::fs::metadata(&path).map_err(Error::file(&path, "look at"))?;
    Ok(about.len())
}

fn entry(path: &str, size: u64, digest: String) -> SnapshotFile {
    SnapshotFile {
        path: path.to_owned(),
        size,
        digest,
        package: None,
    }
}

fn stream(order: &MetadataOrder<'_>, record: &RepomdRecord) -> Result<impl Read + use<>> {
    let digest = record.checksum.ok_or_else(|| Error::Repository {
        repo: order.set.repo.clone(),
        what: format!("{} has no checksum of a known kind", record.kind),
    })?;
    upstream::open(&order.store.path(&digest), record)
}

fn primary(
    order: &MetadataOrder<'_>,
    repomd: &mut Repomd,
    entries: &mut Vec<SnapshotFile>,
) -> Result<Kept> {
    let part = order.set.part("primary").ok_or_else(|| Error::Repository {
        repo: order.set.repo.clone(),
        what: "repomd.xml lists no primary".into(),
    })?;
    let limits = XmlLimits {
        refuse_bad_locations: false,
        ..XmlLimits::default()
    };
    let mut out = DocumentOutput::create(order, "primary", "primary.xml")?;
    let mut text = String::new();
    primary::begin(order.keep.len() as u64, &mut text);
    let mut kept = Kept::default();
    let mut seen = BTreeSet::new();
    let mut failed = out.write(&mut text).err();
    let stream = upstream::open(&part.path, &part.record)?;
    primary::read("primary", stream, &limits, &mut |package| {
        let location = package.location();
        if order.keep.contains(location) && seen.insert(location.to_owned()) {
            kept.checksums.insert(package.checksum().to_owned());
            kept.names.insert(package.name().to_owned());
            kept.keys.insert((
                package.name().to_owned(),
                package.epoch(),
                package.version().to_owned(),
                package.release().to_owned(),
                package.arch().to_owned(),
            ));
            package.write_here(&mut text);
            failed = failed.take().or(out.write(&mut text).err());
        }
        flow(failed.is_none())
    })?;
    failed.map_or(Ok(()), Err)?;
    text.push_str(primary::END);
    out.write(&mut text)?;
    let (record, entry) = out.finish(order)?;
    repomd.records.push(record);
    entries.push(entry);
    Ok(kept)
}

fn flow(go_on: bool) -> ControlFlow<()> {
    if go_on {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

type MadePart = (RepomdRecord, SnapshotFile);

fn filelists(order: &MetadataOrder<'_>, record: &RepomdRecord, kept: &Kept) -> Result<MadePart> {
    let mut out = DocumentOutput::create(order, "filelists", "filelists.xml")?;
    let mut text = String::new();
    filelists::begin(order.keep.len() as u64, &mut text);
    let mut left = kept.checksums.clone();
    let mut failed = None;
    let stream = stream(order, record)?;
    filelists::read("filelists", stream, &XmlLimits::default(), &mut |package| {
        if left.remove(package.pkgid()) {
            filelists::write_package(package, &mut text);
            failed = out.write(&mut text).err();
        }
        flow(failed.is_none())
    })?;
    failed.map_or(Ok(()), Err)?;
    complete(order, "filelists", &left)?;
    text.push_str(filelists::END);
    out.write(&mut text)?;
    out.finish(order)
}

fn other(order: &MetadataOrder<'_>, record: &RepomdRecord, kept: &Kept) -> Result<MadePart> {
    let mut out = DocumentOutput::create(order, "other", "other.xml")?;
    let mut text = String::new();
    other::begin(order.keep.len() as u64, &mut text);
    let mut left = kept.checksums.clone();
    let mut failed = None;
    let stream = stream(order, record)?;
    other::read("other", stream, &XmlLimits::default(), &mut |package| {
        if left.remove(package.pkgid()) {
            other::write_package(package, &mut text);
            failed = out.write(&mut text).err();
        }
        flow(failed.is_none())
    })?;
    failed.map_or(Ok(()), Err)?;
    complete(order, "other", &left)?;
    text.push_str(other::END);
    out.write(&mut text)?;
    out.finish(order)
}

/// A document that lacks a package of primary would make clients refuse the repository.
fn complete(order: &MetadataOrder<'_>, kind: &str, left: &BTreeSet<String>) -> Result<()> {
    match left.first() {
        None => Ok(()),
        Some(first) => Err(Error::Repository {
            repo: order.set.repo.clone(),
            what: format!("{kind} lacks {} packages of primary ({first})", left.len()),
        }),
    }
}

fn updateinfo(
    order: &MetadataOrder<'_>,
    record: &RepomdRecord,
    kept: &Kept,
) -> Result<Option<MadePart>> {
    let mut out = DocumentOutput::create(order, &record.kind, "updateinfo.xml")?;
    let mut text = updateinfo::BEGIN.to_owned();
    let mut count = 0_u64;
    let mut failed = None;
    let stream = stream(order, record)?;
    updateinfo::read(
        "updateinfo",
        stream,
        &XmlLimits::default(),
        &mut |mut advisory| {
            advisory.packages.retain(|p| {
                let key = (
                    p.name.clone(),
                    p.epoch,
                    p.version.clone(),
                    p.release.clone(),
                    p.arch.clone(),
                );
                kept.keys.contains(&key)
            });
            if !advisory.packages.is_empty() {
                count += 1;
                updateinfo::write_advisory(&advisory, &mut text);
                failed = out.write(&mut text).err();
            }
            flow(failed.is_none())
        },
    )?;
    failed.map_or(Ok(()), Err)?;
    if count == 0 {
        return Ok(None);
    }
    text.push_str(updateinfo::END);
    out.write(&mut text)?;
    out.finish(order).map(Some)
}

fn groups(
    order: &MetadataOrder<'_>,
    record: &RepomdRecord,
    kept: &Kept,
) -> Result<Option<MadePart>> {
    let mut all = comps::read("comps", stream(order, record)?, &XmlLimits::default())?;
    for group in &mut all.groups {
        group.packages.retain(|one| kept.names.contains(&one.name));
    }
    all.groups.retain(|group| !group.packages.is_empty());
    let ids: BTreeSet<String> = all.groups.iter().map(|group| group.id.clone()).collect();
    for environment in &mut all.environments {
        environment.groups.retain(|id| ids.contains(id));
        environment.options.retain(|(id, _)| ids.contains(id));
    }
    all.environments.retain(|one| !one.groups.is_empty());
    for category in &mut all.categories {
        category.groups.retain(|id| ids.contains(id));
    }
    all.categories.retain(|one| !one.groups.is_empty());
    if all.groups.is_empty() {
        return Ok(None);
    }
    let mut out = DocumentOutput::create(order, "group", "comps.xml")?;
    out.write(&mut comps::write(&all))?;
    out.finish(order).map(Some)
}

fn modules(
    order: &MetadataOrder<'_>,
    record: &RepomdRecord,
    kept: &Kept,
) -> Result<Option<MadePart>> {
    let Some(mut text) = modules::filtered(stream(order, record)?, &kept.keys)
        .map_err(Error::file(order.work, "filter modules in"))?
    else {
        return Ok(None);
    };
    let mut out = DocumentOutput::create(order, "modules", "modules.yaml")?;
    out.write(&mut text)?;
    out.finish(order).map(Some)
}

fn index(
    order: &MetadataOrder<'_>,
    repomd: &Repomd,
    entries: &mut Vec<SnapshotFile>,
) -> Result<()> {
    let mut bytes = Vec::new();
    repomd::write(repomd, &mut bytes).map_err(Error::file(order.work, "write"))?;
    let mut put = |name: &str, data: &[u8]| -> Result<()> {
        let digest = order.store.put(data)?;
        let path = format!("repodata/{name}");
        entries.push(entry(&path, data.len() as u64, digest_text(&digest)));
        Ok(())
    };
    put("repomd.xml", &bytes)?;
    if let Some(key) = order.key {
        let told = |source| Error::Trust {
            what: "mirror.sign_key".into(),
            source,
        };
        let signature = key
            .sign_detached(bytes.as_slice(), order.now)
            .map_err(told)?;
        put("repomd.xml.asc", signature.as_bytes())?;
        put(
            "repomd.xml.key",
            key.public_armored().map_err(told)?.as_bytes(),
        )?;
    }
    Ok(())
}
