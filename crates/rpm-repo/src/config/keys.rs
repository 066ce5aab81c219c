//! What the keys of the configuration files are for: what man pages print, and what tells a
//! known key from a mistyped one.

/// A key that has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What counts where it is not set, as it would be written, or in words.
    pub default: &'static str,
    /// What it does, one sentence or two.
    pub about: &'static str,
}

impl Key {
    /// A key with its default and what it does.
    pub const fn new(name: &'static str, default: &'static str, about: &'static str) -> Self {
        Self {
            name,
            default,
            about,
        }
    }
}

/// Whether a table has a key of this name.
pub(super) fn is_named(keys: &[Key], name: &str) -> bool {
    keys.iter().any(|key| key.name == name)
}

/// Every key of `[main]` in `tdnf.conf`.
pub const MAIN_KEYS: &[Key] = &[
    Key::new(
        "reposdir",
        "/etc/yum.repos.d",
        "Directories of .repo files.",
    ),
    Key::new(
        "repodir",
        "/etc/yum.repos.d",
        "The same; the last one in the file wins.",
    ),
    Key::new(
        "cachedir",
        "/var/cache/tdnf",
        "Where metadata and packages are kept.",
    ),
    Key::new("persistdir", "/var/lib/tdnf", "Where the history is."),
    Key::new(
        "gpgcheck",
        "none",
        "Read for the sake of old files and without effect: gpgcheck of a repository counts.",
    ),
    Key::new(
        "installonly_limit",
        "2",
        "How many versions of an install-only package stay.",
    ),
    Key::new(
        "installonlypkgs",
        "none",
        "Names that may be installed in several versions.",
    ),
    Key::new(
        "clean_requirements_on_remove",
        "0",
        "Remove dependencies that are no longer needed together with what needed them.",
    ),
    Key::new("keepcache", "0", "Keep downloaded packages."),
    Key::new("excludepkgs", "none", "Names or globs that are left out."),
    Key::new(
        "minversions",
        "none",
        "NAME=VERSION: lowest versions that may be installed.",
    ),
    Key::new(
        "distroverpkg",
        "system-release(releasever) system-release redhat-release",
        "Capabilities whose version is $releasever.",
    ),
    Key::new("proxy", "none", "URL of a proxy."),
    Key::new("proxy_username", "none", "Its user."),
    Key::new("proxy_password", "none", "Its password."),
    Key::new(
        "sslverify",
        "1",
        "Whether certificates of servers are checked where a repository does not say.",
    ),
    Key::new(
        "plugins",
        "0",
        "Name the plugins that have a conf file. What they do (signed metadata, metalinks) needs no switch.",
    ),
    Key::new(
        "pluginpath",
        "/usr/lib/tdnf-plugins",
        "Where a missing plugin is said to be; nothing is loaded.",
    ),
    Key::new(
        "pluginconfpath",
        "/etc/tdnf/pluginconf.d",
        "Where plugins are switched on and off.",
    ),
    Key::new(
        "varsdir",
        "/etc/tdnf/vars /etc/dnf/vars /etc/yum/vars",
        "Directories of variables.",
    ),
    Key::new(
        "openmax",
        "1024",
        "Read for tdnf.conf files of C tdnf; no scriptlet inherits a file, so no limit is set.",
    ),
    Key::new(
        "lock_timeout",
        "forever",
        "How many seconds to wait for another program that holds a lock.",
    ),
    Key::new(
        "dnf_check_update_compat",
        "0",
        "check-update ends with exit code 100 if there is anything.",
    ),
    Key::new(
        "distrosync_reinstall_changed",
        "0",
        "distro-sync also replaces packages of the same version with other content.",
    ),
];

/// Every key of a section of a `.repo` file.
pub const REPO_KEYS: &[Key] = &[
    Key::new("name", "the id", "Name for people."),
    Key::new(
        "baseurl",
        "none",
        "URLs (http, https, file), tried in order.",
    ),
    Key::new("mirrorlist", "none", "URL of a list of URLs."),
    Key::new("metalink", "none", "URL of a metalink of repomd.xml."),
    Key::new("enabled", "0", "Whether commands use it."),
    Key::new(
        "gpgcheck",
        "1",
        "Whether signatures of packages are checked.",
    ),
    Key::new(
        "repo_gpgcheck",
        "0",
        "Whether the signature of repomd.xml is checked.",
    ),
    Key::new("gpgkey", "none", "file: or https: URLs of keys."),
    Key::new(
        "priority",
        "50",
        "Lower is preferred, whatever the version.",
    ),
    Key::new(
        "skip_if_unavailable",
        "0",
        "Go on without it where it cannot be had.",
    ),
    Key::new(
        "metadata_expire",
        "48h",
        "Seconds, or a number and s, m, h or d; never.",
    ),
    Key::new("username", "none", "User for the server."),
    Key::new("password", "none", "Password for the server."),
    Key::new("timeout", "30", "Seconds without a connection or a byte."),
    Key::new(
        "minrate",
        "0",
        "Bytes per second below which a mirror is given up.",
    ),
    Key::new("throttle", "0", "Most bytes per second."),
    Key::new("retries", "10", "How often a file is tried again."),
    Key::new(
        "sslverify",
        "that of tdnf.conf",
        "Whether the server's certificate is checked.",
    ),
    Key::new(
        "sslcacert",
        "the system's",
        "File of certificates that are trusted.",
    ),
    Key::new("sslclientcert", "none", "Own certificate."),
    Key::new("sslclientkey", "none", "Its key."),
    Key::new("skip_md_filelists", "0", "Do not use file lists."),
    Key::new("skip_md_updateinfo", "0", "Do not use advisories."),
    Key::new("skip_md_other", "0", "Do not use changelogs."),
];
