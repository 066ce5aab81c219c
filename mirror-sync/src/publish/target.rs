//! Where snapshots are published: the seam between what is shown when and how a place holds it.
//!
//! [`super::Publisher`] decides what is placed, shown and removed; a [`PublishTarget`] does it.

use crate::error::Result;
use crate::manifest::Manifest;

/// A place that clients read from. A publication is numbered within its channel and repository.
pub(super) trait PublishTarget {
    /// Places the files of a snapshot under its own name. Whatever was left there by a kill is
    /// replaced.
    ///
    /// # Errors
    /// A file is not in the store; the place is full.
    fn place(&self, manifest: &Manifest) -> Result<()>;

    /// Places publication `number`: the snapshot's files and, under paths that it leaves free,
    /// those of `former` publications. Clients see nothing of it yet. When it returns, a crash of
    /// the machine loses none of it.
    ///
    /// # Errors
    /// A file of the snapshot is not in the store; the place is full.
    fn prepare(
        &self,
        channel: &str,
        number: u64,
        manifest: &Manifest,
        former: &mut dyn Iterator<Item = Manifest>,
    ) -> Result<()>;

    /// Lets clients see publication `number`, all of it at once.
    ///
    /// # Errors
    /// The place cannot be written; clients see what they saw.
    fn switch(&self, channel: &str, id: &str, number: u64) -> Result<()>;

    /// Removes the publications before `first`.
    fn prune(&self, channel: &str, id: &str, first: u64) -> Result<()>;

    fn remove(&self, id: &str, stamp: &str) -> Result<()>;

    /// What clients see now: each channel, the number of its publication, and which of these snapshots that is.
    fn shown(&self, id: &str, stamps: &[String]) -> Result<Vec<(String, u64, Option<String>)>>;

    /// Brings every file of a snapshot, and of the publications that show it (channel and number),
    /// back to what the store has; how many were not so.
    fn repair(&self, manifest: &Manifest, shown: &[(&str, u64)]) -> Result<usize>;

    /// Puts a page beside the repositories, if it has changed.
    fn put(&self, path: &str, data: &[u8]) -> Result<()>;
}
