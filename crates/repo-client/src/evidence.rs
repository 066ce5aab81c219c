//! What a package file says about itself, gathered in one pass for the judge of `rpm-trust`.

use std::io::Read;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_pkg::header::tag;
use rpm_pkg::package::{Covers, DigestChoice, DigestOutcome, Package, PackageError};
use rpm_trust::policy::{DigestState, Evidence, FileDigests};
use rpm_trust::{Keyring, SignatureCheck, SignatureState};

/// Bytes read at a time.
const CHUNK: usize = 128 * 1024;

type EvidenceCheck = (Covers, Result<SignatureCheck, Box<SignatureState>>);

/// Reads a package to its end: the digests of header and payload, and its signatures as `keyring`
/// sees them at `now` (seconds since 1970). What is damaged is part of the evidence; MD5 is computed only where
/// nothing stronger covers both parts.
///
/// # Errors
/// The package cannot be read.
pub fn evidence<R: Read>(
    package: &mut Package<R>,
    keyring: &Keyring,
    now: u64,
) -> Result<Evidence, PackageError> {
    let mut evidence = Evidence {
        file_digests: file_digests(package),
        ..Evidence::default()
    };
    match package.verify_header_digests() {
        Ok(items) => {
            let best = items.first().map(|item| item.expected.algo());
            evidence.header_digest = best.map_or(DigestState::Absent, DigestState::Good);
        }
        Err(PackageError::HeaderDigest { item }) => {
            evidence.header_digest = DigestState::Bad(item.expected.algo());
        }
        Err(error) => evidence.malformed.push(error.to_string()),
    }
    let mut checks: Vec<EvidenceCheck> = Vec::new();
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
    read_payload(package, &mut evidence, &mut checks)?;
    evidence.signatures = checks
        .into_iter()
        .map(|(covers, check)| {
            let state = check.map_or_else(|state| *state, |check| check.finish(keyring, now));
            (covers, state)
        })
        .collect();
    Ok(evidence)
}

fn read_payload<R: Read>(
    package: &mut Package<R>,
    evidence: &mut Evidence,
    checks: &mut [EvidenceCheck],
) -> Result<(), PackageError> {
    let mut digests = match package.payload_digests(DigestChoice::Needed) {
        Ok(digests) => digests,
        Err(error) => {
            evidence.malformed.push(error.to_string());
            return Ok(());
        }
    };
    let mut bare = digests.is_empty().then(|| Hasher::new(DigestAlgo::Sha256));
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
        if let Some(bare) = &mut bare {
            bare.update(data);
        }
        for (covers, check) in checks.iter_mut() {
            if let (Covers::HeaderAndPayload, Ok(check)) = (covers, check) {
                check.update(data);
            }
        }
    }
    evidence.bare_payload = bare.map(Hasher::finish);
    let outcomes = digests.finish();
    evidence.payload_digest = state_of(&outcomes, Covers::Payload);
    evidence.header_payload_digest = state_of(&outcomes, Covers::HeaderAndPayload);
    Ok(())
}

/// Bad if any digest of this part is bad, else good by the strongest.
fn state_of(outcomes: &[DigestOutcome], covers: Covers) -> DigestState {
    let part = || outcomes.iter().filter(|one| one.item.covers == covers);
    if let Some(bad) = part().find(|one| !one.good) {
        return DigestState::Bad(bad.item.expected.algo());
    }
    let best = part().map(|one| one.item.expected.algo()).max();
    best.map_or(DigestState::Absent, DigestState::Good)
}

fn file_digests<R: Read>(package: &Package<R>) -> FileDigests {
    let header = &package.header;
    if !header.has(tag::BASENAMES) && !header.has(tag::OLDFILENAMES) {
        return FileDigests::NoFiles;
    }
    let algorithm = header.u32(tag::FILEDIGESTALGO).unwrap_or(0);
    DigestAlgo::from_rpm_id(algorithm).map_or(FileDigests::Unknown, FileDigests::Algorithm)
}
