//! Whose packages and metadata are taken: keys from files, and a verdict on every package.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use rpm_pkg::digest::DigestAlgo;
use rpm_pkg::header::tag;
use rpm_pkg::package::{Covers, DigestChoice, DigestOutcome, Package, PackageError};
use rpm_trust::policy::{
    self, DigestName, DigestState, Evidence, FileDigests, Policy, Verdict, judge,
};
use rpm_trust::sign::{KeyAlgorithm, NewKey, SigningKey};
use rpm_trust::{Keyring, MAX_KEY_FILE, SignatureCheck, SignatureState};

use crate::error::{Error, Result};

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;

/// Reads the keys in these files into one ring.
///
/// # Errors
/// A file cannot be read or holds no public key.
pub fn keyring(files: &[PathBuf]) -> Result<Keyring> {
    let mut ring = Keyring::new();
    for path in files {
        ring.add_armored_or_binary(&key_bytes(path)?)
            .map_err(|source| Error::Trust {
                what: path.display().to_string(),
                source,
            })?;
    }
    Ok(ring)
}

/// The bytes of a key file.
///
/// # Errors
/// It cannot be read or is too large for a key.
pub fn key_bytes(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::file(path, "read"))?;
    let mut data = Vec::new();
    file.take(MAX_KEY_FILE as u64 + 1)
        .read_to_end(&mut data)
        .map_err(Error::file(path, "read"))?;
    Ok(data)
}

/// Reads a private key.
///
/// # Errors
/// It cannot be read, or is none.
pub fn signing_key(path: &Path) -> Result<SigningKey> {
    let data = key_bytes(path)?;
    SigningKey::from_armored(&data).map_err(|source| Error::Trust {
        what: path.display().to_string(),
        source,
    })
}

/// Makes a key pair for a mirror: the private half at `path` (mode 0600), the public one beside it
/// with `.pub`. An existing key is never overwritten.
///
/// # Errors
/// There is one already; the files cannot be written.
pub fn generate(path: &Path, user_id: &str, now: u64) -> Result<SigningKey> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let told = |source| Error::Trust {
        what: path.display().to_string(),
        source,
    };
    let key = SigningKey::generate(&NewKey {
        user_id,
        algorithm: KeyAlgorithm::Ed25519,
        created: now,
        lifetime: None,
        signing_subkey: false,
    })
    .map_err(told)?;
    let private = key.private_armored().map_err(told)?;
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
    fs::write(&public, text).map_err(Error::file(PathBuf::from(public), "write"))?;
    Ok(key)
}

/// Judges one package file: headers, digests and signatures in one pass. Returns its full name.
///
/// # Errors
/// One line that says why it is refused.
pub fn judge_package(
    path: &Path,
    keyring: &Keyring,
    check: bool,
    now: u64,
) -> std::result::Result<String, String> {
    let file = File::open(path).map_err(|error| format!("cannot read: {error}"))?;
    let reader = BufReader::with_capacity(CHUNK, file);
    let mut package = Package::open(reader).map_err(|error| error.to_string())?;
    let evidence = evidence(&mut package, keyring, now).map_err(|error| error.to_string())?;
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

type Check = (
    Covers,
    std::result::Result<SignatureCheck, Box<SignatureState>>,
);

fn evidence<R: Read>(
    package: &mut Package<R>,
    keyring: &Keyring,
    now: u64,
) -> std::result::Result<Evidence, PackageError> {
    let mut evidence = Evidence {
        file_digests: file_digests(package),
        ..Evidence::default()
    };
    match package.verify_header_digests() {
        Ok(items) => {
            let best = items.first().and_then(|item| name_of(item.expected.algo()));
            evidence.header_digest = best.map_or(DigestState::Absent, DigestState::Good);
        }
        Err(PackageError::HeaderDigest { item }) => {
            let name = name_of(item.expected.algo()).unwrap_or(DigestName::Sha256);
            evidence.header_digest = DigestState::Bad(name);
        }
        Err(error) => evidence.malformed.push(error.to_string()),
    }
    let mut checks: Vec<Check> = Vec::new();
    match package.signatures() {
        Ok(items) => {
            let region = package.header.immutable_region();
            for item in items {
                let mut check = SignatureCheck::new(&item.packet);
                if let Ok(check) = &mut check {
                    region.chunks().iter().for_each(|chunk| check.update(chunk));
                }
                checks.push((item.covers, check));
            }
        }
        Err(error) => evidence.malformed.push(error.to_string()),
    }
    payload(package, &mut evidence, &mut checks)?;
    evidence.signatures = checks
        .into_iter()
        .map(|(covers, check)| {
            let state = check.map_or_else(|state| *state, |check| check.finish(keyring, now));
            let covers = match covers {
                Covers::Header => policy::Covers::Header,
                _ => policy::Covers::HeaderAndPayload,
            };
            (covers, state)
        })
        .collect();
    Ok(evidence)
}

fn payload<R: Read>(
    package: &mut Package<R>,
    evidence: &mut Evidence,
    checks: &mut [Check],
) -> std::result::Result<(), PackageError> {
    let mut digests = match package.payload_digests(DigestChoice::All) {
        Ok(digests) => digests,
        Err(error) => {
            evidence.malformed.push(error.to_string());
            return Ok(());
        }
    };
    let mut buffer = vec![0_u8; CHUNK];
    loop {
        let count = package
            .reader_mut()
            .read(&mut buffer)
            .map_err(PackageError::Io)?;
        let Some(data) = buffer.get(..count).filter(|data| !data.is_empty()) else {
            break;
        };
        digests.update_stored(data);
        for (covers, check) in checks.iter_mut() {
            if let (Covers::HeaderAndPayload, Ok(check)) = (covers, check) {
                check.update(data);
            }
        }
    }
    let outcomes = digests.finish();
    evidence.payload_digest = state_of(&outcomes, Covers::Payload);
    evidence.header_payload_digest = state_of(&outcomes, Covers::HeaderAndPayload);
    Ok(())
}

/// Bad if any digest of this part is bad, else good by the strongest.
fn state_of(outcomes: &[DigestOutcome], covers: Covers) -> DigestState {
    let part = || outcomes.iter().filter(|one| one.item.covers == covers);
    let name = |one: &DigestOutcome| name_of(one.item.expected.algo());
    if let Some(bad) = part().find(|one| !one.good) {
        return DigestState::Bad(name(bad).unwrap_or(DigestName::Sha256));
    }
    let best = part().filter_map(name).max();
    best.map_or(DigestState::Absent, DigestState::Good)
}

fn name_of(algo: DigestAlgo) -> Option<DigestName> {
    DigestName::from_rpm_id(algo.rpm_id())
}

fn file_digests<R: Read>(package: &Package<R>) -> FileDigests {
    let header = &package.header;
    if !header.has(tag::BASENAMES) && !header.has(tag::OLDFILENAMES) {
        return FileDigests::NoFiles;
    }
    let algorithm = header.u32(tag::FILEDIGESTALGO).unwrap_or(0);
    DigestName::from_rpm_id(algorithm).map_or(FileDigests::Unknown, FileDigests::Algorithm)
}
