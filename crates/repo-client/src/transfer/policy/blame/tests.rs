use super::*;
use crate::transfer::ids::Id;
use crate::transfer::policy::tests::{PolicyStage, source};

const FILE: fn() -> FileId = || FileId::new(0);

fn sample(from: u64, data: &[u8]) -> Sample {
    Sample {
        from,
        length: data.len(),
        data: data.to_vec(),
    }
}

#[test]
fn a_sample_is_compared_with_whoever_brought_those_bytes() {
    let mut stage = PolicyStage::new(3, &[100]);
    stage.there(0, 50, 2);
    let compared =
        |at, there: Option<&[u8]>| compare(&stage.picture.files[FILE()], &sample(at, b"ab"), there);
    assert_eq!(compared(10, Some(b"ab")), Sampled::Same);
    assert_eq!(compared(10, Some(b"ax")), Sampled::Differs(source(2)));
    assert_eq!(
        compared(10, None),
        Sampled::Differs(source(2)),
        "unreadable"
    );
    assert_eq!(compared(60, Some(b"ab")), Sampled::Nothing, "dropped since");
}

#[test]
fn two_that_differ_from_a_third_outvote_it() {
    let mut stage = PolicyStage::new(3, &[100]);
    let file = stage.file(0);
    for at in [1, 2] {
        assert!(!is_outvoted(file, source(0)));
        let one = &mut file.sources[source(at)];
        (one.suspect, one.differs) = (true, Some(source(0)));
    }
    assert!(is_outvoted(file, source(0)));
    file.sources[source(0)].suspect = true;
    assert!(!is_outvoted(file, source(0)), "it is left out already");
}

#[test]
fn who_brought_all_of_a_wrong_file_lied() {
    let mut stage = PolicyStage::new(2, &[100]);
    stage.there(0, 100, 1);
    assert_eq!(judge(&stage.picture, FILE()), Blame::Lied(source(1)));
    stage.file(0).kept = true;
    assert_eq!(judge(&stage.picture, FILE()), Blame::Again);
}

#[test]
fn the_least_trusted_of_several_is_left_out_first() {
    let mut stage = PolicyStage::new(3, &[100]);
    stage.there(0, 60, 0);
    stage.there(60, 90, 1);
    stage.there(90, 100, 2);
    assert_eq!(
        judge(&stage.picture, FILE()),
        Blame::LeaveOut(source(2)),
        "the fewest bytes"
    );
    stage.host(0).verified = 0;
    assert_eq!(
        judge(&stage.picture, FILE()),
        Blame::LeaveOut(source(0)),
        "nothing verified"
    );
    assert_eq!(
        judge(&PolicyStage::new(1, &[0]).picture, FILE()),
        Blame::Nobody
    );
}

#[test]
fn a_server_is_a_liar_if_it_was_never_right_and_others_are_left() {
    let mut stage = PolicyStage::new(2, &[100]);
    assert!(!is_liar(&stage.picture, FILE(), source(0)), "right before");
    stage.host(0).verified = 0;
    assert!(is_liar(&stage.picture, FILE(), source(0)));
    stage.host(1).dead = true;
    assert!(!is_liar(&stage.picture, FILE(), source(0)), "the only one");
}
