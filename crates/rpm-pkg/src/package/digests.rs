//! The digests that a package carries, and checking them while its parts are read.

use super::{Covers, Package, PackageError};
use crate::digest::{Digest, DigestAlgo, Hasher};
use crate::header::{Header, IndexEntry, TagType, tag};
use std::fmt;
use std::io::Read;

/// Where a digest stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestSource {
    /// In the signature header: not covered by a header signature.
    SignatureHeader,
    /// In the main header: as trustworthy as the header's signature.
    MainHeader,
    /// Not in the package: what whoever opened it expects ([`Package::expect_payload`]); its tag is 0.
    Expectation,
}

/// One digest that the package claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestItem {
    /// Its tag.
    pub tag: u32,
    /// Where it stands.
    pub source: DigestSource,
    /// What it covers.
    pub covers: Covers,
    /// The claimed value.
    pub expected: Digest,
}

impl fmt::Display for DigestItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} digest (tag {})", self.expected.algo(), self.tag)
    }
}

/// A digest item after the data went by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestOutcome {
    /// What was claimed.
    pub item: DigestItem,
    /// Whether the data has this digest.
    pub good: bool,
}

/// Which payload digests to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestChoice {
    /// All of them, as `rpm -K` does.
    All,
    /// All but the MD5 of header and payload where both have a digest of SHA-224 or later: whoever could forge
    /// those could forge it as well, and no accident passes them that it would notice.
    Needed,
    /// The first that exists of: a SHA-2 or SHA-3 of the stored payload; one of the uncompressed
    /// payload; MD5 of header and payload. One pass, one hash.
    Strongest,
    /// As [`DigestChoice::Strongest`], but nothing where the content of each file has a digest of SHA-224 or later in
    /// the header and is checked against it ([`Package::into_payload`]): for a package whose header is trusted and whose
    /// payload was judged before. What else an archive says is compared with the header in any case.
    BesideFiles,
}

/// Tag, algorithm and range of the digests in a signature header.
const SIGNATURE_DIGESTS: [(u32, DigestAlgo, Covers); 3] = [
    (tag::SHA3_256HEADER, DigestAlgo::Sha3_256, Covers::Header),
    (tag::SHA256HEADER, DigestAlgo::Sha256, Covers::Header),
    (tag::SHA1HEADER, DigestAlgo::Sha1, Covers::Header),
];

/// The same of those in a main header.
const HEADER_DIGESTS: [(u32, DigestAlgo, Covers); 6] = [
    (tag::PAYLOADSHA256, DigestAlgo::Sha256, Covers::Payload),
    (tag::PAYLOADSHA512, DigestAlgo::Sha512, Covers::Payload),
    (tag::PAYLOADSHA3_256, DigestAlgo::Sha3_256, Covers::Payload),
    (
        tag::PAYLOADSHA256ALT,
        DigestAlgo::Sha256,
        Covers::UncompressedPayload,
    ),
    (
        tag::PAYLOADSHA512ALT,
        DigestAlgo::Sha512,
        Covers::UncompressedPayload,
    ),
    (
        tag::PAYLOADSHA3_256ALT,
        DigestAlgo::Sha3_256,
        Covers::UncompressedPayload,
    ),
];

fn text_digest(entry: IndexEntry<'_>, algo: DigestAlgo) -> Result<Digest, PackageError> {
    let text = entry.strings().next().filter(|_| entry.count == 1);
    let text = text.ok_or(PackageError::Malformed(entry.tag))?;
    let wrap = |problem| PackageError::Digest {
        tag: entry.tag,
        problem,
    };
    Digest::from_hex(algo, text).map_err(wrap)
}

/// The algorithm of 5092 and 5097: tag 5093, SHA-256 when it is missing.
fn payload_algo(header: &Header) -> Result<DigestAlgo, PackageError> {
    match header.u32(tag::PAYLOADSHA256ALGO) {
        None => Ok(DigestAlgo::Sha256),
        Some(id) => DigestAlgo::from_rpm_id(id)
            .filter(|_| id != 0)
            .ok_or(PackageError::Malformed(tag::PAYLOADSHA256ALGO)),
    }
}

impl<R: Read> Package<R> {
    /// Every digest that counts.
    ///
    /// # Errors
    /// A digest of the wrong type or length, or not hexadecimal: rpm fails the package.
    pub fn digests(&self) -> Result<Vec<DigestItem>, PackageError> {
        let mut items = Vec::new();
        for (tag, algo, covers) in SIGNATURE_DIGESTS {
            let Some(entry) = self.signature.entry(tag) else {
                continue;
            };
            if entry.kind != TagType::String {
                return Err(PackageError::Malformed(tag));
            }
            let expected = text_digest(entry, algo)?;
            items.push((tag, DigestSource::SignatureHeader, covers, expected));
        }
        if let Some(entry) = self.signature.entry(tag::SIG_MD5).filter(|_| !self.is_v6()) {
            let tag = tag::SIG_MD5;
            if entry.kind != TagType::Bin {
                return Err(PackageError::Malformed(tag));
            }
            let wrap = |problem| PackageError::Digest { tag, problem };
            let expected = Digest::from_bytes(DigestAlgo::Md5, entry.data).map_err(wrap)?;
            let covers = Covers::HeaderAndPayload;
            items.push((tag, DigestSource::SignatureHeader, covers, expected));
        }
        for (tag, algo, covers) in HEADER_DIGESTS {
            let Some(entry) = self.header.entry(tag) else {
                continue;
            };
            let by_tag = tag == tag::PAYLOADSHA256 || tag == tag::PAYLOADSHA256ALT;
            let algo = if by_tag {
                payload_algo(&self.header)?
            } else {
                algo
            };
            items.push((
                tag,
                DigestSource::MainHeader,
                covers,
                text_digest(entry, algo)?,
            ));
        }
        if let Some(expected) = self.expected_payload {
            items.push((0, DigestSource::Expectation, Covers::Payload, expected));
        }
        let item = |(tag, source, covers, expected)| DigestItem {
            tag,
            source,
            covers,
            expected,
        };
        Ok(items.into_iter().map(item).collect())
    }

    /// Checks every digest of the header and gives the good ones, strongest first; none when
    /// the package carries none.
    ///
    /// # Errors
    /// [`PackageError::HeaderDigest`] for one that does not match, malformed items.
    pub fn verify_header_digests(&self) -> Result<Vec<DigestItem>, PackageError> {
        let items = self
            .digests()?
            .into_iter()
            .filter(|item| item.covers == Covers::Header);
        items
            .map(|item| {
                let actual = self.header.immutable_region().digest(item.expected.algo());
                if actual == item.expected {
                    Ok(item)
                } else {
                    Err(PackageError::HeaderDigest { item })
                }
            })
            .collect()
    }

    /// Prepares the payload's digests.
    ///
    /// # Errors
    /// As [`Package::digests`].
    pub fn payload_digests(&self, choice: DigestChoice) -> Result<PayloadDigests, PackageError> {
        let mut items = self.digests()?;
        let strong = |part: Covers| {
            let mut of_part = items.iter().filter(|item| item.covers == part);
            of_part.any(|item| item.expected.algo() >= DigestAlgo::Sha224)
        };
        let in_vain =
            choice == DigestChoice::Needed && strong(Covers::Header) && strong(Covers::Payload);
        items.retain(|item| match item.covers {
            Covers::Header => false,
            Covers::HeaderAndPayload => !in_vain,
            _ => true,
        });
        if matches!(choice, DigestChoice::Strongest | DigestChoice::BesideFiles) {
            let order = [
                Covers::Payload,
                Covers::UncompressedPayload,
                Covers::HeaderAndPayload,
            ];
            let best = order
                .iter()
                .find_map(|c| items.iter().find(|i| i.covers == *c))
                .copied();
            items = best.into_iter().collect();
        }
        let start = |item: DigestItem| {
            let mut hasher = Hasher::new(item.expected.algo());
            if item.covers == Covers::HeaderAndPayload {
                let region = self.header.immutable_region();
                region
                    .chunks()
                    .iter()
                    .for_each(|chunk| hasher.update(chunk));
            }
            (item, hasher)
        };
        Ok(PayloadDigests {
            running: items.into_iter().map(start).collect(),
        })
    }
}

/// Digests of the payload while it is read; feed both forms of it.
#[derive(Debug, Clone, Default)]
pub struct PayloadDigests {
    running: Vec<(DigestItem, Hasher)>,
}

impl PayloadDigests {
    /// Computes nothing.
    pub fn none() -> Self {
        PayloadDigests::default()
    }

    /// Splits into the digests of the stored and of the uncompressed payload.
    pub(crate) fn split(self) -> (PayloadDigests, PayloadDigests) {
        let (plain, stored) = self
            .running
            .into_iter()
            .partition(|(item, _)| item.covers == Covers::UncompressedPayload);
        (
            PayloadDigests { running: stored },
            PayloadDigests { running: plain },
        )
    }

    /// Whether nothing is computed: no digest covers the payload.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    pub(crate) fn update_all(&mut self, data: &[u8]) {
        self.running
            .iter_mut()
            .for_each(|(_, hasher)| hasher.update(data));
    }

    /// Adds bytes of the payload as stored.
    pub fn update_stored(&mut self, data: &[u8]) {
        for (item, hasher) in &mut self.running {
            if item.covers != Covers::UncompressedPayload {
                hasher.update(data);
            }
        }
    }

    /// Ends all digests.
    pub fn finish(self) -> Vec<DigestOutcome> {
        let end = |(item, hasher): (DigestItem, Hasher)| DigestOutcome {
            item,
            good: hasher.finish() == item.expected,
        };
        self.running.into_iter().map(end).collect()
    }
}

/// Whether a set of outcomes lets the payload pass: a bad digest of the stored payload is
/// forgiven when the same algorithm's digest of the uncompressed one is good, and the other way
/// round (rpm 4.16 on); anything else bad fails.
pub fn payload_passes(outcomes: &[DigestOutcome]) -> bool {
    let forgiven = |bad: &DigestOutcome| {
        let other = match bad.item.covers {
            Covers::Payload => Covers::UncompressedPayload,
            Covers::UncompressedPayload => Covers::Payload,
            _ => return false,
        };
        let algo = bad.item.expected.algo();
        let same = |o: &&DigestOutcome| o.item.covers == other && o.item.expected.algo() == algo;
        outcomes.iter().filter(same).any(|o| o.good)
    };
    outcomes
        .iter()
        .all(|outcome| outcome.good || forgiven(outcome))
}
