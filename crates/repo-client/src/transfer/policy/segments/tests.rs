use std::time::Duration;

use super::*;
use crate::transfer::file::FileStage;
use crate::transfer::ids::Id;
use crate::transfer::limits::FIRST;
use crate::transfer::policy::tests::{PolicyStage, host, source};

const MB: u64 = 1 << 20;

fn asked(stage: &PolicyStage, server: usize) -> SegmentRequest {
    match next(&stage.picture, host(server), stage.now) {
        NextSegment::Ask(ask) => ask,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_large_file_is_asked_for_in_segments_that_do_not_overlap() {
    let mut stage = PolicyStage::new(2, &[20 * MB]);
    let first = asked(&stage, 0);
    assert_eq!(
        (first.from, first.to, first.kind),
        (0, FIRST, RequestKind::Gap)
    );
    stage.running(0, first.from, first.to);
    let second = asked(&stage, 1);
    assert_eq!((second.from, second.source), (FIRST, source(1)));
    assert!(second.to <= 20 * MB);
}

/// A server that brings so many bytes per second, as far as one finished request tells.
fn at_rate(size: u64, rate: u64) -> PolicyStage {
    let mut stage = PolicyStage::new(1, &[size]);
    let (began, lasted) = (stage.now, Duration::from_secs(1));
    stage.later(1.0);
    let now = stage.now;
    let server = stage.host(0);
    server.asked(None, began);
    server.gave(rate, now);
    server.over(None, now, lasted);
    stage
}

#[test]
fn no_crumbs_are_left_at_the_end() {
    let almost = SEGMENT + SEGMENT / 2;
    let asked_for = |size: u64| asked(&at_rate(size, 1000), 0).to;
    assert_eq!(asked_for(almost - 1), almost - 1);
    assert_eq!(asked_for(almost), SEGMENT);
}

#[test]
fn what_will_soon_be_there_is_asked_for_whole() {
    let asked_for = |size: u64, rate: u64| asked(&at_rate(size, rate), 0).to;
    assert_eq!(asked_for(20 * MB, 10 * MB), 20 * MB);
    assert!(asked_for(20 * MB, 9 * MB) < 20 * MB);
    // Nothing is known of the server yet.
    assert_eq!(asked(&PolicyStage::new(1, &[MB]), 0).to, MB);
    assert_eq!(asked(&PolicyStage::new(1, &[20 * MB]), 0).to, FIRST);
}

#[test]
fn no_more_connections_work_on_a_file_than_may() {
    let mut stage = PolicyStage::new(2, &[20 * MB]);
    stage.picture.limits.connections_per_file = 1;
    stage.running(0, 0, FIRST);
    assert_eq!(
        next(&stage.picture, host(1), stage.now),
        NextSegment::Nothing
    );
}

#[test]
fn a_server_nobody_knows_brings_a_sample_before_it_is_mixed() {
    let mut stage = PolicyStage::new(2, &[20 * MB]);
    stage.host(1).verified = 0;
    stage.there(0, MB, 0);
    let ask = asked(&stage, 1);
    assert_eq!(
        (ask.from, ask.to, ask.kind),
        (0, SAMPLE, RequestKind::Sample)
    );
    stage.file(0).sources[source(1)].sampled = true;
    assert_eq!(asked(&stage, 1).kind, RequestKind::Gap);
}

#[test]
fn a_server_nobody_knows_waits_for_something_to_compare_with_but_not_for_ever() {
    let mut stage = PolicyStage::new(2, &[20 * MB]);
    stage.host(1).verified = 0;
    stage.running(0, 0, FIRST);
    assert_eq!(
        next(&stage.picture, host(1), stage.now),
        NextSegment::Nothing
    );
    stage.later(REST_LASTS + 0.1);
    assert_eq!(asked(&stage, 1).from, FIRST);
}

#[test]
fn a_server_without_ranges_is_asked_for_a_begun_file_only_when_nobody_else_is_left() {
    let mut stage = PolicyStage::new(2, &[20 * MB]);
    stage.host(1).no_ranges = true;
    stage.there(0, MB, 0);
    assert_eq!(
        next(&stage.picture, host(1), stage.now),
        NextSegment::Nothing
    );
    stage.file(0).sources[source(0)].out = true;
    let ask = asked(&stage, 1);
    assert_eq!((ask.from, ask.to), (MB, 20 * MB));
}

#[test]
fn a_server_without_ranges_does_not_go_on_with_its_own_where_another_can() {
    let mut stage = PolicyStage::new(2, &[20 * MB]);
    stage.host(0).no_ranges = true;
    stage.there(0, MB, 0);
    assert_eq!(
        next(&stage.picture, host(0), stage.now),
        NextSegment::Nothing
    );
    assert_eq!(asked(&stage, 1).from, MB);
}

#[test]
fn a_file_is_begun_when_those_begun_have_no_gap() {
    let mut stage = PolicyStage::new(1, &[MB, MB]);
    let second = FileId::new(1);
    stage.picture.open.pop();
    stage.picture.queue.push_back(second);
    stage.file(1).stage = FileStage::Waiting;
    stage.picture.probe = two_connections();
    stage.running(0, 0, MB);
    assert_eq!(
        next(&stage.picture, host(0), stage.now),
        NextSegment::Begin(second)
    );
}

/// A probe that has seen one connection help and wants more.
fn two_connections() -> crate::transfer::policy::probe::Probe {
    use crate::transfer::policy::probe::{Probe, Reading};
    let mut probe = Probe::default();
    probe.add();
    let (mut now, mut bytes) = (0.0, 0);
    while probe.target(host(0)) < 2 {
        now += 0.1;
        bytes += 100_000;
        let reading = Reading {
            bytes,
            in_use: 1,
            cap: 6,
            active: true,
        };
        probe.tick(now, 0.01, &[reading]);
        assert!(now < 10.0);
    }
    probe
}
