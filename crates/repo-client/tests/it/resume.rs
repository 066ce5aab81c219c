//! Going on where the last run stopped: row 52, and a child that is killed.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use repo_client::{Access, Cause, FileRequest};
use testkit::server::Answer;

use crate::fixture::{Site, access, noise, once};

/// A site whose file is half on disk already.
fn half(body: &[u8]) -> (Site, FileRequest) {
    let site = Site::new();
    site.put("f", body);
    let mut request = site.request("f", body);
    request.access = Arc::new(Access {
        retries: 0,
        ..(*access()).clone()
    });
    site.server.next("/f", [Answer::cut_at(60_000)]);
    once(&request).expect_err("cut off");
    assert_eq!(
        std::fs::metadata(site.path("f.part")).unwrap().len(),
        60_000
    );
    site.server.forget();
    (site, request)
}

#[test]
fn the_rest_is_asked_for_with_the_validator() {
    let body = noise(100_000);
    let (site, request) = half(&body);
    assert_eq!(once(&request).unwrap().transferred, 40_000);
    let seen = site.server.seen();
    assert_eq!(seen[0].header("range"), Some("bytes=60000-"));
    assert!(seen[0].header("if-range").is_some());
    assert!(!site.path("f.part").exists() && !site.path("f.journal").exists());
}

#[test]
fn row_52_range_lies() {
    let body = noise(100_000);
    let lies = [
        (
            "wrong range",
            Answer {
                shift_range: 10,
                ..Answer::default()
            },
        ),
        (
            "200 on range",
            Answer {
                ignore_range: true,
                ..Answer::default()
            },
        ),
        ("416", Answer::status(416)),
        (
            "etag changed",
            Answer {
                etag: Some("\"other\"".into()),
                ..Answer::default()
            },
        ),
        (
            "206 without range",
            Answer {
                status: Some(206),
                ignore_range: true,
                ..Answer::default()
            },
        ),
    ];
    for (what, lie) in lies {
        let (site, request) = half(&body);
        site.server.next("/f", [lie]);
        once(&request).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(std::fs::read(site.path("f")).unwrap(), body, "{what}");
        assert!(site.server.seen().len() <= 2, "{what}");
    }
    // One that never stops lying ends as an error.
    let (site, request) = half(&body);
    let lie = Answer {
        status: Some(206),
        ignore_range: true,
        ..Answer::default()
    };
    site.server.always("/f", lie);
    let error = once(&request).unwrap_err();
    assert!(
        matches!(error.failures()[0].cause, Cause::Range(_)),
        "{error}"
    );
    assert!(site.server.seen().len() <= 3);
}

#[test]
fn row_52_other_content_of_the_same_size() {
    let body = noise(100_000);
    let (site, request) = half(&body);
    // What is on disk is not the beginning of the file (a former mirror lied).
    std::fs::write(site.path("f.part"), vec![7; 60_000]).unwrap();
    assert!(once(&request).is_ok());
    assert_eq!(std::fs::read(site.path("f")).unwrap(), body);
}

#[test]
fn the_next_mirror_goes_on() {
    let body = noise(100_000);
    let (first, mut request) = half(&body);
    let second = Site::new();
    second.put("f", &body);
    first.server.always("/f", Answer::status(503));
    request.urls.push(second.server.url("/f"));
    assert_eq!(once(&request).unwrap().transferred, 40_000);
    let seen = second.server.seen();
    assert_eq!(seen[0].header("range"), Some("bytes=60000-"));
    assert_eq!(
        seen[0].header("if-range"),
        None,
        "another server's validator"
    );
}

#[test]
fn a_part_of_another_version_is_not_used() {
    let body = noise(100_000);
    let (site, _) = half(&body);
    let new = [noise(70_000), body].concat();
    site.put("f", &new);
    let request = site.request("f", &new);
    assert_eq!(once(&request).unwrap().transferred, new.len() as u64);
    assert_eq!(site.server.seen()[0].header("range"), None);
}

#[test]
fn without_a_digest_only_the_same_version_is_continued() {
    let body = noise(100_000);
    let (site, request) = half(&body);
    let request = FileRequest {
        digest: None,
        size: None,
        dest: site.path("g"),
        ..request
    };
    site.server.next("/f", [Answer::cut_at(30_000)]);
    once(&request).expect_err("cut off");
    let new = noise(90_000);
    std::fs::remove_file(site.www().join("f")).unwrap();
    site.put("f", &[b"new".as_slice(), &new].concat());
    let done = once(&request).unwrap();
    assert_eq!(done.size, 90_003);
    assert!(std::fs::read(site.path("g")).unwrap().starts_with(b"new"));
}

#[test]
fn what_comes_again_and_again_is_no_progress() {
    let body = noise(1_000_000);
    let site = Site::new();
    site.put("f", &body);
    let cut = Answer {
        ignore_range: true,
        ..Answer::cut_at(400_000)
    };
    site.server.always("/f", cut);
    let error = once(&site.request("f", &body)).expect_err("cut off each time");
    assert!(error.to_string().starts_with("f: "), "{error}");
    let asked = site.server.seen().len();
    assert!(asked <= 4, "{asked} requests");
    // One that knows ranges brings more each time.
    let cuts = (0..9).map(|_| Answer::cut_at(100_000));
    let site = Site::new();
    site.put("f", &body);
    site.server.next("/f", cuts);
    assert_eq!(once(&site.request("f", &body)).unwrap().size, 1_000_000);
}

/// The child of the next test: fetches what the environment names.
#[test]
fn child_that_is_killed() {
    let (Ok(url), Ok(dest)) = (std::env::var("CHILD_URL"), std::env::var("CHILD_DEST")) else {
        return;
    };
    let body = noise(2_000_000);
    let request = FileRequest {
        size: Some(body.len() as u64),
        digest: Some(crate::fixture::digest(&body)),
        ..FileRequest::new("f", vec![url], dest)
    };
    let _ = once(&request);
}

#[test]
fn kill_and_resume() {
    let site = Site::new();
    let body = noise(2_000_000);
    site.put("f", &body);
    let slow = Answer {
        pieces: Some((50_000, Duration::from_millis(50))),
        ..Answer::default()
    };
    site.server.next("/f", [slow]);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "resume::child_that_is_killed"])
        .env("CHILD_URL", site.server.url("/f"))
        .env("CHILD_DEST", site.path("f"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let part = site.path("f.part");
    let began = Instant::now();
    let length = || std::fs::metadata(&part).map_or(0, |about| about.len());
    while length() < 500_000 && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = length();
    assert!((500_000..2_000_000).contains(&kept), "{kept}");
    let done = once(&site.request("f", &body)).unwrap();
    // The piece that was being written when it was killed may come again.
    let missing = 2_000_000 - kept;
    let came = done.transferred;
    assert!(
        (missing..=missing + 50_000).contains(&came),
        "{came} of {missing}"
    );
    assert_eq!(std::fs::read(site.path("f")).unwrap(), body);
}
