use super::*;

#[test]
fn text_goes_both_ways() {
    for text in ["a-b-1:2-3.x86_64", "bash-5.2-1.ph5.noarch", "a-1-1.el9.src"] {
        assert_eq!(Nevra::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(
        Nevra::parse("a-0:1-1.noarch").unwrap(),
        Nevra::parse("a-1-1.noarch").unwrap()
    );
    for text in [
        "", "a", "a-1", "a-1-1", "-1-1.x", "a--1.x", "a-1-.x", "a-1-1.",
    ] {
        assert!(Nevra::parse(text).is_err(), "{text}");
    }
}
