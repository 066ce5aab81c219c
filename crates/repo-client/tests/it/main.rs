//! Against a server that misbehaves, a real nginx, and real TLS.

// The helpers beside the tests may fail the test, too.
#![allow(clippy::unwrap_used)]

mod coded;
mod fixture;
mod metadata;
mod packages;
mod registry;
mod registry_logins;
mod resume;
mod spread;
mod store_faults;
mod store_keys;
mod stores;
mod tls;
mod ways;
