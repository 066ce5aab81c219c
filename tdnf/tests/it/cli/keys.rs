//! Keys of tdnf.conf and of `.repo` files that the other tests do not set: each is seen to take effect.

use std::fs;
use std::os::unix::fs::PermissionsExt;
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

/// The keys of dnf.conf(5), in tdnf.conf, in a section and by option.
#[test]
fn ways_to_servers_are_those_of_dnf() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let server = Server::start(&site.path("repo"));
    let url = format!("http://localhost:{}/", server.port());
    let text = |keys: &str| {
        format!("[test]\nname=t\nbaseurl={url}\nenabled=1\ngpgcheck=0\nretries=0\n{keys}\n")
    };
    let conf = fs::read_to_string(site.path("tdnf.conf")).expect("written");
    let go = |main: &str, keys: &str, words: &[&str]| {
        site.write("tdnf.conf", format!("{conf}{main}\n"));
        site.write("repos.d/test.repo", text(keys));
        site.run(&[words, &["--refresh", "makecache"]].concat())
    };
    // The server has no address of the other family.
    for (main, keys, words, ok) in [
        ("", "", &[][..], true),
        ("ip_resolve=6", "", &[], false),
        ("ip_resolve=6", "ip_resolve=IPv4", &[], true),
        ("", "ip_resolve=ipv6", &[], false),
        ("", "ip_resolve=6", &["-4"], true),
        ("ip_resolve=4", "ip_resolve=4", &["-6"], false),
        ("", "", &["-4", "-6"], true),
    ] {
        let ran = go(main, keys, words);
        assert_eq!(ran.code == 0, ok, "{main} {keys} {words:?}: {ran:?}");
    }
    go("", "ip_resolve=5", &[])
        .ok()
        .says(&["ip_resolve = 5: expected 4, IPv4, 6, IPv6 or whatever; the default"]);
    let proxy = format!(
        "proxy={}\nproxy_username=u\nproxy_password=s3cret",
        server.url("")
    );
    let digest = "proxy_auth_method=digest";
    for (main, keys) in [(digest, &proxy), (&proxy, &digest.to_owned())] {
        let ran = go(main, keys, &[]).failed();
        ran.says(&["proxy_auth_method=digest cannot be spoken, only basic"]);
        assert!(!ran.text().contains("s3cret"), "{ran:?}");
    }
    go("", &format!("{proxy}\nproxy_auth_method=basic"), &[]).ok();
    go("", &format!("{proxy}\nproxy_auth_method=none"), &[])
        .ok()
        .says(&["repository test: the proxy is not told its login: proxy_auth_method=none"]);
    go("", "proxy_username=u", &[])
        .ok()
        .says(&["proxy_username has no effect without proxy"]);
    for (main, keys, said) in [
        ("", "throttle=50%", true),
        ("throttle=50%", "", true),
        ("throttle=50%\nbandwidth=10M", "", false),
        ("", "throttle=50%\nbandwidth=10M", false),
    ] {
        let ran = go(main, keys, &[]).ok();
        let words = "repository test: throttle=50% has no effect without bandwidth";
        assert_eq!(ran.err.matches(words).count(), usize::from(said), "{ran:?}");
    }
}

#[test]
fn a_header_that_goes_unencrypted_is_said() {
    let site = Site::with(&[]);
    let token = site.path("token");
    fs::write(&token, "X-Auth-Token: s3cret\n").expect("ours");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("ours");
    for (url, told) in [
        ("baseurl=http://u:p@mirror.invalid/", 1),
        ("metalink=http://mirror.invalid/list", 1),
        ("baseurl=https://mirror.invalid/", 0),
        ("baseurl=http://127.0.0.1:9/", 0),
        ("baseurl=http://[::1]:9/", 0),
    ] {
        let at = token.display();
        let text = format!("[test]\nname=t\n{url}\nenabled=1\nauth_header_file={at}\n");
        site.write("repos.d/test.repo", text);
        let ran = site.run(&["--setopt=retries=0", "makecache"]).failed();
        let said = ran
            .err
            .matches("the header of auth_header_file goes unencrypted to http://")
            .count();
        assert_eq!(said, told, "{ran:?}");
        assert!(!ran.err.contains("u:p@"), "{ran:?}");
    }
}

#[test]
fn a_header_comes_from_a_file() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let server = Server::start(&site.path("repo"));
    let token = site.path("token");
    let keys = format!("auth_header_file={}", token.display());
    site.write("repos.d/test.repo", repository(&server, &keys));
    let go = || site.run(&["-v", "--refresh", "makecache"]);
    let ran = go().failed();
    ran.says(&["auth_header_file", "token: No such file"]);
    assert!(server.seen().is_empty(), "{ran:?}");
    let skip = format!("{keys}\nskip_if_unavailable=1");
    site.write("repos.d/test.repo", repository(&server, &skip));
    go().ok();
    site.write("repos.d/test.repo", repository(&server, &keys));
    fs::write(&token, "X-Auth-Token: s3cret\n").expect("ours");
    let mode = |mode| fs::set_permissions(&token, fs::Permissions::from_mode(mode)).expect("ours");
    for (bits, told) in [(0o644, 1), (0o640, 0)] {
        mode(bits);
        server.forget();
        let ran = go().ok();
        let said = ran.err.matches("everybody may read").count();
        assert_eq!(said, told, "{ran:?}");
        assert!(!ran.text().contains("s3cret"), "{ran:?}");
        let seen = server.seen();
        let all = seen
            .iter()
            .all(|seen| seen.header("x-auth-token") == Some("s3cret"));
        assert!(all && !seen.is_empty(), "{seen:?}");
    }
    site.write(
        "repos.d/test.repo",
        repository(&server, "auth_header_file=token"),
    );
    go().ok()
        .says(&["auth_header_file = token: expected an absolute path"]);
}

/// Nobody reads logins from a file that is not ours: neither of the home directory nor named by the environment.
#[test]
fn a_netrc_changes_nothing() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let server = Server::start(&site.path("repo"));
    site.write("repos.d/test.repo", repository(&server, ""));
    let netrc = site.write("home/.netrc", "machine 127.0.0.1 login u password s3cret\n");
    fs::set_permissions(&netrc, fs::Permissions::from_mode(0o600)).expect("ours");
    let mut command = site.command(&["--refresh", "makecache"]);
    command.env("HOME", site.path("home")).env("NETRC", &netrc);
    answer(&mut command).ok();
    let seen = server.seen();
    assert!(
        seen.iter()
            .all(|seen| seen.header("authorization").is_none())
            && !seen.is_empty()
    );
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
