//! `s3://` against real object stores: s3s-fs and Ceph's radosgw.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use repo_client::{
    Access, Bucket, Client, ClientOptions, Error, FileRequest, PutOptions, S3Environment, Silent,
    Upload,
};
use testkit::stores::Store;

use crate::fixture::{digest, fetch_one, noise};

/// A client as a tool makes it in the store's environment.
fn client_of(store: &Store) -> Client {
    let variables = store.variables();
    client_with(&|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

pub(crate) fn client_with(variable: &dyn Fn(&str) -> Option<String>) -> Client {
    Client::new(ClientOptions {
        s3: S3Environment::of(variable, None),
        clock: Some(testkit::now),
        ..ClientOptions::default()
    })
}

fn hasty() -> Access {
    Access {
        timeout: Duration::from_secs(10),
        retries: 2,
        ..Access::default()
    }
}

pub(crate) fn on_disk(dir: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

pub(crate) fn upload(key: &str, path: PathBuf, bytes: &[u8]) -> Upload {
    Upload {
        key: key.to_owned(),
        path,
        size: bytes.len() as u64,
        sha256: Some(digest(bytes).bytes().try_into().unwrap()),
        how: PutOptions::default(),
    }
}

/// Names that a URL has to escape.
const NAMES: [&str; 4] = [
    "libstdc++-1:2.0~rc1^3.x86_64.rpm",
    "a b/100%/%2e.rpm",
    "repodata/repomd.xml",
    "p&q=<r>'\"#s?.rpm",
];

/// What is written is listed, read by range and whole, and removed, whatever its name.
#[test]
fn a_bucket_is_written_listed_read_and_removed() {
    for store in Store::all() {
        store.bucket("photon");
        let (client, access) = (client_of(&store), hasty());
        let bucket = Bucket::open(&client, &access, "s3://photon/site/base/").unwrap();
        let how = PutOptions {
            content_type: Some("application/x-rpm".to_owned()),
            cache_control: Some("max-age=60".to_owned()),
            ..PutOptions::default()
        };
        let bytes = noise(300_000);
        for name in NAMES {
            bucket.put(name, &bytes, &how).unwrap();
        }
        let outside = Bucket::open(&client, &access, "s3://photon").unwrap();
        outside.put("site/basement", b"x", &how).unwrap();
        let mut listed: Vec<_> = bucket.list("").unwrap();
        listed.sort_by(|a, b| a.key.cmp(&b.key));
        let mut expected = NAMES;
        expected.sort_unstable();
        let keys: Vec<&str> = listed.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, expected, "{}", store.kind);
        assert!(listed.iter().all(|one| one.size == 300_000));
        assert_eq!(bucket.list("repodata/").unwrap().len(), 1);

        let (got, etag) = bucket.get(NAMES[0], 1 << 20).unwrap().unwrap();
        assert!(got == bytes && etag.starts_with('"'), "{}", store.kind);
        assert!(bucket.get(NAMES[0], 1000).is_err(), "larger than allowed");
        assert_eq!(bucket.get("none", 10).unwrap(), None);
        assert_eq!(bucket.look(NAMES[0]).unwrap().unwrap().size, 300_000);

        let dir = tempfile::tempdir().unwrap();
        for name in NAMES {
            let base = "s3://photon/site/base";
            let url = repo_client::join_url(base, name).unwrap();
            let dest = dir.path().join("got");
            let request = FileRequest {
                access: Arc::new(hasty()),
                size: Some(bytes.len() as u64),
                digest: Some(digest(&bytes)),
                ..FileRequest::new(name, vec![url], &dest)
            };
            fetch_one(&client, &request, &Silent).unwrap();
            assert!(fs::read(&dest).unwrap() == bytes);
            fs::remove_file(dest).unwrap();
        }

        let mut gone: Vec<String> = NAMES.map(str::to_owned).to_vec();
        gone.push("never there".to_owned());
        bucket.delete(&gone).unwrap();
        assert!(bucket.list("").unwrap().is_empty());
        assert_eq!(outside.list("").unwrap().len(), 1);
        assert!(bucket.requests() > 10);
    }
}

/// Many files at once, and one that goes in parts; nothing is left unfinished.
#[test]
fn files_go_at_once_and_large_ones_in_parts() {
    for store in Store::all() {
        store.bucket("photon");
        let (client, access) = (client_of(&store), hasty());
        let bucket = Bucket::open(&client, &access, "s3://photon/p").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let small = noise(70_000);
        let large = noise((64 << 20) + 12_345);
        let mut files: Vec<Upload> = (0..20)
            .map(|at| {
                upload(
                    &format!("small-{at}"),
                    on_disk(&dir, "small", &small),
                    &small,
                )
            })
            .collect();
        files.push(upload("large", on_disk(&dir, "large", &large), &large));
        files.push(Upload {
            sha256: None,
            ..upload("unhashed", on_disk(&dir, "small", &small), &small)
        });
        let mut there = Vec::new();
        bucket
            .put_files(&files, 4, &mut |file, done| {
                assert!(done.unwrap().len() > 2, "{} {}", store.kind, file.key);
                there.push(file.key.clone());
                Ok(())
            })
            .unwrap();
        assert_eq!(there.len(), 22);
        let (got, etag) = bucket.get("large", 1 << 30).unwrap().unwrap();
        assert!(got == large, "{}", store.kind);
        if store.kind == "radosgw" {
            assert_eq!(
                Bucket::etag_of_file(&dir.path().join("large")).unwrap(),
                etag
            );
        }
        let etag = bucket.look("small-3").unwrap().unwrap().etag;
        assert_eq!(
            Bucket::etag_of_file(&dir.path().join("small")).unwrap(),
            etag
        );
        assert_eq!(bucket.get("unhashed", 1 << 20).unwrap().unwrap().0, small);
        assert_eq!(bucket.unfinished().unwrap(), []);
    }
}

/// A condition that does not hold is an error of its own, and nothing is written.
#[test]
fn conditions_are_kept() {
    for store in Store::all() {
        store.bucket("photon");
        let (client, access) = (client_of(&store), hasty());
        let bucket = Bucket::open(&client, &access, "s3://photon").unwrap();
        let first = PutOptions {
            if_none_match: true,
            ..PutOptions::default()
        };
        let etag = bucket.put("k", b"one", &first).unwrap();
        let again = bucket.put("k", b"two", &first);
        let of = |etag: &str| PutOptions {
            if_match: Some(etag.to_owned()),
            ..PutOptions::default()
        };
        let other = bucket.put("k", b"three", &of("\"0123456789abcdef0123456789abcdef\""));
        let refused = |done: &Result<_, Error>| matches!(done, Err(Error::Conflict { .. }));
        assert!(refused(&again) && refused(&other), "{}", store.kind);
        let etag = bucket.put("k", b"four", &of(&etag)).unwrap();
        bucket.put("k", b"five", &PutOptions::default()).unwrap();
        assert!(refused(&bucket.put("k", b"six", &of(&etag))));
        assert_eq!(bucket.get("k", 10).unwrap().unwrap().0, b"five");
        bucket.put("k", b"seven", &of("")).unwrap();
        assert!(refused(&bucket.put("none", b"x", &of(""))));
    }
}
