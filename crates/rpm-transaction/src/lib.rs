//! The transaction: from verified packages to the new system, or back to the old one.
//!
//! The promise (ARCHITECTURE.md, the commit point): whatever stops the program, the next start
//! finds the old system or the new one. How it is kept:
//!
//! 1. [`check()`] reads all headers, decides each file (`files`), looks for conflicts and space.
//!    Nothing has changed so far, and every problem is reported at once.
//! 2. [`stage()`] unpacks payloads into a private directory on each target file system, digests
//!    checked on the way; the journal names every step that will be made (`journal`).
//! 3. [`commit()`] runs scriptlets and moves files into place, element by element; each old file is
//!    first kept under a backup name. Up to here everything can be undone ([`recover()`]).
//! 4. The commit point: the changes of the rpm database are written in **one** sqlite
//!    transaction, between two marks of the journal.
//! 5. Then only forward: backups are deleted, `%posttrans` and transaction file triggers run.
//!
//! The rows of the rpm database are written at the commit point and not before. The architecture
//! allows one sqlite transaction held open all the way; writing at the end has the same result
//! for every reader (a scriptlet that asks `rpm -q` sees the old database) but holds no
//! write lock while foreign code runs, and needs no memory for uncommitted pages.

pub mod scripts;

mod apply;
mod check;
mod commit;
mod cross_device;
mod disk;
mod element;
mod error;
mod event;
mod file_steps;
mod file_triggers;
mod files;
mod generation;
mod installed;
mod journal;
mod label;
mod log;
mod mounts;
mod order;
mod plan;
mod progress;
mod recover;
mod root;
mod rows;
mod running;
mod scriptlets;
mod stage;
mod stages;
mod sysusers;
mod triggers;
mod unpack;

pub use check::{Checked, check};
pub use commit::{Committed, commit};
pub use element::Identity;
pub use element::open_verified;
pub use error::{DEVICE_FAILED, OWNER_FAILED, Problem, TransactionError};
pub use event::{Event, ScriptStream, TransactionObserver, Warning};
pub use generation::Generation;
pub use recover::{Recovery, pending, recover};
pub use root::{CAPABILITY_XATTR, Owners, RootDir, encode_capabilities};
pub use stage::{Staged, stage};
pub use sysusers::make_account;

use std::ffi::OsString;
use std::path::PathBuf;

use rpm_pkg::dep::DepFlags;
use rpm_pkg::script::ScriptletKind;

/// Where the journal lives by default: a directory in the root.
pub const STATE_DIR: &str = "/var/lib/tdnf/transaction";

/// One change that is asked for.
#[derive(Debug)]
pub enum Element {
    /// A package file is installed.
    Install(Install),
    /// An installed package is removed.
    Erase(Erase),
}

/// A package to be installed. It must have been verified: the transaction asks for no signature,
/// but whatever it reads must have the verified [`Identity`], and payload and files the digests
/// that the verified headers name. So the file need not be held open meanwhile: a transaction may
/// have more packages than a process may have descriptors.
#[derive(Debug)]
pub struct Install {
    /// The package file.
    pub path: PathBuf,
    /// What was verified.
    pub identity: Identity,
    /// What the install means for packages of the same name.
    pub mode: Mode,
}

/// What an install means for installed packages of the same name. The erase elements are given
/// by the caller in every case (the solver knows them); the mode allows older and equal versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A new package, or one more version side by side.
    Install,
    /// Replaces an older version.
    Upgrade,
    /// Replaces the same version.
    Reinstall,
    /// Replaces a newer version.
    Downgrade,
}

/// An installed package to be removed.
#[derive(Debug, Clone, Copy)]
pub struct Erase {
    /// Its number in the rpm database.
    pub hnum: u32,
    /// The position in the list of the install that replaces or obsoletes it.
    pub linked_to: Option<usize>,
}

/// How a transaction is to be run.
pub struct Options<'a> {
    /// The time of the transaction, seconds since 1970: INSTALLTID and INSTALLTIME.
    pub now: u64,
    /// Run no scriptlet (tsflags=noscripts).
    pub no_scripts: bool,
    /// Install no documentation (tsflags=nodocs).
    pub no_docs: bool,
    /// Run no trigger of any kind (tsflags=notriggers).
    pub no_triggers: bool,
    /// Kinds of scriptlets that do not run (tsflags=nopre and the like).
    pub left_out_scriptlets: Vec<ScriptletKind>,
    /// Sense bits of triggers that do not run, file triggers among them (tsflags=notriggerin and the like).
    pub left_out_triggers: DepFlags,
    /// Install no configuration files (tsflags=noconfigs).
    pub no_configs: bool,
    /// Install no artifacts of builds (tsflags=noartifacts).
    pub no_artifacts: bool,
    /// Set no file capabilities (tsflags=nocaps).
    pub no_caps: bool,
    /// Set no SELinux labels (tsflags=nocontexts).
    pub no_contexts: bool,
    /// Change the database alone: no file, no scriptlet (tsflags=justdb).
    pub just_db: bool,
    /// Change files alone, with their scriptlets: the database stays as it is (tsflags=nodb).
    pub no_db: bool,
    /// Requires(pretrans) are checked; off: as rpm does with `--nodeps`.
    pub needs_checked: bool,
    /// Install only files of these languages; empty means all (`%_install_langs`).
    pub languages: Vec<String>,
    /// Directories and files below which nothing is touched: another machine keeps them
    /// (`%_netsharedpath`). Absolute, without a slash at the end.
    pub net_shared: Vec<Vec<u8>>,
    /// Do not look at free space.
    pub ignore_space: bool,
    /// Owners, capabilities, labels and devices stay in the rpm database: files belong to this user, a device is an
    /// empty file, and what this user must read or fill later he may. For a tree that becomes an archive.
    pub record_owners: bool,
    /// The machine's architecture, as rpm names it.
    pub arch: String,
    /// The transaction color: 3 where 32 and 64 bit programs live together, else 0.
    pub color: u32,
    /// The rpm whose rules are followed where generations differ.
    pub generation: Generation,
    /// Directory of the journal, as a path in the root.
    pub state_dir: String,
    /// This program: it is started again to run scriptlets in the root.
    pub runner: PathBuf,
    /// The variables that scriptlets may see, chosen by the caller from the user's environment
    /// with [`scripts::allowed_variable`].
    pub environment: Vec<(OsString, OsString)>,
    /// Asked between steps before the commit point; `true` undoes everything.
    pub cancelled: &'a dyn Fn() -> bool,
}

impl Options<'_> {
    /// The usual options at time `now` on `arch`; nothing cancels.
    pub fn new(now: u64, arch: &str) -> Options<'static> {
        Options {
            now,
            no_scripts: false,
            no_docs: false,
            no_triggers: false,
            left_out_scriptlets: Vec::new(),
            left_out_triggers: DepFlags::ANY,
            no_configs: false,
            no_artifacts: false,
            no_caps: false,
            no_contexts: false,
            just_db: false,
            no_db: false,
            needs_checked: false,
            languages: Vec::new(),
            net_shared: Vec::new(),
            ignore_space: false,
            record_owners: false,
            arch: arch.to_owned(),
            color: color_of(arch),
            generation: Generation::Rpm4_18,
            state_dir: STATE_DIR.to_owned(),
            runner: PathBuf::from("/proc/self/exe"),
            environment: Vec::new(),
            cancelled: &|| false,
        }
    }

    /// An error if the transaction is to be undone.
    fn check_cancelled(&self) -> Result<(), TransactionError> {
        match (self.cancelled)() {
            true => Err(TransactionError::Cancelled),
            false => Ok(()),
        }
    }

    /// Whether scriptlets of a kind run.
    fn runs(&self, kind: ScriptletKind) -> bool {
        !(self.no_scripts || self.just_db || self.left_out_scriptlets.contains(&kind))
    }

    /// Whether transaction file triggers run that stand beside scriptlets of this kind: rpm leaves them out with those.
    fn runs_around(&self, kind: ScriptletKind, sense: DepFlags) -> bool {
        self.runs(kind) && self.runs_triggers(sense)
    }

    /// Whether triggers of a sense run: they are scriptlets, too.
    fn runs_triggers(&self, sense: DepFlags) -> bool {
        let left_out = self.left_out_triggers.0 & sense.0 != 0;
        !(self.no_scripts || self.no_triggers || self.just_db || left_out)
    }
}

/// `%_transaction_color` of an architecture (rpm's platform macros).
fn color_of(arch: &str) -> u32 {
    match arch {
        "x86_64" | "amd64" | "x86_64_v2" | "x86_64_v3" | "x86_64_v4" | "aarch64" | "ppc64"
        | "ppc64le" | "s390x" | "riscv64" | "loongarch64" => 3,
        "ia64" => 2,
        _ => 0,
    }
}
