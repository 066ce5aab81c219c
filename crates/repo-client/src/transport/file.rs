//! `file:` URLs: a repository on a local disk.

use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;

use reqwest::Url;

use crate::error::Cause;
use crate::options::decode_percent;

/// The path a `file:` URL names; a host other than localhost is refused.
pub(crate) fn path_of(url: &Url) -> Result<PathBuf, Cause> {
    match url.host_str() {
        None | Some("" | "localhost") => {}
        Some(host) => return Err(Cause::Read(format!("host {host} in a file: URL"))),
    }
    let path = decode_percent(url.path());
    if path.contains('\0') {
        return Err(Cause::Read("NUL in the path".into()));
    }
    Ok(PathBuf::from(path))
}

/// The path that a `file:` URL names, as a repository of this URL is found.
///
/// # Errors
/// In words: the text is no URL, or names a host other than this one.
pub fn file_url_path(url: &str) -> Result<PathBuf, String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    path_of(&url).map_err(|cause| cause.to_string())
}

/// Opens the file a `file:` URL names; only regular files (a FIFO would hang).
pub(crate) fn open(url: &Url) -> Result<File, Cause> {
    let path = path_of(url)?;
    let name = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Cause::NotFound,
        _ => Cause::Read(e.to_string()),
    };
    let kind = std::fs::metadata(&path).map_err(name)?;
    if !kind.is_file() {
        return Err(Cause::Read("not a regular file".into()));
    }
    File::open(&path).map_err(name)
}
