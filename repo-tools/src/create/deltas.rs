//! `--deltas N`: what has changed since the last revisions, for clients that have one of them.

use std::collections::BTreeSet;
use std::path::Path;

use rpm_pkg::digest::{Digest, DigestAlgo};
use rpm_repo::delta::{self, Offer};
use rpm_repo::repomd::{Repomd, RepomdRecord};
use rustix::fs::OFlags;
use whole_file::{Access, Durability, Folder};

use crate::error::{Error, Result};

/// The index of deltas in repodata.
pub(crate) const INDEX_NAME: &str = "deltas.json";
/// The directory of deltas in repodata.
const DIR: &str = "deltas";

/// A file of an earlier revision that is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FormerRevision {
    name: String,
    digest: Digest,
}

/// What the present repodata offers; an index that cannot be read offers nothing.
fn offers(repodata: &Folder) -> Vec<Offer> {
    let bytes = repodata.read(Path::new(INDEX_NAME), delta::MAX_INDEX);
    bytes
        .ok()
        .and_then(|bytes| delta::parse(&bytes).ok())
        .unwrap_or_default()
}

fn name_of(offer: &Offer) -> String {
    format!("{DIR}/{}", offer.href.file_name())
}

/// The deltas that the present repodata offers, below it.
pub(super) fn files(repodata: &Folder) -> Vec<String> {
    offers(repodata).iter().map(name_of).collect()
}

/// [`files`] and their index.
pub(crate) fn names(repodata: &Folder) -> BTreeSet<String> {
    let files = files(repodata).into_iter();
    files.chain([INDEX_NAME.to_owned()]).collect()
}

/// The files of the present revision.
pub(super) fn of_records(repomd: &Repomd) -> Vec<FormerRevision> {
    let former = |record: &RepomdRecord| {
        let is_here = record.base.is_none() && record.href.as_str().starts_with("repodata/");
        let name = record.href.file_name().to_owned();
        record
            .checksum
            .filter(|_| is_here)
            .map(|digest| FormerRevision { name, digest })
    };
    repomd.records.iter().filter_map(former).collect()
}

/// The files of an earlier one: their names begin with their checksums, or nothing is known of them.
pub(super) fn of_names(names: &[String], algo: DigestAlgo) -> Vec<FormerRevision> {
    let former = |name: &String| {
        let (hex, _) = name.split_once('-')?;
        let digest = Digest::from_hex(algo, hex).ok()?;
        let name = name.clone();
        Some(FormerRevision { name, digest })
    };
    names.iter().filter_map(former).collect()
}

/// What is to be made.
pub(super) struct DeltaOrder<'a> {
    /// The present repodata, with the files of earlier revisions.
    pub(super) present: &'a Folder,
    /// The new one.
    pub(super) new: &'a Folder,
    /// The files of earlier revisions.
    pub(super) former: &'a [FormerRevision],
}

impl DeltaOrder<'_> {
    /// Makes deltas and their index in the new repodata, whose files are there already. Returns the
    /// files for which there is none although there is an earlier one, with the reason.
    pub(super) fn carry_out(&self, repomd: &Repomd) -> Result<Vec<String>> {
        let known = offers(self.present);
        let mut found: Vec<Offer> = Vec::new();
        let mut missed = Vec::new();
        for record in &repomd.records {
            if let Err(error) = self.lead_to(record, &known, &mut found) {
                missed.push(format!("{}: {error}", record.href.file_name()));
            }
        }
        self.write_index(&found)?;
        Ok(missed)
    }

    /// Makes the deltas that lead to one file.
    fn lead_to(
        &self,
        record: &RepomdRecord,
        known: &[Offer],
        found: &mut Vec<Offer>,
    ) -> delta::Result<()> {
        let Some(to) = record.checksum.filter(|_| record.base.is_none()) else {
            return Ok(());
        };
        let name = record.href.file_name();
        let mut target = None;
        for former in self.former {
            let is_other = delta::stem(&former.name) != delta::stem(name);
            let is_made = |offer: &Offer| offer.from == former.digest && offer.to == to;
            if former.digest == to || is_other || found.iter().any(is_made) {
                continue;
            }
            // What went by hand is skipped, too.
            let Ok(old) = self.present.file(Path::new(&former.name), OFlags::RDONLY) else {
                continue;
            };
            let dir = self.new.make_all(Path::new(DIR))?;
            if let Some(offer) = known.iter().find(|offer| is_made(offer))
                && self.take_over(offer)
            {
                found.push(offer.clone());
                continue;
            }
            let target = match &mut target {
                Some(target) => target,
                none => {
                    let file = self.new.file(Path::new(name), OFlags::RDONLY)?;
                    none.insert(delta::DeltaTarget::new(delta::File::new(file, to))?)
                }
            };
            let old = delta::File::new(old, former.digest);
            let made = dir.whole(&delta::file_name(&former.digest, &to), Access::Umask)?;
            found.extend(target.delta_in(made, &old)?);
        }
        Ok(())
    }

    /// A delta that is there already gets a second name in the new repodata.
    fn take_over(&self, offer: &Offer) -> bool {
        let name = name_of(offer);
        let below = Path::new(&name);
        let size = self.present.stat(below).map(|about| about.st_size);
        let is_whole = size.is_ok_and(|size| u64::try_from(size) == Ok(offer.size));
        is_whole && self.present.link(below, self.new).is_ok()
    }

    fn write_index(&self, found: &[Offer]) -> Result<()> {
        if found.is_empty() {
            return Ok(());
        }
        let path = self.new.path().join(INDEX_NAME);
        let bytes = delta::to_bytes(found)
            .map_err(|error| Error::file(&path, "write")(std::io::Error::other(error)))?;
        self.new
            .replace(INDEX_NAME, &bytes, Durability::Cache)
            .map_err(Error::file(&path, "write"))
    }
}
