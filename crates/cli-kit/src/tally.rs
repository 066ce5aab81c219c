//! The numbers of transfers under way, and the lines that show them. No clock, no terminal.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::printer::one_line;
use crate::progress::TransferId;
use crate::size::{iec_part, iec_rate, iec_size, span};

/// The rate is that of so long ago until now.
const WINDOW: Duration = Duration::from_secs(8);
/// No rate is told of less time.
const SHORTEST: Duration = Duration::from_secs(1);
/// Time between two looks at the bytes.
const MARK: Duration = Duration::from_millis(200);
/// Most lines of files under way.
const MAX_LINES: usize = 6;
/// Columns of a label where there is room for more.
const MAX_LABEL: usize = 60;
/// Columns of the numbers behind a label: percent, and `1023.9 of 1023.9 MiB`.
const NUMBERS: usize = 27;
/// Columns around a bar: two blanks and its brackets.
const FRAME: usize = 4;
/// Fewest and most columns of a bar.
const BAR: (usize, usize) = (10, 40);

struct Running {
    label: String,
    total: Option<u64>,
    done: u64,
}

/// What has been told of transfers.
#[derive(Default)]
pub(crate) struct Tally {
    /// A run goes on.
    is_running: bool,
    /// Files that it has announced.
    files: usize,
    finished: usize,
    failed: usize,
    /// Bytes that are to be there at the end, as far as sizes are known.
    bytes: u64,
    /// Files of unknown size that have not ended.
    unsized_files: usize,
    /// Bytes of the files that are there.
    settled: u64,
    running: BTreeMap<TransferId, Running>,
    /// Bytes that came in this run.
    received: u64,
    marks: VecDeque<(Instant, u64)>,
}

impl Tally {
    pub(crate) fn begin_run(&mut self, files: usize, bytes: u64, unsized_files: usize) {
        if !self.is_running {
            *self = Self::default();
        }
        self.is_running = true;
        self.files += files;
        self.bytes = self.bytes.saturating_add(bytes);
        self.unsized_files += unsized_files;
    }

    pub(crate) fn end_run(&mut self) {
        self.is_running = false;
    }

    pub(crate) fn start(&mut self, id: TransferId, label: &str, total: Option<u64>, resumed: u64) {
        let label = one_line(label).into_owned();
        let done = resumed;
        self.running.insert(id, Running { label, total, done });
    }

    pub(crate) fn advance(&mut self, id: TransferId, done: u64) {
        if let Some(one) = self.running.get_mut(&id) {
            let came = done.saturating_sub(one.done);
            self.received = self.received.saturating_add(came);
            one.done = done;
        }
    }

    /// The label of a transfer that has ended, its percent and its bytes; none if it never began.
    pub(crate) fn finish(
        &mut self,
        id: TransferId,
        whole: Option<u64>,
    ) -> Option<(String, u64, u64)> {
        let one = self.running.remove(&id);
        match whole {
            Some(bytes) => {
                self.finished += 1;
                self.settled = self.settled.saturating_add(bytes);
            }
            None => self.failed += 1,
        }
        let one = one?;
        match (one.total, whole) {
            (None, _) => {
                self.unsized_files = self.unsized_files.saturating_sub(1);
                self.bytes = self.bytes.saturating_add(whole.unwrap_or(0));
            }
            (Some(total), None) => self.bytes = self.bytes.saturating_sub(total),
            (Some(_), Some(_)) => {}
        }
        let bytes = whole.unwrap_or(one.done);
        let percent = match (whole, one.total) {
            (Some(_), _) => 100,
            (None, Some(total)) if total > 0 => bytes.saturating_mul(100) / total,
            _ => 0,
        };
        Some((one.label, percent, bytes))
    }

    /// Takes a look at the bytes, for the rate.
    pub(crate) fn mark(&mut self, now: Instant) {
        let is_due = |(at, _): &(Instant, u64)| now.duration_since(*at) >= MARK;
        if self.marks.back().is_none_or(is_due) {
            self.marks.push_back((now, self.received));
        }
        // The oldest one that is kept may be older than the window, so that it is filled.
        while self
            .marks
            .get(1)
            .is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW)
        {
            self.marks.pop_front();
        }
    }

    fn rate(&self, now: Instant) -> Option<u64> {
        let (at, bytes) = self.marks.front()?;
        let spent = now.duration_since(*at);
        let rate = (self.received - bytes) as f64 / spent.as_secs_f64();
        (spent >= SHORTEST).then_some(rate as u64)
    }

    /// The parts of the line about everything, the least important last.
    fn parts(&self, now: Instant) -> Vec<String> {
        let ended = self.finished + self.failed;
        let mut parts = vec![match self.files {
            0 => format!("{} files", self.finished),
            1 => format!("{} of 1 file", self.finished),
            files => format!("{} of {files} files", self.finished),
        }];
        if self.failed > 0 {
            parts.push(format!("{} failed", self.failed));
        }
        let under_way = self.running.values().map(|one| one.done);
        let done = under_way.fold(self.settled, u64::saturating_add);
        let is_known = self.unsized_files == 0 && self.bytes > 0 && ended <= self.files;
        let total = is_known.then_some(self.bytes.max(done));
        parts.push(match total {
            Some(total) => iec_part(done, total),
            None => iec_size(done),
        });
        if let Some(rate) = self.rate(now) {
            parts.push(iec_rate(rate));
            let left = total.map(|total| total - done).filter(|left| *left > 0);
            if let Some(left) = left.filter(|_| rate > 0) {
                parts.push(format!("{} left", span(left.div_ceil(rate))));
            }
        }
        parts
    }

    /// The line about everything; what does not fit into so many columns is left out, the least important first.
    pub(crate) fn head(&self, now: Instant, columns: usize) -> String {
        let mut parts = self.parts(now);
        let mut line = parts.join(", ");
        while line.len() > columns && parts.pop().is_some() {
            line = parts.join(", ");
        }
        line
    }

    /// All lines for a terminal of so many columns and rows. No line has the last column: a terminal would go on to the
    /// next row by itself.
    pub(crate) fn lines(&self, now: Instant, columns: usize, rows: usize) -> Vec<String> {
        let columns = columns.saturating_sub(1);
        let mut lines = vec![self.head(now, columns)];
        let room = rows.saturating_sub(3).min(MAX_LINES);
        // What is left over needs a line as well.
        let shown = match self.running.len() {
            all if all <= room => all,
            _ => room.saturating_sub(1),
        };
        let longest = self
            .running
            .values()
            .take(shown)
            .map(|one| one.label.chars().count());
        let widths = Widths::of(longest.max().unwrap_or(0), columns);
        for one in self.running.values().take(shown) {
            lines.push(one.line(widths));
        }
        if shown < self.running.len() && room > 0 {
            lines.push(format!("  and {} more", self.running.len() - shown));
        }
        lines.retain(|line| line.chars().count() <= columns);
        lines
    }
}

#[derive(Clone, Copy)]
struct Widths {
    label: usize,
    bar: usize,
}

impl Widths {
    fn of(longest: usize, columns: usize) -> Self {
        let room = columns.saturating_sub(NUMBERS + 2);
        let label = longest.min(MAX_LABEL).min(room);
        let bar = room.saturating_sub(label + FRAME);
        let bar = if bar < BAR.0 { 0 } else { bar.min(BAR.1) };
        Self { label, bar }
    }
}

impl Running {
    fn line(&self, widths: Widths) -> String {
        let label = cut(&self.label, widths.label);
        let (percent, size, bar) = match self.total.filter(|total| *total > 0) {
            Some(total) => {
                let done = self.done.min(total);
                let share = u128::from(done) * 1000 / u128::from(total);
                let full = usize::try_from(share).unwrap_or(0) * widths.bar / 1000;
                let bar = match widths.bar {
                    0 => String::new(),
                    width => format!("  [{:<width$}]", "=".repeat(full)),
                };
                (format!("{}%", share / 10), iec_part(done, total), bar)
            }
            None => (String::new(), iec_size(self.done), String::new()),
        };
        let width = widths.label;
        let line = format!("  {label:<width$} {percent:>4}  {size:<20}{bar}");
        line.trim_end().to_owned()
    }
}

/// A label of so many columns at most, its middle left out: it is told by its beginning and its end. What may have
/// another width than one column is a question mark.
fn cut(label: &str, columns: usize) -> String {
    let plain = |c: char| if c.is_ascii() { c } else { '?' };
    let all: Vec<char> = label.chars().map(plain).collect();
    if all.len() <= columns {
        return all.into_iter().collect();
    }
    let kept = columns.saturating_sub(2);
    let (head, tail) = (kept - kept / 2, kept / 2);
    let mut text: String = all.iter().take(head).collect();
    text.push_str(if columns < 2 { "" } else { ".." });
    text.extend(all.iter().skip(all.len() - tail));
    text
}
