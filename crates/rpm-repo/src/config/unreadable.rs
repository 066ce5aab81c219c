//! Values of the wrong kind: which of them stop a run, and what counts where they do not.

use std::fmt;

use super::keys::EffectiveKey;
use crate::error::{Error, Place, Result};

/// Keys that check something. A typo must not switch a check off: their values must be readable.
const CHECKS: &[&str] = &[
    "cligpgcheck",
    "gpgcheck",
    "repo_gpgcheck",
    "gpgkey_fingerprint",
    "weak_signatures",
    "sslverify",
    "ssl_builtin_roots",
    "minversions",
    "snapshottime",
];

/// A line whose value is not of the kind its key wants. It has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableValue {
    /// File and line.
    pub place: Place,
    /// The key.
    pub key: String,
    /// The value as written (cut to a printable length).
    pub value: String,
    /// What would be right.
    pub expected: &'static str,
    /// What counts instead, in words.
    pub instead: String,
}

impl fmt::Display for UnreadableValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnreadableValue {
            place,
            key,
            value,
            expected,
            instead,
        } = self;
        write!(
            f,
            "{place}: {key} = {value}: expected {expected}; {instead} counts"
        )
    }
}

/// What a line of a file came to: nothing to say, or a value that is skipped. `keys` knows the
/// defaults; `earlier` is where the key was given before.
///
/// Errors: every other error, and an unreadable value of a key that checks something.
pub(super) fn pass_over(
    outcome: Result<bool>,
    keys: &[EffectiveKey],
    earlier: Option<&Place>,
) -> Result<Option<UnreadableValue>> {
    match outcome {
        Err(Error::BadValue {
            place,
            key,
            value,
            expected,
        }) if !CHECKS.contains(&key.as_str()) => {
            let default = keys.iter().find(|known| known.name == key);
            let instead = match (earlier, default) {
                (Some(earlier), _) => format!("line {}", earlier.line_number()),
                (None, Some(known)) => format!("the default ({})", known.default),
                (None, None) => "the default".to_owned(),
            };
            Ok(Some(UnreadableValue {
                place,
                key,
                value,
                expected,
                instead,
            }))
        }
        other => other.map(|_| None),
    }
}
