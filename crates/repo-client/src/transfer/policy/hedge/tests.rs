use super::*;
use crate::transfer::policy::RequestKind;
use crate::transfer::policy::tests::{PolicyStage, host, source};

const MB: u64 = 1 << 20;

/// A request that has brought half and then stalls.
fn stalled() -> PolicyStage {
    let mut stage = PolicyStage::new(2, &[MB]);
    let id = stage.running(0, 0, MB);
    stage.later(0.1);
    stage.give(id, MB / 2);
    stage
}

#[test]
fn the_rest_of_a_stalled_request_is_asked_of_another_server() {
    let mut stage = stalled();
    assert_eq!(hedge(&stage.picture, host(1), stage.now), None);
    stage.later(STALLS + 0.1);
    let ask = hedge(&stage.picture, host(1), stage.now).unwrap();
    assert_eq!((ask.from, ask.to), (MB / 2, MB));
    assert_eq!((ask.source, ask.kind), (source(1), RequestKind::Gap));
}

#[test]
fn what_drips_is_late_for_a_server_whose_rate_nobody_knows() {
    let mut stage = PolicyStage::new(2, &[MB]);
    let id = stage.running(0, 0, MB);
    for _ in 0..5 {
        stage.later(0.5);
        assert!(stage.picture.each(host(1)).is_none());
        stage.give(id, 35);
    }
    let ask = hedge(&stage.picture, host(1), stage.now).unwrap();
    assert_eq!((ask.from, ask.to), (5 * 35, MB));
    assert_eq!(hedge(&stage.picture, host(0), stage.now), None);
}

#[test]
fn where_packets_are_lost_it_is_taken_for_stalled_sooner() {
    let mut stage = stalled();
    stage.later(LOSSY_STALLS + 0.1);
    assert_eq!(hedge(&stage.picture, host(1), stage.now), None);
    stage.picture.probe.set_lossy(true);
    assert!(hedge(&stage.picture, host(1), stage.now).is_some());
}

#[test]
fn nothing_is_asked_for_a_third_time() {
    let mut stage = stalled();
    stage.later(STALLS + 0.1);
    stage.running(1, MB / 2, MB);
    stage.later(STALLS + 0.1);
    assert_eq!(hedge(&stage.picture, host(1), stage.now), None);
}

#[test]
fn over_the_same_connection_nothing_is_asked_twice() {
    let mut stage = PolicyStage::new(1, &[MB]);
    let id = stage.running(0, 0, MB);
    assert!(stage.picture.streams[&id].shared.is_some());
    stage.later(STALLS + 0.1);
    assert_eq!(hedge(&stage.picture, host(0), stage.now), None);
}

#[test]
fn a_server_that_nobody_knows_hedges_only_old_requests() {
    let mut stage = stalled();
    stage.host(1).verified = 0;
    stage.picture.probe.set_lossy(true);
    stage.later(LOSSY_STALLS + 0.1);
    assert_eq!(hedge(&stage.picture, host(1), stage.now), None);
    stage.later(REST_LASTS);
    assert!(hedge(&stage.picture, host(1), stage.now).is_some());
}
