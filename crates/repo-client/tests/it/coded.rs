//! Answers that came through a proxy which put a `Content-Encoding` around the file, and those that only say so.

use std::io::Write;

use repo_client::{Cause, FileRequest};
use testkit::server::Answer;

use crate::fixture::{Site, noise, once};

pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(data).unwrap();
    out.finish().unwrap()
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(data).unwrap();
    out.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(data, 1).unwrap()
}

/// One block as it is, and the end (RFC 7932, 9.2).
fn brotli(data: &[u8]) -> Vec<u8> {
    let head = u32::try_from((data.len() - 1) << 4 | 1 << 20).unwrap();
    let [a, b, c, _] = head.to_le_bytes();
    [&[a, b, c], data, &[3]].concat()
}

type Code = fn(&[u8]) -> Vec<u8>;

/// Ways to code a file, and what the header says of them.
const CODINGS: [(&str, Code); 6] = [
    ("gzip", gzip),
    ("x-gzip", gzip),
    ("deflate", deflate),
    ("br", brotli),
    ("zstd", zstd),
    ("deflate, gzip", |data| gzip(&deflate(data))),
];

pub(crate) fn labelled(name: &str, body: Vec<u8>) -> Answer {
    Answer {
        headers: vec![("Content-Encoding".into(), name.into())],
        ignore_range: true,
        ..Answer::body(body)
    }
}

#[test]
fn row_53_what_a_proxy_put_around_a_file_is_taken_away() {
    let text = b"<repomd/> ".repeat(900);
    for (header, code) in CODINGS {
        // A package, a part that is compressed itself, and a text.
        for (name, body) in [
            ("f-1.rpm", noise(60_000)),
            ("primary.xml.gz", gzip(&noise(60_000)[..50_000])),
            ("list.xml", text.clone()),
        ] {
            for length in [true, false] {
                let site = Site::new();
                site.put(name, &body);
                let answer = Answer {
                    no_length: !length,
                    ..labelled(header, code(&body))
                };
                site.server.always(&format!("/{name}"), answer);
                let done = once(&site.request(name, &body));
                done.unwrap_or_else(|e| panic!("{header} {name}: {e}"));
                assert!(
                    std::fs::read(site.path(name)).unwrap() == body,
                    "{header} {name}"
                );
                // Of a file of unknown size, too.
                let unknown = FileRequest::new(
                    "unknown",
                    vec![site.server.url(&format!("/{name}"))],
                    site.path("unknown"),
                );
                once(&unknown).unwrap();
                assert!(
                    std::fs::read(site.path("unknown")).unwrap() == body,
                    "{header} {name}"
                );
            }
        }
    }
}

/// As servers say of files whose names end so.
#[test]
fn row_53_a_file_that_is_only_called_coded_stays_as_it_is() {
    for (header, name, body) in [
        ("x-gzip", "primary.xml.gz", gzip(&noise(50_000))),
        ("gzip", "primary.xml.gz", gzip(b"<metadata/>")),
        ("zstd", "primary.xml.zst", zstd(&noise(50_000))),
        ("gzip", "f-1.rpm", noise(60_000)),
        ("x-bzip2", "primary.xml.bz2", noise(60_000)),
    ] {
        let site = Site::new();
        site.put(name, &body);
        site.server
            .always(&format!("/{name}"), labelled(header, body.clone()));
        let done = once(&site.request(name, &body));
        done.unwrap_or_else(|e| panic!("{header} {name}: {e}"));
        assert!(
            std::fs::read(site.path(name)).unwrap() == body,
            "{header} {name}"
        );
    }
}

#[test]
fn row_53_a_few_coded_bytes_that_become_too_many_end_the_file() {
    let site = Site::new();
    let body = noise(1000);
    site.put("f-1.rpm", &body);
    let bomb = zstd(&vec![0; 300 << 20]);
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    site.server.always("/f-1.rpm", labelled("zstd", bomb));
    let error = once(&site.request("f-1.rpm", &body)).expect_err("too large");
    let cause = &error.failures()[0].cause;
    assert!(
        matches!(
            cause,
            Cause::TooLarge { .. } | Cause::Broken(_) | Cause::Digest { .. }
        ),
        "{cause}"
    );
}
