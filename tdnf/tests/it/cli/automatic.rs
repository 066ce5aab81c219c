//! `tdnf-automatic`: the lines and exit codes of C tdnf's script, each with its true cause.

use std::fs;
use std::process::Command;

use rustix::fs::{FlockOperation, fcntl_lock};
use testkit::fixtures::unprivileged;
use testkit::program::{self, Run};
use testkit::rpm::createrepo;

use super::programs::automatic;
use super::{Site, plain};
use crate::interop_lab::program;

/// A site with an update of `alpha`.
fn with_an_update() -> Site {
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).ok();
    site.add(&plain("alpha", "2.0"));
    createrepo::<&str>(&site.path("repo"), &[]);
    site
}

#[track_caller]
fn ends(ran: &Run, code: i32, words: &[&str]) {
    assert_eq!(ran.code, code, "{ran:#?}");
    let text = ran.text();
    for word in words {
        assert!(text.contains(word), "no '{word}': {ran:#?}");
    }
    let last = format!("tdnf-automatic - completed with exit status {code} at ");
    assert!(text.contains(&last), "{ran:#?}");
}

#[test]
fn tdnf_automatic_says_what_the_script_said() {
    if unprivileged() {
        return;
    }
    let site = with_an_update();
    let available = "\nThe following updates are available on - box:\nalpha-2.0-1\n";
    let box_ = "[emitter]\nsystem_name=box\n";
    let sleeps = format!("[commands]\nrandom_sleep=1\n{box_}");
    for timer in ["-t", "--timer"] {
        let ran = automatic(&site, &sleeps, &[timer, "-n"]);
        ends(
            &ran,
            0,
            &[
                "Sleep for ",
                " second(s)...",
                "RefreshCache success...",
                available,
            ],
        );
    }
    // Looking comes before installing.
    let both = automatic(&site, box_, &["-i", "--notify"]);
    let wins = "warning: --notify wins over --install: nothing is installed";
    ends(&both, 0, &[available, wins]);
    assert_eq!(site.rpm_names(), ["alpha-1.0"]);
    let silent = automatic(&site, &format!("[commands]\nshow_updates=no\n{box_}"), &[]);
    ends(&silent, 0, &["RefreshCache success..."]);
    assert!(!silent.out.contains("alpha"), "{silent:?}");
    let report = site.path("report.txt").display().to_string();
    let quiet = format!("{box_}emit_to_stdio=no\nemit_to_file={report}\n");
    let ran = automatic(&site, &quiet, &[]);
    assert!(!ran.out.contains("alpha"), "{ran:?}");
    assert!(
        fs::read_to_string(&report)
            .expect("the report")
            .contains(available)
    );
    let secure = format!("[commands]\nupgrade_type=security\n{box_}");
    ends(
        &automatic(&site, &secure, &[]),
        0,
        &["No updates available on box. System upto date..."],
    );
    let unwritable = format!("{box_}emit_to_file=/nonexistent/report\n");
    let fault = "automatic.conf:3: emit_to_file = /nonexistent/report: No such file or directory";
    ends(
        &automatic(&site, &unwritable, &[]),
        77,
        &[fault, "nothing was to be installed"],
    );
    let installed = automatic(&site, box_, &["-i"]);
    ends(
        &installed,
        0,
        &[
            "\nThe following updates are applied on - box:\nalpha-2.0-1\n",
            "--- Updates completed at ",
        ],
    );
    assert_eq!(site.rpm_names(), ["alpha-2.0"]);
}

#[test]
fn tdnf_automatic_names_the_cause_of_each_fault() {
    if unprivileged() {
        return;
    }
    let site = with_an_update();
    let ran = site.program("tdnf-automatic", &["--conf", "/nonexistent.conf"]);
    ends(
        &ran,
        2,
        &["Configuration file: '/nonexistent.conf' does not exist"],
    );
    let empty = site.write("empty.conf", "").display().to_string();
    ends(
        &site.program("tdnf-automatic", &["-c", &empty]),
        2,
        &["is empty"],
    );
    let other = site.write("other.conf", "[base]\ntdnf_conf=/nonexistent/tdnf.conf\n");
    let other = other.display().to_string();
    let ran = site.program("tdnf-automatic", &["-c", &other]);
    ends(
        &ran,
        2,
        &["tdnf conf '/nonexistent/tdnf.conf' does not exist..."],
    );
    for (wrong, cause) in [
        (
            "[commands]\nupgrade_type=some",
            ":2: Invalid entry 'commands'|'upgrade_type'='some': 'all' or 'security' expected",
        ),
        (
            "[commands]\nrandom_sleep=-1",
            ":2: Invalid entry 'commands'|'random_sleep'='-1': seconds expected, a day at most",
        ),
        (
            "[comands]\napply_updates=no",
            ": unknown section: did you mean 'commands'?",
        ),
        (
            "[commands]\nshow_update=no",
            ": unknown key: did you mean 'show_updates'?",
        ),
        (
            "[commands]\nsystem_name=x",
            ": the key does not belong to the section 'commands'",
        ),
        (
            "[emitter]\nemit_via=email",
            "Invalid entry 'emitter'|'emit_via'='email': unknown key",
        ),
        (
            "[email]\nemail_to=root",
            "Invalid entry 'email'|'email_to'='root': unknown section",
        ),
        ("[commands\n", ":1: a section line must end with ]"),
        ("rubbish\n", ":1: expected [section] or key = value"),
    ] {
        ends(
            &automatic(&site, wrong, &[]),
            22,
            &["automatic.conf", cause],
        );
    }
    let conf = fs::read_to_string(site.path("tdnf.conf")).expect("ours");
    let report = site.path("report.txt").display().to_string();
    let emitter = format!("[emitter]\nsystem_name=box\nemit_to_file={report}\n");
    for (keys, cause) in [
        (
            "gpgcheck=perhaps",
            "tdnf.conf:4: gpgcheck = perhaps: expected a boolean",
        ),
        ("rubbish", "tdnf.conf:4: expected [section] or key = value"),
        ("reposdir=/nonexistent", "/nonexistent: no such directory"),
    ] {
        site.write("tdnf.conf", format!("{conf}{keys}\n"));
        let ran = automatic(&site, &emitter, &[]);
        ends(
            &ran,
            121,
            &[
                "Failed to refresh repo cache..",
                cause,
                "Failed to Show/Apply updates...",
            ],
        );
        let told = fs::read_to_string(&report).expect("the report");
        assert!(told.contains(cause), "the file has it, too: {told}");
    }
    // What stops nothing is said all the same, once.
    site.write("tdnf.conf", format!("{conf}gpgchek=1\n"));
    let ran = automatic(&site, &emitter, &[]);
    let warning = "tdnf.conf:4: unknown key 'gpgchek': did you mean 'gpgcheck'?";
    ends(&ran, 0, &[warning]);
    assert_eq!(ran.err.matches(warning).count(), 1, "{ran:?}");
    assert!(
        fs::read_to_string(&report)
            .expect("the report")
            .contains(warning)
    );
    site.write("tdnf.conf", &conf);
    let gone = |keys: &str| {
        let text = format!("[gone]\nbaseurl=http://127.0.0.1:9/x\nenabled=1\nretries=1\n{keys}\n");
        site.write("repos.d/test.repo", text);
    };
    gone("");
    let ran = automatic(&site, &emitter, &[]);
    ends(
        &ran,
        121,
        &[
            "Failed to refresh repo cache..",
            "Failed to synchronize cache for repo 'gone'",
        ],
    );
    let patient = format!("[commands]\nnetwork_online_timeout=1\n{emitter}");
    ends(
        &automatic(&site, &patient, &[]),
        64,
        &["connection refused", "System is off-line..."],
    );
    gone("skip_if_unavailable=1");
    let ran = automatic(&site, &emitter, &[]);
    let none = "none of the repositories could be read (gone)";
    ends(&ran, 121, &["connection refused", none]);
    assert!(!ran.text().contains("upto date"), "nobody knows: {ran:#?}");
    let told = fs::read_to_string(&report).expect("the report");
    assert!(told.contains(none), "{told}");
    ends(
        &automatic(&site, &patient, &[]),
        64,
        &[none, "System is off-line..."],
    );
    let text = fs::read_to_string(site.path("repos.d/test.repo")).expect("ours");
    site.write("repos.d/test.repo", text + &site.repo_text("gpgcheck=0"));
    let ran = automatic(&site, &emitter, &[]);
    ends(&ran, 0, &["RefreshCache success..."]);
    assert_eq!(ran.err.matches("connection refused").count(), 1, "{ran:?}");
    gone("enabled=0");
    ends(
        &automatic(&site, &emitter, &[]),
        64,
        &["no repository is enabled"],
    );
    let mut other = Command::new("setpriv");
    other.args(["--reuid=65534", "--clear-groups"]);
    let copy = site.path("copy");
    fs::copy(program(), &copy).expect("ours");
    let run = program::run(other.arg(copy).arg("automatic").env_clear());
    ends(
        &run,
        13,
        &["tdnf-automatic - this script must be run as root..."],
    );
}

#[test]
fn tdnf_automatic_installs_what_it_cannot_report() {
    if unprivileged() {
        return;
    }
    let site = with_an_update();
    let full = "[emitter]\nemit_to_file=/dev/full\n";
    let ran = automatic(&site, full, &["-i"]);
    ends(
        &ran,
        77,
        &[
            "automatic.conf:2: emit_to_file = /dev/full: No space left on device",
            "the updates were installed all the same",
        ],
    );
    assert_eq!(site.rpm_names(), ["alpha-2.0"]);
}

#[test]
fn tdnf_automatic_is_off_line_only_where_no_server_is_reached() {
    if unprivileged() {
        return;
    }
    let site = with_an_update();
    let patient = "[commands]\nnetwork_online_timeout=1\n[emitter]\nsystem_name=box\n";
    let other = |url: &str, keys: &str| {
        let text = format!("[other]\nbaseurl={url}\nenabled=1\nretries=1\n{keys}\n");
        site.write("repos.d/other.repo", text);
    };
    let nowhere = "http://127.0.0.1:9/x";
    for (url, cause) in [
        ("file:///nonexistent/repo", "no such file"),
        (nowhere, "connection refused"),
    ] {
        other(url, "");
        let ran = automatic(&site, patient, &[]);
        ends(
            &ran,
            121,
            &["Failed to refresh repo cache..", cause, "Error(12"],
        );
        assert!(!ran.text().contains("off-line"), "{ran:#?}");
        assert!(!ran.text().contains('{'), "no JSON: {ran:#?}");
    }
    // What could not be read may have updates.
    site.run(&["-y", "--disablerepo=other", "upgrade"]).ok();
    other(nowhere, "skip_if_unavailable=1");
    let ran = automatic(&site, patient, &[]);
    let known = "No updates available on box in the repositories that could be read (not: other)";
    ends(&ran, 0, &[known]);
    assert!(!ran.text().contains("upto date"), "{ran:#?}");
}

#[test]
fn tdnf_automatic_prints_the_lines_of_tdnf() {
    if unprivileged() {
        return;
    }
    let site = with_an_update();
    let database = site.root.join("var/lib/rpm/rpmdb.sqlite");
    let mut bytes = fs::read(&database).expect("ours");
    bytes[..4096].fill(0xa5);
    fs::write(&database, bytes).expect("ours");
    let ran = automatic(&site, "", &["-i"]);
    let lines = [
        "the updates cannot be installed as they are",
        "the rpm database is damaged",
        "\nError(1526) : The rpm database cannot be opened\n",
    ];
    ends(&ran, 121, &lines);
    assert!(!ran.text().contains('{'), "no JSON: {ran:#?}");
}

#[test]
fn tdnf_automatic_says_who_holds_the_lock_and_ends() {
    if unprivileged() {
        return;
    }
    let site = with_an_update();
    let lock = site.root.join("var/lib/tdnf/.tdnf-instance-lockfile");
    let file = fs::File::options().read(true).write(true).open(lock);
    let file = file.expect("an earlier run made it");
    fcntl_lock(&file, FlockOperation::LockExclusive).expect("free");
    let conf = "[commands]\nlock_timeout=1\n";
    let ran = automatic(&site, conf, &["-i"]);
    let holder = format!("is held by process {} ", std::process::id());
    ends(
        &ran,
        121,
        &[&holder, "waiting for it, 1 seconds at most", "Error(1611)"],
    );
    drop(file);
    ends(
        &automatic(&site, conf, &["-i"]),
        0,
        &["updates are applied"],
    );
}
