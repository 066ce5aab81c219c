//! The rpm database that a change is written to.

use std::cmp::Ordering;
use std::io::Read;

use rpm_db::{Backend, Db, DbError, DbLocation, MAX_MACRO_FILE, MacroFile, TransactionLock};
use rpm_pkg::evr::vercmp;
use rpm_pkg::files::{FileList, FileType};
use rpm_pkg::header::tag;
use rpm_pkg::package::{DigestChoice, Package, payload_passes};
use rpm_pkg::payload::{PayloadError, PayloadLimits};
use rpm_transaction::{Element, RootDir, open_verified};

use crate::error::{At, Failure, Outcome};
use crate::session::Session;

/// The first rpm that reads and writes SQLite databases.
const FIRST_WITH_SQLITE: &str = "4.16";

/// The root and its rpm database, locked: made where they are missing. Where there is no package yet, those of
/// `elements` say where the database belongs: their rpm looks nowhere else. An ndb database is one of SQLite until
/// [`follow_rpm`].
pub(super) fn open(
    session: &Session<'_>,
    elements: &[Element],
) -> Outcome<(RootDir, Db, TransactionLock)> {
    let root = &session.settings.root;
    std::fs::create_dir_all(root).at(root)?;
    let mut location = place(session, elements)?;
    check_format(&location)?;
    rpm_db::create_directory(&location)?;
    let lock = session.database_lock(&location)?;
    if location.backend == Backend::Ndb {
        rpm_db::convert_for_change(&location)?;
        location.backend = Backend::Sqlite;
    }
    let db = Db::open_write(&location)?;
    Ok((RootDir::open(root)?, db, lock))
}

/// As [`open`], for what only looks: an ndb database stays as it is.
pub(super) fn open_to_test(
    session: &Session<'_>,
    elements: &[Element],
) -> Outcome<(RootDir, Db, TransactionLock)> {
    let root = &session.settings.root;
    let location = session.db_location()?;
    if location.backend != Backend::Ndb {
        return open(session, elements);
    }
    check_format(&location)?;
    let lock = session.database_lock(&location)?;
    Ok((RootDir::open(root)?, Db::open_read(&location)?, lock))
}

/// Moves the database to where the rpm that has come looks for it, in the format that it keeps. Where that fails
/// everything else is done, and the next change tries again.
pub(crate) fn follow_rpm(session: &Session<'_>) -> Outcome<()> {
    let location = session.db_location()?;
    let lock = session.database_lock(&location)?;
    let moved = match session.settings.dbpath {
        Some(_) => Ok(None),
        None => rpm_db::follow_rpm(&location),
    };
    match moved {
        Ok(None) => {}
        Ok(Some(dir)) => session.printer.info(&format!(
            "The rpm database is now in {}, where the rpm of this root looks",
            dir.display()
        )),
        Err(error) => unfit(session, &location, &error),
    }
    drop(lock);
    let location = session.db_location()?;
    if location.backend == Backend::Sqlite && rpm_db::wants_ndb(&location) {
        let _lock = session.database_lock(&location)?;
        if let Err(error) = rpm_db::back_to_ndb(&location) {
            unfit(session, &location, &error);
        }
    }
    Ok(())
}

fn unfit(session: &Session<'_>, location: &DbLocation, error: &DbError) {
    session.printer.err(&format!(
        "warning: the rpm of this root will not find its database in {}: {error}",
        location.dir.display()
    ));
}

/// Refuses a database that can be read and not changed, and says what can be done about it. One of ndb is changed where
/// the rpm of the root is set to it: it is ndb again afterwards.
pub(super) fn check_format(location: &DbLocation) -> Outcome<()> {
    let backend = match location.backend {
        Backend::Ndb if rpm_db::wants_ndb(location) => return Ok(()),
        backend @ (Backend::Bdb | Backend::Ndb) => backend,
        Backend::Sqlite | Backend::None => return Ok(()),
    };
    refuse_old_rpm(location, &Db::open_read(location)?)?;
    let path = location.file();
    let refused = DbError::ReadOnlyFormat { path, backend };
    Err(Failure::from(refused).hint(
        "nothing was changed; `tdnf convert-db` makes a SQLite database of it, after a question, and keeps the old files",
    ))
}

/// Refuses a database that the root's own rpm could not read any more once it is SQLite's.
pub(crate) fn refuse_old_rpm(location: &DbLocation, db: &Db) -> Outcome<()> {
    let mut found = db.by_name("rpm")?;
    // Where the package has another name (rpm-ndb), the program is the one.
    for path in [&b"/usr/bin/rpm"[..], b"/bin/rpm"] {
        for owner in db.file_owners(path)? {
            let header = db.get(owner.hnum)?;
            found.extend(header.map(|header| (owner.hnum, header)));
        }
    }
    let versions = found
        .iter()
        .filter_map(|(_, header)| header.text(tag::VERSION));
    let mut old = versions.filter(|version| {
        vercmp(version.as_bytes(), FIRST_WITH_SQLITE.as_bytes()) == Ordering::Less
    });
    let Some(version) = old.next() else {
        return Ok(());
    };
    let (path, backend) = (location.file(), location.backend);
    let refused = DbError::ReadOnlyFormat { path, backend };
    Err(Failure::from(refused).hint(format!(
        "nothing was changed; it is not converted either: rpm {version} of this root cannot read SQLite databases \
         ({FIRST_WITH_SQLITE} and later can), so only that rpm can change this root"
    )))
}

fn place(session: &Session<'_>, elements: &[Element]) -> Outcome<DbLocation> {
    let settings = &session.settings;
    let location = session.db_location()?;
    // With justdb no file comes.
    if settings.dbpath.is_some() || settings.tsflags.just_db || elements.is_empty() {
        return Ok(location);
    }
    let is_new = location.backend == Backend::None || Db::open_read(&location)?.is_empty()?;
    match is_new {
        true => session.db_location_with(&incoming(elements)?),
        false => Ok(location),
    }
}

/// The macro files that the packages bring.
fn incoming(elements: &[Element]) -> Outcome<Vec<MacroFile>> {
    let mut found = Vec::new();
    for element in elements {
        let Element::Install(install) = element else {
            continue;
        };
        let package = open_verified(&install.path, &install.identity)?;
        // What is wrong with a package is told where it is installed.
        let wanted = package
            .files()
            .map_or_else(|_| Vec::new(), |f| macro_files(&f));
        if !wanted.is_empty() {
            let name = package.nevra().to_string();
            let told = |why: &dyn std::fmt::Display| {
                let line = format!("Error: {name}: payload: {why}");
                Failure::because(crate::error::Code::TRANSACTION_FAILED, line)
            };
            match read(package, &wanted).map_err(|error| told(&error))? {
                Some(files) => found.extend(files),
                None => return Err(told(&"a digest of the package does not match")),
            }
        }
    }
    Ok(found)
}

/// Number and path of each macro file.
fn macro_files(files: &FileList) -> Vec<(usize, String)> {
    let plain = files
        .iter()
        .filter(|file| file.kind == FileType::Regular && !file.flags.is_ghost());
    let named = plain.filter_map(|file| Some((file.index, String::from_utf8(file.path()).ok()?)));
    named
        .filter(|(_, path)| rpm_db::is_macro_file(path))
        .collect()
}

/// Reads files of a payload, which is checked on the way; nothing where a digest of the payload does not match.
fn read<R: Read>(
    package: Package<R>,
    wanted: &[(usize, String)],
) -> Result<Option<Vec<MacroFile>>, PayloadError> {
    let mut payload = package.into_payload(DigestChoice::Strongest, PayloadLimits::default())?;
    let mut found = Vec::new();
    while let Some(entry) = payload.next_entry()? {
        let Some((_, path)) = wanted.iter().find(|(index, _)| *index == entry.index) else {
            continue;
        };
        let mut text = Vec::new();
        let mut start = (&mut payload).take(MAX_MACRO_FILE);
        start.read_to_end(&mut text)?;
        found.push(MacroFile {
            path: path.clone(),
            text: String::from_utf8_lossy(&text).into_owned(),
        });
    }
    let whole = payload_passes(&payload.finish()?.digests);
    Ok(whole.then_some(found))
}
