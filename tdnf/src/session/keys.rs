//! Keys: those that the rpm database trusts, and those that repositories name in `gpgkey`.

use std::path::{Path, PathBuf};

use rpm_db::{Db, KeyStore, key_store, pubkey};
use rpm_repo::config::RepoConfig;
use rpm_trust::{CryptoPolicy, KeyInfo, Keyring, TrustError, read_keys};

use super::key_files::{self, KeyFile, Vouching};
use super::{Session, small_files};
use crate::error::{Code, Failure, Outcome};
use crate::settings::Consent;

/// A key that the rpm of the root trusts.
#[derive(Debug)]
pub struct StoredKey {
    /// Where it is.
    pub place: KeyPlace,
    /// Its name among packages, `gpg-pubkey-VERSION-RELEASE`.
    pub package: String,
    /// The key, or why it cannot be used.
    pub key: Result<KeyInfo, TrustError>,
}

/// Where a key is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyPlace {
    /// The record of this number in the rpm database.
    Record(u32),
    /// A file of its own.
    File(PathBuf),
}

/// The keys that the rpm of the root trusts: the records of its database in their order, or the files of the store
/// that it is set to.
pub fn stored_keys(store: &KeyStore, db: Option<&Db>, now: u64) -> Outcome<Vec<StoredKey>> {
    if !store.is_database() {
        return Ok(store
            .files()?
            .iter()
            .map(|file| in_file(file, now))
            .collect());
    }
    let records = db.map_or(Ok(Vec::new()), pubkey::all)?;
    let stored = records.into_iter().map(|(hnum, stored)| StoredKey {
        place: KeyPlace::Record(hnum),
        package: format!("gpg-pubkey-{}-{}", stored.version, stored.release),
        key: first_key(armor(&stored.base64).as_bytes(), now),
    });
    Ok(stored.collect())
}

/// The key of a file, which has the name that rpm 6 would give it among packages.
fn in_file(file: &key_store::KeyFile, now: u64) -> StoredKey {
    let key = first_key(&file.bytes, now);
    let package = match &key {
        Ok(key) => format!("gpg-pubkey-{}-{:08x}", key.fingerprint, key.created),
        Err(_) => file.path.display().to_string(),
    };
    StoredKey {
        place: KeyPlace::File(file.path.clone()),
        package,
        key,
    }
}

fn first_key(data: &[u8], now: u64) -> Result<KeyInfo, TrustError> {
    let read = read_keys(data, now)?;
    read.keys.into_iter().next().ok_or(TrustError::NoKey)
}

/// The keys that the rpm of the root trusts. Keys that cannot be read are left out with a word: they trust nothing.
pub fn database_keyring(session: &Session<'_>) -> Outcome<Keyring> {
    let mut keyring = Keyring::under(crypto_policy(session)?);
    for StoredKey { package, key, .. } in session.stored_keys()? {
        let added = key.and_then(|key| keyring.add_armored_or_binary(&key.binary));
        if let Err(error) = added {
            let line = format!("warning: {package} of the rpm database is unusable: {error}");
            session.warn_once(&line);
        }
    }
    Ok(keyring)
}

impl Session<'_> {
    /// The keys that the rpm of the root trusts; none where there is no root.
    pub fn stored_keys(&self) -> Outcome<Vec<StoredKey>> {
        if !self.settings.root.exists() {
            return Ok(Vec::new());
        }
        let store = KeyStore::of(&self.db_location()?);
        let db = self.db()?;
        stored_keys(&store, db.as_ref(), self.settings.environment.now)
    }
}

/// Where the root's crypto policy for rpm may stand, the first that is there: that of the administrator and of the
/// distribution for rpm alone, and that for all programs that use the same library (docs/signatures.md).
const CRYPTO_POLICIES: [&str; 3] = [
    "/etc/crypto-policies/back-ends/rpm-sequoia.config",
    "/usr/share/crypto-policies/back-ends/rpm-sequoia.config",
    "/etc/crypto-policies/back-ends/sequoia.config",
];
/// Largest crypto policy read; real ones have 2 kB.
const MAX_CRYPTO_POLICY: u64 = 1 << 20;

/// What the root's crypto policy forbids; none where it has no policy.
fn crypto_policy(session: &Session<'_>) -> Outcome<Option<CryptoPolicy>> {
    for path in CRYPTO_POLICIES {
        let path = session.settings.in_root(Path::new(path))?;
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
        let (id, place) = (
            &repo.id,
            repo.place_of("repo_gpgcheck").unwrap_or(&repo.source),
        );
        return Err(Failure::because(Code::NO_GPGKEY_CONF_ENTRY, line).hint(format!(
            "name the publisher's key with gpgkey= beside {place}; --nogpgcheck is about packages, and \
             --setopt={id}.repo_gpgcheck=0 takes metadata that nobody signed"
        )));
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

    /// Whether nothing but the user's word says whose it is.
    pub fn needs_comparing(&self, repo: &RepoConfig) -> bool {
        self.file.unproven && repo.gpgkey_fingerprint.is_empty()
    }

    /// Adds it to the keys that are trusted.
    pub fn add_to(&self, keyring: &mut Keyring) -> Outcome<()> {
        let added = keyring.add_armored_or_binary(&self.key.binary);
        added.map_err(|error| bad_key(&self.file, &error)).map(drop)
    }
}

/// All keys that a repository's `gpgkey` offers, of which each has a fingerprint of `gpgkey_fingerprint` where that is
/// set. One that cannot be had or read is told with its place and takes none of the others with it; where no key is
/// left, the first of these faults is the error.
pub fn offered_keys(session: &Session<'_>, repo: &RepoConfig) -> Outcome<Vec<OfferedKey>> {
    offered(session, repo, Vouching::Fingerprint)
}

/// The same for a caller that asks the user about each key before it counts: it may come from a server that proves
/// nothing, if there is somebody to be asked.
pub fn offered_keys_to_ask(session: &Session<'_>, repo: &RepoConfig) -> Outcome<Vec<OfferedKey>> {
    let settings = &session.settings;
    let nobody = settings.download_only || settings.test_only || settings.consent != Consent::Ask;
    let vouching = match nobody {
        true => Vouching::Fingerprint,
        false => Vouching::User,
    };
    offered(session, repo, vouching)
}

fn offered(
    session: &Session<'_>,
    repo: &RepoConfig,
    vouching: Vouching,
) -> Outcome<Vec<OfferedKey>> {
    let mut offered = Vec::new();
    let mut faults = Vec::new();
    for url in &repo.gpgkey {
        let read = key_files::read(session, repo, url, vouching)
            .and_then(|(file, data)| keys_in(session, file, &data, &mut faults));
        match read {
            Ok(keys) => {
                let (wanted, others): (Vec<_>, Vec<_>) = keys
                    .into_iter()
                    .partition(|offered| is_wanted(repo, offered));
                faults.extend(others.iter().map(unwanted));
                offered.extend(wanted);
            }
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

fn is_wanted(repo: &RepoConfig, offered: &OfferedKey) -> bool {
    let wanted = &repo.gpgkey_fingerprint;
    wanted.is_empty() || wanted.contains(&offered.key.fingerprint)
}

/// A key that is not the one that the repository names.
fn unwanted(offered: &OfferedKey) -> Failure {
    let fingerprint = offered.key.pretty_fingerprint();
    let line = format!(
        "{}: the key {fingerprint} is none that gpgkey_fingerprint names",
        offered.file
    );
    Failure::because(Code::INVALID_PUBKEY_FILE, line)
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
