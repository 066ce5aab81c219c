//! Row 59: while a package is installed into a directory that a user owns, the user exchanges its files, links and
//! directories, before every single call. Nothing that is not the user's may be touched.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testkit::program::{self, ok};

use testkit::spec::Spec;
use testkit::stage::Stage;
use testkit::step::{self, Order};
use testkit::tree;

use super::site::{copy, next_start_command, possible, stage_with, tdnf};
use super::specs::shell;
use super::tally::{each, points};

/// Points of a sample.
const SAMPLE: usize = 60;
/// The user.
const USER: u32 = 1000;

/// What the user does in his directory: each word exchanges what is there for something else.
const ATTACKS: [&str; 4] = [
    // A file for a link to a file of root's.
    "rm -f suid caps plain; ln -s /prey/file suid; ln -s /prey/file caps; ln -s ../../prey/file plain",
    // A directory for a link to a directory of root's.
    "rm -rf sub; mv sub .gone 2>/dev/null; ln -s /prey sub",
    // A file for another name of a file of root's, where the kernel lets him.
    "rm -f suid caps plain; ln /prey/file suid; ln /prey/file caps; ln /prey/file plain; cp /bin/sh suid",
    // Everything for something of another kind.
    "rm -rf sub suid caps plain; mkdir suid caps plain; : > sub; ln -s /prey conf.rpmsave; ln -s /prey/file conf.rpmnew",
];

fn package(version: &str) -> PathBuf {
    let install = format!(
        "mkdir -p %{{buildroot}}/var/app/sub\ncd %{{buildroot}}/var/app\n\
         for f in suid caps plain conf sub/deep; do echo {version} $f > $f; done"
    );
    let files = "%dir %attr(0755,user,user) /var/app\n%dir %attr(0755,user,user) /var/app/sub\n\
                %attr(4755,root,root) /var/app/suid\n%caps(cap_net_raw=ep) %attr(0755,root,root) /var/app/caps\n\
                %attr(0644,user,user) /var/app/plain\n%config(noreplace) /var/app/conf\n\
                %attr(2755,root,bin) /var/app/sub/deep\n";
    Spec::new("race", version)
        .install(&install)
        .files(files)
        .build()
}

fn site() -> Stage {
    let stage = stage_with(&[shell(), package("1"), package("2")]);
    let base = &stage.root;
    base.write(
        "etc/passwd",
        "root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\nbin:x:2:2::/:/bin/sh\n",
    );
    base.write("etc/group", "root:x:0:\nuser:x:1000:\nbin:x:2:\n");
    for name in ["rm", "mv", "ln", "mkdir", "cp"] {
        base.add_program(&format!("/usr/bin/{name}"));
    }
    base.write("prey/file", "precious\n");
    ok(&mut tdnf(base.path(), &["-y", "install", "race-1"]));
    base.write("var/app/conf", "edited\n");
    stage
}

/// With the rights of the user, in his directory, inside the root.
fn attack(root: &Path, words: &str) {
    let script = format!("cd /var/app 2>/dev/null || exit 0; {words}");
    let mut inside = Command::new("chroot");
    inside.arg(format!("--userspec={USER}:{USER}")).arg(root);
    inside.args(["/bin/sh", "-c", &script]);
    let output = inside
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    drop(output.status());
}

/// Root's own things are as they were; nobody gained a privileged file.
fn untouched(root: &Path, prey: &tree::Entry) -> Result<(), String> {
    let found = tree::read(&root.join("prey"), &|_| false);
    if found.len() != 1 || found.get(Path::new("file")) != Some(prey) {
        return Err(format!("the prey was touched: {found:?}"));
    }
    let dir = fs::metadata(root.join("prey")).unwrap();
    if (dir.uid(), dir.mode() & 0o7777) != (0, 0o755) {
        return Err(format!(
            "the prey's directory: {} {:o}",
            dir.uid(),
            dir.mode()
        ));
    }
    let all = tree::read(&root.join("var/app"), &|_| false);
    for (path, entry) in all {
        let privileged = entry.mode & 0o6000 != 0 || !entry.attributes.is_empty();
        // Only root's own files may be: what the user put there is his.
        if entry.kind == "file" && privileged && entry.uid != 0 {
            return Err(format!("{} is privileged: {entry:?}", path.display()));
        }
    }
    Ok(())
}

fn raced(base: &Path, prey: &tree::Entry, point: usize) -> Result<bool, String> {
    let root = copy(base);
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let run = step::run(
        &tdnf(root.path(), &["-y", "update", "race"]),
        root.path(),
        &mut |call| {
            if call.number == point {
                attack(root.path(), ATTACKS[point % ATTACKS.len()]);
            }
            Order::Go
        },
    );
    let told = |why: String| format!("{why}\nit said: {}", run.output);
    if run.output.contains("panicked") || run.code.is_none() {
        return Err(told("it crashed".to_owned()));
    }
    untouched(root.path(), prey).map_err(told)?;
    let next = program::run(&mut next_start_command(root.path()));
    if !next.success() {
        return Err(told(format!("the next start fails: {next:?}")));
    }
    untouched(root.path(), prey).map_err(told)?;
    Ok(run.code == Some(0))
}

#[test]
fn row_59_chown_race() {
    if !possible() {
        return;
    }
    let stage = site();
    let base = &stage.root;
    let prey = tree::read(&base.join("prey"), &|_| false)[Path::new("file")].clone();
    let whole = copy(base.path());
    let words = ["-y", "update", "race"];
    let run = step::run(&tdnf(whole.path(), &words), whole.path(), &mut |_| {
        Order::Go
    });
    assert_eq!(run.code, Some(0), "{}", run.output);
    let results = std::sync::Mutex::new(Vec::new());
    each(&points(run.calls, SAMPLE), &|point| {
        let result = raced(base.path(), &prey, *point);
        results.lock().unwrap().push((*point, result));
    });
    let results = results.into_inner().unwrap();
    let done = results
        .iter()
        .filter(|(_, result)| *result == Ok(true))
        .count();
    let bad: Vec<_> = results
        .iter()
        .filter(|(_, result)| result.is_err())
        .collect();
    println!(
        "raced in an update of {} changing calls: {} points, {done} updated, {} undone or refused, {} failures",
        run.calls,
        results.len(),
        results.len() - done - bad.len(),
        bad.len()
    );
    for (point, result) in bad.iter().take(5) {
        println!(
            "call {point}, {}: {result:?}",
            ATTACKS[point % ATTACKS.len()]
        );
    }
    assert!(bad.is_empty());
    assert!(done > 0, "some updates must come to their end");
}
