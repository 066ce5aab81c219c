//! From URL to verified file, from repository to refreshed metadata.
//!
//! The only crate that speaks HTTP and the only one with async inside; its public functions
//! block, and tell an [`Observer`] what happens meanwhile. [`refresh`] brings repositories up to
//! date; [`fetch`] gets files, resumed and checked while they stream; [`transfer`] gets many files from
//! many mirrors; a [`Bucket`] is written. Nothing here reads the environment or the clock.

mod auth_header;
mod client;
mod dns;
mod error;
mod event;
mod evidence;
mod html;
mod limit;
mod oci;
mod options;
mod path;
mod patience;
mod ranges;
mod redact;
mod refresh;
mod request;
mod s3;
#[cfg(test)]
mod tests;
mod tls;
pub mod transfer;
mod transport;
mod wire;

pub use auth_header::{is_in_clear, is_open_to_all};
pub use client::Client;

pub use error::{
    CODE_CURL_BASE, CODE_HTTP_STATUS, Cause, Error, Failure, Result, SignatureFault, Spared,
    TlsFault, going_on, server_name,
};
pub use event::{Event, LimitKind, Observer, Silent};
pub use evidence::evidence;
pub use oci::{Artifact, ArtifactFile, BlobFile, Registry, Sent};
pub use options::{
    Access, CA_BUNDLES, CaEnvironment, ClientOptions, DEFAULT_MIN_RATE, DEFAULT_RETRIES,
    DEFAULT_TIMEOUT, Proxy, ProxyEnvironment, RegistryLogins, Route, S3Access, S3Environment, Tls,
};
pub use path::{IN_PATH, MAX_NAME, create_parents, free_space, join_below, require_space};
pub use patience::Waiting;
pub use redact::{redact, redact_in, without_login};
pub use refresh::{
    DetachedCheck, MetadataSet, OlderMetadata, PartFile, RepoRefresh, SmallFile, fetch_small,
    join_url, keyring_check, part_limit, refresh, resolve_url,
};
pub use request::{FetchedFile, FileRequest};
pub use s3::{Bucket, PutOptions, StoredObject, Unfinished, Upload};
pub use tls::BUILTIN_ROOTS_USED;
pub use transfer::{TransferLimits, fetch, fetch_each};
pub use transport::file::file_url_path;
