//! What stands in the files that tdnf reads.

use rpm_repo::config::{EffectiveKey, MAIN_KEYS, REPO_KEYS};
use tdnf::programs::AUTOMATIC_KEYS;

/// A file format.
pub(crate) struct Format {
    /// Name of the page.
    pub(crate) name: &'static str,
    /// One line.
    pub(crate) about: &'static str,
    /// Paragraphs.
    pub(crate) text: &'static [&'static str],
    /// What may stand in it.
    pub(crate) keys: &'static [EffectiveKey],
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
        keys: MAIN_KEYS,
    },
    Format {
        name: "tdnf.repo",
        about: "repositories of tdnf",
        text: &[
            "Every section of every *.repo file in the directories of reposdir (/etc/yum.repos.d) is a repository; its name is the id.",
            "In name, baseurl, mirrorlist, metalink and gpgkey the variables $releasever, $basearch and those of vars directories are replaced.",
            "Every key can also be given for one run by --setopt=REPO.KEY=VALUE, where REPO is an id or a glob.",
        ],
        keys: REPO_KEYS,
    },
    Format {
        name: "tdnf-automatic.conf",
        about: "configuration of tdnf-automatic",
        text: &[
            "/etc/tdnf/automatic.conf says what tdnf-automatic does when its timer starts it. It has the sections [commands], [emitter] and [base].",
        ],
        keys: AUTOMATIC_KEYS,
    },
];
