//! Where snapshots are published: the seam between what is shown when and how a place holds it.
//!
//! [`super::Publisher`] decides what is placed, shown and removed; a [`PublishTarget`] does it.

use serde::Serialize;

use crate::error::Result;
use crate::manifest::Manifest;

/// A place that clients read from. A publication is numbered within its channel and repository.
pub(super) trait PublishTarget {
    /// Places the files of a snapshot under its own name. Whatever was left there by a kill is
    /// replaced, or gone on with. Clients see nothing of it yet.
    ///
    /// # Errors
    /// A file is not in the store; the place is full, or cannot be reached.
    fn place(&self, manifest: &Manifest) -> Result<()>;

    /// Lets the clients of a channel see publication `number`, a snapshot that was placed, all of it at once.
    ///
    /// # Errors
    /// The place cannot be written; clients see what they saw.
    fn switch(&self, channel: &str, manifest: &Manifest, number: u64) -> Result<()>;

    /// Puts a page beside the repositories, if it has changed.
    fn put(&self, path: &str, data: &[u8]) -> Result<()>;
}

/// One on another server.
pub(super) trait RemoteTarget: PublishTarget {
    /// Removes the snapshots of a repository that are not among those `kept`, and all that only they name.
    fn keep(&self, id: &str, kept: &[Manifest]) -> Result<()>;

    /// What was written and asked so far.
    fn sent(&self) -> Sent;
}

/// What was sent to a place on another server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Sent {
    /// Files and manifests written.
    pub(crate) objects: u64,
    /// Bytes of them.
    pub(crate) bytes: u64,
    /// Requests of all kinds.
    pub(crate) requests: u64,
}
