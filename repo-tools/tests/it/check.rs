//! check finds what is planted, and agrees with dnf repoclosure.

use std::fs;
use std::path::Path;

use crate::lab::{must, ok, run, text, tree};
use testkit::program::Run;
use testkit::spec::Spec;

fn problems(dir: &Path, more: &[&str]) -> (i32, Vec<String>) {
    let mut args = vec!["check", "-q", text(dir)];
    args.extend(more);
    let Run { code, out, .. } = run(&args);
    (code, out.lines().map(str::to_owned).collect())
}

#[test]
fn planted_faults_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree)]);
    assert_eq!(problems(&tree, &["--no-closure"]), (0, vec![]));
    let package = tree.join("one/odd-1.0~rc1-1.noarch.rpm");
    let good = fs::read(&package).unwrap();
    let mut data = good.clone();
    *data.last_mut().unwrap() ^= 1;
    fs::write(&package, &data).unwrap();
    fs::remove_file(tree.join("one/bare-1.0~rc1-1.noarch.rpm")).unwrap();
    fs::copy(
        tree.join("two/plain-1.0~rc1-2.noarch.rpm"),
        tree.join("one/plain-1.0~rc1-1.noarch.rpm"),
    )
    .unwrap();
    fs::write(tree.join("two/bare-1.0~rc1-2.noarch.rpm"), b"").unwrap();
    let (code, found) = problems(&tree, &["--no-closure"]);
    assert_eq!((code, found.len()), (1, 4), "{found:?}");
    for (name, what) in [
        ("one/bare", "No such file"),
        ("one/odd", "checksum"),
        ("two/bare", "has 0 bytes"),
        ("one/plain", ""),
    ] {
        assert!(
            found
                .iter()
                .any(|line| line.contains(name) && line.contains(what)),
            "{name}: {found:?}"
        );
    }
    assert_eq!(problems(&tree, &["--no-closure", "--no-packages"]).0, 0);
    let repository = repo_tools::repository::Repository::open(&tree).unwrap();
    for kind in ["primary", "filelists", "other"] {
        let file = repository.file(repository.record(kind).unwrap());
        let good = fs::read(&file).unwrap();
        fs::write(&file, &good[..good.len() - 1]).unwrap();
        let (code, found) = problems(&tree, &[]);
        assert!(
            code == 1 && found.len() == 1 && found[0].contains(kind),
            "{found:?}"
        );
        fs::write(&file, &good).unwrap();
    }
}

/// Makes metadata whose primary says something else; the index fits.
fn metadata_with(tree: &Path, from: &str, to: &str) {
    ok(&[
        "createrepo",
        text(tree),
        "--compress",
        "none",
        "--simple-md-filenames",
    ]);
    let file = tree.join("repodata/primary.xml");
    let text = fs::read_to_string(&file).unwrap().replace(from, to);
    fs::write(&file, text).unwrap();
    must(
        "modifyrepo_c",
        &[
            "-q".replace("-q", "--no-compress").as_str(),
            "--simple-md-filenames",
            "--mdtype",
            "primary",
            file.to_str().unwrap(),
            tree.join("repodata").to_str().unwrap(),
        ],
    );
}

/// A record that no reader takes is a problem among others, and ends no check.
#[test]
fn a_bad_record_is_one_problem_of_several() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    metadata_with(&tree, "<name>plain</name>", "<name>../plain</name>");
    let bare = "one/bare-1.0~rc1-1.noarch.rpm";
    fs::remove_file(tree.join(bare)).unwrap();
    let (code, found) = problems(&tree, &[]);
    assert_eq!(code, 1, "{found:?}");
    for what in ["primary: 2 records are left out, the first: ../plain", bare] {
        let lines = found.iter().filter(|line| line.contains(what));
        assert_eq!(lines.count(), 1, "{what}: {found:?}");
    }
}

/// A record whose checksum is right and whose content is another package's.
#[test]
fn metadata_of_other_packages() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    metadata_with(&tree, "name=\"thing\"", "name=\"thong\"");
    let (code, found) = problems(&tree, &["--no-closure"]);
    assert_eq!(code, 1);
    assert!(
        found
            .iter()
            .any(|line| line.contains("one/odd") && line.contains("primary differ")),
        "{found:?}"
    );
}

#[test]
fn createrepo_c_metadata_are_good() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    for sum in ["sha256", "sha1", "sha"] {
        must("createrepo_c", &["-q", "-s", sum, text(&tree)]);
        assert_eq!(problems(&tree, &["--no-closure"]), (0, vec![]), "{sum}");
    }
}

#[test]
fn closure_as_dnf_sees_it() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    fs::create_dir(tree.join("three")).unwrap();
    let needs = "Requires: odd > 3:1.0~rc1-1\nRequires: odd > 3:1.0~rc1-2\nRequires: thing = 4:5\nRequires: thing > 5:1\n\
        Requires: /usr/share/a\nRequires: /opt/plain\nRequires: (plain or nothing)\nRequires: (nothing or naught)\n\
        Requires: (plain and nothing)\nRequires: (plain if nothing)\nRequires: config(odd)";
    let package = Spec::new("needs", "1").lines(needs).files("").build();
    let name = package.file_name().unwrap();
    fs::copy(&package, tree.join("three").join(name)).unwrap();
    ok(&["createrepo", text(&tree)]);
    let (code, found) = problems(&tree, &[]);
    assert_eq!(code, 1);
    let mut ours: Vec<String> = found
        .iter()
        .map(|line| line.split_once(": nothing provides ").unwrap())
        .map(|(package, dep)| format!("{package} {dep}"))
        .collect();
    ours.sort();
    let Some(mut theirs) = closure_of_dnf(&tree, dir.path()) else {
        return;
    };
    // dnf asks who provides a conditional dependency, and nobody has to: its package can be
    // installed as long as the condition does not hold. Of `and` it takes one side for enough.
    let is_plain = |line: &String| !line.contains(" if ") && !line.contains(" and ");
    assert!(
        ours.contains(&"needs-1-1.noarch (plain and nothing)".to_owned()),
        "{ours:?}"
    );
    let plain = |lines: &mut Vec<String>| lines.retain(is_plain);
    plain(&mut ours);
    plain(&mut theirs);
    theirs.sort();
    theirs.dedup();
    assert_eq!(ours, theirs);
}

/// `package dependency` for each line of `dnf repoclosure`; none where the plugin is missing.
fn closure_of_dnf(tree: &Path, scratch: &Path) -> Option<Vec<String>> {
    let from = format!("t,file://{}", tree.display());
    let root = format!("--installroot={}", scratch.join("root").display());
    let cache = format!("--setopt=cachedir={}", scratch.join("cache").display());
    let dnf = |words: &[&str]| {
        let options = ["-q", "--disableplugin=local", "--releasever=1", "--repo=t"];
        let mut command = std::process::Command::new("dnf");
        command.args(options).args(["--repofrompath", &from]);
        command.args([&root, &cache]).args(words);
        Run::of(command.env("LC_ALL", "C").output().unwrap())
    };
    if dnf(&["repoclosure", "--help"]).code != 0 {
        testkit::fixtures::skipped("no dnf repoclosure (dnf-plugins-core)");
        return None;
    }
    let Run { out, err, .. } = dnf(&["repoclosure"]);
    let mut package = "";
    let mut found = Vec::new();
    for line in out.lines() {
        if let Some(rest) = line.strip_prefix("package: ") {
            package = rest.split(' ').next().unwrap();
        } else if let Some(dep) = line.strip_prefix("    ") {
            found.push(format!("{package} {dep}"));
        }
    }
    assert!(!found.is_empty(), "{out}{err}");
    Some(found)
}
