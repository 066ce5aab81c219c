//! Who else owns a path, and who wins.

use std::collections::{HashMap, HashSet};

use super::super::disk::DiskFile;
use super::super::element::{Deed, Loaded, Runs, ScriptKind};
use super::super::error::{Problem, TransactionError, printable};
use super::super::files::{
    Action, ColorWinner, Disk, Entry, FileFlags, Kind, Removal, color_winner, compatible,
    kind_name, remove, replace_owned, replace_unowned, state,
};
use super::super::root::RootDir;
use super::PackageFile;
use super::claims::{Claim, ClaimDeed, Claims};
use super::paths::{Owner, Paths};

/// Files of installed packages that are replaced: record and file number.
type Replaced = Vec<(u32, u32)>;

/// Decides what is done with each file of each element.
pub(super) struct Judge<'a> {
    root: &'a RootDir,
    elements: &'a [Loaded],
    /// The transaction color.
    color: u32,
    before_pretrans: bool,
    /// Records that this transaction erases.
    leaving: HashSet<u32>,
    /// Paths that elements judged so far own; the last one that does.
    claims: Claims<'a>,
    /// Configuration files that are kept beside when their packages go, and the erasure that
    /// does it.
    saved: HashMap<Vec<u8>, usize>,
    replaced: Replaced,
    problems: Vec<Problem>,
}

/// How a file and an earlier owner of its path get on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meeting {
    /// Both may own the path.
    Agree,
    /// The earlier one stays, for its color.
    EarlierWins,
    /// The file takes its place, for its color.
    LaterWins,
    /// Nothing settles it.
    Conflict,
}

fn meet(earlier: &Entry<'_>, later: &Entry<'_>, color: u32) -> Meeting {
    if compatible(earlier, later) {
        return Meeting::Agree;
    }
    match color_winner(earlier.color, later.color, color) {
        Some(ColorWinner::First) => Meeting::EarlierWins,
        Some(ColorWinner::Second) => Meeting::LaterWins,
        None => Meeting::Conflict,
    }
}

impl<'a> Judge<'a> {
    /// Nothing is judged yet. `before_pretrans` as in [`super::Planner::new`].
    pub(super) fn new(
        root: &'a RootDir,
        elements: &'a [Loaded],
        color: u32,
        before_pretrans: bool,
    ) -> Judge<'a> {
        let erased = |element: &Loaded| match element.deed {
            Deed::Erase { hnum, .. } => Some(hnum),
            Deed::Install { .. } => None,
        };
        Judge {
            root,
            elements,
            color,
            before_pretrans,
            leaving: elements.iter().filter_map(erased).collect(),
            claims: Claims::new(elements),
            saved: HashMap::new(),
            replaced: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// What was found on the way: files of installed packages that are replaced, and problems.
    pub(super) fn into_findings(self) -> (Replaced, Vec<Problem>) {
        (self.replaced, self.problems)
    }

    /// What to do with a file of install element `index`, which owns the path from now on.
    pub(super) fn install(
        &mut self,
        index: usize,
        file: PackageFile<'_>,
        paths: &mut Paths<'_>,
    ) -> Result<Action, TransactionError> {
        let claim = self.claims.find(file, paths)?;
        let action = match claim.and_then(|claim| self.against_claim(file, claim)) {
            Some(action) => action,
            None => self.against_installed(file, claim.is_some(), paths)?,
        };
        if !matches!(action, Action::SkipState(_)) {
            let leaves = action == Action::Skip || file.entry.flags & FileFlags::GHOST != 0;
            let deed = match leaves {
                true => ClaimDeed::Leave,
                false => ClaimDeed::Write,
            };
            self.claims.add(file, (index, deed), paths)?;
        }
        Ok(action)
    }

    /// Against an earlier install of this transaction; `None` when that decides nothing.
    fn against_claim(&mut self, file: PackageFile<'_>, claim: Claim) -> Option<Action> {
        let writes = match claim.deed {
            ClaimDeed::Erase => return None,
            deed => deed == ClaimDeed::Write,
        };
        let other = &self.elements.get(claim.element as usize)?.package;
        let earlier = other.entry(claim.file as usize)?;
        match meet(&earlier, file.entry, self.color) {
            // rpm looks at the one before only: of many owners every other one writes the file,
            // and the last of those gives it its time.
            Meeting::Agree => writes.then_some(Action::Skip),
            Meeting::EarlierWins => Some(Action::SkipState(state::WRONG_COLOR)),
            // The later one replaces the earlier one on the disk.
            Meeting::LaterWins => None,
            Meeting::Conflict => {
                self.problems.push(conflict(file, &other.nevra, false));
                Some(Action::Skip)
            }
        }
    }

    /// Against the installed owners and what is on the disk. `again`: an element before claims the path, too.
    fn against_installed(
        &mut self,
        file: PackageFile<'_>,
        again: bool,
        paths: &mut Paths<'_>,
    ) -> Result<Action, TransactionError> {
        let PackageFile { entry, target, .. } = file;
        let owners = paths.owners(target)?;
        let disk = DiskFile::look(self.root, target)?;
        let mut action = if owners.is_empty() {
            replace_unowned(entry, &disk)
        } else {
            Action::Create
        };
        for owner in &owners {
            if let Some(decided) = self.against_owner(file, owner, &disk) {
                action = decided;
            }
        }
        // What an administrator changed was kept by an element before.
        if again && matches!(action, Action::Save | Action::Backup | Action::AltName) {
            return Ok(Action::Skip);
        }
        let acts = !matches!(
            action,
            Action::Skip | Action::SkipState(_) | Action::AltName
        );
        // /etc/hosts of a container: the rename would fail, so the new file stands beside it.
        if acts && entry.kind != Kind::Directory && disk.is_mounted()? {
            return Ok(match disk.holds(entry) {
                true => Action::Skip,
                false => Action::AltName,
            });
        }
        if acts && entry.flags & FileFlags::GHOST == 0 {
            self.problems
                .extend(self.type_conflict(file, &owners, &disk));
        }
        Ok(action)
    }

    /// Against an installed owner; `None` when its presence decides nothing.
    fn against_owner(
        &mut self,
        file: PackageFile<'_>,
        owner: &Owner,
        disk: &DiskFile<'_>,
    ) -> Option<Action> {
        let old = owner.package.entry(owner.file)?;
        let config = (old.flags | file.entry.flags) & FileFlags::CONFIG != 0;
        if !self.leaving.contains(&owner.hnum) {
            match meet(&old, file.entry, self.color) {
                Meeting::Agree => {}
                Meeting::EarlierWins => return Some(Action::SkipState(state::WRONG_COLOR)),
                Meeting::LaterWins => self.replaced.push((owner.hnum, owner.file as u32)),
                Meeting::Conflict => {
                    let found = conflict(file, &owner.package.nevra, true);
                    self.problems.push(found);
                }
            }
        }
        config.then(|| replace_owned(&old, file.entry, disk))
    }

    /// A directory may not become something else, nor a link to a directory a directory.
    fn type_conflict(
        &self,
        file: PackageFile<'_>,
        owners: &[Owner],
        disk: &DiskFile<'_>,
    ) -> Option<Problem> {
        let present = match (disk.kind(), file.entry.kind) {
            (Some(Kind::Directory), kind) if kind != Kind::Directory => "directory",
            (Some(Kind::Symlink), Kind::Directory) => {
                let linked = self.root.open_dir(file.target).is_ok();
                let is_link = |owner: &Owner| {
                    let old = owner.package.entry(owner.file);
                    old.is_some_and(|old| old.kind == Kind::Symlink)
                };
                let leaves = |owner: &Owner| self.leaving.contains(&owner.hnum) && is_link(owner);
                if !(linked && owners.iter().any(leaves)) {
                    return None;
                }
                "symbolic link to a directory"
            }
            _ => return None,
        };
        let header = &file.package.header;
        if self.before_pretrans && ScriptKind::PreTrans.of(header).is_some() {
            return None;
        }
        Some(Problem::TypeConflict {
            path: printable(file.target),
            package: file.package.nevra.clone(),
            present,
            wanted: kind_name(file.entry.kind),
        })
    }

    /// Remembers a configuration file of erasure element `index` if it is to be kept beside.
    pub(super) fn find_saved(
        &mut self,
        index: usize,
        file: PackageFile<'_>,
        paths: &mut Paths<'_>,
    ) -> Result<(), TransactionError> {
        if !self.saved.contains_key(file.target)
            && self.decide_removal(file, paths)? == Some(Removal::Save)
        {
            self.saved.insert(file.target.to_vec(), index);
        }
        Ok(())
    }

    /// What to do with a file of erasure element `index`. A path is handled once.
    pub(super) fn erase(
        &mut self,
        index: usize,
        file: PackageFile<'_>,
        paths: &mut Paths<'_>,
    ) -> Result<Removal, TransactionError> {
        let saved = self.saved.get(file.target);
        if saved.is_some_and(|&first| first != index) {
            return Ok(Removal::Skip);
        }
        let Some(removal) = self.decide_removal(file, paths)? else {
            return Ok(Removal::Skip);
        };
        // Elements that come earlier in the order and own the path as well leave it to this one.
        self.claims.add(file, (index, ClaimDeed::Erase), paths)?;
        Ok(removal)
    }

    /// `None` when another package keeps the path, or it has been checked already.
    fn decide_removal(
        &self,
        file: PackageFile<'_>,
        paths: &mut Paths<'_>,
    ) -> Result<Option<Removal>, TransactionError> {
        let normal = file.package.states.get(file.number) == Some(&state::NORMAL);
        if !normal || self.claims.find(file, paths)?.is_some() {
            return Ok(None);
        }
        let owners = paths.owners(file.target)?;
        if owners.iter().any(|o| !self.leaving.contains(&o.hnum)) {
            return Ok(None);
        }
        Ok(Some(remove(
            file.entry,
            &DiskFile::look(self.root, file.target)?,
        )))
    }
}

fn conflict(file: PackageFile<'_>, other: &str, installed: bool) -> Problem {
    Problem::FileConflict {
        path: printable(file.target),
        package: file.package.nevra.clone(),
        other: other.to_owned(),
        installed,
    }
}
