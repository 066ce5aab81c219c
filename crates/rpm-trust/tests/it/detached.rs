//! `repomd.xml.asc`, rows 7-9, 21, 23 of docs/threats.md.

use rpm_trust::sign::{KeyAlgorithm, NewKey, SignatureHash, SigningKey};
use rpm_trust::{Distrust, Keyring, SignatureState, TrustError, verify_detached};

use testkit::fixtures::real;

use crate::fixtures::NOW;

const DATA: &[u8] = b"<repomd/>\n";
const DAY: u64 = 86_400;

pub(crate) fn key(user_id: &str, created: u64, lifetime: Option<u64>) -> SigningKey {
    let algorithm = KeyAlgorithm::Ed25519;
    let new = NewKey {
        user_id,
        algorithm,
        created,
        lifetime,
        signing_subkey: false,
    };
    SigningKey::generate(&new).unwrap()
}

pub(crate) fn ring(keys: &[&SigningKey]) -> Keyring {
    let mut keyring = Keyring::new();
    for key in keys {
        keyring
            .add_armored_or_binary(key.public_armored().unwrap().as_bytes())
            .unwrap();
    }
    keyring
}

fn packet(key: &SigningKey, data: &[u8]) -> Vec<u8> {
    key.sign_packet(data, NOW - DAY, SignatureHash::Sha256)
        .unwrap()
}

/// docs/threats.md, row 8.
#[test]
fn repomd_asc_other_key() {
    let (ours, other) = (
        key("ours", NOW - 9 * DAY, None),
        key("other", NOW - 9 * DAY, None),
    );
    let keyring = ring(&[&ours]);
    let signature = other.sign_detached(DATA, NOW - DAY).unwrap();
    let outcome = verify_detached(&keyring, signature.as_bytes(), DATA, NOW).unwrap();
    assert!(outcome.accepted().is_none());
    let text = outcome.explain(&keyring).unwrap();
    assert!(
        text.contains(&ours.key_id()) && text.contains(&other.key_id()),
        "{text}"
    );
}

/// docs/threats.md, row 9.
#[test]
fn repomd_two_sigs() {
    let (ours, other) = (
        key("ours", NOW - 9 * DAY, None),
        key("other", NOW - 9 * DAY, None),
    );
    let good_and_unknown = [packet(&ours, DATA), packet(&other, DATA)].concat();
    let outcome = verify_detached(&ring(&[&ours]), &good_and_unknown, DATA, NOW).unwrap();
    assert_eq!(outcome.accepted().unwrap().fingerprint, ours.fingerprint());

    let good_and_bad = [packet(&ours, DATA), packet(&other, b"else")].concat();
    let outcome = verify_detached(&ring(&[&ours, &other]), &good_and_bad, DATA, NOW).unwrap();
    assert!(outcome.accepted().is_none());
    assert!(matches!(
        outcome.refusal(),
        Some(SignatureState::Bad { .. })
    ));
}

/// docs/threats.md, row 21.
#[test]
fn clearsign_prefix_suffix() {
    let ours = key("ours", NOW - 9 * DAY, None);
    let keyring = ring(&[&ours]);
    let signature = ours.sign_detached(DATA, NOW - DAY).unwrap();
    let verify = |text: &str| verify_detached(&keyring, text.as_bytes(), DATA, NOW);
    assert!(verify(&signature).unwrap().accepted().is_some());
    assert!(
        verify(&format!("\n{signature}\n\n"))
            .unwrap()
            .accepted()
            .is_some()
    );
    assert_eq!(
        verify(&format!("x\n{signature}")),
        Err(TrustError::TextOutsideArmor)
    );
    assert_eq!(
        verify(&format!("{signature}x")),
        Err(TrustError::TextOutsideArmor)
    );
    let clear = format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nhi\n{signature}");
    assert!(matches!(
        verify(&clear),
        Err(TrustError::NotDetached { .. })
    ));
    let public = ours.public_armored().unwrap();
    assert!(matches!(
        verify(&public),
        Err(TrustError::NotDetached { .. })
    ));
    assert!(matches!(verify(""), Err(TrustError::NotDetached { .. })));
    assert!(matches!(
        verify("<html>404</html>"),
        Err(TrustError::NotDetached { .. })
    ));
}

/// docs/threats.md, row 23.
#[test]
fn key_expired_revoked_future() {
    let state = |key: &SigningKey, made: u64| {
        let signature = key.sign_detached(DATA, made).unwrap();
        let outcome = verify_detached(&ring(&[key]), signature.as_bytes(), DATA, NOW).unwrap();
        outcome.signatures[0].clone()
    };
    let why = |state: SignatureState| match state {
        SignatureState::NotTrusted { why, .. } => why,
        other => panic!("{other:?}"),
    };
    let short = key("short", NOW - 10 * DAY, Some(5 * DAY));
    // Metadata must be fresh: signed while the key lived, but it is dead now.
    assert!(matches!(
        why(state(&short, NOW - 8 * DAY)),
        Distrust::KeyExpired { .. }
    ));
    assert!(matches!(
        why(state(&short, NOW - 2 * DAY)),
        Distrust::KeyExpired { .. }
    ));
    let tomorrow = key("tomorrow", NOW + DAY, None);
    assert!(matches!(
        why(state(&tomorrow, NOW + DAY)),
        Distrust::FromFuture { .. }
    ));
    let revoked = key("revoked", NOW - 10 * DAY, None).revoke(NOW).unwrap();
    assert_eq!(why(state(&revoked, NOW - 8 * DAY)), Distrust::KeyRevoked);
}

#[test]
fn real_repositories() {
    let Some(real) = real() else { return };
    let read = |path: &str| std::fs::read(real.join(path)).unwrap();
    let judge = |key: &str, folder: &str| {
        let mut keyring = Keyring::new();
        keyring.add_armored_or_binary(&read(key)).unwrap();
        let signature = read(&format!("{folder}/repodata/repomd.xml.asc"));
        let data = read(&format!("{folder}/repodata/repomd.xml"));
        verify_detached(&keyring, &signature, data.as_slice(), NOW).unwrap()
    };
    let suse = "openSUSE+libzypp/zypp/tests/data/11.0-update";
    let outcome = judge(&format!("{suse}/repodata/repomd.xml.key"), suse);
    assert!(matches!(
        outcome.refusal(),
        Some(SignatureState::NotTrusted {
            why: Distrust::Weak { .. },
            ..
        })
    ));
    let base = "openSUSE+libzypp/zypp/tests/repo/RepoSigcheck";
    let signed = format!("{base}/signed_repo");
    let outcome = judge(&format!("{signed}/repodata/repomd.xml.key"), &signed);
    println!("signed_repo: {:?}", outcome.signatures);
    assert!(!outcome.signatures.iter().any(SignatureState::is_broken));
    let wrong = format!("{base}/wrongsig_repo");
    let outcome = judge(&format!("{wrong}/repodata/repomd.xml.key"), &wrong);
    assert!(outcome.accepted().is_none(), "{outcome:?}");
}
