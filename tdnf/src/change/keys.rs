//! Keys that the user accepted, as packages of the rpm database.

use rpm_db::{Db, pubkey};
use rpm_pkg::header::tag;
use rpm_trust::KeyInfo;

use super::{database, record};
use crate::error::Outcome;
use crate::history::Begun;
use crate::interrupt::Phase;
use crate::session::{Session, StoredKey, stored_keys};

/// The rpm whose form a database without rpm package gets.
const WRITTEN_AS: &str = "4.18.0";

/// Stores and removes keys by themselves, and writes that into the history.
pub fn change_keys(session: &Session<'_>, new: &[KeyInfo], gone: &[u32]) -> Outcome<()> {
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
        record::done(session, &history, &begun, &before)?;
        database::follow_rpm(session)
    })
}

/// Stores keys in the rpm database as `gpg-pubkey` packages. A record of the same key goes in the same
/// step; one that says the same stays. The phase is committed: they belong to what is installed already.
pub(super) fn import(session: &Session<'_>, keys: &[KeyInfo]) -> Outcome<()> {
    match keys.is_empty() {
        true => Ok(()),
        false => write(session, keys, &[]),
    }
}

fn write(session: &Session<'_>, keys: &[KeyInfo], gone: &[u32]) -> Outcome<()> {
    let (_, db, _lock) = database::open(session, &[])?;
    let now = session.settings.environment.now;
    let stored = stored_keys(&db, now)?;
    let rpm = rpm_version(&db)?;
    let now = u32::try_from(now).unwrap_or(u32::MAX);
    let mut transaction = db.begin()?;
    for hnum in gone {
        transaction.remove(*hnum)?;
    }
    for key in keys {
        let (new, package) = (key, package_of(key, &rpm));
        let same = |stored: &&StoredKey| match &stored.key {
            Ok(old) => old.fingerprint == new.fingerprint,
            // What cannot be read is known by its name alone.
            Err(_) => stored.package == package,
        };
        let (kept, old): (Vec<&StoredKey>, Vec<&StoredKey>) =
            stored.iter().filter(same).partition(|stored| {
                stored
                    .key
                    .as_ref()
                    .is_ok_and(|old| old.binary == new.binary)
            });
        if !kept.is_empty() {
            continue;
        }
        for stored in old {
            transaction.remove(stored.hnum)?;
        }
        transaction.add(&header_of(key, now, &rpm)?)?;
    }
    Ok(transaction.commit()?)
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
