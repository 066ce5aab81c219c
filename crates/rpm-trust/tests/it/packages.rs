//! Every real package: our verdict on its signatures against rpm 4.18's.

use std::io::Read;

use rpm_pkg::package::Covers;
use rpm_trust::{Keyring, SignatureState, verify_package_signature};

use testkit::fixtures::real;

use crate::fixtures::{Cut, NOW, all_keys, cut};

fn states(keyring: &Keyring, cut: &Cut) -> Vec<SignatureState> {
    cut.items
        .iter()
        .map(|item| {
            let payload: &[u8] = match item.covers {
                Covers::Header => &[],
                _ => &cut.payload,
            };
            let data = cut.header.chain(payload);
            verify_package_signature(keyring, &item.packet, data, NOW).unwrap()
        })
        .collect()
}

/// One word for all signatures of a package.
fn summary(states: &[SignatureState]) -> String {
    let mut codes: Vec<&str> = states.iter().map(SignatureState::code).collect();
    codes.sort_unstable();
    codes.dedup();
    if codes.is_empty() {
        "none".into()
    } else {
        codes.join("+")
    }
}

/// Where we differ from rpm 4.18's `rpmkeys -Kv` and why. Suffix of the path, rpm's word, ours.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    // SHA-1 proves nothing over data any more: stricter than rpm 4.18's own parser.
    (
        "libproxy-bin-0.3.0-4.el6_3.x86_64.rpm",
        "OK",
        "weak",
        "SHA-1 data signature",
    ),
    (
        "python-ipaddress-1.0.16-3.el7.noarch.rpm",
        "OK",
        "weak",
        "SHA-1 data signature",
    ),
    // rpm 4.18 on Debian has no ECDSA and no version 6: it cannot tell, we can.
    (
        "rpm-basic-with-ecdsa-2.3.4-5.el9.noarch.rpm",
        "BAD",
        "good",
        "rpm lacks ECDSA",
    ),
    (
        "rpm-basic-multiple-signatures-2.3.4-5.el9.noarch.rpm",
        "none",
        "good",
        "rpm lacks v6",
    ),
    (
        "rpm-basic-with-ed25519-2.3.4-5.el9.noarch.rpm",
        "none",
        "good",
        "rpm lacks v6",
    ),
    (
        "rpm-basic-with-mldsa65-ed25519-2.3.4-5.el9.noarch.rpm",
        "none",
        "good",
        "rpm lacks v6",
    ),
    (
        "rpm-basic-with-rsa4k-2.3.4-5.el9.noarch.rpm",
        "none",
        "good",
        "rpm lacks v6",
    ),
    // rpm 4.18 refuses to import a key with a revoked or expired subkey; we take it and judge it.
    (
        "hello-2.0-1.x86_64-signed-with-new-subkey.rpm",
        "NOKEY",
        "good",
        "key imported",
    ),
    (
        "hello-2.0-1.x86_64-signed-with-subkey.rpm",
        "NOKEY",
        "key-revoked",
        "key imported",
    ),
    // Headers without their payload: rpm counts the digests in, here only signatures are asked.
    (
        "FaxMail-2.3-12mdv2007.0.src.rpm",
        "BAD/NOKEY",
        "no-key",
        "payload cut, digest BAD",
    ),
    (
        "fping-2.4b2-7.el4.asp101.src.rpm",
        "BAD/NOKEY",
        "no-key",
        "payload cut, digest BAD",
    ),
    (
        "perl-CGI-3.42-8.src.rpm",
        "BAD/NOKEY",
        "no-key",
        "payload cut, digest BAD",
    ),
    (
        "perl-Crypt-IDEA-1.08-2.fc10.src.rpm",
        "BAD/NOKEY",
        "no-key",
        "payload cut, digest BAD",
    ),
    (
        "mdv-rpm-summary-0.9.3-1mdv2010.0.noarch.rpm",
        "BAD/NOTFOUND/OK",
        "no-key",
        "cut; no key",
    ),
    (
        "apache-commons-io-2.4-12.el7.noarch.rpm",
        "BAD/NOTFOUND/OK",
        "bad+good",
        "payload cut",
    ),
    (
        "signed_broken.rpm",
        "BAD/NOTFOUND/OK",
        "bad+good",
        "payload altered",
    ),
    (
        "fping-2.4b2-114.1.ppc.rpm",
        "BAD/NOTFOUND/OK",
        "bad+weak",
        "payload cut, SHA-1",
    ),
    (
        "fxload-2002_04_11-212.1.src.rpm",
        "BAD/NOTFOUND/OK",
        "bad+weak",
        "payload cut, SHA-1",
    ),
    (
        "hello-2.0-1.x86_64-corrupted.rpm",
        "NOTFOUND/OK",
        "good",
        "payload digest says it",
    ),
    ("misc/hello.intro", "?", "none", "not a whole package"),
];

fn expected(path: &str, rpm: &str, ours: &str) -> bool {
    let same = matches!(
        (rpm, ours),
        ("OK", "good") | ("NOKEY", "no-key") | ("none", "none") | ("BAD", "bad")
    );
    same || DIFFERENCES.iter().any(|(suffix, theirs, mine, why)| {
        let known = path.ends_with(suffix) && rpm == *theirs && ours == *mine;
        if known {
            println!("{path}: rpm {rpm}, ours {ours}: {why}");
        }
        known
    })
}

#[test]
fn verdicts_equal_rpm_except_where_stricter() {
    let Some(real) = real() else { return };
    let keyring = all_keys(&real);
    let table = std::fs::read_to_string(real.with_file_name("RPMS.tsv")).unwrap();
    let (mut checked, mut wrong) = (0, Vec::new());
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (path, rpm) = (fields[0], fields[7]);
        let Some(cut) = cut(&std::fs::read(real.join(path)).unwrap()) else {
            continue;
        };
        let states = states(&keyring, &cut);
        let ours = summary(&states);
        checked += 1;
        if !expected(path, rpm, &ours) {
            wrong.push(format!("{path}: rpm {rpm}, ours {ours}: {states:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 330, "{checked} packages");
}

#[test]
fn flipped_header_byte_is_bad() {
    let Some(real) = real() else { return };
    let keyring = all_keys(&real);
    let path = real.join("Lemric+photon-php/x86_64/libzip-1.11.4-1.photon5.x86_64.rpm");
    let mut cut = cut(&std::fs::read(path).unwrap()).unwrap();
    assert!(states(&keyring, &cut)[0].is_good());
    cut.header[1000] ^= 1;
    assert!(matches!(
        states(&keyring, &cut)[0],
        SignatureState::Bad { .. }
    ));
}
