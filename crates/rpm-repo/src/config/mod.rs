//! The keys of `tdnf.conf` and of `.repo` files.
//!
//! Every value knows its place ([`RepoConfig::place_of`], [`MainConfig::place_of`]); unknown keys
//! are kept by name so that a tool can mention them, and have no effect. Nor has a value of a file that cannot
//! be read, unless its key checks something: that is an error.

mod keys;
mod main_config;
mod repo;
mod secret;
mod unreadable;
mod value;

pub use keys::EffectiveKey;
pub use main_config::{MAIN_KEYS, MainConfig, MinVersion, read_main_config};
pub use repo::{
    NO_PROXY, REPO_KEYS, RepoConfig, RepoFiles, UnknownVariable, is_harmless, read_repo_dir,
    read_repo_dirs, read_repo_file,
};
pub use secret::Secret;
pub use unreadable::UnreadableValue;
pub use value::{
    IpFamily, ProxyAuth, S3Style, Throttle, WEAK_SIGNATURES, parse_bool, parse_bytes, parse_expire,
    parse_list,
};

#[cfg(test)]
mod tests;
