use super::*;

#[test]
fn evr_text_is_split_as_rpm_splits_it() {
    let evr = Evr::parse("1:2.0-3.el9");
    assert_eq!(
        (evr.epoch, evr.version.as_str(), evr.release.as_str()),
        (Some(1), "2.0", "3.el9")
    );
    assert_eq!(evr.to_string(), "1:2.0-3.el9");
    assert_eq!(Evr::parse("0:1-1").to_string(), "1-1");
    assert_eq!(Evr::parse("0:1-1"), Evr::parse("1-1"));
    assert_eq!(Evr::parse("a:1").version, "a:1");
    assert_eq!(Evr::parse(":1").epoch, Some(0));
    assert_eq!(Evr::parse("99999999999:1").epoch, Some(u32::MAX));
}

#[test]
fn equal_evrs_hash_alike() {
    use std::hash::{BuildHasher, RandomState};
    let state = RandomState::new();
    for (a, b) in [
        ("1.0", "1..0"),
        ("01", "1"),
        ("1.0_", "1.0+"),
        ("0:1.0-1", "1.0-1"),
    ] {
        let (a, b) = (Evr::parse(a), Evr::parse(b));
        assert_eq!(a, b);
        assert_eq!(state.hash_one(&a), state.hash_one(&b));
    }
}
