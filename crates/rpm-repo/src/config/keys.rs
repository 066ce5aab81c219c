//! What the keys of the configuration files are for: what man pages print, and what tells a
//! known key from a mistyped one.

/// A key that has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveKey {
    /// Its name.
    pub name: &'static str,
    /// What counts where it is not set, as it would be written, or in words.
    pub default: &'static str,
    /// What it does, one sentence or two.
    pub about: &'static str,
}

impl EffectiveKey {
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
pub(super) fn is_named(keys: &[EffectiveKey], name: &str) -> bool {
    keys.iter().any(|key| key.name == name)
}

/// Every key of `[main]` in `tdnf.conf`.
pub const MAIN_KEYS: &[EffectiveKey] = &[
    EffectiveKey::new(
        "reposdir",
        "/etc/yum.repos.d",
        "Directories of .repo files.",
    ),
    EffectiveKey::new(
        "repodir",
        "/etc/yum.repos.d",
        "The same; the last one in the file wins.",
    ),
    EffectiveKey::new(
        "cachedir",
        "/var/cache/tdnf",
        "Where metadata and packages are kept.",
    ),
    EffectiveKey::new("persistdir", "/var/lib/tdnf", "Where the history is."),
    EffectiveKey::new(
        "gpgcheck",
        "none",
        "Read for the sake of old files and without effect: gpgcheck of a repository counts.",
    ),
    EffectiveKey::new(
        "installonly_limit",
        "2",
        "How many versions of an install-only package stay.",
    ),
    EffectiveKey::new(
        "installonlypkgs",
        "none",
        "Names that may be installed in several versions.",
    ),
    EffectiveKey::new(
        "clean_requirements_on_remove",
        "0",
        "Remove dependencies that are no longer needed together with what needed them.",
    ),
    EffectiveKey::new("keepcache", "0", "Keep downloaded packages."),
    EffectiveKey::new("excludepkgs", "none", "Names or globs that are left out."),
    EffectiveKey::new(
        "minversions",
        "none",
        "NAME=VERSION: lowest versions that may be installed.",
    ),
    EffectiveKey::new(
        "distroverpkg",
        "system-release(releasever) system-release redhat-release",
        "Capabilities whose version is $releasever.",
    ),
    EffectiveKey::new("proxy", "none", "URL of a proxy."),
    EffectiveKey::new("proxy_username", "none", "Its user."),
    EffectiveKey::new("proxy_password", "none", "Its password."),
    EffectiveKey::new(
        "sslverify",
        "1",
        "Whether certificates of servers are checked where a repository does not say.",
    ),
    EffectiveKey::new(
        "plugins",
        "0",
        "Name the plugins that have a conf file. What they do (signed metadata, metalinks) needs no switch.",
    ),
    EffectiveKey::new(
        "pluginpath",
        "/usr/lib/tdnf-plugins",
        "Where a missing plugin is said to be; nothing is loaded.",
    ),
    EffectiveKey::new(
        "pluginconfpath",
        "/etc/tdnf/pluginconf.d",
        "Where plugins are switched on and off.",
    ),
    EffectiveKey::new(
        "varsdir",
        "/etc/tdnf/vars /etc/dnf/vars /etc/yum/vars",
        "Directories of variables.",
    ),
    EffectiveKey::new(
        "openmax",
        "1024",
        "Read for tdnf.conf files of C tdnf; no scriptlet inherits a file, so no limit is set.",
    ),
    EffectiveKey::new(
        "lock_timeout",
        "forever",
        "How many seconds to wait for another program that holds a lock.",
    ),
    EffectiveKey::new(
        "dnf_check_update_compat",
        "0",
        "check-update ends with exit code 100 if there is anything.",
    ),
    EffectiveKey::new(
        "distrosync_reinstall_changed",
        "0",
        "distro-sync also replaces packages of the same version with other content.",
    ),
];

/// Every key of a section of a `.repo` file.
pub const REPO_KEYS: &[EffectiveKey] = &[
    EffectiveKey::new("name", "the id", "Name for people."),
    EffectiveKey::new(
        "baseurl",
        "none",
        "URLs (http, https, file), tried in order.",
    ),
    EffectiveKey::new("mirrorlist", "none", "URL of a list of URLs."),
    EffectiveKey::new("metalink", "none", "URL of a metalink of repomd.xml."),
    EffectiveKey::new("enabled", "0", "Whether commands use it."),
    EffectiveKey::new(
        "gpgcheck",
        "1",
        "Whether signatures of packages are checked.",
    ),
    EffectiveKey::new(
        "repo_gpgcheck",
        "0",
        "Whether the signature of repomd.xml is checked.",
    ),
    EffectiveKey::new("gpgkey", "none", "file: or https: URLs of keys."),
    EffectiveKey::new(
        "priority",
        "50",
        "Lower is preferred, whatever the version.",
    ),
    EffectiveKey::new(
        "skip_if_unavailable",
        "0",
        "Go on without it where it cannot be had.",
    ),
    EffectiveKey::new(
        "metadata_expire",
        "48h",
        "Seconds, or a number and s, m, h or d; never.",
    ),
    EffectiveKey::new("username", "none", "User for the server."),
    EffectiveKey::new("password", "none", "Password for the server."),
    EffectiveKey::new("timeout", "30", "Seconds without a connection or a byte."),
    EffectiveKey::new(
        "minrate",
        "0",
        "Bytes per second below which a mirror is given up.",
    ),
    EffectiveKey::new("throttle", "0", "Most bytes per second."),
    EffectiveKey::new("retries", "10", "How often a file is tried again."),
    EffectiveKey::new(
        "sslverify",
        "that of tdnf.conf",
        "Whether the server's certificate is checked.",
    ),
    EffectiveKey::new(
        "sslcacert",
        "the system's",
        "File of certificates that are trusted.",
    ),
    EffectiveKey::new("sslclientcert", "none", "Own certificate."),
    EffectiveKey::new("sslclientkey", "none", "Its key."),
    EffectiveKey::new("skip_md_filelists", "0", "Do not use file lists."),
    EffectiveKey::new("skip_md_updateinfo", "0", "Do not use advisories."),
    EffectiveKey::new("skip_md_other", "0", "Do not use changelogs."),
];
