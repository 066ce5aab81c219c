//! Integration tests of the tdnf package.

mod cli;
mod transaction;
