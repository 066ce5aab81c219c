//! Keys: those that the rpm database trusts, and those that repositories name in `gpgkey`.

use std::path::Path;

use rpm_db::{Db, pubkey};
use rpm_repo::config::RepoConfig;
use rpm_trust::{CryptoPolicy, KeyInfo, Keyring, TrustError, read_keys};

use super::key_files::{self, KeyFile};
use super::{Session, small_files};
use crate::error::{Code, Failure, Outcome};

/// A key as the rpm database has it.
#[derive(Debug)]
pub struct StoredKey {
    /// The number of its record.
    pub hnum: u32,
    /// Its name among packages, `gpg-pubkey-VERSION-RELEASE`.
    pub package: String,
    /// The key, or why it cannot be used.
    pub key: Result<KeyInfo, TrustError>,
}

/// The keys in an rpm database, in the order of their records.
pub fn stored_keys(db: &Db, now: u64) -> Outcome<Vec<StoredKey>> {
    let stored = pubkey::all(db)?.into_iter().map(|(hnum, stored)| {
        let read = read_keys(armor(&stored.base64).as_bytes(), now);
        StoredKey {
            hnum,
            package: format!("gpg-pubkey-{}-{}", stored.version, stored.release),
            key: read.and_then(|read| read.keys.into_iter().next().ok_or(TrustError::NoKey)),
        }
    });
    Ok(stored.collect())
}

/// The keys that the rpm database of the root trusts. Keys that cannot be read are left out with a word:
/// they trust nothing.
pub fn database_keyring(session: &Session<'_>) -> Outcome<Keyring> {
    let mut keyring = Keyring::under(crypto_policy(session)?);
    let Some(db) = session.db()? else {
        return Ok(keyring);
    };
    for StoredKey { package, key, .. } in stored_keys(&db, session.settings.environment.now)? {
        let added = key.and_then(|key| keyring.add_armored_or_binary(&key.binary));
        if let Err(error) = added {
            let line = format!("warning: {package} of the rpm database is unusable: {error}");
            session.warn_once(&line);
        }
    }
    Ok(keyring)
}

/// Where the root's crypto policy for rpm may stand, the first that is there: for rpm alone, and for all
/// programs that use the same library.
const CRYPTO_POLICIES: [&str; 2] = [
    "/etc/crypto-policies/back-ends/rpm-sequoia.config",
    "/etc/crypto-policies/back-ends/sequoia.config",
];
/// Largest crypto policy read; real ones have 2 kB.
const MAX_CRYPTO_POLICY: u64 = 1 << 20;

/// What the root's crypto policy forbids; none where it has no policy.
fn crypto_policy(session: &Session<'_>) -> Outcome<Option<CryptoPolicy>> {
    for path in CRYPTO_POLICIES {
        let path = session.settings.in_root(Path::new(path));
        if !path.is_file() {
            continue;
        }
        let text = small_files::read(&path, MAX_CRYPTO_POLICY, Code::RPMRC_NOTTRUSTED)?;
        let policy = CryptoPolicy::parse(&text).map_err(|error| {
            Failure::because(
                Code::RPMRC_NOTTRUSTED,
                format!("{}: {error}", path.display()),
            )
        })?;
        return Ok(Some(policy));
    }
    Ok(None)
}

/// Base64 of a certificate as the armor that key readers take.
fn armor(base64: &str) -> String {
    format!(
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{}\n-----END PGP PUBLIC KEY BLOCK-----\n",
        base64.trim()
    )
}

/// The keys of a repository's `gpgkey`, for its signed index. They need not be imported.
pub(super) fn repository_keyring(session: &Session<'_>, repo: &RepoConfig) -> Outcome<Keyring> {
    if repo.gpgkey.is_empty() {
        let line = format!("repository {}: repo_gpgcheck=1 needs gpgkey", repo.id);
        return Err(Failure::because(Code::NO_GPGKEY_CONF_ENTRY, line));
    }
    let mut keyring = Keyring::under(crypto_policy(session)?);
    for offered in offered_keys(session, repo)? {
        offered.add_to(&mut keyring)?;
    }
    Ok(keyring)
}

/// The id under which [`offered_keys`] reads files that no repository names.
pub const NO_REPOSITORY: &str = "@keys";

/// A key that a repository offers.
#[derive(Debug, Clone)]
pub struct OfferedKey {
    /// Where it was read.
    file: KeyFile,
    /// The key.
    pub key: KeyInfo,
}

impl OfferedKey {
    /// Where it was read, for people: the URL, and the file where an installroot leaves that open.
    pub fn source(&self) -> String {
        self.file.to_string()
    }

    /// Adds it to the keys that are trusted.
    pub fn add_to(&self, keyring: &mut Keyring) -> Outcome<()> {
        let added = keyring.add_armored_or_binary(&self.key.binary);
        added.map_err(|error| bad_key(&self.file, &error)).map(drop)
    }
}

/// All keys that a repository's `gpgkey` offers. One that cannot be had or read is told with its place
/// and takes none of the others with it; where no key is left, the first of these faults is the error.
pub fn offered_keys(session: &Session<'_>, repo: &RepoConfig) -> Outcome<Vec<OfferedKey>> {
    let mut offered = Vec::new();
    let mut faults = Vec::new();
    for url in &repo.gpgkey {
        let read = key_files::read(session, repo, url)
            .and_then(|(file, data)| keys_in(session, file, &data, &mut faults));
        match read {
            Ok(keys) => offered.extend(keys),
            Err(failure) => {
                session.go_on()?;
                faults.push(failure);
            }
        }
    }
    let mut faults = faults.into_iter().map(|fault| placed(fault, repo));
    if offered.is_empty() {
        return faults.next().map_or(Ok(offered), Err);
    }
    for fault in faults {
        let line = fault.details.join(": ");
        session.warn_once(&format!("warning: {line}; it is left out"));
    }
    Ok(offered)
}

/// The keys of one file; those that cannot be used become faults.
fn keys_in(
    session: &Session<'_>,
    file: KeyFile,
    data: &[u8],
    faults: &mut Vec<Failure>,
) -> Outcome<Vec<OfferedKey>> {
    let now = session.settings.environment.now;
    let read = read_keys(data, now).map_err(|error| bad_key(&file, &error))?;
    faults.extend(read.refused.iter().map(|error| bad_key(&file, error)));
    let keys = read.keys.into_iter();
    let offered = keys.map(|key| OfferedKey {
        file: file.clone(),
        key,
    });
    Ok(offered.collect())
}

fn bad_key(file: &KeyFile, error: &TrustError) -> Failure {
    Failure::because(Code::INVALID_PUBKEY_FILE, format!("{file}: {error}"))
}

/// Says where the key is named that could not be had.
fn placed(mut failure: Failure, repo: &RepoConfig) -> Failure {
    let place = repo.place_of("gpgkey").unwrap_or(&repo.source);
    let first = failure
        .details
        .first()
        .cloned()
        .unwrap_or_else(|| failure.code.text());
    // Files of the command line are no repository's.
    let line = match repo.id.as_str() {
        NO_REPOSITORY => format!("{place}: {first}"),
        id => format!("{place}: gpgkey of repository {id}: {first}"),
    };
    failure
        .details
        .splice(..1.min(failure.details.len()), [line]);
    failure
}
