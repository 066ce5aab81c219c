//! Every package file against its metadata.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rpm_pkg::digest::DigestAlgo;

use super::CheckEntry;
use crate::package::{PackageReader, RecordStyle};
use crate::repository::Repository;

/// Reads all packages; the problems are in the order of the metadata.
pub(super) fn run(repository: &Repository, entries: &[CheckEntry], workers: usize) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let worker = || {
        let mut reader = PackageReader::default();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(entry) = entries.get(index) else {
                return;
            };
            if let Some(problem) = check(repository, entry, &mut reader)
                && let Ok(mut found) = found.lock()
            {
                found.push((index, problem));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            // Where no thread can be had the others do its work.
            let _ = std::thread::Builder::new().spawn_scoped(scope, worker);
        }
        worker();
    });
    let mut found = found.into_inner().unwrap_or_default();
    found.sort();
    found.into_iter().map(|(_, problem)| problem).collect()
}

fn check(
    repository: &Repository,
    entry: &CheckEntry,
    reader: &mut PackageReader,
) -> Option<String> {
    let name = &entry.location;
    if name.is_empty() {
        return None;
    }
    // A base that is refused was named before.
    let path = super::place(repository, entry).ok().flatten()?;
    let Some(checksum) = DigestAlgo::from_name(&entry.checksum_type) else {
        return Some(format!("{name}: unknown checksum {}", entry.checksum_type));
    };
    match std::fs::metadata(&path) {
        Err(error) => return Some(format!("{name}: {error}")),
        Ok(meta) if meta.len() != entry.size => {
            let size = entry.size;
            return Some(format!(
                "{name}: has {} bytes, primary says {size}",
                meta.len()
            ));
        }
        Ok(_) => {}
    }
    let style = RecordStyle {
        checksum,
        base: entry.base.clone(),
        changelogs: entry.changelogs,
        cache: None,
    };
    let mut texts = Default::default();
    let found = match reader.read(&path, name, &style, Some(entry.time), &mut texts) {
        Ok((_, found)) => found,
        Err(fault) => return Some(format!("{name}: {fault}")),
    };
    if !found.hex().eq_ignore_ascii_case(&entry.checksum) {
        return Some(format!("{name}: checksum is not that of primary"));
    }
    // `sha` and `sha1` are one algorithm under two names, which the record repeats.
    let [primary, filelists, other] = &texts;
    let primary = match entry.checksum_type == checksum.name() {
        true => crate::hash(primary),
        false => {
            let ours = format!("type=\"{}\"", checksum.name());
            let theirs = format!("type=\"{}\"", entry.checksum_type);
            crate::hash(&primary.replacen(&ours, &theirs, 1))
        }
    };
    let hashes = [primary, crate::hash(filelists), crate::hash(other)];
    let kinds = crate::document::MetadataDocument::ALL.map(crate::document::MetadataDocument::kind);
    let differing: Vec<_> = kinds
        .iter()
        .zip(hashes.iter().zip(&entry.hashes))
        .filter(|(_, (ours, theirs))| ours != theirs)
        .map(|(kind, _)| *kind)
        .collect();
    (!differing.is_empty())
        .then(|| format!("{name}: {} differ from the package", differing.join(", ")))
}
