//! What people and the database are told about a key.

use base64::Engine;
use sequoia_openpgp::Cert;
use sequoia_openpgp::armor::{Kind, Writer};
use sequoia_openpgp::cert::amalgamation::ValidateAmalgamation;
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::{KeyParts, KeyRole};
use sequoia_openpgp::types::RevocationStatus;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::trust;

/// Longest user id shown or stored, in characters.
const MAX_USER_ID: usize = 256;

/// One subkey of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubkeyInfo {
    /// Fingerprint, lower case hex.
    pub fingerprint: String,
    /// Key id, 16 lower case hex digits.
    pub key_id: String,
    /// Creation time, seconds since 1970.
    pub created: u64,
    /// True when the subkey may sign data.
    pub signs: bool,
}

/// The facts of one certificate: enough for an import prompt and for the `gpg-pubkey` header
/// (docs/reference/rpmdb.md, 2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Fingerprint of the primary key, lower case hex (40 digits, 64 for version 6).
    pub fingerprint: String,
    /// Key id of the primary key, 16 lower case hex digits.
    pub key_id: String,
    /// Primary user id, control characters replaced; empty when the certificate has none.
    pub user_id: String,
    /// Creation time of the primary key, seconds since 1970.
    pub created: u64,
    /// When the primary key expires, seconds since 1970; None: never.
    pub expires: Option<u64>,
    /// When its owner last signed anything about it (expiry, subkeys, revocations), seconds since 1970.
    pub renewed: u64,
    /// True when the certificate is revoked.
    pub revoked: bool,
    /// Algorithm and size, for example `RSA 4096`.
    pub algorithm: String,
    /// Why signatures by the primary key would not be trusted (`RSA1024`), None when it is strong.
    pub weak: Option<String>,
    /// The subkeys in the order of the certificate.
    pub subkeys: Vec<SubkeyInfo>,
    /// The certificate as binary packets: the content of `PUBKEYS` before base64.
    pub binary: Vec<u8>,
}

impl KeyInfo {
    /// Facts of `cert` as they stand at `now`.
    ///
    /// `binary` are the certificate's packets as they were read: rpm stores and compares those.
    pub(crate) fn of(cert: &Cert, binary: Vec<u8>, now: u64) -> KeyInfo {
        let primary = cert.primary_key();
        let valid = primary
            .with_policy(trust::structure(), trust::time(now))
            .ok();
        KeyInfo {
            fingerprint: format!("{:x}", primary.key().fingerprint()),
            key_id: format!("{:x}", primary.key().keyid()),
            user_id: user_id(cert, now),
            created: seconds(primary.key().creation_time()),
            expires: valid
                .as_ref()
                .and_then(|key| key.key_expiration_time())
                .map(seconds),
            renewed: renewed(cert),
            revoked: matches!(
                cert.revocation_status(trust::structure(), trust::time(now)),
                RevocationStatus::Revoked(_)
            ),
            algorithm: describe(primary.key()),
            weak: trust::weak_key(primary.key()).map(|(algorithm, _)| algorithm),
            subkeys: subkeys(cert, now),
            binary,
        }
    }

    /// Whether its owner has signed something about the key since what this copy says: `other` says more.
    pub fn is_older_than(&self, other: &KeyInfo) -> bool {
        self.renewed < other.renewed
            || self.renewed == other.renewed && self.expires != other.expires
            || other.revoked && !self.revoked
            || other.subkeys.len() > self.subkeys.len()
    }

    /// What the key is good for at `now`, in words: `revoked`, `expired on 2017-07-25`, `RSA1024 is weak`, `valid`,
    /// `valid until 2030-01-01`.
    pub fn state(&self, now: u64) -> String {
        match (self.expires, &self.weak) {
            _ if self.revoked => "revoked".into(),
            (Some(end), _) if end <= now => format!("expired on {}", trust::date(end)),
            (_, Some(weak)) => format!("{weak} is weak"),
            (Some(end), None) => format!("valid until {}", trust::date(end)),
            (None, None) => "valid".into(),
        }
    }

    /// ASCII armor of the certificate, as rpm keeps it in the description of `gpg-pubkey`.
    pub fn armored(&self) -> String {
        let encode = || -> std::io::Result<Vec<u8>> {
            let mut writer =
                Writer::new(Vec::new(), Kind::PublicKey).map_err(std::io::Error::other)?;
            writer.write_all(&self.binary)?;
            writer.finalize()
        };
        // Writing into memory cannot fail; if it ever did, an empty text is no key.
        encode()
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    /// Base64 of the certificate, lines of 64 columns each ended by a newline: the string of tag
    /// `PUBKEYS`.
    pub fn base64(&self) -> String {
        let whole = base64::engine::general_purpose::STANDARD.encode(&self.binary);
        let mut wrapped = String::with_capacity(whole.len() + whole.len() / 64 + 1);
        for (index, character) in whole.chars().enumerate() {
            if index > 0 && index % 64 == 0 {
                wrapped.push('\n');
            }
            wrapped.push(character);
        }
        wrapped.push('\n');
        wrapped
    }

    /// Version of the `gpg-pubkey` package as rpm up to 5 writes it: the last 8 digits of the key
    /// id.
    pub fn short_id(&self) -> &str {
        self.key_id.get(8..).unwrap_or(&self.key_id)
    }

    /// The fingerprint in groups of four upper case digits, as people compare it.
    pub fn pretty_fingerprint(&self) -> String {
        let digits: Vec<char> = self.fingerprint.to_uppercase().chars().collect();
        digits
            .chunks(4)
            .map(|group| group.iter().collect::<String>())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

fn renewed(cert: &Cert) -> u64 {
    let primary = cert.primary_key();
    let of_primary = primary.self_signatures().chain(primary.self_revocations());
    let of_names = cert
        .userids()
        .flat_map(|id| id.self_signatures().chain(id.self_revocations()));
    let of_subkeys = cert
        .keys()
        .subkeys()
        .flat_map(|subkey| subkey.self_signatures().chain(subkey.self_revocations()));
    let all = of_primary.chain(of_names).chain(of_subkeys);
    let times = all.filter_map(|signature| signature.signature_creation_time());
    times.map(seconds).max().unwrap_or_default()
}

fn subkeys(cert: &Cert, now: u64) -> Vec<SubkeyInfo> {
    cert.keys()
        .subkeys()
        .map(|subkey| SubkeyInfo {
            fingerprint: format!("{:x}", subkey.key().fingerprint()),
            key_id: format!("{:x}", subkey.key().keyid()),
            created: seconds(subkey.key().creation_time()),
            signs: subkey
                .with_policy(trust::structure(), trust::time(now))
                .is_ok_and(|valid| valid.for_signing()),
        })
        .collect()
}

/// The user id that stands for the certificate: the primary one, else the first.
pub(crate) fn user_id(cert: &Cert, now: u64) -> String {
    let valid = cert.with_policy(trust::structure(), trust::time(now)).ok();
    let bytes = valid
        .as_ref()
        .and_then(|valid| valid.primary_userid().ok())
        .map(|id| id.component().value().to_vec())
        .or_else(|| {
            cert.userids()
                .next()
                .map(|id| id.component().value().to_vec())
        })
        .unwrap_or_default();
    // What the certificate's owner wrote goes to terminals: no control characters.
    String::from_utf8_lossy(&bytes)
        .chars()
        .take(MAX_USER_ID)
        .map(|character| {
            if character.is_control() {
                '?'
            } else {
                character
            }
        })
        .collect()
}

/// Algorithm and size in bits of a key.
pub(crate) fn describe<P: KeyParts, R: KeyRole>(key: &Key<P, R>) -> String {
    let name = trust::key_algorithm(key);
    match key.mpis().bits() {
        Some(bits) => format!("{name} {bits}"),
        None => name,
    }
}

pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}
