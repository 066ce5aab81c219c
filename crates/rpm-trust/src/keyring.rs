//! The certificates that may sign.

use std::collections::HashMap;

use sequoia_openpgp::armor::Kind;
use sequoia_openpgp::cert::amalgamation::key::ErasedKeyAmalgamation;
use sequoia_openpgp::cert::raw::{RawCert, RawCertParser};
use sequoia_openpgp::packet::Tag;
use sequoia_openpgp::packet::key::PublicParts;
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::serialize::MarshalInto;
use sequoia_openpgp::{Cert, KeyHandle, KeyID};

use crate::armor;
use crate::{
    CryptoPolicy, KeyInfo, MAX_KEY_FILE, MAX_KEYS, MAX_KEYS_PER_FILE, MAX_SUBKEYS, TrustError,
};

const PUBLIC_LABEL: &str = "PGP PUBLIC KEY BLOCK";
const PRIVATE_LABEL: &str = "PGP PRIVATE KEY BLOCK";

/// A set of certificates. Several may share a key id: each candidate is tried.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    certs: Vec<KeyringEntry>,
    /// Key id of every primary and subkey -> indices into `certs`.
    by_key_id: HashMap<[u8; 8], Vec<usize>>,
    /// What must hold beyond our own rules.
    crypto_policy: Option<CryptoPolicy>,
}

#[derive(Debug, Clone)]
struct KeyringEntry {
    cert: Cert,
    binary: Vec<u8>,
}

impl Keyring {
    /// An empty keyring.
    pub fn new() -> Keyring {
        Keyring::default()
    }

    /// An empty keyring whose signatures must also pass this policy.
    pub fn under(crypto_policy: Option<CryptoPolicy>) -> Keyring {
        Keyring {
            crypto_policy,
            ..Keyring::default()
        }
    }

    /// The policy that it is under.
    pub fn crypto_policy(&self) -> Option<&CryptoPolicy> {
        self.crypto_policy.as_ref()
    }

    /// Reads a key file, armored or binary, with one or several certificates, adds all of them
    /// and returns their fingerprints (lower case hex) in the order of the file. Adding a
    /// certificate again merges what is new (signatures, expiry, revocations).
    ///
    /// Nothing is added when any certificate of the file is refused.
    ///
    /// # Errors
    /// See [`read_keys`].
    pub fn add_armored_or_binary(&mut self, data: &[u8]) -> Result<Vec<String>, TrustError> {
        let read = read_entries(data)?.into_iter();
        let entries: Vec<KeyringEntry> = read.collect::<Result<_, TrustError>>()?;
        if self.certs.len().saturating_add(entries.len()) > MAX_KEYS {
            return Err(TrustError::TooMany {
                what: "keys in the keyring",
                limit: MAX_KEYS,
            });
        }
        let mut added = Vec::with_capacity(entries.len());
        for entry in entries {
            let fingerprint = format!("{:x}", entry.cert.fingerprint());
            self.insert(entry);
            if !added.contains(&fingerprint) {
                added.push(fingerprint);
            }
        }
        Ok(added)
    }

    /// Facts of every certificate as they stand at `now`.
    pub fn keys(&self, now: u64) -> Vec<KeyInfo> {
        self.certs
            .iter()
            .map(|entry| KeyInfo::of(&entry.cert, entry.binary.clone(), now))
            .collect()
    }

    /// The certificate with this fingerprint (any case), if the keyring has it.
    pub fn key(&self, fingerprint: &str, now: u64) -> Option<KeyInfo> {
        self.certs
            .iter()
            .find(|entry| {
                format!("{:x}", entry.cert.fingerprint()).eq_ignore_ascii_case(fingerprint)
            })
            .map(|entry| KeyInfo::of(&entry.cert, entry.binary.clone(), now))
    }

    /// Key ids of the primary keys, 16 lower case hex digits each.
    pub(crate) fn key_ids(&self) -> Vec<String> {
        self.certs
            .iter()
            .map(|entry| format!("{:x}", entry.cert.keyid()))
            .collect()
    }

    /// Number of certificates.
    pub fn len(&self) -> usize {
        self.certs.len()
    }

    /// True when there is no certificate.
    pub fn is_empty(&self) -> bool {
        self.certs.is_empty()
    }

    /// Every key, primary or sub, that `issuer` may mean.
    pub(crate) fn candidates(
        &self,
        issuer: &KeyHandle,
    ) -> Vec<ErasedKeyAmalgamation<'_, PublicParts>> {
        let Some(indices) = id_bytes(&KeyID::from(issuer)).and_then(|id| self.by_key_id.get(&id))
        else {
            return Vec::new();
        };
        indices
            .iter()
            .filter_map(|&index| self.certs.get(index))
            .flat_map(|entry| entry.cert.keys())
            .filter(|key| key.key().key_handle().aliases(issuer))
            .collect()
    }

    fn insert(&mut self, entry: KeyringEntry) {
        let known = self
            .certs
            .iter()
            .position(|other| other.cert.fingerprint() == entry.cert.fingerprint());
        let index = match known {
            Some(index) => {
                if let Some(known) = self.certs.get_mut(index)
                    && known.binary != entry.binary
                    && let Ok(cert) = known.cert.clone().merge_public(entry.cert)
                    // A copy that says nothing new leaves the bytes as they are.
                    && cert != known.cert
                    && let Ok(binary) = cert.to_vec()
                {
                    *known = KeyringEntry { cert, binary };
                }
                index
            }
            None => {
                self.certs.push(entry);
                self.certs.len() - 1
            }
        };
        let Some(entry) = self.certs.get(index) else {
            return;
        };
        for key in entry.cert.keys() {
            if let Some(id) = id_bytes(&key.key().keyid()) {
                let indices = self.by_key_id.entry(id).or_default();
                if !indices.contains(&index) {
                    indices.push(index);
                }
            }
        }
    }
}

fn id_bytes(id: &KeyID) -> Option<[u8; 8]> {
    id.as_bytes().try_into().ok()
}

/// What a key file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysRead {
    /// The keys that can be used, in the order of the file; at least one.
    pub keys: Vec<KeyInfo>,
    /// Why others of the same file cannot.
    pub refused: Vec<TrustError>,
}

/// Reads a key file without adding it anywhere: what an import prompt shows before it asks. A key that
/// cannot be used takes none of the others with it.
///
/// # Errors
/// The file is over a limit, is no key, or no key of it can be used: it is a private key, is malformed,
/// has no self-signature, or has a subkey without a valid binding signature (CVE-2021-3521).
pub fn read_keys(data: &[u8], now: u64) -> Result<KeysRead, TrustError> {
    let mut read = KeysRead {
        keys: Vec::new(),
        refused: Vec::new(),
    };
    for entry in read_entries(data)? {
        match entry {
            Ok(entry) => read.keys.push(KeyInfo::of(&entry.cert, entry.binary, now)),
            Err(error) => read.refused.push(error),
        }
    }
    match read.keys.is_empty() {
        true => Err(read.refused.into_iter().next().unwrap_or(TrustError::NoKey)),
        false => Ok(read),
    }
}

type Entries = Vec<Result<KeyringEntry, TrustError>>;

fn read_entries(data: &[u8]) -> Result<Entries, TrustError> {
    if data.len() > MAX_KEY_FILE {
        let size = data.len();
        return Err(TrustError::TooLarge {
            what: "key file",
            size,
            limit: MAX_KEY_FILE,
        });
    }
    let mut entries = Vec::new();
    if armor::is_binary(data) {
        read_packets(data, &mut entries)?;
    } else {
        for block in armor::split(data, MAX_KEYS_PER_FILE)?.blocks {
            let kind = match block.label {
                PUBLIC_LABEL => Kind::PublicKey,
                PRIVATE_LABEL => Kind::SecretKey,
                // Some key files carry a clear-signed announcement around the key.
                _ => continue,
            };
            match armor::decode(&block, kind) {
                Ok(packets) => read_packets(&packets, &mut entries)?,
                Err(error) => entries.push(Err(error)),
            }
        }
    }
    if entries.is_empty() {
        Err(TrustError::NoKey)
    } else {
        Ok(entries)
    }
}

/// Adds what each certificate among these packets came to.
fn read_packets(packets: &[u8], entries: &mut Entries) -> Result<(), TrustError> {
    // The raw parser only cuts packets apart: it never unpacks compressed data (no bomb).
    let parser = match RawCertParser::from_bytes(packets) {
        Ok(parser) => parser,
        Err(error) => {
            entries.push(Err(malformed(&error)));
            return Ok(());
        }
    };
    for raw in parser {
        if entries.len() >= MAX_KEYS_PER_FILE {
            return Err(TrustError::TooMany {
                what: "keys in one file",
                limit: MAX_KEYS_PER_FILE,
            });
        }
        entries.push(raw.map_err(|error| malformed(&error)).and_then(read_cert));
    }
    Ok(())
}

fn malformed(error: &dyn std::fmt::Display) -> TrustError {
    TrustError::MalformedKey {
        why: error.to_string(),
    }
}

fn read_cert(raw: RawCert<'_>) -> Result<KeyringEntry, TrustError> {
    if raw.keys().count() > MAX_SUBKEYS {
        return Err(TrustError::TooMany {
            what: "subkeys in one key",
            limit: MAX_SUBKEYS,
        });
    }
    check_packets(&raw)?;
    let binary = raw.as_bytes().to_vec();
    let cert = Cert::try_from(raw).map_err(|error| malformed(&error))?;
    check_structure(&cert)?;
    Ok(KeyringEntry { cert, binary })
}

/// Each subkey packet is followed by a signature. The library merges a bare copy of a subkey with
/// a signed one; rpm refuses such a certificate (CVE-2021-3521) and so do we.
fn check_packets(raw: &RawCert<'_>) -> Result<(), TrustError> {
    let mut bare_subkey = false;
    for packet in raw
        .packets()
        .map(|packet| packet.tag())
        .chain([Tag::PublicSubkey])
    {
        match packet {
            Tag::Signature => bare_subkey = false,
            Tag::PublicSubkey | Tag::SecretSubkey if bare_subkey => {
                let fingerprint = format!("{:x}", raw.fingerprint());
                return Err(TrustError::UnboundSubkey {
                    fingerprint,
                    subkey: "(bare copy)".into(),
                });
            }
            Tag::PublicSubkey | Tag::SecretSubkey => bare_subkey = true,
            _ => {}
        }
    }
    Ok(())
}

/// A certificate must vouch for itself and for each of its subkeys.
fn check_structure(cert: &Cert) -> Result<(), TrustError> {
    let fingerprint = || format!("{:x}", cert.fingerprint());
    if cert.is_tsk() {
        return Err(TrustError::PrivateKey {
            fingerprint: fingerprint(),
        });
    }
    let self_signed = cert.primary_key().self_signatures().next().is_some()
        || cert
            .userids()
            .any(|id| id.self_signatures().next().is_some())
        || cert.primary_key().self_revocations().next().is_some();
    if !self_signed {
        return Err(TrustError::UnsignedKey {
            fingerprint: fingerprint(),
        });
    }
    for subkey in cert.keys().subkeys() {
        // The library keeps a binding here only when it verified and, for a signing subkey, when
        // the back-signature verified too.
        let bound =
            subkey.self_signatures().next().is_some() || subkey.self_revocations().next().is_some();
        if !bound {
            let subkey = format!("{:x}", subkey.key().fingerprint());
            return Err(TrustError::UnboundSubkey {
                fingerprint: fingerprint(),
                subkey,
            });
        }
    }
    Ok(())
}
