//! When are two paths the same file? Directory names with every symbolic link taken out.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, statat};
use rustix::io::Errno;

use super::{RootDir, components, join, split};

/// How many symbolic links one directory name may lead through.
const MAX_LINKS: u32 = 40;

/// Resolves directory names of packages, on the disk as it is and through symbolic links that
/// this transaction will install (rpm's fingerprints, docs/reference/transactions.md, 4.2). `/lib/x` and `/usr/lib/x`
/// become one name once `/lib` is a link to `usr/lib`.
#[derive(Default)]
pub(crate) struct Canonical {
    /// Links that packages of this transaction bring: path as packaged -> target.
    links: HashMap<Vec<u8>, Vec<u8>>,
    /// Directory names as packaged -> resolved; without a slash at the end, the root is empty.
    known: HashMap<Vec<u8>, Vec<u8>>,
    /// The directory that was looked into last: many names in one are asked for one after another.
    open: Option<(Vec<u8>, OwnedFd)>,
}

impl Canonical {
    /// Tells of a symbolic link that will be installed at `path`.
    pub(crate) fn add_link(&mut self, path: Vec<u8>, target: Vec<u8>) {
        self.links.insert(path, target);
    }

    /// The resolved form of the directory `dir`; no slash at the end, the root is empty.
    /// An untrusted link on the way is refused with ELOOP.
    pub(crate) fn dir(&mut self, root: &RootDir, dir: &[u8]) -> Result<Vec<u8>, Errno> {
        self.resolve(root, dir, 0)
    }

    /// The resolved form of `dir`/`base`: the last component is not followed.
    pub(crate) fn path(
        &mut self,
        root: &RootDir,
        dir: &[u8],
        base: &[u8],
    ) -> Result<Vec<u8>, Errno> {
        let dir = self.dir(root, dir)?;
        Ok(if base.is_empty() {
            b"/".to_vec()
        } else {
            join(&dir, base)
        })
    }

    fn resolve(&mut self, root: &RootDir, dir: &[u8], depth: u32) -> Result<Vec<u8>, Errno> {
        if depth > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        let dir = dir.strip_suffix(b"/").unwrap_or(dir);
        if dir.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(known) = self.known.get(dir) {
            return Ok(known.clone());
        }
        let (parent, base) = split(dir);
        let parent = self.resolve(root, parent, depth)?;
        let plain = join(&parent, base);
        let resolved = match self.link_at(root, &parent, base, &plain)? {
            Some(target) => self.follow(root, &parent, &target, depth + 1)?,
            None => plain,
        };
        self.known.insert(dir.to_vec(), resolved.clone());
        Ok(resolved)
    }

    /// The target of the link at `plain` (whose parent is resolved), on disk or to be installed.
    fn link_at(
        &mut self,
        root: &RootDir,
        parent: &[u8],
        base: &[u8],
        plain: &[u8],
    ) -> Result<Option<Vec<u8>>, Errno> {
        let planned = || Ok(self.links.get(plain).cloned());
        let dir = match &self.open {
            Some((path, dir)) if path == parent => dir,
            _ => match root.open_dir(parent) {
                Ok(dir) => &self.open.insert((parent.to_vec(), dir)).1,
                Err(Errno::NOENT | Errno::NOTDIR) => return planned(),
                Err(e) => return Err(e),
            },
        };
        let stat = match statat(dir, base, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return planned(),
            Err(e) => return Err(e),
        };
        if !FileType::from_raw_mode(stat.st_mode).is_symlink() {
            return Ok(None);
        }
        let target = rustix::fs::readlinkat(dir, base, Vec::new())?.into_bytes();
        // The walk judges whether the link may be trusted; a dangling one is judged when used.
        match root.open_dir(plain) {
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(Some(target)),
            Err(e) => Err(e),
        }
    }

    /// Where `target`, read from a link in `parent`, leads to.
    fn follow(
        &mut self,
        root: &RootDir,
        parent: &[u8],
        target: &[u8],
        depth: u32,
    ) -> Result<Vec<u8>, Errno> {
        let mut at = if target.first() == Some(&b'/') {
            Vec::new()
        } else {
            parent.to_vec()
        };
        for component in components(target) {
            if component == b".." {
                at = split(&at).0.to_vec();
            } else {
                at = self.resolve(root, &join(&at, component), depth)?;
            }
        }
        Ok(at)
    }
}
