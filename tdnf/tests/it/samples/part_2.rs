//! Samples 1001 to 1149: options, refusals, excludes, plugins.

use super::Step::{Do, Samples};
use super::stage::{CONF, Stage};
use super::{Step, typed, words};

const ADVISORIES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<updates>
<update from="x@example.org" status="stable" type="bugfix" version="1"><id>BUG-2020-1</id><title>bug title</title><release>R</release><issued date="2020-05-01 12:00:00"/><references><reference href="https://ex.org/1" id="CVE-2020-1" title="t" type="cve"/></references><description>a bug fix</description>
<pkglist><collection short="c"><name>C</name><package arch="x86_64" epoch="0" name="tdnf-test-multiversion" release="1" version="1.0.2"><filename>tdnf-test-multiversion-1.0.2-1.x86_64.rpm</filename></package></collection></pkglist></update>
<update from="x@example.org" status="stable" type="security" version="1"><id>SEC-2020-2</id><title>sec title</title><severity>7.5</severity><release>R</release><issued date="2020-06-01 12:00:00"/><updated date="2020-06-02 12:00:00"/><description>a security fix</description>
<pkglist><collection short="c"><name>C</name><package arch="x86_64" epoch="0" name="tdnf-test-multiversion" release="1" version="1.0.2"><filename>tdnf-test-multiversion-1.0.2-1.x86_64.rpm</filename><reboot_suggested>True</reboot_suggested></package><package arch="x86_64" epoch="0" name="tdnf-multi" release="4" version="1.0.1"><filename>tdnf-multi-1.0.1-4.x86_64.rpm</filename></package></collection></pkglist></update>
<update from="x@example.org" status="stable" type="enhancement" version="1"><id>ENH-2020-3</id><title>enh</title><severity>Important</severity><release>R</release><issued date="2020-06-01 12:00:00"/><description>an enhancement</description>
<pkglist><collection short="c"><name>C</name><package arch="x86_64" epoch="0" name="tdnf-multi" release="4" version="1.0.1"><filename>tdnf-multi-1.0.1-4.x86_64.rpm</filename></package></collection></pkglist></update>
<update from="x@example.org" status="stable" type="newpackage" version="1"><id>NEW-2020-4</id><title>new</title><release>R</release><issued date="2020-06-01 12:00:00"/><description>new</description>
<pkglist><collection short="c"><name>C</name><package arch="x86_64" epoch="0" name="tdnf-multi" release="4" version="1.0.1"><filename>tdnf-multi-1.0.1-4.x86_64.rpm</filename></package></collection></pkglist></update>
</updates>
"#;

const UPDATES: &str = "name=Updates for $releasever/$basearch\nbaseurl=http://localhost:8080/upd\ngpgcheck=0\nenabled=0\n";

pub(super) const STEPS: &[Step] = &[
    Do(updates),
    Samples(1001..=1032),
    words(1033, &["list", ""]),
    Samples(1034..=1040),
    typed(1041, "y\n"),
    typed(1042, "n\n"),
    typed(1043, "\n"),
    typed(1044, "what\nYES\n"),
    Samples(1045..=1057),
    Do(|stage| {
        let file = stage
            .package("tdnf-multi-1.0.1-2")
            .to_string_lossy()
            .into_owned();
        stage
            .rpm()
            .ok(&["-U", "--oldpackage", "--nosignature", &file]);
    }),
    words(1058, &["-y", "install", "tdnf-test-multiversion >= 1.0.2"]),
    Samples(1059..=1065),
    Do(|stage| stage.conf(&format!("{CONF}excludepkgs=tdnf-test-one tdnf-conflict*\n"))),
    Samples(1066..=1069),
    Do(|stage| stage.conf(&format!("{CONF}minversions=tdnf-test-multiversion=1.0.2\n"))),
    Samples(1070..=1072),
    Do(|stage| {
        stage.conf(CONF);
        stage.write("etc/tdnf/locks.d/one.conf", "tdnf-test-multiversion\n");
    }),
    Samples(1073..=1074),
    Do(|stage| {
        stage.remove("etc/tdnf/locks.d");
        stage.write("etc/tdnf/protected.d/one.conf", "tdnf-test-multiversion\n");
    }),
    Samples(1075..=1076),
    Do(|stage| stage.remove("etc/tdnf/protected.d")),
    Samples(1077..=1077),
    Do(three_at_once),
    Samples(1078..=1084),
    Do(|stage| stage.conf(CONF)),
    Samples(1085..=1089),
    Samples(1090..=1096),
    Do(|stage| days_ago(stage, 3)),
    Samples(1097..=1097),
    Do(|stage| days_ago(stage, 3)),
    Samples(1098..=1102),
    Do(mirrors),
    Samples(1103..=1105),
    Do(|stage| {
        stage.conf(&format!(
            "{CONF}plugins=1\npluginconfpath=/etc/tdnf/pluginconf.d\n"
        ));
        for name in ["tdnfrepogpgcheck", "tdnfmetalink", "nosuch"] {
            stage.write(
                &format!("etc/tdnf/pluginconf.d/{name}.conf"),
                "[main]\nenabled=1\n",
            );
        }
    }),
    Samples(1106..=1108),
    Do(|stage| metalink(stage, |_, _| String::new())),
    Samples(1109..=1109),
    Do(|stage| {
        metalink(stage, |sum, _| {
            format!("<hash type=\"sha256\">{sum}</hash>")
        })
    }),
    Samples(1110..=1110),
    Do(|stage| {
        stage.remove("var/cache/tdnf");
        metalink(stage, |sum, _| {
            format!(
                "<hash type=\"sha256\">{}</hash>",
                sum.replace(|c: char| c.is_ascii_digit(), "a")
            )
        });
    }),
    Samples(1111..=1111),
    Do(|stage| {
        stage.remove("var/cache/tdnf");
        signed_index(stage, "file:///etc/pki/rpm-gpg/VMWARE-RPM-GPG-KEY");
    }),
    Samples(1112..=1112),
    Do(|stage| {
        signed_index(
            stage,
            "file:///tdnftest/build/pytests/repo/photon-test/keys/pubkey.asc",
        )
    }),
    Samples(1113..=1113),
    Do(|stage| {
        let index = stage.www("photon-test/repodata/repomd.xml");
        let text = std::fs::read_to_string(&index).expect("published");
        std::fs::write(&index, text.replace("<revision>", "<revision>1")).expect("ours");
    }),
    Samples(1114..=1114),
    Do(|stage| {
        stage.conf(CONF);
        let index = stage.www("photon-test/repodata/repomd.xml");
        let text = std::fs::read_to_string(&index).expect("published");
        std::fs::write(&index, text.replace("<revision>1", "<revision>")).expect("ours");
        test_repo(stage, "gpgcheck=0\n");
        stage.repo(
            "vars",
            "name=v\nbaseurl=http://localhost:8080/photon-test\nmetadata_expire=soon\nenabled=0\n",
        );
    }),
    Samples(1115..=1115),
    Do(|stage| {
        stage.write("etc/tdnf/vars/myrepo", "photon-test\n");
        stage.repo("vars", "name=V $myrepo $releasever $basearch $nosuch ${mydir}x\nbaseurl=http://localhost:8080/photon-test\nenabled=0\n");
    }),
    Samples(1116..=1116),
    Do(|stage| {
        stage.write(
            "etc/yum.repos.d/again.repo",
            "[vars]\nname=again\nbaseurl=http://localhost:8080/again\nenabled=0\n",
        )
    }),
    Samples(1117..=1117),
    Do(|stage| {
        stage.forget_repo("again");
        stage.repo(
            "number",
            "name=number\nbaseurl=http://localhost:8080/x\nenabled=0\npriority=abc\n",
        );
    }),
    Samples(1119..=1119),
    Do(|stage| {
        stage.forget_repo("number");
        stage.remove("var/lib/tdnf/history.db");
        stage.remove("var/cache/tdnf");
    }),
    Samples(1120..=1122),
    Do(|stage| {
        stage.run(
            "/usr/bin/tdnf",
            &["-q", "makecache"].map(str::to_owned),
            &Default::default(),
            false,
        );
    }),
    Samples(1123..=1123),
    Do(|stage| stage.remove("var/lib/tdnf/history.db")),
    Samples(1124..=1125),
    Do(|stage| stage.install(&[stage.package("tdnf-test-one")])),
    Samples(1126..=1126),
    Do(hold_lock),
    Samples(1127..=1127),
    Do(|stage| stage.held = None),
    Samples(1128..=1138),
    Do(|stage| stage.erase(&["tdnf-bad-pre"])),
    Samples(1139..=1139),
    Do(|stage| stage.install(&[stage.package("tdnf-bad-pre")])),
    words(
        1140,
        &[
            "-y",
            "install",
            "--rpmdefine",
            "_dbpath /x",
            "--testonly",
            "tdnf-conflict-file0",
        ],
    ),
    words(
        1141,
        &[
            "repoquery",
            "--qf",
            "A\\tB\\n%{name} %{requires}|%{provides}",
            "tdnf-test-cleanreq-leaf1",
        ],
    ),
    Samples(1142..=1149),
];

/// The repository with advisories, and two packages installed that they are about.
fn updates(stage: &mut Stage) {
    let names = [
        "tdnf-multi-1.0.1-1",
        "tdnf-multi-1.0.1-2",
        "tdnf-multi-1.0.1-3",
        "tdnf-multi-1.0.1-4",
        "tdnf-test-multiversion-1.0.1",
        "tdnf-test-multiversion-1.0.2",
    ];
    let files: Vec<_> = names.iter().map(|name| stage.package(name)).collect();
    stage.publish("upd", &files);
    let text = stage.www("upd").join("updateinfo.xml");
    std::fs::write(&text, ADVISORIES).expect("ours");
    let done = std::process::Command::new("modifyrepo_c")
        .arg(&text)
        .arg(stage.www("upd").join("repodata"))
        .output()
        .expect("modifyrepo_c runs");
    assert!(done.status.success(), "{done:?}");
    stage.repo("upd", UPDATES);
    stage.install(&[files[4].clone(), files[1].clone()]);
    let words = ["-q", "--repo=upd", "makecache"].map(str::to_owned);
    stage.run("/usr/bin/tdnf", &words, &Default::default(), false);
}

/// Another process holds the lock of the C program.
fn hold_lock(stage: &mut Stage) {
    let path = stage.root().join("run/.tdnf-instance-lockfile");
    let file = std::fs::File::create(&path).expect("ours");
    rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .expect("nobody else has it");
    stage.held = Some(file);
}

/// Three versions of one package, as a list of install-only names allows.
fn three_at_once(stage: &mut Stage) {
    let files =
        ["1", "2", "3"].map(|release| stage.package(&format!("tdnf-multi-1.0.1-{release}")));
    stage.install(&files);
    stage.conf(&format!("{CONF}installonlypkgs=tdnf-multi\n"));
}

/// Sets the time of every refresh mark back, as `touch -d` does.
fn days_ago(stage: &mut Stage, days: u64) {
    let cache = stage.root().join("var/cache/tdnf");
    let before = std::time::SystemTime::now() - std::time::Duration::from_secs(days * 86_400);
    for repo in std::fs::read_dir(cache)
        .expect("there is a cache")
        .flatten()
    {
        if let Ok(file) = std::fs::File::options()
            .append(true)
            .open(repo.path().join("lastrefresh"))
        {
            file.set_modified(before).expect("ours");
        }
    }
}

fn mirrors(stage: &mut Stage) {
    let (bad, good) = (
        "http://localhost:8080/doesntexist",
        "http://localhost:8080/photon-test",
    );
    std::fs::write(
        stage.www("mirrorlist"),
        stage.here(&format!("# mirrors\n{bad}\n{good}\n")),
    )
    .expect("ours");
    stage.repo(
        "ml",
        "name=ml\nmirrorlist=http://localhost:8080/mirrorlist\ngpgcheck=0\nenabled=0\n",
    );
    stage.repo(
        "bl",
        &format!("name=bl\nbaseurl={bad} {good}\ngpgcheck=0\nenabled=0\n"),
    );
    stage.repo(
        "mt",
        "name=mt\nmetalink=http://localhost:8080/metalink\ngpgcheck=0\nenabled=0\n",
    );
}

fn test_repo(stage: &Stage, lines: &str) {
    stage.repo(
        "photon-test",
        &format!("name=basic\nbaseurl=http://localhost:8080/photon-test\nenabled=1\n{lines}"),
    );
}

/// The index signed by the key of the packages, checked with this one.
fn signed_index(stage: &mut Stage, key: &str) {
    let index = stage.www("photon-test/repodata/repomd.xml");
    let data = std::fs::read(&index).expect("published");
    let made = testkit::now() - 60;
    let text = stage
        .key
        .sign_detached(data.as_slice(), made)
        .expect("the key can sign");
    std::fs::write(index.with_file_name("repomd.xml.asc"), text).expect("ours");
    test_repo(
        stage,
        &format!("gpgcheck=0\nrepo_gpgcheck=1\ngpgkey={key}\n"),
    );
}

/// A metalink of the test repository with what `hash` makes of digest and size.
fn metalink(stage: &mut Stage, hash: fn(&str, usize) -> String) {
    let repomd = std::fs::read(stage.www("photon-test/repodata/repomd.xml")).expect("published");
    let sum = crate::scene_rpm::sha256(&repomd);
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<metalink version=\"3.0\" xmlns=\"http://www.metalinker.org/\">\
         <files><file name=\"repomd.xml\"><size>{}</size><verification>{}</verification><resources>\
         <url protocol=\"http\" type=\"http\" preference=\"100\">http://localhost:8080/photon-test/repodata/repomd.xml</url>\
         </resources></file></files></metalink>\n",
        repomd.len(),
        hash(&sum, repomd.len()),
    );
    std::fs::write(stage.www("metalink"), stage.here(&text)).expect("ours");
}
