//! `--deltas N`: what has changed since the last revisions, for clients that have one of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rpm_pkg::digest::{Digest, DigestAlgo};
use rpm_repo::delta::{self, Offer};
use rpm_repo::repomd::{Repomd, RepomdRecord};
use whole_file::{Access, Durability};

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
fn offers(repodata: &Path) -> Vec<Offer> {
    let path = repodata.join(INDEX_NAME);
    let is_small = fs::metadata(&path).is_ok_and(|about| about.len() <= delta::MAX_INDEX);
    let bytes = is_small.then(|| fs::read(&path).ok()).flatten();
    bytes
        .and_then(|bytes| delta::parse(&bytes).ok())
        .unwrap_or_default()
}

fn name_of(offer: &Offer) -> String {
    format!("{DIR}/{}", offer.href.file_name())
}

/// The deltas that the present repodata offers, below it.
pub(super) fn files(repodata: &Path) -> Vec<String> {
    offers(repodata).iter().map(name_of).collect()
}

/// [`files`] and their index.
pub(crate) fn names(repodata: &Path) -> BTreeSet<String> {
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
    pub(super) present: &'a Path,
    /// The new one.
    pub(super) new: &'a Path,
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
        let (name, dir) = (record.href.file_name(), self.new.join(DIR));
        let path = self.new.join(name);
        let mut target = None;
        for former in self.former {
            let old = self.present.join(&former.name);
            let is_other = delta::stem(&former.name) != delta::stem(name);
            let is_made = |offer: &Offer| offer.from == former.digest && offer.to == to;
            // What went by hand is skipped, too.
            if former.digest == to || is_other || found.iter().any(is_made) || !old.is_file() {
                continue;
            }
            fs::create_dir_all(&dir)?;
            if let Some(offer) = known.iter().find(|offer| is_made(offer))
                && self.take_over(offer)
            {
                found.push(offer.clone());
                continue;
            }
            let target = match &mut target {
                Some(target) => target,
                none => none.insert(delta::DeltaTarget::new(delta::File {
                    path: &path,
                    digest: to,
                })?),
            };
            let old = delta::File {
                path: &old,
                digest: former.digest,
            };
            found.extend(target.delta_in(&dir, &old)?.map(|(offer, _)| offer));
        }
        Ok(())
    }

    /// A delta that is there already gets a second name in the new repodata.
    fn take_over(&self, offer: &Offer) -> bool {
        let (from, to) = (
            self.present.join(name_of(offer)),
            self.new.join(name_of(offer)),
        );
        let is_whole = fs::metadata(&from).is_ok_and(|about| about.len() == offer.size);
        is_whole && (to.exists() || fs::hard_link(&from, &to).is_ok())
    }

    fn write_index(&self, found: &[Offer]) -> Result<()> {
        if found.is_empty() {
            return Ok(());
        }
        let path = self.new.join(INDEX_NAME);
        let bytes = delta::to_bytes(found)
            .map_err(|error| Error::file(&path, "write")(std::io::Error::other(error)))?;
        whole_file::replace(&path, &bytes, Access::Umask, Durability::Cache)
            .map_err(Error::file(&path, "write"))
    }
}
