//! SELinux labels of new files.
//!
//! A file that is made in a staging directory has the label of that directory, and a rename keeps
//! it. So a new file gets the label that the policy of the root has for its path ([`contexts`]),
//! as rpm's plugin sets it. What the policy says nothing about, or a root without a policy, gets
//! the label of the file it replaces, else that of the directory it comes into, which is what the
//! kernel would have given it there.

mod contexts;
#[cfg(test)]
mod tests;

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{self, XattrFlags};
use rustix::io::Errno;

use super::error::{TransactionError, printable};
use super::event::Warning;
use super::files::Kind;
use super::root::{RootDir, SELINUX_XATTR};
use contexts::FileContexts;

/// Room for a label; the kernel's are a page at most, real ones some 50 bytes.
const MAX_LABEL: usize = 4096;

/// Says whether SELinux is wanted, and the name of the policy.
const CONFIG: &[u8] = b"/etc/selinux/config";

/// How the files of a root are labelled.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    /// The table of the policy.
    policy: Option<FileContexts>,
    /// The root carries labels: what the table does not name follows its place.
    follows: bool,
}

impl Labels {
    /// No file gets a label.
    pub(crate) fn none() -> Labels {
        Labels::default()
    }

    /// The labels of a root as it is now. What its policy has that cannot be used is told.
    pub(crate) fn of(
        root: &RootDir,
        warnings: &mut Vec<Warning>,
    ) -> Result<Labels, TransactionError> {
        let read = |path: &[u8]| {
            let text = root.read_small(path);
            text.map_err(|e| TransactionError::file("cannot read", path, e))
        };
        let mut labels = Labels {
            policy: None,
            follows: fs::fgetxattr(root.fd(), SELINUX_XATTR, &mut [0; MAX_LABEL]).is_ok(),
        };
        let Some(policy) = read(CONFIG)?.as_deref().and_then(contexts::policy_name) else {
            return Ok(labels);
        };
        let table = [
            b"/etc/selinux/",
            &policy[..],
            b"/contexts/files/file_contexts",
        ]
        .concat();
        let Some(text) = read(&table)? else {
            return Ok(labels);
        };
        let mut found = FileContexts::default();
        for part in ["", ".homedirs", ".local"] {
            let path = [&table[..], part.as_bytes()].concat();
            let text = match part {
                "" => Some(text.clone()),
                _ => read(&path)?,
            };
            let skipped = found.add(&text.unwrap_or_default());
            if let Some(line) = skipped {
                warnings.push(Warning::File {
                    path: printable(&path),
                    reason: format!("line {line} and what is like it is not understood"),
                });
            }
        }
        for part in [".subs_dist", ".subs"] {
            let path = [&table[..], part.as_bytes()].concat();
            found.add_aliases(&read(&path)?.unwrap_or_default());
        }
        found.finish();
        labels.policy = Some(found);
        Ok(labels)
    }

    /// May any file get a label?
    pub(crate) fn in_use(&self) -> bool {
        self.policy.is_some() || self.follows
    }

    /// Labels `name` in the directory `stage` as something that is to stand at `base` in `dir`,
    /// which `target` names in the root.
    pub(crate) fn set(
        &self,
        (target, kind): (&[u8], Kind),
        (dir, base): (BorrowedFd<'_>, &[u8]),
        (stage, name): (BorrowedFd<'_>, &str),
    ) -> Result<(), Errno> {
        match self.wanted(target, kind) {
            Some(label) => put(&entry(stage, name.as_bytes()), label),
            None if self.follows => copy(dir, base, stage, name),
            None => Ok(()),
        }
    }

    /// Labels a directory that was made at `target`. Without a word of the policy the kernel has
    /// labelled it by its place.
    pub(crate) fn set_dir(&self, target: &[u8], dir: BorrowedFd<'_>) -> Result<(), Errno> {
        match self.wanted(target, Kind::Directory) {
            Some(label) => put(&entry(dir, b"."), label),
            None => Ok(()),
        }
    }

    /// The label that the policy has for a path.
    pub(crate) fn wanted(&self, target: &[u8], kind: Kind) -> Option<&[u8]> {
        self.policy.as_ref()?.lookup(target, kind)
    }
}

fn put(path: &[u8], label: &[u8]) -> Result<(), Errno> {
    match fs::lsetxattr(path, SELINUX_XATTR, label, XattrFlags::empty()) {
        // No labels on this file system; no `/proc` to name the file by; root of a user namespace
        // only, which may not label.
        Err(Errno::OPNOTSUPP | Errno::NOENT | Errno::PERM) => Ok(()),
        other => other,
    }
}

/// Gives a staged file the label of what stands in its place, else that of the directory.
fn copy(dir: BorrowedFd<'_>, base: &[u8], stage: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
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
    put(&entry(stage, name.as_bytes()), label)
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
