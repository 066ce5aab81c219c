use super::*;

fn installed(nevras: &[&str], cookie: &str) -> InstalledSet {
    let nevras = nevras.iter().map(|&nevra| nevra.to_owned()).collect();
    InstalledSet {
        nevras,
        cookie: cookie.to_owned(),
        only: None,
    }
}

fn begun(command_line: &str, now: u64, flags: &[(&str, i64)]) -> Begun {
    let flags = flags
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value));
    Begun {
        command_line: command_line.to_owned(),
        now,
        flags: flags.collect(),
        ..Begun::default()
    }
}

fn items(history: &History) -> Vec<(i64, i64, i64, String)> {
    let mut rows = history.connection.prepare(schema::ITEMS).unwrap();
    let all = rows
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap();
    all.map(Result::unwrap).collect()
}

#[test]
fn a_base_set_comes_first_and_deltas_follow() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::open(dir.path()).unwrap();
    history
        .sync(&installed(&["a-1-1.noarch"], "c1"), 10)
        .unwrap();
    history
        .sync(&installed(&["a-1-1.noarch"], "c1"), 11)
        .unwrap();
    history
        .record(
            &begun("install b", 12, &[]),
            &installed(&["a-1-1.noarch", "b-1-1.noarch"], "c2"),
        )
        .unwrap();
    history
        .sync(&installed(&["b-1-1.noarch"], "c3"), 13)
        .unwrap();
    assert_eq!(
        items(&history),
        [
            (BASE, 1, IN_SET, "a-1-1.noarch".to_owned()),
            (DELTA, 2, ADDED, "b-1-1.noarch".to_owned()),
            (DELTA, 3, REMOVED, "a-1-1.noarch".to_owned()),
        ]
    );
}

#[test]
fn the_newest_flag_counts() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::open(dir.path()).unwrap();
    let set = installed(&["a-1-1.noarch", "b-1-1.noarch"], "c");
    history.sync(&installed(&[], "0"), 1).unwrap();
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let marks = [("a", 0), ("b", 1), ("c", 1)];
    history
        .record(&begun("install a", 2, &marks), &set)
        .unwrap();
    assert_eq!(
        history
            .auto_installed()
            .unwrap()
            .into_iter()
            .collect::<Vec<_>>(),
        ["b", "c"]
    );
    history
        .mark(&names(&["b"]), false, "mark install b", 3)
        .unwrap();
    assert_eq!(
        history
            .auto_installed()
            .unwrap()
            .into_iter()
            .collect::<Vec<_>>(),
        ["c"]
    );
}

#[test]
fn no_history_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(History::open_read(dir.path()).unwrap().is_none());
}

/// What a full disk or a power loss leaves: no byte, or a database without a table.
#[test]
fn an_empty_history_is_none_and_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    for is_database in [false, true] {
        fs::write(&path, "").unwrap();
        if is_database {
            let db = Connection::open(&path).unwrap();
            db.pragma_update(None, "user_version", 0).unwrap();
        }
        assert!(History::open_read(dir.path()).unwrap().is_none());
        let history = History::open(dir.path()).unwrap();
        history.sync(&installed(&["a-1-1.noarch"], "c"), 1).unwrap();
        let history = History::open_read(dir.path()).unwrap().unwrap();
        assert_eq!(history.entries().unwrap().len(), 1);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_damaged_history_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    fs::write(&path, [7; 5000]).unwrap();
    for opened in [
        History::open(dir.path()).map(|_| ()),
        History::open_read(dir.path()).map(|_| ()),
    ] {
        let failure = crate::error::Failure::from(opened.unwrap_err());
        let said = [failure.details, failure.hints].concat().join("\n");
        let move_away = format!("move {} away", path.display());
        assert!(said.contains("the history is damaged"), "{said}");
        assert!(said.contains(&move_away), "{said}");
    }
    assert_eq!(fs::read(&path).unwrap(), [7; 5000]);
}

/// What a killed run had begun is recorded if it is seen to have happened, else forgotten.
#[test]
fn what_was_begun_is_recorded_if_it_happened() {
    let before = installed(&["a-0:1-1.noarch", "old-1-1.noarch"], "c1");
    for (after, added, removed, outcome) in [
        (&before, &["b-1-1.noarch"][..], &[][..], Settled::Dropped),
        (
            &installed(&["a-0:1-1.noarch", "b-1-1.noarch", "old-1-1.noarch"], "c2"),
            &["b-1-1.noarch"],
            &[],
            Settled::Recorded,
        ),
        // Somebody else changed something.
        (
            &installed(
                &["a-0:1-1.noarch", "other-1-1.noarch", "old-1-1.noarch"],
                "c2",
            ),
            &["b-1-1.noarch"],
            &["old-1-1.noarch"],
            Settled::Dropped,
        ),
        (
            &installed(&["a-0:1-1.noarch"], "c2"),
            &[],
            &["old-1-1.noarch"],
            Settled::Recorded,
        ),
        // A reinstall shows in the cookie alone.
        (
            &installed(&["a-0:1-1.noarch", "old-1-1.noarch"], "c2"),
            &["a-1-1.noarch"],
            &[],
            Settled::Recorded,
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let history = History::open(dir.path()).unwrap();
        history.sync(&before, 1).unwrap();
        let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
        let begun = Begun {
            added: names(added),
            removed: names(removed),
            ..begun("the command", 2, &[("b", 1)])
        };
        history.begin(&begun).unwrap();
        assert!(history.has_begun().unwrap());
        assert_eq!(history.settle_begun(after).unwrap(), outcome, "{after:?}");
        assert!(!history.has_begun().unwrap());
        assert_eq!(history.settle_begun(after).unwrap(), Settled::Nothing);
        let recorded = outcome == Settled::Recorded;
        assert_eq!(history.auto_installed().unwrap().contains("b"), recorded);
        let entries = history.entries().unwrap();
        assert_eq!(entries.len(), 1 + usize::from(recorded));
        assert_eq!(
            entries.last().unwrap().command_line == "the command",
            recorded
        );
    }
}
