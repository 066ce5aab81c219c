//! Started under the names of createrepo_c and its kin: what scripts read, what is so when nothing is said, and what two
//! programs that work on one repository leave each other.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use repo_tools::repository::Repository;
use testkit::program::{self, Run};
use testkit::spec::Spec;

use crate::lab::{dnf, must, ok, packages, parsed, run, text, tree};

/// A directory with our program under a name.
fn named(dir: &Path, name: &str) -> Command {
    let link = dir.join(name);
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_repo-tools"), &link).unwrap();
    }
    Command::new(link)
}

/// Ours and theirs, told the same in the same place.
fn both(dir: &Path, cwd: &Path, words: &[&str]) -> [Run; 2] {
    let theirs = Command::new("createrepo_c");
    [named(dir, "createrepo_c"), theirs].map(|mut command| {
        let run = program::run(command.current_dir(cwd).args(words));
        assert!(!cwd.join(".repodata").exists(), "{words:?}");
        run
    })
}

fn ends(dir: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(dir.join("repodata")).unwrap().flatten();
    let names = files.map(|file| file.file_name().into_string().unwrap());
    names
        .map(|name| {
            name.split_once('-')
                .map_or(name.clone(), |(_, end)| end.to_owned())
        })
        .collect()
}

/// The lines on standard output are those of createrepo_c.
#[test]
fn steps_are_said_as_createrepo_c_says_them() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let [ours, theirs] = ["ours", "theirs"].map(|name| dir.path().join(name));
    for to in [&ours, &theirs] {
        must("cp", &["-a", text(&tree), text(to)]);
    }
    let compare = |words: &[&str]| {
        let runs = [
            (&ours, named(dir.path(), "createrepo_c")),
            (&theirs, Command::new("createrepo_c")),
        ];
        let [ours, theirs] = runs.map(|(cwd, mut command)| {
            let words = [&["--no-database"], words].concat();
            program::run(command.current_dir(cwd).args(words))
        });
        assert_eq!(
            (ours.code, theirs.code),
            (0, 0),
            "{words:?}: {}{}",
            ours.err,
            theirs.err
        );
        // What versions from 1.0 on say as well.
        let out = ours
            .out
            .replace("New and old repodata match, not updating.\n", "");
        assert_eq!(out, theirs.out, "{words:?}");
        ours.out
    };
    compare(&["."]);
    let again = compare(&["--update", "."]);
    assert!(
        again.contains("Loaded information about 6 packages") && again.contains("not updating"),
        "{again}"
    );
    compare(&["--update", "--distro", "cpe,name", "."]);
    compare(&[
        "--update",
        "--workers",
        "2",
        "--update-md-path",
        text(&tree.join("one")),
        "--distro",
        "x",
        ".",
    ]);
    assert_eq!(compare(&["-q", "."]), "");
}

/// Without a word: zst, as createrepo_c since 1.0, and nothing of the metadata before.
#[test]
fn what_is_so_when_nothing_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let create = |more: &[&str]| {
        let words = [&["-q", text(&tree)], more].concat();
        program::ok(named(dir.path(), "createrepo_c").args(words));
    };
    let documents = |end: &str| {
        let names = ["primary", "filelists", "other"].map(|name| format!("{name}.xml.{end}"));
        names
            .into_iter()
            .chain(["repomd.xml".to_owned()])
            .collect::<BTreeSet<_>>()
    };
    create(&[]);
    assert_eq!(ends(&tree), documents("zst"));
    fs::remove_file(tree.join("one/plain-1.0~rc1-1.noarch.rpm")).unwrap();
    create(&["--update"]);
    assert_eq!(
        (
            ends(&tree),
            fs::read_dir(tree.join("repodata")).unwrap().count()
        ),
        (documents("zst"), 4)
    );
    create(&["--compatibility", "--no-database"]);
    assert_eq!(ends(&tree), documents("gz"));
    // A package that changed and kept size and time is read again.
    let list = dir.path().join("list");
    create(&["--read-pkgs-list", text(&list)]);
    assert_eq!(fs::read_to_string(&list).unwrap().lines().count(), 5);
    let file = dir.path().join("productid");
    fs::write(&file, "of a product\n").unwrap();
    program::ok(
        named(dir.path(), "modifyrepo_c").args([text(&file), text(&tree.join("repodata"))]),
    );
    assert!(ends(&tree).contains("productid.zst"));
    // comps are looked for in the tree.
    fs::write(
        tree.join("comps.xml"),
        "<comps><group><id>g</id><name>G</name></group></comps>\n",
    )
    .unwrap();
    create(&["-g", "comps.xml"]);
    assert!(ends(&tree).is_superset(&BTreeSet::from([
        "comps.xml".to_owned(),
        "comps.xml.zst".to_owned()
    ])));
    let merged = dir.path().join("merged");
    program::ok(named(dir.path(), "mergerepo_c").args(["-r", text(&tree), "-o", text(&merged)]));
    let more = ["comps.xml.zst", "updateinfo.xml.zst"].map(str::to_owned);
    assert_eq!(
        ends(&merged),
        documents("zst").into_iter().chain(more).collect()
    );
    ok(&["check", text(&merged), "--no-closure"]);
    let records = Repository::open(&merged).unwrap().repomd.records;
    assert!(
        records.iter().any(|record| record.kind == "group"),
        "{records:?}"
    );
}

/// Where words cannot be used, scripts read what createrepo_c says.
#[test]
fn words_that_cannot_be_used_are_refused_in_the_namesake_s_words() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    for words in [
        &["/no/such/directory"][..],
        &["--no-such-option"],
        &["--checksum", "crc", "."],
        &["--compress-type", "lzma", "."],
        &["--general-compress-type", "lzma", "."],
        &["--groupfile", "missing", "."],
        &["--pkglist", "missing", "."],
        &["--retain-old-md-by-age", "1", "--retain-old-md", "1", "."],
        &["--retain-old-md-by-age", "55Z", "."],
    ] {
        let [ours, theirs] = both(dir.path(), &tree, words);
        // A slip of 0.17 that later versions mended.
        let theirs = (
            theirs.code,
            theirs.err.replace("doesn't exists", "doesn't exist"),
        );
        assert_eq!((ours.code, ours.err), theirs, "{words:?}");
    }
    let merge = ["-r", text(&tree), "--arch-expand"];
    let ours = program::run(named(dir.path(), "mergerepo_c").args(merge));
    let theirs = program::run(Command::new("mergerepo_c").args(merge));
    assert!(
        theirs.err.ends_with(&ours.err) && ours.err.contains("--archlist"),
        "{} {}",
        ours.err,
        theirs.err
    );
}

/// What cannot be read is told as createrepo_c tells it; here it is a warning where nobody asked for the file.
#[test]
fn module_metadata_that_cannot_be_opened_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    fs::write(tree.join("modules.yaml.old"), "?").unwrap();
    let run = program::run(
        named(dir.path(), "createrepo_c")
            .current_dir(&tree)
            .arg("."),
    );
    let opened =
        "Could not load module index file ./modules.yaml.old: Cannot open ./modules.yaml.old";
    assert_eq!(
        (run.code, run.err),
        (
            1,
            format!("Critical: {opened}: Cannot detect compression type\n")
        )
    );
    assert!(!tree.join("repodata").exists());
    let run = run_in(&tree);
    assert!(
        run.code == 0 && run.err.contains("modules.yaml.old is not taken in"),
        "{}",
        run.err
    );
    fs::remove_file(tree.join("modules.yaml.old")).unwrap();
    fs::write(tree.join("list"), "gone.modulemd.yaml\n").unwrap();
    let [ours, theirs] = both(dir.path(), &tree, &["-i", "list", "."]);
    assert_eq!((ours.code, theirs.code), (1, 1));
    assert!(
        ours.err.starts_with("Critical: ") && ours.err.contains("gone.modulemd.yaml doesn't exist"),
        "{}",
        ours.err
    );
    let [ours, theirs] = both(
        dir.path(),
        &tree,
        &["--update", "--update-md-path", "/no/where", "."],
    );
    assert_eq!((ours.code, theirs.code), (0, 0));
    assert!(
        theirs.err.contains(ours.err.trim_end()),
        "{} {}",
        ours.err,
        theirs.err
    );
}

/// `createrepo .` there.
fn run_in(tree: &Path) -> Run {
    program::run(
        crate::lab::tool()
            .current_dir(tree)
            .args(["createrepo", "."]),
    )
}

/// Packages of one name, version and architecture are named, in every run.
#[test]
fn duplicates_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    let package = packages("1").remove(0);
    for below in ["", "a", "b"] {
        fs::create_dir_all(tree.join(below)).unwrap();
        fs::copy(
            &package,
            tree.join(below).join(package.file_name().unwrap()),
        )
        .unwrap();
    }
    let name = package.file_name().unwrap().to_str().unwrap();
    for words in [&["."][..], &["--update", "."]] {
        let Run { code, err, .. } = program::run(
            named(dir.path(), "createrepo_c")
                .current_dir(&tree)
                .args(words),
        );
        let lines: Vec<_> = err.lines().collect();
        assert!(code == 0 && lines.len() == 4, "{err}");
        assert_eq!(
            lines[0],
            "Warning: Package 'bare-3:1.0~rc1-1.noarch' has duplicate metadata entries, only one should exist"
        );
        for (line, below) in lines[1..].iter().zip(["a/", "b/", ""]) {
            let start =
                format!("Warning:     Sourced from location: '{below}{name}', build timestamp: ");
            assert!(
                line.strip_prefix(&start).unwrap().parse::<u64>().unwrap() > 1_000_000_000,
                "{line}"
            );
        }
    }
    let two = ["a", "b"].map(|below| fs::remove_file(tree.join(below).join(name)));
    assert!(two.iter().all(Result::is_ok));
    assert_eq!(both(dir.path(), &tree, &["-q", "."])[0].err, "");
}

/// createrepo_c takes `.repodata` for its lock: we keep out of its way, and it keeps out of ours.
#[test]
fn the_lock_of_createrepo_c_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let theirs = tree.join(".repodata");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("primary.xml.gz"), "half").unwrap();
    let Run { code, err, .. } = run(&["createrepo", text(&tree)]);
    assert!(
        code == 1 && err.contains("createrepo_c is working on this repository"),
        "{err}"
    );
    assert_eq!(
        program::run(Command::new("createrepo_c").arg(&tree)).code,
        1
    );
    assert!(theirs.join("primary.xml.gz").exists() && !tree.join("repodata").exists());
    ok(&["createrepo", text(&tree), "--ignore-lock"]);
    assert!(!theirs.exists());
    assert_eq!(parsed(&tree)["primary"].len(), 6);
}

/// Files of older metadata stay as long as they are young.
#[test]
fn old_metadata_are_kept_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let repodata = tree.join("repodata");
    let generation = |number: u32, words: &[&str]| {
        let number = number.to_string();
        let words = [&["createrepo", text(&tree), "--content", &number], words].concat();
        ok(&words);
        // Each with documents of its own.
        fs::remove_file(
            fs::read_dir(tree.join("one"))
                .unwrap()
                .flatten()
                .next()
                .unwrap()
                .path(),
        )
        .ok();
        fs::read_dir(&repodata).unwrap().count()
    };
    assert_eq!(generation(1, &[]), 4);
    assert_eq!(generation(2, &["--retain-old-md-by-age", "1h"]), 7);
    let third = generation(3, &["--retain-old-md-by-age", "2D"]);
    assert_eq!(third, 10);
    let old = ["-d", "@1000000000"];
    for file in fs::read_dir(&repodata).unwrap().flatten() {
        must("touch", &[&old[..], &[text(&file.path())]].concat());
    }
    fs::write(tree.join("one/note"), "").unwrap();
    assert_eq!(generation(4, &["--retain-old-md-by-age", "300"]), 4);
    for wrong in ["x", "5w", "99999999999999999d"] {
        let Run { code, err, .. } =
            run(&["createrepo", text(&tree), "--retain-old-md-by-age", wrong]);
        assert!(
            code == 2 && err.contains("expected a number and s, m, h or d"),
            "{err}"
        );
    }
}

/// Checksums of packages are shared by repositories that have the same packages.
#[test]
fn checksums_are_kept_in_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let cache = dir.path().join("deep/cache");
    let [first, second] = ["first", "second"].map(|name| dir.path().join(name));
    let create = |out: &PathBuf, more: &[&str]| {
        ok(&[
            &[
                "createrepo",
                text(&tree),
                "-o",
                text(out),
                "-c",
                text(&cache),
            ],
            more,
        ]
        .concat());
        parsed(out)
    };
    let expected = create(&first, &[]);
    let entries = || -> Vec<PathBuf> {
        let mut all: Vec<_> = fs::read_dir(&cache)
            .unwrap()
            .flatten()
            .map(|e| e.path())
            .collect();
        all.sort();
        all
    };
    let all = entries();
    assert_eq!(all.len(), 6);
    assert!(
        all.iter()
            .all(|path| fs::metadata(path).unwrap().mode() & 0o777 == 0o644)
    );
    assert_eq!(
        (create(&second, &["--no-update"]), entries()),
        (expected.clone(), all.clone())
    );
    // What is kept there is what is written.
    let wrong = "ab".repeat(32);
    fs::write(&all[0], &wrong).unwrap();
    let texts = create(&second, &["--no-update"]);
    assert!(
        texts["primary"]
            .iter()
            .any(|record| record.contains(&wrong))
    );
    // What is no checksum is computed again; so is that of another kind.
    fs::write(&all[0], "no checksum").unwrap();
    assert_eq!(create(&second, &["--no-update"]), expected);
    create(&second, &["--no-update", "--checksum", "sha512"]);
    assert_eq!(entries().len(), 12);
    // The same name, size and time, but another package.
    let odd = tree.join("one/odd-1.0~rc1-1.noarch.rpm");
    let meta = fs::metadata(&odd).unwrap();
    fs::copy(Spec::new("other", "1").files("").build(), &odd).unwrap();
    must("touch", &["-d", &format!("@{}", meta.mtime()), text(&odd)]);
    let texts = create(&second, &["--no-update"]);
    ok(&["createrepo", text(&tree), "-o", text(&first), "--no-update"]);
    assert_eq!(texts, parsed(&first));
    assert_ne!(texts, expected);
    dnf(&second, &["repoquery"]);
}

/// What `-x` leaves out, by path and by file name, of a tree and of a list.
#[test]
fn excludes_are_of_paths_and_of_file_names() {
    let dir = tempfile::tempdir().unwrap();
    let trees = ["ours", "theirs"].map(|name| dir.path().join(name));
    for tree in &trees {
        let deep = tree.join("Packages/k");
        fs::create_dir_all(&deep).unwrap();
        for (name, to) in [("kernel", &deep), ("kernel-debug", &deep), ("zsh", tree)] {
            let built = Spec::new(name, "1").files("").build();
            fs::copy(&built, to.join(built.file_name().unwrap())).unwrap();
        }
    }
    let list = dir.path().join("list");
    fs::write(
        &list,
        "Packages/k/kernel-debug-1-1.noarch.rpm\nzsh-1-1.noarch.rpm\n",
    )
    .unwrap();
    for pattern in [
        "kernel-debug*",
        "kernel-*.rpm",
        "?sh*",
        "zsh-1-1.noarch.rpm",
        "Packages/*",
        "*/k/kernel-1*",
        "k/*",
        "*",
    ] {
        for of in [&[][..], &["-i", text(&list)]] {
            let indexed = |tree: &Path, command: &mut Command| {
                let _ = fs::remove_dir_all(tree.join("repodata"));
                command.args(["-q", "-x", pattern]).args(of).arg(tree);
                program::ok(command);
                let mut found: Vec<String> = Vec::new();
                let repository = Repository::open(tree).unwrap();
                repository
                    .packages(&mut |_, package| found.push(package.location().to_owned()))
                    .unwrap();
                found.sort();
                found
            };
            let ours = indexed(&trees[0], &mut named(dir.path(), "createrepo_c"));
            let theirs = indexed(&trees[1], &mut Command::new("createrepo_c"));
            assert_eq!(ours, theirs, "-x {pattern} {of:?}");
        }
    }
}

/// A tree with metadata into which a good package, a link to nowhere and a package cut short come.
#[test]
fn bad_packages_keep_no_good_one_out_of_a_tree_with_metadata() {
    let dir = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| dir.path().join(name));
    let built = |name: &str| Spec::new(name, "1").files("").build();
    let put = |tree: &Path, name: &str| {
        fs::copy(built(name), tree.join(format!("{name}-1-1.noarch.rpm"))).unwrap();
    };
    let run = |tree: &Path, words: &[&str]| {
        let mut command = match tree == ours {
            true => named(dir.path(), "createrepo_c"),
            false => Command::new("createrepo_c"),
        };
        program::run(command.arg("-q").args(words).arg(tree))
    };
    for tree in [&ours, &theirs] {
        fs::create_dir(tree).unwrap();
        put(tree, "first");
        run(tree, &[]).ends(0);
        put(tree, "second");
        symlink("/gone", tree.join("dangling.rpm")).unwrap();
    }
    let names = |tree: &Path| {
        let mut found = Vec::new();
        let repository = Repository::open(tree).unwrap();
        repository
            .packages(&mut |_, package| found.push(package.name().to_owned()))
            .unwrap();
        found.sort();
        found
    };
    for words in [&[][..], &["--error-exit-val"], &["--update"]] {
        let codes = [&ours, &theirs].map(|tree| run(tree, words).code);
        assert_eq!(codes, [0, 0], "{words:?}: a link to nowhere is no package");
        assert_eq!(names(&ours), ["first", "second"], "{words:?}");
        assert_eq!(names(&ours), names(&theirs), "{words:?}");
    }
    let cut = fs::read(built("third")).unwrap();
    for tree in [&ours, &theirs] {
        put(tree, "fourth");
        fs::write(tree.join("cut.rpm"), &cut[..300]).unwrap();
    }
    for (words, code) in [(&[][..], 0), (&["--error-exit-val"], 2), (&["--update"], 0)] {
        let runs = [&ours, &theirs].map(|tree| run(tree, words));
        assert_eq!(runs[0].code, code, "{words:?}: {}", runs[0].text());
        assert_eq!(runs[1].code, code, "{words:?}: {}", runs[1].text());
        assert!(runs[0].err.contains("cut.rpm"), "{}", runs[0].err);
        assert_eq!(names(&ours), ["first", "fourth", "second"], "{words:?}");
        assert_eq!(names(&ours), names(&theirs), "{words:?}");
    }
}

#[test]
fn what_is_not_there_may_be_removed_and_help_has_the_name_that_was_typed() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    must("createrepo_c", &["-q", text(&tree)]);
    let repodata = tree.join("repodata");
    let words = ["--remove", "nothing", text(&repodata)];
    let ours = program::run(named(dir.path(), "modifyrepo_c").args(words));
    let theirs = program::run(Command::new("modifyrepo_c").args(words));
    assert_eq!((ours.code, theirs.code), (0, 0), "{}", ours.text());
    let said = "Record of type \"nothing\", which should be removed, doesn't exist in repomd.xml";
    for run in [&ours, &theirs] {
        assert!(run.err.contains(said), "{}", run.err);
    }
    let own = run(&["modifyrepo", "--remove", "nothing", text(&repodata)]).ends(1);
    assert!(
        own.err.contains("no record of the type nothing"),
        "{}",
        own.err
    );
    for name in ["createrepo_c", "modifyrepo", "mergerepo_c", "sqliterepo_c"] {
        let help = program::ok(named(dir.path(), name).arg("--help"));
        assert!(help.contains(&format!("Usage: {name} [OPTIONS]")), "{help}");
        assert!(!help.contains("repo-tools"), "{help}");
    }
    let two = ["a", "b"];
    let ours = program::run(named(dir.path(), "createrepo_c").args(two));
    let theirs = program::run(Command::new("createrepo_c").args(two));
    assert_eq!(ours.code, theirs.code);
    let said = "Must specify exactly one directory to index";
    assert!(
        ours.err.contains(said) && theirs.text().contains(said),
        "{}{}",
        ours.err,
        theirs.text()
    );
}

/// A base that leads out of a server's repository is followed on this machine alone.
#[test]
fn a_base_that_clients_refuse_over_http_is_said_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let out = dir.path().join("meta");
    fs::create_dir(&out).unwrap();
    for (base, said) in [
        ("../tree/", true),
        ("file:///srv/", true),
        ("https://h/x/", false),
        ("sub/", false),
    ] {
        let words = ["-q", "-u", base, "-o", text(&out), text(&tree)];
        let made = program::run(named(dir.path(), "createrepo_c").args(words)).ends(0);
        let warning = format!("--baseurl {base}: clients refuse it over http: ");
        assert_eq!(made.err.contains(&warning), said, "{}", made.err);
        let check = run(&["check", "--no-packages", "--no-closure", text(&out)]);
        let warning = format!("clients refuse the base {base} over http: ");
        assert_eq!(
            check.err.contains(&warning),
            said,
            "{base}: {}",
            check.text()
        );
    }
}
