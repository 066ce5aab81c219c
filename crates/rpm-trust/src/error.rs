//! Why a key or a signature file was refused.

use thiserror::Error;

/// One variant per situation. The caller adds the path or URL that the bytes came from.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The file is larger than a limit.
    #[error("{what} is too large: {size} bytes, at most {limit} are read")]
    TooLarge {
        /// What kind of file.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// More things in one place than a limit allows.
    #[error("too many {what}, at most {limit} are taken")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// What a signature covers cannot be read.
    #[error("cannot read what is signed: {why}")]
    UnreadableData {
        /// What the reader said.
        why: String,
    },
    /// The file holds no OpenPGP certificate.
    #[error("no OpenPGP key inside")]
    NoKey,
    /// ASCII armor that does not close or does not decode.
    #[error("broken ASCII armor: {why}")]
    BadArmor {
        /// What is wrong with it.
        why: String,
    },
    /// Bytes that are no certificate.
    #[error("malformed key: {why}")]
    MalformedKey {
        /// What is wrong with it.
        why: String,
    },
    /// A private key where a public key belongs.
    #[error("key {fingerprint} is a private key")]
    PrivateKey {
        /// Fingerprint of the certificate, lower case hex.
        fingerprint: String,
    },
    /// No self-signature binds the primary key: nobody vouches for expiry and capabilities.
    #[error("key {fingerprint} has no valid self-signature")]
    UnsignedKey {
        /// Fingerprint of the certificate, lower case hex.
        fingerprint: String,
    },
    /// A subkey without a valid binding signature (and back-signature when it may sign):
    /// CVE-2021-3521.
    #[error("key {fingerprint} has subkey {subkey} without a valid binding signature")]
    UnboundSubkey {
        /// Fingerprint of the certificate, lower case hex.
        fingerprint: String,
        /// Fingerprint of the subkey, lower case hex.
        subkey: String,
    },
    /// Something other than a detached signature: clear-signed text, a message, a key.
    #[error("not a detached signature: {found}")]
    NotDetached {
        /// What was found instead.
        found: String,
    },
    /// Text stands before, between or after the armored signature.
    #[error("text outside the signature")]
    TextOutsideArmor,
    /// A crypto policy that cannot be read: what it forbids is not known.
    #[error("the crypto policy cannot be read: {why}")]
    BadCryptoPolicy {
        /// What is wrong with it.
        why: String,
    },
    /// Creating a key or a signature failed.
    #[error("cannot sign: {why}")]
    CannotSign {
        /// The library's words.
        why: String,
    },
}
