//! The policy table of docs/reference/packages.md, 1.8, row by row.

use rpm_pkg::digest::DigestAlgo;
use rpm_pkg::package::Covers;
use rpm_trust::policy::{
    Acceptance, Binding, DigestState, Evidence, FileDigests, Policy, Refusal, Verdict, judge,
    judge_admitting,
};
use rpm_trust::{Distrust, SignatureState, SignedBy, Weakness};

fn signer() -> SignedBy {
    SignedBy {
        fingerprint: "00".repeat(20),
        key_id: "0011223344556677".into(),
        user_id: "Us".into(),
        made: 1,
        algorithm: "RSA/SHA256".into(),
    }
}

fn good() -> SignatureState {
    SignatureState::Good(signer())
}

fn not_trusted(why: Distrust) -> SignatureState {
    SignatureState::NotTrusted {
        key: signer(),
        why,
        also: Vec::new(),
    }
}

/// A package as rpm 4.16 and later build it, with this header signature.
fn modern(signature: Option<SignatureState>) -> Evidence {
    Evidence {
        signatures: signature
            .into_iter()
            .map(|state| (Covers::Header, state))
            .collect(),
        header_digest: DigestState::Good(DigestAlgo::Sha256),
        payload_digest: DigestState::Good(DigestAlgo::Sha256),
        header_payload_digest: DigestState::Good(DigestAlgo::Md5),
        bare_payload: None,
        file_digests: FileDigests::Algorithm(DigestAlgo::Sha256),
        malformed: Vec::new(),
    }
}

fn code(evidence: &Evidence, policy: Policy) -> String {
    judge(evidence, policy).code()
}

/// Both columns of the table.
fn columns(evidence: &Evidence) -> (String, String) {
    (
        code(evidence, Policy::GpgCheck),
        code(evidence, Policy::NoGpgCheck),
    )
}

fn both(strict: &str, relaxed: &str) -> (String, String) {
    (strict.into(), relaxed.into())
}

#[test]
fn broken_is_refused_without_override() {
    let bad = SignatureState::Bad {
        key_id: "1".into(),
        why: "x".into(),
    };
    let malformed = SignatureState::Malformed { why: "x".into() };
    for state in [bad, malformed] {
        let mut evidence = modern(Some(good()));
        evidence.signatures.push((Covers::Header, state));
        assert_eq!(
            columns(&evidence),
            both("refused:bad-signature", "refused:bad-signature")
        );
    }
    let mut evidence = modern(Some(good()));
    evidence.payload_digest = DigestState::Bad(DigestAlgo::Sha256);
    assert_eq!(
        columns(&evidence),
        both("refused:bad-digest", "refused:bad-digest")
    );
    let mut evidence = modern(None);
    evidence.malformed.push("tag 269 is no hex".into());
    assert_eq!(
        columns(&evidence),
        both("refused:malformed", "refused:malformed")
    );
}

#[test]
fn signed_and_covered() {
    let binding = |evidence: &Evidence| match judge(evidence, Policy::GpgCheck) {
        Verdict::Accepted(Acceptance::Signed { binding, .. }) => binding,
        other => panic!("{other:?}"),
    };
    let mut evidence = modern(Some(good()));
    assert_eq!(
        binding(&evidence),
        Binding::PayloadDigest(DigestAlgo::Sha256)
    );
    // EL7: no payload digest, SHA-256 file digests.
    evidence.payload_digest = DigestState::Absent;
    assert_eq!(binding(&evidence), Binding::FileDigests(DigestAlgo::Sha256));
    // MD5 file digests: only a signature over everything helps (row 14, rpm#1672).
    evidence.file_digests = FileDigests::Algorithm(DigestAlgo::Md5);
    let columns = columns(&evidence);
    assert_eq!(
        columns,
        both("refused:payload-not-covered", "waived:payload-not-covered")
    );
    evidence.signatures.push((Covers::HeaderAndPayload, good()));
    assert_eq!(binding(&evidence), Binding::WholeSignature);
    evidence.signatures.remove(0);
    assert_eq!(binding(&evidence), Binding::WholeSignature);
}

#[test]
fn unknown_key() {
    let evidence = modern(Some(SignatureState::NoKey {
        key_id: "89abcdef01234567".into(),
    }));
    assert_eq!(
        columns(&evidence),
        both("refused:unknown-key", "waived:unknown-key")
    );
    let text = judge(&evidence, Policy::GpgCheck).to_string();
    assert_eq!(text, "signed by unknown key 89abcdef01234567");
}

#[test]
fn not_trusted_key() {
    let expired = modern(Some(not_trusted(Distrust::KeyExpired { at: Some(9) })));
    assert_eq!(
        columns(&expired),
        both("refused:key-expired", "waived:key-expired")
    );
    let revoked = modern(Some(not_trusted(Distrust::KeyRevoked)));
    assert_eq!(
        columns(&revoked),
        both("refused:key-revoked", "refused:key-revoked")
    );
    let weak = modern(Some(not_trusted(Distrust::Weak {
        algorithm: "SHA1".into(),
        weakness: Some(Weakness::Sha1),
    })));
    assert_eq!(columns(&weak), both("refused:weak", "refused:weak"));
    // The expired one may not hide the revoked one.
    let mut two = modern(Some(not_trusted(Distrust::KeyExpired { at: None })));
    two.signatures
        .push((Covers::Header, not_trusted(Distrust::KeyRevoked)));
    assert_eq!(code(&two, Policy::NoGpgCheck), "refused:key-revoked");
}

#[test]
fn unsigned() {
    let mut evidence = modern(None);
    assert_eq!(
        columns(&evidence),
        both("refused:unsigned", "waived:unsigned")
    );
    assert!(judge(&evidence, Policy::NoGpgCheck).waived().is_some());
    // EL5: only SHA-1 and MD5.
    evidence.header_digest = DigestState::Good(DigestAlgo::Sha1);
    evidence.payload_digest = DigestState::Absent;
    let weak = both(
        "refused:unsigned-weak-digest",
        "waived:unsigned-weak-digest",
    );
    assert_eq!(columns(&evidence), weak);
    evidence.header_payload_digest = DigestState::Absent;
    assert_eq!(
        columns(&evidence),
        both("refused:unprotected", "refused:unprotected")
    );
    assert_eq!(
        judge(&evidence, Policy::NoGpgCheck),
        Verdict::Refused(Refusal::Unprotected)
    );
}

#[test]
fn one_good_of_two_is_enough() {
    let mut evidence = modern(Some(SignatureState::NoKey { key_id: "1".into() }));
    evidence.signatures.push((Covers::Header, good()));
    assert_eq!(columns(&evidence), both("signed", "signed"));
}

#[test]
fn what_is_admitted_counts_if_it_is_all_that_is_weak() {
    let weak = |algorithm: &str, weakness| Distrust::Weak {
        algorithm: algorithm.into(),
        weakness,
    };
    let state = |why, also| SignatureState::NotTrusted {
        key: signer(),
        why,
        also,
    };
    let (sha1, rsa) = (Some(Weakness::Sha1), Some(Weakness::Rsa1024));
    let expired = Distrust::KeyExpired { at: Some(9) };
    let photon = modern(Some(state(
        weak("SHA1", sha1),
        vec![weak("RSA1024", rsa), expired.clone()],
    )));
    let code = |evidence: &Evidence, admitted: &[Weakness]| {
        let admitted = admitted.iter().copied().collect();
        judge_admitting(evidence, Policy::GpgCheck, &admitted).code()
    };
    let all = Weakness::ALL;
    assert_eq!(code(&photon, &all), "signed-weak:sha1,rsa1024,expired");
    for missing in 0..3 {
        let some = [&all[..missing], &all[missing + 1..]].concat();
        assert_eq!(code(&photon, &some), "refused:weak");
    }
    // What no repository can admit.
    for never in [weak("MD2", None), Distrust::KeyRevoked] {
        let other = modern(Some(state(weak("SHA1", sha1), vec![never])));
        assert_eq!(code(&other, &all), "refused:weak");
    }
    // A signature without weakness counts before one with.
    let mut two = modern(Some(state(expired, Vec::new())));
    two.signatures.push((Covers::Header, good()));
    assert_eq!(code(&two, &all), "signed");
}
