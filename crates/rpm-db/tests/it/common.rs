//! What several modules need.

use std::fs;
use std::path::{Path, PathBuf};

use rpm_db::{Db, DbLocation, InstallFacts, InstalledHeader, StoredSignature};
use rpm_pkg::header::{Header, HeaderError, HeaderKind};
use tempfile::TempDir;
use testkit::rpm::Rpm;

/// Transaction color of rpm on x86_64.
pub(crate) const COLOR: u32 = 3;
pub(crate) const NOW: u32 = 0x6B00_352B;

/// Signature and main header of a package file.
pub(crate) fn headers(file: &Path) -> Result<(Header, Header), HeaderError> {
    let bytes = fs::read(file).unwrap();
    let (signature, end) = header_at(&bytes, 96, HeaderKind::Signature)?;
    let (main, _) = header_at(&bytes, end.next_multiple_of(8), HeaderKind::Main)?;
    Ok((signature, main))
}

fn header_at(bytes: &[u8], at: usize, kind: HeaderKind) -> Result<(Header, usize), HeaderError> {
    let rest = bytes.get(at..).unwrap_or_default();
    let counts = rest.get(8..16).ok_or(HeaderError::Magic)?;
    let size = Header::size_from_counts(counts.try_into().unwrap(), kind)?;
    let whole = rest.get(..8 + size).ok_or(HeaderError::Magic)?;
    Ok((Header::parse_with_magic(whole, kind)?, at + 8 + size))
}

pub(crate) fn installed(file: &Path) -> Vec<u8> {
    let (signature, main) = headers(file).unwrap();
    let facts = InstallFacts {
        time: NOW,
        tid: NOW,
        color: COLOR,
        ..InstallFacts::default()
    };
    let signature = StoredSignature::of(&signature, &main, false).unwrap();
    InstalledHeader::from_package(&signature, &main, &facts)
        .unwrap()
        .blob()
        .to_vec()
}

/// A folder that other users may enter.
pub(crate) fn folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// Our database in `dir` with these package files, in one transaction.
pub(crate) fn write_ours(dir: &Path, files: &[PathBuf]) {
    let db = Db::open_write(&DbLocation::at(dir).unwrap()).unwrap();
    let mut tx = db.begin().unwrap();
    for file in files {
        tx.add(&installed(file)).unwrap();
    }
    tx.commit().unwrap();
}

/// Real rpm's database in `dir` with these package files, each in a transaction of its own so that both databases
/// have the same order.
pub(crate) fn write_theirs(dir: &Path, files: &[PathBuf]) {
    for file in files {
        let mut args = INSTALL.map(String::from).to_vec();
        args.push(file.display().to_string());
        Rpm::on_db(dir).ok(&args);
    }
}

pub(crate) const INSTALL: [&str; 10] = [
    "-i",
    "--justdb",
    "--nodeps",
    "--noscripts",
    "--notriggers",
    "--nosignature",
    "--nodigest",
    "--ignorearch",
    "--ignoreos",
    "--replacefiles",
];

/// Small packages with one of everything that has rows of its own.
pub(crate) fn recipes() -> Vec<PathBuf> {
    let mut files = testkit::spec::build(include_str!("alpha.spec"), &[]);
    files.extend(testkit::spec::build(include_str!("plain.spec"), &[]));
    files
}
