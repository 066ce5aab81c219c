//! Checksums of package files that were read before, in a directory that several repositories can share
//! (`--cachedir`): a file for each package, named by its file name, what its headers are, its size and its time.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rpm_pkg::package::DigestItem;
use rustix::fs::OFlags;
use whole_file::{Access, Durability, Stamp};

use crate::error::{Error, Result};

/// Most bytes of an entry: the longest checksum has 128 digits.
const MAX_ENTRY: u64 = 256;

/// Makes the directory if there is none.
pub(crate) fn prepare(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(Error::file(dir, "create"))
}

/// The place of a package's checksum. None for a package whose headers have no digest: nothing would tell it from
/// another one.
pub(crate) fn place(
    dir: &Path,
    file: &Path,
    stamp: &Stamp,
    headers: &[DigestItem],
    algo: DigestAlgo,
) -> Option<PathBuf> {
    if headers.is_empty() {
        return None;
    }
    let mut text = format!("{algo} {:?}", stamp.mtime);
    for item in headers {
        // Writing into a string cannot fail.
        let _ = write!(text, " {}", item.expected.hex());
    }
    let key = Hasher::digest(DigestAlgo::Sha256, text.as_bytes()).hex();
    let name = file.file_name()?.to_str()?;
    Some(dir.join(format!("{name}-{key}-{}-{}", stamp.size, stamp.time())))
}

/// The checksum that is kept there.
pub(crate) fn get(place: &Path, algo: DigestAlgo) -> Option<Digest> {
    let mut text = String::new();
    let file = whole_file::open_plain(place, OFlags::RDONLY).ok()?;
    file.take(MAX_ENTRY).read_to_string(&mut text).ok()?;
    Digest::from_hex(algo, text.trim()).ok()
}

/// Keeps a checksum; one that cannot be kept is computed again next time.
pub(crate) fn put(place: &Path, checksum: &Digest) {
    let text = checksum.hex();
    if let Err(error) =
        whole_file::replace(place, text.as_bytes(), Access::Umask, Durability::Cache)
    {
        tracing::info!(path = %place.display(), %error, "the checksum is not kept");
    }
}
