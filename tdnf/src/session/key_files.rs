//! Key files: which file or URL a `gpgkey` names, and what is in it.

use std::fmt;
use std::path::{Path, PathBuf};

use repo_client::{Access, Silent, SmallFile, fetch_small};
use rpm_repo::config::RepoConfig;
use whole_file::Durability;

use super::{Session, small_files};
use crate::error::{At, Code, Failure, Outcome};
use cli_kit::shell_word;

/// Largest key file.
const MAX_KEY_FILE: u64 = 1 << 20;

/// Where the keys of a repository are kept, below its folder of the cache.
const KEYS: &str = "keys";

/// Where a key was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyFile {
    /// The `gpgkey`, secrets left out.
    url: String,
    /// The file of an installroot, or of the host beside one.
    path: Option<(PathBuf, &'static str)>,
    /// It came from a server that proved nothing: anyone on the line could put in a key of his own.
    pub(super) unproven: bool,
}

/// Who vouches for a key that comes from a server which proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vouching {
    /// Its fingerprint, where the repository names it.
    Fingerprint,
    /// Or else the user, who is asked before the key counts.
    User,
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

/// Reads a key from a file or a server. Plain http, and https to a server that proves nothing, are refused unless
/// somebody vouches for what comes; other schemes always are.
pub(super) fn read(
    session: &Session<'_>,
    repo: &RepoConfig,
    url: &str,
    vouching: Vouching,
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
    let pin = format!(
        "`--setopt={}.gpgkey_fingerprint=FINGERPRINT` takes the key that has it",
        repo.id
    );
    let is_vouched_for = !repo.gpgkey_fingerprint.is_empty() || vouching == Vouching::User;
    let unproven = !url.starts_with("https://");
    if unproven && !(url.starts_with("http://") && is_vouched_for) {
        let line = format!("{shown}: keys are only taken from file:// and https:// URLs");
        return Err(
            Failure::because(Code::KEYURL_UNSUPPORTED, line).hint(format!(
                "fetch the key over a safe channel, compare its fingerprint, and name the file in gpgkey; {pin}"
            )),
        );
    }
    if !unproven && !repo.sslverify && !is_vouched_for {
        let line = format!("{shown}: sslverify=0, so anybody may have sent this key");
        return Err(
            Failure::because(Code::KEYURL_UNSUPPORTED, line).hint(format!(
                "trust the server's certificate with sslcacert=, or fetch the key over a safe channel and name \
                 the file in gpgkey; {pin}"
            )),
        );
    }
    let data = fetch_key(session, repo, url)?;
    Ok((
        KeyFile {
            url: shown,
            path: None,
            unproven: unproven || !repo.sslverify,
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
        unproven: false,
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

/// A key from a server. Nothing but the connection vouches for it: what has just come is used as it came, not as it lies in
/// the cache.
fn fetch_key(session: &Session<'_>, repo: &RepoConfig, url: &str) -> Outcome<Vec<u8>> {
    let cache = session.repo_cache(repo);
    let name = small_files::cache_name(url, "key");
    if session.settings.cache_only {
        return kept_key(session, &cache, &Path::new(KEYS).join(name));
    }
    let small = SmallFile {
        label: &format!("{} (key)", repo.id),
        url,
        access: &Access::from_config(repo),
        limit: MAX_KEY_FILE,
    };
    let data = session.transfer(|| fetch_small(session.client(), &small, &Silent))??;
    keep(&cache, &name, &data)?;
    Ok(data)
}

/// The key as it was fetched before, where nobody else can have written it.
fn kept_key(session: &Session<'_>, cache: &Path, name: &Path) -> Outcome<Vec<u8>> {
    let path = cache.join(name);
    let file = whole_file::open_own(cache, name).map_err(|error| {
        let line = format!("{}: {error}", path.display());
        match whole_file::is_of_others(&error) {
            true => Failure::because(Code::INVALID_PUBKEY_FILE, line).hint(format!(
                "a key that is kept there could be anybody's: without --cacheonly it is fetched anew; or remove it, and \
                 take the place from others (`rm {}`, {}), or set another cachedir=",
                shell_word(&path.to_string_lossy()),
                session.taking_back(cache)
            )),
            false => Failure::because(Code::errno(&error), line),
        }
    })?;
    small_files::read_opened(file, &path, MAX_KEY_FILE, Code::INVALID_PUBKEY_FILE)
}

/// Keeps a key for `--cacheonly`. Where others can write it would not be believed, which is said when it is asked for.
fn keep(cache: &Path, name: &Path, data: &[u8]) -> Outcome<()> {
    let of_others = |below| {
        let folder = whole_file::own_folder(cache, Path::new(below));
        folder.is_err_and(|error| whole_file::is_of_others(&error))
    };
    if of_others("") || of_others(KEYS) {
        return Ok(());
    }
    let folder = cache.join(KEYS);
    whole_file::make_folders(cache, &folder).map_err(|(path, error)| Failure::io(&path, &error))?;
    let path = folder.join(name);
    whole_file::replace(&path, data, whole_file::Access::Umask, Durability::Cache).at(&path)
}

fn read_file(path: &Path) -> Outcome<Vec<u8>> {
    small_files::read(path, MAX_KEY_FILE, Code::INVALID_PUBKEY_FILE)
}
