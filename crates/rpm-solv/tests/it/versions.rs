//! The library was built with rpm's semantics, not Debian's.

use rpm_solv::compare_evr;
use std::cmp::Ordering;

#[test]
fn versions_compare_as_in_rpm() {
    let ascending = [
        "1.0~rc1-1",
        "1.0-1",
        "1.0-2",
        "1.0^git1-1",
        "1.0.1-1",
        "1.1-1",
        "1.10-1",
        "1:0.1-1",
    ];
    for pair in ascending.windows(2) {
        assert_eq!(compare_evr(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        assert_eq!(compare_evr(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
    }
    assert_eq!(compare_evr("0:1.0-1", "1.0-1"), Ordering::Equal);
    assert_eq!(compare_evr("1.0a-1", "1.0.a-1"), Ordering::Equal);
}
