//! Damaged keys and signatures never stop the program and never verify.

use std::time::{Duration, Instant};

use fastrand::Rng;
use rpm_trust::sign::SignatureHash;
use rpm_trust::{Keyring, SignatureState, read_keys, verify_detached, verify_package_signature};

use crate::detached::{key, ring};
use crate::fixtures::NOW;

/// All of them together take no longer: none loops.
const PATIENCE: Duration = Duration::from_secs(120);

fn damage(random: &mut Rng, data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    for _ in 0..=random.usize(..3) {
        let at = random.usize(..data.len());
        match random.usize(..4) {
            0 => data.truncate(at.max(1)),
            1 => data.insert(at, random.u8(..)),
            _ => data[at] ^= 1 << random.usize(..8),
        }
    }
    data
}

/// docs/threats.md, row 24.
#[test]
fn damaged_signatures() {
    let signer = key("signer", NOW - 1000, None);
    let keyring = ring(&[&signer]);
    let data = b"header bytes";
    let packet = signer
        .sign_packet(&data[..], NOW - 10, SignatureHash::Sha256)
        .unwrap();
    let text = signer.sign_detached(&data[..], NOW - 10).unwrap();
    let mut random = Rng::with_seed(42);
    let began = Instant::now();
    for _ in 0..4000 {
        let state =
            verify_package_signature(&keyring, &damage(&mut random, &packet), &data[..], NOW);
        // Unhashed parts may change without harm: what still verifies is the same signer.
        if let SignatureState::Good(by) = state.unwrap() {
            assert_eq!(by.fingerprint, signer.fingerprint());
        }
        let altered = damage(&mut random, data);
        if altered != data {
            let state = verify_package_signature(&keyring, &packet, &altered[..], NOW).unwrap();
            assert!(!state.is_good());
        }
        let state = verify_detached(
            &keyring,
            &damage(&mut random, text.as_bytes()),
            &data[..],
            NOW,
        );
        if let Some(by) = state.as_ref().ok().and_then(|outcome| outcome.accepted()) {
            assert_eq!(by.fingerprint, signer.fingerprint());
        }
        assert!(began.elapsed() < PATIENCE);
    }
}

/// docs/threats.md, row 24.
#[test]
fn damaged_keys() {
    let signer = key("signer", NOW - 1000, None);
    let armored = signer.public_armored().unwrap();
    let binary = read_keys(armored.as_bytes(), NOW)
        .unwrap()
        .keys
        .remove(0)
        .binary;
    let packet = signer
        .sign_packet(&b"text"[..], NOW - 10, SignatureHash::Sha256)
        .unwrap();
    let mut random = Rng::with_seed(7);
    let (began, mut taken) = (Instant::now(), 0);
    for _ in 0..3000 {
        for file in [
            damage(&mut random, &binary),
            damage(&mut random, armored.as_bytes()),
        ] {
            // Whatever is read of it: what our signer signed verifies by no other key.
            let mut keyring = Keyring::new();
            let Ok(added) = keyring.add_armored_or_binary(&file) else {
                continue;
            };
            taken += 1;
            assert_eq!(added.len(), keyring.len());
            if let SignatureState::Good(by) =
                verify_package_signature(&keyring, &packet, &b"text"[..], NOW).unwrap()
            {
                assert_eq!(by.fingerprint, signer.fingerprint());
            }
        }
        assert!(began.elapsed() < PATIENCE);
    }
    assert!(taken > 0);
}
