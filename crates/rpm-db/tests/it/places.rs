//! Where a database is looked for, and opening it under hard conditions.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use rpm_db::location::{self, Backend, DatabaseSearch};
use rpm_db::{Db, DbError, DbLocation, MacroFile, TransactionLock, Wait};

use testkit::rpm::Rpm;
use testkit::step::{self, Order};
use testkit::{mounts, program};

use crate::common::{folder, recipes, write_ours};

fn find(root: &Path, dbpath: Option<&str>) -> DbLocation {
    let search = DatabaseSearch {
        dbpath: dbpath.map(Path::new),
        ..DatabaseSearch::default()
    };
    location::find(root, search).unwrap()
}

#[test]
fn an_empty_root_has_the_default_place() {
    let root = folder();
    let found = find(root.path(), None);
    assert_eq!(
        found.dir,
        root.path().canonicalize().unwrap().join("var/lib/rpm")
    );
    assert_eq!(found.backend, Backend::None);
    let db = Db::open_read(&found).unwrap();
    assert_eq!(db.count().unwrap(), 0);
    assert!(db.by_name("x").unwrap().is_empty());
    assert_eq!(db.cookie().unwrap().len(), 64);
    assert!(!found.dir.exists());
    drop(Db::open_write(&found).unwrap());
    assert_eq!(find(root.path(), None).backend, Backend::Sqlite);
}

#[test]
fn each_known_directory_is_probed() {
    for dir in location::DIRECTORIES {
        let root = folder();
        let dir = root.path().join(dir.trim_start_matches('/'));
        fs::create_dir_all(&dir).unwrap();
        write_ours(&dir, &[]);
        let found = find(root.path(), None);
        assert_eq!(found.dir, dir.canonicalize().unwrap());
        assert_eq!(found.backend, Backend::Sqlite);
    }
}

#[test]
fn links_stay_inside_the_root() {
    let root = folder();
    let outside = folder();
    write_ours(outside.path(), &[]);
    fs::create_dir_all(root.path().join("var/lib")).unwrap();
    symlink(outside.path(), root.path().join("var/lib/rpm")).unwrap();
    let found = find(root.path(), None);
    assert_eq!(found.backend, Backend::None);
    assert!(found.dir.starts_with(root.path().canonicalize().unwrap()));
    // `..` and absolute links count from the root.
    fs::remove_file(root.path().join("var/lib/rpm")).unwrap();
    symlink(
        "../../../../../../usr/lib/sysimage/rpm",
        root.path().join("var/lib/rpm"),
    )
    .unwrap();
    let real = root.path().join("usr/lib/sysimage/rpm");
    fs::create_dir_all(&real).unwrap();
    write_ours(&real, &[]);
    assert_eq!(
        find(root.path(), Some("/var/lib/rpm")).dir,
        real.canonicalize().unwrap()
    );
    symlink("loop", root.path().join("loop")).unwrap();
    let search = DatabaseSearch {
        dbpath: Some(Path::new("/loop/rpm")),
        ..DatabaseSearch::default()
    };
    assert!(matches!(
        location::find(root.path(), search),
        Err(DbError::Links { .. })
    ));
}

#[test]
fn a_database_file_that_is_a_link_is_not_followed() {
    let (dir, outside) = (folder(), folder());
    write_ours(outside.path(), &[]);
    symlink(
        outside.path().join("rpmdb.sqlite"),
        dir.path().join("rpmdb.sqlite"),
    )
    .unwrap();
    let location = DbLocation::at(dir.path()).unwrap();
    assert!(Db::open_read(&location).is_err());
    assert!(Db::open_write(&location).is_err());
}

#[test]
fn macro_files_say_where() {
    let (root, host) = (folder(), folder());
    fs::create_dir_all(host.path().join("usr/lib/rpm")).unwrap();
    fs::write(
        host.path().join("usr/lib/rpm/macros"),
        "%_dbpath\t%{_usr}/lib/sysimage/rpm\n",
    )
    .unwrap();
    let search = DatabaseSearch {
        host: Some(host.path()),
        ..DatabaseSearch::default()
    };
    let found = location::find(root.path(), search).unwrap();
    assert!(found.dir.ends_with("usr/lib/sysimage/rpm"));
    fs::create_dir_all(root.path().join("etc/rpm")).unwrap();
    fs::write(root.path().join("etc/rpm/macros.db"), "%_dbpath /opt/db\n").unwrap();
    let found = location::find(root.path(), search).unwrap();
    assert!(found.dir.ends_with("opt/db"));
    fs::write(
        root.path().join("etc/rpm/macros.db"),
        "%_dbpath %(rm -rf /)\n",
    )
    .unwrap();
    let found = location::find(root.path(), search).unwrap();
    assert!(found.dir.ends_with("usr/lib/sysimage/rpm"));
}

/// The spellings of distributions: a macro in the value, a vendor's file, a line that goes on.
#[test]
fn spellings_of_the_database_path() {
    for (file, text) in [
        ("usr/lib/rpm/macros", "%_dbpath %{_usr}/lib/sysimage/rpm\n"),
        (
            "usr/lib/rpm/macros",
            "%_dbpath\t\t%_prefix/lib/sysimage/rpm/\n",
        ),
        (
            "usr/lib/rpm/macros",
            "%_dbpath \\\n  /usr/lib/sysimage/rpm\n",
        ),
        (
            "usr/lib/rpm/macros",
            "%_place %{?_usr}/lib/sysimage\n%_dbpath %{_place}/rpm\n",
        ),
        (
            "usr/lib/rpm/suse/macros",
            "%_dbpath /usr/lib/sysimage/rpm\n",
        ),
        (
            "usr/lib/rpm/macros.d/macros.dbpath",
            "%_dbpath /usr/lib/sysimage/rpm\n",
        ),
        (
            "etc/rpm/macros",
            "%_dbpath /var/lib/rpm\n%_dbpath /usr/lib/sysimage/rpm\n",
        ),
    ] {
        let root = folder();
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        let found = find(root.path(), None);
        assert!(
            found.dir.ends_with("usr/lib/sysimage/rpm"),
            "{file}: {text}"
        );
        assert_eq!(found.backend, Backend::None);
        // The same file in a package that is about to come.
        let incoming = [MacroFile {
            path: format!("/{file}"),
            text: text.to_owned(),
        }];
        let search = DatabaseSearch {
            incoming: &incoming,
            ..DatabaseSearch::default()
        };
        let found = location::find(folder().path(), search).unwrap();
        assert!(
            found.dir.ends_with("usr/lib/sysimage/rpm"),
            "{file}: {text}"
        );
    }
}

#[test]
fn an_empty_database_never_wins() {
    let files = recipes();
    for (full, empty) in [
        ("var/lib/rpm", "usr/lib/sysimage/rpm"),
        ("usr/lib/sysimage/rpm", "var/lib/rpm"),
    ] {
        let root = folder();
        write_ours(&root.path().join(full), &files);
        write_ours(&root.path().join(empty), &[]);
        assert!(find(root.path(), None).dir.ends_with(full));
        // Even where the macros of the root name the empty one.
        fs::create_dir_all(root.path().join("etc/rpm")).unwrap();
        let text = format!("%_dbpath /{empty}\n");
        fs::write(root.path().join("etc/rpm/macros"), text).unwrap();
        assert!(find(root.path(), None).dir.ends_with(full));
        // Without the full one the macros decide, not what is there.
        fs::remove_dir_all(root.path().join(full)).unwrap();
        let text = "%_dbpath /opt/db\n";
        fs::write(root.path().join("etc/rpm/macros"), text).unwrap();
        assert!(find(root.path(), None).dir.ends_with("opt/db"));
        write_ours(&root.path().join("opt/db"), &files);
        assert!(find(root.path(), None).dir.ends_with("opt/db"));
    }
}

/// As the packages of rpm of Fedora and Photon leave it between the upgrade and the next start: a link for each file.
#[test]
fn files_that_are_links_lead_to_the_one_database() {
    let (root, outside) = (folder(), folder());
    let old = root.path().join("var/lib/rpm");
    write_ours(&old, &recipes());
    let new = root.path().join("usr/lib/sysimage/rpm");
    fs::create_dir_all(&new).unwrap();
    for entry in fs::read_dir(&old).unwrap() {
        let name = entry.unwrap().file_name();
        let target = Path::new("../../../../var/lib/rpm").join(&name);
        symlink(target, new.join(name)).unwrap();
    }
    fs::create_dir_all(root.path().join("usr/lib/rpm")).unwrap();
    let text = "%_dbpath /usr/lib/sysimage/rpm\n";
    fs::write(root.path().join("usr/lib/rpm/macros"), text).unwrap();
    for dbpath in [None, Some("/usr/lib/sysimage/rpm")] {
        let found = find(root.path(), dbpath);
        assert_eq!(found.dir, old.canonicalize().unwrap());
        assert_eq!(Db::open_read(&found).unwrap().count().unwrap(), 4);
        // Its rpm finds it: nothing is moved.
        assert_eq!(rpm_db::follow_rpm(&found).unwrap(), None);
    }
    assert_eq!(Rpm::on_db(&new).ok(&["-qa"]).lines().count(), 4);
    // Out of the root leads none.
    write_ours(outside.path(), &recipes());
    fs::remove_dir_all(&old).unwrap();
    fs::remove_file(new.join("rpmdb.sqlite")).unwrap();
    symlink(
        outside.path().join("rpmdb.sqlite"),
        new.join("rpmdb.sqlite"),
    )
    .unwrap();
    let found = find(root.path(), None);
    assert!(Db::open_read(&found).is_err());
}

/// /var and /usr may be two file systems.
#[test]
fn the_database_follows_its_rpm_to_another_file_system() {
    if !mounts::own("places::the_database_follows_its_rpm_to_another_file_system") {
        return;
    }
    let root = folder();
    let old = root.path().join("var/lib/rpm");
    let new = root.path().join("usr/lib/sysimage/rpm");
    write_ours(&old, &recipes());
    let before = Rpm::on_db(&old).all();
    fs::create_dir_all(&new).unwrap();
    program::ok(
        Command::new("mount")
            .args(["-t", "tmpfs", "none"])
            .arg(new.parent().unwrap()),
    );
    // An empty one that a query left there.
    Rpm::on_db(&new).program_ok("rpmdb", &["--initdb"]);
    fs::create_dir_all(root.path().join("etc/rpm")).unwrap();
    fs::write(
        root.path().join("etc/rpm/macros"),
        "%_dbpath /usr/lib/sysimage/rpm\n",
    )
    .unwrap();
    let found = find(root.path(), None);
    assert_eq!(found.dir, old.canonicalize().unwrap());
    let moved = rpm_db::follow_rpm(&found).unwrap().unwrap();
    assert_eq!(moved, new.canonicalize().unwrap());
    assert_eq!(Rpm::on_db(&new).all(), before);
    assert_eq!(Rpm::on_db(&new).unprivileged().all(), before);
    assert!(!old.join("rpmdb.sqlite").exists() && !new.join(".sqlite-conversion").exists());
    let found = find(root.path(), None);
    assert_eq!(found.dir, moved);
    assert_eq!(Db::open_read(&found).unwrap().check().unwrap(), []);
    assert_eq!(rpm_db::follow_rpm(&found).unwrap(), None);
}

#[test]
fn two_databases_with_packages_are_an_error() {
    let root = folder();
    let files = recipes();
    for dir in ["var/lib/rpm", "usr/lib/sysimage/rpm"] {
        write_ours(&root.path().join(dir), &files);
    }
    let search = DatabaseSearch::default();
    let error = location::find(root.path(), search).unwrap_err().to_string();
    for file in [
        "/var/lib/rpm/rpmdb.sqlite",
        "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    ] {
        assert!(error.contains(file), "{error}");
    }
    assert_eq!(
        find(root.path(), Some("/var/lib/rpm")).backend,
        Backend::Sqlite
    );
    // One database that is seen at two places is one.
    let old = root.path().join("var/lib/rpm");
    fs::remove_dir_all(&old).unwrap();
    symlink("../../usr/lib/sysimage/rpm", old).unwrap();
    assert_eq!(find(root.path(), None).backend, Backend::Sqlite);
}

/// What [`others_may_read`] runs as another user.
#[test]
fn child_reads() {
    let Some(dir) = std::env::var_os("RPM_DB_TEST_DIR") else {
        return;
    };
    match Db::open_read(&DbLocation::at(Path::new(&dir)).unwrap()) {
        Ok(db) => println!("headers: {}", db.count().unwrap()),
        Err(e) => println!("error: {e:?}"),
    }
    match TransactionLock::acquire(Path::new(&dir), Wait::Never, &mut |_| true) {
        Ok(lock) => println!("lock held: {}", lock.is_held()),
        Err(e) => println!("no lock: {e:?}"),
    }
}

fn read_as_nobody(dir: &Path) -> String {
    // The other user need not be able to reach the target folder.
    let place = folder();
    let program = place.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["--exact", "places::child_reads", "--nocapture"])
        .env("RPM_DB_TEST_DIR", dir)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn others_may_read() {
    let dir = folder();
    write_ours(dir.path(), &recipes());
    assert!(read_as_nobody(dir.path()).contains("headers: 4"));
    // As after a writer that removed the side files.
    for side in ["rpmdb.sqlite-wal", "rpmdb.sqlite-shm"] {
        fs::remove_file(dir.path().join(side)).unwrap();
    }
    let said = read_as_nobody(dir.path());
    assert!(said.contains("headers: 4"), "{said}");
    assert!(!dir.path().join("rpmdb.sqlite-wal").exists());
    fs::write(dir.path().join("rpmdb.sqlite-wal"), vec![1; 5000]).unwrap();
    let said = read_as_nobody(dir.path());
    assert!(said.contains("PendingLog"), "{said}");
}

/// Whether or not side files are there.
#[test]
fn read_only_file_systems_are_read() {
    let dir = folder();
    write_ours(dir.path(), &recipes());
    for keep in [true, false] {
        if !keep {
            for side in ["rpmdb.sqlite-wal", "rpmdb.sqlite-shm"] {
                fs::remove_file(dir.path().join(side)).unwrap();
            }
        }
        let script = "mount --bind \"$1\" \"$1\"; mount -o remount,ro,bind \"$1\"; exec \"$2\" --exact places::child_reads --nocapture";
        let mut command = mounts::shell(script);
        command
            .arg(dir.path())
            .arg(std::env::current_exe().unwrap())
            .env("RPM_DB_TEST_DIR", dir.path());
        let said = program::run(&mut command).out;
        assert!(said.contains("headers: 4"), "{said}");
        assert!(said.contains("lock held: false"), "{said}");
    }
}

#[test]
fn our_own_reads_leave_the_database_usable_by_others() {
    let dir = folder();
    write_ours(dir.path(), &recipes());
    for _ in 0..2 {
        let db = Db::open_read(&DbLocation::at(dir.path()).unwrap()).unwrap();
        assert_eq!(db.count().unwrap(), 4);
        drop(db);
        assert!(dir.path().join("rpmdb.sqlite-shm").exists());
        let nobody = testkit::rpm::Rpm::on_db(dir.path()).unprivileged();
        assert_eq!(nobody.ok(&["-qa"]).lines().count(), 4);
    }
}

/// What [`the_umask_does_not_matter`] runs.
#[test]
fn child_creates() {
    if let Some(dir) = std::env::var_os("RPM_DB_TEST_CREATE") {
        write_ours(&Path::new(&dir).join("var/lib/rpm"), &recipes());
    }
}

/// Others may query a database that was created under a strict umask.
/// docs/threats.md, row 56.
#[test]
fn the_umask_does_not_matter() {
    use std::os::unix::fs::PermissionsExt;
    recipes();
    let root = folder();
    let status = Command::new("sh")
        .args(["-c", "umask 077; exec \"$0\" --exact places::child_creates"])
        .arg(std::env::current_exe().unwrap())
        .env("RPM_DB_TEST_CREATE", root.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let dir = root.path().join("var/lib/rpm");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o755);
    for name in ["rpmdb.sqlite", "rpmdb.sqlite-wal", "rpmdb.sqlite-shm"] {
        assert_eq!(mode(&dir.join(name)), 0o644, "{name}");
    }
    let nobody = testkit::rpm::Rpm::on_db(&dir).unprivileged();
    assert_eq!(nobody.ok(&["-qa"]).lines().count(), 4);
}

/// docs/threats.md, row 87: the first change of a new root.
#[test]
fn a_database_whose_making_was_stopped_is_none() {
    recipes();
    if !step::available() {
        return;
    }
    let mut stopped = 0;
    for number in (1..).step_by(2) {
        let root = folder();
        let dir = root.path().join("var/lib/rpm");
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "places::child_creates"]);
        child.env("RPM_DB_TEST_CREATE", root.path());
        let ended = step::run(
            &child,
            root.path(),
            &mut |call| match call.number == number {
                true => Order::KillAll,
                false => Order::Go,
            },
        );
        if ended.code == Some(0) {
            break;
        }
        stopped += 1;
        let place = DbLocation::at(&dir).unwrap();
        let count = Db::open_read(&place).unwrap().count().unwrap();
        assert!(
            count == 0 || count == 4,
            "stopped at call {number}: {count}"
        );
        if count == 0 {
            write_ours(&dir, &recipes());
        }
        let all = testkit::rpm::Rpm::on_db(&dir).ok(&["-qa"]);
        assert_eq!(all.lines().count(), 4, "stopped at call {number}");
    }
    assert!(stopped > 10, "only {stopped} calls");
}
