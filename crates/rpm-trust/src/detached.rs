//! Detached signatures over metadata: `repomd.xml.asc`.

use std::io::{self, Read, Write};

use sequoia_openpgp::armor::Kind;

use crate::TrustError;
use crate::armor;
use crate::package::{SignatureCheck, parse_signatures};
use crate::trust::Moment;
use crate::{
    Distrust, Keyring, MAX_DETACHED_SIGNATURES, MAX_SIGNATURE_PACKET, SignatureState, SignedBy,
};

const SIGNATURE_LABEL: &str = "PGP SIGNATURE";

/// What every signature of the file came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachedOutcome {
    /// One state for each signature, in the order of the file; never empty.
    pub signatures: Vec<SignatureState>,
}

impl DetachedOutcome {
    /// The key that vouches for the data: some signature is good and none is bad.
    ///
    /// A signature by an unknown key beside a good one is fine (keys are rotated that way); a
    /// signature that contradicts the data never is.
    pub fn accepted(&self) -> Option<&SignedBy> {
        if self.signatures.iter().any(SignatureState::is_broken) {
            return None;
        }
        self.signatures.iter().find_map(|state| match state {
            SignatureState::Good(key) => Some(key),
            _ => None,
        })
    }

    /// The state that explains a refusal: broken before not trusted before unknown.
    pub fn refusal(&self) -> Option<&SignatureState> {
        if self.accepted().is_some() {
            return None;
        }
        let not_trusted = |state: &&_| matches!(state, SignatureState::NotTrusted { .. });
        let unknown = |state: &&_| matches!(state, SignatureState::NoKey { .. });
        let all = || self.signatures.iter();
        all()
            .find(|state| state.is_broken())
            .or_else(|| all().find(not_trusted))
            .or_else(|| all().find(unknown))
    }

    /// Whether the data is refused because the signature is from the future or has expired: the clock may be wrong.
    pub fn is_of_another_time(&self) -> bool {
        matches!(
            self.refusal(),
            Some(SignatureState::NotTrusted {
                why: Distrust::FromFuture { .. } | Distrust::SignatureExpired,
                ..
            })
        )
    }

    /// One line that says why the data is refused, naming the keys that signed and the keys that
    /// would be accepted. None when it is accepted.
    pub fn explain(&self, keyring: &Keyring) -> Option<String> {
        let state = self.refusal()?;
        let expired = |why: &Distrust| matches!(why, Distrust::KeyExpired { .. });
        match state {
            SignatureState::NoKey { .. } => {}
            // For packages it is the time of the signature that counts, for metadata it is now.
            SignatureState::NotTrusted { why, .. } if expired(why) => {
                return Some(format!("{state} (or the clock here is wrong)"));
            }
            _ => return Some(state.to_string()),
        }
        let signers: Vec<&str> = self
            .signatures
            .iter()
            .filter_map(SignatureState::key_id)
            .collect();
        let trusted = keyring.key_ids();
        let trusted = if trusted.is_empty() {
            "none".into()
        } else {
            trusted.join(", ")
        };
        Some(format!(
            "signed by key {}, trusted: {trusted}",
            signers.join(", ")
        ))
    }
}

/// Checks what `data` yields against a detached signature file, armored or binary. Keys must be fit when the
/// signature was made and at `now`: metadata is meant to be fresh.
///
/// # Errors
/// The data cannot be read, or the file is no detached signature: clear-signed text, a message, a key, text around
/// the armor, over a limit. Everything about a signature is a state in the outcome.
pub fn verify_detached(
    keyring: &Keyring,
    signature: &[u8],
    mut data: impl Read,
    now: u64,
) -> Result<DetachedOutcome, TrustError> {
    let packets = packets_of(signature)?;
    let signatures = parse_signatures(&packets, MAX_DETACHED_SIGNATURES)
        .map_err(|found| TrustError::NotDetached { found })?;
    if signatures.is_empty() {
        return Err(TrustError::NotDetached {
            found: "nothing".into(),
        });
    }
    let checks = signatures.into_iter().map(SignatureCheck::of).collect();
    let mut checks = Checks(checks);
    io::copy(&mut data, &mut checks).map_err(|error| TrustError::UnreadableData {
        why: error.to_string(),
    })?;
    let conclude = |check: Result<SignatureCheck, Box<SignatureState>>| match check {
        Ok(check) => check.conclude(keyring, Moment::MadeAndNow, now),
        Err(state) => *state,
    };
    Ok(DetachedOutcome {
        signatures: checks.0.into_iter().map(conclude).collect(),
    })
}

/// Signatures that cover the same data.
struct Checks(Vec<Result<SignatureCheck, Box<SignatureState>>>);

impl Write for Checks {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        for check in self.0.iter_mut().flatten() {
            check.update(data);
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The binary packets of a signature file.
fn packets_of(signature: &[u8]) -> Result<Vec<u8>, TrustError> {
    let limit = 2 * MAX_SIGNATURE_PACKET * MAX_DETACHED_SIGNATURES;
    if signature.len() > limit {
        return Err(TrustError::TooLarge {
            what: "signature file",
            size: signature.len(),
            limit,
        });
    }
    if armor::is_binary(signature) {
        return Ok(signature.to_vec());
    }
    let found = armor::split(signature, MAX_DETACHED_SIGNATURES)?;
    if let Some(other) = found
        .blocks
        .iter()
        .find(|block| block.label != SIGNATURE_LABEL)
    {
        return Err(TrustError::NotDetached {
            found: other.label.to_ascii_lowercase(),
        });
    }
    if found.blocks.is_empty() {
        return Err(TrustError::NotDetached {
            found: "no signature block".into(),
        });
    }
    if found.text_outside {
        return Err(TrustError::TextOutsideArmor);
    }
    let mut packets = Vec::new();
    for block in &found.blocks {
        packets.extend(armor::decode(block, Kind::Signature)?);
    }
    Ok(packets)
}
