//! How the tools talk to people and scripts.
