//! Where text goes.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// What the user asked for about output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutputMode {
    /// `-q`: no info lines.
    pub quiet: bool,
    /// `-v`: progress lines also where standard output is no terminal.
    pub verbose: bool,
    /// `-j`: standard output carries JSON only.
    pub json: bool,
    /// What would go to standard output goes to standard error: the result stands there alone.
    pub aside: bool,
    /// Columns that the user asks for (`COLUMNS`); else those of the terminal.
    pub columns: Option<usize>,
    /// Colour where a stream is a terminal.
    pub color: bool,
    /// A terminal moves its cursor where it is told to.
    pub cursor: bool,
}

impl OutputMode {
    /// The same with what these variables say of the terminal: `COLUMNS`; colour unless `NO_COLOR` is
    /// set to something (no-color.org); neither colour nor movements of the cursor where `TERM` is `dumb` or missing.
    #[must_use]
    pub fn on_terminal(self, variable: impl Fn(&str) -> Option<String>) -> Self {
        let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
        let columns = variable("COLUMNS").and_then(|text| text.parse().ok());
        let cursor = variable("TERM").is_some_and(|term| term != "dumb");
        Self {
            columns: columns.filter(|columns| (1..=MAX_WIDTH).contains(columns)),
            color: cursor && !is_set("NO_COLOR"),
            cursor,
            ..self
        }
    }
}

/// Columns if standard output is no terminal, or does not say.
const DEFAULT_WIDTH: usize = 80;

/// Rows if standard output does not say.
const DEFAULT_ROWS: usize = 24;

/// More columns than any terminal has.
const MAX_WIDTH: usize = 10_000;

/// Words that begin a line of talk, and the colour (SGR) that they have on a terminal, up to their colon.
const TALK: [(&str, u8); 4] = [
    ("Error", 31),
    ("error:", 31),
    ("warning:", 33),
    ("Hint:", 36),
];

/// What a recording printer got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Bytes for standard output.
    pub out: String,
    /// Bytes for standard error.
    pub err: String,
}

enum Sink {
    Standard,
    Recording(Recorded),
}

/// The owner of both output streams; clones share them. Write errors (a closed pipe, a full
/// disk) are remembered, not raised: see [`Printer::failed`].
#[derive(Clone)]
pub struct Printer {
    mode: OutputMode,
    inner: Arc<Mutex<PrinterStreams>>,
}

struct PrinterStreams {
    sink: Sink,
    /// The lines at the end of the screen that change: text goes above them.
    drawing: Vec<String>,
    failed: Option<io::ErrorKind>,
}

impl Printer {
    /// A printer on the process's own streams.
    pub fn standard(mode: OutputMode) -> Self {
        Self::with(mode, Sink::Standard)
    }

    /// A printer that keeps everything, for tests.
    pub fn recording(mode: OutputMode) -> Self {
        Self::with(mode, Sink::Recording(Recorded::default()))
    }

    fn with(mode: OutputMode, sink: Sink) -> Self {
        let inner = PrinterStreams {
            sink,
            drawing: Vec::new(),
            failed: None,
        };
        Self {
            mode,
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// The mode it was made with.
    pub fn mode(&self) -> OutputMode {
        self.mode
    }

    /// What was printed so far, if this printer records.
    pub fn recorded(&self) -> Recorded {
        match &self.lock().sink {
            Sink::Recording(text) => text.clone(),
            Sink::Standard => Recorded::default(),
        }
    }

    /// The first write error on standard output, if any: a tool whose data could not be written
    /// must not report success. A closed pipe counts.
    pub fn failed(&self) -> Option<io::ErrorKind> {
        self.lock().failed
    }

    /// A line on stdout that `-q` and `-j` drop.
    pub fn info(&self, line: &str) {
        if !self.mode.quiet && !self.mode.json {
            self.write_out(line, true);
        }
    }

    /// A line on stdout that only `-j` drops: the result of a query.
    pub fn crit(&self, line: &str) {
        if !self.mode.json {
            self.write_out(line, true);
        }
    }

    /// Text on stdout as it is, without a line break at the end; only `-j` drops it.
    pub fn crit_part(&self, text: &str) {
        if !self.mode.json {
            self.write_out(text, false);
        }
    }

    /// A line on stderr, always. It stays one line: a line break inside it, which can only be that of a name from
    /// outside, is written out.
    pub fn err(&self, line: &str) {
        let line = &*one_line(line);
        let is_terminal = matches!(self.lock().sink, Sink::Standard) && io::stderr().is_terminal();
        match self.mode.color && is_terminal {
            true => self.write_err(&format!("{}\n", painted(line))),
            false => self.write_err(&format!("{line}\n")),
        }
    }

    /// Words of our own that are several lines, on stderr.
    pub fn err_lines(&self, text: &str) {
        text.split('\n').for_each(|line| self.err(line));
    }

    /// Text on stderr as it is, without a line break at the end.
    pub fn err_part(&self, text: &str) {
        self.write_err(&shown(text));
    }

    fn write_err(&self, text: &str) {
        let mut inner = self.lock();
        inner.above_drawing(|inner| {
            if let Sink::Recording(recorded) = &mut inner.sink {
                recorded.err.push_str(text);
                return;
            }
            // Nothing can be done about a stderr that cannot be written.
            let _ = io::stderr().lock().write_all(text.as_bytes());
        });
    }

    /// A value as one line of JSON on stdout, without a line break at the end, as scripts that
    /// read tdnf expect; only in JSON mode.
    pub fn json(&self, value: &impl Serialize) {
        self.write_json(value, false);
    }

    /// As [`Printer::json`], with a line break at the end.
    pub fn json_line(&self, value: &impl Serialize) {
        self.write_json(value, true);
    }

    fn write_json(&self, value: &impl Serialize, end_line: bool) {
        if !self.mode.json {
            return;
        }
        match serde_json::to_string(value) {
            Ok(text) => self.write_out(&json_shown(&text), end_line),
            Err(error) => self.err(&format!("Error: cannot write JSON: {error}")),
        }
    }

    /// Columns of standard output; 80 where they are not known.
    pub fn width(&self) -> usize {
        self.known_width().unwrap_or(DEFAULT_WIDTH)
    }

    /// Columns of standard output: those of the mode, else of the terminal; `None` where it is none.
    pub fn known_width(&self) -> Option<usize> {
        if self.mode.columns.is_some() || matches!(self.lock().sink, Sink::Recording(_)) {
            return self.mode.columns;
        }
        screen_size().0
    }

    /// Whether standard output is a terminal.
    pub fn is_terminal(&self) -> bool {
        matches!(self.lock().sink, Sink::Standard) && io::stdout().is_terminal()
    }

    /// Writes out what is still buffered; call it before other programs write to the streams.
    pub fn flush(&self) {
        if matches!(self.lock().sink, Sink::Standard) {
            let _ = io::stdout().flush();
        }
    }

    /// Whether lines of standard output can be drawn over.
    pub(crate) fn may_draw(&self) -> bool {
        self.mode.cursor && self.is_terminal()
    }

    /// Columns and rows of the terminal.
    pub(crate) fn screen(&self) -> (usize, usize) {
        let (columns, rows) = screen_size();
        (
            columns.unwrap_or(DEFAULT_WIDTH),
            rows.unwrap_or(DEFAULT_ROWS),
        )
    }

    /// Draws lines at the end of the screen, in place of those that were drawn before.
    pub(crate) fn draw(&self, lines: Vec<String>) {
        let mut inner = self.lock();
        if inner.drawing.is_empty() && lines.is_empty() {
            return;
        }
        let text = format!("{}{}", inner.erasure(), joined(&lines));
        inner.drawing = lines;
        inner.write_raw(&text);
    }

    fn write_out(&self, text: &str, end_line: bool) {
        if self.mode.aside {
            let end = if end_line { "\n" } else { "" };
            return self.write_err(&format!("{}{end}", shown(text)));
        }
        let mut inner = self.lock();
        inner.above_drawing(|inner| inner.write_out(text, end_line));
    }

    fn lock(&self) -> MutexGuard<'_, PrinterStreams> {
        // A panic elsewhere leaves at worst half a line: printing goes on.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PrinterStreams {
    fn above_drawing(&mut self, write: impl FnOnce(&mut Self)) {
        if self.drawing.is_empty() {
            return write(self);
        }
        let erasure = self.erasure();
        self.write_raw(&erasure);
        write(self);
        let again = joined(&self.drawing);
        self.write_raw(&again);
    }

    /// What takes the drawing off the screen. Where the terminal has become narrower its lines have become more rows.
    fn erasure(&self) -> String {
        let columns = screen_size().0.unwrap_or(usize::MAX);
        let rows = self.drawing.iter().map(|line| line.len().div_ceil(columns));
        match rows.map(|rows| rows.max(1)).sum() {
            0_usize => String::new(),
            rows => format!("\r\x1b[{rows}A\x1b[J"),
        }
    }

    /// What steers the terminal, and is ours.
    fn write_raw(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        let result = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if let Err(error) = result {
            self.failed.get_or_insert(error.kind());
        }
    }

    fn write_out(&mut self, text: &str, end_line: bool) {
        let text = &*shown(text);
        if let Sink::Recording(recorded) = &mut self.sink {
            recorded.out.push_str(text);
            if end_line {
                recorded.out.push('\n');
            }
            return;
        }
        let mut out = io::stdout().lock();
        let mut result = out.write_all(text.as_bytes());
        if end_line {
            result = result.and_then(|()| out.write_all(b"\n"));
        } else {
            result = result.and_then(|()| out.flush());
        }
        if let Err(error) = result {
            self.failed.get_or_insert(error.kind());
        }
    }
}

/// Columns and rows of the terminal on standard output, whatever a user says of them, as far as it says.
fn screen_size() -> (Option<usize>, Option<usize>) {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let told = |number: u16| Some(usize::from(number)).filter(|number| *number > 0);
    (
        size.and_then(|size| told(size.ws_col)),
        size.and_then(|size| told(size.ws_row)),
    )
}

fn joined(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A line with its first word in colour where it is one of [`TALK`].
pub(crate) fn painted(line: &str) -> String {
    let word = TALK.iter().find(|(word, _)| line.starts_with(word));
    match word.zip(line.split_once(':')) {
        Some(((_, color), (word, rest))) => format!("\x1b[{color}m{word}:\x1b[0m{rest}"),
        None => line.to_owned(),
    }
}

/// What would steer a terminal or stand in a line unseen: escapes, C1 controls, a carriage return, which writes over what
/// stands in the line, and the characters of Unicode's classes Cf, Zl and Zp that have no shape of their own (those that
/// turn the direction of text or end a line, tags, marks of width zero).
pub(crate) fn steers(c: char) -> bool {
    let unseen = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}');
    c.is_control() && !matches!(c, '\n' | '\t') || unseen
}

/// A document of JSON with what would steer a terminal as JSON escapes it.
fn json_shown(document: &str) -> Cow<'_, str> {
    if !document.contains(steers) {
        return Cow::Borrowed(document);
    }
    let mut out = String::with_capacity(document.len());
    for c in document.chars() {
        match steers(c) {
            true => {
                let units = c.encode_utf16(&mut [0; 2]).to_vec();
                out.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
            }
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Text as it may reach a terminal: what would steer it is written out, however it came into metadata, packages and
/// answers of servers. The system's `(os error N)`, which says nothing to people, is left out.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) && !text.contains(OS_ERROR) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        // The end of a line as other systems write it.
        let is_line_end = rest.starts_with("\r\n");
        let after = rest.strip_prefix(OS_ERROR).and_then(|number| {
            let end = number.trim_start_matches(|c: char| c.is_ascii_digit());
            end.strip_prefix(')')
        });
        match after {
            Some(after) => rest = after,
            None => {
                match steers(c) && !is_line_end {
                    true => out.extend(c.escape_default()),
                    false => out.push(c),
                }
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
            }
        }
    }
    Cow::Owned(out)
}

/// [`shown`] for what is one line.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    match text.contains('\n') {
        true => Cow::Owned(shown(&text.replace("\r\n", "\n")).replace('\n', "\\n")),
        false => shown(text),
    }
}

/// How the standard library ends the text of a system error.
const OS_ERROR: &str = " (os error ";
