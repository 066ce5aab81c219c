//! Version comparison against real rpm.

use crate::support::{have_rpm, run};
use rpm_pkg::evr::{Evr, EvrRef, vercmp};
use std::cmp::Ordering;

/// The table of docs/reference/transactions.md, 5.1 and the cases of rpm's own documentation of `rpmvercmp`.
const CASES: &[(&str, Ordering, &str)] = &[
    ("1.0", Ordering::Greater, "1.0~rc1"),
    ("1.0~rc1", Ordering::Less, "1.0~rc1^git1"),
    ("1.0^git1", Ordering::Greater, "1.0"),
    ("1.0^git1", Ordering::Less, "1.01"),
    ("1.0^git1", Ordering::Less, "1.0.1"),
    ("1.0^", Ordering::Greater, "1.0"),
    ("1.0~", Ordering::Less, "1.0"),
    ("1.0~rc1^git1", Ordering::Less, "1.0~rc2"),
    ("1.0^git1~pre", Ordering::Less, "1.0^git1"),
    ("1.0a", Ordering::Greater, "1.0"),
    ("1.0a", Ordering::Less, "1.0.1"),
    ("a", Ordering::Less, "1"),
    ("00001", Ordering::Equal, "1"),
    ("1..0", Ordering::Equal, "1.0"),
    ("1.0_", Ordering::Equal, "1.0+"),
    ("2.0", Ordering::Equal, "2.0\u{e9}"),
    ("10b2", Ordering::Greater, "10a1"),
    ("FC5", Ordering::Less, "fc4"),
];

#[test]
fn the_reference_table_holds() {
    for (a, expect, b) in CASES {
        assert_eq!(vercmp(a.as_bytes(), b.as_bytes()), *expect, "{a} {b}");
        assert_eq!(
            vercmp(b.as_bytes(), a.as_bytes()),
            expect.reverse(),
            "{b} {a}"
        );
    }
}

/// Versions that differ in every way that the rules know.
const VERSIONS: &[&str] = &[
    "",
    "0",
    "1",
    "01",
    "1.0",
    "1.0.0",
    "1.00",
    "2",
    "10",
    "1a",
    "a1",
    "a",
    "A",
    "ab",
    "a.b",
    "1.a",
    "1~",
    "1~~",
    "~",
    "~1",
    "~a",
    "^",
    "^1",
    "1^",
    "1^^",
    "1^a",
    "1^20200101",
    "1~rc1^2",
    "1^2~rc1",
    "1.0~rc1",
    "1.0^git1",
    "1.0^git1~pre",
    "1.0-",
    "-1",
    "_",
    "1_2",
    "1+2",
    "12",
    "1.2",
    "5.5p1",
    "5.5p2",
    "5.5p10",
    "xyz10",
    "xyz10.1",
    "xyz.4",
    "8",
    "20101121",
    "20101122",
    "2.0.1a",
    "6.6.0",
    "6.6.0a",
    "10.0001",
    "10.1",
    "10.0039",
    "4.999.9",
    "5.0",
    "99999999999999999999",
    "100000000000000000000",
    "1.0.",
    "FC5",
    "fc4",
    "2a",
    "2.0",
    "3.0.0_fc",
    "3.0.0.fc",
    "1.fc39",
    "1.el9_2",
    "1.el9_10",
    "git20240101",
    "0~0",
    "0^0",
];

#[test]
fn every_pair_compares_as_in_real_rpm() {
    if !have_rpm() {
        return;
    }
    // rpm.vercmp takes complete EVR strings and refuses those without a version.
    let versions: Vec<&str> = VERSIONS
        .iter()
        .copied()
        .filter(|v| !v.is_empty() && !v.starts_with('-'))
        .collect();
    let list: Vec<String> = versions.iter().map(|v| format!("\"{v}\"")).collect();
    let script = format!(
        "%{{lua: local l = {{{}}}; local o = {{}}; for i = 1, #l do for j = 1, #l do \
         o[#o + 1] = rpm.vercmp(l[i], l[j]) end end; print(table.concat(o, ' ')) }}",
        list.join(",")
    );
    let (ok, out) = run("rpm", ["--eval", &script]);
    assert!(ok);
    let out = String::from_utf8(out).unwrap();
    let mut answers = out.split_whitespace().map(|w| w.parse::<i32>().unwrap());
    let mut compared = 0;
    for a in &versions {
        for b in &versions {
            let ours = EvrRef::parse(a.as_bytes()).compare(&EvrRef::parse(b.as_bytes()));
            let theirs = answers.next().unwrap().cmp(&0);
            assert_eq!(ours, theirs, "\"{a}\" \"{b}\"");
            compared += 1;
        }
    }
    assert!(compared > 4000, "{compared}");
}

#[test]
fn sorting_is_a_total_order() {
    let mut list: Vec<Evr> = VERSIONS.iter().map(|v| Evr::parse(v)).collect();
    list.sort();
    for (index, a) in list.iter().enumerate() {
        assert!(list[index..].iter().all(|b| a <= b), "{a}");
    }
}
