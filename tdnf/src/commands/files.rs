//! Package files on the command line: paths, `file://` and other URLs.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use repo_client::{FileRequest, fetch};
use rpm_pkg::package::Package;
use rpm_solv::SolvableId;
use rustix::fs::OFlags;

use crate::change::CMDLINE;
use crate::error::{At, Code, Failure, Outcome};
use crate::progress::NetworkView;
use crate::session::{Packages, Session};

/// Schemes a package file may be fetched by.
const SCHEMES: [&str; 5] = ["http://", "https://", "oci://", "oci+http://", "s3://"];

/// Bytes compared at a time.
const PIECE: usize = 128 << 10;

/// Which packages a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PackageScope {
    Binary,
    Source,
}

/// Splits words into those that name package files and all others.
pub(super) fn split(words: &[String]) -> (Vec<String>, Vec<String>) {
    words.iter().cloned().partition(|word| is_file(word))
}

fn is_file(word: &str) -> bool {
    let remote = SCHEMES.iter().any(|scheme| word.starts_with(scheme));
    let path = word.strip_prefix("file://").unwrap_or(word);
    (remote && word.ends_with(".rpm"))
        || word.starts_with("file://")
        || (path.ends_with(".rpm") && (path.contains('/') || Path::new(path).exists()))
}

/// Adds the files to the catalog; remote ones are fetched first.
pub(super) fn add(
    session: &Session<'_>,
    packages: &mut Packages,
    words: &[String],
    kind: PackageScope,
) -> Outcome<Vec<SolvableId>> {
    let mut ids = Vec::new();
    let mut known: HashMap<String, Vec<PathBuf>> = HashMap::new();
    for word in words {
        let path = if SCHEMES.iter().any(|scheme| word.starts_with(scheme)) {
            fetched(session, word)?
        } else {
            local(word)?
        };
        let (package, size) = opened(&path, kind)?;
        // Only what has the same name can be a copy: the others stay closed.
        let namesakes = known.entry(package.nevra().to_string()).or_default();
        if namesakes
            .iter()
            .any(|known| is_copy(known, &path).unwrap_or(false))
        {
            continue;
        }
        let location = path
            .to_str()
            .ok_or_else(|| Failure::invalid(format!("{}: not a UTF-8 path", path.display())))?;
        ids.push(packages.add_file(&package.header, location, size)?);
        namesakes.push(path);
    }
    Ok(ids)
}

/// The path that a word names: as it is, or as a `file://` URL of it, which is decoded as one of a repository is.
fn local(word: &str) -> Outcome<PathBuf> {
    let path = match word.split_once("://") {
        Some(("file", path)) if path.starts_with('/') => repo_client::file_url_path(word)
            .map_err(|why| Failure::invalid(format!("{word}: {why}")))?,
        Some(("file", path)) => PathBuf::from(path),
        Some((scheme, _)) if !Path::new(word).exists() => {
            let line = format!("{word}: {scheme} is not spoken: http, https and file are");
            return Err(Failure::invalid(line));
        }
        _ => PathBuf::from(word),
    };
    std::path::absolute(&path).at(&path)
}

/// Whether two paths lead to the same bytes: a glob and a name that meet, or a copy.
fn is_copy(known: &Path, path: &Path) -> std::io::Result<bool> {
    let (mut known, mut other) = (File::open(known)?, File::open(path)?);
    let (one, two) = (known.metadata()?, other.metadata()?);
    if (one.dev(), one.ino()) == (two.dev(), two.ino()) {
        return Ok(true);
    }
    let mut pieces = [vec![0; PIECE], vec![0; PIECE]];
    let mut left = one.len();
    let mut same = left == two.len();
    while same && left > 0 {
        let count = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        let [a, b] = pieces.each_mut().map(|piece| &mut piece[..count]);
        known.read_exact(a)?;
        other.read_exact(b)?;
        same = a == b;
        left -= count as u64;
    }
    Ok(same)
}

/// A package of the wanted kind, and the bytes of its file.
fn opened(path: &Path, kind: PackageScope) -> Outcome<(Package<BufReader<File>>, u64)> {
    let (file, about) = whole_file::open_named(path, OFlags::RDONLY).at(path)?;
    let size = about.len();
    let package = Package::open(BufReader::new(file))
        .map_err(|error| Failure::package(Code::RPMRC_FAIL, path, &error))?;
    let wrong = match (kind, package.is_source()) {
        (PackageScope::Binary, true) => Some(
            "appears to be a source rpm - use --source to install, or --builddeps to install its \
             build dependencies",
        ),
        (PackageScope::Source, false) => Some("is not a source rpm"),
        _ => None,
    };
    if let Some(wrong) = wrong {
        return Err(Failure::invalid(format!(
            "package '{}' {wrong}",
            path.display()
        )));
    }
    Ok((package, size))
}

/// Fetches a package by URL into the cache. Its name there comes from the URL's last part.
fn fetched(session: &Session<'_>, url: &str) -> Outcome<PathBuf> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let name = path.rsplit('/').next().unwrap_or_default();
    let dir = session.cache_dir().join(CMDLINE).join("rpms");
    let dest = repo_client::join_below(&dir, name)?;
    let request = FileRequest::new(name, vec![url.to_owned()], &dest);
    let view = NetworkView::new(session.printer);
    // A file of an earlier run may be another one of the same name.
    let _ = std::fs::remove_file(&dest);
    for result in
        session.transfer(|| fetch(session.client(), vec![request], &session.limits(), &view))?
    {
        result.map_err(|error| {
            let is_missing = error.failures().iter().any(|one| one.cause.is_moved_on());
            let mut failure = Failure::from(error);
            if is_missing {
                // No repository has it: neither $releasever nor newer metadata can help.
                failure.hints = vec!["check the URL: its server has no such file".to_owned()];
            }
            failure
        })?;
    }
    Ok(dest)
}
