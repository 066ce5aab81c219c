//! What will happen to each file, decided before anything is touched.
//!
//! rpm decides after `%pretrans` and before the first element; so does [`Planner`]: it is run
//! once to find problems early and once more when a `%pretrans` ran.

mod conflicts;
mod steps;

use std::collections::{HashMap, HashSet};

use super::Options;
use super::element::{Deed, Loaded};
use super::error::{Problem, TransactionError};
use super::files::{Action, Kind, Wanted, flag, state};
use super::installed::Installed;
use super::journal::Op;
use super::mounts::Mounts;
use super::root::{Canonical, RootDir};

pub(crate) use steps::Step;

/// The plan of one element.
#[derive(Debug, Default)]
pub(crate) struct ElementPlan {
    /// Its steps on the file system, in order.
    pub steps: Vec<Step>,
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

/// An element that owns a path.
#[derive(Debug, Clone, Copy)]
struct NewOwner {
    /// Its position; [`usize::MAX`] for erasures.
    element: usize,
    /// The number of the file.
    file: usize,
    /// It puts the file in place; otherwise it leaves what is there.
    writes: bool,
}

/// Makes the plan.
pub(crate) struct Planner<'a, 'd> {
    pub root: &'a RootDir,
    pub installed: &'a mut Installed<'d>,
    pub options: &'a Options<'a>,
    pub mounts: &'a mut Mounts,
    pub problems: &'a mut Vec<Problem>,
    /// Directory conflicts of packages with a %pretrans do not count yet.
    pub before_pretrans: bool,
    wanted: Wanted,
    canonical: Canonical,
    /// Records that this transaction erases.
    leaving: HashSet<u32>,
    /// Paths that an element of this transaction owns, and the last one that does.
    owned: HashMap<Vec<u8>, NewOwner>,
    /// Configuration files that are kept beside when their packages go, and the erasure that
    /// does it.
    saved: HashMap<Vec<u8>, usize>,
    /// Directories that will exist.
    dirs: HashSet<Vec<u8>>,
    /// Number of the next staged file or backup.
    next_id: u32,
    replaced: Vec<(u32, u32)>,
}

impl<'a, 'd> Planner<'a, 'd> {
    pub(crate) fn new(
        root: &'a RootDir,
        installed: &'a mut Installed<'d>,
        options: &'a Options<'a>,
        mounts: &'a mut Mounts,
        problems: &'a mut Vec<Problem>,
        before_pretrans: bool,
    ) -> Planner<'a, 'd> {
        Planner {
            root,
            installed,
            options,
            mounts,
            problems,
            before_pretrans,
            wanted: Wanted {
                no_docs: options.no_docs,
                languages: options.languages.clone(),
                net_shared: options.net_shared.clone(),
                color: options.color,
            },
            canonical: Canonical::default(),
            leaving: HashSet::new(),
            owned: HashMap::new(),
            saved: HashMap::new(),
            dirs: HashSet::new(),
            next_id: 0,
            replaced: Vec::new(),
        }
    }

    /// Plans all elements, which stand in the order of the transaction.
    pub(crate) fn plan(mut self, elements: &[Loaded]) -> Result<FilePlan, TransactionError> {
        self.prepare(elements);
        let mut plans: Vec<ElementPlan> = Vec::with_capacity(elements.len());
        plans.resize_with(elements.len(), ElementPlan::default);
        for (index, element) in elements.iter().enumerate() {
            if let (true, Some(plan)) = (element.is_install(), plans.get_mut(index)) {
                *plan = self.install(elements, index)?;
            }
        }
        self.find_saved(elements)?;
        // From the back: of several erased packages that own a path, only the last one acts.
        for (index, element) in elements.iter().enumerate().rev() {
            if let (false, Some(plan)) = (element.is_install(), plans.get_mut(index)) {
                *plan = self.erase(&element.package, index)?;
            }
        }
        Ok(FilePlan {
            elements: plans,
            replaced: self.replaced,
        })
    }

    fn prepare(&mut self, elements: &[Loaded]) {
        for element in elements {
            if let Deed::Erase { hnum, .. } = element.deed {
                self.leaving.insert(hnum);
                continue;
            }
            element.add_links(&mut self.canonical);
        }
    }

    /// The path of a file with links in its directory resolved.
    fn target(&mut self, dir: &[u8], base: &[u8]) -> Result<Vec<u8>, TransactionError> {
        self.canonical
            .path(self.root, dir, base)
            .map_err(|e| TransactionError::file("cannot follow", dir, e))
    }

    fn new_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    /// Plans an install: states, conflicts, actions, steps.
    fn install(
        &mut self,
        elements: &[Loaded],
        index: usize,
    ) -> Result<ElementPlan, TransactionError> {
        let Some(element) = elements.get(index) else {
            return Ok(ElementPlan::default());
        };
        let package = &element.package;
        let mut plan = ElementPlan {
            states: self.left_out(element),
            touched: vec![state::NOT_INSTALLED; package.files.len()],
            ..ElementPlan::default()
        };
        if self.options.just_db {
            return Ok(plan);
        }
        for i in 0..package.files.len() {
            let (Some(entry), Some(&left_out)) = (package.entry(i), plan.states.get(i)) else {
                continue;
            };
            if left_out != state::NORMAL {
                continue;
            }
            let (dir, base) = package.name_of(i);
            let target = self.target(dir, base)?;
            let action = self.judge(elements, index, i, &entry, &target)?;
            if let Action::SkipState(left_out) = action {
                if let Some(state) = plan.states.get_mut(i) {
                    *state = left_out;
                }
                continue;
            }
            if action != Action::Skip
                && let Some(touched) = plan.touched.get_mut(i)
            {
                *touched = state::NORMAL;
            }
            let owner = NewOwner {
                element: index,
                file: i,
                writes: action != Action::Skip && entry.flags & flag::GHOST == 0,
            };
            self.owned.insert(target.clone(), owner);
            if entry.flags & flag::GHOST == 0 {
                self.add_steps(&mut plan, element, i, &entry, &target, action)?;
            }
        }
        Ok(plan)
    }

    /// States of files that the user does not want; a directory all of whose files are left out
    /// is left out as well.
    fn left_out(&self, element: &Loaded) -> Vec<u8> {
        let package = &element.package;
        let left_out = |i| {
            package
                .entry(i)
                .and_then(|entry| self.wanted.left_out(&package.files.path(i), &entry))
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
            let parent = super::root::split(&path).0.to_vec();
            if *state == state::NORMAL {
                alive.insert(parent)
            } else {
                dead.insert(parent)
            };
        }
        states
    }
}

/// The steps of a plan as the journal takes them.
pub(crate) fn ops(plan: &ElementPlan) -> Vec<Op> {
    plan.steps.iter().map(|step| step.op.clone()).collect()
}
