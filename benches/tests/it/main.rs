//! The guard of instruction counts.

#[path = "../../src/generated.rs"]
mod generated;
mod guard;
mod scene;
