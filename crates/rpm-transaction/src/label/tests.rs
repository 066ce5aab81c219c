//! The table of labels. Compared with libselinux in the integration tests.

use super::contexts::{FileContexts, policy_name};
use super::*;

#[test]
fn the_configuration_names_the_policy() {
    let name = |text: &str| policy_name(text.as_bytes()).map(|n| String::from_utf8(n).unwrap());
    for (text, expected) in [
        (
            "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
            Some("targeted"),
        ),
        ("# SELINUX=enforcing\n", None),
        ("SELINUX=permissive\n", Some("targeted")),
        ("SELINUX = enforcing \n SELINUXTYPE = mls\n", Some("mls")),
        ("SELINUX=disabled\nSELINUXTYPE=targeted\n", None),
        ("SELINUX=enforcing\nSELINUXTYPE=../../../x\n", None),
        ("SELINUX=enforcing\nSELINUXTYPE=..\n", None),
        ("", None),
    ] {
        assert_eq!(name(text).as_deref(), expected, "{text:?}");
    }
}

/// A table of someone else's root may hold anything.
#[test]
fn odd_lines_are_counted_and_passed_over() {
    let mut table = FileContexts::default();
    let huge = format!("/{} l:l:l:s0\n", "x".repeat(5000));
    let text =
        format!("/a good\n/b -x bad\n/c\n/d -- too many words\n{huge}/(e unclosed\n/z last\n");
    assert_eq!(table.add(text.as_bytes()), Some(2));
    assert_eq!(table.add(b"\n# nothing\n/y y\n"), None);
    table.finish();
    let label = |path: &str| {
        let label = table.lookup(path.as_bytes(), Kind::Regular);
        label.map(|l| String::from_utf8_lossy(l).into_owned())
    };
    assert_eq!(label("/a").as_deref(), Some("good"));
    assert_eq!(label("/z").as_deref(), Some("last"));
    assert_eq!(label("/(e"), None);
    assert_eq!(label("/b"), None);
    assert_eq!(label(""), None);
}

/// An expression that would need gigabytes is not built.
#[test]
fn an_expression_may_not_grow() {
    let mut table = FileContexts::default();
    assert_eq!(table.add(b"/a{1000}{1000}{1000} l\n/b l\n"), None);
    table.finish();
    assert_eq!(table.lookup(b"/aaaa", Kind::Regular), None);
    assert_eq!(table.lookup(b"/b", Kind::Regular), Some(&b"l"[..]));
}
