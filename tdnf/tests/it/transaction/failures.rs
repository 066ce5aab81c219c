//! What goes wrong before the commit point leaves the old system. Rows of the list of threats
//! and faults are named.

use std::cell::Cell;

use rpm_transaction::{Committed, Problem, Warning};

use super::oracle::Oracle;
use super::*;

/// Runs a transaction that must fail, and proves that nothing has changed.
fn fails(root: &Path, asks: &[Ask<'_>], options: &Options<'_>) -> TransactionError {
    drop(open_db(root));
    let dump = || rpmdb::dump(&root.join("var/lib/rpm/rpmdb.sqlite"), &[]);
    let (tree, rows) = (tree_of(root), dump());
    let error = run(root, asks, options, &mut ()).expect_err("must fail");
    let differences = tree::differences(&tree_of(root), &tree);
    assert!(differences.is_empty(), "{error}: {differences:#?}");
    assert!(
        rpmdb::differences(&dump(), &rows).is_empty(),
        "{error}: rows"
    );
    let dir = RootDir::open(root).unwrap();
    assert!(!rpm_transaction::pending(&dir, rpm_transaction::STATE_DIR).unwrap());
    error
}

fn problems(error: TransactionError) -> Vec<Problem> {
    match error {
        TransactionError::Problems(problems) => problems,
        other => panic!("{other}"),
    }
}

fn with_script(version: &str, script: &str) -> PathBuf {
    let install = format!(
        "mkdir -p %{{buildroot}}/opt/w\necho {version} > %{{buildroot}}/opt/w/f\n\
         echo o > %{{buildroot}}/opt/w/only{version}"
    );
    build(
        "w",
        version,
        "",
        &install,
        &format!("%files\n/opt/w\n{script}\n"),
    )
}

#[test]
fn a_failing_pre_or_preun_restores_the_old_system() {
    if unprivileged() {
        return;
    }
    let root = Sandbox::with_shell();
    let first = with_script("1", "%preun\n[ $1 = 0 ] || exit 5");
    drop(run(root.path(), &[Ask::Upgrade(&first)], &options(), &mut ()).unwrap());
    for script in ["%pretrans\nexit 7", "%pre\nexit 7", "%post\n:"] {
        let next = with_script("2", script);
        let error = fails(root.path(), &[Ask::Upgrade(&next)], &options());
        assert!(
            matches!(error, TransactionError::Scriptlet { .. }),
            "{error}"
        );
    }
    drop(run(root.path(), &[Ask::Erase("w")], &options(), &mut ()).unwrap());
    assert!(!root.join("opt/w").exists());
}

fn a_scriptlet_failed(done: &Committed) -> bool {
    let mut warnings = done.warnings().iter();
    warnings.any(|warning| matches!(warning, Warning::Scriptlet { .. }))
}

#[test]
fn a_failing_post_is_a_warning() {
    if unprivileged() {
        return;
    }
    let root = Sandbox::with_shell();
    let package = with_script("3", "%post\necho said >&2\nexit 9");
    let done = run(root.path(), &[Ask::Upgrade(&package)], &options(), &mut ()).unwrap();
    assert!(a_scriptlet_failed(&done));
    let expected = Warning::Scriptlet {
        package: "w-3-1.noarch".into(),
        script: "%post".into(),
        status: "exit status 9".into(),
    };
    assert_eq!(done.warnings(), [expected]);
    verify_clean(root.path());
}

/// A failing %triggerun is a warning before rpm 6. Since then the package stays, and here with it all
/// that the transaction had done by then: rpm 6 leaves an upgraded package there in both versions.
#[test]
fn a_failing_triggerun_stops_what_rpm_6_stops() {
    let watch = "%triggerun -- gone\necho gone $1 $2\n[ ! -e /opt/stop ] || exit 3\n%files";
    let watch = build("watch", "1", "", "", watch);
    let gone = ["1", "2"].map(|version| {
        let install =
            format!("mkdir -p %{{buildroot}}/opt/gone\n: > %{{buildroot}}/opt/gone/{version}");
        build("gone", version, "", &install, "%files\n/opt/gone")
    });
    for suite in ["trixie", "sid"] {
        let Some(oracle) = Oracle::of(suite) else {
            continue;
        };
        let mut options = options();
        options.generation = oracle.generation;
        let pair = Pair::with(Some(oracle));
        pair.same(&[Ask::Upgrade(&watch), Ask::Upgrade(&gone[0])]);
        pair.each(|root| root.write("opt/stop", ""));
        let (erase, upgrade) = ([Ask::Erase("gone")], [Ask::Upgrade(&gone[1])]);
        if options.generation < Generation::Rpm6 {
            for asks in [&upgrade, &erase] {
                let done = pair.run(asks);
                assert!(a_scriptlet_failed(&done), "{suite}: {:?}", done.warnings());
            }
            continue;
        }
        let rpm = |asks: &[Ask<'_>]| {
            let output = pair.oracle.as_ref().unwrap().try_rpm(pair.rpm.path(), asks);
            assert!(!output.status.success(), "{suite}: {output:?}");
        };
        let error = fails(pair.ours.path(), &erase, &options).to_string();
        assert!(
            error.contains("watch-1-1.noarch") && error.contains("%triggerun"),
            "{error}"
        );
        rpm(&erase);
        pair.compare();
        fails(pair.ours.path(), &upgrade, &options);
        rpm(&upgrade);
        let left = rpm::Rpm::on_db(&pair.rpm.join("var/lib/rpm"))
            .run(&["-qa"])
            .out;
        assert!(
            left.contains("gone-1-1.") && left.contains("gone-2-1."),
            "{left}"
        );
    }
}

fn one_file(name: &str, path: &str, content: &str) -> PathBuf {
    let install = format!(
        "mkdir -p \"%{{buildroot}}$(dirname {path})\"\nprintf '%%s' {content} > %{{buildroot}}{path}"
    );
    build(name, "1", "", &install, &format!("%files\n{path}"))
}

/// Row 69, file_conflict: both packages are named, before anything changes.
#[test]
fn row_69_file_conflicts_name_both_packages() {
    if unprivileged() {
        return;
    }
    let root = Sandbox::with_shell();
    let (a, b) = (
        one_file("ca", "/opt/c/f", "aa"),
        one_file("cb", "/opt/c/f", "bb"),
    );
    let found = problems(fails(
        root.path(),
        &[Ask::Upgrade(&a), Ask::Upgrade(&b)],
        &options(),
    ));
    assert_eq!(
        found.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["file /opt/c/f conflicts between attempted installs of ca-1-1.noarch and cb-1-1.noarch"]
    );
    drop(run(root.path(), &[Ask::Upgrade(&a)], &options(), &mut ()).unwrap());
    let found = problems(fails(root.path(), &[Ask::Upgrade(&b)], &options()));
    assert_eq!(
        found[0].to_string(),
        "file /opt/c/f from cb-1-1.noarch conflicts with file from installed ca-1-1.noarch"
    );
}

/// Row 61, symlink_then_file, across two packages: the file stays in the root.
#[test]
fn row_61_a_link_to_an_absolute_path_stays_in_the_root() {
    if unprivileged() {
        return;
    }
    let root = Sandbox::with_shell();
    let link = build(
        "ln",
        "1",
        "",
        "mkdir -p %{buildroot}/opt\nln -s /etc %{buildroot}/opt/d",
        "%files\n/opt/d",
    );
    let file = one_file("lf", "/opt/d/tdnf-row-61", "x");
    drop(
        run(
            root.path(),
            &[Ask::Upgrade(&link), Ask::Upgrade(&file)],
            &options(),
            &mut (),
        )
        .unwrap(),
    );
    assert!(root.join("etc/tdnf-row-61").exists());
    assert!(!Path::new("/etc/tdnf-row-61").exists());
    verify_clean(root.path());
}

/// Row 65, names_with_shell.
#[test]
fn row_65_names_never_reach_a_shell() {
    if unprivileged() {
        return;
    }
    let root = Sandbox::with_shell();
    let package = build(
        "sh",
        "1",
        "",
        "mkdir -p %{buildroot}/opt/sh\n: > \"%{buildroot}/opt/sh/'\\$(touch pwned);x\"",
        "%files\n/opt/sh",
    );
    drop(run(root.path(), &[Ask::Upgrade(&package)], &options(), &mut ()).unwrap());
    assert!(root.join("opt/sh/'$(touch pwned);x").exists());
    verify_clean(root.path());
}

/// A package whose only file has a wrong last byte.
fn wrong_content(name: &str) -> tempfile::NamedTempFile {
    let text = spec(
        name,
        "1",
        "",
        &format!(
            "mkdir -p %{{buildroot}}/opt/{name}\necho MARKER-OF-THE-FILE > %{{buildroot}}/opt/{name}/f"
        ),
        &format!("%files\n%attr(4755,root,root) /opt/{name}/f"),
    );
    let good = text.define("_binary_payload w.ufdio").build();
    let mut bytes = std::fs::read(good).unwrap();
    let marker = b"MARKER-OF-THE-FILE\n";
    let at = bytes
        .windows(marker.len())
        .position(|w| w == marker)
        .unwrap();
    bytes[at + marker.len() - 1] ^= 1;
    let bad = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(bad.path(), bytes).unwrap();
    bad
}

/// Row 66, content_before_digest: the last byte of a file is wrong.
#[test]
fn row_66_wrong_content_is_never_visible() {
    if unprivileged() {
        return;
    }
    let root = Sandbox::with_shell();
    let bad = wrong_content("dig");
    let error = fails(root.path(), &[Ask::Upgrade(bad.path())], &options());
    assert!(
        matches!(error, TransactionError::FileDigest { .. }),
        "{error}"
    );
}

/// Does something to a file when an event comes.
struct Attack<F: FnMut(&Event<'_>)>(F);

impl<F: FnMut(&Event<'_>)> TransactionObserver for Attack<F> {
    fn event(&mut self, event: Event<'_>) {
        self.0(&event);
    }
}

/// Row 25, cache_poison_rpm: between the verdict and the transaction, or between two of its
/// steps, the file in the cache becomes another proper package of the same name and version: put
/// in its place, or written over it while it may be open.
#[test]
fn row_25_cache_poison_rpm() {
    if unprivileged() {
        return;
    }
    let good = one_file("poison", "/opt/p/f", "good");
    let evil = one_file("poison", "/opt/p/f", "evil");
    let root = Sandbox::with_shell();
    std::fs::create_dir_all(root.join("var/lib/rpm")).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let file = cache.path().join("poison-1-1.noarch.rpm");
    let swap = || {
        let other = cache.path().join("other");
        std::fs::copy(&evil, &other).unwrap();
        std::fs::rename(other, &file).unwrap();
    };
    let rewrite = || std::fs::write(&file, std::fs::read(&evil).unwrap()).unwrap();
    let attacks: [&dyn Fn(); 2] = [&swap, &rewrite];
    for attack in attacks {
        for moment in ["verified", "checking", "staging"] {
            std::fs::copy(&good, &file).unwrap();
            let before = tree_of(root.path());
            let db = open_db(root.path());
            let elements = elements(&db, &[Ask::Upgrade(&file)]);
            let at = |now: &str| {
                if now == moment {
                    attack();
                }
            };
            at("verified");
            let mut observer = Attack(|event: &Event<'_>| match event {
                Event::Checking => at("checking"),
                Event::Staging { .. } => at("staging"),
                _ => {}
            });
            let opened = RootDir::open(root.path()).unwrap();
            let error = carry_out(&opened, &db, elements, &options(), &mut observer)
                .unwrap_err()
                .to_string();
            assert!(error.contains("changed after it was verified"), "{error}");
            assert_eq!(db.count().unwrap(), 0);
            let changes = tree::differences(&tree_of(root.path()), &before);
            assert!(changes.is_empty(), "{changes:?}");
        }
    }
}

/// The same with the payload alone: the headers are those that were verified.
#[test]
fn row_25_another_payload_under_the_verified_headers() {
    if unprivileged() {
        return;
    }
    let (good, evil) = (
        one_file("payload", "/opt/p/f", "good"),
        one_file("payload", "/opt/p/f", "evil"),
    );
    let parts = |path: &Path| {
        let package = rpm_pkg::package::Package::open(File::open(path).unwrap()).unwrap();
        let at = usize::try_from(package.payload_offset()).unwrap();
        let bytes = std::fs::read(path).unwrap();
        (bytes[..at].to_vec(), bytes[at..].to_vec())
    };
    let mixed = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(mixed.path(), [parts(&good).0, parts(&evil).1].concat()).unwrap();
    let root = Sandbox::with_shell();
    let error = fails(root.path(), &[Ask::Upgrade(mixed.path())], &options());
    assert!(
        matches!(
            error,
            TransactionError::FileDigest { .. } | TransactionError::Payload { .. }
        ),
        "{error}"
    );
}

#[test]
fn a_request_to_stop_undoes_everything() {
    if unprivileged() {
        return;
    }
    let root = Sandbox::with_shell();
    let (a, b) = (
        one_file("sa", "/opt/s/a", "a"),
        one_file("sb", "/opt/s/b", "b"),
    );
    for allowed in 0..5 {
        let asked = Cell::new(0);
        let cancelled = || {
            asked.set(asked.get() + 1);
            asked.get() > allowed
        };
        let options = Options {
            cancelled: &cancelled,
            ..options()
        };
        let error = fails(root.path(), &[Ask::Upgrade(&a), Ask::Upgrade(&b)], &options);
        assert!(matches!(error, TransactionError::Cancelled), "{error}");
    }
}

/// A mounted tmpfs, unmounted when dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(at: PathBuf, options: &str) -> Option<Mounted> {
        std::fs::create_dir_all(&at).unwrap();
        let mut command = Command::new("mount");
        let status = command
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&at)
            .status();
        status.is_ok_and(|s| s.success()).then_some(Mounted(at))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// A file of the host that is mounted over one of a container is neither replaced nor removed;
/// rpm fails there.
#[test]
fn a_file_with_a_mount_on_it_stays() {
    if unprivileged() {
        return;
    }
    let root = Sandbox::with_shell();
    root.write("etc/hosts", "of the container\n");
    root.write("srv/hosts", "of the host\n");
    let at = root.join("etc/hosts");
    let mut mount = Command::new("mount");
    let status = mount.arg("--bind").arg(root.join("srv/hosts")).arg(&at);
    if !status.status().is_ok_and(|status| status.success()) {
        println!("skipped: nothing can be mounted here");
        return;
    }
    let mounted = Mounted(at);
    let hosts = one_file("hosts", "/etc/hosts", "new");
    let failing = build(
        "failing",
        "1",
        "Requires: hosts",
        "",
        "%pre\nexit 1\n%files\n",
    );
    fails(
        root.path(),
        &[Ask::Upgrade(&hosts), Ask::Upgrade(&failing)],
        &options(),
    );
    let done = run(root.path(), &[Ask::Upgrade(&hosts)], &options(), &mut ()).unwrap();
    let warnings: Vec<String> = done.warnings().iter().map(Warning::to_string).collect();
    assert_eq!(warnings, ["/etc/hosts created as /etc/hosts.rpmnew"]);
    assert_eq!(root.read("etc/hosts"), "of the host\n");
    assert_eq!(root.read("etc/hosts.rpmnew"), "new");
    let done = run(root.path(), &[Ask::Erase("hosts")], &options(), &mut ()).unwrap();
    let warnings: Vec<String> = done.warnings().iter().map(Warning::to_string).collect();
    assert_eq!(warnings, ["/etc/hosts: not removed: it is a mount point"]);
    assert_eq!(root.read("etc/hosts"), "of the host\n");
    drop(mounted);
    assert_eq!(root.read("etc/hosts"), "of the container\n");
}

/// Row 89, enospc_root and inodes: told before; and when it happens anyway, undone.
#[test]
fn row_89_a_full_disk() {
    if unprivileged() {
        return;
    }
    let root = Sandbox::with_shell();
    let Some(_mounted) = Mounted::new(root.join("opt"), "size=1m,nr_inodes=20") else {
        println!("skipped: cannot mount");
        return;
    };
    let big = build(
        "big",
        "1",
        "",
        "mkdir -p %{buildroot}/opt/b\nhead -c 3000000 /dev/zero > %{buildroot}/opt/b/f",
        "%files\n/opt/b",
    );
    let found = problems(fails(root.path(), &[Ask::Upgrade(&big)], &options()));
    assert!(
        matches!(found[..], [Problem::DiskSpace { .. }]),
        "{found:?}"
    );
    let options = Options {
        ignore_space: true,
        ..options()
    };
    let error = fails(root.path(), &[Ask::Upgrade(&big)], &options);
    assert!(error.to_string().contains("No space left"), "{error}");
}

/// Row 91, ro_fs.
#[test]
fn row_91_a_read_only_file_system_is_told_before() {
    if unprivileged() {
        return;
    }
    let root = Sandbox::with_shell();
    let Some(_mounted) = Mounted::new(root.join("opt"), "ro") else {
        println!("skipped: cannot mount");
        return;
    };
    let package = one_file("ro", "/opt/ro", "x");
    let found = problems(fails(root.path(), &[Ask::Upgrade(&package)], &options()));
    assert!(
        found[0].to_string().contains("read-only file system"),
        "{found:?}"
    );
}
