//! `history`, and the scopes of `list` that need it or the installed packages.

use testkit::fixtures::unprivileged;

use super::{Site, plain};

fn site() -> Option<Site> {
    if unprivileged() {
        return None;
    }
    Some(Site::with(&[
        plain("alpha", "1.0"),
        plain("alpha", "2.0"),
        plain("beta", "1.0").lines("Requires: gamma"),
        plain("gamma", "1.0"),
        plain("failing", "1.0").lines("%pre -p <lua>\nerror('no')\n"),
        plain("delta", "1.0").lines("Requires: nothing-has-this\nObsoletes: alpha < 2"),
    ]))
}

/// The table without dates.
fn table(text: &str) -> Vec<String> {
    let row = |line: &str| {
        let (front, back) = line.split_at(45.min(line.len()));
        let counts = back.find('+').map_or("", |at| &back[at..]);
        format!("{} {}", front.trim_end(), counts.trim_end())
    };
    text.lines().map(row).collect()
}

#[test]
fn history_is_listed() {
    let Some(site) = site() else { return };
    let none = site.run(&["history"]).ok();
    assert_eq!(
        (none.out.as_str(), none.err.as_str()),
        ("", "no transaction has been recorded yet\n")
    );
    site.run(&["history", "init"]).ok();
    site.run(&["-y", "install", "beta"]).ok();
    site.run(&["-y", "erase", "beta"]).ok();
    let all = site.run(&["history"]).ok().out;
    assert_eq!(
        all.lines().next(),
        Some("ID   cmd line                                date/time             +add  / -rem")
    );
    let rows = table(&all);
    assert_eq!(rows.len(), 4, "{all}");
    assert!(
        rows[1].starts_with("   1 (set)") && rows[1].ends_with("+0    / -0"),
        "{all}"
    );
    assert!(rows[2].ends_with("+2    / -0"), "{all}");
    assert!(rows[3].ends_with("+0    / -1"), "{all}");
    let one = site.run(&["history", "list", "2-3"]).ok().out;
    assert_eq!(one.lines().count(), 3, "{one}");
    assert_eq!(site.run(&["history", "3"]).ok().out.lines().count(), 2);
    let several = site.run(&["history", "list", "1", "3"]).ok().out;
    assert_eq!(
        several,
        format!(
            "{}\n",
            all.lines()
                .enumerate()
                .filter(|(row, _)| *row != 2)
                .map(|(_, line)| line)
                .collect::<Vec<_>>()
                .join("\n")
        )
    );
    assert_eq!(
        site.run(&["history", "--to", "2"]).ok().out.lines().count(),
        3
    );
    let reverse = site.run(&["history", "--reverse"]).ok().out;
    assert!(
        reverse
            .lines()
            .nth(1)
            .is_some_and(|row| row.starts_with("   3 "))
    );
    site.run(&["history", "list", "5-3"])
        .fails(86, "Error(1622) : Invalid argument");
    let info = site.run(&["history", "info", "2"]).ok().out;
    assert!(
        info.ends_with("added: beta-1.0-1.noarch, gamma-1.0-1.noarch\n\n"),
        "{info}"
    );
    let json = site
        .run(&["-j", "history", "--info", "--from", "3"])
        .ok()
        .out;
    assert!(json.starts_with(r#"[{"Id":3,"CmdLine":"#), "{json}");
    assert!(
        json.ends_with(
            r#""AddedCount":0,"RemovedCount":1,"Added":[],"Removed":["beta-1.0-1.noarch"]}]"#
        ),
        "{json}"
    );
}

#[test]
fn a_failed_transaction_is_recorded_as_failed() {
    let Some(site) = site() else { return };
    assert_ne!(site.run(&["-y", "install", "failing"]).code, 0);
    let plain = site.run(&["history"]).ok().out;
    assert_eq!(
        plain.lines().count(),
        2,
        "the table is that of tdnf: {plain}"
    );
    let info = site.run(&["history", "info"]).ok().out;
    assert!(info.contains(" failed\nreason: "), "{info}");
    assert!(info.contains("failing-1.0-1.noarch"), "{info}");
    // The empty database that it left is not the work of others.
    site.run(&["-y", "install", "gamma"]).ok();
    let plain = site.run(&["history"]).ok().out;
    assert_eq!(plain.lines().count(), 3, "{plain}");
}

/// docs/threats.md, row 103.
#[test]
fn history_undoes_repeats_and_rolls_back() {
    let Some(site) = site() else { return };
    site.run(&["history", "init"]).ok();
    site.run(&["-y", "install", "beta"]).ok();
    site.run(&["-y", "install", "alpha=1.0"]).ok();
    site.run(&["-y", "update", "alpha"]).ok();
    let ran = site.run(&["-y", "history", "undo", "4"]).ok();
    assert!(ran.out.contains("\nDowngrading:\nalpha "), "{ran:?}");
    assert_eq!(site.rpm_names(), ["alpha-1.0", "beta-1.0", "gamma-1.0"]);
    site.run(&["-y", "history", "redo", "4"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-2.0", "beta-1.0", "gamma-1.0"]);
    let ran = site.run(&["--assumeno", "history", "rollback", "2"]);
    assert!(
        ran.out.contains("\nRemoving:\nalpha "),
        "the plan is shown: {ran:?}"
    );
    assert_eq!(ran.code, 8, "{ran:?}");
    site.run(&["-y", "history", "rollback", "--to", "2"]).ok();
    assert_eq!(site.rpm_names(), ["beta-1.0", "gamma-1.0"]);
    site.run(&["-y", "history", "rollback", "1"]).ok();
    assert!(site.rpm_names().is_empty());
    let ran = site.run(&["-y", "history", "rollback", "1"]).ok();
    assert_eq!(
        ran.err,
        "all packages are as they would be afterwards\nNothing to do.\n"
    );
    site.run(&["-y", "history", "redo", "2"]).ok();
    assert_eq!(
        site.run(&["repoquery", "--userinstalled"]).ok().out,
        "beta-1.0-1.noarch\n",
        "the mark of a dependency comes back"
    );
    let ran = site.run(&["-y", "--disablerepo=*", "history", "redo", "3"]);
    let ran = ran.fails(243, "The following packages could not be resolved:");
    assert!(ran.err.contains("\n  alpha-1.0-1.noarch\n"), "{ran:?}");
    site.run(&["-y", "history", "undo", "1"])
        .fails(86, "Error(1622) : Invalid argument");
    site.run(&["-y", "history", "rollback"])
        .fails(86, "Error(1622) : Invalid argument");
    for verb in ["undo", "redo", "rollback", "info"] {
        site.run(&["-y", "history", verb, "999"])
            .fails(86, "there is no transaction 999: the newest is 9");
    }
}

#[test]
fn check_finds_what_cannot_be_installed() {
    let site = Site::with(&[
        plain("alpha", "1.0"),
        plain("delta", "1.0").lines("Requires: nothing-has-this"),
    ]);
    let ran = site
        .run(&["check"])
        .fails(21, "Error(1301) : Solv general runtime error");
    assert!(
        ran.err
            .starts_with("1. nothing provides nothing-has-this needed by delta-1.0-1.noarch\n"),
        "{ran:?}"
    );
    assert!(
        ran.err.contains("Found 1 problem(s) while resolving\n"),
        "{ran:?}"
    );
    let ran = site.run(&["check", "--skip-broken"]).ok();
    assert!(
        ran.out.ends_with("Check completed without issues\n"),
        "{ran:?}"
    );
    site.run(&["check-local"]).fails(
        138,
        "Error(906) : check-local requires path to rpm directory as a parameter",
    );
    let dir = site.path("repo").display().to_string();
    let ran = site.run(&["check-local", &dir]);
    assert_eq!(ran.code, 21, "{ran:?}");
    std::fs::remove_file(site.path("repo/delta-1.0-1.noarch.rpm")).expect("ours");
    assert_eq!(
        site.run(&["check-local", &dir]).ok().out,
        format!(
            "Checking all packages from: {dir}\nFound 1 packages\nCheck completed without issues\n"
        )
    );
    site.run(&["check-local", "/nonexistent"])
        .fails(66, "Error(1602) : No such file or directory");
}

#[test]
fn list_has_every_scope() {
    let Some(site) = site() else { return };
    site.run(&["-y", "install", "alpha=1.0", "gamma"]).ok();
    let names = |words: &[&str]| -> Vec<String> {
        let out = site.run(&[&["list"], words].concat()).ok().out;
        let rows = out.lines().filter(|line| line.contains(".noarch"));
        rows.map(|row| row.split(' ').next().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(names(&["obsoletes"]), ["delta.noarch"]);
    assert_eq!(names(&["extras"]), [""; 0]);
    assert_eq!(names(&["recent", "gamma"]), ["gamma.noarch"]);
    assert_eq!(names(&["upgrades"]), ["alpha.noarch"]);
    assert_eq!(
        names(&["--disablerepo=*", "extras"]),
        ["alpha.noarch", "gamma.noarch"]
    );
}

/// A history as C tdnf leaves it: its schema, a base set and two deltas.
const HISTORY_OF_C: &str = "
CREATE TABLE rpms(Id INTEGER PRIMARY KEY AUTOINCREMENT, nevra TEXT);
CREATE TABLE transactions(Id INTEGER PRIMARY KEY AUTOINCREMENT, cookie TEXT, cmdline TEXT, timestamp INTEGER, type INTEGER);
CREATE TABLE trans_items(Id INTEGER PRIMARY KEY AUTOINCREMENT, trans_id INTEGER, type INTEGER, rpm_id INTEGER);
CREATE TABLE names(Id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
CREATE TABLE flag_set(Id INTEGER PRIMARY KEY AUTOINCREMENT, trans_id INTEGER, name_id INTEGER, value INTEGER);
INSERT INTO rpms(nevra) VALUES ('alpha-1.0-1.noarch'), ('beta-1.0-1.noarch'), ('gamma-1.0-1.noarch');
INSERT INTO transactions(cookie, cmdline, timestamp, type) VALUES
 ('0000', '(set)', 1700000000, 0), ('1111', '-y install beta', 1700000100, 1), ('COOKIE', '(unknown)', 1700000200, 1);
INSERT INTO trans_items(trans_id, type, rpm_id) VALUES (1, 0, 1), (2, 1, 2), (2, 1, 3);
INSERT INTO names(name) VALUES ('gamma');
INSERT INTO flag_set(trans_id, name_id, value) VALUES (2, 1, 1);
";

#[test]
fn a_history_of_c_tdnf_is_continued() {
    let Some(site) = site() else { return };
    site.run(&["-y", "install", "alpha=1.0", "beta"]).ok();
    let file = site.path("root/var/lib/tdnf/history.db");
    let sqlite = |text: &str| {
        let output = std::process::Command::new("sqlite3")
            .arg(&file)
            .arg(text)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let cookie = sqlite("SELECT cookie FROM transactions ORDER BY Id DESC LIMIT 1");
    std::fs::remove_file(&file).unwrap();
    sqlite(&HISTORY_OF_C.replace("COOKIE", cookie.trim()));
    // Its marks count: gamma came as a dependency.
    let asked = site.run(&["-q", "repoquery", "--userinstalled"]).ok().out;
    assert_eq!(asked, "alpha-1.0-1.noarch\nbeta-1.0-1.noarch\n");
    site.run(&["-y", "erase", "beta"]).ok();
    // The next row is ours, in its form; nothing was found to be unknown.
    assert_eq!(
        sqlite("SELECT Id, cmdline, type FROM transactions ORDER BY Id"),
        "1|(set)|0\n2|-y install beta|1\n3|(unknown)|1\n4|-c CONF --installroot ROOT -y erase beta|1\n"
            .replace("-c CONF --installroot ROOT", &{
                let conf = site.path("tdnf.conf").display().to_string();
                let root = site.path("root").display().to_string();
                format!("-c {conf} --installroot {root}")
            })
    );
    assert_eq!(
        sqlite(
            "SELECT trans_items.type, nevra FROM trans_items JOIN rpms ON rpms.Id = rpm_id WHERE trans_id = 4"
        ),
        "2|beta-1.0-1.noarch\n"
    );
    assert_eq!(
        sqlite("SELECT COUNT(*) FROM rpms"),
        "3\n",
        "known names are used again"
    );
    // And it is undone.
    site.run(&["-y", "history", "undo", "4"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-1.0", "beta-1.0", "gamma-1.0"]);
    site.run(&["-y", "history", "rollback", "1"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-1.0"]);
}

#[test]
fn the_cookie_is_that_of_librpm() {
    let Some(site) = site() else { return };
    let librpm = || {
        let code = "import rpm, sys; rpm.addMacro('_dbpath', sys.argv[1]); \
                    ts = rpm.TransactionSet('/'); ts.openDB(); print(ts.dbCookie())";
        let output = std::process::Command::new("/usr/bin/python3")
            .args(["-I", "-c", code])
            .arg(site.path("root/var/lib/rpm"))
            .output()
            .expect("python3 runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let ours = || {
        let file = site.path("root/var/lib/tdnf/history.db");
        let output = std::process::Command::new("sqlite3")
            .arg(file)
            .arg("SELECT cookie FROM transactions ORDER BY Id DESC LIMIT 1")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for words in [
        &["install", "beta"][..],
        &["install", "alpha=1.0"],
        &["erase", "beta"],
        &["update"],
    ] {
        site.run(&[&["-y"], words].concat()).ok();
        let cookie = librpm();
        assert_eq!(cookie.trim().len(), 64, "{cookie}");
        assert_eq!(ours(), cookie, "{words:?}");
    }
}
