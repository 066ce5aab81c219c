//! Databases of older rpm and of SUSE: headers by number in one file, no index tables, read only.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use whole_file::open_plain;

use crate::{Backend, DbError};

/// Records in one file: more packages than any system has.
pub(crate) const MAX_RECORDS: usize = 1 << 22;

/// The headers of such a database.
pub(crate) trait RecordFile: std::fmt::Debug + Send {
    /// Package numbers, ascending.
    fn numbers(&self) -> Vec<u32>;

    /// The header bytes of a package.
    fn blob(&self, package: u32) -> Result<Option<Vec<u8>>, DbError>;
}

/// The file, and what to say when it breaks its format.
#[derive(Debug)]
pub(crate) struct RawFile {
    file: File,
    path: PathBuf,
    backend: Backend,
}

impl RawFile {
    pub(crate) fn open(path: &Path, backend: Backend) -> Result<Self, DbError> {
        let file = open_plain(path, OFlags::RDONLY).map_err(DbError::io(path))?;
        let path = path.to_path_buf();
        Ok(Self {
            file,
            path,
            backend,
        })
    }

    /// Bytes of the file.
    pub(crate) fn len(&self) -> Result<u64, DbError> {
        let meta = self.file.metadata().map_err(DbError::io(&self.path))?;
        Ok(meta.len())
    }

    /// Fills `buffer` with what stands at `offset`.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), DbError> {
        self.file.read_exact_at(buffer, offset).map_err(|e| {
            if e.kind() == io::ErrorKind::UnexpectedEof {
                self.damaged("the file is cut short")
            } else {
                DbError::io(&self.path)(e)
            }
        })
    }

    pub(crate) fn damaged(&self, why: &'static str) -> DbError {
        DbError::BadFile {
            path: self.path.clone(),
            backend: self.backend,
            why,
        }
    }
}
