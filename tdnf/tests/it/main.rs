//! Integration tests of the tdnf package.

mod cli;
mod scene;
mod scene_repo;
mod scene_rpm;
mod threats_net;
mod threats_trust;
mod transaction;
