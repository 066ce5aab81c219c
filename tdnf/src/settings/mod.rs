//! What the words mean: command line, tdnf.conf and environment become [`Settings`].
//!
//! Later layers win: defaults, tdnf.conf, `--setopt`, options. `place_of` of the configuration
//! tells which layer a value came from.

pub(crate) mod arches;
mod environment;
mod overrides;
mod paths;
#[cfg(test)]
mod tests;
mod tsflags;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rpm_repo::config::{MainConfig, read_main_config};
use rustix::fs::OFlags;
use whole_file::open_inside;

use crate::args::options::{ChangeOptions, Incoming, Options};

pub use crate::args::options::SkipOptions;
use crate::args::{Args, RepoSwitch};
use crate::error::{Code, Failure, Outcome};

pub use environment::Environment;
pub(crate) use environment::clock;
pub use overrides::{RepoOrigin, RepoOverride, TemporaryRepo};
pub use paths::Brought;
pub(crate) use paths::below;
pub use tsflags::TsFlags;

/// Where the configuration is unless another file is given.
pub const CONFIG_FILE: &str = "/etc/tdnf/tdnf.conf";

/// Longest os-release that is looked at; real ones have 500 bytes.
const MAX_OS_RELEASE: u64 = 1 << 16;

/// How questions are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Ask the user.
    Ask,
    /// `-y`; it wins over `--assumeno`.
    Yes,
    /// `--assumeno`.
    No,
}

/// Everything a run goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// tdnf.conf with `--setopt` applied.
    pub main: MainConfig,
    /// The system that is worked on; `/` without `--installroot`.
    pub root: PathBuf,
    /// The configuration file that was read.
    pub config_file: PathBuf,
    /// Directories of `.repo` files.
    pub repo_dirs: Vec<PathBuf>,
    /// Which of them an installroot brings.
    pub brought: Brought,
    /// Directories of variables.
    pub vars_dirs: Vec<PathBuf>,
    /// The metadata and package cache.
    pub cache_dir: PathBuf,
    /// Where the history is.
    pub persist_dir: PathBuf,
    /// Hooks, a directory for each point of a run.
    pub hooks_dir: PathBuf,
    /// Conf files of plugins.
    pub plugin_conf_dir: PathBuf,
    /// `--releasever`.
    pub releasever: Option<String>,
    /// The architecture packages must fit: the machine's, or `--forcearch`.
    pub arch: String,
    /// `--rpmdefine "_dbpath X"`.
    pub dbpath: Option<String>,
    /// Answers.
    pub consent: Consent,
    /// Signatures of packages are checked (off: `--nogpgcheck`, `--skipsignature`).
    pub check_signatures: bool,
    /// `--downloadonly`, which the next three need.
    pub download_only: bool,
    /// `--downloaddir`: a flat directory for the packages.
    pub download_dir: Option<PathBuf>,
    /// `--alldeps`: act as if nothing were installed.
    pub alldeps: bool,
    /// `--nodeps`: the named packages alone.
    pub nodeps: bool,
    /// What is left out of the solver's problems.
    pub skips: SkipOptions,
    /// `--best`.
    pub best: bool,
    /// `--nobest`: older versions of what is named will do, too.
    pub nobest: bool,
    /// `--allowerasing`.
    pub allow_erasing: bool,
    /// Remove dependencies that are no longer needed together with what needed them.
    pub clean_requirements: bool,
    /// How long to wait for a lock: `--lock-timeout`, else `lock_timeout`; forever unless given.
    pub lock_timeout: Option<Duration>,
    /// `--testonly`.
    pub test_only: bool,
    /// `--dryrun`.
    pub dry_run: bool,
    /// `--urls` with a command that brings packages in.
    pub urls_only: bool,
    /// `--cacheonly`.
    pub cache_only: bool,
    /// `--refresh`.
    pub refresh: bool,
    /// `--allow-older`.
    pub allow_older: bool,
    /// Names and globs to leave out: `--exclude`, and excludepkgs unless `--disableexcludes`.
    pub excludes: Vec<String>,
    /// `--disableexcludes`: no section of a `.repo` file leaves packages out.
    pub no_excludes: bool,
    /// The part of `excludes` that tdnf.conf names, and that stands first; every changing command mentions it.
    pub conf_excludes: Vec<String>,
    /// `tsflags=` of tdnf.conf and of `--setopt`.
    pub tsflags: TsFlags,
    /// Owners, capabilities and devices of files stay in the rpm database: the root becomes an image, and is made by
    /// a user who cannot give files away.
    pub record_owners: bool,
    /// `--rpmdefine`: macros and their values.
    pub defines: Vec<(String, String)>,
    /// Which repositories to switch on and off, in order.
    pub switches: Vec<RepoSwitch>,
    /// `--setopt REPO.KEY=VALUE`, in order.
    pub repo_overrides: Vec<RepoOverride>,
    /// `--repofrompath`.
    pub temporary_repos: Vec<TemporaryRepo>,
    /// The command line for the history and for hints, without secrets.
    pub command_line: String,
    /// The process's surroundings.
    pub environment: Environment,
    /// Things worth a word that do not stop the run.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Works out what a command line means. Reads the configuration file and nothing else.
    pub fn resolve(args: &Args, environment: Environment) -> Outcome<Self> {
        let options = &args.options;
        let (general, change, incoming) = (&options.general, &options.change, &options.incoming);
        if let Some(name) = &args.without_value {
            let line = format!("--{name}: argument is empty string");
            return Err(Failure::invalid(line));
        }
        let is_download = args.command() == Some(DOWNLOAD);
        check_combinations(incoming, options.urls.urls, is_download)?;
        let arch = general.forcearch.as_ref();
        arch.map_or(Ok(()), |arch| arches::machine("forcearch", arch))?;
        let root = PathBuf::from(general.installroot.as_deref().unwrap_or("/"));
        let config_file = paths::config_file(general.config.as_deref(), &root)?;
        let mut main = read_main_config(&root, &config_file)?;
        let mut warnings = Vec::new();
        if environment.odd_source_date {
            let line = "SOURCE_DATE_EPOCH: a number of seconds is expected: it has no effect";
            warnings.push(line.to_owned());
        }
        let setopts = overrides::apply_setopts(&general.setopt, &mut main, &mut warnings)?;
        let mut repo_overrides = overrides::snapshot_time(general, &mut main)?;
        repo_overrides.extend(overrides::ip_family(general, &mut main)?);
        repo_overrides.extend(setopts);
        if incoming.nocligpgcheck {
            main.cligpgcheck = Some(false);
        }
        let tsflags = TsFlags::of(&main, &mut warnings)?;
        let config = (general.config.as_deref(), config_file.as_path());
        let places = paths::SystemPaths::of(config, &general.setopt, &main, &root)?;
        let conf_excludes = match change.disableexcludes {
            true => Vec::new(),
            false => main.excludepkgs.clone(),
        };
        let lists = options.excludes.exclude.iter();
        let given: Vec<String> = lists.flat_map(|list| overrides::excluded(list)).collect();
        if given.is_empty() && !options.excludes.exclude.is_empty() {
            warnings.push("--exclude: the list is empty and leaves nothing out".to_owned());
        }
        tell_inert(options, &mut warnings);
        let temporary = options.temporary.0.iter().map(overrides::temporary_repo);
        let lock_timeout = lock_timeout(general.lock_timeout.as_deref())?.or(main.lock_timeout);
        Ok(Self {
            lock_timeout: lock_timeout.map(|seconds| Duration::from_secs(seconds.into())),
            repo_dirs: places.repo_dirs,
            brought: places.brought,
            vars_dirs: places.vars_dirs,
            cache_dir: places.cache_dir,
            persist_dir: places.persist_dir,
            hooks_dir: paths::hooks_dir(general.config.as_deref()),
            plugin_conf_dir: places.plugin_conf_dir,
            releasever: general.releasever.clone(),
            arch: arch.unwrap_or(&environment.machine).clone(),
            dbpath: defined(&general.rpmdefine, "_dbpath"),
            consent: match consent(change) {
                Consent::Ask if is_download => Consent::Yes,
                given => given,
            },
            check_signatures: !incoming.nogpgcheck && !incoming.skipsignature,
            download_only: incoming.downloadonly || is_download,
            download_dir: download_dir(options, is_download),
            // What is named comes, installed or not.
            alldeps: incoming.alldeps || is_download && !options.download.resolve,
            nodeps: incoming.nodeps
                || is_download && !options.download.resolve && !incoming.alldeps,
            skips: options.skips,
            best: incoming.best && !incoming.nobest,
            nobest: incoming.nobest,
            allow_erasing: incoming.allowerasing,
            clean_requirements: main.clean_requirements_on_remove && !change.noautoremove,
            test_only: change.testonly || tsflags.test,
            dry_run: change.dryrun,
            urls_only: options.urls.urls,
            cache_only: general.cacheonly,
            refresh: general.refresh,
            allow_older: general.allow_older,
            excludes: conf_excludes.iter().cloned().chain(given).collect(),
            no_excludes: change.disableexcludes,
            conf_excludes,
            tsflags,
            record_owners: false,
            defines: defines(&general.rpmdefine),
            switches: options.repos.0.clone(),
            repo_overrides,
            temporary_repos: temporary.collect::<Outcome<_>>()?,
            command_line: args.line(),
            main,
            root,
            config_file,
            environment,
            warnings,
        })
    }

    /// The part of `excludes` that the command line names.
    pub fn given_excludes(&self) -> &[String] {
        let of_conf = self.conf_excludes.len();
        self.excludes.get(of_conf..).unwrap_or_default()
    }

    /// `path` of the host as the same path inside the root, symbolic links followed as if the root were `/`.
    pub fn in_root(&self, path: &Path) -> Outcome<PathBuf> {
        below(&self.root, path)
    }

    /// A folder of the configuration: what lies below the root is resolved inside it, all else is the host's.
    pub fn folder(&self, dir: &Path) -> Outcome<PathBuf> {
        match dir.strip_prefix(&self.root) {
            Ok(below) => self.in_root(below),
            Err(_) => Ok(dir.to_owned()),
        }
    }

    /// `ID` and `VERSION_ID` of the root's os-release; empty where it has none.
    pub fn system(&self) -> (String, String) {
        let field = |text: &str, key: &str| {
            let mut lines = text.lines();
            let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            let value = value.map(|value| value.trim_matches(['"', '\'']));
            value.unwrap_or_default().to_owned()
        };
        let mut text = String::new();
        let file = open_inside(&self.root, Path::new("etc/os-release"), OFlags::RDONLY);
        // A file that cannot be read names no system.
        let _ = file.map(|file| file.take(MAX_OS_RELEASE).read_to_string(&mut text));
        (field(&text, "ID"), field(&text, "VERSION_ID"))
    }

    /// What servers are told about this program: `tdnf/VERSION ID/VERSION_ID`, the latter from the
    /// root's os-release.
    pub fn user_agent(&self) -> String {
        let told = |text: String| match text.is_empty() {
            true => "UNKNOWN".to_owned(),
            false => text,
        };
        let (id, version) = self.system();
        let (id, version) = (told(id), told(version));
        let plain = |c: char| c.is_ascii_graphic();
        let text = format!("tdnf/{} {id}/{version}", crate::VERSION);
        text.chars().filter(|c| plain(*c) || *c == ' ').collect()
    }
}

/// Levels of `--rpmverbosity` in C tdnf.
pub(crate) const VERBOSITIES: [&str; 8] = [
    "emergency",
    "alert",
    "critical",
    "error",
    "warning",
    "notice",
    "info",
    "debug",
];

/// Values of options that have no effect.
fn tell_inert(options: &Options, warnings: &mut Vec<String>) {
    let level = options.change.rpmverbosity.as_deref();
    if let Some(level) = level.filter(|level| !VERBOSITIES.contains(level)) {
        let known = VERBOSITIES.join(", ");
        warnings.push(format!("--rpmverbosity={level}: the levels are {known}"));
    }
    if !options.locked.seed.is_empty() && options.locked.locked.is_none() {
        warnings.push("--seed has no effect without --locked".to_owned());
    }
    let defines = options.general.rpmdefine.iter();
    for text in defines.filter(|text| define(text).is_none()) {
        warnings.push(format!(
            "--rpmdefine={text} has no effect: a name, a blank and a value are expected"
        ));
    }
}

/// The command that fetches packages and changes nothing.
const DOWNLOAD: &str = "download";

/// Where packages go that are kept: the current folder with `download`, unless another one is named.
fn download_dir(options: &Options, is_download: bool) -> Option<PathBuf> {
    let destdir = options.download.destdir.as_ref().filter(|_| is_download);
    let given = destdir.or(options.incoming.downloaddir.as_ref());
    let here = is_download.then(|| PathBuf::from("."));
    given.map(PathBuf::from).or(here)
}

/// Options that need others.
fn check_combinations(incoming: &Incoming, urls_only: bool, is_download: bool) -> Outcome<()> {
    let (dir, all, none) = (
        Code::CLI_DOWNLOADDIR_REQUIRES_DOWNLOADONLY,
        Code::CLI_ALLDEPS_REQUIRES_DOWNLOADONLY,
        Code::CLI_NODEPS_REQUIRES_DOWNLOADONLY,
    );
    match incoming {
        given if given.downloadonly || is_download => Ok(()),
        given if given.downloaddir.is_some() => Err(dir.into()),
        _ if urls_only => Ok(()),
        given if given.alldeps => Err(all.into()),
        given if given.nodeps => Err(none.into()),
        _ => Ok(()),
    }
}

fn consent(change: &ChangeOptions) -> Consent {
    // The careful word wins, wherever it stands.
    match (change.assumeyes, change.assumeno) {
        (_, true) => Consent::No,
        (true, false) => Consent::Yes,
        (false, false) => Consent::Ask,
    }
}

/// The last `--rpmdefine` of a macro.
fn defined(definitions: &[String], name: &str) -> Option<String> {
    let bodies = definitions.iter().rev().filter_map(|text| {
        let body = text.trim().strip_prefix(name)?;
        body.starts_with(char::is_whitespace).then(|| body.trim())
    });
    bodies.map(str::to_owned).find(|body| !body.is_empty())
}

fn lock_timeout(given: Option<&str>) -> Outcome<Option<u32>> {
    let wrong = |text| bad_value("lock-timeout", text, "a number of seconds");
    let seconds = given.map(|text| text.trim().parse().map_err(|_| wrong(text)));
    seconds.transpose()
}

/// All of `--rpmdefine "NAME VALUE"`, in order; a percent sign before the name is left out.
fn defines(definitions: &[String]) -> Vec<(String, String)> {
    definitions.iter().filter_map(|text| define(text)).collect()
}

fn define(text: &str) -> Option<(String, String)> {
    let text = text.trim().trim_start_matches('%');
    let (name, value) = text.split_once([' ', '\t'])?;
    Some((name.to_owned(), value.trim().to_owned()))
}

/// A value of `--setopt` or an option that is wrong.
fn bad_value(key: &str, value: &str, expected: &str) -> Failure {
    Failure::invalid(format!("{key}={value}: {expected} expected"))
}
