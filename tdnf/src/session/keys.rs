//! Keys: those that the rpm database trusts, and those that repositories name in `gpgkey`.

use std::fs;
use std::path::{Path, PathBuf};

use repo_client::{Access, FileRequest, Silent, fetch};
use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_pkg::header::tag;
use rpm_repo::config::RepoConfig;
use rpm_trust::{KeyInfo, Keyring, read_keys};

use super::Session;
use crate::error::{At, Code, Failure, Outcome};

/// Largest key file.
const MAX_KEY_FILE: u64 = 1 << 20;

/// The keys that the rpm database of the root trusts. Keys that cannot be read are skipped:
/// they trust nothing.
pub fn database_keyring(session: &Session<'_>) -> Outcome<Keyring> {
    let mut keyring = Keyring::new();
    let Some(db) = session.db()? else {
        return Ok(keyring);
    };
    for (_, header) in db.by_name("gpg-pubkey")? {
        if let Some(text) = header.text(tag::PUBKEYS) {
            let armored = armor(text);
            if let Err(error) = keyring.add_armored_or_binary(armored.as_bytes()) {
                session.printer.err(&format!(
                    "warning: a key of the rpm database is unusable: {error}"
                ));
            }
        }
    }
    Ok(keyring)
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
    let mut keyring = Keyring::new();
    for url in &repo.gpgkey {
        let data = read_key_url(session, repo, url)?;
        keyring
            .add_armored_or_binary(&data)
            .map_err(|error| bad_key_file(url, &error))?;
    }
    if repo.gpgkey.is_empty() {
        let line = format!("repository {}: repo_gpgcheck=1 needs gpgkey", repo.id);
        return Err(Failure::because(Code::NO_GPGKEY_CONF_ENTRY, line));
    }
    Ok(keyring)
}

/// A key that a repository offers.
#[derive(Debug, Clone)]
pub struct OfferedKey {
    /// Where it was read.
    pub url: String,
    /// The key.
    pub key: KeyInfo,
}

/// All keys that a repository's `gpgkey` offers.
pub fn offered_keys(session: &Session<'_>, repo: &RepoConfig) -> Outcome<Vec<OfferedKey>> {
    let now = session.settings.environment.now;
    let mut offered = Vec::new();
    for url in &repo.gpgkey {
        let data = read_key_url(session, repo, url)?;
        let keys = read_keys(&data, now).map_err(|error| bad_key_file(url, &error))?;
        offered.extend(keys.into_iter().map(|key| OfferedKey {
            url: url.clone(),
            key,
        }));
    }
    Ok(offered)
}

fn bad_key_file(url: &str, error: &rpm_trust::TrustError) -> Failure {
    let url = repo_client::redact(url);
    Failure::because(Code::INVALID_PUBKEY_FILE, format!("{url}: {error}"))
}

/// Reads a key from a file or over https. Plain http and ftp are refused: anyone on the
/// line could put in a key of his own.
fn read_key_url(session: &Session<'_>, repo: &RepoConfig, url: &str) -> Outcome<Vec<u8>> {
    let shown = repo_client::redact(url);
    if url.contains('#') {
        let line = format!("{shown}: '#' in a key URL");
        return Err(Failure::because(Code::KEYURL_INVALID, line));
    }
    let path = url.strip_prefix("file://").unwrap_or(url);
    if path != url || url.starts_with('/') {
        return read_key_file(Path::new(path));
    }
    if !url.starts_with("https://") {
        let line = format!("{shown}: keys are only taken from file:// and https:// URLs");
        return Err(Failure::because(Code::KEYURL_UNSUPPORTED, line).hint(
            "fetch the key over a safe channel, compare its fingerprint, and name the file in gpgkey",
        ));
    }
    let keys = session.repo_cache(repo).join("keys");
    let dest = keys.join(key_file_name(url));
    if session.settings.cache_only {
        return read_key_file(&dest);
    }
    let mut request = FileRequest::new(format!("{} (key)", repo.id), vec![url.to_owned()], &dest);
    request.access = std::sync::Arc::new(Access::from_config(repo));
    request.max_size = MAX_KEY_FILE;
    for result in session.transfer(|| fetch(session.client(), vec![request], 1, &Silent))? {
        result?;
    }
    read_key_file(&dest)
}

/// A file name for the key of a URL: nothing of the URL's path is used as a path.
fn key_file_name(url: &str) -> PathBuf {
    let digest = Hasher::digest(DigestAlgo::Sha256, url.as_bytes());
    let half: String = digest.hex().chars().take(32).collect();
    PathBuf::from(format!("{half}.key"))
}

fn read_key_file(path: &Path) -> Outcome<Vec<u8>> {
    if fs::metadata(path).at(path)?.len() > MAX_KEY_FILE {
        let line = format!("{}: larger than a key file may be", path.display());
        return Err(Failure::because(Code::INVALID_PUBKEY_FILE, line));
    }
    fs::read(path).at(path)
}
