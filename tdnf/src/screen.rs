//! What a command shows, rendered for the mode of the run: the one place that knows the versions
//! of JSON (docs/json.md).

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cli_kit::{OutputMode, Printer, Traffic, TrafficSum};
use serde::Serialize;

use crate::error::{Failure, Outcome};
use crate::typed::told;
use cli_kit::with_options;

/// The version of the document.
const DOCUMENT_VERSION: u32 = 2;

/// Which JSON a run prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum JsonShape {
    /// None: text.
    #[default]
    None,
    /// Version 1: the bare data.
    Bare,
    /// Version 2: one document with everything.
    Document,
}

/// What a command shows, as text and as JSON.
pub trait View {
    /// The field of the document that it is.
    const FIELD: &'static str = "Data";
    /// The first shape of JSON that has it.
    const SINCE: JsonShape = JsonShape::Bare;
    /// Whether `-q` leaves the text out.
    const QUIETED: bool = false;

    /// The text for a screen of so many columns, each line ended; none where all was said while it
    /// happened.
    fn text(&self, _columns: usize) -> String {
        String::new()
    }

    /// The JSON.
    fn json(&self) -> impl Serialize;
}

/// The printer, and how views are shown on it.
pub struct Screen {
    printer: Printer,
    shape: JsonShape,
    /// The options with which commands are written that readers may paste.
    options: String,
    /// What the run fetches.
    pub traffic: Traffic,
    /// The line on it was printed.
    traffic_told: AtomicBool,
    /// What was warned of: an error for the same reason does not say it again.
    warned: Mutex<Vec<String>>,
    /// What the document will hold, by name.
    fields: Mutex<serde_json::Map<String, serde_json::Value>>,
}

impl Deref for Screen {
    type Target = Printer;

    fn deref(&self) -> &Printer {
        &self.printer
    }
}

impl Screen {
    /// The process's own streams. `mode.json` follows from the shape.
    pub fn standard(mode: OutputMode, shape: JsonShape) -> Self {
        Self::on(Printer::standard(with(mode, shape)), shape)
    }

    /// The same for text alone, neither quiet nor verbose.
    pub fn plain() -> Self {
        Self::standard(OutputMode::default(), JsonShape::None)
    }

    /// A screen that keeps everything, for tests.
    pub fn recording(mode: OutputMode, shape: JsonShape) -> Self {
        Self::on(Printer::recording(with(mode, shape)), shape)
    }

    fn on(printer: Printer, shape: JsonShape) -> Self {
        Self {
            printer,
            shape,
            options: String::new(),
            traffic: Traffic::default(),
            traffic_told: AtomicBool::new(false),
            warned: Mutex::default(),
            fields: Mutex::default(),
        }
    }

    /// The same screen for a run about the system and the repositories of these options.
    #[must_use]
    pub fn about(self, options: String) -> Self {
        Self { options, ..self }
    }

    /// A line on stderr, without secrets. A command in it can be pasted: it has the options of the run that say which
    /// system it is about.
    pub fn err(&self, line: &str) {
        if let Some(what) = line.strip_prefix("warning: ") {
            self.warned().push(what.to_owned());
        }
        self.printer.err(&self.talk(line));
    }

    fn warned(&self) -> MutexGuard<'_, Vec<String>> {
        self.warned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a warning has said this, alone or with what became of it behind it.
    fn has_warned(&self, line: &str) -> bool {
        let says = |what: &String| {
            let rest = what.strip_prefix(line);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("; "))
        };
        self.warned().iter().any(says)
    }

    fn talk(&self, line: &str) -> String {
        with_options("tdnf", &told(line), &self.options)
    }

    /// Shows a view as the run wants it. What was fetched for it is said before it: scripts read data to their end.
    pub fn show<V: View>(&self, view: &V) {
        if !V::QUIETED {
            self.tell_traffic();
        }
        match self.shape {
            JsonShape::None if V::QUIETED => {
                self.info(view.text(self.width()).trim_end_matches('\n'));
            }
            JsonShape::None => self.crit_part(&view.text(self.width())),
            shape if shape < V::SINCE => {}
            JsonShape::Bare => self.printer.json(&view.json()),
            JsonShape::Document => self.field(V::FIELD, &view.json()),
        }
    }

    /// Shows a view that the document alone has.
    pub fn record<V: View>(&self, view: &V) {
        if self.shape == JsonShape::Document {
            self.field(V::FIELD, &view.json());
        }
    }

    /// That nothing was found is the error `none`; version 1 of JSON has an empty answer alone.
    pub fn nothing_found(&self, none: impl Into<Failure>) -> Outcome<()> {
        match self.shape {
            JsonShape::Bare => Ok(()),
            JsonShape::None | JsonShape::Document => Err(none.into()),
        }
    }

    /// Shows why a run stops: remarks on stdout, details, error line and hints on stderr; in JSON
    /// the error on stdout and on stderr the details, or remarks where there are none. Benign ends show their bare text.
    pub fn show_failure(&self, failure: &Failure) {
        for line in &failure.remarks {
            match self.shape {
                JsonShape::None => self.crit(&told(line)),
                _ if failure.details.is_empty() => self.err(line),
                _ => {}
            }
        }
        self.show_details(failure);
        let text = failure.code.text();
        match self.shape {
            JsonShape::None if failure.code.is_benign() => self.err(&text),
            JsonShape::None => self.err(&format!("Error({}) : {text}", failure.code.0)),
            _ if failure.code.is_benign() => {}
            JsonShape::Bare => self.printer.json(&BareError {
                number: failure.code.0,
                message: &text,
            }),
            JsonShape::Document => {
                let details = match failure.details.is_empty() {
                    true => &failure.remarks,
                    false => &failure.details,
                };
                let error = DetailedError {
                    number: failure.code.0,
                    message: &text,
                    details: details.iter().map(|line| told(line)).collect(),
                    hints: failure.hints.iter().map(|line| self.talk(line)).collect(),
                };
                self.field("Error", &error);
            }
        }
        self.show_hints(failure);
    }

    /// What to do next.
    pub fn show_hints(&self, failure: &Failure) {
        for line in &failure.hints {
            self.err(&format!("Hint: {line}"));
        }
    }

    /// What happened, without number and hints.
    pub fn show_details(&self, failure: &Failure) {
        for line in &failure.details {
            if !self.has_warned(line) {
                self.err(line);
            }
        }
    }

    /// The exit code of a run; shows why it stopped, if it did.
    pub fn end(&self, outcome: Outcome<u8>) -> u8 {
        outcome.unwrap_or_else(|failure| {
            self.show_failure(&failure);
            failure.exit_code()
        })
    }

    /// Says once what the run has fetched: before data, before a transaction, or at the end.
    pub fn tell_traffic(&self) {
        if let Some(sum) = self.traffic.sum()
            && !self.traffic_told.swap(true, Ordering::Relaxed)
        {
            self.info(&sum.line());
        }
    }

    /// Ends the output of a run: says what was fetched, and prints the document where one was asked for, as one line.
    pub fn close(&self, command: Option<&str>, code: u8) {
        self.tell_traffic();
        if self.shape != JsonShape::Document {
            return;
        }
        if let Some(sum) = self.traffic.sum() {
            self.field("Fetched", &Fetched::from(sum));
        }
        self.field("Version", &DOCUMENT_VERSION);
        self.field("Command", &command);
        self.field("ExitCode", &code);
        let fields = std::mem::take(&mut *self.fields());
        self.printer.json_line(&fields);
    }

    /// Keeps a line for the document's `Notes`.
    pub fn note(&self, line: &str) {
        if self.shape == JsonShape::Document {
            let line = self.talk(line).into();
            let mut fields = self.fields();
            let none = || serde_json::Value::Array(Vec::new());
            let notes = fields.entry("Notes").or_insert_with(none);
            if let serde_json::Value::Array(lines) = notes {
                lines.push(line);
            }
        }
    }

    fn field(&self, name: &str, value: &impl Serialize) {
        match serde_json::to_value(value) {
            Ok(value) => drop(self.fields().insert(name.to_owned(), value)),
            Err(error) => self.err(&format!("Error: cannot write JSON: {error}")),
        }
    }

    fn fields(&self) -> MutexGuard<'_, serde_json::Map<String, serde_json::Value>> {
        // A panic elsewhere leaves at worst a field out.
        self.fields.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with(mode: OutputMode, shape: JsonShape) -> OutputMode {
    OutputMode {
        json: shape != JsonShape::None,
        ..mode
    }
}

/// What was fetched.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Fetched {
    bytes: u64,
    seconds: f64,
    bytes_per_second: u64,
    servers: BTreeMap<String, u64>,
}

impl From<TrafficSum> for Fetched {
    fn from(sum: TrafficSum) -> Self {
        Self {
            bytes: sum.bytes,
            seconds: sum.seconds,
            bytes_per_second: sum.bytes_per_second,
            servers: sum.servers,
        }
    }
}

/// The error of version 1.
#[derive(Serialize)]
struct BareError<'a> {
    #[serde(rename = "Error")]
    number: u32,
    #[serde(rename = "ErrorMessage")]
    message: &'a str,
}

/// The error of version 2.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DetailedError<'a> {
    number: u32,
    message: &'a str,
    details: Vec<String>,
    hints: Vec<String>,
}
