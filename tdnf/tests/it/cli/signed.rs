//! Signed packages and the keys that repositories offer for them.

use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::fixtures::unprivileged;
use testkit::rpm::createrepo;

use super::{Site, plain};

/// A throw-away gpg key; its public half is in `NAME.asc` of the site.
fn make_key(site: &Site, name: &str) {
    let home = site.path(&format!("gpg-{name}"));
    fs::create_dir_all(&home).expect("the site is ours");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&home, mode).expect("the site is ours");
    let mail = format!("{name}@tests.invalid");
    let user = format!("{name} <{mail}>");
    gpg(&home, &["--quick-gen-key", &user, "rsa2048", "sign", "0"]);
    let public = gpg(&home, &["--armor", "--export", &mail]);
    site.write(&format!("{name}.asc"), &public);
}

fn gpg(home: &Path, words: &[&str]) -> String {
    let output = Command::new("gpg")
        .args([
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
            "--homedir",
        ])
        .arg(home)
        .args(words)
        .output()
        .expect("gpg runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("the site is ours")
}

fn sign(site: &Site, name: &str, file: &Path) {
    let output = Command::new("rpmsign")
        .arg("--define")
        .arg(format!("_gpg_name {name}@tests.invalid"))
        .arg("--define")
        .arg(format!(
            "_gpg_path {}",
            site.path(&format!("gpg-{name}")).display()
        ))
        .args(["--define", "__gpg /usr/bin/gpg", "--addsign"])
        .arg(file)
        .output()
        .expect("rpmsign runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // The agent would outlive the test.
    let home = site.path(&format!("gpg-{name}"));
    let _ = Command::new("gpgconf")
        .arg("--homedir")
        .arg(home)
        .args(["--kill", "gpg-agent"])
        .output();
}

fn signed_site() -> Option<Site> {
    if unprivileged() {
        return None;
    }
    let site = Site::with(&[]);
    make_key(&site, "right");
    make_key(&site, "other");
    let file = site.add(&plain("alpha", "1.0"));
    sign(&site, "right", &file);
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
