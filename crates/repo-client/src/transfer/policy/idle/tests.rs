use std::sync::Arc;

use super::*;
use crate::options::Access;
use crate::transfer::policy::tests::PolicyStage;

const MB: u64 = 1 << 20;

/// A request that brought something and then nothing for ten seconds.
fn ten_silent_seconds(bend: impl FnOnce(&mut PolicyStage)) -> usize {
    let mut stage = PolicyStage::new(1, &[20 * MB]);
    bend(&mut stage);
    let id = stage.running(0, 0, MB);
    stage.give(id, 1000);
    stage.later(10.0);
    silent(&stage.picture, stage.now).len()
}

#[test]
fn silence_is_given_up_where_the_next_request_can_go_on_and_we_were_listening() {
    assert_eq!(ten_silent_seconds(|_| {}), 1);
    assert_eq!(
        ten_silent_seconds(|stage| stage.host(0).no_ranges = true),
        0
    );
    assert_eq!(
        ten_silent_seconds(|stage| {
            let throttle = 100;
            stage.file(0).request.access = Arc::new(Access {
                throttle,
                ..Access::default()
            });
        }),
        0
    );
}
