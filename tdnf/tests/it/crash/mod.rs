//! The promise of the commit point, tried: one upgrade of five packages with scriptlets, triggers and configuration
//! files is killed, cut off from power, refused by the disk and interrupted at every call that changes something. The
//! next start finds the old system or the new one.
//!
//! By default a sample runs; with `TDNF_CRASH=all` every point, with `TDNF_CRASH=100-120` these (CONTRIBUTING.md).

mod disk;
mod faults;
mod full;
mod history;
mod kill;
mod power;
mod race;
mod signals;
mod site;
mod specs;
mod tally;
