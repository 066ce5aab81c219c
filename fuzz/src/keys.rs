//! Key files and signatures beside an index.
//!
//! Input: a first byte of 0: a key file; of 1: a signature; of anything else: edits of a good key file, whose bytes
//! are then in armour.

use std::sync::OnceLock;

use rpm_trust::{Keyring, MAX_KEYS_PER_FILE, read_keys, verify_detached};

/// When keys and signatures are looked at, seconds since 1970: the key is a month old then.
const NOW: u64 = 1_801_440_000;
/// A public key of gpg (`--quick-gen-key ... ed25519 sign never`), the private half of which was thrown away.
const KEY: &[u8] = include_bytes!("../key.asc");
/// The one text that it signed, and the signature.
const SIGNED: &[u8] = b"<repomd/>";
const SIGNATURE: &[u8] = include_bytes!("../signature.asc");

struct Good {
    fingerprint: String,
    binary: Vec<u8>,
    ring: Keyring,
}

fn good() -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(|| {
        let mut ring = Keyring::new();
        let added = ring.add_armored_or_binary(KEY).expect("a good key");
        let outcome = verify_detached(&ring, SIGNATURE, SIGNED, NOW).expect("a signature");
        assert!(outcome.accepted().is_some(), "{:?}", outcome.explain(&ring));
        let read = read_keys(KEY, NOW).expect("a good key");
        Good {
            fingerprint: added[0].clone(),
            binary: read.keys[0].binary.clone(),
            ring,
        }
    })
}

/// One input.
pub fn run(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else {
        return;
    };
    match form {
        0 => key_file(rest),
        1 => signature(rest),
        _ => key_file(&super::edited(good().binary.clone(), rest)),
    }
}

fn key_file(data: &[u8]) {
    let Ok(read) = read_keys(data, NOW) else {
        return;
    };
    assert!(!read.keys.is_empty() && read.keys.len() <= MAX_KEYS_PER_FILE);
    for key in &read.keys {
        // What is stored of a key is that key.
        let again = read_keys(&key.binary, NOW).expect("what was taken can be read");
        assert_eq!(again.keys[0].fingerprint, key.fingerprint);
        assert!(read_keys(key.armored().as_bytes(), NOW).is_ok());
        let _ = key.state(NOW);
    }
    let mut ring = Keyring::new();
    if ring.add_armored_or_binary(data).is_ok() {
        let by = verify_detached(&ring, SIGNATURE, SIGNED, NOW);
        if let Ok(outcome) = &by
            && let Some(by) = outcome.accepted()
        {
            assert_eq!(by.fingerprint, good().fingerprint);
        }
    }
}

/// Nobody has signed this text.
fn signature(data: &[u8]) {
    if let Ok(outcome) = verify_detached(&good().ring, data, &b"<repomd>another</repomd>"[..], NOW)
    {
        assert!(outcome.accepted().is_none());
        let _ = outcome.explain(&good().ring);
    }
}
