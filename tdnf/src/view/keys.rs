//! Keys as `keys` shows them.

use std::fmt::Write as _;

use rpm_trust::KeyInfo;
use serde::Serialize;

use crate::screen::View;

/// A key of the rpm database, or one that is to come into it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KeyRow {
    /// Its name among packages; none before it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Upper case hex; empty where the key cannot be read.
    pub fingerprint: String,
    /// Primary user id.
    pub user_id: String,
    /// Seconds since 1970.
    pub created: u64,
    /// Seconds since 1970; none: never.
    pub expires: Option<u64>,
    /// What it is good for: `valid`, `expired on 2017-07-25`, `revoked`.
    pub state: String,
    /// Where it was read; none where it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The stored copy that it replaces, and the state of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

impl KeyRow {
    /// The facts of a key as they stand at `now`, seconds since 1970.
    pub fn of(key: &KeyInfo, now: u64) -> Self {
        Self {
            fingerprint: key.fingerprint.to_uppercase(),
            user_id: key.user_id.clone(),
            created: key.created,
            expires: key.expires,
            state: key.state(now),
            ..Self::default()
        }
    }
}

/// A paragraph for each key.
pub struct Keys(pub Vec<KeyRow>);

impl View for Keys {
    fn text(&self, _: usize) -> String {
        let mut text = String::new();
        for row in &self.0 {
            let title = row.package.as_ref().or(row.source.as_ref());
            let _ = writeln!(text, "{}", title.map_or("", String::as_str));
            let digits: Vec<char> = row.fingerprint.chars().collect();
            let groups: Vec<String> = digits.chunks(4).map(String::from_iter).collect();
            let fields = [
                ("User id", row.user_id.as_str()),
                ("Fingerprint", &groups.join(" ")),
                ("State", &row.state),
                ("Replaces", row.replaces.as_deref().unwrap_or_default()),
            ];
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
                let _ = writeln!(text, "    {name:<11} : {value}");
            }
        }
        text
    }

    fn json(&self) -> impl Serialize {
        &self.0
    }
}
