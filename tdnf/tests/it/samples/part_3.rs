//! Samples 2001 to 2074: corner cases with packages of their own.

use testkit::tree;

use super::Step::{Do, Samples};
use super::recipes;
use super::stage::Stage;
use super::{Step, words};

const CUST: &str = "name=cust\nbaseurl=http://localhost:8080/cust\ngpgcheck=0\nenabled=0\n";

pub(super) const STEPS: &[Step] = &[
    Do(custom),
    Samples(2001..=2003),
    words(
        2004,
        &[
            "--repo=cust",
            "repoquery",
            "--qf",
            "%{name} %{evr} %{version}",
            "epo",
        ],
    ),
    Samples(2005..=2027),
    Do(|stage| {
        tdnf(stage, "-y -q erase clna clnb");
        for name in ["aa1", "bb1", "cc1"] {
            stage.repo(
                name,
                &format!("name={name}\nbaseurl=http://localhost:8080/{name}\nenabled=0\n"),
            );
        }
    }),
    Samples(2028..=2029),
    Do(|stage| {
        for name in ["aa1", "bb1", "cc1"] {
            stage.forget_repo(name);
        }
        signed(stage);
    }),
    Samples(2030..=2034),
    Do(|stage| {
        stage.repo(
            "cust",
            &CUST.replace(
                "gpgcheck=0",
                "gpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/VMWARE-RPM-GPG-KEY",
            ),
        )
    }),
    Samples(2035..=2035),
    Do(|stage| stage.repo("cust", CUST)),
    Samples(2036..=2036),
    Do(hacked_metadata),
    Samples(2037..=2037),
    Do(hacked_package),
    Samples(2038..=2039),
    Do(|stage| {
        std::fs::remove_file(stage.www("cust/clnb-1-1.x86_64.rpm")).expect("ours");
        stage.remove("var/cache/tdnf/cust/rpms/clnb-1-1.x86_64.rpm");
    }),
    Samples(2040..=2059),
    Samples(2060..=2073),
    Do(|stage| {
        stage.repo("ua", "name=ua\nbaseurl=http://localhost:8099/x\nusername=u\npassword=p\ngpgcheck=0\nenabled=0\n")
    }),
    Samples(2074..=2074),
];

fn tdnf(stage: &Stage, line: &str) {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let done = stage.run("/usr/bin/tdnf", &words, &Default::default(), false);
    assert_eq!(done.code, 0, "{line}: {done:?}");
}

fn custom(stage: &mut Stage) {
    stage.publish("cust", &recipes::custom_packages());
    stage.repo("cust", CUST);
    tdnf(stage, "-q --enablerepo=cust makecache");
}

/// A repository whose packages are signed by a key that nobody has.
fn signed(stage: &mut Stage) {
    let file = stage.package("tdnf-test-one-1.0.1-2");
    stage.publish("signed", &[file]);
    stage.repo("signed", "name=signed\nbaseurl=http://localhost:8080/signed\ngpgkey=file:///etc/pki/rpm-gpg/VMWARE-RPM-GPG-KEY\ngpgcheck=1\nenabled=0\n");
}

/// The text of primary changes, what repomd.xml says of it does not.
fn hacked_metadata(stage: &mut Stage) {
    tree::copy(&stage.www("cust"), &stage.www("cust.good"));
    let dir = stage.www("cust").join("repodata");
    let script = "for file in \"$1\"/*primary.xml.gz \"$1\"/*primary.xml.zst; do \
                  [ -e \"$file\" ] || continue; case $file in *.gz) tool=gzip ;; *) tool=zstd ;; esac; \
                  $tool -dc \"$file\" | sed 's/clnb summary/HACKED summary/' | $tool -c > \"$1/new\"; mv \"$1/new\" \"$file\"; done";
    let done = std::process::Command::new("sh")
        .args(["-ec", script, "sh"])
        .arg(dir)
        .status();
    assert!(done.is_ok_and(|status| status.success()));
}

/// The metadata is good again, a package of it is not.
fn hacked_package(stage: &mut Stage) {
    std::fs::remove_dir_all(stage.www("cust")).expect("ours");
    tree::copy(&stage.www("cust.good"), &stage.www("cust"));
    let file = stage.www("cust/clnb-1-1.x86_64.rpm");
    let mut bytes = std::fs::read(&file).expect("published");
    let last = bytes.len() - 10;
    bytes[last] ^= 0xff;
    std::fs::write(&file, bytes).expect("ours");
    stage.remove("var/cache/tdnf");
}
