//! Key files: which file or URL a `gpgkey` names, and what is in it.

use std::fmt;
use std::path::{Path, PathBuf};

use rpm_repo::config::RepoConfig;

use super::{Session, small_files};
use crate::error::{Code, Failure, Outcome};

/// Largest key file.
const MAX_KEY_FILE: u64 = 1 << 20;

/// Where a key was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyFile {
    /// The `gpgkey`, secrets left out.
    url: String,
    /// The file of an installroot, or of the host beside one.
    path: Option<(PathBuf, &'static str)>,
}

impl fmt::Display for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        match &self.path {
            // A word of the command line is the path itself.
            Some((path, of)) if self.url.as_str() == path.as_os_str() => write!(f, " ({of})"),
            Some((path, of)) => write!(f, " ({}, {of})", path.display()),
            None => Ok(()),
        }
    }
}

/// Reads a key from a file or over https. Plain http and ftp are refused, and https to a server that
/// proves nothing: anyone on the line could put in a key of his own.
pub(super) fn read(
    session: &Session<'_>,
    repo: &RepoConfig,
    url: &str,
) -> Outcome<(KeyFile, Vec<u8>)> {
    let shown = repo_client::redact(url);
    let local = url.starts_with("file:");
    if url.contains('#') || local && url.contains('?') {
        let line = format!("{shown}: '#' or '?' in a key URL");
        return Err(Failure::because(Code::KEYURL_INVALID, line));
    }
    if local {
        let path = repo_client::file_url_path(url)
            .map_err(|why| Failure::because(Code::KEYURL_INVALID, format!("{shown}: {why}")))?;
        return read_local(session, &shown, &path);
    }
    if url.starts_with('/') {
        return read_local(session, &shown, Path::new(url));
    }
    if !url.starts_with("https://") {
        let line = format!("{shown}: keys are only taken from file:// and https:// URLs");
        return Err(Failure::because(Code::KEYURL_UNSUPPORTED, line).hint(
            "fetch the key over a safe channel, compare its fingerprint, and name the file in gpgkey",
        ));
    }
    if !repo.sslverify {
        let line = format!("{shown}: sslverify=0, so anybody may have sent this key");
        return Err(Failure::because(Code::KEYURL_UNSUPPORTED, line).hint(
            "trust the server's certificate with sslcacert=, or fetch the key over a safe channel and name \
             the file in gpgkey",
        ));
    }
    let data = fetch_key(session, repo, url)?;
    Ok((
        KeyFile {
            url: shown,
            path: None,
        },
        data,
    ))
}

/// A key file of the host, as dnf takes it also with an installroot; where the host has no such file,
/// that of the root.
fn read_local(session: &Session<'_>, url: &str, path: &Path) -> Outcome<(KeyFile, Vec<u8>)> {
    let settings = &session.settings;
    let file = |path| KeyFile {
        url: url.to_owned(),
        path,
    };
    if settings.root == Path::new("/") {
        return Ok((file(None), read_file(path)?));
    }
    if path.exists() {
        let data = read_file(path)?;
        return Ok((file(Some((path.to_owned(), "of the host"))), data));
    }
    let inside = settings.in_root(path)?;
    if !inside.exists() {
        let (host, root) = (path.display(), inside.display());
        let line =
            format!("{url}: neither {host} (of the host) nor {root} (of the installroot) is there");
        return Err(Failure::because(
            Code::errno(&std::io::ErrorKind::NotFound.into()),
            line,
        ));
    }
    let data = read_file(&inside)?;
    Ok((file(Some((inside, "of the installroot"))), data))
}

/// A key by https, fetched or, with `--cacheonly`, as it was fetched before. Nothing but the connection vouches for it:
/// a copy counts only where nobody else can have written it.
fn fetch_key(session: &Session<'_>, repo: &RepoConfig, url: &str) -> Outcome<Vec<u8>> {
    let cache = session.repo_cache(repo);
    let name = Path::new("keys").join(small_files::cache_name(url, "key"));
    if !session.settings.cache_only {
        let (what, dest) = (("key", url), cache.join(&name));
        small_files::fetch(session, repo, what, &dest, MAX_KEY_FILE)?;
    }
    let path = cache.join(&name);
    let file = whole_file::open_own(&cache, &name).map_err(|error| {
        let line = format!("{}: {error}", path.display());
        match whole_file::is_of_others(&error) {
            true => Failure::because(Code::INVALID_PUBKEY_FILE, line).hint(format!(
                "a key that is kept there could be anybody's: take the place from others (`chmod go-w`, `chown`) and \
                 remove {}, or set another cachedir=",
                path.display()
            )),
            false => Failure::because(Code::errno(&error), line),
        }
    })?;
    small_files::read_opened(file, &path, MAX_KEY_FILE, Code::INVALID_PUBKEY_FILE)
}

fn read_file(path: &Path) -> Outcome<Vec<u8>> {
    small_files::read(path, MAX_KEY_FILE, Code::INVALID_PUBKEY_FILE)
}
