//! Whose packages and metadata are taken: keys from files, and a verdict on every package.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use rpm_pkg::package::Package;
use rpm_trust::policy::{Policy, Verdict, judge};
use rpm_trust::sign::{KeyAlgorithm, NewKey, SigningKey};
use rpm_trust::{Keyring, MAX_KEY_FILE};

use crate::error::{Error, Result};

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;

/// Reads the keys in these files into one ring.
pub(crate) fn keyring(files: &[PathBuf]) -> Result<Keyring> {
    let mut ring = Keyring::new();
    for path in files {
        ring.add_armored_or_binary(&key_bytes(path)?)
            .map_err(Error::trust(path.display()))?;
    }
    Ok(ring)
}

pub(crate) fn key_bytes(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::file(path, "read"))?;
    let mut data = Vec::new();
    file.take(MAX_KEY_FILE as u64 + 1)
        .read_to_end(&mut data)
        .map_err(Error::file(path, "read"))?;
    Ok(data)
}

pub(crate) fn signing_key(path: &Path) -> Result<SigningKey> {
    let data = key_bytes(path)?;
    SigningKey::from_armored(&data).map_err(Error::trust(path.display()))
}

/// Makes a key pair for a mirror: the private half at `path` (mode 0600), the public one beside it
/// with `.pub`. An existing key is never overwritten.
pub(crate) fn generate(path: &Path, user_id: &str, now: u64) -> Result<SigningKey> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let told = Error::trust(path.display());
    let key = SigningKey::generate(&NewKey {
        user_id,
        algorithm: KeyAlgorithm::Ed25519,
        created: now,
        lifetime: None,
        signing_subkey: false,
    })
    .map_err(&told)?;
    let private = key.private_armored().map_err(&told)?;
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::file(path, "create"))?;
    file.write_all(private.as_bytes())
        .map_err(Error::file(path, "write"))?;
    let mut public = path.as_os_str().to_owned();
    public.push(".pub");
    let text = key.public_armored().map_err(told)?;
    crate::layout::write_whole(Path::new(&public), text.as_bytes())?;
    Ok(key)
}

/// Judges one package file: headers, digests and signatures in one pass. Returns its full name.
///
/// # Errors
/// One line that says why it is refused.
pub(crate) fn judge_package(
    path: &Path,
    keyring: &Keyring,
    check: bool,
    now: u64,
) -> std::result::Result<String, String> {
    let file = File::open(path).map_err(|error| format!("cannot read: {error}"))?;
    let reader = BufReader::with_capacity(CHUNK, file);
    let mut package = Package::open(reader).map_err(|error| error.to_string())?;
    let evidence =
        repo_client::evidence(&mut package, keyring, now).map_err(|error| error.to_string())?;
    let policy = if check {
        Policy::GpgCheck
    } else {
        Policy::NoGpgCheck
    };
    match judge(&evidence, policy) {
        Verdict::Accepted(_) => Ok(package.nevra().to_string()),
        Verdict::Refused(refusal) => Err(refusal.to_string()),
    }
}
