//! What happens to each file: rpm's rules as pure functions (docs/reference/transactions.md, 4.3 to 4.5).

#[cfg(test)]
mod tests;

use rpm_pkg::digest::Digest;
pub(crate) use rpm_pkg::files::{FileFlags, FileType as Kind};

/// File states of tag 1029.
pub(crate) mod state {
    /// Installed.
    pub(crate) const NORMAL: u8 = 0;
    /// Left out on purpose (documentation, language).
    pub(crate) const NOT_INSTALLED: u8 = 2;
    /// Below a shared network path.
    pub(crate) const NET_SHARED: u8 = 3;
    /// The file of the preferred color stands there.
    pub(crate) const WRONG_COLOR: u8 = 4;
}

/// A kind in words, for messages.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Regular => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "symbolic link",
        Kind::Fifo => "named pipe",
        Kind::CharDevice | Kind::BlockDevice => "device",
        Kind::Socket => "socket",
    }
}

/// One file as a package header describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// What it is.
    pub kind: Kind,
    /// Permission bits and type bits.
    pub(crate) mode: u32,
    /// Flags, see [`FileFlags`].
    pub flags: u32,
    /// Size in bytes.
    pub size: u64,
    /// Digest of a regular file; `None` for the empty files of very old packages.
    pub digest: Option<Digest>,
    /// Target of a symbolic link.
    pub link: &'a [u8],
    /// Name of the user.
    pub(crate) user: &'a [u8],
    /// Name of the group.
    pub group: &'a [u8],
    /// Device number as rpm stores it, 16 bit.
    pub rdev: u32,
    /// ELF class: 0 none, 1 32 bit, 2 64 bit.
    pub color: u32,
    /// Languages, separated by `|`.
    pub languages: &'a [u8],
}

impl Entry<'_> {
    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn same_content(&self, other: &Entry<'_>) -> bool {
        match (self.kind, other.kind) {
            (Kind::Regular, Kind::Regular) => self.digest == other.digest,
            (Kind::Symlink, Kind::Symlink) => self.link == other.link,
            _ => false,
        }
    }
}

/// What is on the disk at a path.
pub(crate) trait Disk {
    /// The kind of thing; `None` when there is nothing.
    fn kind(&self) -> Option<Kind>;
    /// A regular file or link with exactly the content of `entry`.
    fn holds(&self, entry: &Entry<'_>) -> bool;
}

/// What is done with a file of a package that is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Written and put over whatever is there.
    Create,
    /// What is there is renamed to `.rpmorig`, then as `Create`.
    Backup,
    /// What is there is renamed to `.rpmsave`, then as `Create`.
    Save,
    /// Written as `.rpmnew`; what is there stays.
    AltName,
    /// The disk stays as it is; the file counts as installed.
    Skip,
    /// The disk stays as it is; the file gets this state.
    SkipState(u8),
}

/// What is done with a file of a package that is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// Deleted.
    Erase,
    /// Renamed to `.rpmsave`.
    Save,
    /// Left.
    Skip,
}

/// Which files the user does not want.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// No `%doc`.
    pub no_docs: bool,
    /// No `%config`.
    pub no_configs: bool,
    /// No `%artifact`.
    pub no_artifacts: bool,
    /// Only these languages; empty means all.
    pub languages: Vec<String>,
    /// Paths below which nothing is touched.
    pub net_shared: Vec<Vec<u8>>,
    /// The transaction color, 0 when colors do not matter.
    pub color: u32,
}

impl Wanted {
    /// The state of a file that is left out; `None` when it is installed (docs/reference/transactions.md, 4.3).
    pub(crate) fn left_out(&self, path: &[u8], entry: &Entry<'_>) -> Option<u8> {
        if entry.color != 0 && self.color != 0 && entry.color & self.color == 0 {
            return Some(state::WRONG_COLOR);
        }
        if self.net_shared.iter().any(|shared| is_below(path, shared)) {
            return Some(state::NET_SHARED);
        }
        if entry.has(FileFlags::LICENSE) {
            return None;
        }
        let language = || {
            self.languages.is_empty()
                || entry.languages.is_empty()
                || entry.languages.split(|&b| b == b'|').any(|l| {
                    let wanted = |w: &String| w == "all" || w.as_bytes().starts_with(l);
                    !l.is_empty() && self.languages.iter().any(wanted)
                })
        };
        let kinds = [
            (self.no_docs, FileFlags::DOC),
            (self.no_configs, FileFlags::CONFIG),
            (self.no_artifacts, FileFlags::ARTIFACT),
        ];
        let unwanted = kinds.iter().any(|(out, flag)| *out && entry.has(*flag));
        let left = !language() || unwanted;
        left.then_some(state::NOT_INSTALLED)
    }
}

/// Is `path` this one or one below it?
fn is_below(path: &[u8], top: &[u8]) -> bool {
    let rest = path.strip_prefix(top);
    rest.is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}

/// A new file whose path an installed package owns already: `old` is that package's entry.
pub(crate) fn replace_owned(old: &Entry<'_>, new: &Entry<'_>, disk: &dyn Disk) -> Action {
    if !old.has(FileFlags::CONFIG) && !new.has(FileFlags::CONFIG) {
        return Action::Create;
    }
    if new.has(FileFlags::GHOST) {
        return Action::Skip;
    }
    if disk.kind().is_none() {
        return if new.has(FileFlags::MISSINGOK) {
            Action::Skip
        } else {
            Action::Create
        };
    }
    if !matches!(old.kind, Kind::Regular | Kind::Symlink) {
        return Action::Create;
    }
    if disk.holds(new) || disk.holds(old) {
        return Action::Create;
    }
    if !new.has(FileFlags::CONFIG) {
        return Action::Save;
    }
    if old.same_content(new) {
        return Action::Skip;
    }
    if new.has(FileFlags::NOREPLACE) {
        Action::AltName
    } else {
        Action::Save
    }
}

/// A new file whose path nobody owns.
pub(crate) fn replace_unowned(new: &Entry<'_>, disk: &dyn Disk) -> Action {
    if !changed_config(new, disk) {
        Action::Create
    } else if new.has(FileFlags::NOREPLACE) {
        Action::AltName
    } else {
        Action::Backup
    }
}

/// A file of a package that is erased; nobody else who stays owns it.
pub(crate) fn remove(entry: &Entry<'_>, disk: &dyn Disk) -> Removal {
    if !changed_config(entry, disk) {
        Removal::Erase
    } else if entry.has(FileFlags::GHOST) {
        Removal::Skip
    } else {
        Removal::Save
    }
}

/// A `%config` entry that exists on the disk with other content.
fn changed_config(entry: &Entry<'_>, disk: &dyn Disk) -> bool {
    if !entry.has(FileFlags::CONFIG) || disk.kind().is_none() || entry.kind == Kind::Directory {
        return false;
    }
    // A ghost has no content to compare with: it counts as changed.
    entry.has(FileFlags::GHOST) || !disk.holds(entry)
}

/// May both packages own the path? (rpmfilesCompare of rpm)
pub(crate) fn compatible(a: &Entry<'_>, b: &Entry<'_>) -> bool {
    if a.has(FileFlags::GHOST) || b.has(FileFlags::GHOST) {
        return true;
    }
    let links = a.kind == Kind::Symlink && b.kind == Kind::Symlink;
    let sized = matches!(a.kind, Kind::Regular | Kind::Symlink);
    if (a.mode != b.mode && !links)
        || (sized && a.size != b.size)
        || a.user != b.user
        || a.group != b.group
    {
        return false;
    }
    match a.kind {
        Kind::Regular | Kind::Symlink => a.same_content(b),
        Kind::CharDevice | Kind::BlockDevice => a.rdev == b.rdev,
        _ => true,
    }
}

/// Who wins when two ELF files of different class want one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColorWinner {
    /// The first.
    First,
    /// The second.
    Second,
}

/// The preferred ELF class, `%_prefer_color`: 64 bit.
const PREFERRED_COLOR: u32 = 2;

/// Settles a conflict of two files by color, where colors matter; `None` when it stays one.
pub(crate) fn color_winner(first: u32, second: u32, transaction: u32) -> Option<ColorWinner> {
    if transaction == 0 || first == 0 || second == 0 || first == second {
        None
    } else if first & PREFERRED_COLOR != 0 {
        Some(ColorWinner::First)
    } else if second & PREFERRED_COLOR != 0 {
        Some(ColorWinner::Second)
    } else {
        None
    }
}
