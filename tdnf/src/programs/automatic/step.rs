//! One step of `tdnf` for `tdnf-automatic`, and what its JSON document says of it (docs/json.md).

use serde::Deserialize;
use serde_json::Value;

use super::Ran;
use crate::error::Code;

/// Errors of a network that is not there (yet): curl's numbers for no host name, no connection, no
/// answer in time and no proxy.
const UNREACHABLE: [u32; 4] = [6, 7, 28, 97];

/// How a step ended, and with what.
#[derive(Default)]
pub(super) struct Step {
    pub(super) code: u8,
    /// The data of version 1.
    pub(super) data: Value,
    /// Repositories whose metadata could not be had.
    pub(super) unread: Vec<Unread>,
    error: Option<Problem>,
    /// Standard error: warnings, details and hints.
    said: String,
}

/// A repository whose metadata could not be had, and the number of the reason.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Unread {
    repo: String,
    number: u32,
}

impl Unread {
    /// Whether the network did not reach it.
    pub(super) fn is_unreachable(&self) -> bool {
        let mut numbers = UNREACHABLE.into_iter();
        numbers.any(|curl| Code::transfer(curl).0 == self.number)
    }
}

/// The fields of the document that count here.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Document {
    data: Value,
    unread_repos: Vec<Unread>,
    error: Option<Problem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Problem {
    number: u32,
    message: String,
    details: Vec<String>,
}

impl Step {
    /// What a run of `tdnf --json-version=2` did; without a document it failed.
    pub(super) fn of(ran: Ran) -> Self {
        let read = serde_json::from_str(&ran.out);
        let (code, document) = match read {
            Ok(document) => (ran.code, document),
            Err(_) => (ran.code.max(1), Document::default()),
        };
        Self {
            code,
            data: document.data,
            unread: document.unread_repos,
            error: document.error,
            said: ran.err,
        }
    }

    /// The repositories whose metadata could not be had.
    pub(super) fn unread_names(&self) -> Vec<String> {
        let names = self.unread.iter().map(|unread| unread.repo.clone());
        names.collect()
    }

    /// Who holds the lock that the step did not get.
    pub(super) fn lock_holder(&self) -> Option<&str> {
        let error = self.error.as_ref()?;
        let line = error.details.first()?.trim_start_matches("Error: ");
        (error.number == Code::LOCKED.0).then_some(line)
    }

    /// The warnings of a step that succeeded.
    pub(super) fn warnings(&self) -> impl Iterator<Item = &str> {
        let said = self.said.lines().filter(|_| self.code == 0);
        said.filter(|line| line.to_ascii_lowercase().starts_with("warning:"))
    }

    /// The lines that tdnf prints for people when it fails this way.
    pub(super) fn lines(&self) -> String {
        let mut lines: Vec<String> = self.said.lines().map(str::to_owned).collect();
        if let Some(Problem {
            number, message, ..
        }) = &self.error
        {
            let hints = lines.iter().position(|line| line.starts_with("Hint: "));
            let line = format!("Error({number}) : {message}");
            lines.insert(hints.unwrap_or(lines.len()), line);
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}
