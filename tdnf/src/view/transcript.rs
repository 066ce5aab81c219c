//! What a transaction did, as the JSON document tells it.

use serde::Serialize;

use rpm_transaction::ScriptStream;

use crate::screen::{JsonShape, View};

/// Bytes of one scriptlet's output that are kept.
const MAX_OUTPUT: usize = 1 << 20;

/// One scriptlet that ran.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScriptletRun {
    package: String,
    /// `%pre` and so on.
    script: String,
    /// What it wrote to standard output.
    output: String,
    /// What it wrote to standard error.
    error_output: String,
}

/// A transaction in the order in which things happened.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Transcript {
    /// The system has changed.
    pub committed: bool,
    /// Packages whose files came.
    pub installed: Vec<String>,
    /// Packages whose files went.
    pub removed: Vec<String>,
    /// Scriptlets that ran, those of triggers among them.
    pub scriptlets: Vec<ScriptletRun>,
    /// What went wrong without stopping the transaction.
    pub warnings: Vec<String>,
}

/// The text was said while things happened.
impl View for Transcript {
    const FIELD: &'static str = "Transaction";
    const SINCE: JsonShape = JsonShape::Document;

    fn json(&self) -> impl Serialize {
        self
    }
}

impl Transcript {
    /// A scriptlet begins.
    pub fn script(&mut self, package: &str, script: &str) {
        self.scriptlets.push(ScriptletRun {
            package: package.to_owned(),
            script: script.to_owned(),
            ..ScriptletRun::default()
        });
    }

    /// A scriptlet wrote something. Output beyond a limit is not kept.
    pub fn output(&mut self, package: &str, script: &str, stream: ScriptStream, bytes: &[u8]) {
        let own = |s: &&mut ScriptletRun| s.package == package && s.script == script;
        let Some(scriptlet) = self.scriptlets.iter_mut().rev().find(own) else {
            self.script(package, script);
            return self.output(package, script, stream, bytes);
        };
        let text = match stream {
            ScriptStream::Out => &mut scriptlet.output,
            ScriptStream::Err => &mut scriptlet.error_output,
        };
        if text.len() + bytes.len() <= MAX_OUTPUT {
            text.push_str(&String::from_utf8_lossy(bytes));
        }
    }
}
