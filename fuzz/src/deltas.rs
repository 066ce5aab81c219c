//! Deltas of metadata and their index, as a stranger may offer them.
//!
//! Input: behind a first byte of 0 an index; of 1 a delta; of 2 the body of one, which is packed behind a
//! good header here; of anything else two texts, cut in the middle, between which one is made.

use std::io::Write;

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rpm_repo::compress::Expected;
use rpm_repo::delta;

const OLD: &[u8] = b"<a>1</a>\n<b>2</b>\n<c>3</c>\n";
/// Most bytes that the wanted file has.
const LIMIT: u64 = 1 << 20;

fn sum(bytes: &[u8]) -> Digest {
    Hasher::digest(DigestAlgo::Sha256, bytes)
}

/// One input.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    match kind {
        0 => index(rest),
        1 => apply(rest),
        2 => apply(&crafted(rest)),
        _ => round_trip(rest),
    }
}

fn index(data: &[u8]) {
    let Ok(offers) = delta::parse(data) else {
        return;
    };
    for offer in &offers {
        assert!(offer.href.as_str().starts_with("repodata/deltas/"));
        assert!(!offer.href.as_str().contains(".."));
    }
    let written = delta::to_bytes(&offers).expect("it can be written");
    if written.len() as u64 <= delta::MAX_INDEX {
        let again = delta::parse(&written).expect("what is written can be read");
        assert_eq!(again.len(), offers.len());
    }
}

/// Whatever it holds: nothing comes out but the wanted file, and never more than its size.
fn apply(delta: &[u8]) {
    let expected = Expected {
        size: Some(LIMIT),
        checksum: Some(sum(b"wanted")),
        ..Expected::default()
    };
    let mut out = Vec::new();
    assert!(delta::apply(OLD, delta, &expected, &mut out).is_err());
    assert!(out.len() as u64 <= LIMIT);
}

fn crafted(body: &[u8]) -> Vec<u8> {
    let (from, to) = (sum(OLD), sum(b"wanted"));
    let mut bytes =
        format!("repodata-delta 1\nfrom {from}\nto {to}\nopen-size {LIMIT}\npacking plain\n\n")
            .into_bytes();
    bytes.extend(zstd::encode_all(body, 1).expect("memory"));
    bytes
}

fn round_trip(data: &[u8]) {
    let (old, new) = data.split_at(data.len() / 2);
    let stored = |text: &[u8]| {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text).expect("a file");
        file
    };
    let (old_file, new_file) = (stored(old), stored(new));
    let file = |stored: &tempfile::NamedTempFile, text: &[u8]| {
        let open = std::fs::File::open(stored.path()).unwrap();
        delta::File::new(open, sum(text))
    };
    let (old_side, new_side) = (file(&old_file, old), file(&new_file, new));
    let to = sum(new);
    let mut made = Vec::new();
    // What begins like something packed may be damaged.
    if delta::make(&old_side, &new_side, &mut made).is_err() {
        return;
    }
    let expected = Expected {
        size: Some(new.len() as u64),
        checksum: Some(to),
        ..Expected::default()
    };
    let mut out = Vec::new();
    delta::apply(old, &made[..], &expected, &mut out).expect("what was made can be carried out");
    assert_eq!(out, new);
}
