//! `--repofromdir`: a folder of packages without metadata becomes a repository of this run.
//!
//! Its metadata is made in the cache, with an `xml:base` that leads to the packages where they
//! are; from there on it is a repository like others.

use std::fs::{self, DirEntry, File};
use std::io::BufReader;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rpm_pkg::package::Package;
use rpm_repo::filelists::{self, FilelistsPackage};
use rpm_repo::layout::{Href, fault, file_url};
use rpm_repo::primary::{self, FileFacts, PrimaryPackage};
use rpm_repo::repomd::{self, Repomd, RepomdRecord};
use whole_file::{Access, Durability};

use crate::error::{At, Code, Failure, Outcome};

/// Deepest folder that is looked into.
const MAX_DEPTH: usize = 32;
/// Bytes hashed at a time.
const CHUNK: usize = 128 * 1024;

/// Package files below a folder, sorted; names that begin with a dot are skipped.
pub fn packages_below(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let shown = |entry: &DirEntry| !entry.file_name().as_encoded_bytes().starts_with(b".");
    let mut found = files_below(dir, &shown)?;
    found.retain(|path| path.is_file());
    Ok(found)
}

/// What ends in `.rpm` below a folder and is no folder, sorted: of the entries that are `wanted`
/// alone. Links are not followed.
pub fn files_below(dir: &Path, wanted: &dyn Fn(&DirEntry) -> bool) -> Outcome<Vec<PathBuf>> {
    let mut found = any_below(dir, wanted)?;
    found.retain(|path| path.extension().is_some_and(|end| end == "rpm"));
    Ok(found)
}

/// The digest of a file.
pub fn digest_of(algo: DigestAlgo, path: &Path) -> Outcome<Digest> {
    let file = File::open(path).at(path)?;
    Hasher::digest_reader(algo, BufReader::with_capacity(CHUNK, file)).at(path)
}

/// What is no folder below a folder, whatever it is called, sorted: of the entries that are `wanted` alone. Links are
/// not followed.
pub fn any_below(dir: &Path, wanted: &dyn Fn(&DirEntry) -> bool) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(dir, MAX_DEPTH, wanted, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(
    dir: &Path,
    depth: usize,
    wanted: &dyn Fn(&DirEntry) -> bool,
    found: &mut Vec<PathBuf>,
) -> Outcome<()> {
    for entry in fs::read_dir(dir).at(dir)? {
        let entry = entry.at(dir)?;
        let (path, kind) = (entry.path(), entry.file_type().at(dir)?);
        if !wanted(&entry) {
            continue;
        }
        if kind.is_dir() && depth > 0 {
            collect(&path, depth - 1, wanted, found)?;
        } else if !kind.is_dir() {
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
        let bad = |why: &dyn std::fmt::Display| Failure::package(Code::RPMRC_FAIL, path, why);
        let location = path.strip_prefix(dir).ok().and_then(Path::to_str);
        let location = location.ok_or_else(|| bad(&"its name is not UTF-8"))?;
        if let Some(why) = fault(location) {
            return Err(bad(&format!("its name cannot be a location: {why}")));
        }
        let file = File::open(path).at(path)?;
        let facts = file.metadata().at(path)?;
        let checksum = digest_of(DigestAlgo::Sha256, path)?;
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
        let own = dir.parent().unwrap_or(dir);
        whole_file::make_folders(own.parent().unwrap_or(own), dir)
            .map_err(|(place, error)| Failure::io(&place, &error))?;
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
                database_version: None,
            });
            put(&dir.join(name), text.as_bytes())?;
        }
        let mut text = Vec::new();
        repomd::write(&index, &mut text).at(dir)?;
        put(&dir.join("repomd.xml"), &text)
    }
}

/// Replaces a file; the same content stays.
fn put(path: &Path, bytes: &[u8]) -> Outcome<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    whole_file::replace(path, bytes, Access::Umask, Durability::Cache).at(path)
}
