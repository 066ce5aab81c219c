//! Every real package, judged by us and by the real rpm with the same keys: the matrix of docs/signatures.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use rpm_pkg::package::Package;
use rpm_trust::policy::{Policy, Verdict, judge, judge_admitting};
use rpm_trust::{Keyring, Weaknesses, read_keys};
use testkit::fixtures::{real, unprivileged};
use testkit::rpm::{Rpm, createrepo, packages_in};
use testkit::tree;

use crate::cli::{Site, plain};

/// 2026-11-21: fixed, so that results do not change with the calendar.
const NOW: u64 = 1_795_219_200;

/// Packages that we take and Debian's rpm 4.18 does not: the last rows of docs/signatures.md.
const TAKEN_BY_US: &[(&str, &str)] = &[
    (
        "rpm-basic-with-ecdsa-2.3.4-5.el9.noarch.rpm",
        "rpm lacks ECDSA",
    ),
    (
        "rpm-basic-multiple-signatures-2.3.4-5.el9.noarch.rpm",
        "rpm lacks version 6",
    ),
    (
        "rpm-basic-with-ed25519-2.3.4-5.el9.noarch.rpm",
        "rpm lacks version 6",
    ),
    (
        "rpm-basic-with-mldsa65-ed25519-2.3.4-5.el9.noarch.rpm",
        "rpm lacks version 6",
    ),
    (
        "rpm-basic-with-rsa4k-2.3.4-5.el9.noarch.rpm",
        "rpm lacks version 6",
    ),
    (
        "hello-2.0-1.x86_64-signed-with-new-subkey.rpm",
        "rpm takes no key with an expired subkey",
    ),
];

/// All keys of the tree that both can read: `(ours, a database of rpm)`.
fn keys(real: &Path, db: &Path) -> (Keyring, Rpm) {
    let rpm = Rpm::on_db(db);
    let mut keyring = Keyring::new();
    for path in tree::files(real) {
        let name = path.to_string_lossy().to_lowercase();
        let named = ["gpg-key", ".asc", ".gpg", ".pub", "repomd.xml.key"];
        if !named.iter().any(|part| name.contains(part)) || name.ends_with(".rpm") {
            continue;
        }
        let Ok(read) = read_keys(&std::fs::read(&path).unwrap(), NOW) else {
            continue;
        };
        // What rpm refuses to import it does not know.
        rpm.run_program("rpmkeys", &["--import".as_ref(), path.as_os_str()]);
        for key in read.keys {
            let _ = keyring.add_armored_or_binary(&key.binary);
        }
    }
    (keyring, rpm)
}

/// What we say: by the rules for all, and with all admitted that can be.
fn ours(path: &Path, keyring: &Keyring) -> (String, Verdict) {
    let open = || Package::open(BufReader::new(File::open(path).unwrap()));
    let Ok(mut package) = open() else {
        let none = rpm_trust::policy::Refusal::MalformedItem("not a package".into());
        return ("unreadable".into(), Verdict::Refused(none));
    };
    let evidence = repo_client::evidence(&mut package, keyring, NOW).unwrap();
    let admitted = judge_admitting(&evidence, Policy::GpgCheck, &Weaknesses::all());
    (judge(&evidence, Policy::GpgCheck).code(), admitted)
}

#[test]
fn every_real_package_is_judged_as_rpm_does_or_by_a_row_of_the_table() {
    let Some(real) = real() else { return };
    let db = tempfile::tempdir().unwrap();
    let (keyring, rpm) = keys(&real, db.path());
    let (mut same, mut weak, mut known) = (BTreeMap::new(), 0, 0);
    let mut wrong = Vec::new();
    let all = packages_in(&real);
    for path in &all {
        let words = ["-K", "--define", "_pkgverify_level all"];
        let words = words.map(std::ffi::OsStr::new);
        let words = [&words[..], &[path.as_os_str()]].concat();
        let theirs = rpm.run_program("rpmkeys", &words).code == 0;
        let (code, admitted) = ours(path, &keyring);
        let accepted = code.starts_with("signed");
        let short = path.strip_prefix(&real).unwrap().display().to_string();
        match (theirs, accepted) {
            _ if theirs == accepted => *same.entry(code).or_insert(0) += 1,
            // Refused unless admitted: rpm takes it, and so do we then.
            (true, false) if admitted.code().starts_with("signed-weak") => {
                println!("weak: {} {short}", admitted.code());
                weak += 1;
            }
            (false, true) if TAKEN_BY_US.iter().any(|(end, _)| short.ends_with(end)) => known += 1,
            _ => wrong.push(format!("{short}: rpm {theirs}, ours {code}")),
        }
    }
    let equal: i32 = same.values().sum();
    println!(
        "{} packages: {equal} as rpm {same:?}, {weak} weak, {known} taken by us",
        all.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((weak, known), (2, TAKEN_BY_US.len()));
    assert!(same["signed"] >= 99 && equal >= 347, "{same:?}");
}

/// What packages need that none of them provides, as lines of a spec that provides it.
fn unmet(rpm: &Rpm, files: &[PathBuf]) -> String {
    let ask = |what: &str| {
        let words = ["-qp", "--nosignature", what].map(std::ffi::OsStr::new);
        let files = files.iter().map(|file| file.as_os_str());
        let words: Vec<&std::ffi::OsStr> = words.into_iter().chain(files).collect();
        rpm.ok(&words)
    };
    let (provided, needed) = (ask("--provides"), ask("--requires"));
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let provided: BTreeSet<String> = provided.lines().map(name).collect();
    let needed: BTreeSet<&str> = needed.lines().collect();
    let mut lines = String::new();
    for line in needed {
        let name = name(line);
        if name.starts_with("rpmlib(") || line.starts_with('(') || provided.contains(&name) {
            continue;
        }
        let version = line.rsplit(' ').next().filter(|_| line.contains('='));
        let version = version.map(|version| format!(" = {version}"));
        lines += &format!("Provides: {name}{}\n", version.unwrap_or_default());
    }
    lines
}

/// Packages of a vendor are installed with his key, `gpgcheck=1` and no switch.
fn installs(files: &[PathBuf], key: &Path) {
    let site = Site::with(&[]);
    for file in files {
        let name = file.file_name().unwrap();
        std::fs::copy(file, site.path("repo").join(name)).unwrap();
    }
    createrepo::<&str>(&site.path("repo"), &[]);
    let text = format!("gpgcheck=1\ngpgkey=file://{}", key.display());
    site.write("repos.d/test.repo", site.repo_text(&text));
    // What the rest of the distribution would bring.
    let rest = plain("rest", "1.0").lines(unmet(&Rpm::of_files(), files).trim_end());
    let rest = rest.build().display().to_string();
    std::fs::create_dir_all(site.path("root/var/lib/rpm")).unwrap();
    let rpm = Rpm::on_root(&site.path("root"));
    rpm.ok(&["-i", "--nosignature", "--nodeps", &rest]);
    let names: Vec<String> = files
        .iter()
        .map(|file| {
            Package::open(File::open(file).unwrap())
                .unwrap()
                .nevra()
                .name
                .clone()
        })
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let words = ["-y", "--setopt=tsflags=noscripts", "install"];
    let ran = site.run(&[&words[..], &names[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.err.contains("warning: weak"), "{ran:?}");
    names.iter().for_each(|name| drop(rpm.ok(&["-q", name])));
}

#[test]
fn photon_php_and_centos_7_install_with_their_keys() {
    let Some(real) = real() else { return };
    if unprivileged() {
        return;
    }
    let php = real.join("Lemric+photon-php");
    let all = packages_in(&php);
    assert_eq!(all.len(), 27);
    installs(&all, &php.join("RPM-GPG-KEY-photon-php"));
    let centos = real.join("sunhuantian+openstack_m_rpm/repo");
    let some = [
        "ipset-6",
        "ipset-libs-6",
        "nano-2",
        "ebtables-2",
        "bc-1",
        "ed-1",
    ];
    let files = packages_in(&centos).into_iter().filter(|file| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        some.iter().any(|start| name.starts_with(start))
    });
    let files: Vec<PathBuf> = files.collect();
    assert_eq!(files.len(), some.len());
    let keys = real.join("xsuchy+distribution-gpg-keys/keys/centos");
    installs(&files, &keys.join("RPM-GPG-KEY-CentOS-7"));
}
