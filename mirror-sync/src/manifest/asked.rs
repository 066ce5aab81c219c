//! Packages that clients of a repository in proxy mode asked for: one line each, its digest and its bytes. All such
//! repositories share one store, so that it alone cannot say what belongs to whom.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use rpm_pkg::digest::Digest;
use rustix::fs::OFlags;

use crate::error::{Error, Result};
use crate::layout::{self, Layout};
use crate::store::{Store, digest_text, parse_digest};

/// Largest list, bytes: 400,000 packages.
const MAX_LIST: u64 = 64 << 20;

/// What was asked for, and its bytes.
pub(crate) type Asked = HashMap<Digest, u64>;

fn path(layout: &Layout, id: &str) -> PathBuf {
    layout.state(id).join("asked")
}

/// Reads the list; a line that was cut off by a crash is left out.
pub(crate) fn read(layout: &Layout, id: &str) -> Result<Asked> {
    let text = match layout::read(&path(layout, id), MAX_LIST) {
        Err(Error::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Asked::new());
        }
        other => other?,
    };
    let text = String::from_utf8_lossy(&text);
    let line = |line: &str| {
        let (digest, bytes) = line.split_once(' ')?;
        Some((parse_digest(digest)?, bytes.parse().ok()?))
    };
    Ok(text.lines().filter_map(line).collect())
}

/// Adds a package that is not in the list yet.
pub(crate) fn add(layout: &Layout, id: &str, digest: &Digest, bytes: u64) -> Result<()> {
    let path = path(layout, id);
    layout.make(&layout.state(id))?;
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
    let list = whole_file::open_plain(&path, flags);
    let mut list = list.map_err(Error::file(&path, "open"))?;
    let line = format!("{} {bytes}\n", digest_text(digest));
    list.write_all(line.as_bytes())
        .map_err(Error::file(&path, "write"))
}

/// How many of them are in the store, and their bytes.
pub(crate) fn count(layout: &Layout, id: &str) -> Result<(usize, u64)> {
    let asked = read(layout, id)?;
    if asked.is_empty() {
        return Ok((0, 0));
    }
    let store = Store::open(&layout.proxied())?;
    let there = asked
        .iter()
        .filter(|(digest, bytes)| store.has(digest, Some(**bytes)));
    Ok(there.fold((0, 0), |(count, sum), (_, bytes)| (count + 1, sum + bytes)))
}
