//! Paths below a root that is not trusted.

use std::io;
use std::path::{Path, PathBuf};

use crate::DbError;

/// The place of `path` (absolute, seen from inside `root`) as a path without symbolic links, as
/// [`whole_file::inside`] finds it. `root` must be canonical already.
pub(crate) fn resolve(root: &Path, path: &Path) -> Result<PathBuf, DbError> {
    let loops = rustix::io::Errno::LOOP.raw_os_error();
    let refused = |error: io::Error| match error.raw_os_error() == Some(loops) {
        true => DbError::Links {
            path: root.join(path.strip_prefix("/").unwrap_or(path)),
        },
        false => DbError::io(root)(error),
    };
    whole_file::inside(root, path).map_err(refused)
}
