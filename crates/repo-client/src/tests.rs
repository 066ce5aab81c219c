//! Small things without a server.

use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue};

use crate::html::looks_like_html;
use crate::limit::Limiter;
use crate::transport::http::content_range;
use crate::{Access, join_below, join_url, redact, redact_in};

#[test]
fn row_55_redaction() {
    let cases = [
        ("http://u:p@h/a?token=1#f", "http://***@h/a?***"),
        ("https://token@h/a", "https://***@h/a"),
        ("http://h/a/b", "http://h/a/b"),
        ("not a url //u:p@h/x?y", "not a url //***@h/x"),
        ("u:p@h:3128", "***@h:3128"),
        ("token@h:3128", "***@h:3128"),
        ("h:3128", "h:3128"),
        ("http://u:p?q@h/x", "http://***@h/x"),
        ("x,http://u:p@h/x?y", "x,http://***@h/x"),
    ];
    for (url, shown) in cases {
        assert_eq!(redact(url), shown);
    }
}

#[test]
fn row_55_redaction_of_a_text() {
    for (text, shown) in [
        (
            "nothing of a kind: a@b, a? /x:y/a@b:c",
            "nothing of a kind: a@b, a? /x:y/a@b:c",
        ),
        (
            "x,http://u:p@h/r: no repository",
            "x,http://***@h/r: no repository",
        ),
        ("(`http://u:p@h/r?t=1`)", "(`http://***@h/r?***`)"),
        (
            "a=http://u:p@a/,http://v:q@b/?t c",
            "a=http://***@a/,http://***@b/?*** c",
        ),
        ("http://u:p,q@h/", "http://***@h/"),
        (
            "http://***@h/x?***'` http://h/@s/x",
            "http://***@h/x?***'` http://h/@s/x",
        ),
        (
            "proxy=u:p@h:1 'u:p@h' @System x:@cmdline",
            "proxy=***@h:1 '***@h' @System x:@cmdline",
        ),
        ("h/a.rpm?token=1\tb?c=d", "h/a.rpm?***\tb?c=d"),
        ("ftp://a:b@", "ftp://***@"),
        ("'http://:p@h/x'", "'http://***@h/x'"),
        ("file:///a/u:p@h/x: none", "file:///a/***@h/x: none"),
        ("u:p/q@h/x", "***@h/x"),
    ] {
        assert_eq!(redact_in(text), shown);
    }
}

#[test]
fn rows_31_32_35_names_stay_below_their_folder() {
    let root = Path::new("/c/repo");
    let bad = [
        "",
        "/etc/x",
        "../x",
        "a/../../b",
        "a/./b",
        "a//b",
        "%2e%2e/x",
        "..%2Fx",
        "a\\b",
        "a\nb",
        "a\0b",
        "../repo-evil/x",
    ];
    for name in bad {
        assert!(join_below(root, name).is_err(), "{name:?}");
    }
    assert!(join_below(root, &"a/".repeat(3000)).is_err());
    let good = join_below(root, "repodata/gcc-c++-1:1.0~rc1^2.rpm");
    assert_eq!(
        good.ok().as_deref(),
        Some(Path::new("/c/repo/repodata/gcc-c++-1:1.0~rc1^2.rpm"))
    );
}

#[test]
fn urls_keep_the_token_and_escape_the_name() {
    let joined = |base, href| join_url(base, href).ok();
    assert_eq!(
        joined("http://h/r/?t=1", "a b/c#d?.rpm").as_deref(),
        Some("http://h/r/a%20b/c%23d%3F.rpm?t=1")
    );
    assert_eq!(
        joined("http://h/a^b", "libx++-1:2~3^4%2B.rpm").as_deref(),
        Some("http://h/a%5Eb/libx%2B%2B-1%3A2~3%5E4%252B.rpm")
    );
    assert_eq!(joined("ftp://h/", "x"), None);
}

#[test]
fn row_52_content_ranges() {
    let parse = |text: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_RANGE, HeaderValue::from_static(text));
        content_range(&headers)
    };
    assert_eq!(parse("bytes 5-9/10"), Some((5, Some(10))));
    assert_eq!(parse("bytes 5-9/*"), Some((5, None)));
    for bad in [
        "bytes */10",
        "bytes 9-5/10",
        "bytes 5-/10",
        "items 5-9/10",
        "bytes 5-99999999999999999999/1",
        "",
    ] {
        assert_eq!(parse(bad), None, "{bad}");
    }
}

#[test]
fn logins_go_to_the_named_hosts_only() {
    let access = Access {
        username: Some("u".into()),
        password: Some("p".into()),
        origins: vec!["https://repo.example/x".into()],
        ..Access::default()
    };
    let sent = |url: &str| {
        Url::parse(url)
            .ok()
            .and_then(|url| access.login_for(&url))
            .is_some()
    };
    assert!(sent("https://repo.example/other"));
    for other in [
        "http://repo.example/",
        "https://repo.example:8443/",
        "https://mirror.example/",
    ] {
        assert!(!sent(other), "{other}");
    }
    assert!(
        sent("https://a:b@mirror.example/"),
        "a login of the URL itself"
    );
}

#[test]
fn row_54_pages() {
    for page in [
        "<!DOCTYPE HTML><p>",
        "\u{feff} \n<HTML>",
        "<?xml version='1.0'?><!doctype html><html>",
    ] {
        assert!(looks_like_html(page.as_bytes()), "{page}");
    }
    for other in [
        "<?xml version='1.0'?><repomd>",
        "\u{1f}\u{8b}<html>",
        "",
        "plain <html>",
    ] {
        assert!(!looks_like_html(other.as_bytes()), "{other}");
    }
}

#[test]
fn the_limit_is_shared() {
    let limiter = Limiter::new(1000);
    let first = limiter.charge(500);
    let second = limiter.charge(500);
    assert!(first > Duration::from_millis(400) && second > Duration::from_millis(900));
}
