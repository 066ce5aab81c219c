//! Ctrl-C, SIGTERM and SIGHUP: a run stops where nothing is lost.
//!
//! What a signal does depends on the [`Phase`] of the run. A thread of its own hears the signals,
//! so that the answer comes at once, whatever the run is busy with.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use cli_kit::Printer;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

/// What a run is busy with.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Reading, solving, asking: nothing has changed and the process may end at any moment.
    #[default]
    Open,
    /// Files are coming: what is there of them is kept for the next run.
    Transfer,
    /// The transaction, before its commit point: it can be undone.
    Undoable,
    /// The transaction, behind its commit point, or the records of it: it must be finished.
    Committed,
    /// All is done and written down; the process may end at any moment.
    Done,
}

/// A folder, and how it is removed.
type Temporary = (PathBuf, fn(&Path));

#[derive(Debug, Default)]
struct SignalState {
    /// What the network client looks at.
    stop: Arc<AtomicBool>,
    /// The first signal that came; 0 for none.
    signal: AtomicU8,
    /// Held over the whole answer to a signal: no write begins between "nothing has changed" and the
    /// end of the process.
    phase: Mutex<Phase>,
    /// Folders that go where a signal ends the process, and how they are removed.
    temporary: Mutex<Vec<Temporary>>,
}

/// The signals of a run; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    state: Arc<SignalState>,
}

/// The thread that hears the signals of a run. It ends with this value, and with it every answer to
/// a signal: its holder keeps it until all is printed, so that a run which writes into a pipe
/// without a reader can still be stopped.
#[derive(Debug, Default)]
pub struct Listener {
    thread: Option<(Handle, JoinHandle<()>)>,
}

impl Listener {
    /// Listens from now on. Signals that the process was started to ignore (`nohup`) stay
    /// ignored. Where nothing can be listened to, signals end the process as they always do.
    pub fn start(&mut self, printer: &Printer) -> Interrupt {
        let interrupt = Interrupt::default();
        let ignored = ignored_signals();
        let wanted: Vec<i32> = [SIGINT, SIGTERM, SIGHUP]
            .into_iter()
            .filter(|signal| ignored & (1 << (signal - 1)) == 0)
            .collect();
        let Ok(mut signals) = Signals::new(wanted) else {
            return interrupt;
        };
        let (heard, printer) = (interrupt.clone(), printer.clone());
        let handle = signals.handle();
        let spawned = std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in signals.forever() {
                    heard.hear(signal, &printer);
                }
            });
        match spawned {
            Ok(thread) => self.thread = Some((handle, thread)),
            // Without the thread the signals would be lost; then they must not be caught at all.
            Err(_) => handle.close(),
        }
        interrupt
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some((handle, thread)) = self.thread.take() {
            handle.close();
            // It does nothing but print; had that panicked, nothing could be printed about it.
            let _ = thread.join();
        }
    }
}

impl Interrupt {
    /// The flag that ends transfers.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.state.stop)
    }

    /// Whether a signal asked to stop.
    pub fn is_raised(&self) -> bool {
        self.state.signal.load(Ordering::SeqCst) != 0
    }

    /// The exit code of a run that a signal stopped: 128 and its number, as shells count.
    pub fn exit_code(&self) -> Option<u8> {
        match self.state.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal.saturating_add(128)),
        }
    }

    /// From now on a signal means what `phase` says. Returns the phase before.
    fn enter(&self, phase: Phase) -> Phase {
        std::mem::replace(&mut self.lock(), phase)
    }

    fn phase(&self) -> Phase {
        *self.lock()
    }

    /// A folder that `remove` takes away where a signal ends the process.
    pub fn remove_at_exit(&self, path: &Path, remove: fn(&Path)) {
        self.temporary().push((path.to_owned(), remove));
    }

    /// The folder is gone already.
    pub fn keep_at_exit(&self, path: &Path) {
        self.temporary().retain(|(known, _)| known != path);
    }

    fn temporary(&self) -> MutexGuard<'_, Vec<Temporary>> {
        let temporary = self.state.temporary.lock();
        temporary.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        let phase = self.state.phase.lock();
        phase.unwrap_or_else(PoisonError::into_inner)
    }

    /// The phases of one change of the system, which end with the value.
    pub fn guard(&self) -> PhaseGuard<'_> {
        PhaseGuard { interrupt: self }
    }

    /// Does some work in a phase.
    pub fn during<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        let before = self.enter(phase);
        let value = work();
        self.enter(before);
        value
    }

    fn hear(&self, signal: i32, printer: &Printer) {
        let number = u8::try_from(signal).unwrap_or(u8::MAX);
        let first = self
            .state
            .signal
            .compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok();
        self.state.stop.store(true, Ordering::SeqCst);
        let held = self.lock();
        let phase = *held;
        let words = answer(phase, name(signal), first);
        // A second signal while files come ends the run at once: nothing has changed.
        if matches!(phase, Phase::Open | Phase::Done) || (phase == Phase::Transfer && !first) {
            // Not the shared printer: the run may hold it, writing to a pipe without a reader.
            Printer::standard(printer.mode()).err(&words);
            self.temporary()
                .iter()
                .for_each(|(path, remove)| remove(path));
            std::process::exit(i32::from(number.saturating_add(128)));
        }
        drop(held);
        printer.err(&words);
    }
}

/// What signals mean along one change: nothing has begun, it can be undone, it must be finished.
/// Whatever way it ends, signals end the process again.
#[must_use = "the phases end with it"]
#[derive(Debug)]
pub struct PhaseGuard<'a> {
    interrupt: &'a Interrupt,
}

impl PhaseGuard<'_> {
    /// The first write comes, or the way back is taken.
    pub fn undoable(&self) {
        self.interrupt.enter(Phase::Undoable);
    }

    /// The commit point comes.
    pub fn committed(&self) {
        self.interrupt.enter(Phase::Committed);
    }

    /// Whether the commit point is behind.
    pub fn is_committed(&self) -> bool {
        self.interrupt.phase() == Phase::Committed
    }
}

impl Drop for PhaseGuard<'_> {
    fn drop(&mut self) {
        self.interrupt.enter(match self.is_committed() {
            true => Phase::Done,
            false => Phase::Open,
        });
    }
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "Ctrl-C",
        SIGTERM => "SIGTERM",
        _ => "SIGHUP",
    }
}

/// What a person is told.
fn answer(phase: Phase, name: &str, first: bool) -> String {
    match (phase, first) {
        (Phase::Open, _) | (Phase::Transfer, false) => {
            format!("{name}: stopped, nothing has changed")
        }
        (Phase::Done, _) => format!("{name}: stopped; the transaction was already finished"),
        (Phase::Transfer, true) => format!(
            "{name}: stopping, nothing has changed; the next run continues with what was fetched"
        ),
        (Phase::Undoable, true) => {
            format!("{name}: stopping, what was done so far is undone")
        }
        (Phase::Undoable, false) => format!(
            "{name}: already stopping; please wait until the old state is back (if this process \
             is killed, the next tdnf run does it)"
        ),
        (Phase::Committed, true) => {
            format!("{name}: too late to undo, the transaction is being finished")
        }
        (Phase::Committed, false) => format!(
            "{name}: the transaction is still being finished; please wait (if this process is \
             killed, the next tdnf run finishes it)"
        ),
    }
}

/// The signals that are ignored, a bit each from signal 1 on; none where the system does not say.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_counts_and_the_second_is_explained() {
        let printer = Printer::recording(cli_kit::OutputMode::default());
        let interrupt = Interrupt::default();
        assert_eq!(interrupt.exit_code(), None);
        interrupt.enter(Phase::Undoable);
        interrupt.hear(SIGTERM, &printer);
        interrupt.hear(SIGINT, &printer);
        assert_eq!(interrupt.exit_code(), Some(143));
        assert!(interrupt.stop_flag().load(Ordering::SeqCst));
        let said = printer.recorded().err;
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(
            lines[0],
            "SIGTERM: stopping, what was done so far is undone"
        );
        assert!(lines[1].starts_with("Ctrl-C: already stopping"), "{said}");
    }

    #[test]
    fn after_the_end_nobody_is_told_that_nothing_has_changed() {
        let interrupt = Interrupt::default();
        interrupt.enter(Phase::Done);
        assert_eq!(interrupt.enter(Phase::Open), Phase::Done);
        let words = answer(Phase::Done, "Ctrl-C", true);
        assert_eq!(
            words,
            "Ctrl-C: stopped; the transaction was already finished"
        );
    }

    #[test]
    fn the_phases_of_a_change_end_with_its_guard() {
        let interrupt = Interrupt::default();
        let phase = interrupt.guard();
        assert_eq!(interrupt.phase(), Phase::Open);
        phase.undoable();
        assert!(!phase.is_committed());
        drop(phase);
        assert_eq!(interrupt.phase(), Phase::Open);

        let phase = interrupt.guard();
        phase.undoable();
        phase.committed();
        // A commit that failed is undone.
        phase.undoable();
        assert_eq!(interrupt.phase(), Phase::Undoable);
        phase.committed();
        assert!(phase.is_committed());
        drop(phase);
        assert_eq!(interrupt.phase(), Phase::Done);
    }

    #[test]
    fn work_inside_a_change_gives_its_phase_back() {
        let interrupt = Interrupt::default();
        let phase = interrupt.guard();
        phase.committed();
        interrupt.during(Phase::Transfer, || ());
        assert!(phase.is_committed());
    }

    #[test]
    fn a_phase_ends_with_its_work() {
        let interrupt = Interrupt::default();
        let inside = interrupt.during(Phase::Transfer, || interrupt.enter(Phase::Transfer));
        assert_eq!(inside, Phase::Transfer);
        assert_eq!(interrupt.enter(Phase::Open), Phase::Open);
    }
}
