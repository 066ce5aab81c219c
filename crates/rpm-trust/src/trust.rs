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
use sequoia_openpgp::policy::{AsymmetricAlgorithm, HashAlgoSecurity, Policy, StandardPolicy};
use sequoia_openpgp::types::{Curve, HashAlgorithm, PublicKeyAlgorithm, RevocationStatus};

use crate::facts::{describe, seconds, user_id};
use crate::{CryptoPolicy, Distrust, MAX_CLOCK_SKEW, SignatureState, SignedBy, Weakness};

/// The date for which algorithm strength is judged: 2026-01-01. Fixed, so that a package does not
/// stop to install because a calendar turned: strength changes with a release of this program.
const STRENGTH_DATE: u64 = 1_767_225_600;

/// RSA keys below this many bits are weak.
const MIN_RSA_BITS: usize = 2048;
/// RSA and DSA keys below this many bits are broken by anybody: nothing admits them.
const LEAST_BITS: usize = 1024;

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
    // second preimage, which nobody can do. rpm-sequoia decides the same.
    // Over data it is a weakness that `weakness` finds by itself, and so are short RSA keys.
    policy.accept_hash(HashAlgorithm::SHA1);
    policy.accept_asymmetric_algo(AsymmetricAlgorithm::RSA1024);
    // As rpm 4.18 (docs/signatures.md).
    policy.accept_hash(HashAlgorithm::MD5);
    policy.accept_asymmetric_algo(AsymmetricAlgorithm::DSA1024);
    policy
});

/// The policy that accepts every algorithm.
pub(crate) fn structure() -> &'static dyn Policy {
    &Structure
}

/// The policy that refuses weak algorithms.
pub(crate) fn strength() -> &'static StandardPolicy<'static> {
    &STRENGTH
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

/// A mathematically valid signature and the key that made it.
pub(crate) struct Made<'a> {
    pub(crate) key: &'a ErasedKeyAmalgamation<'a, PublicParts>,
    pub(crate) signature: &'a Signature,
    pub(crate) now: u64,
}

impl Made<'_> {
    /// Judges it by our own rules and by what else must hold.
    pub(crate) fn judge(&self, moment: Moment, policy: Option<&CryptoPolicy>) -> SignatureState {
        let signer = signed_by(self.key, self.signature, self.now);
        let bad = |why: &str| SignatureState::Bad {
            key_id: signer.key_id.clone(),
            why: why.into(),
        };
        let mut reasons = Vec::new();
        if let Some(why) = out_of_time(self.signature, signer.made, self.now) {
            reasons.push(why);
        } else {
            let Some(valid) = self.valid(structure()) else {
                return bad("no valid binding signature for the signing key");
            };
            if !valid.for_signing() {
                return bad("the key is not allowed to sign");
            }
            reasons.extend(policy.and_then(|policy| self.forbidden(&policy.0)));
            reasons.extend(self.weak());
            reasons.extend(unfit(&valid));
            if moment == Moment::MadeAndNow && reasons.is_empty() {
                let present = self.key.clone().with_policy(structure(), time(self.now));
                reasons.extend(match present {
                    Ok(present) => unfit(&present),
                    Err(_) => Some(Distrust::KeyExpired { at: None }),
                });
            }
        }
        let mut reasons = reasons.into_iter();
        match reasons.next() {
            None => SignatureState::Good(signer),
            Some(why) => SignatureState::NotTrusted {
                key: signer,
                why,
                also: reasons.collect(),
            },
        }
    }

    /// The key as it was when it signed. A certificate cut down to its newest self-signature says nothing
    /// about the past: then the present has to answer, as in rpm.
    fn valid<'p>(
        &'p self,
        policy: &'p dyn Policy,
    ) -> Option<ValidErasedKeyAmalgamation<'p, PublicParts>> {
        let made = self
            .signature
            .signature_creation_time()
            .unwrap_or(UNIX_EPOCH);
        let at = |moment| self.key.clone().with_policy(policy, moment);
        at(made).or_else(|_| at(time(self.now))).ok()
    }

    /// Weak or unknown hash of the data, weak keys, weak binding: all of them.
    fn weak(&self) -> Vec<Distrust> {
        let mut found = Vec::new();
        let hash = self.signature.hash_algo();
        let collision_resistant = HashAlgoSecurity::CollisionResistance;
        if hash == HashAlgorithm::SHA1 {
            found.push((hash_name(hash), Some(Weakness::Sha1)));
        } else if strength()
            .signature(self.signature, collision_resistant)
            .is_err()
        {
            found.push((hash_name(hash), None));
        }
        let primary = self.key.cert().primary_key();
        found.extend(weak_key(self.key.key()));
        found.extend(weak_key(primary.key()).filter(|weak| !found.contains(weak)));
        if found.iter().all(|(_, weakness)| weakness.is_some()) && self.valid(strength()).is_none()
        {
            found.push(("binding signature of the key".into(), None));
        }
        let reason = |(algorithm, weakness)| Distrust::Weak {
            algorithm,
            weakness,
        };
        found.into_iter().map(reason).collect()
    }

    /// What a crypto policy has against it.
    fn forbidden(&self, policy: &StandardPolicy<'_>) -> Option<Distrust> {
        let hash = policy.signature(self.signature, HashAlgoSecurity::CollisionResistance);
        let algorithm = match hash {
            Err(_) => hash_name(self.signature.hash_algo()),
            Ok(()) if self.valid(policy).is_none() => {
                format!("{} (or what binds it)", describe(self.key.key()))
            }
            Ok(()) => return None,
        };
        Some(Distrust::Forbidden { algorithm })
    }
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

/// The name of the algorithm when a key of this kind and size proves nothing any more, and what must be
/// admitted for it to count.
pub(crate) fn weak_key<P: KeyParts, R: KeyRole>(
    key: &Key<P, R>,
) -> Option<(String, Option<Weakness>)> {
    let bits = key.mpis().bits()?;
    let weakness = match key.mpis() {
        PublicKey::RSA { .. } if bits >= MIN_RSA_BITS => return None,
        PublicKey::RSA { .. } => (bits >= LEAST_BITS).then_some(Weakness::Rsa1024),
        PublicKey::DSA { .. } if bits < LEAST_BITS => None,
        _ => return None,
    };
    Some((format!("{}{bits}", key_algorithm(key)), weakness))
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
