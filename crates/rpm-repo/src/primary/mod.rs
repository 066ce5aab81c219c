//! `primary.xml`: what every package is, gives and needs.
//!
//! The parser is a pull parser with one [`PrimaryPackage`] that is filled again for every package:
//! all its texts lie in one buffer, so that a repository of 65,000 packages costs no allocation per field.

mod package;
mod parse;

pub use crate::record::Summary;
pub use package::{DepKind, DepRecord, FileKind, FileRecord, PrimaryPackage};
pub use parse::read;
pub(crate) use parse::{epoch, file_kind, size};
