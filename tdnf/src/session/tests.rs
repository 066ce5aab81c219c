use super::repos::glob;

#[test]
fn globs_match_whole_ids() {
    assert!(glob("photon*", "photon-test"));
    assert!(glob("*", ""));
    assert!(glob("ph?ton-[a-z]*", "photon-test"));
    assert!(glob("[!a]b", "cb"));
    assert!(glob("*a*b*", "xxaxxbxx"));
    assert!(!glob("photon", "photon-test"));
    assert!(!glob("[!a]b", "ab"));
    assert!(!glob("ph?ton", "phton"));
    assert!(glob("a[", "a["));
}
