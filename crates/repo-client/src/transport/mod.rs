//! Ways to a file: HTTP(S) and the local file system.

pub(crate) mod coding;
pub(crate) mod file;
pub(crate) mod http;
pub(crate) mod place;
