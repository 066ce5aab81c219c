//! Keys without rpm: shown, imported, removed, renewed; the real rpm says what is there.

use std::fs;

use serde_json::Value;
use testkit::fixtures::{oracle, unprivileged};
use testkit::gpg::Gpg;
use testkit::rpm::{Rpm, createrepo};
use testkit::spec::Spec;

use super::{Site, plain};

const USER: &str = "Vendor <vendor@tests.invalid>";

/// A gpg with a key of two years from now on, whose public half is `NAME.asc`; its fingerprint.
fn make_key(site: &Site, name: &str) -> (Gpg, String) {
    let gpg = Gpg::at(&site.path(&format!("gpg-{name}")));
    gpg.ok(&["--quick-generate-key", USER, "rsa2048", "sign", "2y"]);
    site.write(&format!("{name}.asc"), gpg.public());
    let listed = gpg.ok(&["--with-colons", "--list-keys"]).out;
    let found = listed.lines().find_map(|line| line.strip_prefix("fpr:"));
    let fingerprint = found.expect(&listed).trim_matches(':').to_owned();
    (gpg, fingerprint)
}

/// The names of the keys as the real rpm sees them.
fn stored(site: &Site) -> Vec<String> {
    let format = "%{NAME}-%{VERSION}-%{RELEASE}\n";
    let told = site.rpm(&["-qa", "--qf", format, "gpg-pubkey"]);
    told.lines().map(str::to_owned).collect()
}

#[test]
fn keys_are_imported_listed_and_removed() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[]);
    let (gpg, fingerprint) = make_key(&site, "vendor");
    let file = site.path("vendor.asc").display().to_string();
    let ran = site.run(&["keys"]).ok();
    assert!(ran.out.contains("no key"), "{ran:?}");
    // Nobody answers, or no is the answer: nothing is stored.
    for words in [
        &["keys", "import", &file][..],
        &["--assumeno", "keys", "import", &file],
    ] {
        assert_ne!(site.run(words).code, 0);
        assert!(stored(&site).is_empty());
    }
    let ran = site.run(&["-y", "keys", "import", &file]).ok();
    assert!(ran.out.contains("User id     : Vendor"), "{ran:?}");
    let [package] = &stored(&site)[..] else {
        panic!("{:?}", stored(&site));
    };
    // rpm itself checks with it.
    let alpha = site.add(&plain("alpha", "1.0"));
    gpg.sign_package("vendor@tests.invalid", &alpha);
    let alpha = alpha.display().to_string();
    site.stage.rpm().program_ok("rpmkeys", &["-K", &alpha]);
    let again = site.run(&["-y", "keys", "import", &file]).ok();
    assert!(again.out.contains("stored already"), "{again:?}");

    let told = site.run(&["keys", "list"]).ok().out;
    let grouped: Vec<&str> = (0..10).map(|at| &fingerprint[4 * at..4 * at + 4]).collect();
    for part in [package.as_str(), &grouped.join(" "), "valid until 20"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let json: Value = serde_json::from_str(&site.run(&["-j", "keys", "list"]).ok().out).unwrap();
    assert_eq!(json[0]["Package"], package.as_str());
    assert_eq!(json[0]["Fingerprint"], fingerprint.as_str());

    // Each way to name it, `erase` as with rpm among them.
    let end = &fingerprint[24..];
    let hexed = format!("0x{}", fingerprint.to_lowercase());
    let version = &package[..package.len() - 9];
    let ways: [&[&str]; 8] = [
        &["keys", "remove", &fingerprint],
        &["keys", "remove", end],
        &["keys", "remove", &hexed],
        &["keys", "remove", package],
        &["erase", package],
        &["remove", version],
        &["erase", "gpg-pubkey"],
        &["erase", "gpg-pubkey-*"],
    ];
    for words in ways {
        assert_ne!(site.run(&[&["--assumeno"], words].concat()).code, 0);
        assert_eq!(stored(&site).len(), 1, "{words:?}");
        site.run(&[&["-y"], words].concat()).ok();
        assert!(stored(&site).is_empty(), "{words:?}");
        site.run(&["-y", "keys", "import", &file]).ok();
    }
    for words in [
        &["keys", "remove", "gpg-pubkey-00000000-00000000"][..],
        &["keys", "remove", &fingerprint[33..]],
        &["erase", "gpg-pubkey-00000000"],
    ] {
        let ran = site.run(&[&["-y"], words].concat());
        assert!(
            ran.code != 0 && ran.err.contains(" keys list` shows what is there"),
            "{ran:?}"
        );
        assert_eq!(stored(&site).len(), 1, "{words:?}");
    }
    let told = site.run(&["history", "info"]).ok().out;
    let line = format!("added: {package}");
    assert!(
        told.contains("keys import") && told.contains(&line),
        "{told}"
    );
    assert!(!told.contains("(unknown)"), "{told}");
}

/// rpm 6 keeps keys in its database or in files, as its macros say: what one of us imports or removes the other sees,
/// and what stands in another store is not trusted.
#[test]
fn keys_are_where_the_rpm_of_the_root_is_set_to_keep_them() {
    let Some(oracle) = oracle("sid").filter(|_| !unprivileged()) else {
        return;
    };
    for (keyring, other) in [("rpmdb", "fs"), ("fs", "openpgp"), ("openpgp", "rpmdb")] {
        let site = Site::with(&[]);
        let set = |keyring: &str| {
            let text =
                format!("%_dbpath %{{_var}}/lib/rpm\n%_db_backend sqlite\n%_keyring {keyring}\n");
            site.write("root/usr/lib/rpm/macros", text);
        };
        set(keyring);
        let (gpg, fingerprint) = make_key(&site, "vendor");
        let alpha = site.add(&plain("alpha", "1.0"));
        gpg.sign_package("vendor@tests.invalid", &alpha);
        createrepo::<&str>(&site.path("repo"), &[]);
        site.write("repos.d/test.repo", site.repo_text("gpgcheck=1"));
        let lower = fingerprint.to_lowercase();
        let rpm = Rpm::of_root(&oracle, site.root.path());
        let of_rpm = |words: &[&str]| rpm.program_ok("rpmkeys", words);
        let copy = |name: &str| {
            fs::copy(site.path(name), site.path("root").join(name)).unwrap();
            format!("/mnt/{name}")
        };
        fs::create_dir_all(site.path("root/var/lib/rpm")).unwrap();
        // rpm's are ours.
        of_rpm(&["--import", &copy("vendor.asc")]);
        let told = site.run(&["keys"]).ok().out;
        assert!(
            told.contains(&lower) && told.contains("Vendor"),
            "{keyring}: {told}"
        );
        site.run(&["-y", "install", "alpha"]).ok();
        set(other);
        assert_ne!(
            site.run(&["-y", "reinstall", "alpha"]).code,
            0,
            "{keyring} as {other}"
        );
        assert!(
            site.run(&["keys"]).ok().out.contains("no key"),
            "{keyring} as {other}"
        );
        set(keyring);
        // A new copy takes the place of the old one.
        gpg.ok(&["--quick-set-expire", &fingerprint, "20y"]);
        site.write("new.asc", gpg.public());
        let new = site.path("new.asc").display().to_string();
        let ran = site.run(&["-y", "keys", "import", &new]).ok();
        assert!(ran.out.contains("Replaces    : "), "{keyring}: {ran:?}");
        assert_eq!(of_rpm(&["--list"]).lines().count(), 1, "{keyring}");
        let until = site.run(&["keys"]).ok().out;
        assert!(until != told, "{keyring}: {until}");
        // Ours are rpm's, and what we remove it has no more.
        site.run(&["-y", "keys", "remove", &fingerprint]).ok();
        assert_eq!(of_rpm(&["--list"]), "", "{keyring}");
        site.run(&["-y", "keys", "import", &new]).ok();
        assert!(of_rpm(&["--list"]).starts_with(&lower), "{keyring}");
        fs::copy(&alpha, site.path("root/alpha.rpm")).unwrap();
        let checked = of_rpm(&["-Kv", "/mnt/alpha.rpm"]);
        assert!(
            checked.contains(&format!("{lower}: OK")) || checked.contains("Signature, key"),
            "{keyring}: {checked}"
        );
        assert!(!checked.contains("NOKEY"), "{keyring}: {checked}");
        of_rpm(&["--delete", &lower]);
        assert!(site.run(&["keys"]).ok().out.contains("no key"), "{keyring}");
        // With a question, and from gpgkey.
        let gpgkey = format!("gpgcheck=1\ngpgkey={new}");
        site.write("repos.d/test.repo", site.repo_text(&gpgkey));
        assert_ne!(site.run(&["--assumeno", "reinstall", "alpha"]).code, 0);
        assert_eq!(of_rpm(&["--list"]), "", "{keyring}");
        site.run(&["-y", "reinstall", "alpha"]).ok();
        assert!(of_rpm(&["--list"]).starts_with(&lower), "{keyring}");
        let in_files =
            fs::read_dir(site.path("root/var/lib/rpm/pubkeys")).map_or(0, Iterator::count);
        assert_eq!(in_files > 0, keyring != "rpmdb", "{keyring}");
    }
}

/// The rpm that comes says where its database is and where its keys: an accepted key goes there.
#[test]
fn an_accepted_key_goes_where_the_rpm_that_comes_with_it_looks() {
    let Some(oracle) = oracle("sid").filter(|_| !unprivileged()) else {
        return;
    };
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).ok();
    let (gpg, fingerprint) = make_key(&site, "vendor");
    let lines = [
        "_dbpath %%{_usr}/lib/sysimage/rpm",
        "_keyring fs",
        "_db_backend sqlite",
    ];
    let lines: Vec<String> = lines.iter().map(|line| format!("'%%{line}'")).collect();
    let install = format!(
        "mkdir -p %{{buildroot}}/usr/lib/rpm; printf '%%s\\n' {} >%{{buildroot}}/usr/lib/rpm/macros",
        lines.join(" ")
    );
    let spec = Spec::new("rpm", "6.1").license("none").about("Its macros.");
    let rpm = site.add(&spec.install(&install).files("/usr/lib/rpm/macros"));
    gpg.sign_package("vendor@tests.invalid", &rpm);
    createrepo::<&str>(&site.path("repo"), &[]);
    let key = site.path("vendor.asc").display().to_string();
    site.write(
        "repos.d/test.repo",
        site.repo_text(&format!("gpgcheck=1\ngpgkey={key}")),
    );
    site.run(&["-y", "--refresh", "install", "rpm"]).ok();
    let rpm = Rpm::of_root(&oracle, site.root.path());
    let lower = fingerprint.to_lowercase();
    assert!(rpm.program_ok("rpmkeys", &["--list"]).starts_with(&lower));
    let file = format!("root/usr/lib/sysimage/rpm/pubkeys/gpg-pubkey-{lower}.key");
    assert!(site.path(&file).exists() && rpm.all().len() == 2);
    site.run(&["-y", "reinstall", "rpm"]).ok();
}

/// Packages and keys in one line: both go.
#[test]
fn erase_takes_keys_and_packages_together() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0"), plain("beta", "1.0")]);
    make_key(&site, "vendor");
    let file = site.path("vendor.asc").display().to_string();
    site.run(&["-y", "install", "alpha", "beta"]).ok();
    site.run(&["-y", "keys", "import", &file]).ok();
    let [package] = &stored(&site)[..] else {
        panic!("no key");
    };
    site.run(&["-y", "erase", "alpha", package]).ok();
    assert_eq!(site.rpm_names(), ["beta-1.0"]);
}

#[test]
fn what_is_no_key_is_not_imported() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[]);
    let (gpg, _) = make_key(&site, "vendor");
    site.write("text.asc", "not a key\n");
    let private = gpg.ok(&["--armor", "--export-secret-keys"]).out;
    site.write("private.asc", private);
    for (file, word) in [
        ("text.asc", "no OpenPGP key inside"),
        ("private.asc", "is a private key"),
        ("nothing.asc", "nothing.asc"),
    ] {
        let path = site.path(file).display().to_string();
        let ran = site.run(&["-y", "keys", "import", &path]);
        assert!(ran.code != 0 && ran.err.contains(word), "{ran:?}");
        assert!(ran.err.starts_with("keys import: /"), "{ran:?}");
    }
    let ran = site.run(&["-y", "keys", "import", "http://127.0.0.1:9/vendor.asc"]);
    assert_eq!(ran.code, 1508 % 256, "{ran:?}");
    for words in [
        &["keys", "import"][..],
        &["keys", "remove"],
        &["keys", "lose"],
    ] {
        assert_ne!(site.run(words).code, 0, "{words:?}");
    }
    assert!(stored(&site).is_empty());
}

/// New copies of stored keys come from the repositories; keys that are not stored do not.
#[test]
fn keys_are_renewed_from_their_repositories() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[]);
    let (gpg, fingerprint) = make_key(&site, "vendor");
    make_key(&site, "other");
    let path = |name: &str| site.path(name).display().to_string();
    let old = path("vendor.asc");
    site.run(&["-y", "keys", "import", &old]).ok();
    let keys = format!(
        "gpgkey={},{} {}",
        path("new.asc"),
        path("other.asc"),
        path("none.asc")
    );
    site.write("repos.d/test.repo", site.repo_text(&keys));
    fs::copy(&old, site.path("new.asc")).unwrap();
    let ran = site.run(&["-y", "keys", "refresh"]).ok();
    assert!(ran.out.contains("stored already"), "{ran:?}");
    assert!(
        ran.err.contains("none.asc") && ran.err.contains("left out"),
        "{ran:?}"
    );

    gpg.ok(&["--quick-set-expire", &fingerprint, "20y"]);
    site.write("new.asc", gpg.public());
    assert_ne!(site.run(&["--assumeno", "keys", "refresh"]).code, 0);
    let state = || site.run(&["keys"]).ok().out;
    let before = state();
    let ran = site.run(&["-y", "keys", "refresh"]).ok();
    assert!(
        ran.out.contains("Replaces    : ") && ran.out.contains("new.asc"),
        "{ran:?}"
    );
    assert!(state() != before && stored(&site).len() == 1, "{}", state());
    // An older copy adds nothing.
    let ran = site.run(&["-y", "keys", "remove", &fingerprint]).ok();
    assert!(stored(&site).is_empty(), "{ran:?}");
    site.run(&["-y", "keys", "import", &path("new.asc")]).ok();
    fs::copy(&old, site.path("new.asc")).unwrap();
    let ran = site.run(&["-y", "keys", "refresh"]).ok();
    assert!(ran.out.contains("stored already"), "{ran:?}");
    let ran = site.run(&["-y", "keys", "import", &old]).ok();
    assert!(ran.out.contains("stored already"), "{ran:?}");
}

/// A key that its vendor revoked stays so, whatever copy a repository offers.
#[test]
fn row_27_a_stored_revocation_is_not_undone() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[]);
    let (gpg, fingerprint) = make_key(&site, "vendor");
    let file = site.add(&plain("alpha", "1.0"));
    gpg.sign_package("vendor@tests.invalid", &file);
    createrepo::<&str>(&site.path("repo"), &[]);
    let key = site.path("vendor.asc").display().to_string();
    let keys = format!("gpgcheck=1\ngpgkey={key}");
    site.write("repos.d/test.repo", site.repo_text(&keys));
    site.run(&["-y", "keys", "import", &key]).ok();
    let revocation = site.path(&format!("gpg-vendor/openpgp-revocs.d/{fingerprint}.rev"));
    let text = fs::read_to_string(&revocation)
        .unwrap()
        .replace(":-----", "-----");
    site.write("revocation", text);
    gpg.ok(&["--import", &site.path("revocation").display().to_string()]);
    site.write("revoked.asc", gpg.public());
    let revoked = site.path("revoked.asc").display().to_string();
    let ran = site.run(&["-y", "keys", "import", &revoked]).ok();
    assert!(ran.out.contains("State       : revoked"), "{ran:?}");
    let ran = site.run(&["-y", "install", "alpha"]);
    assert!(
        ran.code == 1473 % 256 && ran.err.contains("key revoked"),
        "{ran:?}"
    );
    let ran = site.run(&["-y", "keys", "import", &key]).ok();
    assert!(ran.out.contains("stored already"), "{ran:?}");
    assert!(site.run(&["keys"]).ok().out.contains("revoked"));
    assert!(!site.path("root/opt/alpha").exists());
}
