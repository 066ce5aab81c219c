//! mirror-sync against servers that misbehave, rpmbuild, createrepo_c, dnf, tdnf, gpg and nginx.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod adversary;
mod atomic;
mod bundles;
mod clients;
mod deltas;
mod faults;
mod gap;
mod guards;
mod guide;
mod lab;
mod links;
mod log;
mod made;
mod odd;
mod parts;
mod proxied;
mod requests;
mod scene;
mod selection;
mod serving;
mod slow;
mod snapshots;
mod transfer;
mod unfinished;
mod ways;
