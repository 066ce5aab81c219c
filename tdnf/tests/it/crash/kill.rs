//! Row 87: killed at every call that changes something.

use testkit::step::{self, Order};

use super::site::{Found, Scene, copy, next_start_command, possible, scene, upgrade};
use super::tally::{Tally, each, everything, points};

/// Points of a sample.
const SAMPLE: usize = 310;
/// Points within a recovery, of a sample.
const RECOVERY_SAMPLE: usize = 40;

/// What happens at a point.
fn order(own: bool, point: usize) -> Order {
    // A scriptlet dies with the program, or outlives it.
    if own || point.is_multiple_of(2) {
        Order::KillAll
    } else {
        Order::KillProgram
    }
}

fn kill_at(scene: &Scene, point: usize, tally: &Tally) {
    let root = copy(scene.base());
    let mut at = "never reached".to_owned();
    let run = step::run(&upgrade(root.path()), root.path(), &mut |call| {
        if call.number != point {
            return Order::Go;
        }
        at = call.to_string();
        order(call.own, point)
    });
    let name = format!("killed at call {point}, {at}");
    // Threads may take turns in another way: then a run ends some calls before the point.
    if run.code.is_some_and(|code| code != 0) {
        return tally.note(&name, Err(run.output));
    }
    let mut found = scene.judge(root.path());
    // The upgrade must be possible now: always in the full run, sometimes in a sample.
    if found == Ok(Found::Old) && (everything() || point.is_multiple_of(10)) {
        found = scene.goes_on(root.path()).map(|()| Found::Old);
    }
    tally.note(&name, found);
}

/// Killed at the calls of the upgrade.
#[test]
fn row_87_killed_at_every_call() {
    if !possible() {
        return;
    }
    let scene = scene();
    let tally = Tally::default();
    let points = points(scene.calls.len(), SAMPLE);
    each(&points, &|point| kill_at(scene, *point, &tally));
    tally.tell(&format!(
        "killed in an upgrade of {} changing calls",
        scene.calls.len()
    ));
}

/// Killed shortly before the commit point and shortly after it; then the recovery is killed, too, at its calls.
#[test]
fn row_87_the_recovery_is_killed_at_every_call() {
    if !possible() {
        return;
    }
    let scene = scene();
    let tally = Tally::default();
    for place in ["before", "after"] {
        let root = copy(scene.base());
        let point = scene.commit_call(place == "before");
        step::run(&upgrade(root.path()), root.path(), &mut |call| {
            if call.number < point {
                Order::Go
            } else {
                Order::KillAll
            }
        });
        let whole = copy(root.path());
        let go = &mut |_: &step::Call| Order::Go;
        let run = step::run(&next_start_command(whole.path()), whole.path(), go);
        assert_eq!(run.code, Some(0), "{}", run.output);
        println!(
            "killed {place} the commit point: the recovery makes {} changing calls",
            run.calls
        );
        each(&points(run.calls, RECOVERY_SAMPLE), &|point| {
            let root = copy(root.path());
            let mut at = String::new();
            step::run(&next_start_command(root.path()), root.path(), &mut |call| {
                if call.number < *point {
                    return Order::Go;
                }
                at = call.to_string();
                Order::KillAll
            });
            let name = format!("{place}: recovery killed at call {point}, {at}");
            tally.note(&name, scene.judge(root.path()));
        });
    }
    tally.tell("recoveries killed");
}
