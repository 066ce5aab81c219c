//! Making keys and signatures: for tests and for signing repositories.

use std::io::{self, Read, Write};

use sequoia_openpgp::armor::{Kind, Writer};
use sequoia_openpgp::cert::{CertBuilder, CipherSuite};
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::{Signature, Tag, UserID};
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::serialize::{Marshal, MarshalInto};
use sequoia_openpgp::types::{HashAlgorithm, KeyFlags, ReasonForRevocation, SignatureType};
use sequoia_openpgp::{Cert, Packet};

use crate::{TrustError, trust};

/// Which key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA with 4096 bits: what every rpm can verify. Slow to make.
    Rsa4096,
    /// RSA with 2048 bits: quick, for tests.
    Rsa2048,
    /// EdDSA over Curve25519 (version 4 keys).
    Ed25519,
    /// ECDSA over NIST P-256.
    NistP256,
}

/// How to make a key. All times are seconds since 1970.
#[derive(Debug, Clone)]
pub struct NewKey<'a> {
    /// User id, for example `Example <sign@example.org>`.
    pub user_id: &'a str,
    /// Algorithm of primary key and subkey.
    pub algorithm: KeyAlgorithm,
    /// Creation time.
    pub created: u64,
    /// Lifetime in seconds from creation; `None` means that it never expires.
    pub lifetime: Option<u64>,
    /// True: the primary key only certifies, a subkey signs.
    pub signing_subkey: bool,
}

/// A private key that signs packages and metadata.
pub struct SigningKey {
    cert: Cert,
    revocation: Option<Signature>,
}

/// Hash for a signature. SHA-1 exists for tests of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureHash {
    /// What rpm uses by default.
    Sha256,
    /// The stronger one.
    Sha512,
    /// Refused by every policy: tests only.
    Sha1,
}

impl SigningKey {
    /// Makes a key.
    ///
    /// # Errors
    /// The library refuses the algorithm, or there is no randomness.
    pub fn generate(new: &NewKey<'_>) -> Result<SigningKey, TrustError> {
        let suite = match new.algorithm {
            KeyAlgorithm::Rsa4096 => CipherSuite::RSA4k,
            KeyAlgorithm::Rsa2048 => CipherSuite::RSA2k,
            KeyAlgorithm::Ed25519 => CipherSuite::Cv25519,
            KeyAlgorithm::NistP256 => CipherSuite::P256,
        };
        let mut flags = KeyFlags::empty().set_certification();
        if !new.signing_subkey {
            flags = flags.set_signing();
        }
        let mut builder = CertBuilder::new()
            .set_cipher_suite(suite)
            .set_creation_time(trust::time(new.created))
            .set_validity_period(new.lifetime.map(std::time::Duration::from_secs))
            .set_primary_key_flags(flags.clone())
            .add_userid(new.user_id);
        if new.signing_subkey {
            builder = builder.add_signing_subkey();
        }
        let (cert, revocation) = builder.generate().map_err(cannot)?;
        let cert = rebind(cert, new, flags)?;
        Ok(SigningKey {
            cert,
            revocation: Some(revocation),
        })
    }

    /// Reads an unencrypted private key, armored or binary.
    ///
    /// # Errors
    /// Not exactly one certificate, or no private key inside.
    pub fn from_armored(data: &[u8]) -> Result<SigningKey, TrustError> {
        let malformed = |error: &dyn std::fmt::Display| TrustError::MalformedKey {
            why: error.to_string(),
        };
        let cert = Cert::from_bytes(data).map_err(|error| malformed(&error))?;
        if !cert.is_tsk() {
            return Err(malformed(&"it holds no private key"));
        }
        Ok(SigningKey {
            cert,
            revocation: None,
        })
    }

    /// Fingerprint of the primary key, lower case hex.
    pub fn fingerprint(&self) -> String {
        format!("{:x}", self.cert.fingerprint())
    }

    /// Key id of the primary key, 16 lower case hex digits.
    pub fn key_id(&self) -> String {
        format!("{:x}", self.cert.keyid())
    }

    /// The public key as armored text: what `gpgkey=` points at.
    ///
    /// # Errors
    /// Serialising failed.
    pub fn public_armored(&self) -> Result<String, TrustError> {
        let bytes = self.cert.armored().to_vec().map_err(cannot)?;
        String::from_utf8(bytes).map_err(cannot)
    }

    /// The private key as armored text.
    ///
    /// # Errors
    /// Serialising failed.
    pub fn private_armored(&self) -> Result<String, TrustError> {
        let bytes = self.cert.as_tsk().armored().to_vec().map_err(cannot)?;
        String::from_utf8(bytes).map_err(cannot)
    }

    /// Signs `data` and returns an armored detached signature (`repomd.xml.asc`).
    ///
    /// # Errors
    /// Reading `data` or signing failed.
    pub fn sign_detached(&self, data: impl Read, made: u64) -> Result<String, TrustError> {
        let packet = self.sign_packet(data, made, SignatureHash::Sha256)?;
        let mut writer = Writer::new(Vec::new(), Kind::Signature).map_err(cannot)?;
        writer.write_all(&packet).map_err(cannot)?;
        String::from_utf8(writer.finalize().map_err(cannot)?).map_err(cannot)
    }

    /// Signs what `data` yields and returns one binary signature packet: the content of the
    /// header signature tags 267/268 (over the main header with its magic) or 1002/1005.
    ///
    /// # Errors
    /// Reading `data` or signing failed.
    pub fn sign_packet(
        &self,
        mut data: impl Read,
        made: u64,
        hash: SignatureHash,
    ) -> Result<Vec<u8>, TrustError> {
        let algorithm = match hash {
            SignatureHash::Sha256 => HashAlgorithm::SHA256,
            SignatureHash::Sha512 => HashAlgorithm::SHA512,
            SignatureHash::Sha1 => HashAlgorithm::SHA1,
        };
        let mut signer = self.signer(made)?;
        let mut context = algorithm.context().map_err(cannot)?.for_signature(4);
        io::copy(&mut data, &mut context).map_err(cannot)?;
        let signature = SignatureBuilder::new(SignatureType::Binary)
            .set_signature_creation_time(trust::time(made))
            .map_err(cannot)?
            .sign_hash(&mut signer, context)
            .map_err(cannot)?;
        let mut packet = Vec::new();
        Packet::from(signature)
            .serialize(&mut packet)
            .map_err(cannot)?;
        Ok(packet)
    }

    /// True when header signatures of this key belong under tag 268 (RSA), false for 267 (DSA,
    /// ECDSA, EdDSA).
    pub fn is_rsa(&self) -> bool {
        trust::key_algorithm(self.cert.primary_key().key()) == "RSA"
    }

    /// Revokes the key with the revocation made at its birth, or as compromised at `now`.
    ///
    /// # Errors
    /// Signing the revocation failed.
    pub fn revoke(self, now: u64) -> Result<SigningKey, TrustError> {
        let revocation = match self.revocation {
            Some(revocation) => revocation,
            None => {
                let mut signer = self
                    .cert
                    .primary_key()
                    .key()
                    .clone()
                    .parts_into_secret()
                    .and_then(|key| key.into_keypair())
                    .map_err(cannot)?;
                sequoia_openpgp::cert::CertRevocationBuilder::new()
                    .set_signature_creation_time(trust::time(now))
                    .and_then(|builder| {
                        builder.set_reason_for_revocation(ReasonForRevocation::KeyCompromised, b"")
                    })
                    .and_then(|builder| builder.build(&mut signer, &self.cert, None))
                    .map_err(cannot)?
            }
        };
        let (cert, _) = self.cert.insert_packets(revocation).map_err(cannot)?;
        Ok(SigningKey {
            cert,
            revocation: None,
        })
    }

    /// The signing key pair, whether or not it is still fit: tests sign with expired keys.
    fn signer(&self, made: u64) -> Result<sequoia_openpgp::crypto::KeyPair, TrustError> {
        use sequoia_openpgp::cert::amalgamation::ValidateAmalgamation;
        let fit = self.cert.keys().unencrypted_secret().find(|key| {
            [Some(trust::time(made)), None].into_iter().any(|at| {
                key.clone()
                    .with_policy(trust::structure(), at)
                    .is_ok_and(|valid| valid.for_signing())
            })
        });
        let key = fit.ok_or_else(|| cannot("no private key that may sign"))?;
        key.key().clone().into_keypair().map_err(cannot)
    }
}

/// Binds the user id again in words that rpm up to 4.18 understands: it refuses a certificate with
/// a direct key signature, and one whose user id is marked primary in a critical subpacket.
fn rebind(cert: Cert, new: &NewKey<'_>, flags: KeyFlags) -> Result<Cert, TrustError> {
    let primary = cert
        .primary_key()
        .key()
        .clone()
        .parts_into_secret()
        .map_err(cannot)?;
    let mut signer = primary.clone().into_keypair().map_err(cannot)?;
    let user_id = UserID::from(new.user_id);
    let binding = SignatureBuilder::new(SignatureType::PositiveCertification)
        .set_signature_creation_time(trust::time(new.created))
        .and_then(|builder| builder.set_key_flags(flags))
        .and_then(|builder| {
            builder.set_key_validity_period(new.lifetime.map(std::time::Duration::from_secs))
        })
        .and_then(|builder| user_id.bind(&mut signer, &cert, builder))
        .map_err(cannot)?;
    let subkeys = cert
        .into_tsk()
        .into_packets()
        .skip_while(|packet| !matches!(packet.tag(), Tag::SecretSubkey));
    let head = [
        Packet::from(primary),
        Packet::from(user_id),
        Packet::from(binding),
    ];
    Cert::from_packets(head.into_iter().chain(subkeys)).map_err(cannot)
}

fn cannot(error: impl std::fmt::Display) -> TrustError {
    TrustError::CannotSign {
        why: error.to_string(),
    }
}
