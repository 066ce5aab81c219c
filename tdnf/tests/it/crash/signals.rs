//! Row 93: Ctrl-C, SIGTERM and SIGHUP at any moment.

use testkit::step::{self, Order};

use super::site::{Found, Scene, copy, possible, scene, upgrade};
use super::tally::{Tally, each, points};

/// Points of a sample; each gets one of the signals in turn.
const SAMPLE: usize = 90;
/// SIGINT, SIGTERM, SIGHUP.
const SIGNALS: [i32; 3] = [2, 15, 1];

fn signalled(scene: &Scene, point: usize, tally: &Tally) {
    let root = copy(scene.base());
    let signal = SIGNALS[point % SIGNALS.len()];
    let mut at = "never reached".to_owned();
    let run = step::run(&upgrade(root.path()), root.path(), &mut |call| {
        if call.number != point {
            return Order::Go;
        }
        at = call.to_string();
        Order::Signal(signal)
    });
    let name = format!("signal {signal} at call {point}, {at}");
    tally.note(
        &name,
        verdict(scene, root.path(), &run, signal)
            .map_err(|why| format!("{why}\nit said: {}", run.output)),
    );
}

/// Either the run ends with the code of the signal and nothing has changed, without help of the next start; or it
/// goes on to its good end and says why.
fn verdict(
    scene: &Scene,
    root: &std::path::Path,
    run: &step::Ended,
    signal: i32,
) -> Result<Found, String> {
    let found = scene.judge_without_start(root)?;
    let right = match found {
        Found::Old => run.code == Some(128 + signal),
        Found::New => run.code == Some(0),
    };
    if right {
        scene.judge(root)
    } else {
        Err(format!("code {:?}, and {found:?} is there", run.code))
    }
}

#[test]
fn row_93_a_signal_at_any_call() {
    if !possible() {
        return;
    }
    let scene = scene();
    let tally = Tally::default();
    each(&points(scene.calls.len(), SAMPLE), &|point| {
        signalled(scene, *point, &tally)
    });
    tally.tell("signals");
}
