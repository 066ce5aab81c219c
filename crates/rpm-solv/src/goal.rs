//! What the solver is asked to do.

use crate::error::SolvError;
use crate::ffi::{self, Id};
use crate::pool::{Pool, RepoId, SolvableId};
use std::time::Duration;

/// What to do with a job's packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobAction {
    /// Have it installed (a chosen solvable: in exactly this version, which also downgrades and reinstalls).
    Install,
    /// Have it not installed.
    Erase,
    /// Bring to the best version.
    Update,
    /// Bring to the version the repositories have, up or down.
    DistUpgrade,
    /// Keep as it is, installed or not.
    Lock,
    /// Several versions may be installed side by side.
    MultiVersion,
    /// The user asked for it: clean-up keeps it.
    UserInstalled,
    /// May be erased to solve the rest.
    AllowUninstall,
    /// Preferred among candidates.
    Favor,
    /// Avoided among candidates.
    Disfavor,
    /// Must not be installed.
    Blacklist,
    /// Not pulled in by weak dependencies.
    ExcludeFromWeak,
    /// Its dependencies are checked and repaired.
    Verify,
    /// Erased if no repository has it any more.
    DropOrphaned,
    /// Its requirements count as weak.
    WeakenDeps,
}

impl JobAction {
    pub(crate) fn bits(self) -> u32 {
        match self {
            Self::Install => ffi::SOLVER_INSTALL,
            Self::Erase => ffi::SOLVER_ERASE,
            Self::Update => ffi::SOLVER_UPDATE,
            Self::DistUpgrade => ffi::SOLVER_DISTUPGRADE,
            Self::Lock => ffi::SOLVER_LOCK,
            Self::MultiVersion => ffi::SOLVER_MULTIVERSION,
            Self::UserInstalled => ffi::SOLVER_USERINSTALLED,
            Self::AllowUninstall => ffi::SOLVER_ALLOWUNINSTALL,
            Self::Favor => ffi::SOLVER_FAVOR,
            Self::Disfavor => ffi::SOLVER_DISFAVOR,
            Self::Blacklist => ffi::SOLVER_BLACKLIST,
            Self::ExcludeFromWeak => ffi::SOLVER_EXCLUDEFROMWEAK,
            Self::Verify => ffi::SOLVER_VERIFY,
            Self::DropOrphaned => ffi::SOLVER_DROP_ORPHANED,
            Self::WeakenDeps => ffi::SOLVER_WEAKENDEPS,
        }
    }
}

/// Which packages a job is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobTarget {
    /// One package.
    Solvable(SolvableId),
    /// Any one of these.
    OneOf(Vec<SolvableId>),
    /// Packages of this name, with a version if given (`name >= 1`).
    Name(String),
    /// Packages that provide this.
    Provides(String),
    /// Packages of a repository.
    Repo(RepoId),
    /// All packages.
    All,
    /// One element of a selection.
    #[doc(hidden)]
    Selected(i32, i32),
}

/// Modifiers of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobFlags {
    /// May be left undone.
    pub weak: bool,
    /// Also erase dependencies that are not needed afterwards.
    pub clean_deps: bool,
    /// Only the best candidate will do.
    pub force_best: bool,
    /// The target names the wanted new packages, not the installed ones to be updated.
    pub targeted: bool,
    /// The target's architecture is meant: no better one is asked for beside it.
    pub keeps_arch: bool,
    /// Further bits as libsolv defines them (`SOLVER_SET*` and the like), for reading its test cases.
    pub extra: u32,
}

/// One wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SolverJob {
    /// What to do.
    pub action: JobAction,
    /// With which packages.
    pub target: JobTarget,
    /// How.
    pub flags: JobFlags,
}

impl SolverJob {
    /// A wish without modifiers.
    #[must_use]
    pub fn new(action: JobAction, target: JobTarget) -> Self {
        let flags = JobFlags::default();
        Self {
            action,
            target,
            flags,
        }
    }

    /// A wish about one package, without modifiers.
    #[must_use]
    pub fn solvable(action: JobAction, id: SolvableId) -> Self {
        Self::new(action, JobTarget::Solvable(id))
    }

    /// A wish about all packages, without modifiers.
    #[must_use]
    pub fn all(action: JobAction) -> Self {
        Self::new(action, JobTarget::All)
    }

    /// The pair of numbers libsolv takes. The pool must be prepared.
    pub(crate) fn encode(&self, pool: &mut Pool) -> Result<(Id, Id), SolvError> {
        let (select, what) = match &self.target {
            JobTarget::Solvable(id) => {
                pool.check(*id)?;
                (ffi::SOLVER_SOLVABLE, id.0)
            }
            JobTarget::OneOf(ids) => {
                for id in ids {
                    pool.check(*id)?;
                }
                let ids: Vec<Id> = ids.iter().map(|id| id.0).collect();
                let mut queue = crate::queue::Queue::from_ids(&ids);
                // SAFETY: the pool is live and prepared; the queue holds checked ids.
                let offset =
                    unsafe { ffi::pool_queuetowhatprovides(pool.raw.as_ptr(), queue.as_mut_ptr()) };
                (ffi::SOLVER_SOLVABLE_ONE_OF, offset as Id)
            }
            JobTarget::Name(name) => (ffi::SOLVER_SOLVABLE_NAME, pool.parse_dep(name)?),
            JobTarget::Provides(dep) => (ffi::SOLVER_SOLVABLE_PROVIDES, pool.parse_dep(dep)?),
            JobTarget::Repo(repo) => {
                let raw = pool.slot(*repo)?.raw;
                // SAFETY: the repository is live as long as the pool.
                (ffi::SOLVER_SOLVABLE_REPO, unsafe { (*raw).repoid })
            }
            JobTarget::All => (ffi::SOLVER_SOLVABLE_ALL, 0),
            JobTarget::Selected(how, what) => (*how as u32, *what),
        };
        let flags = [
            (self.flags.weak, ffi::SOLVER_WEAK),
            (self.flags.clean_deps, ffi::SOLVER_CLEANDEPS),
            (self.flags.force_best, ffi::SOLVER_FORCEBEST),
            (self.flags.targeted, ffi::SOLVER_TARGETED),
            (self.flags.keeps_arch, ffi::SOLVER_SETARCH),
        ];
        let how = flags.into_iter().filter(|(on, _)| *on).fold(
            select | self.action.bits() | self.flags.extra,
            |how, (_, bit)| how | bit,
        );
        Ok((how as Id, what))
    }
}

/// How long a search may take unless more is given: those over whole distributions take seconds.
pub const SOLVER_LIMIT: Duration = Duration::from_secs(30);

/// How the solver works. The default is tdnf's (docs/reference/tdnf.md, 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SolverOptions {
    /// Packages may be downgraded to solve the rest.
    pub allow_downgrade: bool,
    /// Packages may change architecture.
    pub allow_arch_change: bool,
    /// Packages may change vendor.
    pub allow_vendor_change: bool,
    /// Packages may change name when updated.
    pub allow_name_change: bool,
    /// Installed packages may be erased to solve the rest.
    pub allow_uninstall: bool,
    /// Best-candidate rules obey the policy.
    pub best_obey_policy: bool,
    /// Installed packages that no repository has are kept.
    pub keep_orphans: bool,
    /// Obsoletes work as in yum.
    pub yum_obsoletes: bool,
    /// An install job also updates.
    pub install_also_updates: bool,
    /// Recommends and Supplements are not followed.
    pub ignore_recommended: bool,
    /// How long one search may take.
    pub limit: Duration,
    /// Further flags: libsolv's number and value.
    pub extra: &'static [(u32, bool)],
}

impl Default for SolverOptions {
    fn default() -> Self {
        Self {
            allow_downgrade: true,
            allow_arch_change: false,
            allow_vendor_change: true,
            allow_name_change: true,
            allow_uninstall: false,
            best_obey_policy: true,
            keep_orphans: true,
            yum_obsoletes: true,
            install_also_updates: true,
            ignore_recommended: false,
            limit: SOLVER_LIMIT,
            extra: &[],
        }
    }
}

impl SolverOptions {
    pub(crate) fn pairs(&self) -> Vec<(i32, i32)> {
        let named = [
            (ffi::SOLVER_FLAG_ALLOW_DOWNGRADE, self.allow_downgrade),
            (ffi::SOLVER_FLAG_ALLOW_ARCHCHANGE, self.allow_arch_change),
            (
                ffi::SOLVER_FLAG_ALLOW_VENDORCHANGE,
                self.allow_vendor_change,
            ),
            (ffi::SOLVER_FLAG_ALLOW_NAMECHANGE, self.allow_name_change),
            (ffi::SOLVER_FLAG_ALLOW_UNINSTALL, self.allow_uninstall),
            (ffi::SOLVER_FLAG_BEST_OBEY_POLICY, self.best_obey_policy),
            (ffi::SOLVER_FLAG_KEEP_ORPHANS, self.keep_orphans),
            (ffi::SOLVER_FLAG_YUM_OBSOLETES, self.yum_obsoletes),
            (
                ffi::SOLVER_FLAG_INSTALL_ALSO_UPDATES,
                self.install_also_updates,
            ),
            (ffi::SOLVER_FLAG_IGNORE_RECOMMENDED, self.ignore_recommended),
        ];
        named
            .into_iter()
            .chain(self.extra.iter().copied())
            .map(|(flag, on)| (flag as i32, i32::from(on)))
            .collect()
    }
}
