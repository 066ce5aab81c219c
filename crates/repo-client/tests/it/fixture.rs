//! What the tests share: a served folder, a client, a repository made by createrepo_c.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use repo_client::{
    Access, Client, ClientOptions, Event, FetchedFile, FileRequest, MetadataSet, Observer,
    RepoRefresh, Silent, TransferLimits, fetch,
};
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rpm_repo::config::{MainConfig, RepoConfig};
use rpm_repo::vars::Vars;
use testkit::stage::Stage;

/// Events as text, for assertions.
#[derive(Default)]
pub(crate) struct Log(pub(crate) Mutex<Vec<String>>);

impl Observer for Log {
    fn event(&self, event: Event<'_>) {
        if !matches!(event, Event::Progress { .. }) {
            self.0.lock().unwrap().push(format!("{event:?}"));
        }
    }
}

impl Log {
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

pub(crate) fn client() -> Client {
    Client::new(ClientOptions {
        user_agent: "tdnf/test".into(),
        ..ClientOptions::default()
    })
}

/// Fetches a file as tdnf does.
pub(crate) fn fetch_one(
    client: &Client,
    request: &FileRequest,
    observer: &dyn Observer,
) -> repo_client::Result<FetchedFile> {
    fetch_each(client, vec![request.clone()], observer).remove(0)
}

/// [`fetch_one`] by a client of its own, unheard.
pub(crate) fn once(request: &FileRequest) -> repo_client::Result<FetchedFile> {
    fetch_one(&client(), request, &Silent)
}

/// Fetches files as tdnf does.
pub(crate) fn fetch_each(
    client: &Client,
    requests: Vec<FileRequest>,
    observer: &dyn Observer,
) -> Vec<repo_client::Result<FetchedFile>> {
    fetch(client, requests, &TransferLimits::hasty(), observer)
}

pub(crate) fn access() -> Arc<Access> {
    Arc::new(Access {
        timeout: Duration::from_millis(700),
        retries: 2,
        ..Access::default()
    })
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(DigestAlgo::Sha256);
    hasher.update(bytes);
    hasher.finish()
}

/// Bytes without a pattern that a wrong offset could hide in.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    testkit::noise(len, 1)
}

/// A folder, served.
pub(crate) struct Site {
    stage: Stage,
}

impl std::ops::Deref for Site {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Site {
    pub(crate) fn new() -> Self {
        let stage = Stage::serving("www");
        Self { stage }
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.www().join(name), bytes).unwrap();
    }

    /// A request for `name` with everything known.
    pub(crate) fn request(&self, name: &str, bytes: &[u8]) -> FileRequest {
        FileRequest {
            access: access(),
            size: Some(bytes.len() as u64),
            digest: Some(digest(bytes)),
            ..FileRequest::new(
                name,
                vec![self.server.url(&format!("/{name}"))],
                self.path(name),
            )
        }
    }
}

/// Files below `dir` with their bytes: "nothing changed" is equality of two of these.
pub(crate) fn snapshot(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let Ok(entries) = std::fs::read_dir(dir) else {
        return all;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(snapshot(&path));
        } else {
            all.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

/// Runs createrepo_c over a folder, with a revision.
pub(crate) fn createrepo(dir: &Path, revision: &str) {
    testkit::rpm::createrepo(dir, &["--general-compress-type=gz", "--revision", revision]);
}

pub(crate) fn config(lines: &str) -> RepoConfig {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.repo");
    std::fs::write(
        &path,
        format!("[r]\nenabled=1\nretries=1\ntimeout=1\n{lines}\n"),
    )
    .unwrap();
    let all = rpm_repo::config::read_repo_file(
        Path::new("/"),
        &path,
        &MainConfig::default(),
        &Vars::default(),
    );
    all.unwrap().remove(0)
}

pub(crate) fn job<'a>(config: &'a RepoConfig, cache: &Path) -> RepoRefresh<'a> {
    RepoRefresh {
        shared: None,
        config,
        cache: cache.to_owned(),
        parts: &["primary", "filelists"],
        force: false,
        cache_only: false,
        stale_ok: false,
        spared: None,
        older: repo_client::OlderMetadata::RefuseSigned,
        now: testkit::now(),
        check_signature: None,
    }
}

pub(crate) fn refresh_one(job: RepoRefresh<'_>, log: &Log) -> repo_client::Result<MetadataSet> {
    repo_client::refresh(
        &client(),
        &[job],
        &repo_client::TransferLimits::hasty(),
        log,
    )
    .remove(0)
}
