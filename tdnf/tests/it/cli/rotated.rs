//! A vendor changes his key, and a host that trusts the old one upgrades.

use std::fs;

use testkit::fixtures::unprivileged;
use testkit::gpg::Gpg;
use testkit::rpm::createrepo;

use super::signed::{VENDOR, site_of_a_changed_key, the_new_copy_replaces_the_old, use_keys};
use super::{Site, plain};

const MAKE: [&str; 5] = ["--quick-generate-key", VENDOR, "rsa2048", "sign", "never"];

/// A host with `alpha` 1.0 and the key of that time; `alpha` 2.0 is signed by another key of the same vendor.
struct Rotated {
    site: Site,
    old: Gpg,
    new: Gpg,
    /// Of the old key and of the new one, as people read them.
    fingerprints: [String; 2],
}

impl Rotated {
    fn new() -> Option<Self> {
        if unprivileged() {
            return None;
        }
        let site = Site::with(&[]);
        let [old, new] = ["old", "new"].map(|name| {
            let gpg = Gpg::at(&site.path(&format!("gpg-{name}")));
            gpg.ok(&MAKE);
            site.write(&format!("{name}.asc"), gpg.public());
            gpg
        });
        let rotated = Self {
            fingerprints: [grouped(&old), grouped(&new)],
            site,
            old,
            new,
        };
        rotated.add("1.0", &rotated.old);
        rotated.use_key_file(&rotated.old.public());
        rotated.site.run(&["-y", "install", "alpha"]).ok();
        rotated.add("2.0", &rotated.new);
        rotated.site.run(&["--refresh", "makecache"]).ok();
        Some(rotated)
    }

    /// Publishes `alpha` of this version, signed by this key.
    fn add(&self, version: &str, gpg: &Gpg) {
        let file = self.site.add(&plain("alpha", version));
        gpg.sign_package("vendor@tests.invalid", &file);
        createrepo::<&str>(&self.site.path("repo"), &[]);
    }

    /// The file that the vendor publishes.
    fn use_key_file(&self, text: &str) {
        let file = self.site.write("vendor.asc", text);
        use_keys(&self.site, &[format!("file://{}", file.display())]);
    }

    /// The old key, revoked for a reason (a code of gpg's menu: 1 compromised, 3 no longer used), as its vendor publishes it.
    fn revoked(&self, reason: u8) -> String {
        let fingerprint = self.fingerprints[0].replace(' ', "");
        let words = ["--armor", "--gen-revoke", &fingerprint];
        let certificate = self.old.answering(&words, &format!("y\n{reason}\n\ny\n"));
        let file = self.site.write("revocation", certificate);
        self.old.ok(&["--import", &file.display().to_string()]);
        self.old.public()
    }

    fn installed(&self) -> String {
        self.site.rpm(&["-q", "--qf", "%{VERSION}", "alpha"])
    }

    fn records(&self) -> usize {
        let told = self
            .site
            .rpm(&["-qa", "--qf", "%{VERSION}\n", "gpg-pubkey"]);
        told.lines().count()
    }
}

/// The fingerprint of the only key, in groups of four digits.
fn grouped(gpg: &Gpg) -> String {
    let listed = gpg.ok(&["--with-colons", "--list-keys"]).out;
    let found = listed.lines().find_map(|line| line.strip_prefix("fpr:"));
    let fingerprint = found.expect(&listed).trim_matches(':');
    let groups: Vec<&str> = (0..10).map(|at| &fingerprint[4 * at..4 * at + 4]).collect();
    groups.join(" ")
}

/// The file has both keys, as two blocks or as one.
#[test]
fn row_27_a_host_upgrades_over_a_rotated_key() {
    let Some(host) = Rotated::new() else { return };
    let [old, new] = &host.fingerprints;
    let before = host.installed();
    let two_blocks = format!("{}\n{}", host.old.public(), host.new.public());
    host.new
        .ok(&["--import", &host.site.path("old.asc").display().to_string()]);
    for text in [two_blocks, host.new.public()] {
        host.use_key_file(&text);
        // Without a yes all stays.
        assert_ne!(host.site.run(&["update"]).code, 0);
        assert_eq!((host.installed(), host.records()), (before.clone(), 1));
    }
    let ran = host.site.run(&["-y", "update"]).ok();
    for line in [
        format!("    Fingerprint : {new}\n"),
        format!("    Beside      : {old} (valid)\n"),
    ] {
        assert!(ran.err.contains(&line), "{line}: {ran:?}");
    }
    assert!(
        !ran.err.contains(&format!("Fingerprint : {old}")),
        "{ran:?}"
    );
    assert_eq!((host.installed().as_str(), host.records()), ("2.0", 2));
    // What the old key signed counts as before, and nobody is asked again.
    host.site.run(&["downgrade", "alpha"]).failed();
    let ran = host.site.run(&["-y", "downgrade", "alpha"]).ok();
    assert!(!ran.text().contains("importing key"), "{ran:?}");
    assert_eq!(host.installed(), "1.0");
}

#[test]
fn row_27_a_host_upgrades_over_a_newly_bound_subkey() {
    let bind = |gpg: &Gpg, fingerprint: &str| {
        gpg.ok(&["--quick-add-key", fingerprint, "rsa2048", "sign", "never"]);
    };
    let Some((site, fingerprint, stored)) = site_of_a_changed_key(&MAKE, bind) else {
        return;
    };
    let file = site
        .path("repo/alpha-1.0-1.noarch.rpm")
        .display()
        .to_string();
    site.rpm(&["-i", "--nosignature", &file]);
    let new = site.add(&plain("alpha", "2.0"));
    Gpg::at(&site.path("gpg-vendor")).sign_package("vendor@tests.invalid", &new);
    createrepo::<&str>(&site.path("repo"), &[]);
    assert_ne!(site.run(&["update"]).code, 0);
    let ran = site.run(&["-y", "update"]).ok();
    let line = format!("    Replaces    : {fingerprint} (valid)\n");
    assert!(ran.err.contains(&line), "{ran:?}");
    assert_eq!(site.rpm(&["-q", "alpha"]), "alpha-2.0-1.noarch\n");
    let now = site.rpm(&["-q", "gpg-pubkey", "--qf", "%{PUBKEYS}"]);
    assert!(now != stored && site.rpm(&["-q", "gpg-pubkey"]).lines().count() == 1);
}

/// The old key is revoked, and packages are signed anew. Whoever renews the stored copy takes nothing more of the old key
/// if it may be in wrong hands; what it signed before counts where it was laid down.
#[test]
fn row_27_a_host_upgrades_over_a_revoked_key() {
    for (reason, taken) in [(1, false), (3, true)] {
        let Some(host) = Rotated::new() else { return };
        let [old, new] = &host.fingerprints;
        // OpenPGP counts in seconds: what was signed before the revocation is a second older than it.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let revoked = host.revoked(reason);
        host.use_key_file(&format!("{revoked}\n{}", host.new.public()));
        let ran = host.site.run(&["-y", "keys", "refresh"]).ok();
        assert!(ran.out.contains("State       : revoked"), "{ran:?}");
        assert_eq!(host.records(), 1, "a refresh adds no key");
        let ran = host.site.run(&["-y", "reinstall", "alpha"]);
        assert_eq!(ran.code == 0, taken, "{reason}: {ran:?}");
        assert!(
            taken || ran.code == 1473 % 256 && ran.err.contains("key revoked"),
            "{ran:?}"
        );
        let ran = host.site.run(&["-y", "update"]).ok();
        for line in [
            format!("    Fingerprint : {new}\n"),
            format!("    Beside      : {old} (revoked"),
        ] {
            assert!(ran.err.contains(&line), "{line}: {ran:?}");
        }
        assert_eq!((host.installed().as_str(), host.records()), ("2.0", 2));
        // The copy of before does not bring it back.
        let before = host.site.path("old.asc").display().to_string();
        let ran = host.site.run(&["-y", "keys", "import", &before]).ok();
        assert!(ran.out.contains("stored already"), "{ran:?}");
    }
}

/// What the stored copy binds itself with is forbidden by the crypto policy; the new copy is bound anew.
#[test]
fn row_27_a_key_whose_stored_copy_has_a_weak_self_signature_is_renewed() {
    let make = [&["--cert-digest-algo", "SHA1"], &MAKE[..]].concat();
    let renew = |gpg: &Gpg, fingerprint: &str| {
        gpg.ok(&[
            "--cert-digest-algo",
            "SHA512",
            "--quick-set-expire",
            fingerprint,
            "20y",
        ]);
    };
    let Some((site, fingerprint, stored)) = site_of_a_changed_key(&make, renew) else {
        return;
    };
    let policy = "root/etc/crypto-policies/back-ends/rpm-sequoia.config";
    site.write(policy, "[hash_algorithms]\nsha1.collision_resistance = \"never\"\nsha1.second_preimage_resistance = \"never\"\n");
    let new = fs::read(site.path("new.asc")).unwrap();
    fs::copy(site.path("old.asc"), site.path("new.asc")).unwrap();
    let ran = site.run(&["-y", "install", "alpha"]);
    assert!(
        ran.code == 1473 % 256 && ran.err.contains("forbidden by the crypto policy"),
        "{ran:?}"
    );
    site.write("new.asc", new);
    the_new_copy_replaces_the_old(&site, &fingerprint, &stored, "valid");
}

/// The files of `gpgkey=` hold an old copy of a key and one that revokes it: both count, whichever comes first.
#[test]
fn row_27_a_revocation_beside_an_old_copy_counts() {
    let Some(host) = Rotated::new() else { return };
    let old = host.old.public();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let revoked = host.revoked(1);
    for keys in [format!("{old}\n{revoked}"), format!("{revoked}\n{old}")] {
        host.use_key_file(&keys);
        let root = host.site.path("root");
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(&root).unwrap();
        let ran = host.site.run(&["-y", "install", "alpha-1.0"]);
        assert_ne!(ran.code, 0, "{ran:?}");
        assert!(ran.err.contains("key revoked"), "{ran:?}");
    }
}
