//! Transfers as people see them: lines that change on a terminal, lines in a log otherwise.

use std::fmt::{self, Write as _};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};

use crate::Printer;
use crate::tally::Tally;

/// Names one transfer among those that are under way.
pub type TransferId = u64;

/// Pause between two lines of a long run in a log.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Pause between two drawings on a terminal.
const REDRAW: Duration = Duration::from_millis(200);
/// What the thread that prints needs, and little more.
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

/// What shows how far it is, whether something comes or not, until it is dropped: a drawing or a thread that prints.
struct Clock {
    bar: Option<ProgressBar>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Clock {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.disable_steady_tick();
            bar.finish_and_clear();
        }
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
        match self.style {
            Style::Drawn => Clock {
                bar: Some(self.bar()),
                stop: None,
                thread: None,
            },
            _ => self.line_clock(),
        }
    }

    fn bar(self: &Arc<Self>) -> ProgressBar {
        let screen = Box::new(PrinterScreen::new(&self.printer));
        let target = ProgressDrawTarget::term_like(screen);
        let bar = ProgressBar::with_draw_target(None, target);
        let shown = Arc::clone(self);
        let lines = move |_: &ProgressState, out: &mut dyn fmt::Write| {
            // Writing into a string cannot fail.
            let _ = out.write_str(&shown.drawing());
        };
        if let Ok(style) = ProgressStyle::with_template("{lines}") {
            bar.set_style(style.with_key("lines", lines));
        }
        bar.enable_steady_tick(self.every);
        bar
    }

    fn line_clock(self: &Arc<Self>) -> Clock {
        let (stop, stopped) = mpsc::channel();
        let shown = Arc::clone(self);
        let run = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(shown.every) {
                let now = Instant::now();
                let mut tally = shown.tally();
                tally.mark(now);
                let line = tally.head(now, usize::MAX);
                drop(tally);
                shown.printer.info(&line);
            }
        };
        // Without a thread nothing is shown; the transfer goes on.
        let thread = Builder::new().stack_size(STACK).spawn(run);
        Clock {
            stop: Some(stop),
            thread: thread.ok(),
            bar: None,
        }
    }

    /// All lines for the terminal as it is now.
    fn drawing(&self) -> String {
        let now = Instant::now();
        let (columns, rows) = self.printer.screen();
        let mut tally = self.tally();
        tally.mark(now);
        tally.lines(now, columns, rows).join("\n")
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // A panic elsewhere leaves at worst a number that is wrong.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The terminal as indicatif draws on it. Where the drawing stands is the printer's to know: text is printed above it, and
/// a terminal that becomes narrower makes more rows of it.
struct PrinterScreen {
    printer: Printer,
    columns: AtomicUsize,
    /// The drawing: rows that are filled up with blanks, one behind the other.
    drawn: Mutex<String>,
}

impl PrinterScreen {
    fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            columns: AtomicUsize::new(1),
            drawn: Mutex::default(),
        }
    }

    fn drawn(&self) -> MutexGuard<'_, String> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PrinterScreen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrinterScreen").finish_non_exhaustive()
    }
}

impl TermLike for PrinterScreen {
    fn width(&self) -> u16 {
        let columns = self.printer.screen().0.clamp(1, usize::from(u16::MAX));
        self.columns.store(columns, Ordering::Relaxed);
        u16::try_from(columns).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        u16::try_from(self.printer.screen().1).unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        let columns = self.columns.load(Ordering::Relaxed);
        // Writing into a string cannot fail.
        let _ = write!(self.drawn(), "{text:<columns$}");
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.drawn().push_str(text.trim_start_matches('\r'));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let columns = self.columns.load(Ordering::Relaxed);
        let drawn: Vec<char> = std::mem::take(&mut *self.drawn()).chars().collect();
        let rows = drawn.chunks(columns);
        let rows = rows.map(|row| row.iter().collect::<String>().trim_end().to_owned());
        self.printer.draw(rows.collect());
        Ok(())
    }
}
