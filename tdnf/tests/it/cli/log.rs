//! The log: on standard error where it is asked for, and nowhere else.

use testkit::program::{self, Run};

use super::{Site, plain};

/// A site whose first mirror is away and has a password.
fn site() -> Site {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let there = format!("file://{}", site.path("repo").display());
    let text = site.repo_text("gpgcheck=0");
    let away = format!("baseurl=http://user:secret@127.0.0.1:1/ {there}");
    let both = text.replace(&format!("baseurl={there}"), &away);
    site.write("repos.d/test.repo", &both);
    site
}

fn logged(site: &Site, wanted: &str, words: &[&str]) -> Run {
    program::run(site.command(words).env("TDNF_LOG", wanted))
}

fn has(ran: &Run, words: &[&str]) -> bool {
    let fits = |line: &str| words.iter().all(|word| line.contains(word));
    ran.err.lines().any(fits)
}

#[test]
fn the_log_is_asked_for_and_changes_nothing_else() {
    let site = site();
    let words = ["--refresh", "-j", "list", "alpha"];
    let silent = site.run(&words).ok();
    assert!(!has(&silent, &[" INFO "]), "{silent:?}");
    for nothing in ["", "off"] {
        let ran = logged(&site, nothing, &words).ok();
        assert_eq!((&ran.out, &ran.err), (&silent.out, &silent.err));
    }
    let ran = logged(&site, "debug", &words).ok();
    assert_eq!(ran.out, silent.out);
    for expected in [
        ["INFO", "cache repo=\"test\" state="],
        ["INFO", "mirror failed"],
        ["DEBUG", "blamed"],
        ["INFO", "mirror chosen repo=\"test\" mirror=\"file://"],
    ] {
        assert!(has(&ran, &expected), "{expected:?}: {ran:?}");
    }
    assert!(ran.err.contains("http://***@127.0.0.1:1/"), "{ran:?}");
    assert!(!ran.err.contains("secret"), "{ran:?}");
    let trace = logged(&site, "trace", &words).ok();
    assert!(!trace.err.contains("secret"), "{trace:?}");
    let foreign = |line: &str| {
        ["hyper", "reqwest", "rustls"]
            .iter()
            .any(|name| line.contains(&format!(" {name}")))
    };
    assert!(!trace.err.lines().any(foreign), "{trace:?}");
}

/// What -v shows is that of C tdnf, which scripts read.
#[test]
fn verbose_alone_logs_nothing() {
    let site = site();
    site.run(&["makecache"]).ok();
    let words = ["-v", "--refresh", "list", "alpha"];
    let ran = site.run(&words).ok();
    assert!(ran.out.starts_with("Setting options:"), "{ran:?}");
    assert!(!has(&ran, &[" INFO "]), "{ran:?}");
    let info = logged(&site, "info", &words).ok();
    assert_eq!(info.out, ran.out);
    assert!(has(&info, &["INFO", "mirror chosen"]), "{info:?}");
    assert!(!has(&info, &["DEBUG"]), "{info:?}");
}

#[test]
fn the_phases_of_a_transaction_are_logged() {
    let site = site();
    let wanted = "rpm_transaction=info,rpm-solv=info,tdnf=debug";
    let ran = logged(&site, wanted, &["-y", "install", "alpha"]).ok();
    for phase in [
        "solve{",
        "check{",
        "pretrans:",
        "stage:",
        "apply:",
        "commit:",
        "after commit:",
    ] {
        assert!(
            has(&ran, &["INFO", phase, "time.busy="]),
            "{phase}: {ran:?}"
        );
    }
    assert!(
        has(
            &ran,
            &["DEBUG tdnf::change::verify", "judged", "alpha-1.0-1"]
        ),
        "{ran:?}"
    );
    assert!(
        has(&ran, &["DEBUG tdnf::session::lock", "lock taken"]),
        "{ran:?}"
    );
    assert!(!has(&ran, &["repo_client::"]), "{ran:?}");
}

#[test]
fn a_value_that_cannot_be_read_is_said_once() {
    let site = site();
    let silent = site.run(&["-C", "repolist"]).ok();
    for wrong in ["loud", "tdnf=loud", "h2=trace"] {
        let ran = logged(&site, wrong, &["-C", "repolist"]).ok();
        assert_eq!(ran.out, silent.out);
        let said = format!("warning: TDNF_LOG: '{wrong}' is ignored: ");
        assert!(ran.err.starts_with(&said), "{ran:?}");
        assert_eq!(
            ran.err.lines().count(),
            1 + silent.err.lines().count(),
            "{ran:?}"
        );
    }
}
