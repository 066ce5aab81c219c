//! The options: each defined once, as the field that it is read by. The parser, `--help`, the man
//! pages and the completion of the shells take them from here.

mod artifacts;

use clap::builder::Resettable;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::order::{InOrder, PluginSwitch, RepoFrom, RepoSwitch};
use crate::error::{Code, Failure, Outcome};

pub use artifacts::{DownloadOptions, ImageOptions, LockOptions, LockedOptions, TargetOption};

/// Defines the options of one kind of command.
pub type Definition = fn(Command) -> Command;

/// The options of a struct, for the record of a command.
pub const fn of<T: Args>() -> Definition {
    T::augment_args
}

/// The part of the help that tells of options of all commands.
pub(super) const GENERAL: &str = "general options";

/// The place of [`OutputOptions`] among the groups.
pub(super) const OUTPUT: usize = 0;

/// Makes [`Options`] of its groups, and what reads and defines them.
macro_rules! groups {
    ($($field:ident: $group:ty,)*) => {
        /// Every option. Each group is what one kind of command understands; as in tdnf, all of
        /// them may stand with every command.
        #[derive(Debug, Clone, Default)]
        pub struct Options {
            $(#[doc = concat!("The group `", stringify!($group), "`.")] pub $field: $group,)*
        }

        /// What defines the groups, in the order of the fields.
        pub(super) const GROUPS: &[Definition] = &[$(of::<$group>()),*];

        impl Options {
            /// Reads the groups that are `used`; nothing was said of the others.
            pub(super) fn read(matches: &mut ArgMatches, used: &[bool]) -> Result<Self, clap::Error> {
                let mut used = used.iter();
                Ok(Self {
                    $($field: match used.next() {
                        Some(true) => <$group>::from_arg_matches_mut(matches)?,
                        _ => Default::default(),
                    },)*
                })
            }
        }
    };
}

groups! {
    output: OutputOptions,
    general: General,
    change: ChangeOptions,
    excludes: Excludes,
    repos: InOrder<RepoSwitch>,
    temporary: InOrder<RepoFrom>,
    plugins: InOrder<PluginSwitch>,
    incoming: Incoming,
    source: SourceOptions,
    build: Build,
    skips: SkipOptions,
    advisories: Advisories,
    scopes: Scopes,
    place: PlaceOptions,
    select: SelectOptions,
    query: QueryOptions,
    listing: ListOption,
    arch: Arch,
    urls: UrlOptions,
    sync: ReposyncOptions,
    detail: Detail,
    range: Range,
    repair: Repair,
    image: ImageOptions,
    installed: InstalledScope,
    locked: LockedOptions,
    download: DownloadOptions,
    lock: LockOptions,
    target: TargetOption,
    ignored: Ignored,
}

/// What is told, and how: of all commands.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = GENERAL)]
pub struct OutputOptions {
    /// Show this text, or a command's with the command.
    #[arg(short, long)]
    pub help: bool,
    /// Data as JSON on standard output (-j).
    #[arg(long)]
    pub json: bool,
    /// As --json, in the shape of version N: 1 (that of tdnf 3.6) or 2.
    #[arg(long, value_name = "N", value_parser = JsonVersion::parse)]
    pub json_version: Option<JsonVersion>,
    /// Results and errors only.
    #[arg(short, long)]
    pub quiet: bool,
    /// Tell more.
    #[arg(short, long)]
    pub verbose: bool,
    /// Show the version.
    #[arg(long)]
    pub version: bool,
}

/// Options that mean something to every command.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = GENERAL)]
pub struct General {
    /// Take signed metadata that is older than what was seen before.
    #[arg(long)]
    pub allow_older: bool,
    /// Use cached metadata only, however old.
    #[arg(short = 'C', long)]
    pub cacheonly: bool,
    /// Read FILE instead of /etc/tdnf/tdnf.conf.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<String>,
    /// Reach servers by IPv4 only.
    #[arg(short = '4')]
    pub ipv4: bool,
    /// Reach servers by IPv6 only.
    #[arg(short = '6')]
    pub ipv6: bool,
    /// Act as a machine of this architecture.
    #[arg(long, value_name = "ARCH")]
    pub forcearch: Option<String>,
    /// Work on the system below DIR.
    #[arg(short, long, value_name = "DIR")]
    pub installroot: Option<String>,
    /// How long to wait for another run that changes the system (forever).
    #[arg(long, value_name = "SECONDS")]
    pub lock_timeout: Option<String>,
    /// Switch all plugins off.
    #[arg(long)]
    pub noplugins: bool,
    /// Fetch metadata even if it is not expired.
    #[arg(long)]
    pub refresh: bool,
    /// The value of $releasever.
    #[arg(long, value_name = "VERSION")]
    pub releasever: Option<String>,
    /// An rpm macro, such as "_dbpath /x".
    #[arg(long, value_name = "MACRO")]
    pub rpmdefine: Vec<String>,
    /// A configuration value; REPO.KEY for one repository.
    #[arg(long, value_name = "KEY=VALUE", value_parser = Setopt::parse)]
    pub setopt: Vec<Setopt>,
    /// Repositories that --snapshottime does not limit (ids or globs).
    #[arg(long, value_name = "REPO,..")]
    pub snapshotexcluderepos: Vec<String>,
    /// Packages that came into their repositories after this time do not exist (seconds since 1970).
    #[arg(long, value_name = "SECONDS")]
    pub snapshottime: Option<String>,
}

/// Options of commands that change the system.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options of commands that change the system")]
pub struct ChangeOptions {
    /// Show what would be done and answer no.
    #[arg(long)]
    pub assumeno: bool,
    /// Answer yes to every question.
    #[arg(short = 'y', long)]
    pub assumeyes: bool,
    /// Keep what the solver saw for a bug report.
    #[arg(long)]
    pub debugsolver: bool,
    /// Ignore excludepkgs of the configuration.
    #[arg(long)]
    pub disableexcludes: bool,
    /// Show what would be done and stop there: nothing is fetched.
    #[arg(long)]
    pub dryrun: bool,
    /// Keep dependencies that nothing needs any more.
    #[arg(long)]
    pub noautoremove: bool,
    /// How much the transaction tells.
    #[arg(long, value_name = "LEVEL")]
    pub rpmverbosity: Option<String>,
    /// Check the transaction, then stop.
    #[arg(long)]
    pub testonly: bool,
}

/// What is left out: of commands that bring packages in, and of lists of updates.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options that select packages")]
pub struct Excludes {
    /// Leave packages out (names or globs).
    #[arg(short = 'x', long, value_name = "NAME,..")]
    pub exclude: Vec<String>,
}

/// Options of commands that bring packages in.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options of commands that bring packages in")]
pub struct Incoming {
    /// With --downloadonly or --urls: dependencies that are installed, too.
    #[arg(long)]
    pub alldeps: bool,
    /// Let the solver remove installed packages.
    #[arg(long)]
    pub allowerasing: bool,
    /// Only the best version will do.
    #[arg(short, long)]
    pub best: bool,
    /// With --downloadonly: where the packages go.
    #[arg(long, value_name = "DIR")]
    pub downloaddir: Option<String>,
    /// Fetch and check the packages, change nothing.
    #[arg(long)]
    pub downloadonly: bool,
    /// Accept older versions of what is named where the best cannot be had.
    #[arg(long)]
    pub nobest: bool,
    /// Do not check signatures and digests of package files of the command line.
    #[arg(long)]
    pub nocligpgcheck: bool,
    /// With --downloadonly or --urls: the named packages alone.
    #[arg(long)]
    pub nodeps: bool,
    /// Do not check signatures and digests of packages.
    #[arg(long)]
    pub nogpgcheck: bool,
    /// Do not check digests of packages.
    #[arg(long)]
    pub skipdigest: bool,
    /// Do not check signatures of packages.
    #[arg(long)]
    pub skipsignature: bool,
}

/// Source packages, for install, repoquery and reposync.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options about source packages")]
pub struct SourceOptions {
    /// Work on source packages.
    #[arg(long)]
    pub source: bool,
}

/// What building needs, for install.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options about source packages")]
pub struct Build {
    /// Install what the named source packages need to be built.
    #[arg(long)]
    pub builddeps: bool,
}

/// Which problems of the solver do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
#[group(skip)]
#[command(next_help_heading = "options about problems")]
pub struct SkipOptions {
    /// Leave out what cannot be found or resolved.
    #[arg(long = "skip-broken")]
    pub broken: bool,
    /// Do not report conflicts.
    #[arg(long = "skipconflicts")]
    pub skipped_conflicts: bool,
    /// Do not report obsoletes.
    #[arg(long = "skipobsoletes")]
    pub skipped_obsoletes: bool,
}

/// Which advisories count, for update and updateinfo.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options about advisories")]
pub struct Advisories {
    /// Only advisories that need a reboot.
    #[arg(long)]
    pub reboot_required: bool,
    /// Only advisories of at least this severity.
    #[arg(long, value_name = "NUMBER")]
    pub sec_severity: Option<String>,
    /// Only security advisories.
    #[arg(long)]
    pub security: bool,
}

/// Scopes of list, info and updateinfo.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "scopes")]
pub struct Scopes {
    /// Every package.
    #[arg(long)]
    pub all: bool,
    /// Packages of late.
    #[arg(long)]
    pub recent: bool,
    /// Newer versions of installed packages.
    #[arg(long)]
    pub updates: bool,
}

/// Scopes that repoquery knows, too.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "scopes")]
pub struct PlaceOptions {
    /// Packages of the repositories.
    #[arg(long)]
    pub available: bool,
    /// Older versions of installed packages.
    #[arg(long)]
    pub downgrades: bool,
    /// Installed packages that no repository has.
    #[arg(long)]
    pub extras: bool,
    /// Newer versions of installed packages.
    #[arg(long)]
    pub upgrades: bool,
}

/// The scope that lock knows, too.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "scopes")]
pub struct InstalledScope {
    /// Installed packages.
    #[arg(long)]
    pub installed: bool,
}

/// Which packages repoquery is about.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options that select packages")]
pub struct SelectOptions {
    /// Packages installed in several versions.
    #[arg(long)]
    pub duplicates: bool,
    /// Packages that own PATH.
    #[arg(long, value_name = "PATH")]
    pub file: Vec<String>,
    /// Packages that were asked for.
    #[arg(long)]
    pub userinstalled: bool,
    /// Packages that conflict with CAP.
    #[arg(long, value_name = "CAP,..")]
    pub whatconflicts: Vec<String>,
    /// Packages that name CAP in any dependency.
    #[arg(long, value_name = "CAP,..")]
    pub whatdepends: Vec<String>,
    /// Packages that enhance CAP.
    #[arg(long, value_name = "CAP,..")]
    pub whatenhances: Vec<String>,
    /// Packages that obsolete CAP.
    #[arg(long, value_name = "CAP,..")]
    pub whatobsoletes: Vec<String>,
    /// Packages that provide CAP.
    #[arg(long, value_name = "CAP,..")]
    pub whatprovides: Vec<String>,
    /// Packages that recommend CAP.
    #[arg(long, value_name = "CAP,..")]
    pub whatrecommends: Vec<String>,
    /// Packages that require CAP.
    #[arg(long, value_name = "CAP,..")]
    pub whatrequires: Vec<String>,
    /// Packages that suggest CAP.
    #[arg(long, value_name = "CAP,..")]
    pub whatsuggests: Vec<String>,
    /// Packages that supplement CAP.
    #[arg(long, value_name = "CAP,..")]
    pub whatsupplements: Vec<String>,
}

/// What repoquery shows.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options that say what is shown")]
pub struct QueryOptions {
    /// Show change logs.
    #[arg(long)]
    pub changelogs: bool,
    /// Show conflicts.
    #[arg(long)]
    pub conflicts: bool,
    /// Show all dependencies.
    #[arg(long)]
    pub depends: bool,
    /// Show enhances.
    #[arg(long)]
    pub enhances: bool,
    /// Show where the packages are: a URL each.
    #[arg(long)]
    pub location: bool,
    /// Show obsoletes.
    #[arg(long)]
    pub obsoletes: bool,
    /// Show provides.
    #[arg(long)]
    pub provides: bool,
    /// Show tags as FORMAT says.
    #[arg(long, value_name = "FORMAT")]
    pub qf: Option<String>,
    /// Show recommends.
    #[arg(long)]
    pub recommends: bool,
    /// Show requires.
    #[arg(long)]
    pub requires: bool,
    /// Show what is required by scriptlets.
    #[arg(long)]
    pub requires_pre: bool,
    /// Show suggests.
    #[arg(long)]
    pub suggests: bool,
    /// Show supplements.
    #[arg(long)]
    pub supplements: bool,
}

/// Lists, for repoquery and updateinfo.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options that say what is shown")]
pub struct ListOption {
    /// Show files; with updateinfo, a line for each advisory.
    #[arg(long)]
    pub list: bool,
}

/// Architectures, for repoquery, reposync and lock.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options that select packages")]
pub struct Arch {
    /// This architecture alone; of lock and image, machines.
    #[arg(long, value_name = "ARCH")]
    pub arch: Vec<String>,
}

/// Addresses, for commands that bring packages in and reposync.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options that show addresses")]
pub struct UrlOptions {
    /// Print the URLs of the packages; fetch and change nothing.
    #[arg(long)]
    pub urls: bool,
}

/// Options of reposync.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "reposync options")]
pub struct ReposyncOptions {
    /// Delete local packages that the repository no longer has.
    #[arg(long)]
    pub delete: bool,
    /// Fetch the metadata, too.
    #[arg(long)]
    pub download_metadata: bool,
    /// Where the packages go.
    #[arg(long, value_name = "DIR")]
    pub download_path: Option<String>,
    /// Delete packages whose signature is not good.
    #[arg(long)]
    pub gpgcheck: bool,
    /// Where the metadata goes.
    #[arg(long, value_name = "DIR")]
    pub metadata_path: Option<String>,
    /// Only the newest version of each package.
    #[arg(long)]
    pub newest_only: bool,
    /// Do not add the repository's id to the path.
    #[arg(long)]
    pub norepopath: bool,
    /// Hash every file that is there again, touched since the last run or not.
    #[arg(long)]
    pub verify: bool,
}

/// How much updateinfo and history show.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options that say what is shown")]
pub struct Detail {
    /// With details.
    #[arg(long)]
    pub info: bool,
    /// Numbers only.
    #[arg(long)]
    pub summary: bool,
}

/// Which transactions history is about.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "ranges")]
pub struct Range {
    /// First transaction of a range.
    #[arg(long, value_name = "ID")]
    pub from: Option<String>,
    /// Newest transaction first.
    #[arg(long)]
    pub reverse: bool,
    /// Last transaction of a range.
    #[arg(long, value_name = "ID")]
    pub to: Option<String>,
}

/// Options of check-installed.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
#[command(next_help_heading = "options of check-installed")]
pub struct Repair {
    /// With check-installed: put right what can be.
    #[arg(long)]
    pub repair: bool,
}

/// Options that are taken and have no effect, as in tdnf.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub struct Ignored {
    /// Was: how much is told.
    #[arg(short, long, hide = true)]
    pub debuglevel: Option<String>,
    /// Was: how many errors are told.
    #[arg(short, hide = true)]
    pub errorlevel: Option<String>,
}

/// The shapes of JSON that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonVersion {
    /// That of tdnf 3.6.
    One,
    /// One document with everything that is told.
    Two,
}

impl JsonVersion {
    fn parse(text: &str) -> Outcome<Self> {
        match text {
            "1" => Ok(Self::One),
            "2" => Ok(Self::Two),
            other => {
                let line = format!("--json-version={other}: the versions are 1 and 2");
                Err(Failure::invalid(line))
            }
        }
    }
}

/// `--setopt KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setopt {
    /// What stands before the first equal sign.
    pub key: String,
    /// What stands behind it.
    pub value: String,
}

impl Setopt {
    /// Reads a pair; blanks around key and value do not count.
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        let (key, value) = text.split_once('=').ok_or(Code::CLI_SETOPT_NO_EQUALS)?;
        Ok(Self {
            key: key.trim().to_owned(),
            value: value.trim().to_owned(),
        })
    }
}

/// A program without options.
pub(super) fn bare() -> Command {
    Command::new("tdnf")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
}

/// Every option, as clap knows them.
pub fn definition() -> Command {
    let all = GROUPS.iter().fold(bare(), |all, define| define(all));
    all.about(Resettable::Reset)
}
