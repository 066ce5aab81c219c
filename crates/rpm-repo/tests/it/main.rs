//! rpm-repo against real input and real tools.

// Clippy knows only functions marked #[test] as tests; these are helpers of tests as well.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod created;
mod deltas;
mod fixtures;
mod module_index;
mod mutated;
mod real;
mod repo_files;
mod rows;
mod short_way;
