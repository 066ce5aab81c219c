//! A repository's cache: primary metadata in the pool's own form.

use super::convert::with_primary;
use super::error::CatalogError;
use super::store::{Place, open_or_make};
use repo_client::MetadataSet;
use rpm_pkg::digest::{Digest, Hasher};
use rpm_repo::compress::{Ahead, VerifiedReader};
use rpm_repo::primary::ParseSummary;
use rpm_repo::xml::XmlLimits;
use rpm_solv::{CacheFile, CacheWriter};
use rustix::fs::OFlags;
use std::fs::File;
use std::io::{self, Seek};
use std::ops::ControlFlow;
use std::path::Path;
use whole_file::open_plain;

/// The folder of our caches, beside `repodata` in a repository's cache folder.
pub const CATALOG_DIR: &str = "catalog";

/// Where a file of our cache stands for a repository.
pub(crate) fn cache_place(set: &MetadataSet, name: &str) -> Option<Place> {
    Some(Place::new(
        set.dir.parent()?,
        Path::new(CATALOG_DIR).join(name),
    ))
}

/// The cache key: the state of the repository, as repomd.xml's digest names it.
pub(crate) fn cache_key(set: &MetadataSet, part: &str) -> Vec<u8> {
    let mut key = part.as_bytes().to_vec();
    key.extend_from_slice(set.repomd_digest.hex().as_bytes());
    key
}

/// Opens a repository's cache; makes it first if it is not there, damaged, or of other metadata.
///
/// # Errors
/// The metadata cannot be read, or no cache can be written.
pub fn primary_cache(set: &MetadataSet) -> Result<CacheFile, CatalogError> {
    open_or_make(
        cache_place(set, "primary").as_ref(),
        &set.repo,
        &cache_key(set, "primary "),
        &mut |writer, _| fill(set, writer),
    )
}

fn fill(set: &MetadataSet, writer: &mut CacheWriter) -> Result<(), CatalogError> {
    let mut refused = None;
    let summary = read_part(set, "primary", |name, stream, limits| {
        rpm_repo::primary::read(name, stream, limits, &mut |package| match with_primary(
            package,
            |input| writer.add(input),
        ) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                refused = Some(error);
                ControlFlow::Break(())
            }
        })
    });
    match refused {
        Some(error) => Err(error.into()),
        None => summary,
    }
}

/// Reads a part: `read` gets its name for messages, its bytes and the limits. What it leaves out is noted.
pub(crate) fn read_part(
    set: &MetadataSet,
    kind: &str,
    read: impl FnOnce(&str, Ahead, &XmlLimits) -> rpm_repo::Result<ParseSummary>,
) -> Result<(), CatalogError> {
    let stream = open_part(set, kind)?;
    let name = format!("{} {kind}", set.repo);
    let summary = read(&name, stream, &XmlLimits::default());
    let summary = summary.map_err(|source| CatalogError::Metadata {
        repo: set.repo.clone(),
        source,
    })?;
    if let Some(part) = set.part(kind) {
        part.left_out.put(summary.left_out);
    }
    Ok(())
}

/// A part as a stream that is decompressed and checked against repomd.xml in a thread of its own.
///
/// The compressed file was checked when it was fetched, and again if it was touched since. So where
/// repomd.xml names the checksum of what it decompresses to, that one alone is checked here: it
/// covers every byte that is parsed. Without it, or if it differs, the file is hashed again.
pub fn open_part(set: &MetadataSet, kind: &str) -> Result<Ahead, CatalogError> {
    let part = set.part(kind).ok_or_else(|| CatalogError::NoPrimary {
        repo: set.repo.clone(),
    })?;
    let failed = |source| CatalogError::Part {
        repo: set.repo.clone(),
        path: part.path.clone(),
        source,
    };
    let file = open_plain(&part.path, OFlags::RDONLY).map_err(failed)?;
    let name = part.path.display().to_string();
    let mut expected = part.record.expected();
    // Looked at when the file was fetched: a wrong one is a doubt where the checksum is right.
    expected.size = None;
    if expected.open_checksum.is_some() {
        expected.checksum = None;
    }
    let (doubt, wanted) = (part.doubt.clone(), part.record.checksum);
    let again = file.try_clone().map_err(failed)?;
    let is_right = move || is_whole(again, wanted);
    Ahead::spawn(move || {
        let reader = VerifiedReader::new(file, &name, expected)?;
        Ok(reader.doubting(doubt, Box::new(is_right)))
    })
    .map_err(failed)
}

fn is_whole(mut file: File, wanted: Option<Digest>) -> io::Result<bool> {
    let Some(wanted) = wanted else {
        return Ok(false);
    };
    file.rewind()?;
    Ok(Hasher::digest_reader(wanted.algo(), file)? == wanted)
}
