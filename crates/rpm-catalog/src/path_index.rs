//! An index of filelists: from a path to the packages that hold it, without keeping the paths.
//!
//! 256 buckets by the first byte of a path's hash; in each, sorted numbers of 40 further bits of the
//! hash and 24 bits of package number. With ten million paths a path that is in no package is taken
//! for one that is with a chance of 1 in 28 million. A lookup reads one bucket.

use super::error::CatalogError;
use super::repo::{cache_key, cache_place, primary_cache, read_part};
use super::store::Place;
use repo_client::MetadataSet;
use rpm_repo::primary::ParseSummary;
use rpm_repo::xml::XmlLimits;
use rpm_solv::path_hash;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use whole_file::{Durability, WholeFile};

/// Format version.
const MAGIC: &[u8; 8] = b"tdnfpix1";
const BUCKETS: usize = 256;
/// Package numbers must fit in this many bits.
const PACKAGE_BITS: u32 = 24;
/// Longest key.
const MAX_KEY: usize = 240;
/// Magic, length and text of the key, and for each bucket offset, length and checksum; then a checksum of all this.
const HEAD: usize = 8 + 8 + MAX_KEY + BUCKETS * 24 + 8;

/// An open index.
pub struct PathIndex {
    place: PathPlace,
    buckets: Vec<[u64; 3]>,
    repo: String,
}

enum PathPlace {
    File(File),
    Memory(Vec<u8>),
}

/// Opens a repository's index of filelists; makes it first if it is not there, damaged, or of other metadata.
///
/// # Errors
/// Filelists cannot be read, or no cache can be written.
pub fn path_index(set: &MetadataSet) -> Result<PathIndex, CatalogError> {
    let key = cache_key(set, "filelists ");
    let place = cache_place(set, "filelists");
    if let Some(index) = place.as_ref().and_then(|place| open(set, place, &key)) {
        return Ok(index);
    }
    let (head, data) = build(set, &key)?;
    let written = place.as_ref().and_then(|place| {
        let new = place.create()?;
        // What is not there whole is made in memory.
        let _ = write(new, &head, &data);
        open(set, place, &key)
    });
    match written {
        Some(index) => Ok(index),
        // Nothing can be written (an unprivileged user): for this run it stays in memory.
        None => {
            let mut all = head;
            all.extend(data.iter().flatten().flat_map(|entry| entry.to_le_bytes()));
            let buckets = parse_head(&all, &key).unwrap_or_default();
            Ok(PathIndex {
                place: PathPlace::Memory(all),
                buckets,
                repo: set.repo.clone(),
            })
        }
    }
}

fn open(set: &MetadataSet, place: &Place, key: &[u8]) -> Option<PathIndex> {
    let file = place.open().ok()?;
    let mut head = vec![0; HEAD];
    file.read_exact_at(&mut head, 0).ok()?;
    let buckets = parse_head(&head, key)?;
    let end = buckets
        .last()
        .map(|[offset, length, _]| offset.checked_add(*length));
    if end != Some(Some(file.metadata().ok()?.len())) {
        return None;
    }
    Some(PathIndex {
        place: PathPlace::File(file),
        buckets,
        repo: set.repo.clone(),
    })
}

fn parse_head(head: &[u8], key: &[u8]) -> Option<Vec<[u64; 3]>> {
    let head = head.get(..HEAD)?;
    let (body, sum) = head.split_at(HEAD - 8);
    let number = |at: usize| {
        let bytes = body.get(at..at + 8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let same = body.starts_with(MAGIC)
        && sum == path_hash(body).to_le_bytes()
        && number(8)? == key.len() as u64
        && body.get(16..16 + key.len())? == key;
    if !same {
        return None;
    }
    let mut at = HEAD as u64;
    (0..BUCKETS)
        .map(|bucket| {
            let place = 16 + MAX_KEY + bucket * 24;
            let entry = [number(place)?, number(place + 8)?, number(place + 16)?];
            let follows = entry[0] == at && entry[1] % 8 == 0;
            at = at.checked_add(entry[1])?;
            follows.then_some(entry)
        })
        .collect()
}

fn write(new: WholeFile<'_>, head: &[u8], data: &[Vec<u64>]) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 18, new);
    out.write_all(head)?;
    for bucket in data {
        for entry in bucket {
            out.write_all(&entry.to_le_bytes())?;
        }
    }
    let new = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    new.place(Durability::Cache)
}

fn build(set: &MetadataSet, key: &[u8]) -> Result<(Vec<u8>, Vec<Vec<u64>>), CatalogError> {
    let packages = primary_cache(set)?.checksum_hashes()?;
    let mut data = vec![Vec::new(); BUCKETS];
    read_part(set, "filelists", |name, stream, limits| {
        collect((name, stream), limits, &packages, &mut data)
    })?;
    Ok(encode(key, data))
}

/// Reads filelists into buckets; `packages` are the hashes of primary's checksums in its order.
fn collect(
    (name, stream): (&str, impl io::Read),
    limits: &XmlLimits,
    packages: &[u64],
    data: &mut [Vec<u64>],
) -> rpm_repo::Result<ParseSummary> {
    let mut by_hash: HashMap<u64, usize> = HashMap::new();
    let mut next = 0;
    rpm_repo::filelists::read(name, stream, limits, &mut |package| {
        let hash = path_hash(package.pkgid().as_bytes());
        // Nearly always filelists has primary's order.
        let number = if packages.get(next) == Some(&hash) {
            Some(next)
        } else {
            if by_hash.is_empty() {
                by_hash.extend(packages.iter().enumerate().map(|(i, hash)| (*hash, i)));
            }
            by_hash.get(&hash).copied()
        };
        let Some(number) = number.filter(|number| *number < 1 << PACKAGE_BITS) else {
            return ControlFlow::Continue(());
        };
        next = number + 1;
        for file in package.files() {
            let (bucket, bits) = split(file.path.as_bytes());
            data[bucket].push(bits | number as u64);
        }
        ControlFlow::Continue(())
    })
}

/// Sorts the buckets and makes the head that goes before them.
fn encode(key: &[u8], mut data: Vec<Vec<u64>>) -> (Vec<u8>, Vec<Vec<u64>>) {
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&(key.len() as u64).to_le_bytes());
    head.extend_from_slice(key);
    head.resize(16 + MAX_KEY, 0);
    let mut at = HEAD as u64;
    let mut bytes = Vec::new();
    for bucket in &mut data {
        bucket.sort_unstable();
        bucket.dedup();
        bytes.clear();
        bytes.extend(bucket.iter().flat_map(|entry| entry.to_le_bytes()));
        for number in [at, bytes.len() as u64, path_hash(&bytes)] {
            head.extend_from_slice(&number.to_le_bytes());
        }
        at += bytes.len() as u64;
    }
    head.extend_from_slice(&path_hash(&head).to_le_bytes());
    (head, data)
}

/// Bucket of a path and its 40 bits, shifted to their place.
fn split(path: &[u8]) -> (usize, u64) {
    let hash = path_hash(path);
    ((hash >> 56) as usize, (hash >> 16) << PACKAGE_BITS)
}

impl PathIndex {
    /// Numbers (in primary's order) of the packages that hold `path`.
    ///
    /// # Errors
    /// The index was damaged since it was opened.
    pub fn find(&self, path: &[u8]) -> Result<Vec<u32>, CatalogError> {
        let (bucket, bits) = split(path);
        let failed = |source| CatalogError::NoCache {
            what: self.repo.clone(),
            source,
        };
        let damaged = || failed(io::ErrorKind::InvalidData.into());
        let [offset, length, sum] = *self.buckets.get(bucket).ok_or_else(damaged)?;
        let mut read = Vec::new();
        let bytes = match &self.place {
            PathPlace::File(file) => {
                read.resize(length as usize, 0);
                file.read_exact_at(&mut read, offset).map_err(failed)?;
                read.as_slice()
            }
            PathPlace::Memory(all) => all
                .get(offset as usize..(offset + length) as usize)
                .ok_or_else(damaged)?,
        };
        if path_hash(bytes) != sum {
            return Err(damaged());
        }
        let (entries, _) = bytes.as_chunks::<8>();
        let mask = (1 << PACKAGE_BITS) - 1;
        let from = entries.partition_point(|entry| u64::from_le_bytes(*entry) < bits);
        let same = entries
            .iter()
            .skip(from)
            .map(|entry| u64::from_le_bytes(*entry));
        Ok(same
            .take_while(|entry| entry & !mask == bits)
            .map(|entry| (entry & mask) as u32)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = r#"<?xml version="1.0"?>
<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="3">
<package pkgid="bb" name="b" arch="noarch"><version epoch="0" ver="1" rel="1"/>
<file>/usr/bin/b</file><file type="dir">/usr/share/both</file></package>
<package pkgid="aa" name="a" arch="noarch"><version epoch="0" ver="1" rel="1"/>
<file>/usr/bin/a</file><file type="dir">/usr/share/both</file></package>
<package pkgid="zz" name="z" arch="noarch"><version epoch="0" ver="1" rel="1"/>
<file>/usr/bin/z</file></package>
</filelists>"#;

    fn index(damage: Option<usize>) -> Option<PathIndex> {
        let packages = [path_hash(b"aa"), path_hash(b"bb")];
        let mut data = vec![Vec::new(); BUCKETS];
        let document = ("r", XML.as_bytes());
        collect(document, &XmlLimits::default(), &packages, &mut data).unwrap();
        let (mut all, data) = encode(b"key", data);
        all.extend(data.iter().flatten().flat_map(|entry| entry.to_le_bytes()));
        if let Some(at) = damage {
            all[at] ^= 1;
        }
        Some(PathIndex {
            buckets: parse_head(&all, b"key")?,
            place: PathPlace::Memory(all),
            repo: "r".to_owned(),
        })
    }

    #[test]
    fn paths_lead_to_packages_in_primarys_order() {
        let index = index(None).unwrap();
        assert_eq!(index.find(b"/usr/bin/a").unwrap(), [0]);
        assert_eq!(index.find(b"/usr/bin/b").unwrap(), [1]);
        assert_eq!(index.find(b"/usr/share/both").unwrap(), [0, 1]);
        // Not in primary, not in filelists.
        assert!(index.find(b"/usr/bin/z").unwrap().is_empty());
        assert!(index.find(b"/nowhere").unwrap().is_empty());
    }

    #[test]
    fn damage_is_noticed() {
        for at in (0..HEAD).step_by(7) {
            assert!(index(Some(at)).is_none(), "byte {at}");
        }
        for at in HEAD..HEAD + 32 {
            let index = index(Some(at)).unwrap();
            let paths = [&b"/usr/bin/a"[..], b"/usr/bin/b", b"/usr/share/both"];
            let failed = paths.iter().filter(|path| index.find(path).is_err());
            assert!(failed.count() >= 1, "byte {at}");
        }
    }
}
