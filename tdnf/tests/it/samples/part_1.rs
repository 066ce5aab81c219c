//! Samples 1 to 212: the commands one after the other on one system.

use super::Step::{Do, Sample, Samples};
use super::recipes;
use super::stage::{CONF, Call, Stage};
use super::{Step, words};

const BASIC: &str = "name=basic\nbaseurl=http://localhost:8080/photon-test\n\
                     #metalink=http://localhost:8080/photon-test/metalink\n";

pub(super) const STEPS: &[Step] = &[
    Do(further_repos),
    Samples(1..=69),
    Do(local_package),
    Samples(70..=74),
    Do(|stage| {
        stage.write(
            "tmp/compat.conf",
            format!("{CONF}dnf_check_update_compat=1\n"),
        )
    }),
    Samples(75..=117),
    words(
        118,
        &[
            "repoquery",
            "--qf",
            "%{name}|%{evr}|%{version}|%{release}|%{arch}|%{reponame}|%{installsize}|%{downloadsize}|%{size}|%{sourcerpm}|%{sourcename}|%{license}|%{url}|%{summary}\\n%{description}\\n%{requires}\\t%{provides}",
            "tdnf-repoquery-queryformat",
        ],
    ),
    Samples(119..=147),
    Do(the_obsoleter_is_a_dependency),
    Samples(148..=156),
    Do(|stage| stage.write("etc/tdnf/protected.d/glibc.conf", "glibc\n")),
    Samples(157..=157),
    Do(|stage| stage.remove("etc/tdnf/protected.d/glibc.conf")),
    Samples(158..=170),
    Do(|stage| stage.write("tmp/sync/.keep", "")),
    Sample(
        171,
        Call {
            words: None,
            input: "",
            dir: "/tmp/sync",
            unprivileged: false,
        },
    ),
    Do(|stage| {
        stage.run(
            "/usr/bin/tdnf",
            &["-q", "makecache"].map(str::to_owned),
            &Call::default(),
            false,
        );
        checked(stage, "file:///etc/pki/rpm-gpg/VMWARE-RPM-GPG-KEY");
    }),
    Samples(172..=173),
    Do(|stage| checked(stage, PUBKEY)),
    Samples(174..=175),
    Do(|stage| {
        basic(stage, PUBKEY, 0);
        bad(stage, "baseurl=http://localhost:8080/nope\n");
    }),
    Samples(176..=177),
    Do(|stage| {
        let lines = format!(
            "baseurl=http://127.0.0.1:{}/nope\nretries=1\n",
            stage.closed
        );
        bad(stage, &lines);
    }),
    Samples(178..=178),
    Do(|stage| {
        let lines = format!(
            "baseurl=http://127.0.0.1:{}/nope\nretries=1\nskip_if_unavailable=1\n",
            stage.closed
        );
        bad(stage, &lines);
    }),
    Samples(179..=179),
    Do(|stage| bad(stage, "skip_if_unavailable=1\n")),
    Samples(180..=180),
    Do(|stage| stage.forget_repo("bad")),
    Samples(181..=187),
    Sample(188, USER),
    Sample(189, USER),
    Samples(190..=201),
    Samples(202..=206),
    Do(|stage| {
        let text = "[commands]\nupgrade_type=all\nrandom_sleep=0\nnetwork_online_timeout=1\nshow_updates=yes\napply_updates=no\n[emitter]\nsystem_name=host\nemit_to_stdio=yes\n[base]\ntdnf_conf=/etc/tdnf/tdnf.conf\n";
        stage.write("tmp/auto.conf", text);
    }),
    Samples(207..=207),
    Samples(208..=212),
];

const PUBKEY: &str = "file:///tdnftest/build/pytests/repo/photon-test/keys/pubkey.asc";

const USER: Call<'static> = Call {
    words: None,
    input: "",
    dir: "/tmp",
    unprivileged: true,
};

fn further_repos(stage: &mut Stage) {
    let lines = "name=basic\nbaseurl=http://localhost:8080/NAME\n\
                 gpgkey=file:///etc/pki/rpm-gpg/VMWARE-RPM-GPG-KEY\ngpgcheck=0\nenabled=0\n";
    for name in ["photon-test-src", "photon-test-sha512"] {
        stage.repo(name, &lines.replace("NAME", name));
    }
    let sources = stage
        .root()
        .join("tdnftest/build/pytests/repo/photon-test-src/SRPMS");
    std::fs::create_dir_all(&sources).expect("ours");
    recipes::source_packages(&sources);
    let files = testkit::rpm::packages_in(&sources);
    stage.publish("photon-test-src", &files);
}

/// The packages of sample 69, which ours refuses without a key, and its line in the history.
fn local_package(stage: &mut Stage) {
    let path = "/tdnftest/build/pytests/repo/photon-test/RPMS/x86_64/tdnf-repoquery-base-1.0.1-2.x86_64.rpm";
    let words = ["-y", "--nogpgcheck", "install", path].map(str::to_owned);
    let done = stage.run("/usr/bin/tdnf", &words, &Call::default(), false);
    assert_eq!(done.code, 0, "{done:?}");
    let db = rusqlite::Connection::open(stage.root().join("var/lib/tdnf/history.db"))
        .expect("there is a history");
    let line = format!("-y install {path}");
    let last = "UPDATE transactions SET cmdline = ?1 WHERE Id = (SELECT max(Id) FROM transactions)";
    assert_eq!(db.execute(last, [line]).expect("it is ours"), 1);
}

fn basic(stage: &Stage, key: &str, gpgcheck: u8) {
    stage.repo(
        "photon-test",
        &format!("{BASIC}gpgkey={key}\ngpgcheck={gpgcheck}\nenabled=1\n"),
    );
}

/// Signatures are checked with this key.
fn checked(stage: &Stage, key: &str) {
    basic(stage, key, 1);
}

fn bad(stage: &Stage, lines: &str) {
    stage.repo(
        "bad",
        &format!("name=Bad Repo\nenabled=0\ngpgcheck=0\n{lines}"),
    );
}

/// What took the place of `tdnf-repoquery-base` counts as a dependency for the C program, which `autoremove` shows.
fn the_obsoleter_is_a_dependency(stage: &mut Stage) {
    let db = rusqlite::Connection::open(stage.root().join("var/lib/tdnf/history.db"))
        .expect("the history is there");
    let marked = db.execute(
        "INSERT INTO flag_set(trans_id, name_id, value) SELECT (SELECT MAX(Id) FROM transactions), Id, 1 \
         FROM names WHERE name = 'tdnf-repoquery-obsoletes'",
        [],
    );
    assert_eq!(marked, Ok(1), "its mark is in the history");
}
