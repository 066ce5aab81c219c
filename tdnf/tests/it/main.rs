//! Integration tests of the tdnf package.

mod cli;
mod interop;
mod interop_binary;
mod interop_lab;
mod interop_memory;
mod interop_rows;
mod threats_files;
mod threats_host;
mod transaction;
