//! Who else owns a path, and who wins.

use std::rc::Rc;

use super::super::disk::DiskFile;
use super::super::element::{Loaded, PackageFacts};
use super::super::error::{Problem, TransactionError, printable};
use super::super::files::{
    Action, ColorWinner, Disk, Entry, Kind, Removal, color_winner, compatible, flag, kind_name,
    remove, replace_owned, replace_unowned, state,
};
use super::{NewOwner, Planner};

/// Another owner of a path, from the database.
struct Owner {
    hnum: u32,
    file: usize,
    package: Rc<PackageFacts>,
}

impl Planner<'_, '_> {
    /// What to do with file `file` of install element `index`.
    pub(super) fn judge(
        &mut self,
        elements: &[Loaded],
        index: usize,
        file: usize,
        entry: &Entry<'_>,
        target: &[u8],
    ) -> Result<Action, TransactionError> {
        let Some(element) = elements.get(index) else {
            return Ok(Action::Skip);
        };
        if let Some(action) = self.judge_new(elements, element, file, entry, target) {
            return Ok(action);
        }
        let owners = self.owners(target)?;
        let root = self.root;
        let disk = DiskFile::look(root, target)?;
        let mut action = if owners.is_empty() {
            replace_unowned(entry, &disk)
        } else {
            Action::Create
        };
        for owner in &owners {
            if let Some(decided) = self.judge_installed(element, entry, target, owner, &disk) {
                action = decided;
            }
        }
        // What an administrator changed was kept by an element before.
        let again = self.owned.contains_key(target);
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
        if acts && entry.flags & flag::GHOST == 0 {
            self.check_type(element, entry, target, &owners, &disk);
        }
        Ok(action)
    }

    /// Against an earlier install of this transaction; `None` when there is none.
    fn judge_new(
        &mut self,
        elements: &[Loaded],
        element: &Loaded,
        file: usize,
        entry: &Entry<'_>,
        target: &[u8],
    ) -> Option<Action> {
        let &owner = self.owned.get(target)?;
        let other = &elements.get(owner.element)?.package;
        let other_entry = other.entry(owner.file)?;
        if compatible(&other_entry, entry) {
            // rpm looks at the one before only: of many owners every other one writes the file,
            // and the last of those gives it its time.
            return owner.writes.then_some(Action::Skip);
        }
        match color_winner(other_entry.color, entry.color, self.options.color) {
            Some(ColorWinner::First) => return Some(Action::SkipState(state::WRONG_COLOR)),
            // The later one replaces the earlier one on the disk.
            Some(ColorWinner::Second) => return None,
            None => {}
        }
        let _ = file;
        self.problems.push(Problem::FileConflict {
            path: printable(target),
            package: element.package.nevra.clone(),
            other: other.nevra.clone(),
            installed: false,
        });
        Some(Action::Skip)
    }

    /// Against one installed owner; `None` when its presence decides nothing.
    fn judge_installed(
        &mut self,
        element: &Loaded,
        entry: &Entry<'_>,
        target: &[u8],
        owner: &Owner,
        disk: &DiskFile<'_>,
    ) -> Option<Action> {
        let old = owner.package.entry(owner.file)?;
        let config = (old.flags | entry.flags) & flag::CONFIG != 0;
        let stays = !self.leaving.contains(&owner.hnum);
        if stays && !compatible(&old, entry) {
            match color_winner(old.color, entry.color, self.options.color) {
                Some(ColorWinner::First) => return Some(Action::SkipState(state::WRONG_COLOR)),
                Some(ColorWinner::Second) => self.replaced.push((owner.hnum, owner.file as u32)),
                None if self.options.replace_files => {
                    if !config {
                        self.replaced.push((owner.hnum, owner.file as u32));
                    }
                }
                None => self.problems.push(Problem::FileConflict {
                    path: printable(target),
                    package: element.package.nevra.clone(),
                    other: owner.package.nevra.clone(),
                    installed: true,
                }),
            }
        }
        config.then(|| replace_owned(&old, entry, disk))
    }

    /// A directory may not become something else, nor a link to a directory a directory.
    fn check_type(
        &mut self,
        element: &Loaded,
        entry: &Entry<'_>,
        target: &[u8],
        owners: &[Owner],
        disk: &DiskFile<'_>,
    ) {
        let present = match (disk.kind(), entry.kind) {
            (Some(Kind::Directory), kind) if kind != Kind::Directory => "directory",
            (Some(Kind::Symlink), Kind::Directory) => {
                let linked = self.root.open_dir(target).is_ok();
                let leaves = owners.iter().any(|owner| {
                    self.leaving.contains(&owner.hnum)
                        && owner
                            .package
                            .entry(owner.file)
                            .is_some_and(|e| e.kind == Kind::Symlink)
                });
                if !(linked && leaves) {
                    return;
                }
                "symbolic link to a directory"
            }
            _ => return,
        };
        let pretrans = super::super::element::ScriptKind::PreTrans;
        if self.before_pretrans && pretrans.of(&element.package.header).is_some() {
            return;
        }
        self.problems.push(Problem::TypeConflict {
            path: printable(target),
            package: element.package.nevra.clone(),
            present,
            wanted: kind_name(entry.kind),
        });
    }

    /// Installed packages that own `target` with the file in place.
    fn owners(&mut self, target: &[u8]) -> Result<Vec<Owner>, TransactionError> {
        let base = super::super::root::split(target).1;
        let mut owners = Vec::new();
        for found in self.installed.with_base(base)? {
            let package = self.installed.package(found.hnum)?;
            let file = found.idx as usize;
            let there = package
                .states
                .get(file)
                .is_some_and(|&s| s == state::NORMAL || s == state::NET_SHARED);
            let (dir, name) = package.name_of(file);
            if there && name == base && self.target(dir, name)? == target {
                owners.push(Owner {
                    hnum: found.hnum,
                    file,
                    package: Rc::clone(&package),
                });
            }
        }
        Ok(owners)
    }

    /// Finds changed configuration files of erased packages. Of several such packages that own
    /// one, the first acts, unlike with other files.
    pub(super) fn find_saved(&mut self, elements: &[Loaded]) -> Result<(), TransactionError> {
        for (index, element) in elements.iter().enumerate().filter(|(_, e)| !e.is_install()) {
            let package = &element.package;
            for file in 0..package.files.len() {
                let entry = package.entry(file);
                let Some(entry) = entry.filter(|entry| entry.flags & flag::CONFIG != 0) else {
                    continue;
                };
                let (dir, base) = package.name_of(file);
                let target = self.target(dir, base)?;
                if !self.saved.contains_key(&target)
                    && self.decide_removal(package, file, &entry, &target)? == Some(Removal::Save)
                {
                    self.saved.insert(target, index);
                }
            }
        }
        Ok(())
    }

    /// What to do with a file of an erased package. A path is handled once.
    pub(super) fn judge_removal(
        &mut self,
        package: &PackageFacts,
        element: usize,
        file: usize,
        entry: &Entry<'_>,
        target: &[u8],
    ) -> Result<Removal, TransactionError> {
        if self
            .saved
            .get(target)
            .is_some_and(|&first| first != element)
        {
            return Ok(Removal::Skip);
        }
        let Some(removal) = self.decide_removal(package, file, entry, target)? else {
            return Ok(Removal::Skip);
        };
        // Elements that come earlier in the order and own the path as well leave it to this one.
        let owner = NewOwner {
            element: usize::MAX,
            file,
            writes: false,
        };
        self.owned.insert(target.to_vec(), owner);
        Ok(removal)
    }

    /// `None` when another package keeps the path, or it has been checked already.
    fn decide_removal(
        &mut self,
        package: &PackageFacts,
        file: usize,
        entry: &Entry<'_>,
        target: &[u8],
    ) -> Result<Option<Removal>, TransactionError> {
        if package.states.get(file) != Some(&state::NORMAL) || self.owned.contains_key(target) {
            return Ok(None);
        }
        let owners = self.owners(target)?;
        if owners
            .iter()
            .any(|owner| !self.leaving.contains(&owner.hnum))
        {
            return Ok(None);
        }
        Ok(Some(remove(entry, &DiskFile::look(self.root, target)?)))
    }
}
