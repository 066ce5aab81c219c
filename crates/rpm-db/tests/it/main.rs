//! rpm-db against real rpm databases and the real rpm.
#![allow(missing_docs, clippy::unwrap_used)]

mod berkeley;
mod common;
mod damage;
mod fixtures;
mod keys;
mod locks;
mod places;
mod rows;
mod speed;
mod versions;
