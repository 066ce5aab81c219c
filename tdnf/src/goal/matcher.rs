//! From the words of a request to a [`Goal`].

use rpm_solv::{JobAction, SelectFlags, Selection, SolvableId, SolverJob};

use super::missing::{Sought, all_missing, not_found};
use super::{Goal, Request};
use crate::error::{Code, Failure, Outcome};
use crate::note::Note;
use crate::session::{OnDemand, Packages};

/// What the words are asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `install`.
    Install,
    /// `install --source`, `install --builddeps`: the source packages.
    Source,
    /// `reinstall`.
    Reinstall,
    /// `update`.
    Update,
    /// `downgrade`.
    Downgrade,
    /// `distro-sync`.
    DistroSync,
    /// `erase`.
    Erase,
    /// `autoremove`.
    Autoremove,
}

/// What a request asks of the solver, and what is to be said about it, also where it is an error.
pub fn of(
    verb: Verb,
    request: &Request,
    packages: &mut Packages,
    metadata: &dyn OnDemand,
) -> (Vec<Note>, Outcome<Goal>) {
    let files = match packages.without_copies(&request.files) {
        Ok(files) => files,
        Err(failure) => return (Vec::new(), Err(failure)),
    };
    let mut matcher = Matcher {
        request,
        files,
        packages,
        metadata,
        goal: Goal::default(),
        notes: Vec::new(),
        missing: Vec::new(),
    };
    let done = match verb {
        Verb::Install => matcher.install(),
        Verb::Source => matcher.sources(),
        Verb::Reinstall => matcher.reinstall(),
        Verb::Update => matcher.update(),
        Verb::Downgrade => matcher.downgrade(),
        Verb::DistroSync => matcher.distro_sync(),
        Verb::Erase => matcher.erase(),
        Verb::Autoremove => matcher.autoremove(),
    };
    let Matcher {
        goal,
        notes,
        missing,
        packages,
        ..
    } = matcher;
    let sought = Sought {
        typed: &request.typed,
        metadata,
        flags: match verb {
            Verb::Install => SelectFlags::USUAL,
            Verb::Source => SelectFlags::SOURCE,
            _ => SelectFlags::INSTALLED,
        },
    };
    let done = all_missing(packages, sought, &missing).map_or(done, Err);
    (notes, done.map(|()| goal))
}

/// A request on its way to a goal.
pub(super) struct Matcher<'a> {
    pub(super) request: &'a Request,
    /// The package files of the request, each once.
    pub(super) files: Vec<SolvableId>,
    pub(super) packages: &'a mut Packages,
    pub(super) metadata: &'a dyn OnDemand,
    pub(super) goal: Goal,
    pub(super) notes: Vec<Note>,
    /// Words that nothing has.
    missing: Vec<String>,
}

impl Matcher<'_> {
    /// Asks for exactly this package.
    pub(super) fn want(&mut self, id: SolvableId) {
        self.goal.want(self.packages, id);
    }

    /// Asks for this package in place of an installed one, which says nothing about who wanted
    /// that.
    pub(super) fn replace_by(&mut self, id: SolvableId) {
        let job = SolverJob::solvable(JobAction::Install, id);
        self.goal.jobs.push(job);
    }

    /// Selects what a word names and notes how it was understood where that is not plain.
    pub(super) fn select(&mut self, word: &str, flags: SelectFlags) -> Outcome<Selection> {
        let (selection, notes) = select(self.packages, word, flags)?;
        self.notes.extend(notes);
        Ok(selection)
    }

    /// As [`Self::select`]; a word that names nothing ends as [`Self::not_found`] says.
    pub(super) fn select_known(&mut self, word: &str, flags: SelectFlags) -> Outcome<Selection> {
        let selection = self.select(word, flags)?;
        if selection.is_empty() {
            self.not_found(word)?;
        }
        Ok(selection)
    }

    /// A word that nothing has: an error in the end that says what is like it, unless such words are left
    /// out. Where the administrator hid what it names, that is said, and the word is skipped
    /// (an exclude) or refused (`minversions`), as in tdnf.
    pub(super) fn not_found(&mut self, word: &str) -> Outcome<()> {
        let hidden = self.hidden(word)?;
        if !hidden.is_empty() {
            return self.left_out(&hidden, word);
        }
        if !self.request.skips.broken {
            if self.missing.iter().all(|known| known != word) {
                self.missing.push(word.to_owned());
            }
            return Ok(());
        }
        self.notes.push(not_found(self.metadata, word));
        self.goal.unavailable.push(word.to_owned());
        Ok(())
    }

    /// What a word would name if nothing were excluded.
    pub(super) fn hidden(&mut self, word: &str) -> Outcome<Vec<SolvableId>> {
        let pool = &mut self.packages.pool;
        let excluded = pool.set_excluded(Vec::new());
        if excluded.is_empty() {
            return Ok(Vec::new());
        }
        let named = pool.select(word, SelectFlags::USUAL, true);
        pool.set_excluded(excluded);
        let mut named = named?.solvables().to_vec();
        named.retain(|id| pool.is_excluded(*id));
        Ok(named)
    }

    /// Packages that are hidden: skipped, which is said, where an exclude hides them, refused where
    /// they are below the lowest version allowed (the words of tdnf's solver).
    pub(super) fn left_out(&mut self, hidden: &[SolvableId], word: &str) -> Outcome<()> {
        if let Some(failure) = modular(self.packages, hidden) {
            return Err(failure);
        }
        let mut hidden_by_name = hidden.iter();
        if hidden_by_name.any(|id| self.request.excludes(self.packages, *id)) {
            let file = self.request.config_file.clone();
            self.notes.push(Note::Excluded(word.to_owned(), file));
            return Ok(());
        }
        if let Some(line) = self.packages.left_out_by(hidden) {
            return Err(Failure::because(Code::NO_MATCH, line));
        }
        Err(disabled(self.packages, hidden))
    }
}

/// Selects what a word names; the notes say how it was understood where that is not plain.
pub fn select(
    packages: &mut Packages,
    word: &str,
    flags: SelectFlags,
) -> Outcome<(Selection, Vec<Note>)> {
    let selection = packages.pool.select(word, flags, true)?;
    let mut notes = Vec::new();
    if selection.is_empty() {
        return Ok((selection, notes));
    }
    if selection.case_ignored {
        notes.push(Note::CaseIgnored(word.to_owned()));
    }
    if selection.by_file {
        notes.push(Note::FileMatch(word.to_owned()));
    } else if selection.by_provides {
        notes.push(Note::CapabilityMatch(word.to_owned()));
    }
    Ok((selection, notes))
}

/// Error 1011 for packages of streams that are not in use, where one of them is the best there is.
pub(super) fn modular(packages: &Packages, hidden: &[SolvableId]) -> Option<Failure> {
    let lines = hidden.iter().filter_map(|id| {
        let why = packages.modular.get(id)?;
        Some(format!("{} {why}", packages.pool.nevra(*id)))
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines.dedup();
    let mut failure = Failure::new(Code::NO_MATCH);
    failure
        .details
        .extend(lines.iter().take(MAX_MODULAR).cloned());
    (!lines.is_empty()).then(|| failure.hint(OTHER_STREAM))
}

/// What to do where a package belongs to a stream that is not in use.
pub(super) const OTHER_STREAM: &str = "streams are not switched here: dnf module does, or module_hotfixes=1 for a \
                                       repository that replaces them";

/// Lines about packages of streams that are not in use.
const MAX_MODULAR: usize = 5;

/// Error 1301 for packages below their lowest version.
fn disabled(packages: &Packages, hidden: &[SolvableId]) -> Failure {
    let mut failure = Failure::new(Code::SOLV_FAILED);
    for (at, id) in hidden.iter().enumerate() {
        let nevra = packages.pool.nevra(*id);
        failure = failure.detail(format!("{}. package {nevra} is disabled", at + 1));
    }
    failure
        .detail(format!("Found {} problem(s) while resolving", hidden.len()))
        .hint("minversions of the configuration asks for a newer version")
}
