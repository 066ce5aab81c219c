//! Files: rows 47 to 55 and 74 to 76, logins, redirects, proxies.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use repo_client::{
    Access, Cause, Client, ClientOptions, Error, Event, FileRequest, Observer, Proxy,
    ProxyEnvironment, Route, Silent,
};
use testkit::server::Answer;

use crate::fixture::{Log, Site, access, client, fetch_each, fetch_one, noise, once};

fn cause(result: repo_client::Result<repo_client::FetchedFile>) -> Cause {
    let error = result.expect_err("must fail");
    error
        .failures()
        .last()
        .unwrap_or_else(|| panic!("no failures in {error}"))
        .cause
        .clone()
}

#[test]
fn many_files_in_order_with_their_digests() {
    let site = Site::new();
    let bodies: Vec<Vec<u8>> = (1..40).map(|n| noise(n * 1000)).collect();
    let mut requests = Vec::new();
    for (at, body) in bodies.iter().enumerate() {
        site.put(&format!("f{at}"), body);
        requests.push(site.request(&format!("f{at}"), body));
    }
    let results = fetch_each(&client(), requests, &Silent);
    for (result, body) in results.into_iter().zip(&bodies) {
        let done = result.unwrap();
        assert_eq!(&std::fs::read(&done.path).unwrap(), body);
        assert_eq!(done.transferred, body.len() as u64);
    }
}

#[test]
fn a_file_that_is_there_is_not_asked_for() {
    let site = Site::new();
    let body = noise(5000);
    site.put("f", &body);
    std::fs::write(site.path("f"), &body).unwrap();
    assert_eq!(once(&site.request("f", &body)).unwrap().transferred, 0);
    assert!(site.server.seen().is_empty());
}

#[test]
fn row_26_bad_file_is_removed_and_refetched() {
    let site = Site::new();
    let body = noise(5000);
    site.put("f", &body);
    std::fs::write(site.path("f"), noise(4999)).unwrap();
    assert_eq!(once(&site.request("f", &body)).unwrap().transferred, 5000);
    assert_eq!(std::fs::read(site.path("f")).unwrap(), body);
}

#[test]
fn row_47_endless_body() {
    let site = Site::new();
    site.put("f", b"x");
    site.server.always(
        "/f",
        Answer {
            endless: true,
            ..Answer::default()
        },
    );
    let body = noise(100_000);
    // No more is taken than the file has, and that is not the file.
    let cut = cause(once(&site.request("f", &body)));
    assert!(matches!(cut, Cause::Digest { .. }), "{cut:?}");
    assert!(!site.path("f").exists());
    let unknown = FileRequest {
        size: None,
        max_size: 1 << 20,
        ..site.request("f", &body)
    };
    assert_eq!(cause(once(&unknown)), Cause::TooLarge { limit: 1 << 20 });
}

#[test]
fn row_49_slow_loris_moves_to_the_next_mirror() {
    let (slow, good) = (Site::new(), Site::new());
    let body = noise(20_000);
    for site in [&slow, &good] {
        site.put("f", &body);
    }
    let drip = (1, Duration::from_millis(100));
    slow.server.always(
        "/f",
        Answer {
            pieces: Some(drip),
            ..Answer::default()
        },
    );
    let mut request = slow.request("f", &body);
    request.urls.push(good.server.url("/f"));
    request.access = Arc::new(Access {
        min_rate: 1000,
        ..(*access()).clone()
    });
    let began = Instant::now();
    assert!(once(&request).is_ok());
    assert!(began.elapsed() < Duration::from_secs(5));
    // Headers that never come.
    let hang = Answer {
        delay: Some(Duration::from_secs(3)),
        ..Answer::default()
    };
    slow.server.always("/f", hang);
    std::fs::remove_file(slow.path("f")).unwrap();
    let mut request = slow.request("f", &body);
    request.access = Arc::new(Access {
        retries: 0,
        ..(*access()).clone()
    });
    assert!(matches!(cause(once(&request)), Cause::Timeout(_)));
}

#[test]
fn row_50_http_grammar() {
    let bomb = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(1 << 20));
    let flood = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(10_000));
    let bad: [&str; 8] = [
        "HTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        &bomb,
        &flood,
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nx",
        "",
    ];
    let (site, good) = (Site::new(), Site::new());
    let body = noise(5);
    good.put("f", &body);
    for raw in bad {
        site.server.always("/f", Answer::raw(raw));
        let mut request = site.request("f", &body);
        request.access = Arc::new(Access {
            retries: 0,
            ..(*access()).clone()
        });
        let why = cause(once(&request));
        let named = matches!(
            why,
            Cause::Broken(_) | Cause::Size { .. } | Cause::Truncated { .. }
        );
        assert!(
            named || matches!(why, Cause::Connect(_)),
            "{raw:.60}: {why:?}"
        );
        request.urls.push(good.server.url("/f"));
        assert!(once(&request).is_ok(), "{raw:.60}");
        std::fs::remove_file(site.path("f")).unwrap();
    }
}

#[test]
fn row_51_redirects() {
    let (site, other) = (Site::new(), Site::new());
    let body = noise(3000);
    site.put("f", &body);
    other.put("f", &body);
    let fetch_from = |site: &Site| cause(once(&site.request("f", &body)));
    site.server.always("/f", Answer::redirect(302, "/f"));
    assert!(matches!(fetch_from(&site), Cause::Redirect(why) if why.contains("more than 10")));
    assert_eq!(site.server.seen().len(), 11);
    for target in [
        "file:///etc/passwd",
        "ftp://127.0.0.1/f",
        "gopher://x/",
        "http://[",
    ] {
        site.server.always("/f", Answer::redirect(301, target));
        assert!(matches!(fetch_from(&site), Cause::Redirect(_)), "{target}");
    }
    site.server.always("/f", Answer::status(302));
    assert!(matches!(fetch_from(&site), Cause::Redirect(_)));
    // Ten hops are followed, and a login does not go along to another host.
    site.server.always("/f", Answer::redirect(307, "/h1"));
    for hop in 1..9 {
        let next = format!("/h{}", hop + 1);
        site.server
            .always(&format!("/h{hop}"), Answer::redirect(302, &next));
    }
    site.server
        .always("/h9", Answer::redirect(308, &other.server.url("/f")));
    let mut request = site.request("f", &body);
    request.access = Arc::new(Access {
        username: Some("me".into()),
        password: Some("secret".into()),
        origins: vec![site.server.url("/")],
        ..(*access()).clone()
    });
    site.server.forget();
    assert!(once(&request).is_ok());
    let sent = |seen: &testkit::server::Seen| seen.header("authorization").is_some();
    assert!(site.server.seen().iter().all(sent));
    assert!(!other.server.seen().iter().any(sent));
}

#[test]
fn row_53_content_encoding_is_hashed_as_on_the_wire() {
    let site = Site::new();
    let body = noise(3000);
    site.put("f", &body);
    let headers = vec![("Content-Encoding".to_owned(), "gzip".to_owned())];
    site.server.always(
        "/f",
        Answer {
            headers,
            ..Answer::default()
        },
    );
    assert!(once(&site.request("f", &body)).is_ok());
    assert_eq!(
        site.server.seen()[0].header("accept-encoding"),
        Some("identity")
    );
}

#[test]
fn row_54_captive_portal() {
    let site = Site::new();
    site.server.always("/f", Answer::login_page());
    let body = noise(3000);
    assert_eq!(cause(once(&site.request("f", &body))), Cause::Html);
    let unknown = FileRequest {
        size: None,
        digest: None,
        ..site.request("f", &body)
    };
    let why = once(&unknown).unwrap_err().to_string();
    assert!(
        why.contains("got HTML, not a repository: login page?"),
        "{why}"
    );
    assert!(!site.path("f").exists());
}

#[test]
fn row_55_secrets_in_logs() {
    let site = Site::new();
    let body = noise(10);
    let log = Log::default();
    let mut request = site.request("f", &body);
    let host = format!("127.0.0.1:{}", site.server.port());
    request.urls = vec![
        format!("http://zoe:s3cret@{host}/f?token=t0ken"),
        format!("http://zoe:s3cret@127.0.0.1:1/f?token=t0ken#frag"),
        "http://zoe:s3cret@no-such-host.invalid/f?token=t0ken".into(),
    ];
    request.access = Arc::new(Access {
        retries: 0,
        ..(*access()).clone()
    });
    let proxy = Proxy {
        url: "http://127.0.0.1:1".into(),
        username: Some("zoe".into()),
        password: Some("s3cret".into()),
    };
    let proxied = Client::new(ClientOptions {
        proxy: Route::Through(proxy),
        ..ClientOptions::default()
    });
    for client in [client(), proxied] {
        let error = fetch_one(&client, &request, &log).unwrap_err();
        let shown = format!("{error} {error:?} {}", log.text());
        for secret in ["zoe", "s3cret", "t0ken"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert!(shown.contains("***@127.0.0.1"), "{shown}");
    }
    let bad = FileRequest::new(
        "f",
        vec!["ftp://zoe:s3cret@h/f?token=t0ken".into()],
        site.path("g"),
    );
    let shown = once(&bad).unwrap_err().to_string();
    assert!(
        !shown.contains("s3cret") && !shown.contains("t0ken"),
        "{shown}"
    );
    assert_eq!(
        site.server.seen()[0].header("authorization"),
        Some("Basic em9lOnMzY3JldA==")
    );
}

#[test]
fn row_74_truncated_rpm_at_every_4_kb() {
    let site = Site::new();
    let body = noise(200_000);
    site.put("f", &body);
    let cuts = (0..48).map(|_| Answer::cut_at(4096));
    site.server.next("/f", cuts);
    let done = once(&site.request("f", &body)).unwrap();
    assert_eq!(
        done.transferred,
        body.len() as u64,
        "no byte is moved twice"
    );
    assert_eq!(std::fs::read(site.path("f")).unwrap(), body);
    assert_eq!(site.server.seen().len(), 49);
}

#[test]
fn row_75_mirror_half_bad() {
    let (stale, corrupt, good) = (Site::new(), Site::new(), Site::new());
    let body = noise(50_000);
    let mut flipped = body.clone();
    flipped[40_000] ^= 1;
    stale.put("f", &noise(49_000));
    corrupt.put("f", &flipped);
    good.put("f", &body);
    let log = Log::default();
    let client = client();
    let mut request = good.request("f", &body);
    request.urls = [&stale, &corrupt, &good]
        .map(|site| site.server.url("/f"))
        .to_vec();
    let done = fetch_one(&client, &request, &log).unwrap();
    assert_eq!(std::fs::read(&done.path).unwrap(), body);
    assert!(
        log.text().contains("checksum") || log.text().contains("Digest"),
        "{}",
        log.text()
    );
    assert!(log.text().contains("Size"), "{}", log.text());
    // Rated down: the next file is asked from the good one at once.
    good.put("g", &body);
    let (before, asked) = (stale.server.seen().len(), corrupt.server.seen().len());
    request.urls = [&stale, &corrupt, &good]
        .map(|site| site.server.url("/g"))
        .to_vec();
    request.dest = good.path("g");
    assert!(fetch_one(&client, &request, &log).is_ok());
    assert_eq!(
        (stale.server.seen().len(), corrupt.server.seen().len()),
        (before, asked)
    );
}

#[test]
fn row_76_all_mirrors_bad() {
    let (missing, broken, portal) = (Site::new(), Site::new(), Site::new());
    let body = noise(50_000);
    broken.server.always("/f", Answer::status(503));
    portal.server.always("/f", Answer::login_page());
    let mut request = missing.request("f", &body);
    request.urls = [&missing, &broken, &portal]
        .map(|site| site.server.url("/f"))
        .to_vec();
    request.urls.push("http://127.0.0.1:1/f".into());
    let error = once(&request).unwrap_err();
    let text = error.to_string();
    for part in [
        "HTTP status 404",
        "HTTP status 503",
        "login page?",
        "127.0.0.1:1/f: connection refused",
    ] {
        assert!(text.contains(part), "{part} not in {text}");
    }
    assert!(text.contains("all 4 mirrors failed"), "{text}");
    assert_eq!(error.tdnf_code(), Some(1622));
    assert!(!missing.path("f").exists());
}

#[test]
fn unreachable_names_curl_numbers() {
    let site = Site::new();
    let code = |url: &str| {
        let mut request = site.request("f", b"x");
        request.urls = vec![url.to_owned()];
        request.access = Arc::new(Access {
            retries: 0,
            ..(*access()).clone()
        });
        once(&request).unwrap_err().tdnf_code()
    };
    assert_eq!(code("http://127.0.0.1:1/f"), Some(1208));
    assert_eq!(code("file:///no/such/file"), Some(1238));
}

#[test]
fn a_reset_connection_is_resumed() {
    let site = Site::new();
    let body = noise(300_000);
    site.put("f", &body);
    site.server.next(
        "/f",
        [Answer {
            reset: true,
            cut_at: Some(100_000),
            ..Answer::default()
        }],
    );
    assert!(once(&site.request("f", &body)).is_ok());
    assert_eq!(std::fs::read(site.path("f")).unwrap(), body);
}

/// docs/threats.md, row 81.
#[test]
fn a_proxy_gets_the_requests_and_its_own_login() {
    let site = Site::new();
    let body = noise(3000);
    site.put("f", &body);
    let login = Some(("px".to_owned(), "pw".to_owned()));
    site.server.always(
        "/f",
        Answer {
            login,
            ..Answer::default()
        },
    );
    let mut proxy = Proxy {
        url: site.server.url(""),
        username: None,
        password: None,
    };
    let mut request = site.request("f", &body);
    request.urls = vec!["http://repo.example/f".into()];
    request.access = Arc::new(Access {
        retries: 0,
        ..(*access()).clone()
    });
    let through = |proxy: &Proxy| {
        let options = ClientOptions {
            proxy: Route::Through(proxy.clone()),
            ..ClientOptions::default()
        };
        fetch_one(&Client::new(options), &request, &Silent)
    };
    assert_eq!(cause(through(&proxy)), Cause::Status(407));
    proxy.username = Some("px".into());
    proxy.password = Some("pw".into());
    assert!(through(&proxy).is_ok());
    let seen = site.server.seen();
    assert_eq!(seen[1].target, "http://repo.example/f");
    assert_eq!(
        seen[1].header("proxy-authorization"),
        Some("Basic cHg6cHc=")
    );
}

/// Which proxy is asked, and what is said of one that cannot be.
#[test]
fn row_81_a_proxy_that_cannot_be_used_is_named() {
    let site = Site::new();
    let body = noise(3000);
    site.put("f", &body);
    let dead = "http://127.0.0.1:1";
    let ask = |main: Route, own: Route, environment: ProxyEnvironment| {
        let mut request = site.request("f", &body);
        let _ = std::fs::remove_file(&request.dest);
        request.access = Arc::new(Access {
            retries: 0,
            route: own,
            ..(*access()).clone()
        });
        let options = ClientOptions {
            proxy: main,
            proxy_environment: environment,
            ..ClientOptions::default()
        };
        let got = fetch_one(&Client::new(options), &request, &Silent);
        got.map(drop).map_err(|error| error.to_string())
    };
    let named = |url: &str| Route::of(Some(url), None, None);
    let set = |except: &str| ProxyEnvironment {
        http: Some(dead.into()),
        no_proxy: Some(except.into()),
        ..ProxyEnvironment::default()
    };
    let none = ProxyEnvironment::default;
    for main in [named(dead), Route::Common] {
        let why = ask(main.clone(), named(dead), none()).unwrap_err();
        assert!(why.contains("proxy http://127.0.0.1:1"), "{why}");
        ask(main, named("_none_"), set("")).unwrap();
    }
    ask(named("_none_"), Route::Common, set("")).unwrap();
    assert!(ask(Route::Common, Route::Common, set("example.com")).is_err());
    for except in ["*", "example.com, *", "127.0.0.1", "127.0.0.0/8"] {
        ask(Route::Common, Route::Common, set(except)).unwrap();
    }
    let why = ask(named("ftp://127.0.0.1:1"), Route::Common, none()).unwrap_err();
    assert!(why.contains("cannot speak ftp to a proxy"), "{why}");
}

#[test]
fn throttle_is_kept() {
    let site = Site::new();
    let body = noise(100_000);
    site.put("f", &body);
    let mut request = site.request("f", &body);
    request.access = Arc::new(Access {
        throttle: 100_000,
        ..(*access()).clone()
    });
    let began = Instant::now();
    assert!(once(&request).is_ok());
    let spent = began.elapsed().as_millis();
    assert!((700..3000).contains(&spent), "{spent} ms");
}

#[test]
fn file_urls_are_copied_or_used_in_place() {
    let site = Site::new();
    let body = noise(30_000);
    site.put("a file", &body);
    let mut request = site.request("f", &body);
    request.urls = vec![format!("file://{}", site.www().join("a%20file").display())];
    let done = once(&request).unwrap();
    assert_eq!(std::fs::read(&done.path).unwrap(), body);
    request.in_place = true;
    assert_eq!(once(&request).unwrap().path, site.www().join("a file"));
    site.put("a file", &noise(30_001));
    assert!(matches!(cause(once(&request)), Cause::Size { .. }));
    assert!(site.www().join("a file").exists());
}

#[test]
fn no_request_nothing_started() {
    let began = Instant::now();
    assert!(fetch_each(&client(), Vec::new(), &Silent).is_empty());
    assert!(began.elapsed() < Duration::from_millis(100));
    let none = fetch_each(
        &client(),
        vec![FileRequest::new("f", Vec::new(), "/nonexistent/f")],
        &Silent,
    );
    assert!(matches!(none[0], Err(Error::Transfer { .. })));
    assert!(!std::path::Path::new("/nonexistent").exists());
}

/// What a run has to do, what came from whom, and who goes on after one that failed.
#[test]
fn events_tell_of_the_whole_run_and_of_each_server() {
    let (site, other) = (Site::new(), Site::new());
    let body = noise(5000);
    other.put("f", &body);
    other.put("g", &body);
    let f = FileRequest {
        urls: vec![site.server.url("/f"), other.server.url("/f")],
        ..other.request("f", &body)
    };
    let g = FileRequest {
        size: None,
        ..other.request("g", &body)
    };
    let log = Log::default();
    assert!(
        fetch_each(&client(), vec![f, g], &log)
            .iter()
            .all(Result::is_ok)
    );
    let (text, base) = (log.text(), other.server.url(""));
    let lines: Vec<&str> = text.lines().collect();
    let begun = "RunBegun { files: 2, bytes: 5000, unsized_files: 1 }";
    assert_eq!(lines.first(), Some(&begun));
    let ended = format!("RunEnded {{ servers: [({base:?}, 10000)] }}");
    assert_eq!(lines.last(), Some(&&*ended));
    let goes_on = format!("cause: Status(404), next: Some({base:?})");
    assert!(lines.iter().any(|line| line.contains(&goes_on)), "{text}");
}

/// Another run that fetches the same file: when it is done its file is taken, when it gives up ours goes on.
#[test]
fn a_file_that_another_run_fetches_is_waited_for() {
    struct Other {
        held: Mutex<Option<std::fs::File>>,
        done: Option<(PathBuf, Vec<u8>)>,
    }
    impl Observer for Other {
        fn event(&self, event: Event<'_>) {
            // The file beside it is here: now the other run ends.
            if matches!(event, Event::Finished { .. })
                && let Some(held) = self.held.lock().unwrap().take()
            {
                if let Some((path, body)) = &self.done {
                    std::fs::write(path, body).unwrap();
                }
                drop(held);
            }
        }
    }
    for is_done in [true, false] {
        let site = Site::new();
        let body = noise(5000);
        site.put("f", &body);
        site.put("g", &body);
        let held = std::fs::File::create(site.path("f.part")).unwrap();
        rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let other = Other {
            held: Mutex::new(Some(held)),
            done: is_done.then(|| (site.path("f"), body.clone())),
        };
        let requests = ["f", "g"].map(|name| site.request(name, &body));
        let done = fetch_each(&client(), requests.to_vec(), &other);
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        assert_eq!(std::fs::read(site.path("f")).unwrap(), body);
        assert_eq!(site.server.seen().len(), if is_done { 1 } else { 2 });
    }
}
