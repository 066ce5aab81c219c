//! `--repofromdir`: a folder of packages without metadata becomes a repository of this run.
//!
//! Its metadata is made in the cache, with an `xml:base` that leads to the packages where they
//! are; from there on it is a repository like others.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rpm_pkg::package::Package;
use rpm_repo::filelists::{self, FilelistsPackage};
use rpm_repo::layout::{Href, fault};
use rpm_repo::primary::{self, FileFacts, PrimaryPackage};
use rpm_repo::repomd::{self, Repomd, RepomdRecord};
use whole_file::{Access, Durability};

use crate::error::{Code, Failure, Outcome};
use crate::settings::file_url;

/// Deepest folder that is looked into.
const MAX_DEPTH: usize = 32;
/// Bytes hashed at a time.
const CHUNK: usize = 128 * 1024;

/// Package files below a folder, sorted; names that begin with a dot are skipped.
pub fn packages_below(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(dir, MAX_DEPTH, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Outcome<()> {
    let failed = |error: &std::io::Error| Failure::io(dir, error);
    for entry in fs::read_dir(dir).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|error| failed(&error))?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if kind.is_dir() && depth > 0 {
            collect(&path, depth - 1, found)?;
        } else if path.extension().is_some_and(|end| end == "rpm") && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// Where the metadata of such a repository is kept.
pub(super) fn metadata_dir(cache: &Path, id: &str) -> PathBuf {
    cache.join(format!("{id}.from-dir"))
}

/// Makes the metadata of the packages below `dir`; what has not changed stays as it is.
pub(super) fn publish(dir: &Path, metadata: &Path) -> Outcome<()> {
    let mut documents = Documents::default();
    for path in packages_below(dir)? {
        documents.add(dir, &path)?;
    }
    documents.write(&metadata.join("repodata"))
}

#[derive(Default)]
struct Documents {
    primary: String,
    filelists: String,
    count: u64,
    newest: u64,
    record: PrimaryPackage,
    files: FilelistsPackage,
}

impl Documents {
    fn add(&mut self, dir: &Path, path: &Path) -> Outcome<()> {
        let bad = |why: &dyn std::fmt::Display| {
            Failure::because(
                Code::RPMRC_FAIL,
                format!("package {}: {why}", path.display()),
            )
        };
        let location = path.strip_prefix(dir).ok().and_then(Path::to_str);
        let location = location.ok_or_else(|| bad(&"its name is not UTF-8"))?;
        if let Some(why) = fault(location) {
            return Err(bad(&format!("its name cannot be a location: {why}")));
        }
        let file = File::open(path).map_err(|error| Failure::io(path, &error))?;
        let facts = file.metadata().map_err(|error| Failure::io(path, &error))?;
        let checksum = hash(path)?;
        let package = Package::open(BufReader::new(file)).map_err(|error| bad(&error))?;
        let time = u64::try_from(facts.mtime()).unwrap_or(0);
        let base = file_url(dir);
        let told = FileFacts {
            location,
            base: Some(&base),
            time,
            size: facts.len(),
            checksum,
        };
        self.record.fill(&package, &told);
        self.record
            .write_moved(location, Some(&base), &mut self.primary);
        self.files.fill(&package.header, &checksum.hex());
        filelists::write_package(&self.files, &mut self.filelists);
        self.count += 1;
        self.newest = self.newest.max(time);
        Ok(())
    }

    fn write(self, dir: &Path) -> Outcome<()> {
        fs::create_dir_all(dir).map_err(|error| Failure::io(dir, &error))?;
        let mut head = (String::new(), String::new());
        primary::begin(self.count, &mut head.0);
        filelists::begin(self.count, &mut head.1);
        let parts = [
            ("primary", head.0 + &self.primary + primary::END),
            ("filelists", head.1 + &self.filelists + filelists::END),
        ];
        let mut index = Repomd {
            revision: Some(self.newest.to_string()),
            ..Repomd::default()
        };
        for (kind, text) in &parts {
            let digest = Hasher::digest(DigestAlgo::Sha256, text.as_bytes());
            let name = format!("{}-{kind}.xml", digest.hex());
            index.records.push(RepomdRecord {
                kind: (*kind).to_owned(),
                href: Href::parse(&format!("repodata/{name}"))?,
                base: None,
                checksum: Some(digest),
                open_checksum: None,
                size: Some(text.len() as u64),
                open_size: None,
                timestamp: Some(self.newest),
            });
            put(&dir.join(name), text.as_bytes())?;
        }
        let mut text = Vec::new();
        repomd::write(&index, &mut text).map_err(|error| Failure::io(dir, &error))?;
        put(&dir.join("repomd.xml"), &text)
    }
}

fn hash(path: &Path) -> Outcome<Digest> {
    let failed = |error: std::io::Error| Failure::io(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Hasher::new(DigestAlgo::Sha256);
    let mut buffer = vec![0; CHUNK];
    loop {
        let got = file.read(&mut buffer).map_err(failed)?;
        match buffer.get(..got).filter(|data| !data.is_empty()) {
            Some(data) => hasher.update(data),
            None => return Ok(hasher.finish()),
        }
    }
}

/// Replaces a file; the same content stays.
fn put(path: &Path, bytes: &[u8]) -> Outcome<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    whole_file::replace(path, bytes, Access::Umask, Durability::Cache)
        .map_err(|error| Failure::io(path, &error))
}
