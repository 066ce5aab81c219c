//! The recipe repository over nginx into an empty root, and what the real rpm (4.16, 4.18, 4.20,
//! 6.1) says of the result.

use std::collections::BTreeSet;
use testkit::rpm::Rpm;

use testkit::fixtures;

use crate::interop_lab::{FIVE, Nginx, Site, copy, file_of, recipe, small, unprivileged};

/// Installs the five programs; answers the root and what the plan named.
fn five() -> (Nginx, Site, BTreeSet<String>) {
    let nginx = Nginx::start(&recipe());
    let site = Site::new(&nginx.repo_file());
    let words = [&["install"], &FIVE[..]].concat();
    let plan: BTreeSet<String> = site.plan(&words).into_iter().collect();
    assert!(plan.len() > 20, "{plan:?}");
    site.ok(&[&words[..], &["-y"]].concat());
    (nginx, site, plan)
}

/// Every question of issue 2's acceptance, to one rpm.
fn agrees(site: &Site, plan: &BTreeSet<String>, rpm: &Rpm) {
    assert_eq!(&rpm.all(), plan, "rpm -qa against the plan");
    rpm.verify();
    let keys = rpm.ok(&["-qi", "gpg-pubkey"]);
    assert!(keys.contains("recipe@tdnf.invalid"), "{keys}");
    let one = |words: &[&str]| {
        let format = ["--qf", "%{NAME}\n"];
        rpm.ok(&[words, &format].concat()).trim().to_owned()
    };
    assert_eq!(one(&["-q", "--whatprovides", "/usr/sbin/ipset"]), "ipset");
    assert_eq!(
        one(&["-q", "--whatprovides", "libc.so.6()(64bit)"]),
        "libc6"
    );
    assert_eq!(one(&["-qf", "/usr/bin/socat"]), "socat");
    assert_eq!(
        one(&["-q", "--whatrequires", "libipset.so.13()(64bit)"]),
        "ipset"
    );
    rpm.ok(&["-e", "ipset", "socat"]);
    let gone = |name: &&String| !name.starts_with("ipset-") && !name.starts_with("socat-");
    let left: BTreeSet<String> = plan.iter().filter(gone).cloned().collect();
    assert_eq!(rpm.all(), left);
    assert_eq!(site.listed(), left, "tdnf list installed after rpm -e");
    assert!(!site.root.join("usr/sbin/ipset").exists());
    rpm.verify();
}

/// rpm installs and upgrades beside us; then tdnf goes on.
fn goes_on(site: &Site, rpm: &Rpm) {
    let repo = small().join("repo");
    let inside = |nevra: &str| {
        // An oracle sees nothing but the root.
        let name = format!("{nevra}.rpm");
        std::fs::copy(file_of(&repo, nevra), site.root.join(&name)).unwrap();
        rpm.root().unwrap().join(name).to_str().unwrap().to_owned()
    };
    rpm.ok(&[
        "-i",
        &inside("chain-1-1.noarch"),
        &inside("config-1-1.noarch"),
    ]);
    assert!(site.listed().contains("chain-1-1.noarch"));
    rpm.ok(&["-U", &inside("chain-2-1.noarch")]);
    assert_eq!(site.listed(), rpm.all(), "tdnf list installed after rpm -U");
    assert!(site.listed().contains("chain-2-1.noarch"));
    let url = format!("file://{}", repo.display());
    let section = crate::interop_lab::repo_section("small", &url, &repo);
    site.root.write("etc/yum.repos.d/small.repo", section);
    site.ok(&["install", "-y", "--repo=recipe", "ipset"]);
    site.ok(&["upgrade", "-y", "--repo=small", "chain", "config"]);
    site.ok(&["erase", "-y", "--noautoremove", "socat", "ebtables"]);
    let all = rpm.all();
    assert!(all.contains("chain-3-1.noarch") && all.contains("config-3-1.noarch"));
    assert!(!all.iter().any(|name| name.starts_with("ebtables-")));
    assert_eq!(site.listed(), all, "rpm -qa after tdnf went on");
    rpm.verify();
}

#[test]
fn five_programs_run_and_rpm_4_18_agrees() {
    if unprivileged() {
        return;
    }
    let (_nginx, site, plan) = five();
    for (words, says) in [
        (vec!["ipset", "--version"], "ipset v"),
        (vec!["socat", "-V"], "socat version"),
        (vec!["ethtool", "--version"], "ethtool version"),
        (vec!["ebtables", "--version"], "ebtables v"),
        (vec!["tar", "--version"], "tar (GNU tar)"),
    ] {
        let said = site.root.chroot(&words);
        assert!(said.contains(says), "{words:?}: {said}");
    }
    assert_eq!(site.listed(), plan, "tdnf list installed against the plan");
    agrees(&site, &plan, &site.rpm());
    // socat goes again below; it must be there for that.
    site.ok(&["install", "-y", "socat"]);
    goes_on(&site, &site.rpm());
}

fn oracle_agrees(name: &str) {
    if unprivileged() {
        return;
    }
    let Some(oracle) = fixtures::oracle(name) else {
        return;
    };
    // The oracle is the user's: its copy may be written to by its rpm.
    let oracle = copy(&oracle);
    let (_nginx, site, plan) = five();
    let rpm = Rpm::oracle_on_root(oracle.path(), site.root.path());
    agrees(&site, &plan, &rpm);
    site.ok(&["install", "-y", "socat"]);
    goes_on(&site, &rpm);
}

#[test]
fn rpm_4_16_agrees() {
    oracle_agrees("bullseye");
}

#[test]
fn rpm_4_20_agrees() {
    oracle_agrees("trixie");
}

#[test]
fn rpm_6_1_agrees() {
    oracle_agrees("sid");
}
