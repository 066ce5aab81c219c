//! What an RPM repository is: `.repo` files, `repomd.xml` and the records it lists.
//!
//! | module | what it knows |
//! |---|---|
//! | [`ini`] | the text form of `.repo` files and `tdnf.conf` |
//! | [`config`] | the keys of these files: [`config::RepoConfig`], [`config::MainConfig`] |
//! | [`vars`] | `$releasever`, `$basearch` and the variable directories |
//! | [`layout`] | which relative paths a repository may name, and where its cache lives |
//! | [`compress`] | decompressing, hashing and verifying readers; the compressing writer |
//! | [`lock`] | lock files: which package files make a set
//! | [`xml`] | the one guarded XML reader all parsers share |
//! | [`delta`] | what of a metadata file has changed since another one |
//! | [`repomd`] | `repomd.xml`, reading and writing |
//! | [`primary`] [`filelists`] [`other`] | per package records, streamed through a callback; filled from headers and written |
//! | [`updateinfo`] [`comps`] [`modules`] | advisories, groups, module documents |
//! | [`mirrorlist`] [`metalink`] | where else a repository is to be had |
//!
//! Invariants: nothing here touches the network, prints, or reads environment or clock. Every size
//! that comes from outside has a named limit. No input makes a function panic.

pub mod compress;
pub mod comps;
pub mod config;
pub mod delta;
mod error;
pub mod filelists;
pub mod ini;
pub mod layout;
pub mod lock;
pub mod metalink;
pub mod mirrorlist;
pub mod modules;
pub mod other;
pub mod primary;
mod record;
pub mod repomd;
mod rule;
pub mod updateinfo;
pub mod vars;
pub mod xml;

pub use error::{Error, Place, Result};
