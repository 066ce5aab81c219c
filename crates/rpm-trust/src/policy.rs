//! From what is known about one package to accept or refuse: the table of docs/reference/packages.md, 1.8.

use std::fmt;

use rpm_pkg::digest::{Digest, DigestAlgo};
use rpm_pkg::package::Covers;

use crate::{Distrust, SignatureState, SignedBy, Weaknesses};

/// The name of a digest algorithm for people: `SHA256`.
fn shown(algo: DigestAlgo) -> String {
    algo.name().to_ascii_uppercase()
}

/// What became of the strongest digest over one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DigestState {
    /// Matches.
    Good(DigestAlgo),
    /// Does not match, or has no valid form.
    Bad(DigestAlgo),
    /// The package carries none.
    #[default]
    Absent,
}

impl DigestState {
    fn good(self) -> Option<DigestAlgo> {
        match self {
            DigestState::Good(name) => Some(name),
            _ => None,
        }
    }
}

/// The per-file digests of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileDigests {
    /// The package has no regular file: there is no content to bind.
    NoFiles,
    /// `FILEDIGESTALGO`; every file is compared with it as it is unpacked.
    Algorithm(DigestAlgo),
    /// Files without digests, or an unknown algorithm.
    #[default]
    Unknown,
}

/// Everything known about one package before it is judged.
///
/// Where several digests cover one part, the caller reports `Bad` when any of them is bad (the
/// compressed payload digest is forgiven when its uncompressed counterpart matches, and the other way
/// round), else `Good` with the strongest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Every signature that rpm would look at (docs/reference/packages.md, 1.8), with what it covers.
    pub signatures: Vec<(Covers, SignatureState)>,
    /// SHA1, SHA256, SHA3-256 of the header, from the signature header.
    pub header_digest: DigestState,
    /// 5092, 5097, 5121.. : the payload's digest, from the main header.
    pub payload_digest: DigestState,
    /// MD5 over header and payload (1004); absent, too, where stronger digests of both were computed instead.
    pub header_payload_digest: DigestState,
    /// SHA-256 of the payload as it was read, where no digest of the package covers it: what a signature over
    /// header and payload was made of.
    pub bare_payload: Option<Digest>,
    /// The per-file digests of the header.
    pub file_digests: FileDigests,
    /// Items of the signature header that have no valid form (wrong type, size or hex).
    pub malformed: Vec<String>,
}

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// gpgcheck is on: only signed packages of known keys.
    #[default]
    GpgCheck,
    /// gpgcheck is off for this package (`gpgcheck=0`, `--nogpgcheck`): a missing signature, an
    /// unknown or an expired key are accepted and said so. Broken ones never are.
    NoGpgCheck,
}

/// How the payload is tied to the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// A payload digest inside the signed header.
    PayloadDigest(DigestAlgo),
    /// File digests inside the signed header; the unpacker must compare each file.
    FileDigests(DigestAlgo),
    /// The package has no file content.
    NoContent,
    /// A signature over header and payload.
    WholeSignature,
}

/// Why a package was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    /// Signed by a trusted key that covers everything.
    Signed {
        /// Who signed.
        key: SignedBy,
        /// What covers the payload.
        binding: Binding,
        /// What the repository admits of this signature, or the root's old rpm; none as a rule.
        admitted: Weaknesses,
    },
    /// A check was waived by the user's setting; the reason it would have been refused for.
    Waived(Refusal),
}

/// Why a package was refused, or would have been without the user's waiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The bytes contradict a signature; no override.
    BadSignature(SignatureState),
    /// The bytes contradict a digest; no override.
    BadDigest {
        /// `header`, `payload` or `header and payload`.
        part: &'static str,
        /// Which algorithm.
        digest: DigestAlgo,
    },
    /// An item of the signature header has no valid form; no override.
    MalformedItem(String),
    /// Signed, but nothing ties the payload to the signature.
    PayloadNotCovered(SignedBy),
    /// Valid signature by a key that may not be relied on.
    NotTrusted {
        /// Who signed.
        key: SignedBy,
        /// Why it does not count.
        why: Distrust,
        /// Further reasons.
        also: Vec<Distrust>,
    },
    /// Signed only by keys that are not known.
    UnknownKey {
        /// Their key ids.
        key_ids: Vec<String>,
    },
    /// No signature.
    Unsigned,
    /// No signature, and nothing stronger than this digest covers the package.
    UnsignedWeakDigest(DigestAlgo),
    /// No signature, and no digest covers header and payload.
    Unprotected,
}

impl Refusal {
    /// A stable word for JSON and history.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::BadSignature(_) => "bad-signature",
            Refusal::BadDigest { .. } => "bad-digest",
            Refusal::MalformedItem(_) => "malformed",
            Refusal::PayloadNotCovered(_) => "payload-not-covered",
            Refusal::NotTrusted { why, .. } => why.code(),
            Refusal::UnknownKey { .. } => "unknown-key",
            Refusal::Unsigned => "unsigned",
            Refusal::UnsignedWeakDigest(_) => "unsigned-weak-digest",
            Refusal::Unprotected => "unprotected",
        }
    }
}

impl Refusal {
    /// What a repository must admit for such a package to be accepted; none where nothing helps.
    pub fn admissible(&self) -> Option<Weaknesses> {
        match self {
            Refusal::NotTrusted { why, also, .. } => {
                let reasons = std::iter::once(why).chain(also);
                reasons.map(Distrust::weakness).collect()
            }
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::BadSignature(state) => state.fmt(f),
            Refusal::BadDigest { part, digest } => {
                write!(f, "{} digest of {part} is wrong", shown(*digest))
            }
            Refusal::MalformedItem(what) => write!(f, "malformed signature header: {what}"),
            Refusal::PayloadNotCovered(key) => {
                write!(
                    f,
                    "signature by key {} does not cover the payload",
                    key.key_id
                )
            }
            Refusal::NotTrusted { key, why, also } => {
                write!(f, "signature by key {} not trusted: {why}", key.key_id)?;
                also.iter().try_for_each(|more| write!(f, ", {more}"))
            }
            Refusal::UnknownKey { key_ids } => {
                write!(f, "signed by unknown key {}", key_ids.join(", "))
            }
            Refusal::Unsigned => f.write_str("not signed"),
            Refusal::UnsignedWeakDigest(name) => {
                write!(f, "not signed, only {} digests", shown(*name))
            }
            Refusal::Unprotected => f.write_str("not signed, and no digest covers it"),
        }
    }
}

/// The judgement over one package. It is kept in plan, JSON and history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// May be installed.
    Accepted(Acceptance),
    /// Must not be installed.
    Refused(Refusal),
}

impl Verdict {
    /// The check that was waived, when there was one: worth a warning.
    pub fn waived(&self) -> Option<&Refusal> {
        match self {
            Verdict::Accepted(Acceptance::Waived(refusal)) => Some(refusal),
            _ => None,
        }
    }

    /// The trusted signer, when there is one.
    pub fn signer(&self) -> Option<&SignedBy> {
        match self {
            Verdict::Accepted(Acceptance::Signed { key, .. }) => Some(key),
            _ => None,
        }
    }

    /// What was admitted of a weak signature, and by whom it is.
    pub fn admitted(&self) -> Option<(&SignedBy, &Weaknesses)> {
        match self {
            Verdict::Accepted(Acceptance::Signed { key, admitted, .. }) if !admitted.is_empty() => {
                Some((key, admitted))
            }
            _ => None,
        }
    }

    /// A stable word for JSON and history: `signed`, `signed-weak:sha1,rsa1024`, `waived:unsigned`,
    /// `refused:bad-digest`.
    pub fn code(&self) -> String {
        if let Some((_, admitted)) = self.admitted() {
            return format!("signed-weak:{admitted}");
        }
        match self {
            Verdict::Accepted(Acceptance::Signed { .. }) => "signed".into(),
            Verdict::Accepted(Acceptance::Waived(why)) => format!("waived:{}", why.code()),
            Verdict::Refused(why) => format!("refused:{}", why.code()),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Accepted(Acceptance::Signed { key, .. }) => {
                write!(f, "signed by key {}", key.key_id)
            }
            Verdict::Accepted(Acceptance::Waived(why)) => write!(f, "{why} (check is off)"),
            Verdict::Refused(why) => why.fmt(f),
        }
    }
}

/// Judges one package; no weakness is admitted.
pub fn judge(evidence: &Evidence, policy: Policy) -> Verdict {
    judge_admitting(evidence, policy, &Weaknesses::default())
}

/// Judges one package whose signature may have these weaknesses.
pub fn judge_admitting(evidence: &Evidence, policy: Policy, admits: &Weaknesses) -> Verdict {
    if let Some(refusal) = broken(evidence) {
        return Verdict::Refused(refusal);
    }
    let refusal = match good_signer(evidence, admits) {
        Some(signer) => match binding(evidence, signer.whole) {
            Some(binding) => {
                return Verdict::Accepted(Acceptance::Signed {
                    key: signer.key.clone(),
                    binding,
                    admitted: signer.admitted,
                });
            }
            None => Refusal::PayloadNotCovered(signer.key.clone()),
        },
        None => not_signed(evidence),
    };
    if policy == Policy::NoGpgCheck && may_be_waived(&refusal) {
        return Verdict::Accepted(Acceptance::Waived(refusal));
    }
    Verdict::Refused(refusal)
}

/// Anything that contradicts the bytes.
fn broken(evidence: &Evidence) -> Option<Refusal> {
    if let Some(item) = evidence.malformed.first() {
        return Some(Refusal::MalformedItem(item.clone()));
    }
    if let Some((_, state)) = evidence
        .signatures
        .iter()
        .find(|(_, state)| state.is_broken())
    {
        return Some(Refusal::BadSignature(state.clone()));
    }
    let digests = [
        ("header", evidence.header_digest),
        ("payload", evidence.payload_digest),
        ("header and payload", evidence.header_payload_digest),
    ];
    digests.into_iter().find_map(|(part, state)| match state {
        DigestState::Bad(digest) => Some(Refusal::BadDigest { part, digest }),
        _ => None,
    })
}

/// Who signed.
struct Signer<'e> {
    key: &'e SignedBy,
    /// His signature covers the payload itself.
    whole: bool,
    admitted: Weaknesses,
}

/// A signature that counts: one without weakness before one whose weaknesses are admitted, the wider
/// before the narrower.
fn good_signer<'e>(evidence: &'e Evidence, admits: &Weaknesses) -> Option<Signer<'e>> {
    let counts = |state: &'e SignatureState| match state {
        SignatureState::Good(key) => Some((key, Weaknesses::default())),
        state => state.admissible().filter(|(_, weak)| admits.covers(weak)),
    };
    let signers = evidence.signatures.iter().filter_map(|(covers, state)| {
        let (key, admitted) = counts(state)?;
        Some(Signer {
            key,
            whole: *covers == Covers::HeaderAndPayload,
            admitted,
        })
    });
    signers.min_by_key(|signer| (!signer.admitted.is_empty(), !signer.whole))
}

/// What ties the payload to a header with a trusted signature. The strongest is named.
fn binding(evidence: &Evidence, whole: bool) -> Option<Binding> {
    if let Some(name) = evidence
        .payload_digest
        .good()
        .filter(|name| name.is_strong())
    {
        return Some(Binding::PayloadDigest(name));
    }
    if whole {
        return Some(Binding::WholeSignature);
    }
    match evidence.file_digests {
        FileDigests::NoFiles => Some(Binding::NoContent),
        FileDigests::Algorithm(name) if name >= DigestAlgo::Sha256 => {
            Some(Binding::FileDigests(name))
        }
        _ => None,
    }
}

/// Why a package without a good signature is refused, the gravest reason first.
fn not_signed(evidence: &Evidence) -> Refusal {
    // An expired key may be waived, other distrust may not: report that first.
    let distrusted = evidence
        .signatures
        .iter()
        .filter_map(|(_, state)| match state {
            SignatureState::NotTrusted { key, why, also } => Some((key, why, also)),
            _ => None,
        });
    let gravest = distrusted.min_by_key(|(_, why, _)| matches!(why, Distrust::KeyExpired { .. }));
    if let Some((key, why, also)) = gravest {
        return Refusal::NotTrusted {
            key: key.clone(),
            why: why.clone(),
            also: also.clone(),
        };
    }
    let mut key_ids: Vec<String> = evidence
        .signatures
        .iter()
        .filter_map(|(_, state)| state.key_id().map(str::to_owned))
        .collect();
    key_ids.dedup();
    if !key_ids.is_empty() {
        return Refusal::UnknownKey { key_ids };
    }
    match digest_cover(evidence) {
        None => Refusal::Unprotected,
        Some(name) if name.is_strong() => Refusal::Unsigned,
        Some(name) => Refusal::UnsignedWeakDigest(name),
    }
}

/// The weakest link of the best digests that together cover header and payload.
fn digest_cover(evidence: &Evidence) -> Option<DigestAlgo> {
    let parts = match (
        evidence.header_digest.good(),
        evidence.payload_digest.good(),
    ) {
        (Some(header), Some(payload)) => Some(header.min(payload)),
        _ => None,
    };
    parts.max(evidence.header_payload_digest.good())
}

/// The second column of the table: what `gpgcheck=0` lets pass.
fn may_be_waived(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::BadSignature(_)
        | Refusal::BadDigest { .. }
        | Refusal::MalformedItem(_)
        | Refusal::Unprotected => false,
        Refusal::NotTrusted { why, .. } => matches!(why, Distrust::KeyExpired { .. }),
        Refusal::PayloadNotCovered(_)
        | Refusal::UnknownKey { .. }
        | Refusal::Unsigned
        | Refusal::UnsignedWeakDigest(_) => true,
    }
}
