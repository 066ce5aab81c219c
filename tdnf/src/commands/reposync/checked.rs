//! Which files an earlier run has found right, so that they need not be hashed again while untouched.
//!
//! It stands in the cache, not beside the files: whoever may change these must not be able to vouch for them. A
//! damaged one, or one that others may write, is as good as none.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use repo_client::{FetchedFile, FileRequest};
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use whole_file::{Access, Durability, Stamp};

use crate::session::{LoadedRepo, Session};

/// Folder below the cache directory of a repository; a file for each folder that it was copied to.
pub(crate) const CHECKED: &str = "reposync";
/// The first line; another number is another format and is not read.
const HEAD: &str = "tdnf checked files 1\n";
/// Largest file read: half a million packages.
const MAX_FILE: u64 = 128 << 20;
/// Permission bits that let others write.
const WRITABLE: u32 = 0o022;

/// The files of one folder that were right, each by the stamp it had then and the digest that was checked.
pub(super) struct CheckedFiles {
    path: PathBuf,
    files: HashMap<PathBuf, (Stamp, String)>,
}

impl CheckedFiles {
    /// What is known of the files in `folder`; nothing if all of them are to be hashed again.
    pub(super) fn of(
        session: &Session<'_>,
        source: &LoadedRepo,
        folder: &Path,
        anew: bool,
    ) -> Self {
        let name = Hasher::digest(DigestAlgo::Sha256, folder.as_os_str().as_encoded_bytes()).hex();
        let path = session.repo_cache(&source.config).join(CHECKED).join(name);
        let text = (!anew).then(|| read(&path, session.settings.environment.euid));
        let files = text.flatten().and_then(|text| parse(&text));
        let files = files.unwrap_or_default();
        Self { path, files }
    }

    /// Whether the file is there as it was when it was found to be what is asked for now.
    pub(super) fn has(&self, request: &FileRequest) -> bool {
        let Some((stamp, digest)) = self.files.get(&request.dest) else {
            return false;
        };
        let about = std::fs::symlink_metadata(&request.dest);
        request.size.is_none_or(|size| size == stamp.size)
            && request
                .digest
                .is_some_and(|asked| asked.to_string() == *digest)
            && about.is_ok_and(|about| about.is_file() && Stamp::of(&about) == *stamp)
    }

    /// A file was found right.
    pub(super) fn add(&mut self, file: &FetchedFile) {
        let found = file.stamp.zip(file.digest);
        let found = found.map(|(stamp, digest): (Stamp, Digest)| (stamp, digest.to_string()));
        match found {
            Some(found) => drop(self.files.insert(file.path.clone(), found)),
            None => drop(self.files.remove(&file.path)),
        }
    }

    /// Writes down what is known of `wanted`. Where that fails the next run hashes again.
    pub(super) fn write<'p>(&self, wanted: impl Iterator<Item = &'p Path>) {
        let mut text = HEAD.to_owned();
        for path in wanted {
            if let Some((stamp, digest)) = self.files.get(path)
                && let Some(path) = path.to_str()
            {
                // Writing into a string cannot fail.
                let _ = writeln!(text, "{stamp} {digest} {path}");
            }
        }
        let dir = self.path.parent().unwrap_or(&self.path);
        let made = std::fs::create_dir_all(dir);
        let private = Access::Mode(0o600);
        let done = made.and_then(|()| {
            whole_file::replace(&self.path, text.as_bytes(), private, Durability::Cache)
        });
        if let Err(error) = done {
            tracing::debug!(path = %self.path.display(), %error, "what was checked is not remembered");
        }
    }
}

/// The text, if nobody but `owner` can have written it.
fn read(path: &Path, owner: u32) -> Option<String> {
    let file = File::open(path).ok()?;
    let about = file.metadata().ok()?;
    let ours = about.is_file() && about.uid() == owner && about.mode() & WRITABLE == 0;
    let mut text = String::new();
    let file = Some(file).filter(|_| ours && about.len() <= MAX_FILE)?;
    file.take(MAX_FILE).read_to_string(&mut text).ok()?;
    Some(text)
}

fn parse(text: &str) -> Option<HashMap<PathBuf, (Stamp, String)>> {
    let line = |line| {
        let (stamp, rest) = Stamp::read(line)?;
        let (digest, path) = rest.split_once(' ')?;
        Some((PathBuf::from(path), (stamp, digest.to_owned())))
    };
    text.strip_prefix(HEAD)?.lines().map(line).collect()
}
