//! createrepo and its friends: makes, changes, merges, checks, compares, signs and asks RPM
//! repositories that lie in directories.
//!
//! | module | what it knows |
//! |---|---|
//! | [`commands`] | what the user types, and what is printed |
//! | [`create`] | a tree of packages becomes a repository |
//! | [`scan`] [`package`] | which files there are; what one of them holds |
//! | [`document`] | primary, filelists, other: written in a thread each |
//! | [`own`] | documents of the last run, taken over as they stand |
//! | [`state`] [`stage`] | what the last run saw; how new repodata take the place of old |
//! | [`repository`] | an existing repository |
//! | [`select`] [`merge`] | documents made of records of existing ones |
//! | `modules` | module metadata of several files in one |
//! | `databases` | documents once again as databases for old yum |
//! | `cache` | checksums that several repositories share |
//! | [`update`] | changing an existing repository's records |
//! | [`check`] | whether a repository is what it says |
//!
//! What createrepo makes is equal, field by field, to what createrepo_c 0.17 makes, but for:
//! - packages that end before their signature header says, whose header digests are wrong, or in the
//!   v3 format are named and refused: they cannot be installed;
//! - Latin-1 characters from A0 to BF in old texts stay, createrepo_c drops them;
//! - by default records of others (comps, updateinfo, ...) stay over a new run, and the metadata of
//!   the run before stay beside the new for readers under way;
//! - no zchunk, no delta packages, no split media.
//!
//! `check` differs from `dnf repoclosure` on rich dependencies: a conditional one is fulfilled when
//! its condition can stay away, and `and` needs both sides.
//!
//! Invariants: a repository is replaced as one or not at all; memory does not grow with the size of
//! the documents; the same tree and options give the same bytes. No network, no libsolv; sqlite for
//! the databases of old yum alone.

mod cache;
pub mod check;
pub mod commands;
pub mod create;
mod databases;
pub mod document;
mod error;
pub mod merge;
mod modules;
pub mod own;
pub mod package;
pub mod repository;
pub mod scan;
pub mod select;
#[cfg(feature = "sign")]
pub mod sign;
pub mod stage;
pub mod state;
pub mod update;

pub use commands::{parser, run};
pub use error::{Error, PackageFault, Result};

/// A 64-bit hash, the same in every run: to know texts again without keeping them.
pub(crate) fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The full name of a package of primary.
pub(crate) fn nevra(package: &rpm_repo::primary::PrimaryPackage) -> String {
    let evr = (package.epoch(), package.version(), package.release());
    nevra_of(package.name(), evr, package.arch())
}

/// The full name of a package of these parts; an epoch of 0 is left out.
pub(crate) fn nevra_of(name: &str, evr: (u32, &str, &str), arch: &str) -> String {
    match evr {
        (0, version, release) => format!("{name}-{version}-{release}.{arch}"),
        (epoch, version, release) => format!("{name}-{epoch}:{version}-{release}.{arch}"),
    }
}
