//! Databases for yum: primary, filelists and other once again as sqlite files, in the schema that the yum of CentOS 5
//! to 7 reads. They are made of the documents, a package at a time, in one transaction each.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;

use rpm_repo::filelists::FilelistsPackage;
use rpm_repo::other::OtherPackage;
use rpm_repo::primary::{DEP_LISTS, FileKind, PrimaryPackage};
use rpm_repo::repomd::RepomdRecord;
use rpm_repo::xml::XmlLimits;
use rpm_repo::{filelists, other, primary};
use rusqlite::{Connection, OpenFlags, params};
use whole_file::Folder;

use crate::document::{FileStyle, MetadataDocument, NewFile, open_file, whole};
use crate::error::{Error, Result};

/// The version of the schema: `database_version` in repomd.xml, `dbversion` in the database.
const VERSION: u64 = 10;

/// Nothing reads the file before it is whole, and a killed run throws it away.
const BEGIN: &str = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;
    CREATE TABLE db_info (dbversion INTEGER, checksum TEXT);";

/// Columns of a table of dependencies.
const DEPENDENCY: &str =
    "name TEXT, flags TEXT, epoch TEXT, version TEXT, release TEXT, pkgKey INTEGER";

const PRIMARY: &str = "CREATE TABLE packages (pkgKey INTEGER PRIMARY KEY, pkgId TEXT, name TEXT, arch TEXT, version TEXT,
    epoch TEXT, release TEXT, summary TEXT, description TEXT, url TEXT, time_file INTEGER, time_build INTEGER,
    rpm_license TEXT, rpm_vendor TEXT, rpm_group TEXT, rpm_buildhost TEXT, rpm_sourcerpm TEXT,
    rpm_header_start INTEGER, rpm_header_end INTEGER, rpm_packager TEXT, size_package INTEGER,
    size_installed INTEGER, size_archive INTEGER, location_href TEXT, location_base TEXT, checksum_type TEXT);
    CREATE TABLE files (name TEXT, type TEXT, pkgKey INTEGER);";
const PRIMARY_END: &str = "CREATE INDEX packagename ON packages (name);
    CREATE INDEX packageId ON packages (pkgId);
    CREATE INDEX filenames ON files (name);
    CREATE INDEX pkgfiles ON files (pkgKey);
    CREATE INDEX requiresname ON requires (name);
    CREATE INDEX providesname ON provides (name);";

const FILELISTS: &str = "CREATE TABLE packages (pkgKey INTEGER PRIMARY KEY, pkgId TEXT);
    CREATE TABLE filelist (pkgKey INTEGER, dirname TEXT, filenames TEXT, filetypes TEXT);";
const FILELISTS_END: &str = "CREATE TRIGGER remove_filelist AFTER DELETE ON packages
    BEGIN DELETE FROM filelist WHERE pkgKey = old.pkgKey; END;
    CREATE INDEX keyfile ON filelist (pkgKey);
    CREATE INDEX pkgId ON packages (pkgId);
    CREATE INDEX dirnames ON filelist (dirname);";

const OTHER: &str = "CREATE TABLE packages (pkgKey INTEGER PRIMARY KEY, pkgId TEXT);
    CREATE TABLE changelog (pkgKey INTEGER, author TEXT, date INTEGER, changelog TEXT);";
const OTHER_END: &str = "CREATE TRIGGER remove_changelogs AFTER DELETE ON packages
    BEGIN DELETE FROM changelog WHERE pkgKey = old.pkgKey; END;
    CREATE INDEX keychange ON changelog (pkgKey);
    CREATE INDEX pkgId ON packages (pkgId);";

/// Writes the databases of the three documents, which lie in `repodata` and are described by `records`; a thread for
/// each. Returns their records.
///
/// # Errors
/// A document is missing or not what its record says; a database cannot be written.
pub(crate) fn write(
    repodata: &Folder,
    records: &[RepomdRecord],
    style: &FileStyle,
) -> Result<Vec<RepomdRecord>> {
    std::thread::scope(|scope| {
        let threads = MetadataDocument::ALL
            .map(|document| scope.spawn(move || one(document, repodata, records, style)));
        let joined = threads.map(|thread| thread.join().map_err(|_| Error::Thread)?);
        joined.into_iter().collect()
    })
}

/// Whether a record is that of a database.
pub(crate) fn is_kind(kind: &str) -> bool {
    let document = kind.strip_suffix("_db");
    document.is_some_and(|kind| MetadataDocument::ALL.iter().any(|one| one.kind() == kind))
}

fn one(
    document: MetadataDocument,
    repodata: &Folder,
    records: &[RepomdRecord],
    style: &FileStyle,
) -> Result<RepomdRecord> {
    let kind = document.kind();
    let record = records.iter().find(|record| record.kind == kind);
    let record = record.ok_or_else(|| Error::NoRecord {
        path: repodata.path().to_owned(),
        kind: kind.to_owned(),
    })?;
    let name = format!("{kind}.sqlite");
    let path = style.dir.path().join(&name);
    let mut file = fill(document, repodata, record, &path)?;
    let mut packed = NewFile::create(&format!("{kind}_db"), &name, style)?;
    packed.copy(&mut file, &path)?;
    let mut record = packed.finish()?;
    record.database_version = Some(VERSION);
    Ok(record)
}

/// Makes the database of a document, a file without a name; `path` is where it will be. SQLite opens paths only, and
/// those below a repository may lead elsewhere by then: it gets one in a directory of our own for temporary files,
/// which is removed as soon as it is open.
fn fill(
    document: MetadataDocument,
    repodata: &Folder,
    record: &RepomdRecord,
    path: &Path,
) -> Result<File> {
    let failed = |source| Error::Database {
        path: path.to_owned(),
        source,
    };
    let private = tempfile::tempdir().map_err(Error::file(path, "create"))?;
    let own = private.path().join("database");
    let file = File::create_new(&own);
    drop(file.map_err(Error::file(&own, "create"))?);
    // Locks trouble network file systems, and nobody else knows of the file.
    let db = Connection::open_with_flags_and_vfs(&own, OpenFlags::default(), "unix-none")
        .map_err(failed)?;
    begin(&db, document).map_err(failed)?;
    let file = File::open(&own).map_err(Error::file(&own, "read"))?;
    private.close().map_err(Error::file(&own, "remove"))?;
    let name = record.href.file_name();
    let from = repodata.path().join(name);
    let stream = open_file(repodata, Path::new(name), record)?;
    let from = from.display().to_string();
    let limits = XmlLimits::default();
    let (mut key, mut fault) = (0, None);
    let mut each = |add: &dyn Fn(i64) -> rusqlite::Result<()>| {
        key += 1;
        match add(key) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                fault = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    let summary = match document {
        MetadataDocument::Primary => primary::read(&from, stream, &limits, &mut |package| {
            each(&|key| add_primary(&db, key, package))
        }),
        MetadataDocument::Filelists => filelists::read(&from, stream, &limits, &mut |package| {
            each(&|key| add_filelists(&db, key, package))
        }),
        MetadataDocument::Other => other::read(&from, stream, &limits, &mut |package| {
            each(&|key| add_other(&db, key, package))
        }),
    }?;
    whole(&from, summary)?;
    if let Some(error) = fault {
        return Err(failed(error));
    }
    let checksum = record.checksum.map(|digest| digest.hex());
    end(&db, document, checksum.as_deref()).map_err(failed)?;
    db.close().map_err(|(_, error)| failed(error))?;
    Ok(file)
}

fn begin(db: &Connection, document: MetadataDocument) -> rusqlite::Result<()> {
    db.execute_batch(BEGIN)?;
    match document {
        MetadataDocument::Primary => {
            db.execute_batch(PRIMARY)?;
            for (_, table) in DEP_LISTS {
                let more = match table {
                    "requires" => ", pre BOOLEAN DEFAULT FALSE",
                    _ => "",
                };
                db.execute_batch(&format!("CREATE TABLE {table} ({DEPENDENCY}{more});"))?;
            }
            Ok(())
        }
        MetadataDocument::Filelists => db.execute_batch(FILELISTS),
        MetadataDocument::Other => db.execute_batch(OTHER),
    }
}

/// The indexes, which are cheaper to make when all rows are there, and of which document this is.
fn end(
    db: &Connection,
    document: MetadataDocument,
    checksum: Option<&str>,
) -> rusqlite::Result<()> {
    match document {
        MetadataDocument::Primary => {
            db.execute_batch(PRIMARY_END)?;
            let mut removals = String::from("DELETE FROM files WHERE pkgKey = old.pkgKey;");
            for (_, table) in DEP_LISTS {
                let index = format!("CREATE INDEX pkg{table} ON {table} (pkgKey);");
                db.execute_batch(&index)?;
                removals += &format!(" DELETE FROM {table} WHERE pkgKey = old.pkgKey;");
            }
            let trigger =
                format!("CREATE TRIGGER removals AFTER DELETE ON packages BEGIN {removals} END;");
            db.execute_batch(&trigger)?;
        }
        MetadataDocument::Filelists => db.execute_batch(FILELISTS_END)?,
        MetadataDocument::Other => db.execute_batch(OTHER_END)?,
    }
    let sql = "INSERT INTO db_info (dbversion, checksum) VALUES (?1, ?2)";
    db.execute(sql, params![number(VERSION), checksum])?;
    db.execute_batch("COMMIT")
}

/// A number as sqlite holds it.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A text that is missing where it is empty.
fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn add_primary(db: &Connection, key: i64, package: &PrimaryPackage) -> rusqlite::Result<()> {
    let (header_start, header_end) = package.header_range();
    let sql = "INSERT INTO packages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
        ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)";
    db.prepare_cached(sql)?.execute(params![
        key,
        package.checksum(),
        package.name(),
        package.arch(),
        package.version(),
        package.epoch().to_string(),
        package.release(),
        given(package.summary()),
        given(package.description()),
        given(package.url()),
        number(package.file_time()),
        number(package.build_time()),
        given(package.license()),
        package.vendor(),
        given(package.group()),
        given(package.buildhost()),
        package.sourcerpm(),
        number(header_start),
        number(header_end),
        given(package.packager()),
        number(package.package_size()),
        number(package.installed_size()),
        number(package.archive_size()),
        package.refused_location(),
        package.location_base(),
        package.checksum_type(),
    ])?;
    for (group, table) in DEP_LISTS {
        let sql = match table {
            "requires" => "INSERT INTO requires VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)".to_owned(),
            _ => format!("INSERT INTO {table} VALUES (?1, ?2, ?3, ?4, ?5, ?6)"),
        };
        for dep in package.deps(group) {
            let comparison = dep.comparison();
            let epoch = dep.epoch.filter(|_| comparison.is_some());
            let epoch = epoch.map(|epoch| epoch.to_string());
            let (version, release) = (given(dep.version), given(dep.release));
            let mut insert = db.prepare_cached(&sql)?;
            let pre = if dep.pre { "TRUE" } else { "FALSE" };
            match table {
                "requires" => insert.execute(params![
                    dep.name, comparison, epoch, version, release, key, pre
                ])?,
                _ => insert.execute(params![dep.name, comparison, epoch, version, release, key])?,
            };
        }
    }
    for file in package.files() {
        let kind = match file.kind {
            FileKind::File => "file",
            FileKind::Dir => "dir",
            FileKind::Ghost => "ghost",
        };
        db.prepare_cached("INSERT INTO files VALUES (?1, ?2, ?3)")?
            .execute(params![file.path, kind, key])?;
    }
    Ok(())
}

/// One row for each directory: the names of its files with slashes between them, and a letter for each.
fn add_filelists(db: &Connection, key: i64, package: &FilelistsPackage) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO packages VALUES (?1, ?2)")?
        .execute(params![key, package.pkgid()])?;
    let mut rows: Vec<(&str, String, String)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for file in package.files() {
        let (dir, name) = file.path.rsplit_once('/').unwrap_or((".", file.path));
        let dir = if dir.is_empty() { "/" } else { dir };
        // The root itself has no name of its own.
        let name = if name.is_empty() { "/" } else { name };
        let place = *places.entry(dir).or_insert(rows.len());
        if place == rows.len() {
            rows.push((dir, String::new(), String::new()));
        }
        let Some((_, names, kinds)) = rows.get_mut(place) else {
            continue;
        };
        if !kinds.is_empty() {
            names.push('/');
        }
        names.push_str(name);
        kinds.push(match file.kind {
            FileKind::File => 'f',
            FileKind::Dir => 'd',
            FileKind::Ghost => 'g',
        });
    }
    for (dir, names, kinds) in &rows {
        db.prepare_cached("INSERT INTO filelist VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![key, dir, names, kinds])?;
    }
    Ok(())
}

fn add_other(db: &Connection, key: i64, package: &OtherPackage) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO packages VALUES (?1, ?2)")?
        .execute(params![key, package.pkgid()])?;
    for entry in package.changelogs() {
        db.prepare_cached("INSERT INTO changelog VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![key, entry.author, number(entry.date), entry.text])?;
    }
    Ok(())
}
