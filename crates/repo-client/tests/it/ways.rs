//! Ways to servers: proxies of SOCKS, logins of proxies, families of addresses, headers from files.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use repo_client::{Access, Client, ClientOptions, Proxy, ProxyEnvironment, Route, Silent};
use rpm_repo::config::{IpFamily, ProxyAuth};
use testkit::server::{Answer, Server};

use crate::fixture::{Site, access, fetch_one, noise};

/// A proxy of SOCKS 5 whose connections all end at one port of this machine.
struct Socks {
    port: u16,
    /// Login, and name or address, of each connection.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Socks {
    fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                thread::spawn(move || connect(client, to, &log));
            }
        });
        Self { port, seen }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// RFC 1928 and 1929.
fn connect(mut client: TcpStream, to: u16, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let [_, methods] = bytes(&mut client)?;
    let mut offered = vec![0; methods.into()];
    client.read_exact(&mut offered)?;
    let has_login = offered.contains(&2);
    client.write_all(&[5, if has_login { 2 } else { 0 }])?;
    let mut line = String::new();
    if has_login {
        let [_] = bytes(&mut client)?;
        line = format!("{}:{}@", text(&mut client)?, text(&mut client)?);
        client.write_all(&[1, 0])?;
    }
    let [_, _, _, kind] = bytes(&mut client)?;
    line += &match kind {
        1 => format!("address {}", Ipv4Addr::from(bytes::<4>(&mut client)?)),
        4 => format!("address {}", Ipv6Addr::from(bytes::<16>(&mut client)?)),
        _ => format!("name {}", text(&mut client)?),
    };
    let [_, _] = bytes(&mut client)?;
    seen.lock().unwrap().push(line);
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    let mut server = TcpStream::connect(("127.0.0.1", to))?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || io::copy(&mut from_client, &mut to_server));
    io::copy(&mut server, &mut client)?;
    Ok(())
}

fn bytes<const N: usize>(from: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut read = [0; N];
    from.read_exact(&mut read)?;
    Ok(read)
}

fn text(from: &mut TcpStream) -> io::Result<String> {
    let [length] = bytes(from)?;
    let mut read = vec![0; length.into()];
    from.read_exact(&mut read)?;
    Ok(String::from_utf8_lossy(&read).into_owned())
}

/// What fetching `url` came to.
fn ask(
    site: &Site,
    url: &str,
    options: ClientOptions,
    change: impl Fn(&mut Access),
) -> Result<(), String> {
    let mut request = site.request("f", &noise(3000));
    let _ = std::fs::remove_file(&request.dest);
    request.urls = vec![url.to_owned()];
    let mut access = Access {
        retries: 0,
        timeout: std::time::Duration::from_secs(10),
        ..(*access()).clone()
    };
    change(&mut access);
    request.access = Arc::new(access);
    let got = fetch_one(&Client::new(options), &request, &Silent);
    got.map(drop).map_err(|error| error.to_string())
}

fn through(url: &str, login: Option<(&str, &str)>) -> ClientOptions {
    ClientOptions {
        proxy: Route::Through(Proxy {
            url: url.to_owned(),
            username: login.map(|(user, _)| user.to_owned()),
            password: login.map(|(_, password)| password.to_owned()),
        }),
        ..ClientOptions::default()
    }
}

#[test]
fn a_proxy_of_socks_gets_the_name_or_the_address() {
    let site = Site::new();
    site.put("f", &noise(3000));
    let socks = Socks::start(site.server.port());
    let at = |scheme: &str| format!("{scheme}127.0.0.1:{}", socks.port);
    let go = |proxy: &str, login, host: &str, change: fn(&mut Access)| {
        ask(
            &site,
            &format!("http://{host}/f"),
            through(&at(proxy), login),
            change,
        )
    };
    let login = Some(("u", "p"));
    for (proxy, login, host, told) in [
        ("socks5h://", None, "repo.invalid", "name repo.invalid"),
        ("socks5h://", None, "localhost", "name localhost"),
        ("socks5h://", None, "192.0.2.1", "address 192.0.2.1"),
        ("SOCKS5H://", None, "repo.invalid", "name repo.invalid"),
        ("socks5://", None, "localhost", "address 127.0.0.1"),
        ("socks5h://", login, "repo.invalid", "u:p@name repo.invalid"),
        (
            "socks5h://v:q@",
            None,
            "repo.invalid",
            "v:q@name repo.invalid",
        ),
    ] {
        assert_eq!(go(proxy, login, host, |_| ()), Ok(()), "{proxy}{host}");
        assert_eq!(socks.take(), [told], "{proxy}{host}");
    }
    // Its login is no header: the ways of HTTP do not count.
    for auth in [ProxyAuth::None, ProxyAuth::Unspoken("ntlm")] {
        let options = through(&at("socks5h://"), login);
        let set = |access: &mut Access| access.proxy_auth = auth;
        assert_eq!(ask(&site, "http://repo.invalid/f", options, set), Ok(()));
        assert_eq!(socks.take(), ["u:p@name repo.invalid"]);
    }
    let why = go("socks5://", login, "repo.invalid", |_| ()).unwrap_err();
    assert!(why.contains("(repo.invalid)"), "{why}");
    let why = go("socks5h://", None, "repo.invalid", |access| {
        access.family = Some(IpFamily::V6);
    });
    let why = why.unwrap_err();
    assert!(why.contains("127.0.0.1 has no IPv6 address"), "{why}");
    assert!(socks.take().is_empty());
}

#[test]
fn a_proxy_is_told_its_login_in_no_way_but_the_configured_one() {
    let site = Site::new();
    site.put("f", &noise(3000));
    let url = site.server.url("");
    let inside = url.replace("://", "://in:s3cret@");
    let environment = ClientOptions {
        proxy_environment: ProxyEnvironment {
            http: Some(inside.clone()),
            ..ProxyEnvironment::default()
        },
        ..ClientOptions::default()
    };
    let ways = || {
        [
            through(&url, Some(("in", "s3cret"))),
            through(&inside, None),
            environment.clone(),
        ]
    };
    let go = |options: ClientOptions, auth| {
        site.server.forget();
        let set = |access: &mut Access| access.proxy_auth = auth;
        let got = ask(&site, "http://repo.invalid/f", options, set);
        let seen = site.server.seen();
        let logins = seen
            .iter()
            .filter_map(|seen| seen.header("proxy-authorization"));
        (
            got,
            seen.len(),
            logins.map(str::to_owned).collect::<Vec<_>>(),
        )
    };
    for options in ways() {
        let (got, asked, logins) = go(options.clone(), ProxyAuth::Basic);
        assert_eq!(
            (got, asked, logins),
            (Ok(()), 1, vec!["Basic aW46czNjcmV0".to_owned()])
        );
        let (got, asked, logins) = go(options.clone(), ProxyAuth::None);
        assert_eq!((got, asked, logins), (Ok(()), 1, Vec::new()));
        let (got, asked, _) = go(options, ProxyAuth::Unspoken("digest"));
        let why = got.unwrap_err();
        assert!(
            why.contains("proxy_auth_method=digest cannot be spoken, only basic"),
            "{why}"
        );
        assert!(!why.contains("s3cret") && asked == 0, "{why}");
    }
    // Without a proxy there is nobody to be told anything.
    let direct = |access: &mut Access| access.proxy_auth = ProxyAuth::Unspoken("ntlm");
    let plain = site.server.url("/f");
    assert_eq!(ask(&site, &plain, ClientOptions::default(), direct), Ok(()));
}

#[test]
fn only_addresses_of_the_wanted_family_are_used() {
    let site = Site::new();
    site.put("f", &noise(3000));
    let port = site.server.port();
    let go = |host: &str, family| {
        site.server.forget();
        let set = |access: &mut Access| access.family = family;
        let got = ask(
            &site,
            &format!("http://{host}:{port}/f"),
            ClientOptions::default(),
            set,
        );
        assert_eq!(
            site.server.seen().len(),
            usize::from(got.is_ok()),
            "{host} {got:?}"
        );
        got
    };
    let (four, six) = (Some(IpFamily::V4), Some(IpFamily::V6));
    for (host, family) in [
        ("localhost", None),
        ("localhost", four),
        ("127.0.0.1", four),
    ] {
        assert_eq!(go(host, family), Ok(()), "{host} {family:?}");
    }
    // The server listens at the other address of this name alone.
    let why = go("localhost", six).unwrap_err();
    assert!(why.contains("connection refused"), "{why}");
    let why = go("127.0.0.1", six).unwrap_err();
    assert!(
        why.contains("127.0.0.1 has no IPv6 address, and ip_resolve=6 allows no other"),
        "{why}"
    );
    let why = go("[::1]", four).unwrap_err();
    assert!(
        why.contains("[::1] has no IPv4 address, and ip_resolve=4 allows no other"),
        "{why}"
    );
    // Nor after a redirect.
    let away = Answer {
        status: Some(302),
        location: Some(format!("http://[::1]:{port}/f")),
        ..Answer::default()
    };
    site.server.always("/f", away);
    let set = |access: &mut Access| access.family = four;
    let why = ask(&site, &site.server.url("/f"), ClientOptions::default(), set).unwrap_err();
    assert!(why.contains("[::1] has no IPv4 address"), "{why}");
}

/// Row 139: the header goes to the servers that the configuration names, and into no text.
#[test]
fn row_139_a_header_from_a_file_stays_with_its_servers() {
    let site = Site::new();
    site.put("f", &noise(3000));
    let other = Server::start(site.www());
    let file = site.path("token");
    std::fs::write(&file, "Authorization: Bearer s3cret\n").unwrap();
    let go = |url: &str, path: &Path| {
        let set = |access: &mut Access| {
            access.auth_header_file = Some(path.to_owned());
            access.username = Some("u".into());
            access.password = Some("p".into());
            access.origins = vec![site.server.url("/repo/")];
        };
        ask(&site, url, ClientOptions::default(), set)
    };
    let logins = |server: &Server| {
        let seen = server.seen();
        server.forget();
        let all = seen.iter().map(|seen| {
            let own = seen
                .headers
                .iter()
                .filter(|(name, _)| name == "authorization");
            own.map(|(_, value)| value.as_str())
                .collect::<Vec<_>>()
                .join("+")
        });
        all.collect::<Vec<_>>()
    };
    let here = site.server.url("/f");
    assert_eq!(go(&here, &file), Ok(()));
    assert_eq!(logins(&site.server), ["Bearer s3cret"]);
    assert_eq!(go(&other.url("/f"), &file), Ok(()));
    assert_eq!(logins(&other), [""]);
    let away = Answer {
        status: Some(302),
        location: Some(other.url("/f")),
        ..Answer::default()
    };
    site.server.always("/f", away);
    assert_eq!(go(&here, &file), Ok(()));
    assert_eq!(
        (logins(&site.server), logins(&other)),
        (vec!["Bearer s3cret".to_owned()], vec![String::new()])
    );
    // Files that cannot be used: nobody is asked, and what is in them is not told.
    let (pipe, huge, wrong) = (site.path("pipe"), site.path("huge"), site.path("wrong"));
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    std::fs::File::create(&huge)
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    std::fs::write(&wrong, "Authorization: s3cret\r\nHost: other\r\n").unwrap();
    for (path, words) in [
        (pipe.as_path(), "pipe: not a regular file"),
        (&huge, "huge: larger than"),
        (&wrong, "wrong: it has more than one line"),
        (site.www(), "www: not a regular file"),
        (
            Path::new("/absent"),
            "auth_header_file /absent: No such file",
        ),
        (Path::new("/dev/zero"), "/dev/zero: not a regular file"),
    ] {
        let why = go(&here, path).unwrap_err();
        assert!(why.contains(words) && !why.contains("s3cret"), "{why}");
    }
    assert_eq!(logins(&site.server), Vec::<String>::new());
}

/// A proxy that answers each message with the next of `answers`.
fn saying(answers: &'static [&'static [u8]]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            for answer in answers {
                let mut heard = [0; 512];
                let _ = client.read(&mut heard);
                let _ = client.write_all(answer);
            }
        }
    });
    format!("socks5h://127.0.0.1:{port}")
}

#[test]
fn what_keeps_a_proxy_of_socks_from_serving_is_said() {
    let site = Site::new();
    let to = |proxy: &str, login| {
        let options = through(proxy, login);
        ask(&site, "http://repo.internal:81/f", options, |_| {}).unwrap_err()
    };
    let login = Some(("me", "pw"));
    let why = to("socks5h://127.0.0.1:1", None);
    assert!(
        why.contains("proxy: socks5h://127.0.0.1:1: connection refused"),
        "{why}"
    );
    let why = to("socks5h://nosuch.invalid:1080", None);
    assert!(why.contains("nosuch.invalid:1080: no"), "{why}");
    let unreached = saying(&[b"\x05\0", b"\x05\x05\0\x01\0\0\0\0\0\0"]);
    let why = to(&unreached, None);
    assert!(
        why.ends_with(": the proxy cannot reach repo.internal:81"),
        "{why}"
    );
    let choosy = saying(&[b"\x05\xff"]);
    let why = to(&choosy, None);
    assert!(why.ends_with(": a login is wanted"), "{why}");
    let why = to(&choosy, login);
    assert!(why.ends_with(": no login is taken"), "{why}");
    let why = to(&saying(&[b"\x05\x02", b"\x01\x01"]), login);
    assert!(why.ends_with(": the login is refused"), "{why}");
}

#[test]
fn a_proxy_that_wants_another_login_is_asked_once() {
    let site = Site::new();
    let wanted = Answer {
        login: Some(("me".to_owned(), "pw".to_owned())),
        ..Answer::default()
    };
    site.server.always("CONNECT", wanted);
    let options = through(&site.server.url(""), None);
    let why = ask(&site, "https://repo.internal/f", options, |access| {
        access.retries = 3;
    });
    let why = why.unwrap_err();
    assert!(why.ends_with(": a login is wanted"), "{why}");
    assert_eq!(site.server.seen().len(), 1);
}

#[test]
fn the_place_that_a_server_led_to_is_named() {
    let site = Site::new();
    let away = Answer {
        location: Some("http://127.0.0.1:1/x".to_owned()),
        ..Answer::status(302)
    };
    site.server.always("/f", away);
    let url = site.server.url("/f");
    let why = ask(&site, &url, ClientOptions::default(), |_| {}).unwrap_err();
    assert!(
        why.ends_with("it led to 127.0.0.1:1: connection refused"),
        "{why}"
    );
}
