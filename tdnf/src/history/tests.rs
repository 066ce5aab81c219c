use super::*;

fn installed(nevras: &[&str], cookie: &str) -> Installed {
    let nevras = nevras.iter().map(|&nevra| nevra.to_owned()).collect();
    Installed {
        nevras,
        cookie: cookie.to_owned(),
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
            &installed(&["a-1-1.noarch", "b-1-1.noarch"], "c2"),
            "install b",
            12,
            &[],
            &[],
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
    history
        .record(&set, "install a", 2, &names(&["b", "c"]), &names(&["a"]))
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
