use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Both ways in which a new file comes to be.
fn both_ways(check: impl Fn(&Path, &dyn Fn(&Path, Access) -> WholeFile<'static>)) {
    for unnamed in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        check(dir.path(), &|path, access| {
            let path = path.to_owned();
            let target = Target { dir: CWD, path };
            let new = WholeFile::begin(target, access, unnamed).unwrap();
            assert!(unnamed || new.named.is_some());
            new
        });
    }
}

#[test]
fn the_old_content_stays_until_the_new_one_is_placed() {
    both_ways(|dir, begin| {
        let path = dir.join("f");
        fs::write(&path, "old").unwrap();
        let mut new = begin(&path, Access::Umask);
        new.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let waiting = new.wait(Durability::Synced).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        waiting.place().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(dir), ["f"]);
    });
}

#[test]
fn what_is_not_placed_leaves_no_trace() {
    both_ways(|dir, begin| {
        let path = dir.join("f");
        begin(&path, Access::Umask).write_all(b"x").unwrap();
        drop(begin(&path, Access::Umask).wait(Durability::Cache).unwrap());
        assert!(names(dir).is_empty());
        // A folder has the name: it cannot be placed.
        fs::create_dir_all(path.join("inside")).unwrap();
        begin(&path, Access::Umask)
            .place(Durability::Synced)
            .unwrap_err();
        assert_eq!(names(dir), ["f"]);
    });
}

#[test]
fn a_link_at_the_target_is_replaced_not_followed() {
    both_ways(|dir, begin| {
        let (precious, path) = (dir.join("precious"), dir.join("f"));
        fs::write(&precious, "precious").unwrap();
        symlink(&precious, &path).unwrap();
        let mut new = begin(&path, Access::Umask);
        new.write_all(b"new").unwrap();
        new.place(Durability::Cache).unwrap();
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
        assert!(!path.is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
    });
}

#[test]
fn access_is_as_asked_for() {
    both_ways(|dir, begin| {
        let plain = dir.join("plain");
        fs::write(&plain, "").unwrap();
        let usual = mode(&plain);
        let path = dir.join("f");
        begin(&path, Access::Umask)
            .place(Durability::Cache)
            .unwrap();
        assert_eq!(mode(&path), usual);
        begin(&path, Access::Mode(0o4755))
            .place(Durability::Cache)
            .unwrap();
        assert_eq!(mode(&path), 0o4755);
        begin(&path, Access::Kept(0o600))
            .place(Durability::Cache)
            .unwrap();
        assert_eq!(mode(&path), 0o4755);
        let other = dir.join("other");
        begin(&other, Access::Kept(0o640))
            .place(Durability::Cache)
            .unwrap();
        assert_eq!(mode(&other), 0o640);
    });
}

#[test]
fn the_owner_is_kept_where_that_is_asked_for() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give a file away");
        return;
    }
    both_ways(|dir, begin| {
        let path = dir.join("f");
        fs::write(&path, "").unwrap();
        std::os::unix::fs::chown(&path, Some(4711), Some(4712)).unwrap();
        begin(&path, Access::Kept(0o600))
            .place(Durability::Cache)
            .unwrap();
        let about = fs::metadata(&path).unwrap();
        assert_eq!((about.uid(), about.gid()), (4711, 4712));
        begin(&path, Access::Mode(0o600))
            .place(Durability::Cache)
            .unwrap();
        assert_eq!(fs::metadata(&path).unwrap().uid(), 0);
    });
}

#[test]
fn nothing_is_kept_of_what_is_no_regular_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    symlink("elsewhere", &path).unwrap();
    replace(&path, b"x", Access::Kept(0o644), Durability::Cache).unwrap_err();
    assert_eq!(names(dir.path()), ["f"]);
    assert!(path.is_symlink());
}

#[test]
fn a_folder_can_be_given_by_its_descriptor() {
    let dir = tempfile::tempdir().unwrap();
    let (before, after) = (dir.path().join("a"), dir.path().join("b"));
    fs::create_dir(&before).unwrap();
    let folder = File::open(&before).unwrap();
    fs::rename(&before, &after).unwrap();
    let mut new = WholeFile::below(folder.as_fd(), Path::new("f"), Access::Umask).unwrap();
    new.write_all(b"x").unwrap();
    new.place(Durability::Synced).unwrap();
    assert_eq!(fs::read(after.join("f")).unwrap(), b"x");
    assert_eq!(names(&after), ["f"]);
}

#[test]
fn many_at_once_never_mix() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    std::thread::scope(|scope| {
        for byte in 0..8_u8 {
            let path = &path;
            scope.spawn(move || {
                for _ in 0..50 {
                    let data = vec![byte; 10_000];
                    replace(path, &data, Access::Umask, Durability::Cache).unwrap();
                    let found = fs::read(path).unwrap();
                    assert_eq!(found.len(), 10_000);
                    assert!(found.iter().all(|one| *one == found[0]));
                }
            });
        }
    });
    assert_eq!(names(dir.path()), ["f"]);
}

#[test]
fn a_name_is_replaced_by_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("current");
    for target in ["1", "2"] {
        replace_by(&path, Durability::Synced, |name| symlink(target, name)).unwrap();
        assert_eq!(fs::read_link(&path).unwrap(), Path::new(target));
    }
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for _ in 0..2 {
        replace_by(&path, Durability::Cache, |name| fs::hard_link(&file, name)).unwrap();
        assert_eq!(names(dir.path()), ["current", "file"]);
    }
    fs::remove_file(&file).unwrap();
    let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
    replace_by(&path, Durability::Cache, |_| Err(denied())).unwrap_err();
    assert_eq!(names(dir.path()), ["current"]);
}

#[test]
fn what_a_killed_program_had_ready_is_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for ours in ["0123456789abcdef", "ffffffffffffffff"] {
        fs::write(at(&format!(".new-{ours}")), "ready").unwrap();
    }
    let others = [
        ".new-0123456789abcde",
        ".new-0123456789abcdeg",
        ".new-notes",
    ];
    for name in others.iter().chain(&["new-0123456789abcdef", "state"]) {
        fs::write(at(name), "").unwrap();
    }
    fs::create_dir(at(".new-0000000000000000")).unwrap();
    symlink("state", at(".new-1111111111111111")).unwrap();
    let before = names(dir.path());
    Folder::open(dir.path()).unwrap().clear_waiting().unwrap();
    let mut wanted = before.clone();
    wanted.retain(|name| {
        !["0123456789abcdef", "ffffffffffffffff"]
            .iter()
            .any(|ours| *name == format!(".new-{ours}"))
    });
    assert_eq!(names(dir.path()), wanted);
    assert_eq!(wanted.len() + 2, before.len());
}
