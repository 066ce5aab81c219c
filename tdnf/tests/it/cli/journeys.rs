//! What happens to a host in days and to users that are nobody in particular.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use testkit::fixtures::unprivileged;
use testkit::program::{self, Run};
use testkit::rpm::createrepo;
use testkit::server::Answer;
use testkit::stage::open_section;

use super::{Site, answer, plain};
use crate::interop_lab::program;

/// A user whom no file knows, as OpenShift makes them.
const STRANGER: &str = "1000650000";

/// Runs tdnf on a site as a user without a home and without surroundings.
pub(super) fn as_stranger(site: &Site, words: &[&str]) -> Run {
    answer(&mut stranger(site, words))
}

fn stranger(site: &Site, words: &[&str]) -> Command {
    // The build folder may be closed to others.
    let place = site.path("tdnf-copy");
    if !place.exists() {
        fs::copy(program(), &place).expect("ours");
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("ours");
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", STRANGER, "--regid", STRANGER, "--clear-groups"])
        .arg(place)
        .arg("-c")
        .arg(site.path("tdnf.conf"))
        .arg("--installroot")
        .arg(site.root.path())
        .args(words)
        .env_clear()
        .current_dir("/");
    command
}

#[test]
fn a_user_without_a_home_reads_a_fresh_system_cache() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0"), plain("alpha", "2.0")]);
    let url = site.server.url("");
    site.write(
        "repos.d/test.repo",
        format!("[test]\nname=Test\nbaseurl={url}\nenabled=1\ngpgcheck=0\n"),
    );
    site.run(&["makecache"]).ok();
    site.run(&["-y", "install", "alpha=1.0"]).ok();
    site.server.forget();
    let homes = [
        None,
        Some(""),
        Some("/"),
        Some("/nonexistent"),
        Some("/proc"),
    ];
    for home in homes {
        for (words, part) in [
            (&["list", "alpha"][..], "alpha.noarch"),
            (&["check-update"], "2.0-1"),
            (&["info", "available", "alpha"], "test of alpha"),
            (&["search", "alpha"], "test of alpha"),
            (&["repoquery", "alpha"], "alpha-2.0-1.noarch"),
            (&["repoquery", "--list", "alpha"], "/opt/alpha"),
            (&["provides", "/opt/alpha"], "alpha-1.0-1.noarch"),
            (&["updateinfo"], "0 updates"),
            (&["list", "installed"], "1.0-1"),
            (&["history"], "install alpha"),
        ] {
            let mut command = stranger(&site, words);
            command.env("TMPDIR", "/nonexistent");
            command.envs(home.map(|home| ("HOME", home)));
            let ran = answer(&mut command).ok();
            assert!(ran.out.contains(part), "{home:?} {words:?}: {ran:?}");
            assert!(!ran.err.contains("denied"), "{home:?} {words:?}: {ran:?}");
        }
    }
    assert!(site.server.seen().is_empty(), "the cache was fresh");
    let change = as_stranger(&site, &["-y", "update"]);
    assert_eq!(change.code, 65, "{change:?}");
}

/// Writes a `.repo` file of a served repository and of what stands in it beside that.
fn serve(site: &Site, id: &str, keys: &str) {
    let url = site.server.url(&format!("/{id}"));
    site.write(
        &format!("repos.d/{id}.repo"),
        format!("[{id}]\nname={id}\nbaseurl={url}\nenabled=1\ngpgcheck=0\nretries=1\n{keys}"),
    );
}

/// Makes a repository of the site anew: these packages and no others.
fn publish(site: &Site, id: &str, specs: &[testkit::spec::Spec]) {
    let dir = site.path("repo").join(id);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("ours");
    for spec in specs {
        let built = spec.build();
        fs::copy(&built, dir.join(built.file_name().expect("a name"))).expect("ours");
    }
    createrepo::<&str>(&dir, &[]);
}

/// Runs tdnf-automatic as cron does: what it says on either output is the mail.
fn nightly(site: &Site, conf: &str) -> (Run, String) {
    let tdnf = site.path("tdnf.conf").display().to_string();
    site.write(
        "automatic.conf",
        format!("{conf}\n[emitter]\nsystem_name=box\n[base]\ntdnf_conf={tdnf}\n"),
    );
    let sendmail = site.write("sendmail", "#!/bin/sh\ncat >\"$1\"\n");
    fs::set_permissions(&sendmail, fs::Permissions::from_mode(0o755)).expect("ours");
    let automatic = site.path("tdnf-automatic");
    if !automatic.exists() {
        std::os::unix::fs::symlink(program(), &automatic).expect("ours");
    }
    let script = "{ ./tdnf-automatic -c automatic.conf --installroot \"$PWD/root\" 2>&1; echo $? >status; } | ./sendmail mail; exit $(cat status)";
    let mut cron = Command::new("sh");
    cron.args(["-c", script])
        .current_dir(site.path(""))
        .env_clear();
    let ran = program::run(cron.env("PATH", "/usr/bin:/bin"));
    let mail = fs::read_to_string(site.path("mail")).expect("the mail has come");
    (ran, mail)
}

#[test]
fn a_week_of_a_host() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[]);
    fs::remove_file(site.path("repos.d/test.repo")).expect("ours");
    for (id, name) in [
        ("os", "alpha"),
        ("updates", "beta"),
        ("tools", "gamma"),
        ("local", "delta"),
    ] {
        publish(&site, id, &[plain(name, "1.0")]);
        serve(&site, id, "");
    }
    site.run(&["-y", "install", "alpha", "beta", "gamma", "delta"])
        .ok();
    let night = "[commands]\napply_updates=yes\n";
    let (quiet, mail) = nightly(&site, night);
    assert_eq!(quiet.code, 0, "{mail}");
    assert!(
        mail.contains("No updates available on box. System upto date..."),
        "{mail}"
    );

    // Monday: a repository dies. It is named, first as an error, then as what is left out.
    site.server
        .always("/tools/repodata/repomd.xml", Answer::status(500));
    let (dead, mail) = nightly(&site, night);
    assert_eq!(dead.code, 121, "{mail}");
    let named = mail.contains("Failed to synchronize cache for repo 'tools'");
    assert!(named && mail.contains("500"), "{mail}");
    serve(&site, "tools", "skip_if_unavailable=1\n");
    publish(&site, "os", &[plain("alpha", "1.0"), plain("alpha", "2.0")]);
    let (ran, mail) = nightly(&site, night);
    assert_eq!(ran.code, 0, "{mail}");
    assert!(
        mail.contains("warning: Failed to synchronize cache for repo 'tools'"),
        "{mail}"
    );
    assert!(
        mail.contains("updates are applied on - box:\nalpha-2.0-1\n"),
        "{mail}"
    );

    // Tuesday: a repository is published anew between its metadata and its packages.
    publish(&site, "updates", &[plain("beta", "2.0")]);
    let repodata = site.path("repo/updates/repodata");
    let mut old = Vec::new();
    for entry in fs::read_dir(&repodata).expect("ours") {
        let entry = entry.expect("ours");
        let name = entry.file_name().into_string().expect("a name");
        old.push((name, fs::read(entry.path()).expect("ours")));
    }
    publish(&site, "updates", &[plain("beta", "3.0")]);
    for (name, bytes) in old {
        let path = format!("/updates/repodata/{name}");
        // tdnf-automatic has looked before it installs.
        site.server.next(&path, [Answer::body(bytes)]);
    }
    site.run(&["-y", "--refresh", "update", "beta"]).ok();
    site.server.behave();
    site.server
        .always("/tools/repodata/repomd.xml", Answer::status(500));
    assert_eq!(
        site.rpm_names(),
        ["alpha-2.0", "beta-3.0", "delta-1.0", "gamma-1.0"]
    );

    // Wednesday: an id with a typing error.
    let typo = site.run(&["--repo=updtes", "makecache"]);
    assert_eq!(typo.code, 244, "{typo:?}");
    typo.says(&["there is no repository 'updtes': did you mean 'updates'?"]);

    // Thursday: an update cannot come, the others can.
    let stuck = plain("delta", "2.0").lines("Requires: nowhere");
    publish(&site, "local", &[plain("delta", "1.0"), stuck]);
    publish(&site, "os", &[plain("alpha", "3.0")]);
    let (ran, mail) = nightly(&site, "[commands]\napply_updates=no\n");
    assert_eq!(ran.code, 0, "{mail}");
    let held = "warning: delta-2.0-1.noarch is held back: nothing provides nowhere";
    assert!(mail.contains(held), "{mail}");
    assert!(
        mail.contains("updates are available on - box:\nalpha-3.0-1\n"),
        "{mail}"
    );

    // Friday: somebody edits the configuration.
    let broken = open_section("own", &site.path("repo/os")) + "gpgcheck=perhaps\n";
    site.write("repos.d/own.repo", broken);
    let (ran, mail) = nightly(&site, night);
    assert_eq!(ran.code, 0, "{mail}");
    let mut lines = mail.lines();
    let left_out = [
        "own.repo:",
        "gpgcheck = perhaps",
        "the repository is not used",
    ];
    assert!(
        lines.any(|line| left_out.iter().all(|words| line.contains(words))),
        "{mail}"
    );
    fs::remove_file(site.path("repos.d/own.repo")).expect("ours");
    let (ran, mail) = nightly(&site, "[commands]\naply_updates=yes\n");
    assert_eq!(ran.code, 22, "{mail}");
    let entry = "automatic.conf:2: Invalid entry 'commands'|'aply_updates'='yes': unknown key: did you mean 'apply_updates'?";
    assert!(mail.contains(entry), "{mail}");

    // At the weekend all is well.
    site.server.behave();
    let (ran, mail) = nightly(&site, night);
    assert_eq!(ran.code, 0, "{mail}");
    assert_eq!(
        site.rpm_names(),
        ["alpha-3.0", "beta-3.0", "delta-1.0", "gamma-1.0"]
    );
    assert!(mail.contains(held), "{mail}");
}
