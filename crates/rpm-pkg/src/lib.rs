//! What an RPM package is: header, payload, NEVRA, EVR, dependencies, files, scriptlets.
//!
//! Everything here works on bytes that an attacker may have written: sizes are limited by named
//! constants, arithmetic is checked, and no input can cause a panic. The rules come from rpm's
//! source (4.14 to 6.1) and from experiments with real rpm; each module names them.

pub mod dep;
pub mod digest;
pub mod error;
pub mod evr;
pub mod files;
pub mod header;
pub mod nevra;
pub mod package;
pub mod payload;
pub mod script;

pub use error::{EntryProblem, Error, HeaderError};
pub use files::FilesError;
pub use package::PackageError;
pub use payload::PayloadError;
