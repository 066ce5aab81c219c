//! Transfers as people see them: bars on a terminal, plain lines otherwise.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::printer::one_line;
use crate::{Printer, human_size};

/// Names one transfer among those that are under way.
pub type TransferId = u64;

struct TransferBar {
    label: String,
    total: Option<u64>,
    done: u64,
    bar: Option<ProgressBar>,
}

/// How this run shows transfers.
enum Style {
    Bars(MultiProgress),
    Lines,
    Silent,
}

/// Shows transfers through a [`Printer`]; can be shared between threads.
///
/// A terminal gets bars. Otherwise one line `LABEL PCT% BYTES` is printed per finished transfer
/// in verbose mode only, as tdnf does, and in long runs a line from time to time, so that a log
/// shows that something goes on; quiet and JSON modes show nothing.
pub struct Progress {
    printer: Printer,
    style: Style,
    beat: Mutex<Beat>,
    transfers: Mutex<HashMap<TransferId, TransferBar>>,
}

/// Pause between two lines of a long run.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// When the last line was printed, and what has been done until then.
struct Beat {
    every: Duration,
    last: Instant,
    finished: usize,
    bytes: u64,
}

impl Progress {
    /// Decides the style from the printer's mode and stream.
    pub fn new(printer: &Printer) -> Self {
        Self::with_heartbeat(printer, HEARTBEAT)
    }

    /// As [`Progress::new`], with another pause between the lines of a long run.
    pub fn with_heartbeat(printer: &Printer, every: Duration) -> Self {
        let mode = printer.mode();
        let style = if mode.quiet || mode.json {
            Style::Silent
        } else if printer.is_terminal() {
            let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
            printer.set_bars(Some(bars.clone()));
            Style::Bars(bars)
        } else if mode.verbose {
            Style::Lines
        } else {
            Style::Silent
        };
        Self {
            printer: printer.clone(),
            style,
            beat: Mutex::new(Beat {
                every,
                last: Instant::now(),
                finished: 0,
                bytes: 0,
            }),
            transfers: Mutex::default(),
        }
    }

    /// In a long run, a line on how far it is.
    fn beat(&self) {
        if matches!(self.style, Style::Bars(_)) {
            return;
        }
        let mut beat = self.beat.lock().unwrap_or_else(PoisonError::into_inner);
        if beat.last.elapsed() < beat.every {
            return;
        }
        beat.last = Instant::now();
        let under_way: u64 = self.lock().values().map(|transfer| transfer.done).sum();
        let bytes = beat.bytes.saturating_add(under_way);
        self.printer.info(&format!(
            "still transferring: {} finished, {} so far",
            beat.finished,
            human_size(bytes).trim_start()
        ));
    }

    /// A transfer begins; `total` is its size in bytes where it is known.
    pub fn start(&self, id: TransferId, label: &str, total: Option<u64>) {
        let bar = match &self.style {
            Style::Bars(bars) => Some(bars.add(new_bar(label, total))),
            Style::Lines | Style::Silent => None,
        };
        let transfer = TransferBar {
            label: label.to_owned(),
            total,
            done: 0,
            bar,
        };
        self.lock().insert(id, transfer);
    }

    /// `done` bytes of the transfer are there.
    pub fn advance(&self, id: TransferId, done: u64) {
        if let Some(transfer) = self.lock().get_mut(&id) {
            transfer.done = done;
            if let Some(bar) = &transfer.bar {
                bar.set_position(done);
            }
        }
        self.beat();
    }

    /// The transfer has ended, well or badly.
    pub fn finish(&self, id: TransferId, well: bool) {
        let Some(transfer) = self.lock().remove(&id) else {
            return;
        };
        if let Some(bar) = &transfer.bar {
            bar.finish_and_clear();
        }
        let mut beat = self.beat.lock().unwrap_or_else(PoisonError::into_inner);
        beat.finished += usize::from(well);
        beat.bytes = beat.bytes.saturating_add(transfer.done);
        drop(beat);
        let bytes = if well {
            transfer.total.unwrap_or(transfer.done)
        } else {
            transfer.done
        };
        let percent = match transfer.total {
            _ if well => 100,
            Some(total) if total > 0 => bytes.saturating_mul(100) / total,
            _ => 0,
        };
        match self.style {
            Style::Bars(_) => {
                let size = human_size(bytes);
                self.printer
                    .info(&format!("{:<35} {size:>10} {percent}%", transfer.label));
            }
            Style::Lines => self
                .printer
                .info(&format!("{} {percent}% {bytes}", transfer.label)),
            Style::Silent => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TransferId, TransferBar>> {
        self.transfers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.printer.set_bars(None);
    }
}

fn new_bar(label: &str, total: Option<u64>) -> ProgressBar {
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::new_spinner(),
    };
    let template = "{prefix:35!} {size:>8} {rate:>10} {percent:>3}% [{wide_bar}]";
    if let Ok(style) = ProgressStyle::with_template(template) {
        let size = |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{}", human_size(state.pos()));
        };
        let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{}/s", human_size(state.per_sec() as u64));
        };
        let style = style.with_key("size", size).with_key("rate", rate);
        bar.set_style(style.progress_chars("=> "));
    }
    bar.with_prefix(one_line(label).into_owned())
}
