//! Keys about servers, spelled as those of tdnf.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::scene::Scene;

#[test]
fn keys_about_servers_are_those_of_tdnf() {
    let scene = Scene::usual();
    let token = scene.write("token", "X-Auth-Token: s3cret\n");
    let header = format!("auth_header_file = {token:?}");
    let netrc = scene.write("home/.netrc", "machine 127.0.0.1 login u password p\n");
    let go = |lines: &str| {
        scene.config(lines);
        scene.server.forget();
        let mut command = scene.command(&["-v", "sync"]);
        command.env("HOME", scene.path("home")).env("NETRC", &netrc);
        testkit::program::run(&mut command)
    };
    for (lines, words) in [
        ("ip_resolve = 5", "ip_resolve = 5: expected 4"),
        (
            "throttle = \"50%\"",
            "repo.base: throttle is a percentage: set bandwidth",
        ),
        (
            "throttle = \"fast\"",
            "throttle = fast: expected bytes per second",
        ),
        (
            "proxy_auth_method = \"bearer\"",
            "proxy_auth_method = bearer: expected any",
        ),
        (
            "auth_header_file = \"token\"",
            "auth_header_file = token: expected an absolute path",
        ),
        (
            "proxy_username = \"u\"",
            "repo.base: proxy_username needs proxy",
        ),
        ("ip_resolve = 6", "127.0.0.1 has no IPv6 address"),
        (
            "auth_header_file = \"/absent\"",
            "auth_header_file /absent: No such file",
        ),
        (
            "proxy = \"ftp://u:s3cret@h\"",
            "cannot speak ftp to a proxy",
        ),
        (
            "proxy = \"http://u:s3cret@127.0.0.1:1\"\nproxy_auth_method = \"ntlm\"",
            "proxy_auth_method=ntlm cannot be spoken",
        ),
    ] {
        let ran = go(lines);
        assert!(ran.code != 0 && ran.err.contains(words), "{lines}: {ran:?}");
        assert!(!ran.text().contains("s3cret"), "{lines}: {ran:?}");
        assert!(scene.server.seen().is_empty(), "{lines}");
    }
    let all = format!(
        "{header}\nip_resolve = 4\nbandwidth = \"10M\"\nthrottle = \"50%\"\nssl_builtin_roots = false"
    );
    for (bits, told) in [(0o644, 1), (0o600, 0)] {
        fs::set_permissions(&token, fs::Permissions::from_mode(bits)).expect("ours");
        let ran = go(&all);
        assert!([0, 3].contains(&ran.code), "{ran:?}");
        assert_eq!(
            ran.err.matches("everybody may read").count(),
            told,
            "{ran:?}"
        );
        assert!(!ran.text().contains("s3cret"), "{ran:?}");
        let seen = scene.server.seen();
        let ours = |seen: &testkit::server::Seen| {
            seen.header("x-auth-token") == Some("s3cret") && seen.header("authorization").is_none()
        };
        assert!(!seen.is_empty() && seen.iter().all(ours), "{seen:?}");
    }
    let proxy = format!(
        "proxy = {:?}\nproxy_username = \"u\"\nproxy_password = \"p\"",
        scene.server.url("")
    );
    for (lines, login) in [
        (proxy.clone(), Some("Basic dTpw")),
        (format!("{proxy}\nproxy_auth_method = \"none\""), None),
    ] {
        go(&lines).ends(3);
        let seen = scene.server.seen();
        let ours = |seen: &testkit::server::Seen| {
            seen.target.starts_with("http://") && seen.header("proxy-authorization") == login
        };
        assert!(!seen.is_empty() && seen.iter().all(ours), "{seen:?}");
    }
}
