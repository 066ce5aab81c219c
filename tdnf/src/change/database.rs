//! The rpm database that a change is written to.

use std::cmp::Ordering;
use std::io::Read;

use rpm_db::{
    Backend, Db, DbError, DbLocation, MAX_MACRO_FILE, MacroFile, MacroSet, TransactionLock,
};
use rpm_pkg::evr::vercmp;
use rpm_pkg::files::{FileList, FileType};
use rpm_pkg::header::tag;
use rpm_pkg::package::{DigestChoice, Package};
use rpm_pkg::payload::{PayloadError, PayloadLimits};
use rpm_transaction::{Element, RootDir, open_verified};

use crate::error::{At, Failure, Outcome};
use crate::session::Session;

/// The first rpm that reads and writes SQLite databases.
const FIRST_WITH_SQLITE: &str = "4.16";

/// The root and its rpm database, locked: made where they are missing. Where there is no package yet, those of
/// `elements` say where the database belongs: their rpm looks nowhere else.
pub(super) fn open(
    session: &Session<'_>,
    elements: &[Element],
) -> Outcome<(RootDir, Db, TransactionLock)> {
    let root = &session.settings.root;
    std::fs::create_dir_all(root).at(root)?;
    let location = place(session, elements)?;
    check_format(&location)?;
    rpm_db::create_directory(&location)?;
    let lock = session.database_lock(&location)?;
    let db = Db::open_write(&location)?;
    Ok((RootDir::open(root)?, db, lock))
}

/// Moves the database to where the rpm that has come looks for it. Where that fails everything else is done, and the
/// next change tries again.
pub(super) fn follow_rpm(session: &Session<'_>) -> Outcome<()> {
    if session.settings.dbpath.is_some() {
        return Ok(());
    }
    let location = session.db_location()?;
    let _lock = session.database_lock(&location)?;
    match rpm_db::follow_rpm(&location) {
        Ok(None) => {}
        Ok(Some(dir)) => session.printer.info(&format!(
            "The rpm database is now in {}, where the rpm of this root looks",
            dir.display()
        )),
        Err(error) => session.printer.err(&format!(
            "warning: the rpm of this root will not find its database in {}: {error}",
            location.dir.display()
        )),
    }
    Ok(())
}

/// Refuses a database that can be read and not changed, and says what can be done about it.
pub(super) fn check_format(location: &DbLocation) -> Outcome<()> {
    let backend @ (Backend::Bdb | Backend::Ndb) = location.backend else {
        return Ok(());
    };
    refuse_rpm_without_sqlite(location, &Db::open_read(location)?)?;
    let path = location.file();
    let refused = DbError::ReadOnlyFormat { path, backend };
    Err(Failure::from(refused).hint(
        "nothing was changed; 'tdnf convert-db' makes a SQLite database of it, after a question, and keeps the old files",
    ))
}

/// Refuses a database that the root's own rpm could not read any more once it is SQLite's: an old one, or one whose
/// builder chose ndb and left SQLite out (docs/reference/rpmdb.md, 2.1).
pub(crate) fn refuse_rpm_without_sqlite(location: &DbLocation, db: &Db) -> Outcome<()> {
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
    let why = match old.next() {
        Some(version) => format!(
            "rpm {version} of this root cannot read SQLite databases ({FIRST_WITH_SQLITE} and later can), so only that \
             rpm can change this root"
        ),
        None if !found.is_empty() && is_set_to_ndb(location) => {
            "the rpm of this root is set to ndb (_db_backend), and such builds leave SQLite out, so only that rpm can \
             change this root; where yours has SQLite, write '%_db_backend sqlite' into etc/rpm/macros of the root first"
                .to_owned()
        }
        None => return Ok(()),
    };
    let (path, backend) = (location.file(), location.backend);
    let refused = DbError::ReadOnlyFormat { path, backend };
    Err(Failure::from(refused).hint(format!(
        "nothing was changed; it is not converted either: {why}"
    )))
}

/// Whether the macro files of the root say that its rpm keeps ndb databases.
fn is_set_to_ndb(location: &DbLocation) -> bool {
    let set = MacroSet::of_root(&location.root);
    set.raw("_db_backend") == Some("ndb")
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
            let read = read(package, &wanted);
            let told = |error| {
                Failure::because(
                    crate::error::Code::TRANSACTION_FAILED,
                    format!("Error: {name}: payload: {error}"),
                )
            };
            found.extend(read.map_err(told)?);
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

/// Reads files of a payload, which is checked on the way.
fn read<R: Read>(
    package: Package<R>,
    wanted: &[(usize, String)],
) -> Result<Vec<MacroFile>, PayloadError> {
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
    Ok(found)
}
