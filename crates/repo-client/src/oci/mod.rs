//! Registries (`oci://`): repositories of packages as artifacts of the OCI distribution specification.
//!
//! | module | what it knows |
//! |---|---|
//! | [`address`] [`manifest`] | how a URL, and how an artifact is written |
//! | [`challenge`] [`login_files`] | what a registry wants to be told, and where logins stand |
//! | [`talk`] [`send`] | a request with its login; what it carries, and redirects |
//! | [`shelf`] [`registry`] | what is read: the blob that a file is; what is written |

pub(crate) mod address;
mod challenge;
mod login_files;
mod manifest;
mod registry;
mod send;
pub(crate) mod shelf;
mod talk;

pub use manifest::ArtifactFile;
pub use registry::{Artifact, BlobFile, Registry, Sent};
