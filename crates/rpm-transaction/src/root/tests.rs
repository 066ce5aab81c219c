//! Walking below a root that means harm. Rows of the list of threats are named.

use std::os::unix::fs::{MetadataExt, symlink};

use rustix::fs::AtFlags;

use super::*;

fn root() -> (tempfile::TempDir, RootDir) {
    let dir = tempfile::tempdir().unwrap();
    let root = RootDir::open(dir.path()).unwrap();
    (dir, root)
}

/// Row 62, installroot_escape: absolute links and `..` stay inside the root.
#[test]
fn row_62_links_resolve_inside_the_root() {
    let (dir, root) = root();
    let top = dir.path();
    std::fs::create_dir_all(top.join("real/sub")).unwrap();
    symlink("/real", top.join("abs")).unwrap();
    symlink("../../../../../real", top.join("real/sub/up")).unwrap();
    symlink("/", top.join("slash")).unwrap();
    let ino = |fd: OwnedFd| rustix::fs::fstat(fd).unwrap().st_ino;
    let real = std::fs::metadata(top.join("real/sub")).unwrap().ino();
    for path in [
        "/abs/sub",
        "/real/sub/up/sub",
        "/slash/real/sub",
        "/slash/slash/abs/sub/",
    ] {
        assert_eq!(ino(root.open_dir(path.as_bytes()).unwrap()), real, "{path}");
    }
    // A link to the host's /etc leads to the root's own, which is not there.
    symlink("/etc", top.join("etc-link")).unwrap();
    assert_eq!(root.open_dir(b"/etc-link").unwrap_err(), Errno::NOENT);
    let mut canonical = Canonical::default();
    assert_eq!(
        canonical.dir(&root, b"/real/sub/up/sub/").unwrap(),
        b"/real/sub"
    );
    assert_eq!(canonical.dir(&root, b"/slash/abs").unwrap(), b"/real");
}

/// Row 58, user_symlink_dir: a link of another user is not followed to root's directory.
#[test]
fn row_58_a_users_link_to_roots_directory_is_refused() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let (dir, root) = root();
    let top = dir.path();
    std::fs::create_dir_all(top.join("etc")).unwrap();
    std::fs::create_dir_all(top.join("var/app/own")).unwrap();
    let user = Some(rustix::fs::Uid::from_raw(1000));
    let lchown = |name: &str| {
        rustix::fs::chownat(
            rustix::fs::CWD,
            top.join(name),
            user,
            None,
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .unwrap();
    };
    symlink("/etc", top.join("var/app/sub")).unwrap();
    lchown("var/app/sub");
    assert_eq!(root.open_dir(b"/var/app/sub").unwrap_err(), Errno::LOOP);
    assert_eq!(
        Canonical::default()
            .dir(&root, b"/var/app/sub")
            .unwrap_err(),
        Errno::LOOP
    );
    // The user's link to the user's own directory is fine, and so is root's link.
    lchown("var/app/own");
    symlink("own", top.join("var/app/mine")).unwrap();
    lchown("var/app/mine");
    assert!(root.open_dir(b"/var/app/mine").is_ok());
    symlink("/var/app/own", top.join("roots")).unwrap();
    assert!(root.open_dir(b"/roots").is_ok());
}

#[test]
fn loops_and_long_names_are_refused() {
    let (dir, root) = root();
    symlink("b", dir.path().join("a")).unwrap();
    symlink("a", dir.path().join("b")).unwrap();
    assert_eq!(root.open_dir(b"/a/x").unwrap_err(), Errno::LOOP);
    assert!(Canonical::default().dir(&root, b"/a/x").is_err());
    assert_eq!(
        root.open_dir(&vec![b'a'; MAX_PATH]).unwrap_err(),
        Errno::NAMETOOLONG
    );
}

#[test]
fn links_of_the_transaction_make_two_names_one() {
    let (_dir, root) = root();
    let mut canonical = Canonical::default();
    canonical.add_link(b"/lib".to_vec(), b"usr/lib".to_vec());
    assert_eq!(
        canonical.path(&root, b"/lib/", b"x").unwrap(),
        b"/usr/lib/x"
    );
    assert_eq!(canonical.path(&root, b"/", b"lib").unwrap(), b"/lib");
    assert_eq!(canonical.path(&root, b"/", b"").unwrap(), b"/");
}

#[test]
fn missing_directories_are_made_0755() {
    let (dir, root) = root();
    let (_, made) = root.create_dirs(b"/var/lib/x").unwrap();
    assert_eq!(
        made,
        [
            b"/var".to_vec(),
            b"/var/lib".to_vec(),
            b"/var/lib/x".to_vec()
        ]
    );
    let mode = std::fs::metadata(dir.path().join("var/lib/x"))
        .unwrap()
        .mode();
    assert_eq!(mode & 0o7777, 0o755);
    assert!(root.create_dirs(b"/var/lib/x").unwrap().1.is_empty());
}

#[test]
fn only_regular_files_are_opened() {
    let (dir, root) = root();
    symlink("/etc/passwd", dir.path().join("link")).unwrap();
    assert!(root.open_file(b"/link").is_err());
    assert!(root.open_file(b"/none").is_err());
    assert!(root.open_file(b"/").is_err());
    std::fs::write(dir.path().join("file"), "x").unwrap();
    assert!(root.open_file(b"/file").is_ok());
    assert_eq!(root.read_small(b"/file").unwrap().unwrap(), b"x");
    assert_eq!(root.read_small(b"/none").unwrap(), None);
}
