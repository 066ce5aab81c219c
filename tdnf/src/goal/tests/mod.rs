mod scenarios;
pub(crate) mod stage;
