use super::*;
use crate::tests::Stage;

#[test]
fn differences_are_those_of_the_full_names() {
    let stage = Stage::new("[mirror]");
    // before, after: added, removed
    let cases: &[[&[&str]; 4]] = &[
        [&[], &[], &[], &[]],
        [&[], &["a-1", "b-1"], &["a-1", "b-1"], &[]],
        [&["a-1", "b-1"], &[], &[], &["a-1", "b-1"]],
        [&["a-1", "b-1"], &["a-1", "b-1"], &[], &[]],
        [&["a-1", "b-1"], &["b-1", "a-2"], &["a-2"], &["a-1"]],
    ];
    for [had, new, added, removed] in cases {
        let files: Vec<String> = had.iter().map(|name| format!("{name}.rpm")).collect();
        let mut files: Vec<(&str, &str)> = files.iter().map(|path| (path.as_str(), "x")).collect();
        // Metadata are no packages, and the same package under a second path is one.
        files.push(("repodata/repomd.xml", "x"));
        files.extend(files.first().copied());
        let old = stage.snapshot(1, &files);
        let new: BTreeSet<String> = new.iter().map(|name| (*name).to_owned()).collect();
        let found = differences(&old.files, &new);
        assert_eq!(
            (&found.0[..], &found.1[..]),
            (&strings(added)[..], &strings(removed)[..])
        );
        assert_eq!(differences(&[], &new).0.len(), new.len());
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn the_guard_counts_what_nothing_replaces() {
    // max_delete_percent, max_delete, packages before, removed, packages after: what refuses
    let cases = [
        (20, 0, 0, 0, 0, ""),
        (20, 0, 10, 0, 10, ""),
        (20, 0, 10, 2, 8, ""),
        (20, 0, 10, 3, 7, "max_delete_percent = 20"),
        (20, 0, 10, 10, 0, "max_delete_percent = 20"),
        (20, 0, 10, 10, 10, ""),
        (20, 0, 10, 10, 25, ""),
        (20, 0, 10, 10, 8, ""),
        (20, 0, 10, 10, 7, "max_delete_percent = 20"),
        (20, 0, 1, 1, 0, "max_delete_percent = 20"),
        (20, 0, 4, 1, 3, "max_delete_percent = 20"),
        (20, 0, 5, 1, 4, ""),
        (0, 0, 1000, 1, 999, "max_delete_percent = 0"),
        (100, 0, 10, 10, 0, ""),
        (100, 2, 10, 2, 8, ""),
        (100, 2, 10, 3, 7, "max_delete = 2"),
        (100, 2, 10, 3, 9, ""),
        (0, 1, 10, 2, 8, "max_delete = 1"),
        (u64::MAX, 0, 10, 10, 0, ""),
    ];
    let stage = Stage::new("[mirror]");
    for (percent, most, had, removed, left, expected) in cases {
        let limits = Mirror {
            max_delete_percent: percent,
            max_delete: most,
            ..Mirror::default()
        };
        let mut old = stage.snapshot(1, &[]);
        old.packages = had;
        let found = guard("base", &limits, Some(&old), removed, left);
        let case = (percent, most, had, removed, left);
        match found {
            Ok(()) => assert_eq!(expected, "", "{case:?}"),
            Err(Error::DeleteGuard {
                gone, had: of, why, ..
            }) => {
                assert_eq!(why, format!("more than {expected}"), "{case:?}");
                assert_eq!((gone, of), (removed.min(had - left), had), "{case:?}");
            }
            Err(other) => panic!("{case:?}: {other}"),
        }
        assert!(
            guard("base", &limits, None, removed, left).is_ok(),
            "nothing was published yet"
        );
    }
}
