//! Integration tests of the tdnf package.

mod transaction;
