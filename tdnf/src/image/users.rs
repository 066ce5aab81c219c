//! Users that an image gets besides those of its packages.

use std::path::Path;

use rpm_transaction::{Owners, RootDir, make_account};
use rustix::fs::{FileType, Gid, Mode, Uid};
use serde::Deserialize;

use super::tree::Tree;
use crate::error::{At, Failure, Outcome};

/// Permissions of a new home.
const PRIVATE: u32 = 0o700;
const DAY: u64 = 24 * 3600;

/// A user, with a group of the same name and number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageUser {
    name: String,
    /// One of the system's range that is free, where none is given.
    uid: Option<u32>,
    /// It is made; `/` where none is given.
    home: Option<String>,
    shell: Option<String>,
}

impl ImageUser {
    /// Reads `NAME[:UID]`.
    ///
    /// # Errors
    /// The number is none.
    pub fn parse(text: &str) -> Outcome<Self> {
        let (name, uid) = match text.split_once(':') {
            Some((name, uid)) => (name, Some(uid)),
            None => (text, None),
        };
        let wrong =
            |_| Failure::invalid(format!("--add-user={text}: NAME or NAME:UID is expected"));
        Ok(Self {
            name: name.to_owned(),
            uid: uid.map(str::parse).transpose().map_err(wrong)?,
            ..Self::default()
        })
    }

    /// Adds it to the files of a root, and makes its home.
    ///
    /// # Errors
    /// The name or the number is another's; a name or a path that none can have; a file cannot be written.
    pub fn add(&self, tree: &mut Tree, root: &Path, epoch: u64) -> Outcome<()> {
        let Self { name, uid, .. } = self;
        let wrong = |why: String| Failure::invalid(format!("users: {name:?}: {why}"));
        let path = |path: &Option<String>| match path.as_deref() {
            None => Ok("-".to_owned()),
            Some(path) if is_plain(path) => Ok(path.to_owned()),
            Some(path) => Err(wrong(format!(
                "{path:?}: an absolute path without blanks and signs is expected"
            ))),
        };
        if *uid == Some(0) {
            return Err(wrong("0 is root's number".to_owned()));
        }
        let (home, shell) = (path(&self.home)?, path(&self.shell)?);
        let number = uid.map_or_else(|| "-".to_owned(), |uid| uid.to_string());
        let line = format!("u {name} {number} - {home} {shell}");
        let dir = RootDir::open(root)?;
        let read = || Owners::read(&dir).at(&root.join("etc/passwd"));
        let known = read()?.uid(name.as_bytes());
        if !is_name(name) || !make_account(&dir, &line, epoch / DAY)? {
            return Err(wrong("no user can have this name or number".to_owned()));
        }
        let after = read()?;
        let (own, group) = (after.uid(name.as_bytes()), after.gid(name.as_bytes()));
        let Some(own) = own.filter(|own| uid.is_none_or(|uid| uid == *own)) else {
            return Err(wrong(match known {
                Some(known) => format!("it is there already, with the number {known}"),
                None => format!("{number} is the number of another user"),
            }));
        };
        let group = match known {
            Some(_) => group.unwrap_or(own),
            None => group
                .filter(|group| uid.is_none_or(|uid| uid == *group))
                .ok_or_else(|| wrong(format!("{number} is not the number of its group")))?,
        };
        match &self.home {
            Some(home) => make_home(tree, &dir, home, (own, group)),
            None => Ok(()),
        }
    }
}

/// Makes the folder, and gives it to its user unless a package or the image below has it.
fn make_home(tree: &mut Tree, root: &RootDir, home: &str, owner: (u32, u32)) -> Outcome<()> {
    let path = Path::new(home);
    let (folder, made) = root.create_dirs(home.as_bytes()).at(path)?;
    if made.is_empty() && tree.is_brought(home.as_bytes())? {
        return Ok(());
    }
    if !made.is_empty() {
        rustix::fs::fchmod(&folder, Mode::from_raw_mode(PRIVATE)).at(path)?;
    }
    let mode = rustix::fs::fstat(&folder).at(path)?.st_mode & 0o7777;
    if !tree.is_recorded() {
        let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
        rustix::fs::fchown(&folder, Some(uid), Some(gid)).at(path)?;
    }
    tree.overlay(
        home.as_bytes(),
        FileType::Directory.as_raw_mode() | mode,
        owner,
    )
}

/// A name that has no meaning to anything that reads the files.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    name.chars().all(plain) && name != "root"
}

fn is_plain(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-.+@".contains(c);
    let is_up = path.split('/').any(|part| part == "..");
    path.starts_with('/') && path.len() > 1 && path.chars().all(plain) && !is_up
}
