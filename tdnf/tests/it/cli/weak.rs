//! Weak signatures (docs/signatures.md): refused with the way out in the line, admitted for one repository,
//! said once, in JSON and in the history.

use std::fs;
use std::path::Path;

use serde_json::Value;
use testkit::fixtures::unprivileged;
use testkit::gpg::Gpg;
use testkit::program::Run;
use testkit::rpm::createrepo;
use testkit::spec::Spec;

use super::{Site, plain};

const VENDOR: &str = "Vendor <vendor@tests.invalid>";
const SHA1: &str = "--digest-algo SHA1";
const IN_2023: &str = "--faked-system-time=20230101T000000!";
const IN_2025: &str = "--faked-system-time=20250101T000000!";

/// What signs, and how.
struct Case {
    /// Its algorithm.
    key: &'static str,
    /// It is made in 2023 and ended in 2024.
    ended: bool,
    /// Options of gpg where packages are signed.
    sign: &'static str,
    /// What must be admitted.
    words: &'static str,
    /// What the refusal names.
    named: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        key: "rsa2048",
        ended: false,
        sign: SHA1,
        words: "sha1",
        named: &["SHA1"],
    },
    Case {
        key: "rsa1024",
        ended: false,
        sign: "",
        words: "rsa1024",
        named: &["RSA1024"],
    },
    Case {
        key: "rsa2048",
        ended: true,
        sign: IN_2025,
        words: "expired",
        named: &["key expired on 2024-01-01"],
    },
    // As packages of Photon's releases of 2019 are signed.
    Case {
        key: "rsa1024",
        ended: true,
        sign: "--faked-system-time=20250101T000000! --digest-algo SHA1",
        words: "sha1,rsa1024,expired",
        named: &["SHA1", "RSA1024", "key expired on 2024-01-01"],
    },
    Case {
        key: "dsa1024",
        ended: false,
        sign: "",
        words: "sha1",
        named: &["SHA1"],
    },
];

impl Case {
    fn key_in(&self, home: &Path) -> Gpg {
        let gpg = Gpg::at(home);
        let words = ["--quick-generate-key", VENDOR, self.key, "sign", "never"];
        match self.ended {
            true => gpg.ok(&[&[IN_2023], &words[..]].concat()),
            false => gpg.ok(&words),
        };
        gpg
    }

    /// A site whose repository `test` has `alpha`, signed so.
    fn site(&self) -> Site {
        let site = Site::with(&[]);
        let gpg = self.key_in(&site.path("gpg"));
        let file = site.add(&plain("alpha", "1.0"));
        gpg.sign_package_with("vendor@tests.invalid", &file, self.sign);
        if self.ended {
            // gpg itself does not sign with a key that has ended.
            let listed = gpg.ok(&["--with-colons", "--list-keys"]).out;
            let found = listed.lines().find_map(|line| line.strip_prefix("fpr:"));
            let fingerprint = found.expect(&listed).trim_matches(':');
            let end = ["--quick-set-expire", fingerprint, "20240101T000000"];
            gpg.ok(&[&["--faked-system-time=20230601T000000!"], &end[..]].concat());
        }
        site.write("vendor.asc", gpg.public());
        createrepo::<&str>(&site.path("repo"), &[]);
        configure(&site, "");
        site
    }
}

fn configure(site: &Site, keys: &str) {
    let key = site.path("vendor.asc").display().to_string();
    let text = format!("gpgcheck=1\ngpgkey=file://{key}\n{keys}");
    site.write("repos.d/test.repo", site.repo_text(&text));
}

fn is_installed(site: &Site) -> bool {
    site.path("root/opt/alpha").exists()
}

/// The line that says why `alpha` was refused, error 1473.
fn refusal(ran: &Run) -> &str {
    assert_eq!(ran.code, 1473 % 256, "{ran:?}");
    assert!(ran.err.contains("Error(1473)"), "{ran:?}");
    let mut lines = ran.err.lines();
    lines
        .find(|line| line.contains("not trusted: "))
        .unwrap_or_else(|| panic!("{ran:?}"))
}

fn warnings(ran: &Run) -> Vec<&str> {
    let lines = ran.err.lines();
    lines
        .filter(|line| line.starts_with("warning: weak"))
        .collect()
}

#[test]
fn each_kind_is_refused_and_admitted_by_what_the_line_says() {
    if unprivileged() {
        return;
    }
    for case in CASES {
        let (site, words) = (case.site(), case.words);
        let ran = site.run(&["-y", "install", "alpha"]);
        let line = refusal(&ran);
        let way = format!("`--setopt=test.weak_signatures={words}`");
        let file = site.path("repos.d/test.repo").display().to_string();
        for part in case.named.iter().copied().chain([&*way, &file]) {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(!is_installed(&site) && !ran.text().contains("nogpgcheck"));
        // The words of the line, pasted.
        let setopt = way.trim_matches('`');
        let ran = site.run(&["-y", setopt, "install", "alpha"]).ok();
        let [warning] = warnings(&ran)[..] else {
            panic!("{words}: {ran:?}");
        };
        assert!(warning.contains("repository test, --setopt"), "{warning}");
        assert!(is_installed(&site));
        // The key is stored now; what it signs is judged as before.
        refusal(&site.run(&["-y", "reinstall", "alpha"]));
        // --nogpgcheck is no way around what is weak beyond an expired key.
        if words != "expired" {
            refusal(&site.run(&["-y", "--nogpgcheck", "reinstall", "alpha"]));
        }
        configure(&site, &format!("weak_signatures={words}"));
        let ran = site.run(&["-y", "reinstall", "alpha"]).ok();
        assert!(warnings(&ran)[0].contains("test.repo:7"), "{ran:?}");
    }
}

/// The words of `.repo` files are those of the judge.
#[test]
fn the_words_of_weak_signatures_are_one_list() {
    let words = rpm_trust::Weakness::ALL.map(rpm_trust::Weakness::word);
    assert_eq!(rpm_repo::config::WEAK_SIGNATURES, words);
}

#[test]
fn what_is_not_admitted_stays_refused() {
    if unprivileged() {
        return;
    }
    let site = CASES[3].site();
    for words in ["sha1", "rsa1024", "expired", "sha1,rsa1024", "none", ""] {
        configure(&site, &format!("weak_signatures={words}"));
        let ran = site.run(&["-y", "install", "alpha"]);
        // What is admitted already belongs to what would do.
        let line = refusal(&ran);
        assert!(line.contains("=sha1,rsa1024,expired"), "{words}: {line}");
    }
    configure(&site, "weak_signatures=Expired SHA1,\n  RSA1024");
    site.run(&["-y", "--downloadonly", "install", "alpha"]).ok();
    for words in ["sha256", "sha1,md5", "1", "yes"] {
        configure(&site, &format!("weak_signatures={words}"));
        let ran = site.run(&["-y", "install", "alpha"]);
        let said = format!("test.repo:7: weak_signatures = {words}: expected sha1, rsa1024");
        assert!(ran.code != 0 && ran.err.contains(&said), "{ran:?}");
    }
    assert!(!is_installed(&site));
}

/// Of another repository nothing is admitted, nor of files and URLs, unless it is said of them.
#[test]
fn it_is_admitted_for_one_repository_alone() {
    if unprivileged() {
        return;
    }
    let site = CASES[0].site();
    let twin = site.repo_text("gpgcheck=1").replace("[test]", "[twin]");
    let key = site.path("vendor.asc").display().to_string();
    let twin = format!("{twin}gpgkey={key}\npriority=1\n");
    site.write("repos.d/twin.repo", twin);
    configure(&site, "weak_signatures=sha1");
    let line = "twin.weak_signatures=sha1";
    assert!(refusal(&site.run(&["-y", "install", "alpha"])).contains(line));
    site.run(&["-y", "--disablerepo=twin", "install", "alpha"])
        .ok();
    let file = site.path("repo/alpha-1.0-1.noarch.rpm");
    let file = file.display().to_string();
    let ran = site.run(&["-y", "reinstall", &file]);
    let way = "`--setopt=@cmdline.weak_signatures=sha1`";
    assert!(refusal(&ran).contains(way), "{ran:?}");
    site.run(&["-y", way.trim_matches('`'), "reinstall", &file])
        .ok();
    // Copies are judged in the same way.
    let target = site.path("copy").display().to_string();
    let copy = [
        "reposync",
        "--gpgcheck",
        "--repo=twin",
        "--download-path",
        &target,
    ];
    let ran = site.run(&copy);
    assert!(ran.code != 0 && ran.err.contains("SHA1"), "{ran:?}");
    site.run(&[&["--setopt=twin.weak_signatures=sha1"], &copy[..]].concat())
        .ok();
}

#[test]
fn it_is_said_once_and_kept_in_json_and_history() {
    if unprivileged() {
        return;
    }
    let site = CASES[0].site();
    let gpg = Gpg::at(&site.path("gpg"));
    let needs = |spec: Spec| spec.lines("Requires: alpha");
    for name in ["beta", "gamma"] {
        let file = site.add(&needs(plain(name, "1.0")));
        gpg.sign_package_with("vendor@tests.invalid", &file, SHA1);
    }
    let strong = site.add(&needs(plain("delta", "1.0")));
    gpg.sign_package("vendor@tests.invalid", &strong);
    createrepo::<&str>(&site.path("repo"), &[]);
    configure(&site, "weak_signatures=sha1");
    let install = [
        "-y",
        "--json-version=2",
        "install",
        "beta",
        "gamma",
        "delta",
    ];
    let ran = site.run(&install).ok();
    let [warning] = warnings(&ran)[..] else {
        panic!("{ran:?}");
    };
    assert!(warning.contains("(sha1) of 3 package(s)"), "{warning}");
    let document: Value = serde_json::from_str(&ran.out).expect("one document");
    let weak = document["WeakSignatures"].as_array().expect("a list");
    let mut packages: Vec<&str> = weak.iter().filter_map(|w| w["Package"].as_str()).collect();
    packages.sort_unstable();
    let all = [
        "alpha-1.0-1.noarch",
        "beta-1.0-1.noarch",
        "gamma-1.0-1.noarch",
    ];
    assert_eq!(packages, all);
    assert_eq!(weak[0]["Weaknesses"], "sha1");
    let by = weak[0]["AdmittedBy"].as_str().expect("a text");
    assert!(by.contains("test.repo:7"), "{by}");
    let told = site.run(&["history", "info"]).ok().out;
    let line = "weak signatures: ";
    let line = told.lines().find(|l| l.starts_with(line)).expect(&told);
    assert!(
        line.contains("beta-1.0-1.noarch (sha1)") && !line.contains("delta"),
        "{line}"
    );
    let told = site.run(&["--json", "history", "info"]).ok().out;
    assert!(told.contains("alpha-1.0-1.noarch (sha1)"), "{told}");
}

/// The crypto policy of the root forbids more; it allows nothing.
#[test]
fn the_crypto_policy_of_the_root_makes_it_stricter_only() {
    if unprivileged() {
        return;
    }
    let place = "root/etc/crypto-policies/back-ends/rpm-sequoia.config";
    let site = CASES[0].site();
    let ask = [
        "-y",
        "--setopt=test.weak_signatures=sha1",
        "install",
        "alpha",
    ];
    let generous = "[hash_algorithms]\nsha1.collision_resistance = \"always\"\n";
    site.write(place, generous);
    let plain = ["-y", "install", "alpha"];
    assert!(refusal(&site.run(&plain)).contains("weak_signatures=sha1"));
    let strict = generous.replace("always", "never");
    site.write(place, &strict);
    let line = site.run(&ask);
    let line = refusal(&line);
    assert!(
        line.contains("SHA1 is forbidden by the crypto policy"),
        "{line}"
    );
    assert!(!line.contains("--setopt"), "{line}");
    site.write(place, "[asymmetric_algorithms]\nrsa2048 = \"never\"\n");
    assert!(refusal(&site.run(&ask)).contains("RSA 2048 (or what binds it) is forbidden"));
    site.write(place, "neither this nor that\n");
    let ran = site.run(&ask);
    assert!(
        ran.code != 0 && ran.err.contains("rpm-sequoia.config"),
        "{ran:?}"
    );
    assert!(!is_installed(&site));
    // As crypto-policies lays it down: a link, which leads to a file of the root.
    fs::remove_file(site.path(place)).unwrap();
    site.write(
        "root/usr/share/crypto-policies/FUTURE/rpm-sequoia.txt",
        &strict,
    );
    let target = "/usr/share/crypto-policies/FUTURE/rpm-sequoia.txt";
    std::os::unix::fs::symlink(target, site.path(place)).unwrap();
    assert!(refusal(&site.run(&ask)).contains("forbidden by the crypto policy"));
    // The first that is there is it: of the administrator, of the distribution, of all programs.
    let others = [
        "root/usr/share/crypto-policies/back-ends/rpm-sequoia.config",
        "root/etc/crypto-policies/back-ends/sequoia.config",
    ];
    fs::remove_file(site.path(place)).unwrap();
    for other in others {
        site.write(other, &strict);
        assert!(
            refusal(&site.run(&ask)).contains("forbidden by the crypto policy"),
            "{other}"
        );
        fs::remove_file(site.path(other)).unwrap();
    }
    site.write(others[1], &strict);
    site.write(others[0], generous);
    site.run(&ask).ok();
    site.run(&["-y", "erase", "alpha"]).ok();
    site.write(others[0], &strict);
    site.write(place, generous);
    site.run(&ask).ok();
}

/// A root whose own rpm is older than 4.16 is judged as that rpm judges.
#[test]
fn an_old_rpm_of_the_root_takes_what_it_always_took() {
    if unprivileged() {
        return;
    }
    let site = CASES[3].site();
    let file = |name: &str| site.path("repo").join(name).display().to_string();
    for (version, taken) in [("4.16.1.3", false), ("4.9.1", true), ("4.14.2", true)] {
        let rpm = site.add(&plain("rpm", version));
        fs::rename(&rpm, site.path(&format!("rpm-{version}.rpm"))).unwrap();
        let own = site
            .path(&format!("rpm-{version}.rpm"))
            .display()
            .to_string();
        fs::create_dir_all(site.path("root/var/lib/rpm")).unwrap();
        site.rpm(&["-U", "--oldpackage", "--nosignature", &own]);
        let ran = site.run(&["-y", "install", "alpha"]);
        if !taken {
            refusal(&ran);
            continue;
        }
        let ran = ran.ok();
        let [warning] = warnings(&ran)[..] else {
            panic!("{ran:?}");
        };
        let by = format!("as rpm {version} of this root judges");
        assert!(warning.contains(&by), "{warning}");
        site.run(&["-y", "erase", "alpha"]).ok();
        // Of keys that neither its database nor its repositories name nothing is taken.
        let other = CASES[0].key_in(&site.path("gpg-other"));
        let copy = file("alpha-1.0-1.noarch.rpm");
        let stranger = site.path(&format!("stranger-{version}.rpm"));
        fs::copy(copy, &stranger).unwrap();
        other.sign_package_with("vendor@tests.invalid", &stranger, SHA1);
        let ran = site.run(&["-y", "install", &stranger.display().to_string()]);
        assert!(ran.code != 0 && !is_installed(&site), "{ran:?}");
        fs::remove_dir_all(site.path("gpg-other")).unwrap();
    }
}

/// Where rpm 4.18 takes a signature of these kinds, so do we, without a switch.
#[test]
fn md5_and_dsa_1024_are_judged_as_rpm_judges_them() {
    if unprivileged() {
        return;
    }
    let md5 = "--allow-weak-digest-algos --digest-algo MD5";
    for (key, sign, algorithm) in [
        ("rsa2048", md5, "RSA/MD5"),
        ("dsa1024", "--digest-algo SHA256", "DSA/SHA256"),
    ] {
        let case = Case {
            key,
            sign,
            ..CASES[0]
        };
        let site = case.site();
        let rpm = site.stage.rpm();
        let key = site.path("vendor.asc").display().to_string();
        fs::create_dir_all(site.path("root/var/lib/rpm")).unwrap();
        rpm.program_ok("rpmkeys", &["--import", &key]);
        let file = site
            .path("repo/alpha-1.0-1.noarch.rpm")
            .display()
            .to_string();
        let told = rpm.run_program("rpmkeys", &["-Kv", &file]);
        let line = told.out.lines().find(|line| line.contains(algorithm));
        let taken = line.unwrap_or_else(|| panic!("{told:?}")).ends_with(": OK");
        let ran = site.run(&["-y", "install", "alpha"]);
        assert_eq!(ran.code == 0, taken, "{algorithm}: {ran:?}");
    }
}
