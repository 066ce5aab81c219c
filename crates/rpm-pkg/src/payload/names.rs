//! Which file of the header a name in the archive means.

use super::PayloadError;
use crate::files::FileList;
use std::collections::HashMap;

/// Finds names. Archives usually follow the header's order, so the file after the last one found
/// is tried first; only when that fails is a table of all names made.
#[derive(Debug, Default)]
pub(super) struct PayloadNames {
    next: usize,
    table: Option<HashMap<Vec<u8>, usize>>,
}

impl PayloadNames {
    /// The number of the file called `name`; a leading `.` or `/` or both are tolerated.
    pub(super) fn find(&mut self, files: &FileList, name: &[u8]) -> Result<usize, PayloadError> {
        let name = name.strip_prefix(b"./").unwrap_or(name);
        let name = name.strip_prefix(b"/").unwrap_or(name);
        if self.table.is_none() {
            if self.next < files.len() && is_path(files, self.next, name) {
                self.next += 1;
                return Ok(self.next - 1);
            }
            self.table = Some(make_table(files)?);
        }
        let found = self.table.as_ref().and_then(|table| table.get(name));
        found
            .copied()
            .ok_or_else(|| PayloadError::Unlisted(String::from_utf8_lossy(name).into_owned()))
    }
}

/// The path of a file without its leading slash.
fn relative(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"/").unwrap_or(path)
}

fn is_path(files: &FileList, index: usize, name: &[u8]) -> bool {
    let (dir, base) = files.path_parts(index);
    name.strip_prefix(relative(dir)) == Some(base)
}

fn make_table(files: &FileList) -> Result<HashMap<Vec<u8>, usize>, PayloadError> {
    let mut table = HashMap::with_capacity(files.len());
    for index in 0..files.len() {
        let path = files.path(index);
        if table.insert(relative(&path).to_vec(), index).is_some() {
            let path = String::from_utf8_lossy(&path).into_owned();
            return Err(PayloadError::Duplicate(path));
        }
    }
    Ok(table)
}
