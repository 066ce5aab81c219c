//! Metadata of a part of a repository, made to match exactly what is there.
//!
//! primary, filelists and other keep the records of the packages that stay; updateinfo the
//! advisories that still name one, comps the groups that still have one, modules the streams that
//! still have one. Databases, zchunk forms and delta lists are left out: they describe the whole.

mod modules;
mod output;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use repo_client::MetadataSet;
use rpm_repo::compress::Doubt;
use rpm_repo::repomd::{self, Repomd, RepomdRecord};
use rpm_repo::updateinfo::{self, AdvisoryPackage};
use rpm_repo::xml::XmlLimits;
use rpm_repo::{comps, filelists, other, primary};
use rpm_trust::sign::SigningKey;

use crate::error::{Error, Result};
use crate::layout;
use crate::manifest::SnapshotFile;
use crate::plan::select::{AdvisoryKey, advisory_key};
use crate::store::Store;
use crate::upstream;
use output::DocumentOutput;

/// What is to be described.
pub(crate) struct MetadataOrder<'a> {
    pub(crate) set: &'a MetadataSet,
    /// Where its parts are, and where the new ones go.
    pub(crate) store: &'a Store,
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
    std::fs::create_dir(order.work).map_err(Error::file(order.work, "create"))?;
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
                entries.push(SnapshotFile::new(record.href.as_str(), size, &digest));
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

/// Stores a small file of a snapshot.
pub(crate) fn put(store: &Store, path: &str, data: &[u8]) -> Result<SnapshotFile> {
    let digest = store.put(data)?;
    Ok(SnapshotFile::new(path, data.len() as u64, &digest))
}

pub(crate) fn stored_size(store: &Store, digest: &rpm_pkg::digest::Digest) -> Result<u64> {
    let path = store.path(digest);
    let about = std::fs::metadata(&path).map_err(Error::file(&path, "look at"))?;
    Ok(about.len())
}

fn stream(order: &MetadataOrder<'_>, record: &RepomdRecord) -> Result<impl Read + use<>> {
    let digest = upstream::checksum(&order.set.repo, record)?;
    upstream::open(&order.store.path(&digest), record, &Doubt::default())
}

fn primary(
    order: &MetadataOrder<'_>,
    repomd: &mut Repomd,
    entries: &mut Vec<SnapshotFile>,
) -> Result<Kept> {
    let part = upstream::primary_of(order.set)?;
    let mut out = DocumentOutput::create(order, "primary", "primary.xml")?;
    primary::begin(order.keep.len() as u64, &mut out.text);
    let mut kept = Kept::default();
    let mut seen = BTreeSet::new();
    upstream::read_primary(
        "primary",
        (&part.path, &part.record),
        &part.doubt,
        &mut |package| {
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
                package.write_here(&mut out.text);
            }
            out.go_on()
        },
    )?;
    let (record, entry) = out.finish(order, primary::END)?;
    repomd.records.push(record);
    entries.push(entry);
    Ok(kept)
}

type MadePart = (RepomdRecord, SnapshotFile);

fn filelists(order: &MetadataOrder<'_>, record: &RepomdRecord, kept: &Kept) -> Result<MadePart> {
    let mut out = DocumentOutput::create(order, "filelists", "filelists.xml")?;
    filelists::begin(order.keep.len() as u64, &mut out.text);
    let mut left = kept.checksums.clone();
    let stream = stream(order, record)?;
    filelists::read("filelists", stream, &XmlLimits::default(), &mut |package| {
        if left.remove(package.pkgid()) {
            filelists::write_package(package, &mut out.text);
        }
        out.go_on()
    })?;
    out.check()?;
    complete(order, "filelists", &left)?;
    out.finish(order, filelists::END)
}

fn other(order: &MetadataOrder<'_>, record: &RepomdRecord, kept: &Kept) -> Result<MadePart> {
    let mut out = DocumentOutput::create(order, "other", "other.xml")?;
    other::begin(order.keep.len() as u64, &mut out.text);
    let mut left = kept.checksums.clone();
    let stream = stream(order, record)?;
    other::read("other", stream, &XmlLimits::default(), &mut |package| {
        if left.remove(package.pkgid()) {
            other::write_package(package, &mut out.text);
        }
        out.go_on()
    })?;
    out.check()?;
    complete(order, "other", &left)?;
    out.finish(order, other::END)
}

/// A document that lacks a package of primary would make clients refuse the repository.
fn complete(order: &MetadataOrder<'_>, kind: &str, left: &BTreeSet<String>) -> Result<()> {
    match left.first() {
        None => Ok(()),
        Some(first) => Err(Error::repository(
            &order.set.repo,
            format!("{kind} lacks {} packages of primary ({first})", left.len()),
        )),
    }
}

fn updateinfo(
    order: &MetadataOrder<'_>,
    record: &RepomdRecord,
    kept: &Kept,
) -> Result<Option<MadePart>> {
    let mut out = DocumentOutput::create(order, &record.kind, "updateinfo.xml")?;
    out.text.push_str(updateinfo::BEGIN);
    let mut any = false;
    let limits = XmlLimits::default();
    let stream = stream(order, record)?;
    let summary = updateinfo::read("updateinfo", stream, &limits, &mut |mut advisory| {
        let is_kept = |one: &AdvisoryPackage| kept.keys.contains(&advisory_key(one));
        advisory.packages.retain(is_kept);
        if !advisory.packages.is_empty() {
            any = true;
            updateinfo::write_advisory(&advisory, &mut out.text);
        }
        out.go_on()
    })?;
    out.check()?;
    upstream::whole(&order.set.repo, "updateinfo", &summary)?;
    any.then(|| out.finish(order, updateinfo::END)).transpose()
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
    let out = DocumentOutput::create(order, "group", "comps.xml")?;
    out.finish(order, &comps::write(&all)).map(Some)
}

fn modules(
    order: &MetadataOrder<'_>,
    record: &RepomdRecord,
    kept: &Kept,
) -> Result<Option<MadePart>> {
    let Some(text) = modules::filtered(stream(order, record)?, &kept.keys)
        .map_err(Error::file(order.work, "filter modules in"))?
    else {
        return Ok(None);
    };
    let out = DocumentOutput::create(order, "modules", "modules.yaml")?;
    out.finish(order, &text).map(Some)
}

fn index(
    order: &MetadataOrder<'_>,
    repomd: &Repomd,
    entries: &mut Vec<SnapshotFile>,
) -> Result<()> {
    let mut bytes = Vec::new();
    repomd::write(repomd, &mut bytes).map_err(Error::file(order.work, "write"))?;
    let mut put = |path: &str, data: &[u8]| -> Result<()> {
        entries.push(put(order.store, path, data)?);
        Ok(())
    };
    put("repodata/repomd.xml", &bytes)?;
    if let Some(key) = order.key {
        let told = Error::trust("mirror.sign_key");
        let signature = key.sign_detached(bytes.as_slice(), order.now);
        put(
            "repodata/repomd.xml.asc",
            signature.map_err(&told)?.as_bytes(),
        )?;
        let public = key.public_armored().map_err(&told)?;
        put("repodata/repomd.xml.key", public.as_bytes())?;
    }
    Ok(())
}
