//! SELinux labels of new files.
//!
//! A file that is made in a staging directory has the label of that directory, and a rename keeps
//! it. So a new file gets the label of the file it replaces, else that of the directory it comes
//! into, which is what the kernel would have given it there. The policy's own table of labels
//! (`file_contexts`) is not read; `restorecon` knows it.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{self, XattrFlags};
use rustix::io::Errno;

use super::root::SELINUX_XATTR;

/// Room for a label; the kernel's are a page at most, real ones some 50 bytes.
const MAX_LABEL: usize = 4096;

/// Does the root carry labels at all?
pub(crate) fn in_use(root: BorrowedFd<'_>) -> bool {
    fs::fgetxattr(root, SELINUX_XATTR, &mut [0; MAX_LABEL]).is_ok()
}

/// Labels `name` in the directory `stage` as something that is to stand at `base` in `dir`.
pub(crate) fn copy(
    dir: BorrowedFd<'_>,
    base: &[u8],
    stage: BorrowedFd<'_>,
    name: &str,
) -> Result<(), Errno> {
    let mut room = [0; MAX_LABEL];
    let old = fs::lgetxattr(entry(dir, base), SELINUX_XATTR, &mut room);
    let length = match old {
        Ok(length) => length,
        Err(_) => match fs::fgetxattr(dir, SELINUX_XATTR, &mut room) {
            Ok(length) => length,
            Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(()),
            Err(e) => return Err(e),
        },
    };
    let label = room.get(..length).unwrap_or_default();
    let flags = XattrFlags::empty();
    match fs::lsetxattr(entry(stage, name.as_bytes()), SELINUX_XATTR, label, flags) {
        // No labels on this file system; no `/proc` to name the file by.
        Err(Errno::OPNOTSUPP | Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// A name in an open directory as a path: attributes of links and devices have no call that
/// takes a descriptor. Only the magic link of `/proc` is followed.
fn entry(dir: BorrowedFd<'_>, base: &[u8]) -> Vec<u8> {
    [
        format!("/proc/self/fd/{}/", dir.as_raw_fd()).as_bytes(),
        base,
    ]
    .concat()
}
