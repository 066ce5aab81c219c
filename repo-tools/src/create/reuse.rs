//! Which records of the old metadata are still right.

use std::collections::HashMap;
use std::sync::Arc;

use whole_file::Stamp;

use super::{CreateRun, PackageStep};
use crate::document::OldDocuments;
use crate::error::Result;
use crate::own::OwnDocuments;
use crate::package::PackageIdentity;
use crate::scan::PackageFile;
use crate::select::SelectedPackages;
use crate::state::{self, FinishedRun, SeenPackage};

/// What is taken over.
pub(super) struct Reuse {
    /// What is done with each file.
    pub(super) steps: Vec<PackageStep>,
    pub(super) old: Option<OldDocuments>,
    /// What each package is that is taken over, by place.
    pub(super) identities: HashMap<u64, PackageIdentity>,
}

/// What primary says of one package.
struct ReuseEntry {
    place: u64,
    size: u64,
    time: u64,
    checksum: String,
    identity: PackageIdentity,
}

impl Reuse {
    /// Nothing is taken over.
    pub(super) fn none(count: usize) -> Reuse {
        Reuse {
            steps: vec![PackageStep::Read; count],
            old: None,
            identities: HashMap::new(),
        }
    }
}

/// Compares the tree with the state of the last run, or with the old primary.
pub(super) fn plan(work: &CreateRun<'_>, found: &[PackageFile], hrefs: &[String]) -> Result<Reuse> {
    let none = Ok(Reuse::none(found.len()));
    let Some(old) = work.reused.as_ref().filter(|_| work.options.update) else {
        return none;
    };
    let here = state::place(&work.options.dir);
    let state = work.state.as_ref().filter(|state| state.place == here);
    let complete = crate::document::MetadataDocument::ALL
        .iter()
        .all(|document| {
            old.repomd
                .record(document.kind())
                .is_some_and(|r| r.checksum.is_some())
        });
    let other_records = work.state.as_ref().is_some_and(|s| {
        super::finish::record_style(&s.options) != super::finish::record_style(&work.fingerprint)
    });
    if !complete || other_records {
        return none;
    }
    let seen = state.map(FinishedRun::seen);
    if let Some((state, seen)) = state.zip(seen.as_ref())
        && let Some(own) = OwnDocuments::of(old, state)
    {
        return Ok(from_state(work, found, own, seen));
    }
    let mut entries = read_primary(work, old)?;
    let mut places: Vec<Option<u64>> = Vec::with_capacity(found.len());
    for (found, href) in found.iter().zip(hrefs) {
        let before = seen.as_ref().map(|seen| {
            let package = seen.get(found.location.as_str());
            package.map(|package| package.noted.stamp)
        });
        let same = entries
            .get(href.as_str())
            .filter(|entry| work.options.skip_stat || is_same(entry, &found.stamp, before));
        places.push(same.map(|entry| entry.place));
    }
    keep_ascending(&mut places);
    let mut by_place: HashMap<u64, ReuseEntry> =
        entries.drain().map(|(_, e)| (e.place, e)).collect();
    let (mut kept, mut identities) = (Vec::new(), HashMap::new());
    for place in places.iter().flatten() {
        if let Some(entry) = by_place.remove(place) {
            identities.insert(*place, entry.identity);
            kept.push((*place, entry.checksum));
        }
    }
    let chosen = SelectedPackages {
        repository: Arc::clone(old),
        kept,
        base: None,
    };
    let old = (!chosen.kept.is_empty()).then_some(OldDocuments::Foreign(chosen));
    Ok(Reuse {
        steps: steps(&places),
        old,
        identities,
    })
}

fn steps(places: &[Option<u64>]) -> Vec<PackageStep> {
    let step = |place: &Option<u64>| place.map_or(PackageStep::Read, PackageStep::Keep);
    places.iter().map(step).collect()
}

/// The documents are those that the state is of: whether a file is as it was decides alone.
fn from_state(
    work: &CreateRun<'_>,
    found: &[PackageFile],
    own: OwnDocuments,
    seen: &HashMap<&str, SeenPackage>,
) -> Reuse {
    let same = |found: &PackageFile| {
        let package = seen.get(found.location.as_str());
        package.filter(|p| work.options.skip_stat || p.noted.stamp == found.stamp)
    };
    let place = |found: &PackageFile| same(found).map(|package| package.place);
    let mut places: Vec<Option<u64>> = found.iter().map(place).collect();
    keep_ascending(&mut places);
    let identities = seen
        .values()
        .map(|package| (package.place, package.noted.identity));
    Reuse {
        steps: steps(&places),
        old: places
            .iter()
            .any(Option::is_some)
            .then_some(OldDocuments::Own(own)),
        identities: identities.collect(),
    }
}

/// `before`: none if there is no state of the last run to compare with; in it, none if that run did
/// not see the file.
fn is_same(entry: &ReuseEntry, now: &Stamp, before: Option<Option<Stamp>>) -> bool {
    let as_before = match before {
        Some(before) => before == Some(*now),
        None => true,
    };
    as_before && entry.size == now.size && entry.time == now.time()
}

fn read_primary(
    work: &CreateRun<'_>,
    old: &crate::repository::Repository,
) -> Result<HashMap<String, ReuseEntry>> {
    let style = &work.options.style;
    let mut entries = HashMap::new();
    old.packages(&mut |place, package| {
        let right_style = package.checksum_type() == style.checksum.name()
            && package.location_base() == style.base.as_deref();
        if right_style && package.location_fault().is_none() {
            let nevra = crate::nevra(package);
            let entry = ReuseEntry {
                place,
                size: package.package_size(),
                time: package.file_time(),
                identity: PackageIdentity {
                    name: crate::hash(&nevra),
                    checksum: crate::hash(package.checksum()),
                },
                checksum: package.checksum().to_owned(),
            };
            entries.insert(package.location().to_owned(), entry);
        }
    })?;
    Ok(entries)
}

/// The documents are read and written from front to back: of the places only a longest ascending
/// sequence can be taken over. Metadata of this program and of createrepo_c are in order anyway.
fn keep_ascending(places: &mut [Option<u64>]) {
    // ends[n]: index of the smallest place that ends an ascending sequence of n + 1.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; places.len()];
    for index in 0..places.len() {
        let Some(place) = places.get(index).copied().flatten() else {
            continue;
        };
        let at = ends.partition_point(|end| places.get(*end).copied().flatten() < Some(place));
        if let Some(slot) = before.get_mut(index) {
            *slot = at.checked_sub(1).and_then(|at| ends.get(at)).copied();
        }
        match ends.get_mut(at) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut kept = vec![false; places.len()];
    let mut at = ends.last().copied();
    while let Some(index) = at {
        if let Some(slot) = kept.get_mut(index) {
            *slot = true;
        }
        at = before.get(index).copied().flatten();
    }
    for (place, kept) in places.iter_mut().zip(kept) {
        if !kept {
            *place = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::keep_ascending;

    #[test]
    fn the_longest_ascending_sequence_stays() {
        let mut places = [Some(9), None, Some(0), Some(1), Some(7), Some(2), Some(3)];
        keep_ascending(&mut places);
        assert_eq!(
            places,
            [None, None, Some(0), Some(1), None, Some(2), Some(3)]
        );
        let mut places = [Some(2), Some(2), Some(1)];
        keep_ascending(&mut places);
        assert_eq!(places.iter().flatten().count(), 1);
    }
}
