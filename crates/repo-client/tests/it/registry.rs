//! Repositories in a registry (`oci://`): written to and read from docker-registry, and from one that lies.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use repo_client::{
    Access, ArtifactFile, BlobFile, Client, Error, FileRequest, Registry, Sent, Silent, SmallFile,
    fetch_small, join_url,
};
use rpm_pkg::digest::Digest;
use testkit::program::ok;
use testkit::registry::{Gate, LOGIN, Registry as Engine, Trouble};
use testkit::server::{Answer, Server};

use super::fixture::{Log, client, config, createrepo, digest, fetch_one, job, noise};

/// A folder with files of a repository, and where its registry lies.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file below `tree/`.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path("tree").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// What is below `tree/`, as it is sent and as it is named.
    fn tree(&self) -> (Vec<BlobFile>, Vec<ArtifactFile>) {
        let top = self.path("tree");
        let files = super::fixture::snapshot(&top);
        let files = files.into_iter().map(|(path, bytes)| {
            let (size, digest) = (bytes.len() as u64, digest(&bytes));
            let below = path.strip_prefix(&top).unwrap().to_str().unwrap();
            let named = ArtifactFile::new(below, digest, size);
            let sent = BlobFile {
                path,
                size,
                digest,
                is_new: false,
            };
            (sent, named)
        });
        files.unzip()
    }
}

pub(crate) fn access() -> Access {
    Access {
        timeout: Duration::from_secs(5),
        retries: 3,
        ..Access::default()
    }
}

/// Who may log in at the URL.
pub(crate) fn with_login(url: &str) -> Access {
    Access {
        username: Some(LOGIN.0.to_owned()),
        password: Some(LOGIN.1.to_owned()),
        origins: vec![url.to_owned()],
        ..access()
    }
}

/// Sends all files; how many were not there.
fn send(registry: &Registry<'_>, files: &[BlobFile]) -> usize {
    let mut sent = 0;
    let mut done = |_: &BlobFile, outcome: repo_client::Result<Sent>| {
        sent += usize::from(outcome? == Sent::Whole);
        Ok(())
    };
    registry.put_files(files, 4, &mut done).unwrap();
    sent
}

/// Publishes the tree under a tag.
pub(crate) fn publish(
    client: &Client,
    access: &Access,
    url: &str,
    place: &Place,
    tag: &str,
) -> (usize, u64) {
    let registry = Registry::open(client, access, url).unwrap();
    let (blobs, files) = place.tree();
    let sent = send(&registry, &blobs);
    registry
        .put_artifact(&files, &BTreeMap::new(), tag)
        .unwrap();
    (sent, registry.requests())
}

pub(crate) fn small(client: &Client, access: &Access, url: &str) -> repo_client::Result<Vec<u8>> {
    let small = SmallFile {
        label: "x",
        url,
        access,
        limit: 1 << 20,
    };
    fetch_small(client, &small, &Silent)
}

/// The real engine takes what is written, skopeo reads it, and it is read back by tag and by digest.
#[test]
fn a_repository_is_written_and_read() {
    let place = Place::new();
    let Some(engine) = Engine::start(&place.path("engine")) else {
        return;
    };
    place.put("repodata/repomd.xml", b"<repomd/>");
    place.put("x86_64/a+b^c~1.rpm", &noise(300_000));
    place.put("x86_64/large.rpm", &noise(9 << 20));
    let url = engine.url("photon/updates");
    let (client, access) = (client(), access());
    let registry = Registry::open(&client, &access, &url).unwrap();
    assert_eq!(registry.resolve("prod").unwrap(), None);
    assert_eq!(registry.tags().unwrap(), Vec::<String>::new());
    let (blobs, files) = place.tree();
    assert!(!registry.has_blob(&blobs[0].digest).unwrap());
    assert_eq!(send(&registry, &blobs), 3);
    assert_eq!(send(&registry, &blobs), 0);
    assert!(registry.has_blob(&blobs[0].digest).unwrap());
    let about = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    let top = registry.put_artifact(&files, &about, "prod").unwrap();
    let there = registry.resolve("prod").unwrap().unwrap();
    assert_eq!((there.digest, &there.annotations), (top, &about));
    assert_eq!(there.files.into_values().collect::<Vec<_>>(), files);
    // The same again is one request, and none that writes.
    let before = registry.requests();
    assert_eq!(registry.put_artifact(&files, &about, "prod").unwrap(), top);
    assert_eq!(registry.requests(), before + 1);
    registry.tag(&top, "current").unwrap();
    assert_eq!(registry.tags().unwrap(), ["current", "prod"]);

    for base in [
        format!("{url}:prod"),
        url.clone(),
        format!("{url}@{top}"),
        format!("{url}/"),
    ] {
        let at = |name: &str| join_url(&base, name).unwrap();
        let index = small(&client, &access, &at("repodata/repomd.xml")).unwrap();
        assert_eq!(index, b"<repomd/>", "{base}");
        let name = "x86_64/large.rpm";
        for known in [true, false] {
            let bytes = noise(9 << 20);
            let request = FileRequest {
                access: Arc::new(access.clone()),
                digest: known.then(|| digest(&bytes)),
                ..FileRequest::new(name, vec![at(name)], place.path("got.rpm"))
            };
            fetch_one(&client, &request, &Silent).unwrap();
            assert!(fs::read(place.path("got.rpm")).unwrap() == bytes);
            fs::remove_file(place.path("got.rpm")).unwrap();
        }
        let odd = small(&client, &access, &at("x86_64/a+b^c~1.rpm")).unwrap();
        assert!(odd == noise(300_000));
    }

    assert!(registry.delete_manifest(&top).unwrap());
    assert!(!registry.delete_manifest(&top).unwrap());
    assert_eq!(registry.resolve("prod").unwrap(), None);
    let refused = registry.delete_tag("current");
    assert!(
        matches!(refused, Ok(_) | Err(Error::NotOffered { .. })),
        "{refused:?}"
    );
}

/// The words of an error, which are one line and hold no secret.
pub(crate) fn words(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    assert!(
        !text.contains(LOGIN.1) && !text.contains("Basic") && !text.contains("token-"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

/// A file without a digest, into memory.
pub(crate) fn index_of(url: &str) -> String {
    format!("{url}:current/repodata/repomd.xml")
}

/// `Content-Length` and all, as a registry answers.
fn answer(status: &str, headers: &str, body: &[u8]) -> Trouble {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    Trouble::Raw([head.as_bytes(), body].concat())
}

/// Each lie and each refusal is one line that says which, and nothing of it is taken.
#[test]
fn row_148_a_registry_that_lies_or_refuses() {
    let place = Place::new();
    let Some(engine) = Engine::start(&place.path("engine")) else {
        return;
    };
    let gate = Gate::before(engine.port());
    place.put("repodata/repomd.xml", b"<repomd/>");
    let url = gate.url("a");
    publish(&client(), &access(), &url, &place, "current");
    let access = Access {
        retries: 0,
        ..access()
    };
    let read = || small(&client(), &access, &index_of(&url));
    assert_eq!(read().unwrap(), b"<repomd/>");
    let image = br#"{"schemaVersion":2,"config":{"mediaType":"application/x","digest":"sha256:0","size":1},"layers":[]}"#;
    let denied = br#"{"errors":[{"code":"DENIED","message":"s3cret-of-the-robot"}]}"#;
    let unknown = br#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#;
    let manifest = "/v2/a/manifests/current";
    let other = format!("Docker-Content-Digest: {}\r\n", digest(b""));
    for (at, trouble, expected) in [
        (
            manifest,
            answer("200 OK", "", image),
            "is a container image",
        ),
        (
            manifest,
            answer("200 OK", &other, image),
            "differs from the expected",
        ),
        (
            manifest,
            answer("200 OK", "", b"<html>"),
            "no manifest that can be read",
        ),
        (
            manifest,
            answer("200 OK", "", &vec![b' '; 5 << 20]),
            "larger than the limit of 4194304 bytes",
        ),
        (
            manifest,
            answer("403 No", "", denied),
            "the registry denies what is asked of it (pull)",
        ),
        (
            manifest,
            answer("404 No", "", unknown),
            "the registry has no such repository\n",
        ),
        (
            manifest,
            answer("404 No", "", b""),
            "the registry has no such repository or tag",
        ),
        (
            manifest,
            answer("401 No", "", b""),
            "a login of a kind that is not spoken here",
        ),
        (
            manifest,
            answer("500 No", "", b""),
            "the registry answers HTTP status 500",
        ),
        (
            manifest,
            answer("302 No", "Location: file:///etc/passwd\r\n", b""),
            "redirect refused: to a file: URL",
        ),
        (
            "/blobs/",
            answer("403 No", "", denied),
            "the registry denies what is asked of it (pull)",
        ),
        (
            "/blobs/",
            answer("302 No", "Location: /v2/x\r\n", b""),
            "does not have the file any more",
        ),
    ] {
        gate.trouble(at, [trouble]);
        let why = words(read().unwrap_err()) + "\n";
        assert!(why.contains(expected), "{expected}: {why}");
        assert_eq!(read().unwrap(), b"<repomd/>");
    }
    let round = answer("307 No", &format!("Location: {manifest}\r\n"), b"");
    gate.trouble(manifest, vec![round; 6]);
    let why = words(read().unwrap_err());
    assert!(why.contains("redirect refused: more than 5"), "{why}");
    let busy = |wait: u32| Trouble::Status(429, format!("Retry-After: {wait}\r\n"));
    // Nobody waits for what is not asked again.
    gate.trouble(manifest, [busy(100_000)]);
    let why = words(read().unwrap_err());
    assert!(why.contains("too many requests"), "{why}");
    gate.trouble(manifest, [busy(0)]);
    let patient = Access {
        retries: 1,
        ..access.clone()
    };
    let again = small(&client(), &patient, &index_of(&url));
    assert_eq!(again.unwrap(), b"<repomd/>");

    // A list of tags that goes on with what are no tags, or comes back to itself.
    let page = br#"{"tags":["!no-tag"]}"#;
    let itself = answer("200 OK", "Link: <>; rel=\"next\"\r\n", page);
    gate.trouble("/tags/list", [itself]);
    let (reader, failed) = (client(), "the registry's list of tags does not end");
    let registry = Registry::open(&reader, &access, &url).unwrap();
    let why = words(registry.tags().unwrap_err());
    assert!(why.contains(failed), "{why}");
    let goes_on = |at: u32| {
        let link = format!("Link: <?last={at}>; rel=\"next\"\r\n");
        answer("200 OK", &link, page)
    };
    gate.trouble("/tags/list", (0..5_001).map(goes_on));
    let why = words(registry.tags().unwrap_err());
    assert!(why.contains(failed), "{why}");
    assert_eq!(registry.tags().unwrap(), ["current"]);

    // By its digest, a manifest is what it says.
    let top = Registry::open(&client(), &access, &url)
        .unwrap()
        .resolve("current");
    let top = top.unwrap().unwrap().digest;
    let other = answer("200 OK", "", image);
    gate.trouble(&format!("/manifests/{top}"), [other]);
    let at = format!("{url}@{top}/repodata/repomd.xml");
    let why = words(small(&client(), &access, &at).unwrap_err());
    assert!(why.contains("differs from the expected"), "{why}");
    assert_eq!(small(&client(), &access, &at).unwrap(), b"<repomd/>");
}

/// A registry that sends byte by byte is too slow; what it so says of a refusal is not waited for.
#[test]
fn row_148_a_registry_that_drips() {
    let place = Place::new();
    let server = Server::start(&place.path("tree"));
    let drip = |status: u16, body: &str| Answer {
        status: Some(status),
        pieces: Some((1, Duration::from_millis(50))),
        ..Answer::body(format!("{body}{}", " ".repeat(300)))
    };
    let access = Access {
        timeout: Duration::from_secs(1),
        retries: 0,
        ..access()
    };
    let (client, url) = (client(), format!("oci://127.0.0.1:{}/a", server.port()));
    let read = || words(small(&client, &access, &index_of(&url)).unwrap_err());
    let manifest = "/v2/a/manifests/current";
    server.always(manifest, drip(200, "{}"));
    let why = read();
    assert!(why.contains("too slow"), "{why}");
    server.always(manifest, drip(400, "{\"errors\":[{\"code\":\"X\"}]}"));
    let why = read();
    assert!(why.contains("answers HTTP status 400"), "{why}");
    let challenge = format!("Bearer realm=\"{}\"", server.url("/token"));
    let headers = vec![("WWW-Authenticate".to_owned(), challenge)];
    server.always(
        manifest,
        Answer {
            headers,
            ..Answer::status(401)
        },
    );
    server.always("/token", drip(200, "{\"token\":\"t\"}"));
    let why = read();
    assert!(why.contains("too slow"), "{why}");
    let registry = Registry::open(&client, &access, &url).unwrap();
    server.always("/v2/a/tags/list", drip(200, "{}"));
    let why = words(registry.tags().unwrap_err());
    assert!(why.contains("too slow"), "{why}");
}

/// A request for a file that is known by its digest.
pub(crate) fn known(url: &str, name: &str, digest: Digest, place: &Place) -> FileRequest {
    FileRequest {
        access: Arc::new(access()),
        digest: Some(digest),
        ..FileRequest::new(
            name,
            vec![format!("{url}:current/{name}")],
            place.path("got"),
        )
    }
}

/// A blob that is another one, or gone, is said; one that comes in pieces is put together.
#[test]
fn row_148_blobs_are_checked_and_resumed() {
    let place = Place::new();
    let Some(engine) = Engine::start(&place.path("engine")) else {
        return;
    };
    let gate = Gate::before(engine.port());
    let bytes = noise(6 << 20);
    let content = digest(&bytes);
    place.put("large.rpm", &bytes);
    let url = gate.url("a");
    publish(&client(), &access(), &url, &place, "current");
    gate.trouble(
        "GET /v2/a/blobs/",
        [Trouble::Cut(1 << 20), Trouble::Cut(1 << 20)],
    );
    gate.forget();
    let request = known(&url, "large.rpm", content, &place);
    let got = fetch_one(&client(), &request, &Silent).unwrap();
    assert!(fs::read(&got.path).unwrap() == bytes);
    assert!(
        got.transferred < bytes.len() as u64 + (1 << 20),
        "{}",
        got.transferred
    );
    assert!(
        gate.seen()
            .iter()
            .any(|seen| seen.header("range").is_some())
    );
    // Not one manifest was looked at.
    assert!(gate.seen().iter().all(|seen| seen.path.contains("/blobs/")));

    fs::remove_file(got.path).unwrap();
    fs::write(
        engine.blob(&content.hex()),
        noise(6 << 20).split_at_mut(9).1,
    )
    .unwrap();
    let why = words(fetch_one(&client(), &request, &Silent).unwrap_err());
    assert!(why.contains("differs from the expected"), "{why}");
    fs::remove_file(engine.blob(&content.hex())).unwrap();
    let why = words(fetch_one(&client(), &request, &Silent).unwrap_err());
    assert!(
        why.contains("the registry does not have the file any more"),
        "{why}"
    );
}

/// What follows an index is what was beside it, wherever the tag has gone since; the next index is the new one, and what
/// was promised before is still had.
#[test]
fn row_148_a_tag_that_moves_mixes_nothing() {
    let place = Place::new();
    let Some(engine) = Engine::start(&place.path("engine")) else {
        return;
    };
    let url = engine.url("a/b");
    let at = |name: &str| format!("{url}:current/{name}");
    let (reader, access) = (client(), access());
    let set = |mark: &[u8]| {
        for name in ["repodata/repomd.xml", "repodata/repomd.xml.asc", "p.rpm"] {
            place.put(name, &[name.as_bytes(), mark].concat());
        }
        publish(&client(), &access, &url, &place, "current")
    };
    set(b"1");
    let read = |name: &str| String::from_utf8(small(&reader, &access, &at(name)).unwrap()).unwrap();
    assert_eq!(read("repodata/repomd.xml"), "repodata/repomd.xml1");
    set(b"2");
    assert_eq!(read("repodata/repomd.xml.asc"), "repodata/repomd.xml.asc1");
    assert_eq!(read("p.rpm"), "p.rpm1");
    assert_eq!(read("repodata/repomd.xml"), "repodata/repomd.xml2");
    assert_eq!(read("p.rpm"), "p.rpm2");
    let request = known(&url, "p.rpm", digest(b"p.rpm1"), &place);
    fetch_one(&client(), &request, &Silent).unwrap();
    let missing = small(&reader, &access, &at("q.rpm")).unwrap_err();
    assert!(words(missing).ends_with("no such file"));
}

/// A refresh reads an index and its parts; the next one is told that nothing is new.
#[test]
fn metadata_come_from_a_registry() {
    let place = Place::new();
    let Some(engine) = Engine::start(&place.path("engine")) else {
        return;
    };
    let gate = Gate::before(engine.port());
    fs::create_dir_all(place.path("tree")).unwrap();
    createrepo(&place.path("tree"), "1");
    let url = gate.url("a");
    publish(&client(), &access(), &url, &place, "prod");
    let config = config(&format!("baseurl={url}:prod\nmetadata_expire=0"));
    let refresh = || {
        gate.forget();
        let job = job(&config, &place.path("cache"));
        let sets = repo_client::refresh(
            &client(),
            &[job],
            &repo_client::TransferLimits::hasty(),
            &Log::default(),
        );
        let set = sets.into_iter().next().unwrap().unwrap();
        (set.from_cache, set.parts.len(), gate.seen().len())
    };
    // The manifest, the index, two parts.
    assert_eq!(refresh(), (false, 2, 4));
    assert_eq!(refresh(), (true, 2, 2));
    let last = gate.seen().pop().unwrap();
    assert!(last.header("if-none-match").is_some(), "{last:?}");
}

/// More files than a manifest may name are an index of manifests, which skopeo reads as well; a reader that knows no digest finds
/// a file in any of them.
#[test]
fn many_files_are_an_index() {
    let place = Place::new();
    let Some(engine) = Engine::start(&place.path("engine")) else {
        return;
    };
    place.put("repodata/repomd.xml", b"<repomd/>");
    let url = engine.url("many");
    let (client, access) = (client(), access());
    publish(&client, &access, &url, &place, "few");
    let registry = Registry::open(&client, &access, &url).unwrap();
    let (blobs, mut files) = place.tree();
    let packages =
        (0..9000).map(|n| ArtifactFile::new(&format!("p/{n}.rpm"), blobs[0].digest, blobs[0].size));
    files.extend(packages);
    let about = BTreeMap::new();
    let before = registry.requests();
    let top = registry.put_artifact(&files, &about, "many").unwrap();
    // The tag is looked up, the config is there, each of 9 manifests is looked for and sent but the one of `few`, and the
    // index.
    assert_eq!(registry.requests() - before, 1 + 1 + (2 * 9 - 1) + 1);
    let there = registry.resolve("many").unwrap().unwrap();
    assert_eq!((there.digest, there.files.len()), (top, 9001));
    let at = |name: &str| format!("{url}:many/{name}");
    assert_eq!(
        small(&client, &access, &at("p/8999.rpm")).unwrap(),
        b"<repomd/>"
    );
    files.push(ArtifactFile::new(
        "p/new.rpm",
        blobs[0].digest,
        blobs[0].size,
    ));
    let before = registry.requests();
    let next = registry.put_artifact(&files, &about, "many").unwrap();
    // One group and the index are sent.
    assert_eq!(registry.requests() - before, 1 + 1 + 9 + 1 + 1);
    registry.tag(&top, "many").unwrap();
    assert_eq!(registry.resolve("many").unwrap().unwrap().digest, top);
    assert!(next != top);
    if Command::new("skopeo").arg("--version").output().is_err() {
        testkit::fixtures::skipped("no skopeo");
        return;
    }
    for (tag, kind) in [("few", "manifest"), ("many", "index")] {
        let there = format!("docker://{}:{tag}", url.strip_prefix("oci://").unwrap());
        let text =
            ok(Command::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", &there]));
        assert!(
            text.contains(&format!(
                "\"mediaType\":\"application/vnd.oci.image.{kind}.v1+json\""
            )),
            "{text}"
        );
        assert!(
            text.contains("\"artifactType\":\"application/vnd.tdnf.repository.v1\""),
            "{text}"
        );
    }
}

/// What fails for a moment is sent again; what is refused is not.
#[test]
fn writing_goes_on_after_troubles() {
    let place = Place::new();
    let Some(engine) = Engine::start(&place.path("engine")) else {
        return;
    };
    let gate = Gate::before(engine.port());
    place.put("a.rpm", &noise(3 << 20));
    place.put("b.rpm", &noise(10));
    let url = gate.url("a");
    let busy = || Trouble::Status(503, String::new());
    gate.trouble("POST ", [busy()]);
    gate.trouble("PUT /v2/a/blobs", [Trouble::Cut(0)]);
    gate.trouble("PUT /v2/a/manifests", [busy()]);
    let (sent, _) = publish(&client(), &access(), &url, &place, "current");
    assert_eq!(sent, 2);
    let (client, access) = (client(), access());
    let registry = Registry::open(&client, &access, &url).unwrap();
    gate.trouble("PUT ", [Trouble::Status(413, String::new())]);
    place.put("b.rpm", &noise(11));
    let (mut blobs, _) = place.tree();
    blobs.retain(|blob| blob.size == 11);
    let mut failed = Vec::new();
    let mut done = |_: &BlobFile, outcome: repo_client::Result<Sent>| {
        failed.extend(outcome.err().map(words));
        Ok(())
    };
    registry.put_files(&blobs, 1, &mut done).unwrap();
    assert!(failed[0].contains("takes nothing so large"), "{failed:?}");
    // A file that is not what its digest says.
    blobs[0].digest = digest(b"other");
    let mut failed = Vec::new();
    let mut done = |_: &BlobFile, outcome: repo_client::Result<Sent>| {
        failed.extend(outcome.err().map(words));
        Ok(())
    };
    registry.put_files(&blobs, 1, &mut done).unwrap();
    assert!(failed[0].contains("DIGEST_INVALID"), "{failed:?}");
}
