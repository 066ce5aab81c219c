//! Integration tests of the tdnf package.

// The helpers beside the tests may fail the test, too, and say what they measured.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod aarch64;
mod adversary;
mod audit;
mod cases;
mod cli;
mod compat;
mod crash;
mod growth;
mod huge;
mod image;
mod interop;
mod interop_binary;
mod interop_lab;
mod interop_memory;
mod interop_rows;
mod manual;
mod registry;
mod release;
mod samples;
mod scene;
mod scene_repo;
mod scene_rpm;
mod signatures;
mod stores;
mod threats_db;
mod threats_files;
mod threats_host;
mod threats_links;
mod threats_locks;
mod threats_net;
mod threats_process;
mod threats_rootless;
mod threats_scripts;
mod threats_trust;
mod threats_words;
mod transaction;
mod worlds;
