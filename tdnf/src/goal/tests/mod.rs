mod scenarios;
mod snapshots;
pub(crate) mod stage;
