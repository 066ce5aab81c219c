//! repo-tools against createrepo_c, dnf, rpm and gpg.

mod check;
mod create;
mod killed;
mod lab;
mod others;
mod peers;
#[cfg(feature = "sign")]
mod sign;
mod size;
