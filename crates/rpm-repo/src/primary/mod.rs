//! `primary.xml`: what every package is, gives and needs.
//!
//! The parser is a pull parser with one [`PrimaryPackage`] that is filled again for every package:
//! all its texts lie in one buffer, so that a repository of 65,000 packages costs no allocation per field.

mod header;
mod package;
mod parse;
mod whole;
mod write;

pub use crate::record::{LeftOut, LeftOutNote, ParseSummary};
pub use header::{FileFacts, is_primary};
pub use package::{DEP_LISTS, DepRecord, FileKind, FileRecord, PrimaryPackage};
pub use parse::read;
pub(crate) use parse::{epoch, file_kind, size};
pub(crate) use whole::file as written_file;
pub(crate) use write::push_file;
pub use write::{END, begin, write_package};
