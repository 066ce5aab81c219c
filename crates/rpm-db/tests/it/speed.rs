//! Reading the database of an ordinary host takes milliseconds.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rpm_db::{Db, DbLocation};
use rpm_pkg::header::tag;

use crate::common::{folder, headers, write_ours};

/// Ten times the goal (10 ms for 300 packages in a release build), because tests run unoptimised and not alone.
const LIMIT: Duration = Duration::from_millis(100);

#[test]
fn three_hundred_headers() {
    let Some(rpms) = testkit::fixtures::real_rpms() else {
        return;
    };
    let good = rpms.into_iter().filter(|r| r.error.is_empty());
    let files: Vec<_> = good
        .map(|r| r.path)
        .filter(|path| headers(path).is_ok())
        .collect();
    let dir = folder();
    let start = Instant::now();
    write_ours(dir.path(), &files);
    let written = start.elapsed();
    let location = DbLocation::at(dir.path()).unwrap();
    let mut best = Duration::MAX;
    let mut bytes = 0;
    for _ in 0..5 {
        let start = Instant::now();
        let db = Db::open_read(&location).unwrap();
        let mut count = 0;
        bytes = 0;
        let damaged = db
            .for_each(&mut |_, header| {
                assert!(header.text(tag::NAME).is_some());
                bytes += header.bytes().len();
                count += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(damaged.is_empty());
        assert_eq!(count, files.len());
        best = best.min(start.elapsed());
    }
    println!(
        "{} headers, {bytes} bytes: read in {best:?}, written in {written:?}",
        files.len()
    );
    assert!(best < LIMIT, "{best:?}");
}
