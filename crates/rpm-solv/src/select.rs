//! From what a user typed to packages: libsolv's selections (docs/reference/tdnf.md, 13).

use crate::error::SolvError;
use crate::ffi::{self, Id};
use crate::goal::{JobAction, JobTarget, SolverJob};
use crate::pool::{Pool, SolvableId};
use crate::queue::Queue;
use rpm_pkg::nevra::is_named;
use std::ffi::CString;

/// How a spec is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelectFlags {
    /// As a package name.
    pub name: bool,
    /// As a capability, if no name matched.
    pub provides: bool,
    /// As a path in file lists, before anything else.
    pub files: bool,
    /// `*`, `?` and `[]` match.
    pub glob: bool,
    /// `name-version-release.arch` and its shorter forms, if nothing else matched.
    pub canon: bool,
    /// A `.arch` ending.
    pub dot_arch: bool,
    /// `name >= version`.
    pub relation: bool,
    /// Upper and lower case are the same.
    pub ignore_case: bool,
    /// Installed packages only.
    pub installed_only: bool,
    /// Source packages, too.
    pub with_source: bool,
    /// Source packages only.
    pub source_only: bool,
}

impl Default for SelectFlags {
    fn default() -> Self {
        Self::USUAL
    }
}

impl SelectFlags {
    /// What `install`, `list` and most commands use: all but files, case and source packages.
    pub const USUAL: Self = Self {
        name: true,
        provides: true,
        files: false,
        glob: true,
        canon: true,
        dot_arch: true,
        relation: true,
        ignore_case: false,
        installed_only: false,
        with_source: false,
        source_only: false,
    };
    /// The same among installed packages only.
    pub const INSTALLED: Self = Self {
        installed_only: true,
        ..Self::USUAL
    };
    /// The same among source packages only.
    pub const SOURCE: Self = Self {
        source_only: true,
        ..Self::USUAL
    };
    /// The same, source packages, too.
    pub const WITH_SOURCE: Self = Self {
        with_source: true,
        ..Self::USUAL
    };

    fn bits(self) -> i32 {
        let bits = [
            (self.name, ffi::SELECTION_NAME),
            (self.provides, ffi::SELECTION_PROVIDES),
            (self.glob, ffi::SELECTION_GLOB),
            (self.canon, ffi::SELECTION_CANON),
            (self.dot_arch, ffi::SELECTION_DOTARCH),
            (self.relation, ffi::SELECTION_REL),
            (self.ignore_case, ffi::SELECTION_NOCASE),
            (self.installed_only, ffi::SELECTION_INSTALLED_ONLY),
            (self.with_source, ffi::SELECTION_WITH_SOURCE),
            (self.source_only, ffi::SELECTION_SOURCE_ONLY),
        ];
        bits.into_iter()
            .filter(|(on, _)| *on)
            .fold(0, |bits, (_, bit)| bits | bit as i32)
    }
}

/// The names that [`Pool::select`] looks up for a spec: itself, and what is before an architecture, a version, a version
/// and a release. Where the packages of these names and their providers are known, nothing else changes what it selects.
/// `None` for a spec that has to be compared with all packages: a glob, a relation, a path.
#[must_use]
pub fn names_of_spec(spec: &str) -> Option<Vec<&str>> {
    if spec.is_empty()
        || spec.starts_with('/')
        || spec.contains(['*', '?', '[', '<', '=', '>', '\0'])
    {
        return None;
    }
    let mut names = vec![spec];
    names.extend(spec.rsplit_once('.').map(|(name, _)| name));
    let dashes = spec.rmatch_indices('-').take(2);
    names.extend(dashes.map(|(end, _)| &spec[..end]));
    Some(names)
}

/// What a spec selected, and how it was understood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    pub(crate) pairs: Vec<(Id, Id)>,
    /// Found as a path in file lists.
    pub by_file: bool,
    /// Found as a package name.
    pub by_name: bool,
    /// Found as a capability.
    pub by_provides: bool,
    /// Found only when case was ignored.
    pub case_ignored: bool,
    solvables: Vec<SolvableId>,
}

impl Selection {
    /// Whether nothing was selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.solvables.is_empty()
    }

    /// The packages, in pool order.
    #[must_use]
    pub fn solvables(&self) -> &[SolvableId] {
        &self.solvables
    }

    /// Jobs that do `action` to what was selected, leaving the choice among candidates to the solver.
    #[must_use]
    pub fn jobs(&self, action: JobAction) -> Vec<SolverJob> {
        if self.pairs.is_empty() && !self.solvables.is_empty() {
            let any = JobTarget::OneOf(self.solvables.clone());
            return vec![SolverJob::new(action, any)];
        }
        self.pairs
            .iter()
            .map(|(how, what)| SolverJob::new(action, JobTarget::Selected(*how, *what)))
            .collect()
    }
}

impl Pool {
    /// What `spec` selects. Nothing found is an empty selection. With `retry_ignoring_case` a spec that finds nothing is tried again so.
    ///
    /// # Errors
    /// The spec holds a NUL byte, or the pool could not be prepared.
    pub fn select(
        &mut self,
        spec: &str,
        flags: SelectFlags,
        retry_ignoring_case: bool,
    ) -> Result<Selection, SolvError> {
        let selection = self.select_once(spec, flags)?;
        if !selection.is_empty() || !retry_ignoring_case || flags.ignore_case {
            return Ok(selection);
        }
        let mut selection = self.select_once(
            spec,
            SelectFlags {
                ignore_case: true,
                ..flags
            },
        )?;
        selection.case_ignored = !selection.is_empty();
        Ok(selection)
    }

    fn select_once(&mut self, spec: &str, flags: SelectFlags) -> Result<Selection, SolvError> {
        self.prepare()?;
        if flags.files && spec.starts_with('/') {
            let found = self.select_file(spec, flags)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let c_spec = CString::new(spec).map_err(|_| SolvError::Nul(spec.to_owned()))?;
        let mut queue = Queue::new();
        let mut solvables = Queue::new();
        // SAFETY: the pool is live and prepared; both queues are initialised; the spec ends with NUL.
        let how = unsafe {
            let pool = self.raw.as_ptr();
            let how = ffi::selection_make(pool, queue.as_mut_ptr(), c_spec.as_ptr(), flags.bits());
            ffi::selection_solvables(pool, queue.as_mut_ptr(), solvables.as_mut_ptr());
            how
        };
        let mut found = self.solvables_of(solvables.ids());
        found.dedup();
        let found = Selection {
            pairs: queue
                .ids()
                .chunks_exact(2)
                .map(|pair| (pair[0], pair[1]))
                .collect(),
            by_name: how & ffi::SELECTION_NAME as i32 != 0,
            by_provides: how & ffi::SELECTION_PROVIDES as i32 != 0,
            solvables: found,
            ..Selection::default()
        };
        let glob = flags.glob && flags.canon && spec.contains(['*', '?', '[']);
        if glob && !spec.starts_with('/') && (found.is_empty() || found.by_provides) {
            let solvables = self.select_named(spec, flags);
            if !solvables.is_empty() {
                return Ok(Selection {
                    solvables,
                    ..Selection::default()
                });
            }
        }
        if found.is_empty() && spec.starts_with('/') && flags.provides {
            return self.select_file(spec, flags);
        }
        Ok(found)
    }

    /// Whether a pattern names a package, as [`rpm_pkg::nevra::is_named`] has it.
    #[must_use]
    pub fn is_named(&self, id: SolvableId, pattern: &str) -> bool {
        is_named(pattern, self.name(id), || {
            (self.evr_parts(id), self.arch(id))
        })
    }

    /// What a glob names by more than the name: `foo-1*`, `*.i686`.
    fn select_named(&self, glob: &str, flags: SelectFlags) -> Vec<SolvableId> {
        let fits = |id: &SolvableId| {
            let source = matches!(self.arch(*id), "src" | "nosrc");
            let kind = match source {
                true => flags.with_source || flags.source_only,
                false => !flags.source_only,
            };
            let place = !flags.installed_only || self.is_installed(*id);
            kind && place && (source || self.counts_as_provider(*id))
        };
        let named = self.solvables().filter(|id| self.is_named(*id, glob));
        named.filter(fits).collect()
    }

    fn select_file(&mut self, spec: &str, flags: SelectFlags) -> Result<Selection, SolvError> {
        let mut owners = self.file_owners(spec.as_bytes())?;
        owners.retain(|id| {
            (!flags.installed_only || self.is_installed(*id)) && !self.is_excluded(*id)
        });
        Ok(Selection {
            by_file: !owners.is_empty(),
            solvables: owners,
            ..Selection::default()
        })
    }
}
