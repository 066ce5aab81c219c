//! When a key counts: structure, capability, time, revocation, strength.
//!
//! Two policies are used. [`structure`] asks only "does the certificate say so": it finds binding
//! signatures whatever their hash. [`strength`] asks "does the algorithm still prove it". Asking
//! them one after the other gives an exact reason.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use sequoia_openpgp::Packet;
use sequoia_openpgp::cert::amalgamation::key::{ErasedKeyAmalgamation, ValidErasedKeyAmalgamation};
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation, ValidateAmalgamation};
use sequoia_openpgp::crypto::mpi::PublicKey;
use sequoia_openpgp::packet::key::{KeyParts, KeyRole, PublicParts};
use sequoia_openpgp::packet::{Key, Signature, Tag};
use sequoia_openpgp::policy::{HashAlgoSecurity, Policy, StandardPolicy};
use sequoia_openpgp::types::{Curve, HashAlgorithm, PublicKeyAlgorithm, RevocationStatus};

use crate::facts::{seconds, user_id};
use crate::{Distrust, MAX_CLOCK_SKEW, SignatureState, SignedBy};

/// The date for which algorithm strength is judged: 2026-01-01. Fixed, so that a package does not
/// stop to install because a calendar turned: strength changes with a release of this program.
const STRENGTH_DATE: u64 = 1_767_225_600;

/// RSA and DSA keys below this many bits are weak.
const MIN_MODULUS_BITS: usize = 2048;

/// Accepts every algorithm: only what the certificate says about itself counts.
#[derive(Debug)]
struct Structure;

type Accepted = sequoia_openpgp::Result<()>;

impl Policy for Structure {
    fn signature(&self, _: &Signature, _: HashAlgoSecurity) -> Accepted {
        Ok(())
    }

    fn key(&self, _: &ValidErasedKeyAmalgamation<'_, PublicParts>) -> Accepted {
        Ok(())
    }

    fn packet(&self, _: &Packet) -> Accepted {
        Ok(())
    }
}

static STRENGTH: LazyLock<StandardPolicy<'static>> = LazyLock::new(|| {
    let mut policy = StandardPolicy::at(time(STRENGTH_DATE));
    // CentOS and EPEL 7 sign with version 3 packets (docs/reference/packages.md, 1.6).
    policy.accept_packet_tag_version(Tag::Signature, 3);
    // Most distribution keys before 2020 bind their user id with SHA-1. Forging a binding needs a
    // second preimage, which nobody can do; signatures over data need collision resistance and
    // SHA-1 stays refused there. rpm-sequoia decides the same.
    policy.accept_hash_property(
        HashAlgorithm::SHA1,
        HashAlgoSecurity::SecondPreImageResistance,
    );
    policy
});

/// The policy that accepts every algorithm.
pub(crate) fn structure() -> &'static dyn Policy {
    &Structure
}

/// The policy that refuses weak algorithms.
fn strength() -> &'static dyn Policy {
    &*STRENGTH
}

/// Seconds since 1970 as a point in time; dates beyond the type's range become its epoch.
pub(crate) fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .unwrap_or(UNIX_EPOCH)
}

/// A point in time (seconds since 1970) as a date, UTC: `2017-07-25`.
pub(crate) fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds)
        .ok()
        .and_then(|time| DateTime::from_timestamp(time, 0));
    time.map_or_else(String::new, |time| time.format("%Y-%m-%d").to_string())
}

/// Which moments a key must be valid at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// When the signature was made: packages live longer than keys (rpm's rule).
    Made,
    /// When it was made and now: metadata is expected to be fresh.
    MadeAndNow,
}

/// Judges a mathematically valid signature made by `key`.
pub(crate) fn judge(
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    signature: &Signature,
    moment: Moment,
    now: u64,
) -> SignatureState {
    let signer = signed_by(key, signature, now);
    let not_trusted = |why| SignatureState::NotTrusted {
        key: signer.clone(),
        why,
    };
    if let Some(why) = out_of_time(signature, signer.made, now) {
        return not_trusted(why);
    }
    // A certificate cut down to its newest self-signature says nothing about the past: then the
    // present has to answer, as in rpm.
    let made = time(signer.made);
    let valid = key
        .clone()
        .with_policy(structure(), made)
        .or_else(|_| key.clone().with_policy(structure(), time(now)));
    let Ok(valid) = valid else {
        return SignatureState::Bad {
            key_id: signer.key_id,
            why: "no valid binding signature for the signing key".into(),
        };
    };
    if !valid.for_signing() {
        return SignatureState::Bad {
            key_id: signer.key_id,
            why: "the key is not allowed to sign".into(),
        };
    }
    if let Some(why) = weakness(key, signature, made, now) {
        return not_trusted(why);
    }
    if let Some(why) = unfit(&valid) {
        return not_trusted(why);
    }
    if moment == Moment::MadeAndNow {
        match key.clone().with_policy(structure(), time(now)) {
            Ok(present) => {
                if let Some(why) = unfit(&present) {
                    return not_trusted(why);
                }
            }
            Err(_) => return not_trusted(Distrust::KeyExpired { at: None }),
        }
    }
    SignatureState::Good(signer)
}

/// The name card of the key behind `signature`.
pub(crate) fn signed_by(
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    signature: &Signature,
    now: u64,
) -> SignedBy {
    SignedBy {
        fingerprint: format!("{:x}", key.cert().fingerprint()),
        key_id: format!("{:x}", key.key().keyid()),
        user_id: user_id(key.cert(), now),
        made: signature.signature_creation_time().map_or(0, seconds),
        algorithm: format!(
            "{}/{}",
            key_algorithm(key.key()),
            hash_name(signature.hash_algo())
        ),
    }
}

/// The signature's own dates.
fn out_of_time(signature: &Signature, made: u64, now: u64) -> Option<Distrust> {
    if made > now.saturating_add(MAX_CLOCK_SKEW) {
        return Some(Distrust::FromFuture { made });
    }
    let lifetime = signature
        .signature_validity_period()
        .map_or(0, |period| period.as_secs());
    (lifetime > 0 && made.saturating_add(lifetime) <= now).then_some(Distrust::SignatureExpired)
}

/// Expiry and revocation of the key and its certificate at the moment that `valid` stands for.
fn unfit(valid: &ValidErasedKeyAmalgamation<'_, PublicParts>) -> Option<Distrust> {
    let revoked = |status| matches!(status, RevocationStatus::Revoked(_));
    if revoked(valid.valid_cert().revocation_status()) || revoked(valid.revocation_status()) {
        return Some(Distrust::KeyRevoked);
    }
    let cert = valid.valid_cert();
    if valid.alive().is_ok() && cert.alive().is_ok() {
        return None;
    }
    let own = valid.key_expiration_time();
    let whole = cert.primary_key().key_expiration_time();
    Some(Distrust::KeyExpired {
        at: own.into_iter().chain(whole).min().map(seconds),
    })
}

/// Weak or unknown hash of the data, weak key, weak binding.
fn weakness(
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    signature: &Signature,
    made: SystemTime,
    now: u64,
) -> Option<Distrust> {
    if strength()
        .signature(signature, HashAlgoSecurity::CollisionResistance)
        .is_err()
    {
        return Some(Distrust::Weak {
            algorithm: hash_name(signature.hash_algo()),
        });
    }
    for part in [
        key.key(),
        key.cert().primary_key().key().role_as_unspecified(),
    ] {
        if let Some(algorithm) = weak_key(part) {
            return Some(Distrust::Weak { algorithm });
        }
    }
    let bound = key
        .clone()
        .with_policy(strength(), made)
        .or_else(|_| key.clone().with_policy(strength(), time(now)));
    bound.is_err().then(|| Distrust::Weak {
        algorithm: "binding signature of the key".into(),
    })
}

/// The name of the algorithm when a key of this kind and size proves nothing any more.
pub(crate) fn weak_key<P: KeyParts, R: KeyRole>(key: &Key<P, R>) -> Option<String> {
    let bits = key.mpis().bits()?;
    let sized = matches!(key.mpis(), PublicKey::RSA { .. } | PublicKey::DSA { .. });
    (sized && bits < MIN_MODULUS_BITS).then(|| format!("{}{bits}", key_algorithm(key)))
}

/// Short name of a key's algorithm, with the curve where one is used.
pub(crate) fn key_algorithm<P: KeyParts, R: KeyRole>(key: &Key<P, R>) -> String {
    match key.mpis() {
        PublicKey::ECDSA { curve, .. } => format!("ECDSA-{}", curve_name(curve)),
        _ => algorithm_name(key.pk_algo()),
    }
}

fn curve_name(curve: &Curve) -> String {
    match curve {
        Curve::NistP256 => "P256".into(),
        Curve::NistP384 => "P384".into(),
        Curve::NistP521 => "P521".into(),
        other => other.to_string(),
    }
}

/// Short name of a public key algorithm, as `gpg` and `rpm` write it.
pub(crate) fn algorithm_name(algorithm: PublicKeyAlgorithm) -> String {
    let name = algorithm.to_string();
    let number = u8::from(algorithm);
    match number {
        1..=3 => "RSA".into(),
        17 => "DSA".into(),
        19 => "ECDSA".into(),
        22 => "EdDSA".into(),
        27 => "Ed25519".into(),
        28 => "Ed448".into(),
        _ => name,
    }
}

/// Short name of a hash algorithm.
pub(crate) fn hash_name(algorithm: HashAlgorithm) -> String {
    match algorithm {
        HashAlgorithm::Unknown(number) | HashAlgorithm::Private(number) => format!("hash {number}"),
        known => format!("{known:?}")
            .to_uppercase()
            .replace("RIPEMD", "RIPEMD160"),
    }
}
