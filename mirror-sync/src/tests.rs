//! A mirror in a temporary directory and made-up packages, for the tests of single steps.

use std::path::PathBuf;

use repo_client::{Access, MetadataSet, PartFile};
use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_pkg::nevra::Nevra;
use rpm_repo::layout::Href;
use rpm_repo::repomd::{Repomd, RepomdRecord};
use tempfile::TempDir;

use crate::config::Config;
use crate::layout::Layout;
use crate::manifest::{self, FORMAT, Manifest, SnapshotFile};
use crate::publish::Publisher;
use crate::store::{Store, digest_text};
use crate::trust::PackageTrust;
use crate::upstream::Listed;

/// A mirror of its own.
pub(crate) struct Stage {
    _dir: TempDir,
    pub(crate) config: Config,
    pub(crate) layout: Layout,
    pub(crate) store: Store,
}

impl Stage {
    pub(crate) fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config: Config = toml::from_str(config).unwrap();
        config.mirror.path = dir.path().join("mirror");
        let layout = Layout::new(&config.mirror.path);
        let store = Store::open(&layout.store()).unwrap();
        Self {
            _dir: dir,
            config,
            layout,
            store,
        }
    }

    pub(crate) fn publisher(&self, now: u64) -> Publisher<'_> {
        Publisher {
            config: &self.config,
            layout: &self.layout,
            store: &self.store,
            now,
        }
    }

    /// The manifest of a snapshot of `base` made at `made`, its files in the store: each with its
    /// path and text.
    pub(crate) fn snapshot(&self, made: u64, files: &[(&str, &str)]) -> Manifest {
        let entries = files.iter().map(|(path, text)| SnapshotFile {
            path: (*path).to_owned(),
            size: text.len() as u64,
            digest: digest_text(&self.store.put(text.as_bytes()).unwrap()),
            package: path.strip_suffix(".rpm").map(str::to_owned),
        });
        let files: Vec<SnapshotFile> = entries.collect();
        Manifest {
            format: FORMAT,
            repo: "base".into(),
            stamp: manifest::stamp(made),
            made,
            upstream: String::new(),
            revision: None,
            timestamp: made,
            selection: String::new(),
            rules: PackageTrust::of(&self.config, "base").unwrap().rules,
            made_here: false,
            first_part: false,
            packages: files.iter().filter(|file| file.package.is_some()).count(),
            bytes: files.iter().map(|file| file.size).sum(),
            files,
            sources: Vec::new(),
            deltas: Vec::new(),
        }
    }

    /// What upstream's repository `id` has: packages as in [`primary`].
    pub(crate) fn set(&self, id: &str, packages: &[&str]) -> MetadataSet {
        let dir = self.layout.metadata(id).join("repodata");
        std::fs::create_dir_all(&dir).unwrap();
        let text = primary(packages);
        let (path, record) = part(&dir, "primary", &text);
        self.store.put(text.as_bytes()).unwrap();
        let index = format!("<repomd><revision>{}</revision></repomd>", record.href);
        std::fs::write(dir.join("repomd.xml"), &index).unwrap();
        MetadataSet {
            repo: id.to_owned(),
            dir,
            repomd: Repomd {
                records: vec![record.clone()],
                ..Repomd::default()
            },
            repomd_digest: Hasher::digest(DigestAlgo::Sha256, text.as_bytes()),
            parts: vec![PartFile::new("primary", path, &record)],
            base_urls: Vec::new(),
            access: std::sync::Arc::new(Access::default()),
            from_cache: false,
            stale: false,
        }
    }
}

/// Writes a part of metadata; its file and what the index says of it.
pub(crate) fn part(dir: &std::path::Path, kind: &str, text: &str) -> (PathBuf, RepomdRecord) {
    let path = dir.join(format!("{kind}.xml"));
    std::fs::write(&path, text).unwrap();
    let digest = Hasher::digest(DigestAlgo::Sha256, text.as_bytes());
    let record = RepomdRecord {
        kind: kind.to_owned(),
        href: Href::parse(&format!("repodata/{kind}.xml")).unwrap(),
        base: None,
        checksum: Some(digest),
        open_checksum: Some(digest),
        size: Some(text.len() as u64),
        open_size: Some(text.len() as u64),
        timestamp: Some(1),
        database_version: None,
    };
    (path, record)
}

/// A package as upstream lists it; its content is its name.
pub(crate) fn listed(nevra: &str) -> Listed {
    let parsed = Nevra::parse(nevra).unwrap();
    Listed {
        nevra: parsed,
        location: format!("{nevra}.rpm"),
        base: None,
        href: None,
        size: nevra.len() as u64,
        digest: Hasher::digest(DigestAlgo::Sha256, nevra.as_bytes()),
        built: 0,
    }
}

/// A primary document. Each package is its full name and what it says of others:
/// `alpha-1-1.noarch requires=beta,/usr/bin/gamma conflicts=delta`.
pub(crate) fn primary(packages: &[&str]) -> String {
    let all: String = packages.iter().map(|package| element(package)).collect();
    format!(
        "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"{}\">{all}</metadata>",
        packages.len()
    )
}

fn element(package: &str) -> String {
    let mut words = package.split(' ');
    let one = listed(words.next().unwrap());
    let (name, evr) = (&one.nevra.name, &one.nevra.evr);
    let (version, release, epoch) = (&evr.version, &evr.release, evr.epoch_or_zero());
    let mut relations = format!(
        "<rpm:provides><rpm:entry name=\"{name}\" flags=\"EQ\" epoch=\"{epoch}\" ver=\"{version}\" \
         rel=\"{release}\"/></rpm:provides>"
    );
    for (kind, targets) in words.filter_map(|word| word.split_once('=')) {
        let entries = targets.split(',');
        let entries: String = entries
            .map(|target| format!("<rpm:entry name=\"{target}\"/>"))
            .collect();
        relations.push_str(&format!("<rpm:{kind}>{entries}</rpm:{kind}>"));
    }
    format!(
        "<package type=\"rpm\"><name>{name}</name><arch>{}</arch><version epoch=\"{epoch}\" \
         ver=\"{version}\" rel=\"{release}\"/><checksum type=\"sha256\" pkgid=\"YES\">{}</checksum>\
         <summary/><description/><packager/><url/><time file=\"1\" build=\"1\"/>\
         <size package=\"{}\" installed=\"1\" archive=\"1\"/><location href=\"{}\"/>\
         <format><rpm:license>MIT</rpm:license>{relations}</format></package>",
        one.nevra.arch,
        one.digest.hex(),
        one.size,
        one.location
    )
}
