use super::*;
use crate::transfer::policy::tests::{PolicyStage as Scene, source};

fn turns(sources: usize, extra: u32) -> Turns {
    let rounds = Rounds {
        extra,
        unreachable: 1,
    };
    Turns::new((0..sources).map(source), rounds)
}

fn broken() -> Cause {
    Cause::Broken("off".into())
}

fn pause(attempt: u32, limit: u32, millis: u64) -> NextTurn {
    NextTurn::Rest(Pause {
        attempt,
        limit,
        lasts: Duration::from_millis(millis),
    })
}

#[test]
fn all_are_asked_in_order_and_again_after_a_pause_that_doubles() {
    let mut turns = turns(2, 2);
    for (round, next) in [
        (1, pause(1, 2, 250)),
        (2, pause(2, 2, 500)),
        (3, NextTurn::Over),
    ] {
        for at in [0, 1] {
            assert_eq!(turns.next(), NextTurn::Ask(source(at)));
            turns.failed(source(at), broken(), None);
        }
        assert_eq!(turns.next(), next);
        turns.begin_round(round);
    }
}

#[test]
fn who_failed_for_good_is_not_asked_again() {
    let mut turns = turns(2, 1);
    turns.failed(source(0), Cause::Status(404), None);
    turns.failed(source(1), broken(), None);
    assert_eq!(turns.next(), pause(1, 1, 250));
    turns.begin_round(1);
    assert_eq!(turns.next(), NextTurn::Ask(source(1)));
    turns.failed(source(1), Cause::Html, None);
    assert_eq!(turns.next(), NextTurn::Over);
    assert_eq!(turns.failures().count(), 2);
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    let mut turns = turns(1, 3);
    turns.failed(source(0), Cause::Status(503), Some(Duration::from_secs(7)));
    assert_eq!(turns.next(), pause(1, 3, 7000));
}

#[test]
fn unreachable_servers_are_asked_less_often() {
    let mut turns = turns(1, 5);
    turns.failed(source(0), Cause::Connect("refused".into()), None);
    assert_eq!(turns.next(), pause(1, 1, 250));
    turns.begin_round(1);
    turns.failed(source(0), Cause::Connect("refused".into()), None);
    assert_eq!(turns.next(), NextTurn::Over);
}

#[test]
fn bytes_that_came_start_the_rounds_anew_at_once() {
    let mut turns = turns(1, 1);
    turns.begin_round(1);
    turns.gave(PROGRESS);
    turns.failed(source(0), broken(), None);
    assert_eq!(turns.next(), NextTurn::Again);
    turns.begin_round(0);
    turns.failed(source(0), broken(), None);
    assert_eq!(turns.next(), pause(1, 1, 250), "no bytes this time");
}

#[test]
fn stopped_is_over() {
    let mut turns = turns(2, 5);
    turns.failed(source(0), Cause::Stopped, None);
    assert_eq!(turns.next(), NextTurn::Over);
}

/// One file at two servers, asked in turn.
fn in_turn(size: u64) -> Scene {
    let mut scene = Scene::new(2, &[size]);
    scene.file(0).turns = Some(turns(2, 1));
    scene
}

#[test]
fn the_next_source_goes_on_where_the_last_one_stopped_if_there_is_a_digest() {
    let mut scene = in_turn(1000);
    scene.there(0, 400, 0);
    let file = scene.file(0);
    let turns = file.turns.as_mut().unwrap();
    turns.failed(source(0), broken(), None);
    let asked = step(&scene.picture, 4, scene.now);
    assert!(
        matches!(asked, Some(TurnStep::Ask(ask)) if ask.from == 400 && ask.source == source(1))
    );
    scene.file(0).request.digest = None;
    let dropped = step(&scene.picture, 4, scene.now);
    assert!(matches!(dropped, Some(TurnStep::Drop(_))), "{dropped:?}");
}

#[test]
fn no_more_files_are_begun_than_may_be_at_once() {
    let mut scene = in_turn(1000);
    let id = scene.running(0, 0, 1000);
    scene.picture.queue.push_back(scene.picture.open[0]);
    assert_eq!(step(&scene.picture, 1, scene.now), None);
    assert!(matches!(
        step(&scene.picture, 2, scene.now),
        Some(TurnStep::Begin(_))
    ));
    scene.picture.queue.clear();
    scene.give(id, 1000);
    scene.picture.over(id, scene.now);
    assert!(matches!(
        step(&scene.picture, 1, scene.now),
        Some(TurnStep::Check(_))
    ));
}

#[test]
fn a_file_that_rests_is_left_alone_until_then() {
    let mut scene = in_turn(1000);
    let until = scene.now + Duration::from_secs(1);
    scene.file(0).rest_until = Some(until);
    assert_eq!(step(&scene.picture, 4, scene.now), None);
    assert!(matches!(
        step(&scene.picture, 4, until),
        Some(TurnStep::Ask(_))
    ));
}
