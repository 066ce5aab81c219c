//! gpg and rpm on the other side.

use std::process::{Command, Output};

use rpm_trust::sign::{KeyAlgorithm, NewKey, SignatureHash, SigningKey};
use rpm_trust::{Keyring, SignatureState, verify_detached, verify_package_signature};
use testkit::gpg::Gpg;
use testkit::rpm::Rpm;
use testkit::spec::Spec;

use crate::fixtures::{NOW, cut};

const DATA: &[u8] = b"what is signed";

fn succeeds(output: Output) -> Output {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[test]
fn gpg_signs_we_verify() {
    for algorithm in ["rsa3072", "dsa2048", "ed25519", "nistp256", "nistp384"] {
        let home = tempfile::tempdir().unwrap();
        let gpg = Gpg::at(home.path());
        let file = home.path().join("data");
        std::fs::write(&file, DATA).unwrap();
        gpg.ok(&["--quick-gen-key", "gpg <g@example.org>", algorithm, "sign"]);
        let public = gpg.bytes(&["--armor", "--export"]);
        let mut keyring = Keyring::new();
        keyring.add_armored_or_binary(&public).unwrap();
        let name = file.to_str().unwrap();
        let sign = ["--armor", "--output", "-", "--detach-sign", name];
        let text = gpg.bytes(&sign);
        let outcome = verify_detached(&keyring, &text, DATA, testkit::now()).unwrap();
        assert!(outcome.accepted().is_some(), "{algorithm}: {outcome:?}");
        let outcome = verify_detached(&keyring, &text, &b"else"[..], testkit::now()).unwrap();
        assert!(
            matches!(outcome.refusal(), Some(SignatureState::Bad { .. })),
            "{algorithm}"
        );

        // The other algorithms make gpg take a longer hash or refuse.
        if algorithm == "rsa3072" {
            let sign = [
                "--digest-algo",
                "SHA1",
                "--output",
                "-",
                "--detach-sign",
                name,
            ];
            let weak = gpg.bytes(&sign);
            let state = verify_package_signature(&keyring, &weak, DATA, testkit::now()).unwrap();
            assert_eq!(state.code(), "weak", "{algorithm}: {state}");
        }

        let clear = gpg.bytes(&["--output", "-", "--clearsign", name]);
        assert!(verify_detached(&keyring, &clear, DATA, testkit::now()).is_err());
        let inline = gpg.bytes(&["--output", "-", "--sign", name]);
        assert!(verify_detached(&keyring, &inline, DATA, testkit::now()).is_err());
    }
}

#[test]
fn we_sign_gpg_verifies() {
    let now = testkit::now();
    for (algorithm, subkey) in [
        (KeyAlgorithm::Rsa2048, false),
        (KeyAlgorithm::Ed25519, true),
        (KeyAlgorithm::NistP256, false),
    ] {
        let home = tempfile::tempdir().unwrap();
        let new = NewKey {
            user_id: "Us <us@example.org>",
            algorithm,
            created: now - 100,
            lifetime: None,
            signing_subkey: subkey,
        };
        let key = SigningKey::generate(&new).unwrap();
        let (public, data, signature) = (
            home.path().join("key"),
            home.path().join("data"),
            home.path().join("data.asc"),
        );
        std::fs::write(&public, key.public_armored().unwrap()).unwrap();
        std::fs::write(&data, DATA).unwrap();
        std::fs::write(&signature, key.sign_detached(DATA, now - 5).unwrap()).unwrap();
        let gpg = Gpg::at(home.path());
        gpg.ok(&["--import", public.to_str().unwrap()]);
        let files = [
            "--verify",
            signature.to_str().unwrap(),
            data.to_str().unwrap(),
        ];
        gpg.ok(&files);
        // The private key survives its own text.
        let again = SigningKey::from_armored(key.private_armored().unwrap().as_bytes()).unwrap();
        assert_eq!(again.fingerprint(), key.fingerprint());
        let packet = again
            .sign_packet(DATA, now - 5, SignatureHash::Sha512)
            .unwrap();
        let mut keyring = Keyring::new();
        keyring
            .add_armored_or_binary(key.public_armored().unwrap().as_bytes())
            .unwrap();
        assert!(
            verify_package_signature(&keyring, &packet, DATA, now)
                .unwrap()
                .is_good()
        );
        let private = key.private_armored().unwrap();
        assert!(
            Keyring::new()
                .add_armored_or_binary(private.as_bytes())
                .is_err()
        );
    }
}

#[test]
fn rpm_imports_our_key_and_lists_it() {
    let home = tempfile::tempdir().unwrap();
    let new = NewKey {
        user_id: "Us <us@example.org>",
        algorithm: KeyAlgorithm::Rsa2048,
        created: NOW - 100_000_000,
        lifetime: None,
        signing_subkey: false,
    };
    let key = SigningKey::generate(&new).unwrap();
    let file = home.path().join("key");
    std::fs::write(&file, key.public_armored().unwrap()).unwrap();
    let db = home.path().join("db");
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .arg("--dbpath")
            .arg(&db)
            .args(arguments)
            .output();
        succeeds(output.expect("rpm is installed")).stdout
    };
    run("rpmkeys", &["--import", file.to_str().unwrap()]);
    let tags = run(
        "rpm",
        &[
            "-q",
            "gpg-pubkey",
            "--qf",
            "%{VERSION} %{PACKAGER} [%{PUBKEYS}]",
        ],
    );
    let facts = rpm_trust::read_keys(&std::fs::read(&file).unwrap(), NOW)
        .unwrap()
        .keys
        .remove(0);
    let tags = String::from_utf8(tags).unwrap();
    let expected = format!(
        "{} Us <us@example.org> {}",
        facts.short_id(),
        facts.base64()
    );
    assert_eq!(tags.trim_end(), expected.trim_end());
}

/// A signature header that holds one header signature and the header's SHA-256.
fn signature_header(tag: u32, packet: &[u8], sha256: &str) -> Vec<u8> {
    let digest = [sha256.as_bytes(), b"\0"].concat();
    let store = [packet, &digest].concat();
    let number = |value: usize| u32::try_from(value).unwrap().to_be_bytes();
    let entry = |tag: u32, kind: u32, offset: [u8; 4], count: usize| {
        [tag.to_be_bytes(), kind.to_be_bytes(), offset, number(count)].concat()
    };
    // The region entry points at its trailer behind the data: minus the size of three entries.
    let trailer = entry(62, 7, (-48_i32).to_be_bytes(), 16);
    let mut header = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
    header.extend(number(3));
    header.extend(number(store.len() + 16));
    header.extend(entry(62, 7, number(store.len()), 16));
    header.extend(entry(tag, 7, number(0), packet.len()));
    header.extend(entry(273, 6, number(packet.len()), 1));
    header.extend(store);
    header.extend(trailer);
    header.resize(header.len().next_multiple_of(8), 0);
    header
}

#[test]
fn rpm_verifies_packages_that_we_sign() {
    let package = std::fs::read(Spec::new("t", "1").files("").build()).unwrap();
    let parts = cut(&package).unwrap();
    for algorithm in [KeyAlgorithm::Rsa2048, KeyAlgorithm::Ed25519] {
        let now = testkit::now();
        let new = NewKey {
            user_id: "Us <us@example.org>",
            algorithm,
            created: now - 100,
            lifetime: None,
            signing_subkey: false,
        };
        let key = SigningKey::generate(&new).unwrap();
        let packet = key
            .sign_packet(&parts.header[..], now - 5, SignatureHash::Sha256)
            .unwrap();
        let home = tempfile::tempdir().unwrap();
        let header = home.path().join("header");
        std::fs::write(&header, &parts.header).unwrap();
        let sum = succeeds(Command::new("sha256sum").arg(&header).output().unwrap()).stdout;
        let sum = String::from_utf8(sum).unwrap();
        let tag = if key.is_rsa() { 268 } else { 267 };
        let signature = signature_header(tag, &packet, sum.split(' ').next().unwrap());
        let signed = [&package[..96], &signature, &parts.header, &parts.payload].concat();
        let (file, public) = (home.path().join("t.rpm"), home.path().join("key"));
        std::fs::write(&file, signed).unwrap();
        std::fs::write(&public, key.public_armored().unwrap()).unwrap();
        let rpmkeys = |arguments: [&std::ffi::OsStr; 2]| {
            let rpm = Rpm::on_db(&home.path().join("db"));
            rpm.program_ok("rpmkeys", &arguments)
        };
        rpmkeys(["--import".as_ref(), public.as_os_str()]);
        let said = rpmkeys(["-Kv".as_ref(), file.as_os_str()]);
        let line = said
            .lines()
            .find(|line| line.contains("Signature"))
            .unwrap_or_default();
        assert!(line.ends_with(": OK"), "{said}");
    }
}
