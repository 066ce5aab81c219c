//! Whose packages and metadata are taken: keys from files, and a verdict on every package.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_pkg::package::Package;
use rpm_trust::policy::{Policy, Verdict, judge_admitting};
use rpm_trust::sign::{KeyAlgorithm, NewKey, SigningKey};
use rpm_trust::{Keyring, MAX_KEY_FILE, Weakness, Weaknesses};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::layout;

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

/// The keys of a repository.
///
/// # Errors
/// Names the repository and the key of the configuration.
pub(crate) fn repo_keyring(config: &Config, id: &str) -> Result<Keyring> {
    keyring(&config.key_files(id)).map_err(|error| Error::Config {
        place: format!("repo.{id}"),
        what: format!("gpgkey: {error}"),
    })
}

/// The bytes of a file with public keys.
///
/// # Errors
/// It cannot be read, or is no regular file.
pub(crate) fn key_bytes(path: &Path) -> Result<Vec<u8>> {
    let file = layout::open_named(path).map_err(Error::file(path, "read"))?;
    read_key(file, path)
}

fn read_key(file: File, path: &Path) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    file.take(MAX_KEY_FILE as u64 + 1)
        .read_to_end(&mut data)
        .map_err(Error::file(path, "read"))?;
    Ok(data)
}

pub(crate) fn signing_key(path: &Path) -> Result<SigningKey> {
    // It may come through a pipe.
    let file = File::open(path).map_err(Error::file(path, "read"))?;
    let data = read_key(file, path)?;
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

/// Which packages of a repository are taken.
#[derive(Debug, Default)]
pub(crate) struct PackageTrust {
    /// Whose signatures count.
    pub(crate) keys: Keyring,
    /// Whether a package must be signed.
    pub(crate) check: bool,
    /// What may be weak about a signature (docs/signatures.md).
    pub(crate) admits: Weaknesses,
    /// All of this as a digest: what was judged by the same rules need not be judged again.
    pub(crate) rules: String,
    /// Whether a package was taken for that.
    weak_taken: AtomicBool,
}

impl PackageTrust {
    /// As the configuration says of a repository.
    pub(crate) fn of(config: &Config, id: &str) -> Result<Self> {
        let section = config.repo.get(id).cloned().unwrap_or_default();
        let words = section.weak_signatures.0.iter();
        let (keys, check) = (repo_keyring(config, id)?, config.checks_packages(&section));
        let admits: Weaknesses = words.filter_map(|word| word.parse().ok()).collect();
        let mut rules = Hasher::new(DigestAlgo::Sha256);
        rules.update(format!("check={check} weak={admits}").as_bytes());
        // The whole of each key: one that was revoked since is another.
        for key in keys.keys(0) {
            rules.update(&key.binary);
        }
        Ok(Self {
            keys,
            check,
            admits,
            rules: rules.finish().hex(),
            weak_taken: AtomicBool::new(false),
        })
    }

    /// The line that says that weak signatures were admitted: none where none was, or it was asked before.
    pub(crate) fn weak_line(&self, id: &str) -> Option<String> {
        let taken = self.weak_taken.swap(false, Ordering::Relaxed);
        taken.then(|| {
            let admits = &self.admits;
            format!(
                "{id}: packages with weak signatures are taken: weak_signatures admits {admits}"
            )
        })
    }
}

/// Judges one package file: headers, digests and signatures in one pass. Returns its full name.
///
/// # Errors
/// One line that says why it is refused, and what would admit it.
pub(crate) fn judge_package(
    path: &Path,
    trust: &PackageTrust,
    now: u64,
) -> std::result::Result<String, String> {
    let file = layout::open(path).map_err(|error| format!("cannot read: {error}"))?;
    let reader = BufReader::with_capacity(CHUNK, file);
    let mut package = Package::open(reader).map_err(|error| error.to_string())?;
    let evidence =
        repo_client::evidence(&mut package, &trust.keys, now).map_err(|error| error.to_string())?;
    let policy = if trust.check {
        Policy::GpgCheck
    } else {
        Policy::NoGpgCheck
    };
    match judge_admitting(&evidence, policy, &trust.admits) {
        verdict @ Verdict::Accepted(_) => {
            if verdict.admitted().is_some() {
                trust.weak_taken.store(true, Ordering::Relaxed);
            }
            Ok(package.nevra().to_string())
        }
        Verdict::Refused(refusal) => Err(match refusal.admissible() {
            Some(mut all) => {
                all.extend(trust.admits.clone());
                let all: Vec<&str> = all.into_iter().map(Weakness::word).collect();
                format!("{refusal}; weak_signatures = {all:?} of the repository admits it")
            }
            None => refusal.to_string(),
        }),
    }
}
