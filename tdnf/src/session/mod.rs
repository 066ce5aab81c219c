//! What is open during a run: nothing until a command asks for it.

mod from_dir;
mod holder;
mod in_use;
mod key_files;
mod keys;
mod lock;
mod metadata;
mod modules;
mod network;
mod packages;
mod plugins;
mod releasever;
mod remarks;
mod repos;
mod servers;
mod small_files;
mod snapshot;
mod unread;
mod usr_merge;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use cli_kit::{Printer, SaidOnce};
use repo_client::Client;
use rpm_db::{Backend, Damaged, DatabaseSearch, Db, DbLocation, MacroFile, TransactionLock, Wait};
use rpm_pkg::glob::glob_matches;
use rpm_repo::config::{RepoConfig, UnreadableValue};
use rpm_repo::vars::Vars;
use whole_file::Folder;

use crate::args::{Args, RepoSwitch};
use crate::error::{Code, Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::screen::Screen;
use crate::settings::{Consent, Settings};
use repos::FoundRepos;

pub use from_dir::{any_below, digest_of, files_below, packages_below};
pub use holder::Holder;
pub use keys::{
    KeyPlace, NO_REPOSITORY, OfferedKey, StoredKey, database_keyring, offered_keys,
    offered_keys_to_ask, stored_keys,
};
pub use lock::InstanceLock;
pub use metadata::{Freshness, LoadedRepo, PRIMARY};
pub(crate) use packages::INSTALLED_CACHE;
pub use packages::{OnDemand, Packages};
pub use plugins::Plugins;
pub(crate) use servers::{ASKED_AGAIN, GONE, RATES};
pub use snapshot::{LeftOut, SnapshotList};

/// Numbers of damaged records that one warning names.
const SHOWN_RECORDS: usize = 10;

/// What a command needs before it runs. Repositories, metadata and the rpm database are opened
/// when the command asks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it only reads.
    Nothing,
    /// Effective user 0 (else error 1601), the instance lock, and recovery of what an earlier run
    /// left: it changes the system.
    Lock,
}

/// A run of one command.
pub struct Session<'a> {
    /// What the run goes by.
    pub settings: Settings,
    /// The words, for options of one command.
    pub args: &'a Args,
    /// Where text goes.
    pub printer: &'a Screen,
    /// Whether the user asked to stop, and what that means at the moment.
    pub interrupt: Interrupt,
    /// Which of the built-in plugins are on.
    pub plugins: Plugins,
    cache_dir: PathBuf,
    /// The system's cache where `cache_dir` is the user's own.
    system_cache: Option<PathBuf>,
    client: OnceCell<Client>,
    /// What runs share that use package files of the cache.
    in_use: OnceCell<Option<File>>,
    /// Warnings about the configuration were printed.
    typos_told: Cell<bool>,
    values_told: Cell<bool>,
    said: SaidOnce,
    /// How often the metadata of repositories were asked for again because a file was not there.
    renewed: RefCell<BTreeMap<String, u32>>,
    /// Repositories that could not be read and may be skipped.
    left_out: RefCell<BTreeSet<String>>,
    /// None of the repositories that are on could be read.
    none_read: Cell<bool>,
    /// Repositories whose metadata could not be had, by id, and why.
    unread: RefCell<BTreeMap<String, unread::UnreadRepo>>,
    /// What `snapshottime` takes out of repositories.
    snapshot_times: RefCell<BTreeMap<String, LeftOut>>,
    lock: Option<InstanceLock>,
    /// What `$releasever` stands for where the command line does not say.
    release_assumed: OnceCell<String>,
    /// Hears of each repository whose metadata is new.
    pub on_new_metadata: fn(&Session<'_>, &LoadedRepo),
}

impl<'a> Session<'a> {
    /// Opens what `needs` names; warnings about the configuration are told.
    pub fn open(
        settings: Settings,
        args: &'a Args,
        printer: &'a Screen,
        interrupt: Interrupt,
        needs: Needs,
    ) -> Outcome<Self> {
        let plugins = Plugins::resolve(args, &settings, printer)?;
        let lock = match needs {
            Needs::Lock => {
                let path = InstanceLock::path(&settings.root, &settings.persist_dir);
                Some(InstanceLock::acquire(&path, &settings, printer)?)
            }
            Needs::Nothing => None,
        };
        let cache_dir = usable_cache(&settings);
        if lock.is_some() {
            // What killed runs had ready. Who is just writing one writes it another time: nothing depends on it.
            let _ = Folder::open(&cache_dir).and_then(|dir| dir.clear_waiting());
        }
        let system_cache = Some(&settings.cache_dir).filter(|dir| **dir != cache_dir);
        let system_cache = system_cache.cloned();
        for warning in &settings.warnings {
            printer.err(&format!("warning: {warning}"));
        }
        tell_unreadable(printer, &settings.main.unreadable_values);
        Ok(Self {
            settings,
            args,
            printer,
            interrupt,
            plugins,
            cache_dir,
            system_cache,
            client: OnceCell::new(),
            in_use: OnceCell::new(),
            typos_told: Cell::new(false),
            values_told: Cell::new(false),
            said: SaidOnce::default(),
            renewed: RefCell::default(),
            left_out: RefCell::default(),
            none_read: Cell::new(false),
            unread: RefCell::default(),
            snapshot_times: RefCell::default(),
            lock,
            release_assumed: OnceCell::new(),
            on_new_metadata: |_, _| (),
        })
    }

    /// The lock of commands that change things, for subcommands that alone need it; error 1601
    /// for other users than root.
    pub fn change_lock(&self) -> Outcome<InstanceLock> {
        let settings = &self.settings;
        if settings.environment.euid != 0 {
            let hint = format!("try `sudo tdnf {}`", self.args.pasted());
            return Err(Failure::new(Code::PERM).hint(hint));
        }
        let path = InstanceLock::path(&settings.root, &settings.persist_dir);
        InstanceLock::acquire(&path, settings, self.printer)
    }

    /// The same run for a machine of this architecture and, where one is given, this release: it only reads. What was
    /// said is not said again.
    pub fn as_on(&self, arch: &str, releasever: Option<&str>) -> Outcome<Self> {
        let releasever = releasever.map(str::to_owned);
        let settings = Settings {
            arch: arch.to_owned(),
            releasever: releasever.or_else(|| self.settings.releasever.clone()),
            warnings: Vec::new(),
            ..self.settings.clone()
        };
        let interrupt = self.interrupt.clone();
        let other = Self::open(settings, self.args, self.printer, interrupt, Needs::Nothing)?;
        other.typos_told.set(self.typos_told.get());
        other.values_told.set(self.values_told.get());
        Ok(Self {
            on_new_metadata: self.on_new_metadata,
            ..other
        })
    }

    /// From now on `$releasever` stands for this, unless the command line says otherwise: the root is not asked.
    pub fn assume_release(&self, version: &str) {
        let _ = self.release_assumed.set(version.to_owned());
    }

    /// What `$releasever` stands for, where it was given or a repository that is on uses it.
    pub fn used_releasever(&self) -> Outcome<Option<String>> {
        if self.settings.releasever.is_some() {
            return Ok(self.settings.releasever.clone());
        }
        let found = repos::read(&self.settings, &self.cache_dir, &self.vars())?;
        let uses = |repo: &RepoConfig| {
            let mut unknown = repo.unknown_variables.iter();
            repo.enabled && unknown.any(|variable| variable.name == "releasever")
        };
        let is_used = found.repos.iter().any(uses);
        is_used.then(|| releasever::detect(self)).transpose()
    }

    /// Nothing more will be written: the lock's file says no more who holds it.
    pub fn quieten_lock(&self) {
        if let Some(lock) = &self.lock {
            lock.clear();
        }
    }

    /// All repositories, on or off. `$releasever` is looked up in the rpm database only if a
    /// repository that is on uses it.
    pub fn repos(&self) -> Outcome<Vec<RepoConfig>> {
        Ok(self.found_repos()?.repos)
    }

    fn found_repos(&self) -> Outcome<FoundRepos> {
        let mut vars = self.vars();
        let read = |vars: &Vars| repos::read(&self.settings, &self.cache_dir, vars);
        let found = read(&vars)?;
        if !self.values_told.replace(true) {
            for warning in &found.warnings {
                self.printer.err(&format!("warning: {warning}"));
            }
            // Of repositories that are off, too: the value may be that of `enabled`.
            let values = found.repos.iter().flat_map(|repo| &repo.unreadable_values);
            tell_unreadable(self.printer, values);
            self.tell_unused(&found.repos);
            self.tell_without_enabled(&found.repos);
        }
        let uses = |repo: &RepoConfig| {
            let mut unknown = repo.unknown_variables.iter();
            unknown.any(|variable| variable.name == "releasever" && !variable.is_empty)
        };
        if !found.repos.iter().any(uses) {
            return Ok(found);
        }
        let assumed = self.release_assumed.get().cloned();
        match assumed.map_or_else(|| releasever::detect(self), Ok) {
            Ok(version) => vars.set_built_in("releasever", &version),
            // Only a repository that is on and needs it is worth an error.
            Err(failure) if found.repos.iter().any(|repo| repo.enabled && uses(repo)) => {
                return Err(failure);
            }
            Err(_) => return Ok(found),
        }
        read(&vars)
    }

    /// The value of `$releasever`: that of the command line, else of the root, if it has one.
    pub fn releasever(&self) -> Option<String> {
        let given = self.settings.releasever.clone();
        given.or_else(|| releasever::detect(self).ok())
    }

    /// The repositories that are on, preferred ones first.
    ///
    /// Errors: none is, and one that would be has a fault.
    pub fn enabled_repos(&self) -> Outcome<Vec<RepoConfig>> {
        let found = self.found_repos()?;
        let mut repos = found.repos;
        repos.retain(|repo| repo.enabled);
        if let Some(failure) = found.unusable.filter(|_| repos.is_empty()) {
            return Err(failure);
        }
        if !self.typos_told.replace(true) {
            self.tell_typos(&repos);
            self.tell_unknown_variables(&repos);
            self.tell_keys_alone(&repos);
            self.tell_ways(&repos);
            let signed = repos.iter().filter(|repo| repo.repo_gpgcheck);
            let signed: Vec<String> = signed.map(|repo| repo.id.clone()).collect();
            self.plugins.warn(self.printer, &signed);
        }
        repos.iter_mut().for_each(|repo| self.plugins.apply(repo));
        repos.sort_by_key(|repo| repo.priority);
        Ok(repos)
    }

    /// Whether no repository is on; where they cannot be read, whoever asks for them hears why.
    pub fn is_without_repos(&self) -> bool {
        let repos = self.repos();
        repos.is_ok_and(|repos| !repos.iter().any(|repo| repo.enabled))
    }

    /// An error where no repository is on.
    pub fn require_repos(&self) -> Outcome<()> {
        let found = self.found_repos();
        if let Ok(found) = &found
            && found.repos.iter().any(|repo| repo.enabled)
        {
            return Ok(());
        }
        let reason = found.map_or_else(Some, |found| found.unusable);
        Err(reason.unwrap_or_else(|| Code::NO_ENABLED_REPOS.into()))
    }

    /// Whether no repository is on, and `--repo` was given or `--enablerepo` names one that there is not.
    pub fn misses_repos(&self) -> bool {
        let repos = self.repos().unwrap_or_default();
        let is_there = |glob: &String| repos.iter().any(|repo| glob_matches(glob, &repo.id));
        let missed = self.settings.switches.iter().any(|switch| match switch {
            RepoSwitch::Only(_) => true,
            RepoSwitch::Enable(glob) => !is_there(glob),
            RepoSwitch::Disable(_) => false,
        });
        missed && self.is_without_repos()
    }

    /// Whether the command line says if a repository is on.
    fn is_switched(&self, repo: &RepoConfig) -> bool {
        let mut switches = self.settings.switches.iter();
        switches.any(|switch| {
            matches!(switch, RepoSwitch::Only(_)) || glob_matches(switch.pattern(), &repo.id)
        })
    }

    /// A file of the variables that cannot be read defines nothing, which is said.
    fn vars(&self) -> Vars {
        let mut vars = Vars::new();
        vars.set_built_in("basearch", &self.settings.arch);
        vars.set_built_in("arch", &self.settings.arch);
        if let Some(version) = &self.settings.releasever {
            vars.set_built_in("releasever", version);
        }
        for dir in &self.settings.vars_dirs {
            if let Err(error) = vars.add_dir(&self.settings.root, dir) {
                self.warn_once(&format!("warning: {error}"));
            }
        }
        vars
    }

    /// The cache directory: the configured one, or the user's own where that cannot be written.
    pub fn cache_dir(&self) -> &Path {
        &self.cache_dir
    }

    /// The directory of one repository below the cache directory.
    pub fn repo_cache(&self, repo: &RepoConfig) -> PathBuf {
        self.cache_dir.join(repo.cache_dir_name())
    }

    /// Where the rpm database of the root is.
    pub fn db_location(&self) -> Outcome<DbLocation> {
        self.db_location_with(&[])
    }

    /// Where the rpm database of the root is once packages have brought these macro files.
    pub fn db_location_with(&self, incoming: &[MacroFile]) -> Outcome<DbLocation> {
        let dbpath = self.settings.dbpath.as_deref().map(Path::new);
        let host = Some(Path::new("/"));
        let search = DatabaseSearch {
            dbpath,
            host,
            incoming,
        };
        let mut found = rpm_db::location::find(&self.settings.root, search)?;
        if let Some(limit) = self.settings.lock_timeout {
            found.busy_timeout = limit;
        }
        Ok(found)
    }

    /// The rpm database, opened for reading; `None` if there is none yet.
    pub fn db(&self) -> Outcome<Option<Db>> {
        if !self.settings.root.exists() {
            return Ok(None);
        }
        let location = self.db_location()?;
        match location.backend {
            Backend::None => Ok(None),
            _ => Ok(Some(Db::open_read(&location)?)),
        }
    }

    /// rpm's own lock on the database; waits for its holder and says so.
    pub fn database_lock(&self, location: &DbLocation) -> Outcome<TransactionLock> {
        let mut waiting = |pid: Option<u32>| {
            let holder = Holder::of_process(pid);
            tracing::info!(%holder, "waiting for the rpm database");
            // It is taken for the check and again for the transaction.
            let line = format!("waiting for the rpm database, which is held by {holder}");
            if self.said.is_first(&line) {
                self.printer.crit(&line);
            }
            true
        };
        let wait = match self.settings.lock_timeout {
            Some(limit) => Wait::AtMost(limit),
            None => Wait::Forever,
        };
        match TransactionLock::acquire(&location.dir, wait, &mut waiting) {
            Err(rpm_db::DbError::Locked { path, pid }) => {
                Err(lock::still_held(&path, &Holder::of_process(pid)))
            }
            other => Ok(other?),
        }
    }

    /// Asks for consent as the settings say: 1032 for no, 1033 if there is no answer. With `--quiet` nobody could see
    /// what the question is about: 918.
    pub fn confirm(&self) -> Outcome<()> {
        match self.settings.consent {
            Consent::Yes => Ok(()),
            Consent::No => Err(Code::OPERATION_ABORTED.into()),
            Consent::Ask if self.printer.mode().quiet => Err(Code::CLI_QUIET_NEEDS_ANSWER.into()),
            Consent::Ask => match self.printer.ask("Is this ok [y/N]: ") {
                cli_kit::Reply::Yes => Ok(()),
                cli_kit::Reply::No => Err(Code::OPERATION_ABORTED.into()),
                cli_kit::Reply::EndOfInput => Err(Failure::because(
                    Code::INVALID_INPUT,
                    "Error: nobody answered (standard input is closed): give -y or --assumeno",
                )),
            },
        }
    }

    /// Says a line that a run says once, however often its reason comes up.
    pub fn warn_once(&self, line: &str) {
        if self.said.is_first(line) {
            self.printer.err(line);
        }
    }

    /// Says once which records of the rpm database cannot be used: their packages count as not installed.
    pub fn tell_damaged(&self, db: &Db, damaged: &[Damaged]) {
        let (records, are) = match damaged {
            [] => return,
            [_] => ("record", "is damaged and counts"),
            _ => ("records", "are damaged and count"),
        };
        let numbers = damaged.iter().map(|record| record.hnum.to_string());
        let shown: Vec<String> = numbers.take(SHOWN_RECORDS).collect();
        let more = if damaged.len() > shown.len() {
            ", ..."
        } else {
            ""
        };
        self.warn_once(&format!(
            "warning: {}: {records} {}{more} {are} as not installed; `tdnf check-installed` says what is wrong",
            db.path().display(),
            shown.join(", "),
        ));
    }

    /// An error if a signal asked to stop.
    pub fn go_on(&self) -> Outcome<()> {
        if self.interrupt.is_raised() {
            return Err(Code::OPERATION_ABORTED.into());
        }
        Ok(())
    }
}

/// The configured cache if this user may write there, else the user's own.
fn usable_cache(settings: &Settings) -> PathBuf {
    let configured = &settings.cache_dir;
    if settings.environment.euid == 0 || is_writable(configured) {
        return configured.clone();
    }
    // What is there already serves a run that fetches nothing, or cannot keep what it fetches.
    let needed = !(settings.cache_only && configured.is_dir());
    let own = settings.environment.user_cache.as_ref();
    let own = own.map(|dir| dir.join("tdnf"));
    own.filter(|own| needed && is_writable(own))
        .unwrap_or_else(|| configured.clone())
}

/// Whether files can be made in `dir`, or in the nearest directory above that exists.
pub(crate) fn is_writable(dir: &Path) -> bool {
    let existing = dir.ancestors().find(|dir| dir.exists());
    existing.is_some_and(|dir| rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok())
}

/// Says which lines of configuration files have no effect.
fn tell_unreadable<'v>(printer: &Printer, values: impl IntoIterator<Item = &'v UnreadableValue>) {
    for value in values {
        printer.err(&format!("warning: {value}"));
    }
}
