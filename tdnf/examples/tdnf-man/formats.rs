//! What stands in the files that tdnf reads.

/// A file format.
pub(crate) struct Format {
    /// Name of the page.
    pub(crate) name: &'static str,
    /// One line.
    pub(crate) about: &'static str,
    /// Paragraphs.
    pub(crate) text: &'static [&'static str],
    /// Key, default, meaning.
    pub(crate) keys: &'static [(&'static str, &'static str, &'static str)],
}

/// Every format with a page.
pub(crate) const ALL: &[Format] = &[
    Format {
        name: "tdnf.conf",
        about: "configuration of tdnf",
        text: &[
            "/etc/tdnf/tdnf.conf has one section, [main], with lines KEY=VALUE. Lines that begin with # are comments. Lists are separated by spaces or commas. Booleans are 1, 0, yes, no, true, false, on, off.",
            "Every key can also be given for one run by --setopt=KEY=VALUE.",
            "Beside the file stand directories: locks.d (names of packages whose version stays), protected.d (names that are never removed), minversions.d (NAME=VERSION, lowest version), vars (a file for each variable, its first line the value), pluginconf.d.",
        ],
        keys: MAIN,
    },
    Format {
        name: "tdnf.repo",
        about: "repositories of tdnf",
        text: &[
            "Every section of every *.repo file in the directories of reposdir (/etc/yum.repos.d) is a repository; its name is the id.",
            "In name, baseurl, mirrorlist, metalink and gpgkey the variables $releasever, $basearch and those of vars directories are replaced.",
            "Every key can also be given for one run by --setopt=REPO.KEY=VALUE, where REPO is an id or a glob.",
        ],
        keys: REPO,
    },
    Format {
        name: "tdnf-automatic.conf",
        about: "configuration of tdnf-automatic",
        text: &[
            "/etc/tdnf/automatic.conf says what tdnf-automatic does when its timer starts it. It has the sections [commands], [emitter] and [base].",
        ],
        keys: AUTOMATIC,
    },
];

const MAIN: &[(&str, &str, &str)] = &[
    (
        "reposdir",
        "/etc/yum.repos.d",
        "Directories of .repo files.",
    ),
    (
        "repodir",
        "/etc/yum.repos.d",
        "The same; the last one in the file wins.",
    ),
    (
        "cachedir",
        "/var/cache/tdnf",
        "Where metadata and packages are kept.",
    ),
    ("persistdir", "/var/lib/tdnf", "Where the history is."),
    (
        "gpgcheck",
        "1",
        "Whether signatures of packages are checked where a repository does not say.",
    ),
    (
        "installonly_limit",
        "2",
        "How many versions of an install-only package stay.",
    ),
    (
        "installonlypkgs",
        "none",
        "Names that may be installed in several versions.",
    ),
    (
        "clean_requirements_on_remove",
        "0",
        "Remove dependencies that nobody needs together with what needed them.",
    ),
    ("keepcache", "0", "Keep downloaded packages."),
    (
        "lock_timeout",
        "for ever",
        "How many seconds to wait for another program that holds a lock.",
    ),
    ("excludepkgs", "none", "Names or globs that are left out."),
    (
        "minversions",
        "none",
        "NAME=VERSION: lowest versions that may be installed.",
    ),
    (
        "distroverpkg",
        "system-release(releasever) system-release redhat-release",
        "Capabilities whose version is $releasever.",
    ),
    ("proxy", "none", "URL of a proxy."),
    ("proxy_username", "none", "Its user."),
    ("proxy_password", "none", "Its password."),
    (
        "sslverify",
        "1",
        "Whether certificates of servers are checked where a repository does not say.",
    ),
    ("plugins", "0", "Whether repogpgcheck and metalink are on."),
    (
        "pluginpath",
        "none",
        "Read and without meaning: nothing is loaded.",
    ),
    (
        "pluginconfpath",
        "/etc/tdnf/pluginconf.d",
        "Where plugins are switched on and off.",
    ),
    (
        "varsdir",
        "/etc/tdnf/vars /etc/dnf/vars /etc/yum/vars",
        "Directories of variables.",
    ),
    (
        "openmax",
        "1024",
        "Limit of open files in a root without /proc.",
    ),
    (
        "dnf_check_update_compat",
        "0",
        "check-update ends with exit code 100 if there is anything.",
    ),
    (
        "distrosync_reinstall_changed",
        "0",
        "distro-sync also replaces packages of the same version with other content.",
    ),
];

const REPO: &[(&str, &str, &str)] = &[
    ("name", "the id", "Name for people."),
    (
        "baseurl",
        "none",
        "URLs (http, https, file), tried in order.",
    ),
    ("mirrorlist", "none", "URL of a list of URLs."),
    ("metalink", "none", "URL of a metalink of repomd.xml."),
    ("enabled", "0", "Whether commands use it."),
    (
        "gpgcheck",
        "1",
        "Whether signatures of packages are checked.",
    ),
    (
        "repo_gpgcheck",
        "0",
        "Whether the signature of repomd.xml is checked.",
    ),
    ("gpgkey", "none", "file: or https: URLs of keys."),
    (
        "priority",
        "50",
        "Lower is preferred, whatever the version.",
    ),
    (
        "skip_if_unavailable",
        "0",
        "Go on without it where it cannot be had.",
    ),
    (
        "metadata_expire",
        "48h",
        "Seconds, or a number and s, m, h or d; never.",
    ),
    ("username", "none", "User for the server."),
    ("password", "none", "Password for the server."),
    ("timeout", "30", "Seconds without a connection or a byte."),
    (
        "minrate",
        "0",
        "Bytes per second below which a mirror is given up.",
    ),
    ("throttle", "0", "Most bytes per second."),
    ("retries", "10", "How often a file is tried again."),
    (
        "sslverify",
        "that of tdnf.conf",
        "Whether the server's certificate is checked.",
    ),
    (
        "sslcacert",
        "the system's",
        "File of certificates that are trusted.",
    ),
    ("sslclientcert", "none", "Own certificate."),
    ("sslclientkey", "none", "Its key."),
    ("skip_md_filelists", "0", "Do not use file lists."),
    ("skip_md_updateinfo", "0", "Do not use advisories."),
    ("skip_md_other", "0", "Do not use changelogs."),
];

const AUTOMATIC: &[(&str, &str, &str)] = &[
    ("upgrade_type", "all", "all or security."),
    (
        "random_sleep",
        "0",
        "Most seconds to wait before it begins.",
    ),
    (
        "network_online_timeout",
        "60",
        "Seconds to wait for the network.",
    ),
    ("show_updates", "yes", "Report what could be updated."),
    ("apply_updates", "no", "Install it."),
    ("system_name", "the host's name", "Name in reports."),
    ("emit_to_stdio", "yes", "Report on standard output."),
    ("emit_to_file", "none", "Report into this file."),
    (
        "tdnf_conf",
        "/etc/tdnf/tdnf.conf",
        "Configuration for the runs.",
    ),
];
