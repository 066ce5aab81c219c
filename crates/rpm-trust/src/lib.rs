//! Who may sign what: keyring, policy, verdicts on packages and metadata.
//!
//! The only crate that knows OpenPGP. It reads no file, no clock and no environment: bytes and
//! the present time (seconds since 1970) come in, facts and verdicts go out.
//!
//! - [`Keyring`] holds the certificates that may sign; [`KeyInfo`] is what a prompt shows and what
//!   the `gpg-pubkey` database header is made of.
//! - [`verify_package_signature`] judges one signature packet of a package;
//!   [`SignatureCheck`] is the same for callers that stream the data past several readers.
//! - [`policy::judge`] turns all that is known about one package into a [`policy::Verdict`].
//! - [`verify_detached`] judges `repomd.xml.asc`.
//! - [`sign`] makes keys and signatures.
#![warn(missing_docs)]

mod armor;
mod detached;
mod error;
mod facts;
mod keyring;
mod outcome;
mod package;
pub mod policy;
pub mod sign;
mod trust;
mod weakness;

pub use detached::{DetachedOutcome, verify_detached};
pub use error::TrustError;
pub use facts::{KeyInfo, SubkeyInfo};
pub use keyring::{Keyring, KeysRead, read_keys};
pub use outcome::{Distrust, SignatureState, SignedBy};
pub use package::{SignatureCheck, verify_package_signature};
pub use weakness::{CryptoPolicy, Weakness, Weaknesses};

/// Largest key file read, in bytes: the biggest distribution key ring seen is below 100 KiB.
pub const MAX_KEY_FILE: usize = 2 * 1024 * 1024;
/// Most certificates taken from one key file.
pub const MAX_KEYS_PER_FILE: usize = 64;
/// Most certificates in one keyring.
pub const MAX_KEYS: usize = 4096;
/// Most keys (primary and subkeys) in one certificate.
pub const MAX_SUBKEYS: usize = 64;
/// Largest signature packet, in bytes. The largest scheme known (SLH-DSA) needs 30 KiB.
pub const MAX_SIGNATURE_PACKET: usize = 64 * 1024;
/// Most signatures in one detached signature file.
pub const MAX_DETACHED_SIGNATURES: usize = 16;
/// How far a signature may come from the future, in seconds: clocks differ (rpm allows the same).
pub const MAX_CLOCK_SKEW: u64 = 300;
