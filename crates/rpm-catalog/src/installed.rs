//! Installed packages in the pool's form, cached under the state of the database.

use super::error::CatalogError;
use super::header::{Outside, with_header};
use super::store::{Place, open_or_make};
use rpm_db::{Damaged, Db, DbError};
use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_pkg::header::tag;
use rpm_solv::{CacheFile, CacheWriter, EarlierCache};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;

/// The cache of installed packages, renewed when the database changed. `path` is where it may be kept; without one it
/// is made for this run only. Beside it are the headers that cannot be used: it lacks their packages.
///
/// # Errors
/// The database cannot be read.
pub(crate) fn installed_cache(
    db: &Db,
    path: Option<&Path>,
) -> Result<(CacheFile, Vec<Damaged>), CatalogError> {
    let _state = db.snapshot()?;
    let records = Records {
        names: db.names()?,
        digests: db.header_digests()?,
    };
    let key = format!("installed {}", records.state());
    let place = path.and_then(|path| Some(Place::new(path.parent()?, path.file_name()?)));
    let cache = open_or_make(
        place.as_ref(),
        "installed packages",
        key.as_bytes(),
        &mut |writer, earlier| records.fill(db, writer, earlier),
    )?;
    let damaged = match records.packages(db)? > cache.package_count() {
        true => db.for_each(&mut |_, _| ControlFlow::Continue(()))?,
        false => Vec::new(),
    };
    Ok((cache, damaged))
}

/// The name of all keys in the database.
const KEYS: &[u8] = b"gpg-pubkey";

/// What the indexes of the database say of its headers.
struct Records {
    names: Vec<(Vec<u8>, u32)>,
    /// By number. A number alone names a header only until the database is rebuilt.
    digests: Vec<(u32, Vec<u8>)>,
}

impl Records {
    fn state(&self) -> String {
        let mut hasher = Hasher::new(DigestAlgo::Sha256);
        hasher.update(rpm_db::cookie(&self.names).as_bytes());
        for (hnum, digest) in &self.digests {
            hasher.update(&hnum.to_ne_bytes());
            hasher.update(digest);
        }
        hasher.finish().hex()
    }

    fn digest(&self, hnum: u32) -> &str {
        let found = self
            .digests
            .binary_search_by_key(&hnum, |(number, _)| *number);
        let digest = found
            .ok()
            .and_then(|at| str::from_utf8(&self.digests[at].1).ok());
        digest.unwrap_or_default()
    }

    /// Headers are read one by one, to hold one at a time, and only those that the earlier cache does not know.
    fn fill(
        &self,
        db: &Db,
        writer: &mut CacheWriter,
        earlier: Option<CacheFile>,
    ) -> Result<(), CatalogError> {
        // Every change of the system writes it anew.
        writer.leave_plain();
        let mut earlier = earlier.and_then(|file| EarlierCache::read(file).ok());
        let known = earlier
            .as_ref()
            .map(|cache| self.known(cache))
            .unwrap_or_default();
        for (name, hnum) in self.order(db)? {
            if name == KEYS {
                continue;
            }
            match (&mut earlier, known.get(&hnum)) {
                (Some(cache), Some(index)) => writer.copy(cache, *index)?,
                _ => self.add(db, hnum, writer)?,
            }
        }
        Ok(earlier.map_or(Ok(()), |cache| writer.copy_paths(cache))?)
    }

    /// Where the earlier cache has a header that is still the same.
    fn known(&self, earlier: &EarlierCache) -> HashMap<u32, usize> {
        let all = earlier.identities().enumerate();
        all.filter(|(_, (digest, hnum))| !digest.is_empty() && self.digest(*hnum) == digest)
            .map(|(index, (_, hnum))| (hnum, index))
            .collect()
    }

    fn add(&self, db: &Db, hnum: u32, writer: &mut CacheWriter) -> Result<(), CatalogError> {
        let header = match db.get(hnum) {
            Ok(Some(header)) => header,
            // Skipped by rpm as well; who opens the cache hears of it.
            Ok(None) | Err(DbError::BadRecord { .. } | DbError::Nameless { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let outside = Outside {
            database_number: hnum,
            digest: self.digest(hnum),
            ..Outside::default()
        };
        let what = format!("{hnum} of the rpm database");
        match with_header(&header, &what, &outside, |input| writer.add(input)) {
            Err(CatalogError::NotAPackage { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How many packages there should be.
    fn packages(&self, db: &Db) -> Result<usize, DbError> {
        let keys = self.names.iter().filter(|(name, _)| name == KEYS).count();
        let all = match !self.digests.is_empty() && self.indexes_agree() {
            true => self.names.len(),
            false => db.count()?,
        };
        Ok(all.saturating_sub(keys))
    }

    /// Whether both indexes name the same packages; keys have no digest in older databases.
    fn indexes_agree(&self) -> bool {
        let (keys, packages): (Vec<_>, Vec<_>) =
            self.names.iter().partition(|(name, _)| name == KEYS);
        let keys: HashSet<u32> = keys.into_iter().map(|(_, hnum)| *hnum).collect();
        let mut packages: Vec<u32> = packages.into_iter().map(|(_, hnum)| *hnum).collect();
        packages.sort_unstable();
        let digests = self.digests.iter().map(|(hnum, _)| *hnum);
        digests.filter(|hnum| !keys.contains(hnum)).eq(packages)
    }

    /// By name, as all lists show them. An index that has lost names is not believed; two that agree are.
    fn order(&self, db: &Db) -> Result<Vec<(Vec<u8>, u32)>, DbError> {
        if self.indexes_agree() || self.names.len() == db.count()? {
            return Ok(self.names.clone());
        }
        let mut names = Vec::new();
        db.for_each(&mut |hnum, header| {
            let name = header.string(tag::NAME).unwrap_or_default();
            names.push((name.to_vec(), hnum));
            ControlFlow::Continue(())
        })?;
        names.sort();
        Ok(names)
    }
}
