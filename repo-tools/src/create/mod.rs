//! `createrepo`: a tree of packages becomes a repository.
//!
//! Scan the tree; take over the records of files that are as they were; read the others by their
//! headers, in parallel; write the three documents in order; let the new repodata take the place of
//! the old one. A tree in which nothing changed is recognised by the state of the last run: then no
//! package and no document is opened and no byte written.

mod build;
pub(crate) mod deltas;
mod extras;
mod finish;
mod progress;
mod reuse;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cli_kit::Printer;
use rpm_pkg::digest::DigestAlgo;
use rpm_repo::compress::Format;
use rpm_repo::repomd::{Repomd, RepomdRecord};
use whole_file::Folder;

use crate::databases;
use crate::document::{FileStyle, FinishedDocument, MetadataDocument};
use crate::error::{Error, PackageFault, Result};
use crate::package::{Noted, RecordStyle};
use crate::repository::Repository;
use crate::scan::{FileChoice, PackageFile, Scan, scan};
use crate::stage::RepoChange;
use crate::state::{self, FinishedRun};
pub use extras::Extra;
use extras::LoadedExtras;
pub(crate) use extras::{add_one, add_record, is_kind, load, packed_kind};
pub(crate) use finish::{foreign_names, is_package_kind, write_repomd};
use reuse::Reuse;

/// What is to be made, and how.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// The tree of packages.
    pub dir: PathBuf,
    /// Where `repodata` goes.
    pub out: PathBuf,
    /// Which files count.
    pub choice: FileChoice,
    /// How packages become records.
    pub style: RecordStyle,
    /// Compression of primary, filelists and other.
    pub format: Format,
    /// Compression of everything else.
    pub general: Format,
    /// Compression of databases for yum, if there are to be any.
    pub database: Option<Format>,
    /// Checksum in repomd.xml.
    pub repomd_checksum: DigestAlgo,
    /// Whether file names begin with their checksum.
    pub unique_names: bool,
    /// Put in front of every location.
    pub prefix: String,
    /// Directories cut from the front of every location.
    pub cut_dirs: usize,
    /// Threads that read packages.
    pub workers: usize,
    /// Whether records of unchanged packages are taken over.
    pub update: bool,
    /// Whether the packages of the old metadata are taken, and no others but [`FileChoice::list`].
    pub recycle: bool,
    /// Where else old metadata lie whose records are taken over.
    pub other_old: Vec<PathBuf>,
    /// Whether a file of the same name counts as unchanged without a look at it.
    pub skip_stat: bool,
    /// Generations of older repodata that stay for readers under way.
    pub retain: usize,
    /// Seconds: the files of older metadata stay that are younger, however many generations there are.
    pub retain_age: Option<u64>,
    /// Whether what another run of createrepo_c is making, or left, is thrown away.
    pub ignore_lock: bool,
    /// Whether the steps are said that createrepo_c says.
    pub progress: bool,
    /// Earlier revisions from which deltas lead to the new one.
    pub deltas: usize,
    /// Whether records that are not ours to make (updateinfo, modules, ...) stay.
    pub keep_records: bool,
    /// Records to be taken in.
    pub extras: Vec<Extra>,
    /// `tags` of repomd.xml; its records are not used.
    pub tags: Repomd,
    /// Whether bad packages are warnings.
    pub skip_broken: bool,
    /// Whether the other packages are indexed although there are metadata of before, which bad ones otherwise leave as they are.
    pub index_the_rest: bool,
    /// Revision, if asked for.
    pub revision: Option<String>,
    /// The present time or what stands for it, seconds since 1970.
    pub time: u64,
    /// Where to write the names of the packages that were opened.
    pub read_list: Option<PathBuf>,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateSummary {
    /// Packages in the metadata.
    pub packages: usize,
    /// Packages that were opened.
    pub read: usize,
    /// Packages that could not be used.
    pub bad: usize,
    /// Whether repodata was replaced.
    pub changed: bool,
}

/// A tree, and what is to be done with each of its files.
struct CreatePlan<'o> {
    options: &'o CreateOptions,
    found: Vec<PackageFile>,
    hrefs: Vec<String>,
    reuse: Reuse,
}

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PackageStep {
    Read,
    Keep(u64),
}

/// What came out of reading and writing.
struct Built {
    documents: Vec<FinishedDocument>,
    bad: Vec<(PathBuf, PackageFault)>,
    /// The state in which each file was read, and what it is; none for bad ones.
    noted: Vec<Option<Noted>>,
    warnings: Vec<String>,
    read: Vec<String>,
}

/// Makes or refreshes a repository.
///
/// # Errors
/// What [`Error`] says; [`Error::BadPackages`] after each of them was named on `printer`. Unless
/// [`CreateOptions::skip_broken`] is set, bad packages leave an existing repodata as it is; where there
/// was none, the good packages are indexed.
pub fn run(options: &CreateOptions, printer: &Printer) -> Result<CreateSummary> {
    if !options.dir.is_dir() {
        let what = format!("{} is not a directory", options.dir.display());
        return Err(Error::Usage(what));
    }
    if let Some(dir) = &options.style.cache {
        crate::cache::prepare(dir)?;
    }
    let stage = RepoChange::open(&options.out)?;
    if options.ignore_lock {
        stage.ignore_lock()?;
    }
    let old = open_old(stage.root(), printer)?;
    let state = stage.state().and_then(FinishedRun::read);
    let state = state.filter(|s| old.as_ref().is_some_and(|old| old.digest == s.repomd));
    let others = open_others(options, printer);
    let scan = look_through(options, old.iter().map(Arc::as_ref).chain(&others), printer)?;
    let extras = taken_in(options, &scan, printer)?;
    let Scan { found, mut bad, .. } = scan;
    if options.index_the_rest {
        bad.retain(|(path, fault)| !passed_over(path, fault, printer));
    }
    let fingerprint = finish::fingerprint(options, &extras);
    if options.progress {
        progress::walked(found.len() + bad.len(), options, printer);
        if options.update {
            progress::loaded(old.as_deref(), &others, state.as_ref(), printer)?;
        }
    }
    let reused = old
        .clone()
        .or_else(|| others.into_iter().next().map(Arc::new));
    let mut work = CreateRun {
        options,
        printer,
        stage,
        old,
        reused,
        state,
        extras,
        fingerprint,
        scan_bad: bad,
        old_is_damaged: false,
    };
    if options.update && work.is_unchanged(&found) {
        tracing::info!(packages = found.len(), "nothing has changed");
        work.say_unchanged()?;
        return Ok(CreateSummary {
            packages: found.len(),
            read: 0,
            bad: 0,
            changed: false,
        });
    }
    work.make(found)
}

/// Links to nowhere, which createrepo_c does not count as packages.
fn passed_over(path: &Path, fault: &PackageFault, printer: &Printer) -> bool {
    let is_gone =
        matches!(fault, PackageFault::Io(error) if error.kind() == io::ErrorKind::NotFound);
    let passed = is_gone && path.is_symlink();
    if passed {
        let path = path.display();
        printer.err(&format!(
            "warning: {path} is a link to nowhere: passed over"
        ));
    }
    passed
}

/// The files of the tree, or those of the old metadata.
fn look_through<'r>(
    options: &CreateOptions,
    old: impl Iterator<Item = &'r Repository>,
    printer: &Printer,
) -> Result<Scan> {
    let mut choice = options.choice.clone();
    if options.recycle {
        let list = finish::recycled(options, old, printer)?;
        choice.list.get_or_insert_default().splice(..0, list);
    }
    tracing::info_span!("scan").in_scope(|| scan(&options.dir, &choice))
}

/// The records of others: those asked for, and the module metadata of the tree.
fn taken_in(options: &CreateOptions, scan: &Scan, printer: &Printer) -> Result<Vec<LoadedExtras>> {
    if options.progress {
        progress::unreadable_modules(&scan.modules, &scan.unknown, &options.dir)?;
    }
    for path in &scan.unknown {
        let path = path.display();
        printer.err(&format!(
            "warning: {path} is not taken in: its name tells no compression that is known"
        ));
    }
    let modules = scan.modules.iter();
    let modules = modules.filter(|path| finish::is_wanted(path, options));
    let modules = modules.map(|path| Extra::of(crate::modules::KIND, path.clone()));
    let given = options.extras.iter().cloned();
    load(&given.chain(modules).collect::<Vec<_>>())
}

/// The old repository; one that cannot be read is replaced, and that is said.
fn open_old(out: &Folder, printer: &Printer) -> Result<Option<Arc<Repository>>> {
    match Repository::of(out) {
        Ok(old) => Ok(Some(Arc::new(old))),
        Err(Error::NoRepository(_)) => Ok(None),
        Err(error @ (Error::Metadata(_) | Error::Damaged { .. })) => {
            warn_of_old(printer, &error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The repositories elsewhere that can be read.
fn open_others(options: &CreateOptions, printer: &Printer) -> Vec<Repository> {
    let mut opened = Vec::new();
    for path in &options.other_old {
        match Repository::open(path) {
            Ok(old) => opened.push(old),
            Err(_) if options.progress => progress::no_metadata(path, printer),
            Err(error) => warn_of_old(printer, &error),
        }
    }
    let first = usize::from(!opened.is_empty());
    for unused in opened
        .iter()
        .skip(first)
        .filter(|_| !options.recycle && !options.progress)
    {
        let path = unused.dir.display();
        printer.err(&format!(
            "warning: --update-md-path {path} is not read: the one before is"
        ));
    }
    opened
}

fn warn_of_old(printer: &Printer, error: &Error) {
    printer.err(&format!("warning: the old metadata is not used: {error}"));
}

/// A run under way.
struct CreateRun<'o> {
    options: &'o CreateOptions,
    printer: &'o Printer,
    stage: RepoChange,
    old: Option<Arc<Repository>>,
    /// Whose records are taken over.
    reused: Option<Arc<Repository>>,
    state: Option<FinishedRun>,
    extras: Vec<LoadedExtras>,
    fingerprint: String,
    scan_bad: Vec<(PathBuf, PackageFault)>,
    /// The old documents are not what the old repomd.xml says: they are replaced even by the same.
    old_is_damaged: bool,
}

impl CreateRun<'_> {
    fn is_unchanged(&self, found: &[PackageFile]) -> bool {
        let (Some(old), Some(state)) = (&self.old, &self.state) else {
            return false;
        };
        let mut lines = String::new();
        found
            .iter()
            .for_each(|found| state::line(found, &mut lines));
        let is_there = |record: &RepomdRecord| {
            let size = old.size(record);
            size.is_some_and(|size| record.size.is_none_or(|said| said == size))
        };
        self.scan_bad.is_empty()
            && state.options == self.fingerprint
            && state.place == state::place(&self.options.dir)
            && state.packages == lines
            && old.repomd.records.iter().all(is_there)
    }

    /// What scripts read of a run that had nothing to do.
    fn say_unchanged(&self) -> Result<()> {
        let (Some(old), Some(state)) = (&self.old, &self.state) else {
            return Ok(());
        };
        if self.options.progress {
            progress::read(self.options, self.printer);
            let seen = state.seen();
            let packages = seen.values().map(|package| package.noted.identity);
            let primary = old.record(MetadataDocument::Primary.kind())?;
            progress::duplicates(packages, old.repodata(), primary, self.printer)?;
            progress::same(self.printer);
        }
        Ok(())
    }

    fn make(&mut self, found: Vec<PackageFile>) -> Result<CreateSummary> {
        let hrefs = found
            .iter()
            .map(|f| finish::href(&f.location, self.options))
            .collect::<Result<Vec<_>>>()?;
        let reuse = match reuse::plan(self, &found, &hrefs) {
            Ok(reuse) => reuse,
            Err(error) => {
                warn_of_old(self.printer, &error);
                self.old_is_damaged = true;
                Reuse::none(found.len())
            }
        };
        let mut plan = CreatePlan {
            options: self.options,
            found,
            hrefs,
            reuse,
        };
        let steps = &plan.reuse.steps;
        let read = steps.iter().filter(|step| **step == PackageStep::Read);
        let (packages, read) = (steps.len(), read.count());
        let dir = self.stage.begin()?;
        let style = self.file_style(dir);
        let built =
            tracing::info_span!("build", packages, read).in_scope(|| build::run(&plan, &style));
        let built = match built {
            Err(error @ Error::Damaged { .. }) if plan.reuse.old.is_some() => {
                warn_of_old(self.printer, &error);
                self.old_is_damaged = true;
                plan.reuse = Reuse::none(plan.found.len());
                self.stage.give_up()?;
                let dir = self.stage.begin()?;
                build::run(&plan, &self.file_style(dir))?
            }
            built => built?,
        };
        self.finish(&plan, built)
    }

    fn file_style(&self, dir: Folder) -> FileStyle {
        FileStyle {
            dir,
            format: self.options.format,
            checksum: self.options.repomd_checksum,
            unique_names: self.options.unique_names,
            timestamp: self.options.time,
        }
    }

    fn finish(&mut self, plan: &CreatePlan<'_>, mut built: Built) -> Result<CreateSummary> {
        built.bad.splice(..0, self.scan_bad.drain(..));
        let word = if self.options.skip_broken {
            "warning"
        } else {
            "Error"
        };
        for (path, fault) in &built.bad {
            self.printer
                .err(&format!("{word}: {}: {fault}", path.display()));
        }
        if self.options.progress {
            progress::read(self.options, self.printer);
            let packages = built.noted.iter().flatten().map(|noted| noted.identity);
            if let Some((primary, _)) = built.documents.first() {
                progress::duplicates(packages, self.stage.new_dir()?, primary, self.printer)?;
            }
        } else {
            for warning in &built.warnings {
                self.printer.err(&format!("warning: {warning}"));
            }
        }
        if let Some(path) = &self.options.read_list {
            std::fs::write(path, built.read.concat()).map_err(Error::file(path, "write"))?;
        }
        let bad = built.bad.len();
        let all = plan.found.len() + self.bad_before(plan, bad, &built);
        let fails = bad > 0 && !self.options.skip_broken;
        if fails && self.old.is_some() && !self.options.index_the_rest {
            self.stage.give_up()?;
            let then = "the metadata stays as it was (--skip-broken leaves such packages out)";
            return Err(Error::BadPackages { bad, all, then });
        }
        let changed = self.publish(plan, &built)?;
        if fails {
            let then = "the others were indexed (--skip-broken makes this a warning)";
            return Err(Error::BadPackages { bad, all, then });
        }
        Ok(CreateSummary {
            packages: built.noted.iter().flatten().count(),
            read: built.read.len(),
            bad,
            changed,
        })
    }

    /// Bad packages that the scan already left out.
    fn bad_before(&self, plan: &CreatePlan<'_>, bad: usize, built: &Built) -> usize {
        let unread = plan.found.len() - built.noted.iter().flatten().count();
        bad.saturating_sub(unread)
    }

    /// Completes the new repodata and puts it in place; false if it would be as the old one.
    fn publish(&self, plan: &CreatePlan<'_>, built: &Built) -> Result<bool> {
        let _span = tracing::info_span!("publish").entered();
        let style = FileStyle {
            format: self.options.general,
            ..self.file_style(self.stage.new_dir()?.clone())
        };
        let (mut records, documents): (Vec<_>, Vec<_>) = built.documents.iter().cloned().unzip();
        let is_modules = |loaded: &&LoadedExtras| loaded.extra.kind == crate::modules::KIND;
        let (modules, others): (Vec<_>, Vec<_>) = self.extras.iter().partition(is_modules);
        if let Some(format) = self.options.database {
            let style = FileStyle {
                format,
                ..style.clone()
            };
            let made = databases::write(&style.dir, &records, &style)?;
            records.extend(made);
        }
        for extra in others {
            add_record(extra, &style, &mut records)?;
        }
        if !modules.is_empty() {
            let mut given = self.options.extras.iter();
            let is_given = given.any(|extra| extra.kind == crate::modules::KIND);
            let old = self.old.as_deref();
            let old = old.filter(|_| self.options.keep_records && !is_given);
            records.push(extras::write_modules(&modules, old, &style)?);
        }
        let mut names = BTreeSet::new();
        if let Some(old) = self.old.as_ref().filter(|_| self.options.keep_records) {
            let mut kept = finish::kept_records(&old.repomd, &records);
            kept.retain(|record| {
                let is_there = old.size(record).is_some();
                if !is_there {
                    let what =
                        format!("record {} is dropped: {} is gone", record.kind, record.href);
                    self.printer.err(&format!("warning: {what}"));
                }
                is_there
            });
            names.extend(kept.iter().map(|r| r.href.file_name().to_owned()));
            records.extend(kept);
        }
        let repomd = finish::repomd(self.options, records);
        let same = self
            .old
            .as_ref()
            .filter(|_| !self.old_is_damaged)
            .filter(|old| finish::is_same(&old.repomd, &repomd, self.options));
        let mut state = FinishedRun {
            repomd: String::new(),
            options: self.fingerprint.clone(),
            place: state::place(&self.options.dir),
            generations: Vec::new(),
            documents,
            identities: finish::identities(built),
            packages: finish::lines(plan, built),
        };
        if let Some(old) = same {
            self.stage.give_up()?;
            if self.options.progress {
                progress::same(self.printer);
            }
            state.repomd = old.digest.clone();
            state.generations = self
                .state
                .as_ref()
                .map(|s| s.generations.clone())
                .unwrap_or_default();
            self.stage.save_state(&state.to_bytes())?;
            return Ok(false);
        }
        state.repomd = finish::write_repomd(&repomd, self.stage.new_dir()?)?;
        state.generations = self.generations();
        names.extend(state.generations.iter().flatten().cloned());
        names.extend(finish::foreign_names(
            self.stage.repodata(),
            self.old.as_deref(),
        )?);
        self.stage.keep(&names)?;
        self.deltas(&repomd, &state.generations)?;
        self.stage.publish()?;
        self.stage.save_state(&state.to_bytes())?;
        Ok(true)
    }

    /// The files that stay for readers under way: those of the present repodata, then older ones.
    fn generations(&self) -> Vec<Vec<String>> {
        let Some(old) = &self.old else {
            return Vec::new();
        };
        let records = old.repomd.records.iter();
        let now = records.map(|r| r.href.file_name().to_owned());
        let deltas = deltas::files(old.repodata());
        let now = now
            .chain(deltas)
            .filter(|name| !name.contains(' '))
            .collect();
        let older = self
            .state
            .iter()
            .flat_map(|state| state.generations.iter().cloned());
        let least = self.options.retain.max(self.options.deltas);
        std::iter::once(now)
            .chain(older)
            .enumerate()
            .filter(|(at, names)| *at < least || self.is_young(names))
            .map(|(_, names)| names)
            .collect()
    }

    /// Whether a generation is younger than [`CreateOptions::retain_age`].
    fn is_young(&self, names: &[String]) -> bool {
        let (Some(age), Some(name)) = (self.options.retain_age, names.first()) else {
            return false;
        };
        let about = self.stage.repodata().map(|dir| dir.stat(Path::new(name)));
        let made = about.and_then(|about| u64::try_from(about.ok()?.st_mtime).ok());
        self.options.time.saturating_sub(made.unwrap_or(0)) < age
    }

    /// Makes the deltas that were asked for; a file for which none can be made is skipped, and
    /// that is said.
    fn deltas(&self, new: &Repomd, generations: &[Vec<String>]) -> Result<()> {
        let Some(old) = self.old.as_ref().filter(|_| self.options.deltas > 0) else {
            return Ok(());
        };
        let older = generations.iter().skip(1).take(self.options.deltas - 1);
        let mut former = deltas::of_records(&old.repomd);
        former
            .extend(older.flat_map(|names| deltas::of_names(names, self.options.repomd_checksum)));
        let order = deltas::DeltaOrder {
            present: old.repodata(),
            new: self.stage.new_dir()?,
            former: &former,
        };
        for missed in order.carry_out(new)? {
            self.printer.err(&format!("warning: no delta: {missed}"));
        }
        Ok(())
    }
}
