//! repo-tools against createrepo_c, dnf, rpm and gpg.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod blocks;
mod check;
mod create;
mod databases;
mod deltas;
mod guide;
mod hostile;
mod killed;
mod lab;
mod links;
mod log;
mod names;
mod namesake;
mod others;
mod peers;
#[cfg(feature = "sign")]
mod sign;
mod size;
mod strangers;
mod typed;
