//! Signed packages and the keys that repositories offer for them.

use std::fs;

use testkit::fixtures::unprivileged;
use testkit::gpg::Gpg;
use testkit::rpm::createrepo;

use super::{Site, plain};

/// A throw-away gpg key; its public half is in `NAME.asc` of the site.
fn make_key(site: &Site, name: &str) -> Gpg {
    let user = format!("{name} <{name}@tests.invalid>");
    let gpg = Gpg::with_key(&site.path(&format!("gpg-{name}")), &user);
    site.write(&format!("{name}.asc"), gpg.public());
    gpg
}

fn signed_site() -> Option<Site> {
    if unprivileged() {
        return None;
    }
    let site = Site::with(&[]);
    let right = make_key(&site, "right");
    make_key(&site, "other");
    let file = site.add(&plain("alpha", "1.0"));
    right.sign_package("right@tests.invalid", &file);
    createrepo::<&str>(&site.path("repo"), &[]);
    Some(site)
}

fn use_keys(site: &Site, urls: &[String]) {
    let keys = format!("gpgcheck=1\ngpgkey={}", urls.join(" "));
    site.write("repos.d/test.repo", site.repo_text(&keys));
}

/// docs/threats.md, rows 10 and 13.
#[test]
fn only_a_key_that_verifies_the_package_is_imported() {
    let Some(site) = signed_site() else { return };
    let url = |name: &str| format!("file://{}", site.path(&format!("{name}.asc")).display());

    use_keys(&site, &[]);
    let ran = site.run(&["-y", "install", "alpha"]);
    assert_eq!(ran.code, 1523 % 256, "{ran:?}");

    use_keys(&site, &[url("other")]);
    let line = "Error(1514) : RPM is signed but failed to match with known keys. Use --nogpgcheck to ignore.";
    site.run(&["-y", "install", "alpha"]).fails(234, line);

    use_keys(&site, &["http://127.0.0.1:9/right.asc".to_owned()]);
    let line = "Error(1508) : GpgKey Url schemes other than file are not supported";
    site.run(&["-y", "install", "alpha"])
        .fails(1508 % 256, line);
    assert!(
        site.rpm_names().is_empty(),
        "nothing was imported or installed"
    );

    use_keys(&site, &[url("other"), url("right")]);
    let ran = site.run(&["-y", "install", "alpha"]).ok();
    assert!(
        ran.err
            .contains("    User id     : right <right@tests.invalid>\n    Fingerprint : "),
        "{ran:?}"
    );
    assert!(!ran.err.contains("other@tests.invalid"), "{ran:?}");
    let names = site.rpm(&["-qa", "--qf", "%{NAME} %{SUMMARY}\\n", "gpg-pubkey"]);
    assert_eq!(names, "gpg-pubkey right <right@tests.invalid> public key\n");

    let again = site.run(&["-y", "reinstall", "alpha"]).ok();
    assert!(
        !again.out.contains("importing key"),
        "the stored key is used: {again:?}"
    );
}

#[test]
fn a_changed_byte_of_a_signed_package_is_refused() {
    let Some(site) = signed_site() else { return };
    use_keys(
        &site,
        &[format!("file://{}", site.path("right.asc").display())],
    );
    let file = site.path("repo/alpha-1.0-1.noarch.rpm");
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    // The index is made of the changed file: its checksum fits.
    createrepo::<&str>(&site.path("repo"), &[]);
    for words in [
        &["-y", "install", "alpha"][..],
        &["-y", "--nogpgcheck", "install", "alpha"],
    ] {
        let ran = site.run(words);
        assert_eq!(ran.code, 1472 % 256, "{ran:?}");
        assert!(ran.err.contains("digest of payload is wrong"), "{ran:?}");
    }
    assert!(site.rpm_names().is_empty());
}
