//! What is known about one signature after it was checked.

use std::fmt;

use crate::trust;
use crate::{Weakness, Weaknesses};

/// The key behind a mathematically valid signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// Fingerprint of the certificate (primary key), lower case hex.
    pub fingerprint: String,
    /// Key id of the key that signed (maybe a subkey), 16 lower case hex digits.
    pub key_id: String,
    /// First user id of the certificate, escaped for terminals; empty when there is none.
    pub user_id: String,
    /// When the signature says it was made, seconds since 1970.
    pub made: u64,
    /// For example `RSA/SHA256`.
    pub algorithm: String,
}

/// Why a mathematically valid signature is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Distrust {
    /// The key (or the whole certificate) had expired when the signature was made, or, for
    /// metadata, has expired now.
    KeyExpired {
        /// When it expired, seconds since 1970; None when the date cannot be told.
        at: Option<u64>,
    },
    /// The key or its certificate is revoked.
    KeyRevoked,
    /// The signature carries an expiry date that has passed.
    SignatureExpired,
    /// The signature comes from the future by more than [`crate::MAX_CLOCK_SKEW`].
    FromFuture {
        /// When it says it was made, seconds since 1970.
        made: u64,
    },
    /// A hash or key algorithm that no longer proves anything.
    Weak {
        /// Which: `SHA1`, `RSA1024`, ...
        algorithm: String,
        /// What a repository must admit for it to count; none where nothing helps.
        weakness: Option<Weakness>,
    },
    /// The crypto policy of the root forbids it.
    Forbidden {
        /// What: `SHA1`, ...
        algorithm: String,
    },
    /// An algorithm that this program cannot compute.
    Unsupported {
        /// Which.
        algorithm: String,
    },
}

impl Distrust {
    /// What a repository can admit of this; none where nothing helps.
    pub fn weakness(&self) -> Option<Weakness> {
        match self {
            Distrust::KeyExpired { .. } => Some(Weakness::Expired),
            Distrust::Weak { weakness, .. } => *weakness,
            _ => None,
        }
    }

    /// A stable word for JSON and history.
    pub fn code(&self) -> &'static str {
        match self {
            Distrust::KeyExpired { .. } => "key-expired",
            Distrust::KeyRevoked => "key-revoked",
            Distrust::SignatureExpired => "signature-expired",
            Distrust::FromFuture { .. } => "from-future",
            Distrust::Weak { .. } => "weak",
            Distrust::Forbidden { .. } => "forbidden",
            Distrust::Unsupported { .. } => "unsupported",
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Distrust::KeyExpired { at: Some(at) } => {
                write!(f, "key expired on {}", trust::date(*at))
            }
            Distrust::KeyExpired { at: None } => write!(f, "key expired"),
            Distrust::KeyRevoked => write!(f, "key revoked"),
            Distrust::SignatureExpired => {
                write!(f, "signature expired (or the clock here is wrong)")
            }
            Distrust::FromFuture { made } => write!(
                f,
                "signature made in the future, on {} (or the clock here is wrong)",
                trust::date(*made)
            ),
            Distrust::Weak { algorithm, .. } => write!(f, "weak algorithm {algorithm}"),
            Distrust::Forbidden { algorithm } => {
                write!(
                    f,
                    "{algorithm} is forbidden by the crypto policy of the root"
                )
            }
            Distrust::Unsupported { algorithm } => write!(f, "unsupported algorithm {algorithm}"),
        }
    }
}

/// The outcome for one signature. rpm's words: OK, NOKEY, NOTTRUSTED, BAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureState {
    /// Valid, by a key of the keyring that was fit to sign.
    Good(SignedBy),
    /// The keyring has no such key.
    NoKey {
        /// The issuer as the signature names it: 16 hex digits, or the fingerprint for v6.
        key_id: String,
    },
    /// Valid, but the key or the signature may not be relied on.
    NotTrusted {
        /// Who signed.
        key: SignedBy,
        /// Why it does not count.
        why: Distrust,
        /// Further reasons.
        also: Vec<Distrust>,
    },
    /// The key is known and the signature is not its signature over these bytes, or that key may
    /// not sign at all.
    Bad {
        /// The issuer, 16 hex digits.
        key_id: String,
        /// What is wrong.
        why: String,
    },
    /// Not one well-formed signature packet.
    Malformed {
        /// What is wrong.
        why: String,
    },
}

impl SignatureState {
    /// The signer and his weaknesses, where these are all that stands against the signature: a repository
    /// can admit it.
    pub fn admissible(&self) -> Option<(&SignedBy, Weaknesses)> {
        match self {
            SignatureState::NotTrusted { key, why, also } => {
                let reasons = std::iter::once(why).chain(also);
                let all: Option<Weaknesses> = reasons.map(Distrust::weakness).collect();
                Some((key, all?))
            }
            _ => None,
        }
    }

    /// True for [`SignatureState::Good`].
    pub fn is_good(&self) -> bool {
        matches!(self, SignatureState::Good(_))
    }

    /// True when the bytes contradict the signature: no setting may override this.
    pub fn is_broken(&self) -> bool {
        matches!(
            self,
            SignatureState::Bad { .. } | SignatureState::Malformed { .. }
        )
    }

    /// The issuer's key id, when there is one.
    pub fn key_id(&self) -> Option<&str> {
        match self {
            SignatureState::Good(key) | SignatureState::NotTrusted { key, .. } => Some(&key.key_id),
            SignatureState::NoKey { key_id } | SignatureState::Bad { key_id, .. } => Some(key_id),
            SignatureState::Malformed { .. } => None,
        }
    }

    /// A stable word for JSON and history.
    pub fn code(&self) -> &'static str {
        match self {
            SignatureState::Good(_) => "good",
            SignatureState::NoKey { .. } => "no-key",
            SignatureState::NotTrusted { why, .. } => why.code(),
            SignatureState::Bad { .. } => "bad",
            SignatureState::Malformed { .. } => "malformed",
        }
    }
}

impl fmt::Display for SignatureState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignatureState::Good(key) => write!(f, "good signature by key {}", key.key_id),
            SignatureState::NoKey { key_id } => write!(f, "signed by unknown key {key_id}"),
            SignatureState::NotTrusted { key, why, also } => {
                write!(f, "signature by key {} not trusted: {why}", key.key_id)?;
                also.iter().try_for_each(|more| write!(f, ", {more}"))
            }
            SignatureState::Bad { key_id, why } => {
                write!(f, "bad signature by key {key_id}: {why}")
            }
            SignatureState::Malformed { why } => write!(f, "malformed signature: {why}"),
        }
    }
}
