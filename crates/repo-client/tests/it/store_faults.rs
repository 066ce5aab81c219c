//! Object stores that fail, lie and lead elsewhere.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use repo_client::{
    Access, Bucket, Client, ClientOptions, Error, PutOptions, S3Environment, Silent, SmallFile,
    Upload, fetch_small,
};
use testkit::relay::{Line, Relay};
use testkit::server::{Answer, Seen, Server};
use testkit::stores::Store;

use crate::fixture::{Log, digest, fetch_one, noise};
use crate::stores::{client_with, on_disk, upload};

pub(crate) const KEY: &str = "AKIDOFTHETEST";
pub(crate) const SECRET: &str = "s3cretOfTheTest";
pub(crate) const TOKEN: &str = "t0kenOfTheTest";

/// What an environment says.
pub(crate) fn variables<'v>(
    pairs: &'v [(&'v str, &'v str)],
) -> impl Fn(&str) -> Option<String> + 'v {
    move |name| {
        let found = pairs.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }
}

fn keyed(server: &Server) -> Client {
    let endpoint = server.url("");
    client_with(&variables(&[
        ("AWS_ENDPOINT_URL", &endpoint),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", TOKEN),
    ]))
}

pub(crate) fn access() -> Access {
    Access {
        timeout: Duration::from_secs(2),
        retries: 3,
        ..Access::default()
    }
}

pub(crate) fn get(
    client: &Client,
    access: &Access,
    url: &str,
    log: &Log,
) -> Result<Vec<u8>, String> {
    let small = SmallFile {
        label: "file",
        url,
        access,
        limit: 1 << 20,
    };
    fetch_small(client, &small, log).map_err(|error| error.to_string())
}

/// What a store says in the place of an object.
pub(crate) fn refusal(status: u16, code: &str, more: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no\u{7} for {KEY}</Message>{more}</Error>"
    );
    Answer {
        body: Some(body.into_bytes()),
        ..Answer::status(status)
    }
}

pub(crate) fn proof(seen: &Seen) -> &str {
    seen.header("authorization").unwrap_or_default()
}

pub(crate) fn www() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("photon")).unwrap();
    fs::write(dir.path().join("photon/f"), b"content").unwrap();
    let server = Server::start(dir.path());
    (dir, server)
}

/// Row 147: each refusal is a line with bucket, server and a remedy, and without a key or what a terminal obeys.
#[test]
fn row_147_refusals_of_stores_are_told_without_a_key() {
    let (_dir, server) = www();
    let client = Client::new(ClientOptions {
        clock: Some(|| testkit::now() + 3700),
        s3: S3Environment::of(
            &variables(&[
                ("AWS_ENDPOINT_URL", &server.url("")),
                ("AWS_ACCESS_KEY_ID", KEY),
                ("AWS_SECRET_ACCESS_KEY", SECRET),
                ("AWS_SESSION_TOKEN", TOKEN),
            ]),
            None,
        ),
        ..ClientOptions::default()
    });
    let date = DateTime::<Utc>::from_timestamp(i64::try_from(testkit::now()).unwrap(), 0).unwrap();
    for (status, code, words) in [
        (
            403,
            "RequestTimeTooSkewed",
            "the server's (61 min ahead): set it right",
        ),
        (
            403,
            "InvalidAccessKeyId",
            "the access key id is not known there: check",
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "the secret key is not the one of",
        ),
        (403, "AccessDenied", "the access key has no right to this"),
        (400, "ExpiredToken", "get a new one (AWS_SESSION_TOKEN)"),
        (
            404,
            "NoSuchBucket",
            "there is no such bucket: check the URL",
        ),
        (
            301,
            "PermanentRedirect",
            "it is in another region: set s3_region",
        ),
        (503, "SlowDown", "the store asks for fewer requests"),
        (409, "Strange\u{1b}[2J", "Strange[2J (no for ***)"),
    ] {
        let mut answer = refusal(status, code, "");
        answer.headers = vec![("Date".to_owned(), date.to_rfc2822())];
        server.always("/photon/f", answer);
        let log = Log::default();
        let access = Access {
            retries: 0,
            ..access()
        };
        let why = get(&client, &access, "s3://photon/f", &log).unwrap_err();
        let place = format!("bucket photon at 127.0.0.1:{}: ", server.port());
        assert!(why.contains(&place) && why.contains(words), "{why}");
        for secret in [KEY, SECRET, TOKEN, "Signature=", "\u{7}", "\u{1b}"] {
            assert!(!format!("{why}{}", log.text()).contains(secret), "{why}");
        }
    }
    server.always("/photon/f", Answer::status(404));
    let why = get(&client, &access(), "s3://photon/f", &Log::default());
    assert!(why.unwrap_err().ends_with("HTTP status 404 (not found)"));
    // No end, and no document.
    for answer in [
        Answer {
            endless: true,
            ..refusal(403, "AccessDenied", "")
        },
        Answer {
            status: Some(403),
            ..Answer::body("<!DOCTYPE a [<!ENTITY b \"c\">]><Error><Code>&b;</Code></Error>")
        },
        Answer {
            status: Some(403),
            ..Answer::body("<a>".repeat(10_000))
        },
    ] {
        server.always("/photon/f", answer);
        let why = get(&client, &access(), "s3://photon/f", &Log::default());
        assert!(why.unwrap_err().ends_with("HTTP status 403 (forbidden)"));
    }
}

/// Row 147: a redirect elsewhere carries nothing that was for the store; a region that is named is followed once.
#[test]
fn row_147_a_store_leads_no_key_elsewhere() {
    let (_dir, server) = www();
    let (_there, other) = www();
    let client = keyed(&server);
    let target = other.url("/photon/f").replace("127.0.0.1", "localhost");
    server.next("/photon/f", [Answer::redirect(307, &target)]);
    let got = get(&client, &access(), "s3://photon/f", &Log::default());
    assert_eq!(got.unwrap(), b"content");
    let seen = other.seen().remove(0);
    assert!(
        seen.headers.iter().all(|(name, value)| {
            *name != "authorization" && !name.starts_with("x-amz-") && !value.contains(KEY)
        }),
        "{seen:?}"
    );
    assert!(proof(&server.seen()[0]).contains("/us-east-1/s3/"));

    server.forget();
    let moved = || Answer {
        headers: vec![("x-amz-bucket-region".to_owned(), "eu-north-1".to_owned())],
        ..refusal(301, "PermanentRedirect", "")
    };
    server.next("/photon/f", [moved()]);
    let got = get(&client, &access(), "s3://photon/f", &Log::default());
    assert_eq!(got.unwrap(), b"content");
    let seen = server.seen();
    assert!(
        proof(&seen[0]).contains("/us-east-1/s3/") && proof(&seen[1]).contains("/eu-north-1/s3/")
    );
    // It is remembered, and another one that is told again and again is no circle.
    server.forget();
    let region = |at: u32| {
        refusal(
            400,
            "AuthorizationHeaderMalformed",
            &format!("<Region>r-{at}</Region>"),
        )
    };
    server.next("/photon/f", (0..9).map(region));
    let why = get(&client, &access(), "s3://photon/f", &Log::default()).unwrap_err();
    assert!(why.contains("it is in another region"), "{why}");
    assert!(proof(&server.seen()[0]).contains("/eu-north-1/s3/"));
    assert_eq!(server.seen().len(), 2);
    // What is no name of a region becomes no part of a host's.
    server.behave();
    server.always(
        "/photon/f",
        refusal(301, "PermanentRedirect", "<Region>evil.example/</Region>"),
    );
    server.forget();
    get(&client, &access(), "s3://photon/f", &Log::default()).unwrap_err();
    assert_eq!(server.seen().len(), 1);
}

/// A store that asks for fewer requests, fails and breaks off gets them again, with pauses.
#[test]
fn storms_pass() {
    let (dir, server) = www();
    let client = keyed(&server);
    let storm = || {
        [
            refusal(503, "SlowDown", ""),
            refusal(500, "InternalError", ""),
            Answer::raw(""),
        ]
    };
    server.next("/photon/f", storm());
    let log = Log::default();
    let got = get(&client, &access(), "s3://photon/f", &log);
    assert_eq!(got.unwrap(), b"content", "{}", log.text());
    assert_eq!(server.seen().len(), 4);

    // How long to wait is heard.
    let slow = || Answer {
        headers: vec![("Retry-After".to_owned(), "1".to_owned())],
        ..refusal(503, "SlowDown", "")
    };
    server.next("/photon/f", [slow()]);
    let log = Log::default();
    get(&client, &access(), "s3://photon/f", &log).unwrap();
    assert!(log.text().contains("cause: Status(503)"), "{}", log.text());

    server.forget();
    server.next("/photon/f", storm());
    let access = access();
    let bucket = Bucket::open(&client, &access, "s3://photon").unwrap();
    let etag = bucket.put("f", b"content", &PutOptions::default()).unwrap();
    assert!(etag.starts_with('"'));
    assert_eq!((bucket.requests(), server.seen().len()), (4, 4));
    let path = dir.path().join("photon/f");
    let file = upload("f", path, b"content");
    server.always("/photon/f", refusal(503, "SlowDown", ""));
    let mut told = Vec::new();
    bucket
        .put_files(&[file], 2, &mut |_, done| {
            told.push(done.unwrap_err().to_string());
            Ok(())
        })
        .unwrap();
    assert!(told[0].contains("asks for fewer requests"), "{told:?}");
    assert_eq!(bucket.requests(), 8);
}

/// A condition that is refused because an answer was lost is no conflict: what is there is what was written.
#[test]
fn a_lost_answer_is_no_conflict() {
    let (_dir, server) = www();
    let client = keyed(&server);
    let access = access();
    let bucket = Bucket::open(&client, &access, "s3://photon").unwrap();
    let how = PutOptions {
        if_none_match: true,
        ..PutOptions::default()
    };
    let lost = || [Answer::raw(""), refusal(412, "PreconditionFailed", "")];
    server.next("/photon/f", lost());
    assert!(bucket.put("f", b"content", &how).unwrap().starts_with('"'));
    server.next("/photon/f", lost());
    let other = bucket.put("f", b"another", &how);
    assert!(matches!(other, Err(Error::Conflict { .. })), "{other:?}");
    server.next("/photon/f", [refusal(501, "NotImplemented", "")]);
    let unknown = bucket.put("f", b"content", &how);
    assert!(
        matches!(unknown, Err(Error::NotConditional { .. })),
        "{unknown:?}"
    );
}

/// Listings without end and with foreign keys are refused.
#[test]
fn row_147_a_listing_that_lies_ends() {
    let (_dir, server) = www();
    let client = keyed(&server);
    let access = Access {
        retries: 0,
        ..access()
    };
    let bucket = Bucket::open(&client, &access, "s3://photon/p").unwrap();
    let page = |body: &str| Answer::body(format!("<ListBucketResult>{body}</ListBucketResult>"));
    let one = "<Contents><Key>p/a</Key><Size>1</Size></Contents>";
    let goes_on = "<IsTruncated>true</IsTruncated>";
    let next = "<NextContinuationToken>t</NextContinuationToken>";
    for (body, words) in [
        (format!("{one}{goes_on}"), "breaks off"),
        (format!("{one}{goes_on}{next}"), "does not end"),
        (format!("{goes_on}{next}"), "does not end"),
        (one.replace("p/a", "q/a"), "was not asked for"),
        (one.replace(">1<", ">x<"), "was not asked for"),
        ("<a>".repeat(20), "nested too deep"),
    ] {
        server.always("/photon/", page(&body));
        let why = bucket.list("").unwrap_err().to_string();
        assert!(why.contains(words), "{body}: {why}");
    }
    server.always("/photon/", page(one));
    assert_eq!(bucket.list("").unwrap()[0].key, "a");
}

/// What answers everything with a page is no store: nothing is there, and nothing was written.
#[test]
fn row_147_a_login_page_is_no_store() {
    let (_dir, server) = www();
    let client = keyed(&server);
    let access = Access {
        retries: 0,
        ..access()
    };
    let bucket = Bucket::open(&client, &access, "s3://photon/p").unwrap();
    server.always("/photon/", Answer::body("<html>login please</html>"));
    let page = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlogin";
    server.always("/photon/p/f", Answer::raw(page));
    let listed = bucket.list("").unwrap_err();
    let written = bucket.put("f", b"content", &PutOptions::default());
    for why in [listed, written.unwrap_err()] {
        assert!(why.to_string().contains("a login page"), "{why}");
    }
}

/// A broken connection costs what was under way; the rest comes by range.
#[test]
fn a_large_object_is_resumed() {
    let Some(store) = Store::s3s() else { return };
    store.bucket("photon");
    let relay = Relay::start(
        store.port,
        Line {
            total: Some(8 << 20),
            each: None,
        },
    );
    let endpoint = relay.url("");
    let pairs = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", store.key_id),
        ("AWS_SECRET_ACCESS_KEY", store.secret),
    ];
    let client = client_with(&variables(&pairs));
    let dir = tempfile::tempdir().unwrap();
    let bytes = noise(6 << 20);
    let access = access();
    let bucket = Bucket::open(&client, &access, "s3://photon").unwrap();
    let file = upload("f", on_disk(&dir, "f", &bytes), &bytes);
    bucket
        .put_files(&[file], 1, &mut |_, done| done.map(|_| ()))
        .unwrap();
    let mut request = repo_client::FileRequest::new(
        "f",
        vec!["s3://photon/f".to_owned()],
        dir.path().join("got"),
    );
    request.access = Arc::new(access.clone());
    request.size = Some(bytes.len() as u64);
    request.digest = Some(digest(&bytes));
    let before = relay.bytes();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while relay.bytes() < before + (2 << 20) {
                std::thread::yield_now();
            }
            relay.reset_all();
        });
        fetch_one(&client, &request, &Silent).unwrap();
    });
    assert!(fs::read(dir.path().join("got")).unwrap() == bytes);
    assert!(relay.bytes() - before < 9 << 20, "not all of it twice");
}

/// An upload in parts that is stopped leaves nothing; one whose end cannot be told is found, and ended.
#[test]
fn unfinished_uploads_are_ended() {
    let Some(store) = Store::rados() else { return };
    store.bucket("photon");
    let relay = Relay::start(store.port, Line::default());
    let endpoint = relay.url("");
    let pairs = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", store.key_id),
        ("AWS_SECRET_ACCESS_KEY", store.secret),
    ];
    let stop = Arc::new(AtomicBool::new(false));
    let client = Client::new(ClientOptions {
        s3: S3Environment::of(&variables(&pairs), None),
        clock: Some(testkit::now),
        stop: Some(Arc::clone(&stop)),
        ..ClientOptions::default()
    });
    let dir = tempfile::tempdir().unwrap();
    let large = noise((64 << 20) + 1);
    let small = noise(3 << 20);
    // The large one has begun, and takes long, when the small one is there.
    let access = Access {
        throttle: 4 << 20,
        retries: 0,
        ..access()
    };
    let bucket = Bucket::open(&client, &access, "s3://photon/p").unwrap();
    let files = [
        upload("large", on_disk(&dir, "large", &large), &large),
        upload("small", on_disk(&dir, "small", &small), &small),
    ];
    let is_begun = |files: &[Upload], then: &mut dyn FnMut()| {
        bucket.put_files(files, 2, &mut |file, done| {
            match file.key.as_str() {
                "small" => then(),
                _ => assert!(done.is_err()),
            }
            Ok(())
        })
    };
    let stopped = is_begun(&files, &mut || stop.store(true, Ordering::Relaxed));
    assert!(matches!(stopped, Err(Error::Stopped)), "{stopped:?}");
    stop.store(false, Ordering::Relaxed);
    assert_eq!(bucket.unfinished().unwrap(), []);

    is_begun(&files, &mut || {
        relay.refuse(true);
        relay.reset_all();
    })
    .unwrap();
    relay.refuse(false);
    let left: Vec<_> = bucket.unfinished().unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].key, "large");
    bucket.abort(&left[0]).unwrap();
    bucket.abort(&left[0]).unwrap();
    assert_eq!(bucket.unfinished().unwrap(), []);
    assert_eq!(bucket.look("large").unwrap(), None);
}

/// A full store is said as that.
#[test]
fn a_full_store_is_said() {
    let Some(store) = Store::rados() else { return };
    store.bucket("photon");
    store.quota(1 << 20);
    let client = client_with(&variables(&store.variables()));
    let access = access();
    let bucket = Bucket::open(&client, &access, "s3://photon").unwrap();
    let why = bucket.put("f", &noise(2 << 20), &PutOptions::default());
    let why = why.unwrap_err().to_string();
    assert!(
        why.contains("it is full: make room, or raise its quota"),
        "{why}"
    );
}
