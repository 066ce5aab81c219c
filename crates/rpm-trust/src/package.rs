//! One signature packet of a package.

use std::io::{self, Read};

use sequoia_openpgp::cert::amalgamation::key::ErasedKeyAmalgamation;
use sequoia_openpgp::crypto::hash;
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::packet::key::PublicParts;
use sequoia_openpgp::parse::{PacketParser, PacketParserResult, Parse};
use sequoia_openpgp::types::SignatureType;
use sequoia_openpgp::{KeyID, Packet};

use crate::armor;
use crate::trust::{self, Made, Moment};
use crate::{Distrust, Keyring, MAX_SIGNATURE_PACKET, SignatureState, SignedBy};

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// A signature whose data is being read: feed everything it covers, then ask.
pub struct SignatureCheck {
    signature: Signature,
    /// None when the hash algorithm is unknown here.
    context: Option<hash::Context>,
}

impl SignatureCheck {
    /// Takes one binary signature packet (version 3, 4 or 6).
    ///
    /// # Errors
    /// [`SignatureState::Malformed`] when these bytes are not exactly one signature over binary
    /// data.
    pub fn new(packet: &[u8]) -> Result<SignatureCheck, Box<SignatureState>> {
        let signature =
            parse_one(packet).map_err(|why| Box::new(SignatureState::Malformed { why }))?;
        SignatureCheck::of(signature)
    }

    pub(crate) fn of(signature: Signature) -> Result<SignatureCheck, Box<SignatureState>> {
        let malformed = |why: String| Box::new(SignatureState::Malformed { why });
        let kind = signature.typ();
        if kind != SignatureType::Binary {
            return Err(malformed(format!("it is a {kind}, not over binary data")));
        }
        if signature.signature_creation_time().is_none() {
            return Err(malformed("no creation time".into()));
        }
        if signature.get_issuers().is_empty() {
            return Err(malformed("no issuer".into()));
        }
        let mut context = signature
            .hash_algo()
            .context()
            .ok()
            .map(|new| new.for_signature(signature.version()));
        if let (Some(context), Signature::V6(salted)) = (&mut context, &signature) {
            // Version 6 hashes a salt before the data (RFC 9580, 5.2.4).
            context.update(salted.salt());
        }
        Ok(SignatureCheck { signature, context })
    }

    /// The issuers as the signature names them: 16 hex digits or a fingerprint, lower case.
    pub fn issuer(&self) -> String {
        issuer_text(&self.signature)
    }

    /// Adds the next bytes that the signature covers.
    pub fn update(&mut self, data: &[u8]) {
        if let Some(context) = &mut self.context {
            context.update(data);
        }
    }

    /// Judges the signature against `keyring`, keys as of the signature's creation time.
    pub fn finish(self, keyring: &Keyring, now: u64) -> SignatureState {
        self.conclude(keyring, Moment::Made, now)
    }

    pub(crate) fn conclude(self, keyring: &Keyring, moment: Moment, now: u64) -> SignatureState {
        let key_id = self.issuer();
        let mut candidates: Vec<Candidate<'_>> = Vec::new();
        for issuer in self.signature.get_issuers() {
            for key in keyring.candidates(&issuer) {
                let known = candidates.iter().any(|other| same_key(other, &key));
                if !known && same_algorithm(&self.signature, &key) {
                    candidates.push(key);
                }
            }
        }
        let Some(first) = candidates.first() else {
            return SignatureState::NoKey { key_id };
        };
        let algorithm = trust::algorithm_name(self.signature.pk_algo());
        let Some(context) = self
            .context
            .filter(|_| self.signature.pk_algo().is_supported())
        else {
            let hash = trust::hash_name(self.signature.hash_algo());
            let key = SignedBy {
                key_id,
                algorithm: format!("{algorithm}/{hash}"),
                ..trust::signed_by(first, &self.signature, now)
            };
            let algorithm = key.algorithm.clone();
            return SignatureState::NotTrusted {
                key,
                why: Distrust::Unsupported { algorithm },
                also: Vec::new(),
            };
        };
        let mut worst = None;
        for key in &candidates {
            let state = match self.signature.verify_hash(key.key(), context.clone()) {
                Ok(()) => {
                    let made = Made {
                        key,
                        signature: &self.signature,
                        now,
                    };
                    made.judge(moment, keyring.crypto_policy())
                }
                Err(error) => SignatureState::Bad {
                    key_id: key_id.clone(),
                    why: error.root_cause().to_string(),
                },
            };
            match state {
                SignatureState::Good(_) => return state,
                // Valid by one of two keys with the same id: the more telling answer stays.
                SignatureState::NotTrusted { .. } => worst = Some(state),
                _ => worst = worst.or(Some(state)),
            }
        }
        worst.unwrap_or(SignatureState::NoKey { key_id })
    }
}

/// Judges one signature packet over everything that `data` yields.
///
/// The data is not read when the packet is malformed.
///
/// # Errors
/// Only reading `data` can fail: a short or broken read is never a verdict.
pub fn verify_package_signature(
    keyring: &Keyring,
    packet: &[u8],
    mut data: impl Read,
    now: u64,
) -> io::Result<SignatureState> {
    let mut check = match SignatureCheck::new(packet) {
        Ok(check) => check,
        Err(state) => return Ok(*state),
    };
    let mut buffer = vec![0; CHUNK];
    loop {
        match data.read(&mut buffer) {
            Ok(0) => return Ok(check.finish(keyring, now)),
            Ok(count) => check.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Exactly one signature packet and nothing after it.
fn parse_one(packet: &[u8]) -> Result<Signature, String> {
    let mut all = parse_signatures(packet, 1)?;
    match (all.pop(), all.is_empty()) {
        (Some(signature), true) => Ok(signature),
        _ => Err("no signature packet".into()),
    }
}

/// One or more signature packets and nothing else. Containers are never entered.
pub(crate) fn parse_signatures(packets: &[u8], most: usize) -> Result<Vec<Signature>, String> {
    if packets.len() > MAX_SIGNATURE_PACKET.saturating_mul(most) {
        return Err("too large".into());
    }
    // The parser would take armor as well; a package carries raw packets only.
    if !armor::is_binary(packets) {
        return Err("not a packet".into());
    }
    let mut signatures = Vec::new();
    let mut next = PacketParser::from_bytes(packets).map_err(|error| error.to_string())?;
    while let PacketParserResult::Some(parser) = next {
        let (packet, rest) = parser.next().map_err(|error| error.to_string())?;
        match packet {
            Packet::Signature(_) if signatures.len() >= most => {
                return Err(format!("more than {most} signature(s)"));
            }
            Packet::Signature(signature) => signatures.push(signature),
            Packet::Unknown(unknown) => return Err(unknown.error().to_string()),
            other => return Err(format!("a {} packet", other.tag())),
        }
        next = rest;
    }
    Ok(signatures)
}

type Candidate<'a> = ErasedKeyAmalgamation<'a, PublicParts>;

fn same_key(one: &Candidate<'_>, other: &Candidate<'_>) -> bool {
    one.key().fingerprint() == other.key().fingerprint()
        && one.cert().fingerprint() == other.cert().fingerprint()
}

/// A key of another algorithm cannot be the issuer, whatever its id says (rpm: NOKEY).
fn same_algorithm(signature: &Signature, key: &Candidate<'_>) -> bool {
    let family = trust::algorithm_name;
    family(signature.pk_algo()) == family(key.key().pk_algo())
}

fn issuer_text(signature: &Signature) -> String {
    let issuers = signature.get_issuers();
    // The key id of a version 4 key is the end of its fingerprint; version 6: its beginning.
    let id = issuers
        .first()
        .map(|issuer| format!("{:x}", KeyID::from(issuer)));
    id.unwrap_or_default()
}
