use std::collections::BTreeMap;

use super::*;
use crate::layout;
use crate::tests::Stage;

const DAY: u64 = 86_400;

/// What clients see of `base`: paths and texts.
fn seen(stage: &Stage, channel: &str) -> BTreeMap<String, String> {
    let public = stage.layout.public();
    let root = match channel {
        CURRENT => public.join("base"),
        other => public.join(other).join("base"),
    };
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for name in layout::names_in(&folder).unwrap() {
            let path = folder.join(name);
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(&root).unwrap().display().to_string();
                found.insert(below, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

fn files(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    let list = list.iter();
    list.map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect()
}

/// Publishes a snapshot made at `at`.
fn publish(stage: &Stage, at: u64, list: &[(&str, &str)], state: &mut RepoState) -> Manifest {
    let manifest = stage.snapshot(at, list);
    stage.publisher(at).publish(&manifest, state).unwrap();
    manifest
}

fn trees(stage: &Stage) -> Vec<String> {
    layout::names_in(&stage.layout.public().join(".live/current/base")).unwrap()
}

#[test]
fn clients_see_a_set_and_for_the_grace_time_the_one_before() {
    let stage = Stage::new("[mirror]\ngrace = '1d'");
    let mut state = RepoState::default();
    publish(
        &stage,
        DAY,
        &[("repodata/repomd.xml", "1"), ("a.rpm", "a")],
        &mut state,
    );
    let first = files(&[("repodata/repomd.xml", "1"), ("a.rpm", "a")]);
    assert_eq!(seen(&stage, CURRENT), first);
    let second = [("repodata/repomd.xml", "2"), ("b.rpm", "b")];
    publish(&stage, 5 * DAY, &second, &mut state);
    // The first was replaced just now: its files stay, its index does not.
    let both = files(&[("repodata/repomd.xml", "2"), ("a.rpm", "a"), ("b.rpm", "b")]);
    assert_eq!(seen(&stage, CURRENT), both);
    // One second before its grace ends, and then at its end.
    let third = [("repodata/repomd.xml", "3")];
    publish(&stage, 6 * DAY - 1, &third, &mut state);
    assert_eq!(
        seen(&stage, CURRENT),
        files(&[third[0], ("a.rpm", "a"), ("b.rpm", "b")])
    );
    let fourth = [("repodata/repomd.xml", "4")];
    publish(&stage, 6 * DAY, &fourth, &mut state);
    assert_eq!(seen(&stage, CURRENT), files(&[fourth[0], ("b.rpm", "b")]));
    let of_old = fs::read_to_string(
        stage
            .layout
            .public()
            .join("snapshots/base")
            .join(manifest::stamp(DAY))
            .join("a.rpm"),
    );
    assert_eq!(of_old.unwrap(), "a", "snapshots stay as they were");
    assert_eq!(manifest::read_state(&stage.layout, "base").unwrap(), state);
}

#[test]
fn publications_are_numbered_and_the_last_but_one_stays_for_requests_under_way() {
    let stage = Stage::new("[mirror]\ngrace = '0s'");
    let mut state = RepoState::default();
    for (at, expected) in [(1, &["1"][..]), (2, &["1", "2"]), (3, &["2", "3"])] {
        publish(&stage, at, &[("a.rpm", "a")], &mut state);
        assert_eq!(trees(&stage), expected);
        assert_eq!(
            state.published[CURRENT].len(),
            1,
            "no grace, nothing to remember"
        );
    }
    stage.publisher(3).prune("base").unwrap();
    assert_eq!(trees(&stage), ["3"]);
    stage.publisher(3).prune("never published").unwrap();
}

#[test]
fn the_same_snapshot_twice_is_as_once() {
    let stage = Stage::new("[mirror]");
    let mut state = RepoState::default();
    let manifest = publish(&stage, 1, &[("a.rpm", "a")], &mut state);
    stage.publisher(2).publish(&manifest, &mut state).unwrap();
    assert_eq!(seen(&stage, CURRENT), files(&[("a.rpm", "a")]));
    assert_eq!(
        manifest::stamps(&stage.layout, "base").unwrap(),
        std::slice::from_ref(&manifest.stamp)
    );
    assert_eq!(state.newest_shown, manifest.stamp);
    assert_eq!(state.current(CURRENT).unwrap().tree, 2);
    // The same path twice in one set cannot be: the set is refused and nothing changes.
    let double = stage.snapshot(3, &[("b.rpm", "b"), ("b.rpm", "b")]);
    let before = state.clone();
    assert!(stage.publisher(3).publish(&double, &mut state).is_err());
    assert_eq!(
        (seen(&stage, CURRENT), state),
        (files(&[("a.rpm", "a")]), before)
    );
}

#[test]
fn what_a_kill_left_is_replaced() {
    let stage = Stage::new("[mirror]");
    let (mut state, public) = (RepoState::default(), stage.layout.public());
    publish(&stage, 1, &[("a.rpm", "a")], &mut state);
    let next = stage.snapshot(2, &[("b.rpm", "b")]);
    // Killed while it was placed, while the publication was prepared, before its manifest.
    let places = [
        "snapshots/base/.making".to_owned(),
        format!("snapshots/base/{}", next.stamp),
        ".live/current/base/2".to_owned(),
    ];
    for place in &places {
        let folder = public.join(place);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("b.rpm"), "half").unwrap();
        fs::write(folder.join("junk"), "junk").unwrap();
    }
    assert_eq!(seen(&stage, CURRENT), files(&[("a.rpm", "a")]));
    stage.publisher(2).publish(&next, &mut state).unwrap();
    assert_eq!(
        seen(&stage, CURRENT),
        files(&[("a.rpm", "a"), ("b.rpm", "b")])
    );
    assert_eq!(
        layout::names_in(&public.join(&places[1])).unwrap(),
        ["b.rpm"]
    );
    assert!(!public.join(&places[0]).exists());
    // Killed between the switch and the state: the next publication has the same number again.
    let mut old = RepoState {
        published: BTreeMap::new(),
        ..state
    };
    publish(&stage, 3, &[("c.rpm", "c")], &mut old);
    assert_eq!(seen(&stage, CURRENT), files(&[("c.rpm", "c")]));
}

#[test]
fn a_set_that_cannot_be_placed_changes_nothing() {
    let stage = Stage::new("[mirror]");
    let mut state = RepoState::default();
    publish(&stage, 1, &[("a.rpm", "a")], &mut state);
    let whole = stage.snapshot(2, &[("b.rpm", "b"), ("c.rpm", "c")]);
    stage.store.forget(&whole.files[1].digest().unwrap());
    let astray = stage.snapshot(2, &[("../b.rpm", "b")]);
    let mut nameless = stage.snapshot(2, &[("b.rpm", "b")]);
    nameless.files[0].digest = "nonsense".into();
    for bad in [&whole, &astray, &nameless] {
        let before = state.clone();
        assert!(stage.publisher(2).publish(bad, &mut state).is_err());
        assert_eq!(state, before);
        assert_eq!(seen(&stage, CURRENT), files(&[("a.rpm", "a")]));
        assert!(manifest::read(&stage.layout, "base", &bad.stamp).is_err());
    }
    stage.store.put(b"c").unwrap();
    stage.publisher(3).publish(&whole, &mut state).unwrap();
    assert_eq!(seen(&stage, CURRENT).len(), 3);
}

#[test]
fn a_delta_that_is_gone_is_left_out() {
    let stage = Stage::new("[mirror]");
    let mut manifest = stage.snapshot(1, &[("a.rpm", "a")]);
    manifest.deltas = stage
        .snapshot(1, &[("repodata/d1", "there"), ("repodata/d2", "gone")])
        .files;
    stage.store.forget(&manifest.deltas[1].digest().unwrap());
    stage
        .publisher(1)
        .publish(&manifest, &mut RepoState::default())
        .unwrap();
    assert_eq!(
        seen(&stage, CURRENT),
        files(&[("a.rpm", "a"), ("repodata/d1", "there")])
    );
}

#[test]
fn channels_show_what_they_are_told_under_names_of_their_own() {
    let stage = Stage::new("[mirror]\n[repo.base]\n[repo.extra]");
    let mut state = RepoState::default();
    let old = publish(&stage, 1, &[("a.rpm", "1")], &mut state);
    let new = publish(&stage, 2, &[("a.rpm", "2")], &mut state);
    let publisher = stage.publisher(3);
    publisher.show("stable", &old).unwrap();
    assert_eq!(seen(&stage, "stable"), files(&[("a.rpm", "1")]));
    assert_eq!(seen(&stage, CURRENT), files(&[("a.rpm", "2")]));
    for unfit in [
        "",
        "..",
        "../x",
        "a/b",
        "a b",
        "extra",
        "snapshots",
        ".live",
    ] {
        let error = publisher.show(unfit, &old).expect_err(unfit);
        assert!(matches!(error, Error::Usage(_)), "{unfit}: {error}");
    }
    // Back and forth: what was ever shown stays known.
    assert_eq!(publisher.before("base", CURRENT).unwrap(), old);
    publisher.show(CURRENT, &old).unwrap();
    assert_eq!(seen(&stage, CURRENT)["a.rpm"], "1");
    for (channel, why) in [
        (CURRENT, "no snapshot before"),
        ("unknown", "shows nothing yet"),
    ] {
        let error = publisher.before("base", channel).expect_err(channel);
        assert!(error.to_string().contains(why), "{error}");
    }
    let state = manifest::read_state(&stage.layout, "base").unwrap();
    assert_eq!(state.newest_shown, new.stamp);
}

#[test]
fn snapshots_go_when_they_are_surplus_old_and_unused() {
    // keep_snapshots, keep_for, what a second channel shows: which of 1 to 5 go
    let cases: &[(usize, &str, Option<u64>, &[u64])] = &[
        (0, "0s", None, &[]),
        (1, "0s", None, &[1, 2, 3, 4]),
        (2, "0s", None, &[1, 2, 3]),
        (2, "0s", Some(2), &[1, 3]),
        (5, "0s", None, &[]),
        (99, "0s", None, &[]),
        (1, "2d", None, &[1, 2]),
        (1, "90d", None, &[]),
    ];
    for (keep, keep_for, shown, expected) in cases {
        let config =
            format!("[mirror]\ngrace = '0s'\nkeep_snapshots = {keep}\nkeep_for = '{keep_for}'");
        let stage = Stage::new(&config);
        let mut state = RepoState::default();
        let made: Vec<Manifest> = (1..=5)
            .map(|day| publish(&stage, day * DAY, &[("a.rpm", "a")], &mut state))
            .collect();
        if let Some(day) = shown {
            let publisher = stage.publisher(5 * DAY);
            publisher.show("stable", &made[*day as usize - 1]).unwrap();
            state = manifest::read_state(&stage.layout, "base").unwrap();
        }
        let gone = stage.publisher(5 * DAY).retain("base", &state).unwrap();
        let expected: Vec<String> = expected
            .iter()
            .map(|day| manifest::stamp(day * DAY))
            .collect();
        assert_eq!(gone, expected, "{keep} {keep_for} {shown:?}");
        let left = layout::names_in(&stage.layout.public().join("snapshots/base")).unwrap();
        assert_eq!(left, manifest::stamps(&stage.layout, "base").unwrap());
        assert_eq!(left.len(), 5 - expected.len());
    }
}

#[test]
fn damaged_names_lead_to_the_store_again() {
    let stage = Stage::new("[mirror]");
    let mut state = RepoState::default();
    let set = [("a.rpm", "a"), ("b.rpm", "b"), ("repodata/repomd.xml", "i")];
    publish(&stage, 1, &set, &mut state);
    let publisher = stage.publisher(2);
    assert_eq!(publisher.repair("base").unwrap(), 0);
    let shown = stage.layout.public().join("base");
    fs::remove_file(shown.join("a.rpm")).unwrap();
    fs::write(shown.join("a.rpm"), "damaged").unwrap();
    fs::remove_file(shown.join("b.rpm")).unwrap();
    assert_eq!(publisher.repair("base").unwrap(), 2);
    assert_eq!(seen(&stage, CURRENT), files(&set));
    assert_eq!(publisher.repair("base").unwrap(), 0);
    fs::remove_file(&shown).unwrap();
    assert_eq!(publisher.repair("base").unwrap(), 1);
    assert_eq!(seen(&stage, CURRENT), files(&set));
}
