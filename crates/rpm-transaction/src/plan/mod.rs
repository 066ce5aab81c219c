//! What will happen to each file, decided before anything is touched.
//!
//! rpm decides after `%pretrans` and before the first element; so does [`Planner`]: it is run
//! once to find problems early and once more when a `%pretrans` ran.

mod claims;
mod conflicts;
mod list;
mod paths;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use super::Options;
use super::element::{Loaded, PackageFacts};
use super::error::{Problem, TransactionError};
use super::files::{Action, Entry, FileFlags, Kind, Removal, Wanted, state};
use super::journal::Op;
use super::mounts::Mounts;
use super::progress::Progress;
use super::root::{Canonical, RootDir, split};
use conflicts::Judge;
use list::StepList;
use paths::Paths;
use steps::Steps;

pub(crate) use steps::Step;

/// The plan of one element.
#[derive(Debug, Default)]
pub(crate) struct ElementPlan {
    /// Its steps on the file system, in order.
    pub steps: StepList,
    /// The state of each file in the database (installs only).
    pub states: Vec<u8>,
    /// The same, but every file that the element leaves alone counts as not installed. Of an
    /// erasure the files that it removes are [`state::NORMAL`].
    pub touched: Vec<u8>,
    /// Configuration files that are kept beside: file and kept name.
    pub kept: Vec<(Vec<u8>, Vec<u8>)>,
    /// Files that stay because something is mounted on them.
    pub mounted: Vec<Vec<u8>>,
}

/// The plan of all elements.
#[derive(Debug)]
pub(crate) struct FilePlan {
    /// In the order of the transaction.
    pub elements: Vec<ElementPlan>,
    /// Files of installed packages that are replaced: record and file number.
    pub replaced: Vec<(u32, u32)>,
}

/// A file of an element: what the header says of it, and where it will be.
#[derive(Clone, Copy)]
struct PackageFile<'a> {
    package: &'a PackageFacts,
    /// The number of the file.
    number: usize,
    entry: &'a Entry<'a>,
    /// Its path with the links of its directory resolved.
    target: &'a [u8],
}

/// Makes the plan.
pub(crate) struct Planner<'a> {
    elements: &'a [Loaded],
    just_db: bool,
    wanted: Wanted,
    paths: Paths<'a>,
    judge: Judge<'a>,
    steps: Steps<'a>,
}

impl<'a> Planner<'a> {
    /// `before_pretrans`: directory conflicts of packages with a %pretrans do not count yet.
    pub(crate) fn new(
        root: &'a RootDir,
        progress: &'a Progress<'a>,
        options: &Options<'_>,
        mounts: Mounts,
        before_pretrans: bool,
    ) -> Planner<'a> {
        let elements = progress.elements();
        let mut canonical = Canonical::default();
        for element in elements.iter().filter(|element| element.is_install()) {
            element.add_links(&mut canonical);
        }
        Planner {
            elements,
            just_db: options.just_db,
            wanted: Wanted {
                no_docs: options.no_docs,
                no_configs: options.no_configs,
                no_artifacts: options.no_artifacts,
                languages: options.languages.clone(),
                net_shared: options.net_shared.clone(),
                color: options.color,
            },
            paths: Paths::new(root, progress.installed(), canonical),
            judge: Judge::new(root, elements, options.color, before_pretrans),
            steps: Steps::new(root, mounts),
        }
    }

    /// Plans all elements. Gives the plan, the file systems it needs, and what is in its way.
    pub(crate) fn plan(mut self) -> Result<(FilePlan, Mounts, Vec<Problem>), TransactionError> {
        let mut plans: Vec<ElementPlan> = Vec::new();
        plans.resize_with(self.elements.len(), ElementPlan::default);
        for (index, element) in self.elements.iter().enumerate() {
            if let (true, Some(plan)) = (element.is_install(), plans.get_mut(index)) {
                *plan = self.install(element, index)?;
            }
        }
        self.find_saved()?;
        // From the back: of several erased packages that own a path, only the last one acts.
        for (index, element) in self.elements.iter().enumerate().rev() {
            if let (false, Some(plan)) = (element.is_install(), plans.get_mut(index)) {
                *plan = self.erase(&element.package, index)?;
            }
        }
        let (replaced, problems) = self.judge.into_findings();
        let plan = FilePlan {
            elements: plans,
            replaced,
        };
        Ok((plan, self.steps.into_mounts(), problems))
    }

    /// Plans an install: states, conflicts, actions, steps.
    fn install(&mut self, element: &Loaded, index: usize) -> Result<ElementPlan, TransactionError> {
        let package = &element.package;
        let mut plan = ElementPlan {
            states: left_out(&self.wanted, package),
            touched: vec![state::NOT_INSTALLED; package.files.len()],
            ..ElementPlan::default()
        };
        if self.just_db {
            return Ok(plan);
        }
        for number in 0..package.files.len() {
            let (Some(entry), Some(&left_out)) = (package.entry(number), plan.states.get(number))
            else {
                continue;
            };
            if left_out != state::NORMAL {
                continue;
            }
            let target = &self.paths.target(package, number)?;
            let entry = &entry;
            let file = PackageFile {
                package,
                number,
                entry,
                target,
            };
            let action = self.judge.install(index, file, &mut self.paths)?;
            match action {
                Action::SkipState(left_out) => set(&mut plan.states, number, left_out),
                Action::Skip => {}
                _ => set(&mut plan.touched, number, state::NORMAL),
            }
            if entry.flags & FileFlags::GHOST == 0 {
                self.steps.place(&mut plan, file, action)?;
            }
        }
        plan.steps.close();
        Ok(plan)
    }

    /// Finds changed configuration files of erased packages. Of several such packages that own
    /// one, the first acts, unlike with other files.
    fn find_saved(&mut self) -> Result<(), TransactionError> {
        let erased = self.elements.iter().enumerate();
        for (index, element) in erased.filter(|(_, element)| !element.is_install()) {
            let package = &element.package;
            for number in 0..package.files.len() {
                let entry = package.entry(number);
                let Some(entry) = entry.filter(|entry| entry.flags & FileFlags::CONFIG != 0) else {
                    continue;
                };
                let target = &self.paths.target(package, number)?;
                let entry = &entry;
                let file = PackageFile {
                    package,
                    number,
                    entry,
                    target,
                };
                self.judge.find_saved(index, file, &mut self.paths)?;
            }
        }
        Ok(())
    }

    /// Plans the erasure of a package: files in reverse order.
    fn erase(
        &mut self,
        package: &PackageFacts,
        index: usize,
    ) -> Result<ElementPlan, TransactionError> {
        let mut plan = ElementPlan {
            touched: vec![state::NOT_INSTALLED; package.files.len()],
            ..ElementPlan::default()
        };
        let count = match self.just_db {
            true => 0,
            false => package.files.len(),
        };
        for number in (0..count).rev() {
            let Some(entry) = package.entry(number) else {
                continue;
            };
            let target = &self.paths.target(package, number)?;
            let entry = &entry;
            let file = PackageFile {
                package,
                number,
                entry,
                target,
            };
            let removal = self.judge.erase(index, file, &mut self.paths)?;
            if removal != Removal::Skip {
                set(&mut plan.touched, number, state::NORMAL);
                self.steps.remove(&mut plan, file, removal)?;
            }
        }
        plan.steps.close();
        Ok(plan)
    }
}

fn set(states: &mut [u8], file: usize, new: u8) {
    if let Some(state) = states.get_mut(file) {
        *state = new;
    }
}

/// States of files that the user does not want; a directory all of whose files are left out
/// is left out as well.
fn left_out(wanted: &Wanted, package: &PackageFacts) -> Vec<u8> {
    let left_out = |i| {
        package
            .entry(i)
            .and_then(|entry| wanted.left_out(&package.files.path(i), &entry))
    };
    let mut states: Vec<u8> = (0..package.files.len())
        .map(|i| left_out(i).unwrap_or(state::NORMAL))
        .collect();
    if states.iter().all(|&s| s == state::NORMAL) {
        return states;
    }
    let mut alive: HashSet<Vec<u8>> = HashSet::new();
    let mut dead: HashSet<Vec<u8>> = HashSet::new();
    for i in (0..states.len()).rev() {
        let path = package.files.path(i);
        let is_dir = package.entry(i).is_some_and(|e| e.kind == Kind::Directory);
        let empty = is_dir && dead.contains(&path) && !alive.contains(&path);
        let Some(state) = states.get_mut(i) else {
            continue;
        };
        if empty && *state == state::NORMAL {
            *state = state::NOT_INSTALLED;
        }
        let parent = split(&path).0.to_vec();
        if *state == state::NORMAL {
            alive.insert(parent)
        } else {
            dead.insert(parent)
        };
    }
    states
}

/// The steps of a plan as the journal takes them.
pub(crate) fn ops(plan: &ElementPlan) -> Result<Vec<Op>, TransactionError> {
    let steps = plan.steps.read()?.into_iter();
    Ok(steps.map(|step| step.op).collect())
}
