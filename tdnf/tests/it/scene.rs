//! The whole program on a stage: a root with a real rpm database, repositories of packages by the
//! real rpmbuild and createrepo_c behind a server that can misbehave, and the state before and
//! after a run.
//!
//! "Refused" ([`Scene::refuses`]) is always the same promise: a non-zero exit, one line that says
//! what and why, no panic, at most 256 MiB, and database, files, keys, history and the last good
//! metadata as before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rpm_trust::sign::{KeyAlgorithm, NewKey, SigningKey};
use testkit::program::{self, Run};
use testkit::rpmdb::{self, Dump};
use testkit::spec::Spec;
use testkit::stage::{self, Stage};
use testkit::tree::{self, Entry};

use crate::interop_lab::program;
use crate::scene_repo::Published;
use crate::scene_rpm::RpmFile;

/// Where packages and metadata are cached below the root.
pub(crate) const CACHE: &str = "var/cache/tdnf";
const DATABASES: [&str; 2] = ["var/lib/rpm/rpmdb.sqlite", "var/lib/tdnf/history.db"];
/// Files that only say that somebody looked: locks and SQLite's own.
const VOLATILE: [&str; 8] = [
    "var/lib/rpm/.rpm.lock",
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/rpmdb.sqlite-shm",
    "var/lib/rpm/rpmdb.sqlite-wal",
    "var/lib/tdnf/history.db",
    "var/lib/tdnf/history.db-journal",
    "var/lib/tdnf/.tdnf-instance-lockfile",
    CACHE,
];

/// A key made an hour ago that lives for ever.
pub(crate) fn new_key(user_id: &str) -> SigningKey {
    key_of(user_id, testkit::now() - 3600, None)
}

/// A key made at `created` with a lifetime in seconds.
pub(crate) fn key_of(user_id: &str, created: u64, lifetime: Option<u64>) -> SigningKey {
    let new = NewKey {
        user_id,
        algorithm: KeyAlgorithm::Ed25519,
        created,
        lifetime,
        signing_subkey: false,
    };
    SigningKey::generate(&new).expect("a key can be made")
}

/// Builds `NAME-VERSION-1.noarch` with one file `/usr/share/scene/NAME` of some 30 KiB that does
/// not compress, and these further header lines. Not signed.
pub(crate) fn package(name: &str, version: &str, lines: &str) -> RpmFile {
    RpmFile::read(&spec_of(name, version, &noise(30_000)).lines(lines).build())
}

/// The package with this content.
pub(crate) fn spec_of(name: &str, version: &str, noise: &[u8]) -> Spec {
    let path = format!("/usr/share/scene/{name}");
    Spec::new(name, version)
        .summary(&format!("Scene package {name}"))
        .license("Apache-2.0")
        .about("A package for tests.")
        .source("noise", noise)
        .install(&format!(
            "mkdir -p %{{buildroot}}/usr/share/scene\ncp %{{_sourcedir}}/noise %{{buildroot}}{path}\n\
             echo {name} {version} >> %{{buildroot}}{path}"
        ))
        .files(&path)
}

/// Bytes that do not compress, the same each time.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    testkit::noise(len, 1)
}

/// Everything that a refused run must leave as it was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Files of the root, without cache, locks and databases.
    files: BTreeMap<PathBuf, Entry>,
    /// Rows of the rpm database (trusted keys among them) and of the history.
    databases: Vec<Option<Dump>>,
    /// The last good metadata of every repository.
    metadata: BTreeMap<PathBuf, Entry>,
}

impl State {
    /// The same, whatever metadata is cached.
    pub(crate) fn without_metadata(self) -> Self {
        let metadata = BTreeMap::new();
        Self { metadata, ..self }
    }

    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = tree::differences(&self.files, &other.files);
        lines.extend(tree::differences(&self.metadata, &other.metadata));
        for (left, right) in self.databases.iter().zip(&other.databases) {
            match (left, right) {
                (Some(left), Some(right)) => lines.extend(rpmdb::differences(left, right)),
                (None, None) => {}
                _ => lines.push("a database came or went".into()),
            }
        }
        lines
    }
}

/// A root, a web folder and its server, and the key of the repositories.
pub(crate) struct Scene {
    stage: Stage,
    /// Signs packages and metadata.
    pub(crate) key: SigningKey,
}

impl std::ops::Deref for Scene {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl Scene {
    /// A root with one package by the real rpm, no repository yet.
    pub(crate) fn new() -> Self {
        let stage = Stage::serving("www");
        tree::copy(template(), &stage.path("root"));
        let scene = Self {
            key: new_key("Scene <scene@tests.invalid>"),
            stage,
        };
        let key = scene.key.public_armored().expect("a key has a text");
        scene.write("keys/scene.asc", &key);
        scene
    }

    /// A scene whose repository `main` has these packages, signed unless they are already, with
    /// signed metadata; both are checked.
    pub(crate) fn with(packages: &[&RpmFile]) -> (Self, Published) {
        let scene = Self::new();
        let sign = |package: &&RpmFile| match package.is_signed() {
            true => (*package).clone(),
            false => (*package).clone().signed(&scene.key),
        };
        let signed: Vec<RpmFile> = packages.iter().map(sign).collect();
        let published = scene.publish("main", &signed.iter().collect::<Vec<_>>());
        scene.configure("main", "");
        (scene, published)
    }

    /// The install root.
    pub(crate) fn root(&self) -> PathBuf {
        self.path("root")
    }

    /// `file://` URL of the key file that [`Scene::write_key`] or the scene itself wrote.
    pub(crate) fn key_url(&self, name: &str) -> String {
        format!(
            "file://{}",
            self.path(&format!("keys/{name}.asc")).display()
        )
    }

    /// Writes a public key for `gpgkey=`.
    pub(crate) fn write_key(&self, name: &str, key: &SigningKey) -> String {
        let text = key.public_armored().expect("a key has a text");
        self.write(&format!("keys/{name}.asc"), text);
        self.key_url(name)
    }

    /// Publishes packages under `/NAME/` on the server, signed by the scene's key.
    pub(crate) fn publish(&self, name: &str, packages: &[&RpmFile]) -> Published {
        let published = Published::create(&self.www().join(name), packages);
        published.write(Some(&self.key));
        published
    }

    /// Writes the `.repo` file of a published repository. Lines given later win.
    pub(crate) fn configure(&self, name: &str, lines: &str) {
        let text = format!(
            "[{name}]\nname={name}\nenabled=1\nbaseurl={}\ngpgcheck=1\nrepo_gpgcheck=1\n\
             gpgkey={}\nretries=1\ntimeout=5\nmetadata_expire=never\n{lines}\n",
            self.server.url(&format!("/{name}")),
            self.key_url("scene"),
        );
        self.write_repo(name, &last_wins(&text));
    }

    /// Runs tdnf on the root with nothing of this process's environment.
    pub(crate) fn tdnf(&self, args: &[&str]) -> Run {
        self.tdnf_under(&[], args)
    }

    /// The same, below another program (`strace -e ...`).
    pub(crate) fn tdnf_under(&self, wrapper: &[&str], args: &[&str]) -> Run {
        let tdnf = stage::tdnf(&program(), self.root.path(), args);
        let (first, wrapper) = wrapper.split_first().unwrap_or((&"env", &[]));
        let mut command = Command::new(first);
        let set = |(name, value): (_, Option<_>)| value.map(|value| (name, value));
        command
            .args(wrapper)
            .arg(tdnf.get_program())
            .args(tdnf.get_args())
            .envs(tdnf.get_envs().filter_map(set))
            .env("HOME", "/nonexistent")
            .current_dir(self.path(""));
        program::measured(&command)
    }

    /// `tdnf -y install ...`.
    pub(crate) fn install(&self, words: &[&str]) -> Run {
        let args: Vec<&str> = ["-y", "install"].iter().chain(words).copied().collect();
        self.tdnf(&args)
    }

    /// Everything that a refused run must not change.
    pub(crate) fn state(&self) -> State {
        let root = self.root();
        let skip = |path: &Path| VOLATILE.iter().any(|name| path == Path::new(name));
        let cache = root.join(CACHE);
        let foreign = |path: &Path| {
            let mut parts = path.iter().skip(1);
            parts.next().is_some_and(|part| part != "repodata")
        };
        let metadata = match cache.is_dir() {
            true => tree::read(&cache, &foreign),
            false => BTreeMap::new(),
        };
        let databases = DATABASES.map(|name| {
            let file = root.join(name);
            file.is_file().then(|| rpmdb::dump(&file, &[]))
        });
        State {
            files: tree::read(&root, &skip),
            databases: databases.into(),
            metadata: metadata
                .into_iter()
                .filter(|(path, _)| path.iter().count() > 2)
                .map(|(path, entry)| (path, Entry { names: 1, ..entry }))
                .collect(),
        }
    }

    /// Runs tdnf and holds it to the common promise of a refusal.
    #[track_caller]
    pub(crate) fn refuses(&self, args: &[&str], words: &[&str]) -> Run {
        let before = self.state();
        let run = self.tdnf(args);
        run.refused(words);
        self.unchanged(&before, &run);
        run
    }

    /// `refuses` for `tdnf -y install ...` when the metadata is good: it is fetched before.
    #[track_caller]
    pub(crate) fn refuses_install(&self, what: &[&str], words: &[&str]) -> Run {
        self.tdnf(&["makecache"]);
        let args: Vec<&str> = ["-y", "install"].iter().chain(what).copied().collect();
        self.refuses(&args, words)
    }

    /// Nothing differs from `before`, and no temporary file is left but what a later run resumes.
    #[track_caller]
    pub(crate) fn unchanged(&self, before: &State, run: &Run) {
        let lines = before.differences(&self.state());
        assert!(lines.is_empty(), "changed: {lines:#?}\n{}", run.text());
        let cache = self.root().join(CACHE);
        let left: Vec<PathBuf> = match cache.is_dir() {
            true => tree::read(&cache, &|_| false).into_keys().collect(),
            false => Vec::new(),
        };
        let temporary = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".tmp") || name.starts_with(".tmp") || name.starts_with(".new-")
        };
        let left: Vec<_> = left.iter().filter(temporary).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    /// Files of the cache whose path ends so, by their path.
    pub(crate) fn cached(&self, ending: &str) -> Vec<PathBuf> {
        let cache = self.root().join(CACHE);
        let all = tree::read(&cache, &|_| false);
        let files = all.into_iter().filter(|(_, entry)| entry.kind == "file");
        let paths = files.map(|(path, _)| cache.join(path));
        paths
            .filter(|path| path.to_string_lossy().ends_with(ending))
            .collect()
    }

    /// Names of installed packages, keys left out, as the real rpm tells them.
    pub(crate) fn installed(&self) -> Vec<String> {
        let text = self.rpm().ok(&["-qa", "--qf", "%{name}-%{version}\\n"]);
        let names = text.lines().filter(|name| !name.starts_with("gpg-pubkey"));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Trusted keys as the real rpm tells them.
    pub(crate) fn trusted_keys(&self) -> Vec<String> {
        let text = self.rpm().ok(&["-qa", "gpg-pubkey*"]);
        text.lines().map(str::to_owned).collect()
    }
}

/// A root as every scene begins with, made once per process: one package by the real rpm.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<Stage> = OnceLock::new();
    let stage = TEMPLATE.get_or_init(|| {
        let stage = Stage::with_conf("[main]\ngpgcheck=1\n");
        for name in [
            "etc/yum.repos.d",
            "var/lib/rpm",
            "var/lib/tdnf",
            "var/cache",
        ] {
            fs::create_dir_all(stage.root.join(name)).expect("ours");
        }
        let file = stage.write("first.rpm", package("first", "1", "").bytes());
        let file = file.to_string_lossy();
        stage.rpm().ok(&["-i", "--nosignature", &file]);
        // One run of ours makes history and state folders, as any system has them.
        stage.write("ready.rpm", package("ready", "1", "").bytes());
        for words in [
            ["-y", "--nogpgcheck", "install", "./ready.rpm"],
            ["-y", "-q", "erase", "ready"],
        ] {
            let mut command = stage::tdnf(&program(), stage.root.path(), &words);
            program::ok(command.current_dir(stage.path("")));
        }
        stage
    });
    stage.root.path()
}

/// Of lines `KEY=VALUE` with one key only the last stays.
fn last_wins(text: &str) -> String {
    let key = |line: &str| line.split_once('=').map(|(key, _)| key.to_owned());
    let lines: Vec<&str> = text.lines().collect();
    let is_last = |(index, line): &(usize, &&str)| {
        let own = key(line);
        own.is_none() || !lines.iter().skip(index + 1).any(|other| key(other) == own)
    };
    let kept = lines.iter().enumerate().filter(is_last);
    kept.map(|(_, line)| format!("{line}\n")).collect()
}

/// SHA-256 of a file, for "the same bytes".
pub(crate) fn digest(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    crate::scene_rpm::sha256(&bytes)
}
