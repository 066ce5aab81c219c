//! Installed packages in the pool's form, cached under the database's cookie.

use super::error::CatalogError;
use super::header::{Outside, with_header};
use super::store::open_or_make;
use rpm_db::{Db, DbError};
use rpm_pkg::header::tag;
use rpm_solv::{CacheFile, CacheWriter};
use std::ops::ControlFlow;
use std::path::Path;

/// The cache of installed packages, rebuilt when the database's cookie changed. `path` is where it
/// may be kept; without one it is made for this run only.
///
/// # Errors
/// The database cannot be read.
pub(crate) fn installed_cache(db: &Db, path: Option<&Path>) -> Result<CacheFile, CatalogError> {
    let key = format!("installed {}", db.cookie()?);
    open_or_make(path, "installed packages", key.as_bytes(), &mut |writer| {
        fill(db, writer)
    })
}

fn fill(db: &Db, writer: &mut CacheWriter) -> Result<(), CatalogError> {
    let _state = db.snapshot()?;
    // Sorted by name, as all lists show them; headers are read one by one, to hold one at a time.
    for (name, hnum) in order(db)? {
        if name == b"gpg-pubkey" {
            continue;
        }
        let header = match db.get(hnum) {
            Ok(Some(header)) => header,
            // Skipped by rpm as well; `check` tells of it.
            Ok(None) | Err(DbError::BadRecord { .. } | DbError::Nameless { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let outside = Outside {
            database_number: hnum,
            ..Outside::default()
        };
        let what = format!("{hnum} of the rpm database");
        match with_header(&header, &what, &outside, |input| writer.add(input)) {
            Err(CatalogError::NotAPackage { .. }) | Ok(()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// An index that has lost names is not believed.
fn order(db: &Db) -> Result<Vec<(Vec<u8>, u32)>, DbError> {
    let mut names = db.names()?;
    if names.len() != db.count()? {
        names.clear();
        db.for_each(&mut |hnum, header| {
            let name = header.string(tag::NAME).unwrap_or_default();
            names.push((name.to_vec(), hnum));
            ControlFlow::Continue(())
        })?;
        names.sort();
    }
    Ok(names)
}
