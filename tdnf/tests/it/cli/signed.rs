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

pub(super) fn use_keys(site: &Site, urls: &[String]) {
    let keys = format!("gpgcheck=1\ngpgkey={}", urls.join(" "));
    site.write("repos.d/test.repo", site.repo_text(&keys));
}

/// docs/threats.md, row 10: a key from a server that proves nothing counts where the repository names its fingerprint, or
/// where somebody compares it.
#[test]
fn row_10_a_key_over_http_needs_a_fingerprint_or_an_answer() {
    let Some(site) = signed_site() else { return };
    for name in ["right", "other"] {
        fs::copy(
            site.path(&format!("{name}.asc")),
            site.path(&format!("repo/{name}.asc")),
        )
        .unwrap();
    }
    let fingerprint = |name: &str| {
        let gpg = Gpg::at(&site.path(&format!("gpg-{name}")));
        let all = gpg.ok(&["--with-colons", "--list-keys"]).out;
        let line = all.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    };
    let (right, other) = (fingerprint("right"), fingerprint("other"));
    let grouped = right
        .as_bytes()
        .chunks(4)
        .map(|four| str::from_utf8(four).unwrap());
    let grouped = grouped.collect::<Vec<_>>().join(" ");
    let url = site.server.url("/right.asc");
    use_keys(&site, std::slice::from_ref(&url));
    let pinned = |value: &str| format!("--setopt=test.gpgkey_fingerprint={value}");
    let install = ["install", "alpha"];
    let imported = || site.rpm(&["-qa", "gpg-pubkey"]).lines().count();
    // -y is no answer to a question that needs eyes; nothing is even asked of the server.
    for words in [
        &["-y"][..],
        &["-y", "--downloadonly"],
        &["-y", "--testonly"],
    ] {
        let ran = site.run(&[words, &install].concat());
        assert_eq!(ran.code, 1508 % 256, "{ran:?}");
        assert!(
            ran.err
                .contains("`--setopt=test.gpgkey_fingerprint=FINGERPRINT`"),
            "{ran:?}"
        );
    }
    assert!(site.server.seen().is_empty());
    // Another key than the one that is named, in each form of its name.
    for wrong in [pinned(&other), pinned(&other.to_lowercase())] {
        let ran = site.run(&[&["-y", &wrong], &install[..]].concat()).failed();
        let groups = format!("the key {grouped} is none that gpgkey_fingerprint names");
        assert!(ran.err.contains(&groups), "{ran:?}");
    }
    let ran = site
        .run(&[&["-y", &pinned("12345678")], &install[..]].concat())
        .failed();
    assert!(
        ran.err.contains("expected fingerprints of 40 or 64"),
        "{ran:?}"
    );
    assert_eq!(imported(), 0);
    // The signed index is read before any question: without a fingerprint the key does not count.
    let ran = site
        .run(&["--setopt=test.repo_gpgcheck=1", "makecache"])
        .failed();
    assert!(
        ran.err
            .contains("keys are only taken from file:// and https://"),
        "{ran:?}"
    );
    // Who is asked sees whom the key says it is of, that nobody vouches for that, and may say no.
    let ask =
        |answers: &str| testkit::program::run_with(&mut site.command(&install), answers.as_bytes());
    let ran = ask("y\nn\n").failed();
    assert!(
        ran.err
            .contains(&format!("Fingerprint : {grouped}\n    Anybody on the line")),
        "{ran:?}"
    );
    assert_eq!(imported(), 0);
    for (number, words) in [&right, &grouped, &format!("{other},{right}")]
        .iter()
        .enumerate()
    {
        let ran = match number {
            0 => ask("y\ny\n").ok(),
            _ => site
                .run(&[&["-y", &pinned(words)], &install[..]].concat())
                .ok(),
        };
        assert_eq!(
            ran.err.contains("Anybody on the line"),
            number == 0,
            "{ran:?}"
        );
        assert_eq!(imported(), 1, "{words}");
        site.run(&["-y", "erase", "alpha"]).ok();
        site.rpm(&["-e", "--allmatches", "gpg-pubkey"]);
    }
    // A file that holds another key than the repository says is no better.
    let file = format!("file://{}", site.path("right.asc").display());
    let section = format!("gpgcheck=1\ngpgkey={file}\ngpgkey_fingerprint={other}");
    site.write("repos.d/test.repo", site.repo_text(&section));
    let ran = site.run(&["-y", "install", "alpha"]).failed();
    assert!(
        ran.err.contains("is none that gpgkey_fingerprint names"),
        "{ran:?}"
    );
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
    // Without input a question would end it.
    let folder = site.path("only").display().to_string();
    let only = ["--downloadonly", "--downloaddir", &folder];
    for words in [
        [&["-y"], &only[..], &["install", "alpha"]].concat(),
        vec!["download", "--destdir", &folder, "alpha"],
    ] {
        let ran = site.run(&words).ok();
        let line = format!(" of {}", url("right"));
        assert!(ran.err.contains("checked with the key "), "{ran:?}");
        assert!(ran.err.contains(&line), "{ran:?}");
        assert!(ran.err.contains(", which is not imported\n"), "{ran:?}");
        assert!(!ran.text().contains("importing key"), "{ran:?}");
        assert_eq!(site.rpm(&["-qa", "gpg-pubkey"]), "", "{ran:?}");
    }
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

/// A site with one signed package and its key, for what may stand in `gpgkey`.
fn site_of_one_key() -> Option<(Site, Gpg)> {
    if unprivileged() {
        return None;
    }
    let site = Site::with(&[]);
    let gpg = make_key(&site, "right");
    let file = site.add(&plain("alpha", "1.0"));
    gpg.sign_package("right@tests.invalid", &file);
    createrepo::<&str>(&site.path("repo"), &[]);
    Some((site, gpg))
}

#[test]
fn a_gpgkey_is_spelled_as_urls_and_lists_are() {
    let Some((site, _)) = site_of_one_key() else {
        return;
    };
    let key = fs::read_to_string(site.path("right.asc")).unwrap();
    site.write("a key, of mine.asc", &key);
    let dir = site.path("").display().to_string();
    let dir = dir.trim_end_matches('/');
    for value in [
        format!("file://{dir}/a%20key%2C%20of%20mine.asc"),
        format!("file:{dir}/a%20key%2c%20of%20mine.asc"),
        format!("file://localhost{dir}/right.asc"),
        format!("{dir}/right.asc"),
        format!("file://{dir}/none.asc,file://{dir}/right.asc"),
        format!("file://{dir}/none.asc ,{dir}/right.asc,"),
        format!("file://{dir}/none.asc\n       {dir}/right.asc"),
    ] {
        use_keys(&site, std::slice::from_ref(&value));
        let ran = site.run(&["-y", "install", "alpha"]);
        assert_eq!(ran.code, 0, "{value}: {ran:?}");
        assert_eq!(
            site.rpm(&["-q", "--qf", "%{NAME}", "alpha"]),
            "alpha",
            "{value}"
        );
        fs::remove_dir_all(site.path("root")).unwrap();
        fs::create_dir(site.path("root")).unwrap();
    }
}

#[test]
fn a_key_that_cannot_be_read_leaves_the_others() {
    let Some((site, gpg)) = site_of_one_key() else {
        return;
    };
    // One file may hold several keys, too.
    let both = [version_3_key(), gpg.bytes(&["--export"])].concat();
    site.write("both.asc", both);
    site.write("old.asc", version_3_key());
    site.write("text.asc", "moved to https://keys.invalid/\n");
    let url = |name: &str| format!("file://{}", site.path(name).display());
    for (keys, word) in [
        (vec![url("old.asc"), url("right.asc")], "old.asc"),
        (vec![url("both.asc")], "both.asc"),
        (vec![url("right.asc"), url("text.asc")], "text.asc"),
        (vec![url("missing.asc"), url("right.asc")], "missing.asc"),
        (
            vec!["http://127.0.0.1:9/k.asc".into(), url("right.asc")],
            "k.asc",
        ),
    ] {
        use_keys(&site, &keys);
        let ran = site.run(&["-y", "install", "alpha"]).ok();
        let warnings: Vec<&str> = ran.err.lines().filter(|l| l.contains("left out")).collect();
        let [warning] = warnings[..] else {
            panic!("{keys:?}: {ran:?}");
        };
        // Where it is named: the line of gpgkey.
        assert!(
            warning.contains("test.repo:6: ") && warning.contains(word),
            "{warning}"
        );
        site.run(&["-y", "erase", "alpha"]).ok();
        site.rpm(&["-e", "--allmatches", "gpg-pubkey"]);
    }
    use_keys(&site, &[url("old.asc"), url("missing.asc")]);
    let ran = site.run(&["-y", "install", "alpha"]);
    assert!(
        ran.code != 0 && ran.err.contains("test.repo:6: ") && ran.err.contains("old.asc"),
        "{ran:?}"
    );
}

/// A key of a form that no current program reads.
fn version_3_key() -> Vec<u8> {
    // Public key packet: version 3, time, validity, RSA, modulus of 1024 bits, exponent; then a user id.
    let mut key = vec![3, 0x2f, 0xaf, 0x08, 0x00, 0, 0, 1, 0x04, 0x00, 0xc1];
    key.extend([0x55; 127]);
    key.extend([0x00, 0x11, 0x01, 0x00, 0x01]);
    let mut packets = vec![0x99, 0, u8::try_from(key.len()).unwrap()];
    packets.extend(key);
    packets.extend(b"\xb4\x03Old");
    packets
}

/// dnf takes the host's file; a root that brings its own needs no copy of it on the host.
#[test]
fn a_gpgkey_is_a_file_of_the_host_or_else_of_the_installroot() {
    let Some((site, _)) = site_of_one_key() else {
        return;
    };
    let key = fs::read(site.path("right.asc")).unwrap();
    let other = make_key(&site, "other").public();
    let place = "etc/pki/rpm-gpg/KEY-of-this-test";
    use_keys(&site, &[format!("file:///{place}")]);
    let ran = site.run(&["-y", "install", "alpha"]);
    let inside = site.path("root").join(place);
    for word in [
        "test.repo:6: gpgkey of repository test".to_owned(),
        format!("/{place} (of the host)"),
        format!("{} (of the installroot)", inside.display()),
    ] {
        assert!(ran.code != 0 && ran.err.contains(&word), "{word}: {ran:?}");
    }
    // A link of the root leads to a file of the root.
    fs::create_dir_all(inside.parent().unwrap()).unwrap();
    fs::create_dir_all(site.path("root/keys")).unwrap();
    std::os::unix::fs::symlink("/keys/key", &inside).unwrap();
    fs::write(site.path("root/keys/key"), &key).unwrap();
    let ran = site.run(&["-y", "install", "alpha"]).ok();
    let told = "root/keys/key, of the installroot)";
    assert!(ran.out.contains(told), "{ran:?}");
    // Both are there: the host's.
    let host = site.path("host.asc");
    site.run(&["-y", "erase", "alpha"]).ok();
    site.rpm(&["-e", "--allmatches", "gpg-pubkey"]);
    let twin = site.path("root").join(host.strip_prefix("/").unwrap());
    fs::create_dir_all(twin.parent().unwrap()).unwrap();
    fs::write(&twin, other).unwrap();
    fs::write(&host, &key).unwrap();
    use_keys(&site, &[format!("file://{}", host.display())]);
    let ran = site.run(&["-y", "install", "alpha"]).ok();
    let told = format!("({}, of the host)", host.display());
    assert!(ran.out.contains(&told), "{ran:?}");
}

/// A root that trusts an old copy of a key; `change` makes the new one, which signs a package.
pub(super) fn site_of_a_changed_key(
    make: &[&str],
    change: impl Fn(&Gpg, &str),
) -> Option<(Site, String, String)> {
    if unprivileged() {
        return None;
    }
    let site = Site::with(&[]);
    let gpg = Gpg::at(&site.path("gpg-vendor"));
    gpg.ok(make);
    site.write("old.asc", gpg.public());
    let listed = gpg.ok(&["--with-colons", "--list-keys"]).out;
    let mut fields = listed.lines().filter_map(|line| line.strip_prefix("fpr:"));
    let fingerprint = fields.next().unwrap().trim_matches(':').to_owned();
    change(&gpg, &fingerprint);
    site.write("new.asc", gpg.public());
    let file = site.add(&plain("alpha", "1.0"));
    gpg.sign_package("vendor@tests.invalid", &file);
    createrepo::<&str>(&site.path("repo"), &[]);
    use_keys(
        &site,
        &[format!("file://{}", site.path("new.asc").display())],
    );
    let old = site.path("old.asc").display().to_string();
    fs::create_dir_all(site.path("root/var/lib/rpm")).unwrap();
    site.stage.rpm().program_ok("rpmkeys", &["--import", &old]);
    let stored = site.rpm(&["-q", "gpg-pubkey", "--qf", "%{PUBKEYS}"]);
    let grouped: Vec<&str> = (0..10).map(|at| &fingerprint[4 * at..4 * at + 4]).collect();
    Some((site, grouped.join(" "), stored))
}

/// The new copy of the key comes after the question, in place of the old one, and serves from then on.
pub(super) fn the_new_copy_replaces_the_old(
    site: &Site,
    fingerprint: &str,
    stored: &str,
    state: &str,
) {
    let ran = site.run(&["--assumeno", "install", "alpha"]);
    assert!(ran.code != 0, "{ran:?}");
    let ran = site.run(&["-y", "install", "alpha"]).ok();
    for line in [
        format!("    Fingerprint : {fingerprint}\n"),
        format!("    Replaces    : {fingerprint} ({state}"),
    ] {
        assert!(ran.err.contains(&line), "{line}: {ran:?}");
    }
    let now = site.rpm(&["-q", "gpg-pubkey", "--qf", "%{PUBKEYS}"]);
    assert!(now != stored && !now.is_empty());
    let records = site.rpm(&["-q", "gpg-pubkey", "--qf", "%{NAME} "]);
    assert_eq!(records, "gpg-pubkey ", "one record of the key");
    let again = site.run(&["-y", "reinstall", "alpha"]).ok();
    assert!(!again.out.contains("importing key"), "{again:?}");
    let file = site.path("repo/alpha-1.0-1.noarch.rpm");
    let rpm = site.stage.rpm();
    let checked = rpm.program_ok("rpmkeys", &["-Kv", &file.display().to_string()]);
    assert!(
        checked.contains("Signature") && !checked.contains("NOKEY"),
        "{checked}"
    );
}

pub(super) const VENDOR: &str = "Vendor <vendor@tests.invalid>";

/// A key that expired in 2024, and has been prolonged since.
fn site_of_a_prolonged_key() -> Option<(Site, String, String)> {
    let make = [
        "--faked-system-time=20230101T000000!",
        "--quick-generate-key",
        VENDOR,
        "rsa2048",
        "sign",
        "20240101T000000",
    ];
    site_of_a_changed_key(&make, |gpg, fingerprint| {
        gpg.ok(&["--quick-set-expire", fingerprint, "20y"]);
    })
}

#[test]
fn row_27_a_key_whose_stored_copy_has_expired_is_renewed() {
    let Some((site, fingerprint, stored)) = site_of_a_prolonged_key() else {
        return;
    };
    the_new_copy_replaces_the_old(&site, &fingerprint, &stored, "expired on 2024-01-01");
}

#[test]
fn row_27_a_key_whose_stored_copy_lacks_the_subkey_is_renewed() {
    let make = ["--quick-generate-key", VENDOR, "rsa2048", "sign", "never"];
    let bind = |gpg: &Gpg, fingerprint: &str| {
        gpg.ok(&["--quick-add-key", fingerprint, "rsa2048", "sign", "never"]);
    };
    let Some((site, fingerprint, stored)) = site_of_a_changed_key(&make, bind) else {
        return;
    };
    the_new_copy_replaces_the_old(&site, &fingerprint, &stored, "valid");
}

#[test]
fn row_27_a_new_key_is_shown_beside_the_known_one() {
    let make = ["--quick-generate-key", VENDOR, "rsa2048", "sign", "never"];
    let renew = |gpg: &Gpg, fingerprint: &str| {
        gpg.ok(&["--delete-secret-and-public-key", fingerprint]);
        gpg.ok(&make);
    };
    let Some((site, fingerprint, _)) = site_of_a_changed_key(&make, renew) else {
        return;
    };
    let ran = site.run(&["-y", "install", "alpha"]).ok();
    let line = format!("    Beside      : {fingerprint} (valid)");
    assert!(ran.err.contains(&line), "{line}: {ran:?}");
    assert!(
        !ran.err.contains(&format!("Fingerprint : {fingerprint}")),
        "{ran:?}"
    );
    let records = site.rpm(&["-q", "gpg-pubkey", "--qf", "%{NAME} "]);
    assert_eq!(
        records, "gpg-pubkey gpg-pubkey ",
        "the earlier key may still be needed"
    );
}

/// A host that has the vendor's key and packages of the time before: the next update asks about the
/// prolonged key, and goes on with it.
#[test]
fn a_host_upgrades_over_a_prolonged_key() {
    let Some((site, fingerprint, stored)) = site_of_a_prolonged_key() else {
        return;
    };
    let gpg = Gpg::at(&site.path("gpg-vendor"));
    let old = site
        .path("repo/alpha-1.0-1.noarch.rpm")
        .display()
        .to_string();
    site.rpm(&["-i", "--nosignature", &old]);
    let new = site.add(&plain("alpha", "2.0"));
    gpg.sign_package("vendor@tests.invalid", &new);
    createrepo::<&str>(&site.path("repo"), &[]);
    // Without a yes the host stays as it is, its key, too.
    let key = || site.rpm(&["-q", "gpg-pubkey", "--qf", "%{PUBKEYS}"]);
    assert_ne!(site.run(&["update"]).code, 0);
    assert_eq!(
        (site.rpm(&["-q", "alpha"]), key()),
        ("alpha-1.0-1.noarch\n".into(), stored)
    );
    let ran = site.run(&["-y", "update"]).ok();
    let line = format!("    Replaces    : {fingerprint} (expired on 2024-01-01)");
    assert!(ran.err.contains(&line), "{ran:?}");
    assert_eq!(site.rpm(&["-q", "alpha"]), "alpha-2.0-1.noarch\n");
    let told = site.run(&["keys"]).ok().out;
    assert!(told.contains("State       : valid until 20"), "{told}");
    assert_eq!(
        site.rpm(&["-q", "gpg-pubkey", "--qf", "%{NAME} "]),
        "gpg-pubkey "
    );
}

/// Files of the command line have a switch of their own; what comes with them is checked as its repository says.
#[test]
fn files_of_the_command_line_can_be_admitted_alone() {
    let site = Site::with(&[plain("needed", "1")]);
    let file = plain("local", "1").lines("Requires: needed").build();
    let alone = plain("alone", "1").build();
    let (file, alone) = (file.display().to_string(), alone.display().to_string());
    let conf = fs::read_to_string(site.path("tdnf.conf")).unwrap();
    site.run(&["-y", "install", &alone]).failed();
    let said = site.run(&["-y", "--nocligpgcheck", "install", &alone]).ok();
    said.says(&["warning:", "alone"]);
    site.write("repos.d/test.repo", site.repo_text("gpgcheck=1"));
    site.run(&["-y", "--nocligpgcheck", "install", &file])
        .failed();
    site.write("repos.d/test.repo", site.repo_text("gpgcheck=0"));
    site.write("tdnf.conf", conf.clone() + "gpgcheck=1\ncligpgcheck=0\n");
    site.run(&["-y", "install", &file])
        .ok()
        .says(&["warning:", "local"]);
    assert_eq!(site.rpm_names(), ["alone-1", "local-1", "needed-1"]);
    site.run(&["-y", "remove", "local", "alone"]).ok();
    site.write("tdnf.conf", conf.clone() + "gpgcheck=0\ncligpgcheck=1\n");
    site.run(&["-y", "install", &alone]).failed();
    site.run(&["-y", "--setopt=cligpgcheck=0", "install", &alone])
        .ok();
    site.write("tdnf.conf", conf + "cligpgcheck=maybe\n");
    site.run(&["list"]).failed().says(&["cligpgcheck", "maybe"]);
}
