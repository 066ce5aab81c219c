//! Integration tests of the tdnf package.

mod cli;
mod interop;
mod interop_binary;
mod interop_lab;
mod interop_memory;
mod interop_rows;
mod scene;
mod scene_repo;
mod scene_rpm;
mod threats_files;
mod threats_host;
mod threats_net;
mod threats_trust;
mod transaction;
