//! Keys that the user accepted, stored where the rpm of the root looks for them.

use std::fs::File;
use std::path::Path;

use rpm_db::{Db, KeyStore, pubkey};
use rpm_pkg::header::tag;
use rpm_trust::KeyInfo;
use rustix::fs::OFlags;
use whole_file::{Access, Durability, open_plain, replace};

use super::{database, record};
use crate::error::{At, Outcome};
use crate::history::Begun;
use crate::interrupt::Phase;
use crate::session::{KeyPlace, Session, StoredKey, stored_keys};

/// The rpm whose form a database without rpm package gets.
const WRITTEN_AS: &str = "4.18.0";

/// Stores and removes keys by themselves, and writes that into the history.
pub fn change_keys(session: &Session<'_>, new: &[KeyInfo], gone: &[KeyPlace]) -> Outcome<()> {
    if session.settings.test_only {
        return Ok(());
    }
    let (history, before) = record::open(session)?;
    let begun = Begun {
        command_line: session.settings.command_line.clone(),
        now: session.settings.environment.now,
        ..Begun::default()
    };
    session.interrupt.during(Phase::Committed, || {
        write(session, new, gone)?;
        record::done(session, &history, &begun, &before)
    })
}

/// Stores keys where the rpm of the root has them. What is stored of the same key goes in the same step; what says the
/// same stays. The phase is committed: they belong to what is installed already.
pub(super) fn import(session: &Session<'_>, keys: &[KeyInfo]) -> Outcome<()> {
    match keys.is_empty() {
        true => Ok(()),
        false => write(session, keys, &[]),
    }
}

fn write(session: &Session<'_>, keys: &[KeyInfo], gone: &[KeyPlace]) -> Outcome<()> {
    store(session, keys, gone)?;
    database::follow_rpm(session)
}

fn store(session: &Session<'_>, keys: &[KeyInfo], gone: &[KeyPlace]) -> Outcome<()> {
    let store = KeyStore::of(&session.db_location()?);
    let (_, db, _lock) = database::open(session, &[])?;
    let stored = stored_keys(&store, Some(&db), session.settings.environment.now)?;
    let rpm = rpm_version(&db)?;
    let mut new = Vec::new();
    let mut old = gone.to_vec();
    for key in keys {
        let package = package_of(key, &rpm);
        let same = stored.iter().filter(|stored| match &stored.key {
            Ok(old) => old.fingerprint == key.fingerprint,
            // What cannot be read is known by its name alone.
            Err(_) => stored.package == package,
        });
        let says_the_same = |stored: &&StoredKey| {
            let old = stored.key.as_ref();
            old.is_ok_and(|old| old.binary == key.binary)
        };
        if same.clone().any(|stored| says_the_same(&stored)) {
            continue;
        }
        old.extend(same.map(|stored| stored.place.clone()));
        new.push(key);
    }
    match store.is_database() {
        true => write_records(session, &db, &new, &old, &rpm),
        false => write_files(&store, &new, &old),
    }
}

/// Keys as `gpg-pubkey` packages of the rpm database.
fn write_records(
    session: &Session<'_>,
    db: &Db,
    new: &[&KeyInfo],
    old: &[KeyPlace],
    rpm: &str,
) -> Outcome<()> {
    let now = u32::try_from(session.settings.environment.now).unwrap_or(u32::MAX);
    let mut transaction = db.begin()?;
    for place in old {
        if let KeyPlace::Record(hnum) = place {
            transaction.remove(*hnum)?;
        }
    }
    for key in new {
        transaction.add(&header_of(key, now, rpm)?)?;
    }
    Ok(transaction.commit()?)
}

/// Keys as files of the store that rpm is set to, the new ones first.
fn write_files(store: &KeyStore, new: &[&KeyInfo], old: &[KeyPlace]) -> Outcome<()> {
    let _lock = store.write_lock()?.map(|path| lock(&path)).transpose()?;
    let mut kept = Vec::new();
    for key in new {
        let Some(file) = store.file_of(&key.fingerprint)? else {
            continue;
        };
        make_parent(&file)?;
        let text = key.armored();
        replace(
            &file,
            text.as_bytes(),
            Access::Mode(0o644),
            Durability::Synced,
        )
        .at(&file)?;
        kept.push(KeyPlace::File(file));
    }
    for place in old.iter().filter(|place| !kept.contains(place)) {
        if let KeyPlace::File(file) = place {
            std::fs::remove_file(file).at(file)?;
        }
    }
    Ok(())
}

/// The lock that rpm takes; it ends with the file. Neither a link is followed, nor a pipe waited for.
fn lock(path: &Path) -> Outcome<File> {
    make_parent(path)?;
    let file = open_plain(path, OFlags::WRONLY | OFlags::CREATE).at(path)?;
    file.lock().at(path)?;
    Ok(file)
}

fn make_parent(path: &Path) -> Outcome<()> {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent).at(parent)
}

/// The name among packages that a key gets from this rpm.
fn package_of(key: &KeyInfo, rpm: &str) -> String {
    let version = match key_form(rpm) {
        pubkey::KeyForm::KeyId => key.short_id(),
        pubkey::KeyForm::Fingerprint => &key.fingerprint,
    };
    format!("gpg-pubkey-{version}-{:08x}", key.created)
}

fn header_of(key: &KeyInfo, now: u32, rpm: &str) -> Outcome<Vec<u8>> {
    let seconds = |time| u32::try_from(time).unwrap_or(u32::MAX);
    let created = seconds(key.created);
    let signing = key.subkeys.iter().filter(|subkey| subkey.signs);
    let signing: Vec<(&str, u32)> = signing
        .map(|subkey| (subkey.key_id.as_str(), seconds(subkey.created)))
        .collect();
    let (base64, armored) = (key.base64(), key.armored());
    let facts = pubkey::KeyFacts {
        base64: &base64,
        armored: &armored,
        user_id: &key.user_id,
        fingerprint: &key.fingerprint,
        key_id: &key.key_id,
        subkeys: &signing,
        created,
    };
    Ok(pubkey::header(&facts, key_form(rpm), rpm, now)?)
}

/// The version of the rpm that is installed in the root: the one that will read the key, and whose
/// rules packages expect.
/// Without one, that of the rpm whose format is written here.
pub(super) fn rpm_version(db: &Db) -> Outcome<String> {
    let installed = db.by_name("rpm")?;
    let mut versions = installed
        .iter()
        .filter_map(|(_, header)| header.text(tag::VERSION));
    Ok(versions.next().unwrap_or(WRITTEN_AS).to_owned())
}

/// rpm 6 names keys by their fingerprint.
fn key_form(rpm: &str) -> pubkey::KeyForm {
    let major = rpm.split('.').next().and_then(|major| major.parse().ok());
    match major {
        Some(6_u32..) => pubkey::KeyForm::Fingerprint,
        _ => pubkey::KeyForm::KeyId,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{CWD, FileType, Mode};

    use super::lock;

    /// docs/threats.md, row 62.
    #[test]
    fn the_lock_is_a_plain_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pubkeys/writelock");
        drop(lock(&path).unwrap());
        drop(lock(&path).unwrap());
        fs::remove_file(&path).unwrap();
        let outside = dir.path().join("outside");
        std::os::unix::fs::symlink(&outside, &path).unwrap();
        assert!(lock(&path).is_err());
        assert!(!outside.exists());
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(lock(&path).is_err());
        // With somebody at its other end it can be opened.
        let _reader = fs::File::options().read(true).write(true).open(&path);
        assert!(lock(&path).is_err());
    }
}
