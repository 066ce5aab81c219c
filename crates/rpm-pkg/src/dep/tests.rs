use super::*;

fn dep(text: &str) -> Dep {
    Dep::parse(text).unwrap()
}

#[test]
fn ranges_meet_as_in_rpm() {
    let cases = [
        ("a", "a = 1", true),
        ("a >= 2", "a = 1", false),
        ("a >= 1", "a = 1-5", true),
        ("a = 1-5", "a = 1", true),
        ("a > 1", "a = 1-5", false),
        ("a < 2", "a = 1:1", false),
        ("a <= 1-1", "a = 1-2", false),
        ("a < 2", "a < 1", true),
        ("a > 2", "a < 2", false),
        ("b", "a", false),
    ];
    for (a, b, expect) in cases {
        assert_eq!(dep(a).overlaps(&dep(b)), expect, "{a} / {b}");
        assert_eq!(dep(b).overlaps(&dep(a)), expect, "{b} / {a}");
    }
}

#[test]
fn text_goes_both_ways() {
    for text in ["a", "a >= 1:2-3", "(a if b)", "libx.so.1()(64bit)"] {
        assert_eq!(dep(text).to_string(), text);
    }
    assert_eq!(Dep::parse("a 1"), None);
    assert_eq!(Dep::parse("a >="), None);
    assert_eq!(Dep::parse("a = 1 2"), None);
    assert_eq!(Dep::parse(""), None);
}

#[test]
fn rich_operands_are_indexed_with_their_sign() {
    let names = |text| {
        let mut names = rich::index_names(text).unwrap();
        names.sort();
        names
    };
    assert_eq!(
        names("(needA if condB else altC)"),
        ["!condB", "altC", "condB", "needA"]
    );
    assert_eq!(names("(foo or (bar and baz >= 2))"), ["bar", "baz", "foo"]);
    assert_eq!(names("(a if b)"), ["!b", "a"]);
    assert_eq!(names("(rpmlib(X) and a)"), ["a"]);
}

#[test]
fn rich_errors_are_told_apart() {
    use rich::{RichContext, RichError, parse, parse_in};
    assert_eq!(parse("(a and b or c)"), Err(RichError::MixedOps));
    assert_eq!(parse("(a if b if c)"), Err(RichError::Unchainable));
    assert_eq!(parse("(a else b)"), Err(RichError::StrayElse));
    assert_eq!(parse("()"), Err(RichError::MissingOperand));
    assert_eq!(parse("(a and"), Err(RichError::Unclosed));
    assert_eq!(parse("(a >= )"), Err(RichError::MissingVersion("a".into())));
    assert_eq!(parse(&"(".repeat(1000)), Err(RichError::TooDeep));
    assert_eq!(
        parse_in("(a or (b if c))", RichContext::And),
        Err(RichError::IfInOr)
    );
    assert_eq!(
        parse_in("(a unless b)", RichContext::And),
        Err(RichError::UnlessInAnd)
    );
    let text = "(a and (b if c >= 1 else d) and e(x))";
    assert_eq!(parse(text).unwrap().to_string(), text);
}
