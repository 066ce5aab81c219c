//! Metadata of a part of a repository, made to match exactly what is there.
//!
//! primary, filelists and other keep the records of the packages that stay; updateinfo the
//! advisories that still name one, comps the groups that still have one, modules the streams that
//! still have one. Databases, zchunk forms and delta lists are left out: they describe the whole.

mod modules;
mod output;
pub(crate) mod stored;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use repo_client::MetadataSet;
use rpm_repo::compress::Doubt;
use rpm_repo::comps::{Comps, GroupPackage};
use rpm_repo::layout::Href;
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

/// A set, and the locations of it that are to be described ([`upstream::here`]).
pub(crate) struct MetadataSource<'a> {
    pub(crate) set: &'a MetadataSet,
    pub(crate) keep: &'a BTreeSet<&'a str>,
}

/// What is to be described.
pub(crate) struct MetadataOrder<'a> {
    /// One set, or several that become one; what they have in common is of the first.
    pub(crate) sources: &'a [MetadataSource<'a>],
    /// Where their parts are, and where the new ones go.
    pub(crate) store: &'a Store,
    /// A directory to work in; created for the run and removed after it.
    pub(crate) work: &'a Path,
    /// Signs the new index.
    pub(crate) key: Option<&'a SigningKey>,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

impl<'a> MetadataOrder<'a> {
    /// The parts of these kinds, the first that a set has.
    fn parts(&self, kinds: &[&str]) -> Vec<(&'a MetadataSet, &'a RepomdRecord)> {
        let part = |source: &MetadataSource<'a>| {
            let repomd = &source.set.repomd;
            let record = kinds.iter().find_map(|kind| repomd.record(kind))?;
            Some((source.set, record))
        };
        self.sources.iter().filter_map(part).collect()
    }

    /// How many packages are described.
    fn count(&self) -> u64 {
        let count = self.sources.iter().map(|source| source.keep.len() as u64);
        count.sum()
    }
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
    let Some(first) = order.sources.first() else {
        return Ok(Vec::new());
    };
    let mut repomd = Repomd {
        records: Vec::new(),
        revision: Some(order.now.to_string()),
        ..first.set.repomd.clone()
    };
    let mut entries = Vec::new();
    let kept = primary(order, &mut repomd, &mut entries)?;
    let mut kinds: Vec<&str> = Vec::new();
    for source in order.sources {
        let records = source.set.repomd.records.iter();
        for record in records.filter(|record| is_kept(record)) {
            // One form of comps stands for both.
            let kind = match record.kind.as_str() {
                "group_gz" => "group",
                kind => kind,
            };
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    for kind in kinds.into_iter().filter(|kind| *kind != "primary") {
        part(order, kind, &kept, &mut repomd, &mut entries)?;
    }
    index(order, &repomd, &mut entries)?;
    Ok(entries)
}

fn part(
    order: &MetadataOrder<'_>,
    kind: &str,
    kept: &Kept,
    repomd: &mut Repomd,
    entries: &mut Vec<SnapshotFile>,
) -> Result<()> {
    // A list of files or changes that lacks some packages would make clients refuse the repository.
    let lists_all = || {
        let mut sources = order.sources.iter().filter(|one| !one.keep.is_empty());
        sources.all(|source| source.set.repomd.record(kind).is_some())
    };
    let done = match kind {
        "filelists" if lists_all() => Some(filelists(order, kept)?),
        "other" if lists_all() => Some(other(order, kept)?),
        "filelists" | "other" => None,
        "updateinfo" => updateinfo(order, kept)?,
        "group" => groups(order, kept)?,
        "modules" => modules(order, kept)?,
        _ => {
            // Whole as it is: it does not speak of packages.
            let record = order.parts(&[kind]).first().map(|(_, record)| *record);
            if let Some((record, digest)) = record.and_then(|one| Some((one, one.checksum?))) {
                let size = stored_size(order.store, &digest)?;
                let path = record.href_here();
                repomd.records.push(RepomdRecord {
                    href: Href::parse(&path)?,
                    base: None,
                    ..record.clone()
                });
                entries.push(SnapshotFile::new(&path, size, &digest));
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

fn stream(
    order: &MetadataOrder<'_>,
    (set, record): (&MetadataSet, &RepomdRecord),
) -> Result<impl Read + use<>> {
    let digest = upstream::checksum(&set.repo, record)?;
    upstream::open(&order.store.path(&digest), record, &Doubt::default())
}

fn primary(
    order: &MetadataOrder<'_>,
    repomd: &mut Repomd,
    entries: &mut Vec<SnapshotFile>,
) -> Result<Kept> {
    let mut out = DocumentOutput::create(order, "primary", "primary.xml")?;
    primary::begin(order.count(), &mut out.text);
    let mut kept = Kept::default();
    let mut seen = BTreeSet::new();
    for source in order.sources {
        let part = upstream::primary_of(source.set)?;
        upstream::read_primary(
            "primary",
            (&part.path, &part.record),
            &part.doubt,
            &mut |package| {
                let location = upstream::here(package);
                if source.keep.contains(&*location) && seen.insert(location.clone().into_owned()) {
                    kept.checksums.insert(package.checksum().to_owned());
                    kept.names.insert(package.name().to_owned());
                    kept.keys.insert((
                        package.name().to_owned(),
                        package.epoch(),
                        package.version().to_owned(),
                        package.release().to_owned(),
                        package.arch().to_owned(),
                    ));
                    package.write_here(&location, &mut out.text);
                }
                out.go_on()
            },
        )?;
        out.check()?;
    }
    let (record, entry) = out.finish(order, primary::END)?;
    repomd.records.push(record);
    entries.push(entry);
    Ok(kept)
}

type MadePart = (RepomdRecord, SnapshotFile);

fn filelists(order: &MetadataOrder<'_>, kept: &Kept) -> Result<MadePart> {
    let mut out = DocumentOutput::create(order, "filelists", "filelists.xml")?;
    filelists::begin(order.count(), &mut out.text);
    let mut left = kept.checksums.clone();
    for part in order.parts(&["filelists"]) {
        let stream = stream(order, part)?;
        filelists::read("filelists", stream, &XmlLimits::default(), &mut |package| {
            if left.remove(package.pkgid()) {
                filelists::write_package(package, &mut out.text);
            }
            out.go_on()
        })?;
        out.check()?;
    }
    complete(order, "filelists", &left)?;
    out.finish(order, filelists::END)
}

fn other(order: &MetadataOrder<'_>, kept: &Kept) -> Result<MadePart> {
    let mut out = DocumentOutput::create(order, "other", "other.xml")?;
    other::begin(order.count(), &mut out.text);
    let mut left = kept.checksums.clone();
    for part in order.parts(&["other"]) {
        let stream = stream(order, part)?;
        other::read("other", stream, &XmlLimits::default(), &mut |package| {
            if left.remove(package.pkgid()) {
                other::write_package(package, &mut out.text);
            }
            out.go_on()
        })?;
        out.check()?;
    }
    complete(order, "other", &left)?;
    out.finish(order, other::END)
}

/// A document that lacks a package of primary would make clients refuse the repository.
fn complete(order: &MetadataOrder<'_>, kind: &str, left: &BTreeSet<String>) -> Result<()> {
    match left.first() {
        None => Ok(()),
        Some(first) => Err(Error::repository(
            order
                .sources
                .first()
                .map_or("", |one| one.set.repo.as_str()),
            format!("{kind} lacks {} packages of primary ({first})", left.len()),
        )),
    }
}

fn updateinfo(order: &MetadataOrder<'_>, kept: &Kept) -> Result<Option<MadePart>> {
    let mut out = DocumentOutput::create(order, "updateinfo", "updateinfo.xml")?;
    out.text.push_str(updateinfo::BEGIN);
    let mut any = false;
    let limits = XmlLimits::default();
    // What several sets say in the same words is said once.
    let mut said = BTreeSet::new();
    for part in order.parts(&["updateinfo"]) {
        let stream = stream(order, part)?;
        let summary = updateinfo::read("updateinfo", stream, &limits, &mut |mut advisory| {
            let is_kept = |one: &AdvisoryPackage| kept.keys.contains(&advisory_key(one));
            advisory.packages.retain(is_kept);
            if !advisory.packages.is_empty() {
                any = true;
                let start = out.text.len();
                updateinfo::write_advisory(&advisory, &mut out.text);
                let text = out.text.get(start..).unwrap_or_default();
                if order.sources.len() > 1 && !said.insert(text.to_owned()) {
                    out.text.truncate(start);
                }
            }
            out.go_on()
        })?;
        out.check()?;
        upstream::whole(&part.0.repo, "updateinfo", &summary)?;
    }
    any.then(|| out.finish(order, updateinfo::END)).transpose()
}

fn groups(order: &MetadataOrder<'_>, kept: &Kept) -> Result<Option<MadePart>> {
    let mut all = Comps::default();
    for part in order.parts(&["group", "group_gz"]) {
        let comps = comps::read("comps", stream(order, part)?, &XmlLimits::default())?;
        join_comps(&mut all, comps);
    }
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

/// A group of both has the packages of both, a set of groups the groups; their words are those of the first.
fn join_comps(all: &mut Comps, more: Comps) {
    for group in more.groups {
        match all.groups.iter_mut().find(|one| one.id == group.id) {
            None => all.groups.push(group),
            Some(one) => {
                let is_new = |package: &GroupPackage| {
                    !one.packages.iter().any(|had| had.name == package.name)
                };
                let new: Vec<GroupPackage> = group.packages.into_iter().filter(is_new).collect();
                one.packages.extend(new);
            }
        }
    }
    for (sets, more) in [
        (&mut all.environments, more.environments),
        (&mut all.categories, more.categories),
    ] {
        for set in more {
            match sets.iter_mut().find(|one| one.id == set.id) {
                None => sets.push(set),
                Some(one) => {
                    let had = one.groups.clone();
                    let new = set.groups.into_iter().filter(|id| !had.contains(id));
                    one.groups.extend(new);
                    let had: Vec<String> = one.options.iter().map(|(id, _)| id.clone()).collect();
                    let new = set.options.into_iter().filter(|(id, _)| !had.contains(id));
                    one.options.extend(new);
                }
            }
        }
    }
    let had = all.langpacks.clone();
    let new = more.langpacks.into_iter().filter(|one| !had.contains(one));
    all.langpacks.extend(new);
}

fn modules(order: &MetadataOrder<'_>, kept: &Kept) -> Result<Option<MadePart>> {
    let mut all = String::new();
    for part in order.parts(&["modules"]) {
        let text = modules::filtered(stream(order, part)?, &kept.keys)
            .map_err(Error::file(order.work, "filter modules in"))?;
        all.push_str(&text.unwrap_or_default());
    }
    if all.is_empty() {
        return Ok(None);
    }
    let out = DocumentOutput::create(order, "modules", "modules.yaml")?;
    out.finish(order, &all).map(Some)
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
    put(layout::INDEX, &bytes)?;
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
