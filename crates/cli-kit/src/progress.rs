//! Transfers as people see them: lines that change on a terminal, lines in a log otherwise.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::Printer;
use crate::tally::Tally;

/// Names one transfer among those that are under way.
pub type TransferId = u64;

/// Pause between two lines of a long run in a log.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Pause between two drawings on a terminal.
const REDRAW: Duration = Duration::from_millis(200);
/// What the thread that draws needs, and little more.
const STACK: usize = 256 << 10;

/// How a run shows transfers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Lines that are drawn over and over again.
    Drawn,
    /// A line now and then.
    Lines,
    Silent,
}

/// Shows transfers through a [`Printer`]; can be shared between threads.
///
/// A terminal has a line about everything (`4 of 17 files, 19.1 of 34.0 MiB, 640.0 KiB/s, 24 s left`) above a line for each
/// file under way. Elsewhere, and on a terminal that cannot move its cursor, the line about everything is printed from
/// time to time in a long run, also while nothing comes. In verbose mode a line `LABEL PCT% BYTES` is printed for each
/// transfer that has ended, as tdnf does; quiet and JSON modes show nothing.
pub struct Progress {
    shown: Arc<Shown>,
    clock: Mutex<Option<Clock>>,
}

struct Shown {
    printer: Printer,
    style: Style,
    every: Duration,
    tally: Mutex<Tally>,
}

/// The thread that shows how far it is, whether something comes or not. It ends when it is dropped.
struct Clock {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Clock {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Progress {
    /// Decides the style from the printer's mode and stream.
    pub fn new(printer: &Printer) -> Self {
        Self::with_heartbeat(printer, HEARTBEAT)
    }

    /// As [`Progress::new`], with another pause between the lines of a long run.
    pub fn with_heartbeat(printer: &Printer, heartbeat: Duration) -> Self {
        let mode = printer.mode();
        let (style, every) = if mode.quiet || mode.json {
            (Style::Silent, heartbeat)
        } else if printer.may_draw() {
            (Style::Drawn, REDRAW)
        } else {
            (Style::Lines, heartbeat)
        };
        Self {
            shown: Arc::new(Shown {
                printer: printer.clone(),
                style,
                every,
                tally: Mutex::default(),
            }),
            clock: Mutex::default(),
        }
    }

    /// A run begins, or has got more to do: so many files, so many bytes as far as their sizes are known, and files whose
    /// sizes are not. What comes after its end is another one, whose numbers begin anew.
    pub fn begin_run(&self, files: usize, bytes: u64, unsized_files: usize) {
        let mut tally = self.shown.tally();
        tally.begin_run(files, bytes, unsized_files);
        tally.mark(Instant::now());
        drop(tally);
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        if files > 0 && clock.is_none() && self.shown.style != Style::Silent {
            *clock = Some(self.shown.tick());
        }
    }

    /// The run has ended: nothing is shown until the next one.
    pub fn end_run(&self) {
        self.shown.tally().end_run();
        drop(self.stop());
        self.shown.printer.draw(Vec::new());
    }

    /// A transfer begins; `total` is its size in bytes where it is known, `resumed` what an earlier run left of it.
    pub fn start(&self, id: TransferId, label: &str, total: Option<u64>, resumed: u64) {
        self.shown.tally().start(id, label, total, resumed);
    }

    /// `done` bytes of the transfer are there.
    pub fn advance(&self, id: TransferId, done: u64) {
        self.shown.tally().advance(id, done);
    }

    /// The transfer has ended, well with so many bytes, or badly.
    pub fn finish(&self, id: TransferId, whole: Option<u64>) {
        let ended = self.shown.tally().finish(id, whole);
        let printer = &self.shown.printer;
        if let Some((label, percent, bytes)) = ended
            && printer.mode().verbose
        {
            printer.info(&format!("{label} {percent}% {bytes}"));
        }
    }

    fn stop(&self) -> Option<Clock> {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.take()
    }
}

impl Shown {
    fn tick(self: &Arc<Self>) -> Clock {
        let (stop, stopped) = mpsc::channel();
        let shown = Arc::clone(self);
        let run = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(shown.every) {
                shown.show();
            }
        };
        // Without a thread nothing is shown; the transfer goes on.
        let thread = Builder::new().stack_size(STACK).spawn(run);
        Clock {
            stop: Some(stop),
            thread: thread.ok(),
        }
    }

    fn show(&self) {
        let now = Instant::now();
        let mut tally = self.tally();
        tally.mark(now);
        match self.style {
            Style::Drawn => {
                let (columns, rows) = self.printer.screen();
                let lines = tally.lines(now, columns, rows);
                drop(tally);
                self.printer.draw(lines);
            }
            Style::Lines => {
                let line = tally.head(now, usize::MAX);
                drop(tally);
                self.printer.info(&line);
            }
            Style::Silent => {}
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // A panic elsewhere leaves at worst a number that is wrong.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.stop());
        self.shown.printer.draw(Vec::new());
    }
}
