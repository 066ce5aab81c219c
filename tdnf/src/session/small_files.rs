//! Files beside metadata and packages: keys, lists, policies.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use repo_client::{Access, FileRequest, Silent, fetch as fetch_files};
use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_repo::config::RepoConfig;

use super::Session;
use crate::error::{At, Code, Failure, Outcome};

/// Reads a regular file (a FIFO would hang) of `most` bytes; `code` says what is wrong with another one.
pub(super) fn read(path: &Path, most: u64, code: Code) -> Outcome<Vec<u8>> {
    if !fs::metadata(path).at(path)?.is_file() {
        return Err(refused(path, code, "not a regular file"));
    }
    read_opened(File::open(path).at(path)?, path, most, code)
}

/// As [`read`], of a regular file that is open.
pub(super) fn read_opened(file: File, path: &Path, most: u64, code: Code) -> Outcome<Vec<u8>> {
    let mut data = Vec::new();
    file.take(most + 1).read_to_end(&mut data).at(path)?;
    match data.len() as u64 > most {
        true => Err(refused(path, code, &format!("larger than {most} bytes"))),
        false => Ok(data),
    }
}

fn refused(path: &Path, code: Code, why: &str) -> Failure {
    Failure::because(code, format!("{}: {why}", path.display()))
}

/// What an interrupted transfer leaves beside its file.
const BEGUN: [&str; 2] = [".part", ".journal"];

/// Fetches what a URL of a repository's section names, `what` for messages. Nothing tells afterwards whether it is what
/// the server has, so it is never continued: the beginning on disk could be anybody's.
pub(super) fn fetch(
    session: &Session<'_>,
    repo: &RepoConfig,
    (what, url): (&str, &str),
    dest: &Path,
    most: u64,
) -> Outcome<()> {
    for end in BEGUN {
        let mut begun = dest.as_os_str().to_owned();
        begun.push(end);
        match fs::remove_file(&begun) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Failure::io(Path::new(&begun), &error));
            }
            _ => {}
        }
    }
    let label = format!("{} ({what})", repo.id);
    let request = FileRequest {
        access: Arc::new(Access::from_config(repo)),
        max_size: most,
        ..FileRequest::new(label, vec![url.to_owned()], dest)
    };
    for result in session
        .transfer(|| fetch_files(session.client(), vec![request], &session.limits(), &Silent))?
    {
        result?;
    }
    Ok(())
}

/// A file name for what a URL names: nothing of the URL's path is used as a path.
pub(super) fn cache_name(url: &str, ending: &str) -> PathBuf {
    let digest = Hasher::digest(DigestAlgo::Sha256, url.as_bytes());
    let half: String = digest.hex().chars().take(32).collect();
    PathBuf::from(format!("{half}.{ending}"))
}
