//! Keys that the user accepted, as packages of the rpm database.

use rpm_db::{Db, pubkey};
use rpm_pkg::header::tag;
use rpm_trust::KeyInfo;

use crate::error::Outcome;
use crate::session::Session;

/// The rpm whose form a database without rpm package gets.
const WRITTEN_AS: &str = "4.18.0";

/// Stores keys in the rpm database as `gpg-pubkey` packages; keys that are there already are
/// left alone. The phase is committed: they belong to what is installed already.
pub(super) fn import(session: &Session<'_>, keys: &[KeyInfo]) -> Outcome<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let location = session.db_location()?;
    rpm_db::create_directory(&location)?;
    let _lock = session.database_lock(&location)?;
    let db = Db::open_write(&location)?;
    let known = known_versions(&db)?;
    let rpm = rpm_version(&db)?;
    let now = u32::try_from(session.settings.environment.now).unwrap_or(u32::MAX);
    let mut transaction = db.begin()?;
    for key in keys {
        if !known.contains(&key.short_id().to_owned()) && !known.contains(&key.fingerprint) {
            transaction.add(&header_of(key, now, &rpm)?)?;
        }
    }
    Ok(transaction.commit()?)
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

fn known_versions(db: &Db) -> Outcome<Vec<String>> {
    let mut versions = Vec::new();
    for (_, header) in db.by_name("gpg-pubkey")? {
        versions.extend(header.text(tag::VERSION).map(str::to_owned));
    }
    Ok(versions)
}
