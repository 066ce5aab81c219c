use super::*;
use crate::transfer::policy::tests::{PolicyStage, host, source};

const MB: u64 = 1 << 20;

/// One server at 100 kB/s with all of a file to bring.
fn slow_one() -> (PolicyStage, crate::ranges::RangeId) {
    let mut stage = PolicyStage::new(2, &[10 * MB]);
    let id = stage.running(0, 0, 10 * MB);
    for _ in 0..10 {
        stage.later(0.1);
        stage.give(id, 10_000);
    }
    (stage, id)
}

#[test]
fn half_of_the_slowest_request_is_taken_over() {
    let (stage, victim) = slow_one();
    let ask = steal(&stage.picture, host(1), stage.now).unwrap();
    assert_eq!(
        (ask.kind, ask.source),
        (RequestKind::Steal(victim), source(1))
    );
    assert_eq!(ask.to, 10 * MB);
    let rest = 10 * MB - 100_000;
    let half = 100_000 + rest / 2;
    assert!(ask.from.abs_diff(half) <= 1, "{} of {half}", ask.from);
}

#[test]
fn the_victim_ends_where_the_thief_begins() {
    let (mut stage, victim) = slow_one();
    let ask = steal(&stage.picture, host(1), stage.now).unwrap();
    let id = crate::ranges::RangeId::test(99);
    stage.picture.asked(id, &ask, stage.now).unwrap();
    let map = &stage.file(0).map;
    assert_eq!(map.claim_of(victim).unwrap().to, ask.from);
    assert_eq!(map.claim_of(id).unwrap().at, ask.from);
    assert_eq!(map.unclaimed(), 0);
}

#[test]
fn what_is_slow_because_of_us_is_left_alone() {
    for (throttle, taken) in [(0, true), (150_000, false), (1_000_000, true)] {
        let (mut stage, _) = slow_one();
        let access = std::sync::Arc::make_mut(&mut stage.file(0).request.access);
        access.throttle = throttle;
        let ask = steal(&stage.picture, host(1), stage.now);
        assert_eq!(ask.is_some(), taken, "{throttle}");
    }
    let (mut stage, _) = slow_one();
    stage.picture.limits.global_bps = Some(150_000);
    assert_eq!(steal(&stage.picture, host(1), stage.now), None);
}

#[test]
fn what_is_done_soon_is_left_alone() {
    let mut stage = PolicyStage::new(2, &[REST * 3]);
    let id = stage.running(0, 0, REST * 3);
    stage.later(1.0);
    stage.give(id, REST);
    assert_eq!(steal(&stage.picture, host(1), stage.now), None);
}

#[test]
fn before_a_rate_is_known_nothing_is_taken() {
    let mut stage = PolicyStage::new(2, &[10 * MB]);
    let id = stage.running(0, 0, 10 * MB);
    stage.later(0.2);
    stage.give(id, 10);
    assert_eq!(steal(&stage.picture, host(1), stage.now), None);
}

#[test]
fn a_server_that_nobody_knows_takes_from_others_only_after_a_while() {
    let (mut stage, id) = slow_one();
    stage.host(1).verified = 0;
    assert_eq!(steal(&stage.picture, host(1), stage.now), None);
    stage.later(REST_LASTS);
    stage.give(id, 1000);
    assert!(steal(&stage.picture, host(1), stage.now).is_some());
}

#[test]
fn a_server_without_ranges_takes_nothing() {
    let (mut stage, _) = slow_one();
    stage.host(1).no_ranges = true;
    assert_eq!(steal(&stage.picture, host(1), stage.now), None);
}
