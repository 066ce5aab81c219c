//! Row 25: a package file is exchanged between its verification and its installation.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// A package that carries no digest at all: a signature over header and payload is all that speaks for it.
fn bare(scene: &Scene) -> RpmFile {
    let digests = [
        tag::PAYLOAD_DIGEST,
        tag::PAYLOAD_DIGEST_ALGO,
        tag::PAYLOAD_DIGEST_ALT,
        tag::FILE_DIGESTS,
        tag::FILE_DIGEST_ALGO,
    ];
    let mut file = package("app", "1", "").edit(|items| {
        items.retain(|item| !digests.contains(&item.tag));
    });
    let whole = [file.header.as_slice(), &file.payload].concat();
    let made = testkit::now() - 60;
    let packet = scene
        .key
        .sign_packet(&whole[..], made, SignatureHash::Sha256);
    file.signature.retain(|item| item.tag == tag::SIG_SIZE);
    replace(
        &mut file.signature,
        Item::bytes(tag::SIG_GPG, &packet.unwrap()),
    );
    file
}

#[test]
fn row_25_a_payload_that_only_a_signature_covers() {
    let scene = Scene::new();
    let app = bare(&scene);
    let mut evil = app.clone();
    evil.payload = RpmFile::read(&spec_of("app", "1", &noise(30_001)[1..]).build()).payload;
    assert_ne!(evil.payload, app.payload);
    let local = scene.write("local/app.rpm", app.bytes());
    let next = scene.write("local/next", evil.bytes());
    let conf = scene.write("etc/tdnf.conf", "[main]\ngpgcheck=1\n");
    let hook = scene.write(
        "etc/hooks.d/pre-transaction/10-exchange",
        format!(
            "#!/bin/sh\ntest ! -e {1} || mv {1} {0}\n",
            local.display(),
            next.display()
        ),
    );
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let key = scene.path("keys/scene.asc").display().to_string();
    scene.tdnf(&["-y", "keys", "import", &key]).ok();
    let (conf, local) = (conf.to_str().unwrap(), local.to_str().unwrap());
    let words = ["-c", conf, "-y", "install", local];
    scene.refuses(&words, &["app-1", "digest of the package does not match"]);
    assert!(!next.exists(), "the file was exchanged while tdnf ran");
    scene.refuses(&words, &["app", "bad signature"]);
    fs::write(local, app.bytes()).unwrap();
    scene.tdnf(&words).ok();
    assert_eq!(scene.installed(), ["app-1", "first-1"]);
}
