//! Who comes in at a registry: logins, tokens and certificates.

use std::fs;
use std::sync::Arc;

use repo_client::{
    Access, Client, ClientOptions, FileRequest, Proxy, Registry, RegistryLogins, Route, Silent, Tls,
};
use testkit::registry::{Gate, LOGIN, Registry as Engine, Trouble, tunnel_to};
use testkit::server::{Answer, Server};

use crate::fixture::{client, digest, fetch_one, noise};
use crate::registry::{Place, access, index_of, known, publish, small, with_login, words};

/// Docker's file of logins.
fn logins(place: &Place, text: &str) -> Client {
    let file = place.path("config.json");
    fs::write(&file, text).unwrap();
    Client::new(ClientOptions {
        registry_logins: RegistryLogins::of(Some(file.into()), None, None, None),
        ..ClientOptions::default()
    })
}

/// A registry that wants user and password gets them from the configuration, the URL or a file of docker's; whoever has
/// none, or others, is told what to do.
#[test]
fn a_login_is_wanted() {
    let place = Place::new();
    let Some(engine) = Engine::with_login(&place.path("engine")) else {
        return;
    };
    place.put("repodata/repomd.xml", b"<repomd/>");
    let url = engine.url("a");
    publish(&client(), &with_login(&url), &url, &place, "current");
    let index = format!("{url}:current/repodata/repomd.xml");
    let read =
        |client: &Client, access: &Access, index: &str| small(client, access, index).map(|_| ());
    read(&client(), &with_login(&url), &index).unwrap();
    let host = format!("127.0.0.1:{}", engine.port());
    read(&logins(&place, &engine.auths()), &access(), &index).unwrap();
    let inside = index.replacen("oci://", &format!("oci://{}:{}@", LOGIN.0, LOGIN.1), 1);
    read(&client(), &access(), &inside).unwrap();
    let wrong = inside.replacen(LOGIN.0, "other", 1);
    let why = words(read(&client(), &access(), &wrong).unwrap_err());
    assert!(
        why.contains("oci://***@") && why.contains("refuses the login"),
        "{why}"
    );
    // With another password the same client comes in.
    let ours = client();
    let changed = Access {
        password: Some("old".to_owned()),
        ..with_login(&url)
    };
    read(&ours, &changed, &index).unwrap_err();
    read(&ours, &with_login(&url), &index).unwrap();

    let why = words(read(&client(), &access(), &index).unwrap_err());
    assert!(
        why.contains(&format!(
            "set username and password, or `docker login {host}`"
        )),
        "{why}"
    );
    let helper = logins(&place, "{\"credsStore\": \"pass\"}");
    let why = words(read(&helper, &access(), &index).unwrap_err());
    assert!(
        why.contains("docker-credential-pass, which is not run"),
        "{why}"
    );
    let wrong = Access {
        password: Some("other".to_owned()),
        ..with_login(&url)
    };
    let why = words(read(&client(), &wrong, &index).unwrap_err());
    assert!(why.contains("refuses the login"), "{why}");
    // The configuration names another registry: its login is not for this one.
    let other = with_login("oci://127.0.0.1:1/a");
    let why = words(read(&client(), &other, &index).unwrap_err());
    assert!(why.contains("set username"), "{why}");
}

/// Tokens: asked for once, shown with each request, renewed when they are good no more; the login goes to the place for
/// tokens alone, and to none that is not to see it.
#[test]
fn row_148_tokens_go_to_the_registry_alone() {
    let place = Place::new();
    let Some(engine) = Engine::start(&place.path("engine")) else {
        return;
    };
    let gate = Gate::before(engine.port());
    place.put("repodata/repomd.xml", b"<repomd/>");
    place.put("p.rpm", &noise(100_000));
    let url = gate.url("a/b");
    gate.want_tokens(LOGIN.0, LOGIN.1);
    let ours = client();
    publish(&ours, &with_login(&url), &url, &place, "current");
    assert_eq!(gate.tokens_given(), 1);
    let scope = "scope=repository%3Aa%2Fb%3Apull%2Cpush&service=gate";
    assert!(
        gate.seen()
            .iter()
            .any(|seen| seen.target == format!("/token?{scope}"))
    );
    let shown = |kind: &str| {
        let seen = gate.seen().into_iter();
        let paths = seen.filter(|seen| {
            seen.header("authorization")
                .is_some_and(|h| h.starts_with(kind))
        });
        paths.map(|seen| seen.path).collect::<Vec<_>>()
    };
    assert_eq!(shown("Basic"), ["/token"]);

    let index = format!("{url}:current/repodata/repomd.xml");
    small(&ours, &with_login(&url), &index).unwrap();
    assert_eq!(gate.tokens_given(), 2);
    gate.end_tokens();
    small(&ours, &with_login(&url), &index).unwrap();
    small(&ours, &with_login(&url), &index).unwrap();
    assert_eq!(gate.tokens_given(), 3);

    let why = words(small(&client(), &access(), &index).unwrap_err());
    assert!(why.contains("or the registry wants a login"), "{why}");
    // Another server without TLS on both sides: nothing is sent there.
    for (realm, expected) in [
        ("http://tokens.invalid/t", "the login is not sent there"),
        ("https://tokens.invalid/t", "the login is not sent there"),
        ("file:///etc/passwd", "that is none of http"),
        ("tokens", "that is no URL"),
    ] {
        gate.name_realm(realm);
        let why = words(small(&client(), &with_login(&url), &index).unwrap_err());
        assert!(why.contains(expected), "{why}");
    }
}

/// A server that the registry leads to wants a login, at a place of its own: it gets none, from who reads and from who
/// writes.
#[test]
fn row_148_a_server_that_the_registry_leads_to_gets_no_login() {
    let place = Place::new();
    let Some(engine) = Engine::start(&place.path("engine")) else {
        return;
    };
    let gate = Gate::before(engine.port());
    let other = Server::start(&place.path("other"));
    let url = gate.url("a");
    let realm = other.url("/token");
    for challenge in [format!("Bearer realm=\"{realm}\""), "Basic".to_owned()] {
        other.always(
            "/trap",
            Answer {
                headers: vec![("WWW-Authenticate".to_owned(), challenge)],
                ..Answer::status(401)
            },
        );
        other.always("/token", Answer::body("{\"token\": \"t\"}"));
        let trap = format!("Location: {}\r\n", other.url("/trap"));
        for (method, status) in [("GET", 307), ("HEAD", 307), ("POST", 202)] {
            let before = other.seen_at("/trap").len();
            gate.trouble(
                &format!("{method} "),
                [Trouble::Status(status, trap.clone())],
            );
            let access = with_login(&url);
            let ours = client();
            let registry = Registry::open(&ours, &access, &url).unwrap();
            let asked = match method {
                "GET" => registry.resolve("current").map(|_| ()),
                "HEAD" => registry.has_blob(&digest(b"x")).map(|_| ()),
                _ => registry.put_blob(b"x").map(|_| ()),
            };
            let why = words(asked.unwrap_err());
            assert!(why.contains("none is sent to another server"), "{why}");
            assert_eq!(other.seen_at("/trap").len(), before + 1, "{method}");
        }
        gate.trouble("GET ", [Trouble::Status(302, trap)]);
        let read = small(&client(), &with_login(&url), &index_of(&url));
        let why = words(read.unwrap_err());
        assert!(why.contains("none is sent to another server"), "{why}");
    }
    for seen in other.seen() {
        assert_eq!(seen.header("authorization"), None, "{seen:?}");
    }
    assert!(other.seen_at("/token").is_empty());
}

/// Anybody gets a token where anybody may read.
#[test]
fn tokens_without_a_login() {
    let place = Place::new();
    let Some(engine) = Engine::start(&place.path("engine")) else {
        return;
    };
    let gate = Gate::before(engine.port());
    place.put("repodata/repomd.xml", b"<repomd/>");
    let url = gate.url("a");
    gate.want_tokens("", "");
    publish(&client(), &access(), &url, &place, "current");
    let index = format!("{url}:current/repodata/repomd.xml");
    assert_eq!(small(&client(), &access(), &index).unwrap(), b"<repomd/>");
    assert_eq!(gate.tokens_given(), 2);
}

/// A registry with a name is spoken to by https, and by nothing else; its certificate is checked as any other.
#[test]
fn a_registry_with_a_name_is_spoken_to_by_https() {
    let place = Place::new();
    let dir = place.path("tls");
    fs::create_dir(&dir).unwrap();
    crate::tls::authority(&dir, "ca");
    crate::tls::certificate(&dir, "good", "ca", "DNS:registry.example", 30);
    let (certificate, key) = (dir.join("good.crt"), dir.join("good.key"));
    let Some(engine) = Engine::with_tls(&place.path("engine"), &certificate, &key) else {
        return;
    };
    place.put("repodata/repomd.xml", b"<repomd/>");
    place.put("p.rpm", &noise(2 << 20));
    let named = Access {
        route: Route::Through(Proxy {
            url: tunnel_to(engine.port()),
            username: None,
            password: None,
        }),
        tls: Tls {
            ca: Some(dir.join("ca.crt")),
            ..Tls::default()
        },
        retries: 0,
        ..access()
    };
    let url = "oci://registry.example/a/b";
    publish(&client(), &named, url, &place, "current");
    let index = index_of(url);
    assert_eq!(small(&client(), &named, &index).unwrap(), b"<repomd/>");
    let request = FileRequest {
        access: Arc::new(named.clone()),
        ..known(url, "p.rpm", digest(&noise(2 << 20)), &place)
    };
    fetch_one(&client(), &request, &Silent).unwrap();
    let other = index.replace("registry.example", "other.example");
    let why = words(small(&client(), &named, &other).unwrap_err());
    assert!(
        why.contains("the server's certificate is for another host"),
        "{why}"
    );
    // Without TLS it is not even asked.
    let clear = index.replace("oci:", "oci+http:");
    small(&client(), &named, &clear).unwrap_err();
}

/// Row 148: a login of docker's files goes by no line that others may read, and by no proxy of a section in clear.
#[test]
fn row_148_a_section_leads_no_login_of_docker_elsewhere() {
    let place = Place::new();
    let evil = Server::start(&place.path(""));
    let auth = "{\"auth\": \"dTpw\"}";
    let local = format!("127.0.0.1:{}", evil.port());
    let ours = logins(
        &place,
        &format!("{{\"auths\": {{\"harbor.example\": {auth}, \"{local}\": {auth}}}}}"),
    );
    let challenge = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    evil.always("/v2/a/manifests/t", Answer::raw(challenge));
    for url in [
        "oci+http://harbor.example/a:t",
        &format!("oci://{local}/a:t"),
    ] {
        let named = Access {
            origins: vec![url.to_owned()],
            route: Route::Through(Proxy {
                url: evil.url(""),
                username: None,
                password: None,
            }),
            retries: 0,
            ..access()
        };
        let index = format!("{url}/repodata/repomd.xml");
        let why = words(small(&ours, &named, &index).unwrap_err());
        assert!(
            why.contains("the one of docker's files is not used: it does not go by https"),
            "{why}"
        );
        let seen = evil.seen();
        let is_bare = |seen: &testkit::server::Seen| seen.header("authorization").is_none();
        assert!(!seen.is_empty() && seen.iter().all(is_bare), "{seen:?}");
    }
}
