//! Keys of tdnf.conf and of `.repo` files that the other tests do not set: each is seen to take effect.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use testkit::fixtures::unprivileged;
use testkit::server::{Answer, Server};

use super::{Site, answer, plain};

#[test]
fn packages_are_excluded_and_requirements_kept_as_tdnf_conf_says() {
    if unprivileged() {
        return;
    }
    let beta = plain("beta", "1.0").lines("Requires: gamma");
    let site = Site::with(&[plain("alpha", "1.0"), beta, plain("gamma", "1.0")]);
    let conf = fs::read_to_string(site.path("tdnf.conf")).expect("written");
    let with = |keys: &str| site.write("tdnf.conf", format!("{conf}{keys}"));
    with("excludepkgs=alpha*\n");
    let ran = site.run(&["-y", "install", "alpha"]);
    assert!(
        ran.out.contains("excluded from tdnf.conf:\n  alpha*"),
        "{ran:?}"
    );
    assert!(site.rpm_names().is_empty(), "{ran:?}");
    site.run(&["-y", "--disableexcludes", "install", "alpha"])
        .ok();
    site.run(&["-y", "erase", "alpha"]).ok();
    for (value, left) in [("0", &["gamma-1.0"][..]), ("1", &[])] {
        with(&format!("clean_requirements_on_remove={value}\n"));
        site.run(&["-y", "install", "beta"]).ok();
        site.run(&["-y", "erase", "beta"]).ok();
        assert_eq!(site.rpm_names(), left, "{value}");
        site.run(&["-y", "erase", "gamma"]);
    }
}

#[test]
fn repodir_is_another_name_of_reposdir() {
    let site = Site::with(&[]);
    let cache = "cachedir=/var/cache/tdnf";
    site.write(
        "other/own.repo",
        "[own]\nname=Own\nbaseurl=file:///nowhere\n",
    );
    let dir = site.path("other").display().to_string();
    site.write("tdnf.conf", format!("[main]\n{cache}\nrepodir={dir}\n"));
    let ran = site.run(&["repolist", "all"]).ok();
    assert!(
        ran.out.contains("own ") && !ran.out.contains("test "),
        "{ran:?}"
    );
}

#[test]
fn numbers_and_switches_of_tdnf_conf_are_read() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let conf = fs::read_to_string(site.path("tdnf.conf")).expect("written");
    // No file is passed on to a scriptlet, whatever the limit.
    site.write("tdnf.conf", format!("{conf}openmax=0\n"));
    assert_eq!(site.run(&["list"]).ok().err, "");
    site.write("tdnf.conf", "[main]\nsslverify=perhaps\n");
    let ran = site.run(&["list"]);
    let words = "tdnf.conf:2: sslverify = perhaps: expected a boolean";
    assert!(ran.code != 0 && ran.err.contains(words), "{ran:?}");
}

#[test]
fn metadata_expires_as_the_repository_says() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let server = Server::start(&site.path("repo"));
    for (value, asked) in [("0", 2), ("never", 0), ("1h", 0)] {
        let text = repository(&server, &format!("metadata_expire={value}"));
        site.write("repos.d/test.repo", &text);
        site.run(&["--refresh", "makecache"]).ok();
        server.forget();
        site.run(&["list"]).ok();
        site.run(&["list"]).ok();
        assert_eq!(
            server.seen_at("/repodata/repomd.xml").len(),
            asked,
            "{value}"
        );
    }
}

#[test]
fn slow_servers_are_given_up_and_others_are_spared() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let server = Server::start(&site.path("repo"));
    let silent = Answer {
        delay: Some(Duration::from_secs(10)),
        ..Answer::default()
    };
    let slow = Answer {
        pieces: Some((100, Duration::from_millis(200))),
        ..Answer::default()
    };
    for (answer, keys, said) in [
        (silent, "timeout=1", "no answer within 1 second"),
        (slow, "timeout=1\nminrate=10k", "too slow: "),
    ] {
        site.write("repos.d/test.repo", repository(&server, keys));
        server.always("/repodata/repomd.xml", answer);
        let ran = site.run(&["--refresh", "makecache"]);
        assert!(ran.code != 0 && ran.err.contains(said), "{ran:?}");
    }
    server.behave();
    // Metadata of some 3 kB.
    site.write("repos.d/test.repo", repository(&server, "throttle=1k"));
    let began = Instant::now();
    site.run(&["--refresh", "makecache"]).ok();
    let spent = began.elapsed();
    assert!(spent > Duration::from_millis(700), "{spent:?}");
}

/// As in an empty root: the folders of the system's certificates are empty in a namespace of this run.
#[test]
fn without_certificates_of_the_system_those_of_the_program_count() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[]);
    let section = |key: &str| {
        let urls = "baseurl=https://127.0.0.1:9/";
        format!("[test]\nname=t\n{urls}\nenabled=1\ngpgcheck=0\nretries=0\n{key}\n")
    };
    let conf = fs::read_to_string(site.path("tdnf.conf")).expect("written");
    let run = |words: &[&str]| {
        let empty = "for dir in /etc/ssl /etc/pki; do [ ! -d $dir ] || mount -t tmpfs none $dir; done; exec \"$@\"";
        let plain = site.command(words);
        let mut inside = Command::new("unshare");
        inside.args(["-m", "sh", "-ec", empty, "sh"]);
        inside.arg(plain.get_program()).args(plain.get_args());
        for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
            inside.env_remove(name);
        }
        answer(&mut inside).failed()
    };
    let said = "Mozilla's, which this program brings, are trusted";
    let off = "no CA certificates found";
    site.write("repos.d/test.repo", section(""));
    let ran = run(&["-v", "makecache"]);
    assert_eq!(ran.err.matches(said).count(), 1, "{ran:?}");
    assert!(!ran.err.contains(off), "{ran:?}");
    assert!(!run(&["makecache"]).err.contains(said));
    let by_main = || site.write("tdnf.conf", format!("{conf}ssl_builtin_roots=0\n"));
    by_main();
    run(&["-v", "makecache"]).says(&[off, "ssl_builtin_roots=0"]);
    site.write("repos.d/test.repo", section("ssl_builtin_roots=1"));
    run(&["-v", "makecache"]).says(&[said]);
    site.write("tdnf.conf", &conf);
    site.write("repos.d/test.repo", section("ssl_builtin_roots=0"));
    run(&["-v", "makecache"]).says(&[off, "ssl_builtin_roots=0"]);
    site.write("repos.d/test.repo", section("ssl_builtin_roots=flase"));
    run(&["makecache"]).says(&["ssl_builtin_roots = flase: expected a boolean"]);
}

/// The repository on a server, asked once for each file.
fn repository(server: &Server, keys: &str) -> String {
    let url = server.url("/");
    format!("[test]\nname=t\nbaseurl={url}\nenabled=1\ngpgcheck=0\nretries=0\n{keys}\n")
}
