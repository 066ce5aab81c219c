//! The options: one table, read by the parser, by `--help` and by completion.

/// Which part of `--help` an option stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Options of every command.
    Common,
    /// repoquery: which packages.
    QuerySelect,
    /// repoquery: what to show.
    Query,
    /// reposync.
    Sync,
    /// list, info, updateinfo: scopes; history: ranges.
    Scope,
    /// Accepted and without effect, as in tdnf.
    Ignored,
    /// Not in tdnf 3.6: never a candidate for an abbreviation that tdnf would resolve.
    New,
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// Long name, without dashes.
    pub long: &'static str,
    /// Its letter, if it has one.
    pub short: Option<char>,
    /// What its value is called; `None` for a flag.
    pub value: Option<&'static str>,
    /// Part of the help.
    pub group: Group,
    /// One line of help.
    pub help: &'static str,
}

const fn flag(long: &'static str, group: Group, help: &'static str) -> OptionSpec {
    OptionSpec {
        long,
        short: None,
        value: None,
        group,
        help,
    }
}

const fn valued(
    long: &'static str,
    value: &'static str,
    group: Group,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        long,
        short: None,
        value: Some(value),
        group,
        help,
    }
}

const fn letter(mut spec: OptionSpec, short: char) -> OptionSpec {
    spec.short = Some(short);
    spec
}

use Group::{Common, Ignored, New, Query, QuerySelect, Scope, Sync};

/// Every option.
pub const OPTIONS: &[OptionSpec] = &[
    flag(
        "alldeps",
        Common,
        "with --downloadonly: fetch dependencies that are installed, too",
    ),
    flag(
        "allowerasing",
        Common,
        "let the solver remove installed packages",
    ),
    flag("assumeno", Common, "show what would be done and answer no"),
    letter(
        flag("assumeyes", Common, "answer yes to every question"),
        'y',
    ),
    letter(flag("best", Common, "only the best version will do"), 'b'),
    flag(
        "builddeps",
        Common,
        "install what the named source packages need to be built",
    ),
    letter(
        flag("cacheonly", Common, "use cached metadata only, however old"),
        'C',
    ),
    letter(
        valued(
            "config",
            "FILE",
            Common,
            "read FILE instead of /etc/tdnf/tdnf.conf",
        ),
        'c',
    ),
    flag(
        "debugsolver",
        Common,
        "keep what the solver saw for a bug report",
    ),
    flag(
        "disableexcludes",
        Common,
        "ignore excludepkgs of the configuration",
    ),
    valued("disableplugin", "GLOB", Common, "switch plugins off"),
    valued(
        "disablerepo",
        "REPO",
        Common,
        "switch repositories off (id or glob)",
    ),
    valued(
        "downloaddir",
        "DIR",
        Common,
        "with --downloadonly: where the packages go",
    ),
    flag(
        "downloadonly",
        Common,
        "fetch and check the packages, change nothing",
    ),
    valued("enableplugin", "GLOB", Common, "switch plugins on"),
    valued(
        "enablerepo",
        "REPO",
        Common,
        "switch repositories on (id or glob)",
    ),
    valued(
        "exclude",
        "NAME,..",
        Common,
        "leave packages out (names or globs)",
    ),
    letter(
        flag(
            "help",
            Common,
            "show this text, or a command's with the command",
        ),
        'h',
    ),
    letter(
        valued("installroot", "DIR", Common, "work on the system below DIR"),
        'i',
    ),
    flag("json", Common, "data as JSON on standard output (-j)"),
    flag(
        "noautoremove",
        Common,
        "keep dependencies that nothing needs any more",
    ),
    flag(
        "nodeps",
        Common,
        "with --downloadonly: the named packages alone",
    ),
    flag(
        "nogpgcheck",
        Common,
        "do not check signatures and digests of packages",
    ),
    flag("noplugins", Common, "switch all plugins off"),
    letter(flag("quiet", Common, "results and errors only"), 'q'),
    flag(
        "reboot-required",
        Common,
        "only advisories that need a reboot",
    ),
    flag(
        "refresh",
        Common,
        "fetch metadata even if it is not expired",
    ),
    valued("releasever", "VERSION", Common, "the value of $releasever"),
    valued(
        "repo",
        "REPO",
        Common,
        "use these repositories only (id or glob)",
    ),
    valued(
        "repofromdir",
        "ID,DIR",
        Common,
        "a repository made of the packages below DIR",
    ),
    valued(
        "repofrompath",
        "ID,URL",
        Common,
        "a repository for this run",
    ),
    valued("repoid", "REPO", Common, "same as --repo"),
    valued(
        "rpmdefine",
        "MACRO",
        Common,
        "an rpm macro, such as \"_dbpath /x\"",
    ),
    valued(
        "rpmverbosity",
        "LEVEL",
        Common,
        "how much the transaction tells",
    ),
    flag("security", Common, "only security advisories"),
    valued(
        "sec-severity",
        "NUMBER",
        Common,
        "only advisories of at least this severity",
    ),
    valued(
        "setopt",
        "KEY=VALUE",
        Common,
        "a configuration value; REPO.KEY for one repository",
    ),
    flag(
        "skip-broken",
        Common,
        "leave out what cannot be found or resolved",
    ),
    flag("skipconflicts", Common, "do not report conflicts"),
    flag("skipdigest", Common, "do not check digests of packages"),
    flag("skipobsoletes", Common, "do not report obsoletes"),
    flag(
        "skipsignature",
        Common,
        "do not check signatures of packages",
    ),
    flag("source", Common, "work on source packages"),
    flag("testonly", Common, "check the transaction, then stop"),
    letter(flag("verbose", Common, "tell more"), 'v'),
    flag("version", Common, "show the version"),
    valued("arch", "ARCH", Sync, "only packages of this architecture"),
    flag(
        "delete",
        Sync,
        "delete local packages that the repository no longer has",
    ),
    flag("download-metadata", Sync, "fetch the metadata, too"),
    valued("download-path", "DIR", Sync, "where the packages go"),
    flag(
        "gpgcheck",
        Sync,
        "delete packages whose signature is not good",
    ),
    valued("metadata-path", "DIR", Sync, "where the metadata goes"),
    flag(
        "newest-only",
        Sync,
        "only the newest version of each package",
    ),
    flag(
        "norepopath",
        Sync,
        "do not add the repository's id to the path",
    ),
    flag("urls", Sync, "print the URLs, fetch nothing"),
    flag("available", QuerySelect, "packages of the repositories"),
    flag(
        "duplicates",
        QuerySelect,
        "packages installed in several versions",
    ),
    flag(
        "extras",
        QuerySelect,
        "installed packages that no repository has",
    ),
    valued("file", "PATH", QuerySelect, "packages that own PATH"),
    flag("installed", QuerySelect, "installed packages"),
    flag(
        "upgrades",
        QuerySelect,
        "newer versions of installed packages",
    ),
    flag("userinstalled", QuerySelect, "packages that were asked for"),
    valued(
        "whatconflicts",
        "CAP,..",
        QuerySelect,
        "packages that conflict with CAP",
    ),
    valued(
        "whatdepends",
        "CAP,..",
        QuerySelect,
        "packages that name CAP in any dependency",
    ),
    valued(
        "whatenhances",
        "CAP,..",
        QuerySelect,
        "packages that enhance CAP",
    ),
    valued(
        "whatobsoletes",
        "CAP,..",
        QuerySelect,
        "packages that obsolete CAP",
    ),
    valued(
        "whatprovides",
        "CAP,..",
        QuerySelect,
        "packages that provide CAP",
    ),
    valued(
        "whatrecommends",
        "CAP,..",
        QuerySelect,
        "packages that recommend CAP",
    ),
    valued(
        "whatrequires",
        "CAP,..",
        QuerySelect,
        "packages that require CAP",
    ),
    valued(
        "whatsuggests",
        "CAP,..",
        QuerySelect,
        "packages that suggest CAP",
    ),
    valued(
        "whatsupplements",
        "CAP,..",
        QuerySelect,
        "packages that supplement CAP",
    ),
    flag("changelogs", Query, "show change logs"),
    flag("conflicts", Query, "show conflicts"),
    flag("depends", Query, "show all dependencies"),
    flag("enhances", Query, "show enhances"),
    flag("list", Query, "show files"),
    flag("obsoletes", Query, "show obsoletes"),
    flag("provides", Query, "show provides"),
    valued("qf", "FORMAT", Query, "show tags as FORMAT says"),
    flag("recommends", Query, "show recommends"),
    flag("requires", Query, "show requires"),
    flag("requires-pre", Query, "show what is required by scriptlets"),
    flag("suggests", Query, "show suggests"),
    flag("supplements", Query, "show supplements"),
    flag("all", Scope, "every package"),
    flag("downgrades", Scope, "older versions of installed packages"),
    valued("from", "ID", Scope, "first transaction of a range"),
    flag("info", Scope, "with details"),
    flag("recent", Scope, "packages of late"),
    flag("reverse", Scope, "newest transaction last"),
    flag("summary", Scope, "numbers only"),
    valued("to", "ID", Scope, "last transaction of a range"),
    flag("updates", Scope, "newer versions of installed packages"),
    letter(valued("debuglevel", "N", Ignored, "no effect"), 'd'),
    valued(
        "forcearch",
        "ARCH",
        New,
        "act as a machine of this architecture",
    ),
    valued(
        "json-version",
        "N",
        New,
        "as --json, in the shape of version N: 1 (that of tdnf 3.6) or 2",
    ),
    valued(
        "lock-timeout",
        "SECONDS",
        New,
        "how long to wait for another run that changes the system (for ever)",
    ),
    flag("repair", New, "with check-installed: put right what can be"),
    flag("nobest", New, "accept older versions (the default)"),
];

/// Letters that stand for an option without a long name: (letter, takes a value). They have no
/// effect, as in tdnf.
pub const BARE_LETTERS: &[(char, bool)] = &[('4', false), ('6', false), ('e', true), ('x', false)];

/// Finds an option by its whole name.
pub fn find(long: &str) -> Option<&'static OptionSpec> {
    OPTIONS.iter().find(|option| option.long == long)
}
