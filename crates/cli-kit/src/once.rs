//! What is said once.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The lines that a run has said: of those that come up again and again each is said once.
#[derive(Debug, Default)]
pub struct SaidOnce(Mutex<BTreeSet<String>>);

impl SaidOnce {
    /// Whether this comes up for the first time; from now on it does not.
    pub fn is_first(&self, what: &str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.insert(what.to_owned())
    }
}
