//! What an RPM package is: header, payload, NEVRA, EVR, dependencies, files, scriptlets.
//!
//! Everything here works on bytes that an attacker may have written: sizes are limited by named
//! constants, arithmetic is checked, and no input can cause a panic. The rules come from rpm's
//! source (4.14 to 6.1) and from experiments with real rpm; each module names them.
//!
//! The way of a package file: [`package::Package::open`] reads and checks both headers;
//! [`package::Package::verify_header_digests`] and [`package::Package::signatures`] give what a
//! trust policy needs; [`package::Package::into_payload`] streams the files, each checked against
//! the header; [`payload::Payload::finish`] gives the payload digests, judged by
//! [`package::payload_passes`]. [`header::DatabaseHeader`] makes the record that goes into rpm's
//! database, byte for byte as real rpm makes it.

mod table;

pub mod dep;
pub mod digest;
pub mod error;
pub mod evr;
pub mod files;
pub mod glob;
pub mod header;
pub mod macros;
pub mod nevra;
pub mod package;
pub mod payload;
pub mod script;

pub use error::{EntryProblem, HeaderError};
pub use files::FilesError;
pub use package::PackageError;
pub use payload::PayloadError;
