//! What users of createrepo_c, mergerepo_c and modifyrepo_c type, in the forms in which they type it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use repo_tools::repository::Repository;
use rpm_repo::layout::check_base;
use testkit::program::{self, Run};
use testkit::spec::Spec;

use crate::lab::{dnf, must, ok, parsed, run, text, tool, tree};

mod groups;

/// A tree with one package.
fn small(dir: &Path, name: &str) -> PathBuf {
    let tree = dir.join(name);
    fs::create_dir_all(&tree).unwrap();
    add(&tree, name.rsplit('/').next().unwrap());
    tree
}

fn add(tree: &Path, name: &str) {
    let name = name.split(' ').next().unwrap();
    let package = Spec::new(name, "1").files("").build();
    fs::copy(&package, tree.join(package.file_name().unwrap())).unwrap();
}

fn packages(dir: &Path) -> usize {
    parsed(dir)["primary"].len()
}

#[test]
fn bases_of_merged_repositories_are_urls() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["plain", "odd na,me%41", "base", "above"];
    let [plain, odd, base, above] = names.map(|name| small(dir.path(), name));
    let pool = small(dir.path(), "pool");
    for tree in [&plain, &odd, &above] {
        ok(&["createrepo", text(tree)]);
    }
    // A package whose own base is relative lies elsewhere when the metadata do.
    ok(&[
        "createrepo",
        text(&pool),
        "-o",
        text(&base),
        "--baseurl",
        "../pool",
    ]);
    ok(&[
        "createrepo",
        text(&pool),
        "-o",
        text(&above),
        "--baseurl",
        "http://h/x/",
    ]);
    fs::rename(above.join("repodata"), dir.path().join("repodata")).unwrap();
    let mut command = tool();
    command
        .current_dir(&base)
        .args(["mergerepo", "--all", "-o", "../merged"]);
    for repo in ["../plain/", "../odd na,me%41", ".", ".."] {
        command.args(["--repo", repo]);
    }
    program::ok(&mut command);
    let merged = dir.path().join("merged");
    let mut bases = Vec::new();
    let repository = Repository::open(&merged).unwrap();
    repository
        .packages(&mut |_, package| bases.push(package.location_base().unwrap().to_owned()))
        .unwrap();
    let root = format!("file://{}", dir.path().canonicalize().unwrap().display());
    let expected = [
        format!("{root}/plain"),
        format!("{root}/odd%20na%2Cme%2541"),
        format!("{root}/pool"),
    ];
    assert_eq!(bases, expected);
    for base in &bases {
        check_base(base, "file:///srv").unwrap();
    }
    ok(&["check", text(&merged), "--no-closure"]);
    let fetched = dir.path().join("fetched");
    let names = ["plain", "odd", "pool"];
    let words = [
        "install",
        "-y",
        "--downloadonly",
        "--nogpgcheck",
        "--destdir",
        text(&fetched),
    ];
    dnf(&merged, &[&words[..], &names].concat());
    for name in names {
        assert!(
            fetched.join(format!("{name}-1-1.noarch.rpm")).is_file(),
            "{name}"
        );
    }
    // The same by URL, encoded or not.
    for (number, url) in [
        format!("{root}/odd%20na,me%2541"),
        format!("{root}/odd na,me%41"),
    ]
    .iter()
    .enumerate()
    {
        let out = dir.path().join(number.to_string());
        ok(&["mergerepo", "-r", url, "-o", text(&out)]);
        ok(&["check", text(&out), "--no-closure"]);
    }
    let out = dir.path().join("served");
    ok(&[
        "mergerepo",
        "-r",
        text(&odd),
        "-o",
        text(&out),
        "--repo-prefix-search",
        text(dir.path()),
        "--repo-prefix-replace",
        "https://h/pub",
    ]);
    let served = fs::read_dir(out.join("repodata")).unwrap().flatten();
    let primary = served
        .map(|e| e.path())
        .find(|p| text(p).contains("primary"))
        .unwrap();
    let primary = must("zcat", &[text(&primary)]);
    assert!(
        primary.contains("xml:base=\"https://h/pub/odd%20na%2Cme%2541\""),
        "{primary}"
    );
    let Run { code, err, .. } = run(&["mergerepo", "-r", "http://127.0.0.1/x", "-o", text(&out)]);
    assert!(
        code == 2 && err.contains("http://127.0.0.1/x: repo-tools reads directories only"),
        "{err}"
    );
}

#[test]
fn check_reads_bases_by_the_rules_of_clients() {
    let dir = tempfile::tempdir().unwrap();
    let tree = small(dir.path(), "thing");
    for (base, is_good) in [
        (text(dir.path()).to_owned() + "/thing", false),
        (format!("file://{}/thing", dir.path().display()), true),
        (format!("file://{}/nowhere", dir.path().display()), false),
        (format!("file://{}/x/../thing", dir.path().display()), false),
        ("../thing".to_owned(), true),
        ("../nowhere".to_owned(), false),
        ("http://h/".to_owned(), true),
    ] {
        let out = dir.path().join("out");
        ok(&["createrepo", text(&tree), "-o", text(&out), "-u", &base]);
        let Run { code, out, .. } = run(&["check", text(&out), "--no-closure"]);
        assert_eq!(code == 0, is_good, "{base}: {out}");
    }
}

/// `modifyrepo FILE .`, by every name that repodata has.
#[test]
fn repodata_by_any_name() {
    let dir = tempfile::tempdir().unwrap();
    let tree = small(dir.path(), "thing");
    ok(&["createrepo", text(&tree)]);
    let file = dir.path().join("productid");
    fs::write(&file, "1").unwrap();
    let repodata = tree.join("repodata");
    symlink(&repodata, dir.path().join("link")).unwrap();
    symlink(&tree, dir.path().join("root")).unwrap();
    fs::create_dir(dir.path().join("else")).unwrap();
    for (cwd, name) in [
        (&repodata, "."),
        (&repodata, "./"),
        (&repodata, "../repodata"),
        (&repodata, ".."),
        (&repodata, "../../link"),
        (&tree, "."),
        (&tree, "repodata/."),
        (&tree, "repodata/../repodata/"),
        (&dir.path().join("else"), "../root/repodata"),
        (&dir.path().join("else"), "../link/"),
        (&dir.path().join("else"), "../root"),
    ] {
        let run = |args: &[&str]| {
            program::ok(
                tool()
                    .current_dir(cwd)
                    .arg("modifyrepo")
                    .args(args)
                    .arg(name),
            )
        };
        let has = || {
            // Who stands in repodata reads the new index there, too.
            let shell = "test ! -e repomd.xml || { grep -c productid repomd.xml; }";
            let here = Command::new("sh")
                .args(["-c", shell])
                .current_dir(cwd)
                .output()
                .unwrap()
                .stdout;
            let here = String::from_utf8(here).unwrap();
            let records = Repository::open(&tree).unwrap().repomd.records;
            let is_there = records.iter().any(|record| record.kind == "productid");
            assert_eq!(
                here.is_empty() || here == "0\n",
                !is_there || cwd != &repodata,
                "{name}: {here}"
            );
            is_there
        };
        run(&["--mdtype", "productid", text(&file)]);
        assert!(has(), "{name}");
        ok(&["check", text(&tree), "--no-closure"]);
        run(&["--remove", "productid"]);
        assert!(!has(), "{name}");
    }
    dnf(&tree, &["repoquery"]);
    let Run { code, err, .. } = run(&["modifyrepo", text(&file), text(&dir.path().join("else"))]);
    assert!(
        code == 1 && err.contains("else holds no repodata/repomd.xml"),
        "{err}"
    );
}

/// A shell that stands in repodata during a run stands in it afterwards.
#[test]
fn createrepo_from_inside_repodata() {
    let dir = tempfile::tempdir().unwrap();
    let tree = small(dir.path(), "thing");
    ok(&["createrepo", text(&tree)]);
    let old = fs::canonicalize(tree.join("repodata")).unwrap();
    let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(&old).unwrap());
    let before = inode();
    add(&tree, "more");
    program::ok(
        tool()
            .current_dir(&old)
            .args(["createrepo", "..", "--deltas", "1"]),
    );
    assert_eq!((inode(), packages(&tree)), (before, 2));
    ok(&["check", text(&tree), "--no-closure"]);
    add(&tree, "most");
    program::ok(
        tool()
            .current_dir(&old)
            .args(["createrepo", "..", "--retain-old-md", "0"]),
    );
    assert_eq!(
        (
            inode(),
            packages(&tree),
            fs::read_dir(&old).unwrap().count()
        ),
        (before, 3, 4)
    );
}

#[test]
fn the_old_list_of_packages_is_recycled() {
    let dir = tempfile::tempdir().unwrap();
    for prefix in [&[][..], &["--location-prefix", "p/q"]] {
        let tree = small(dir.path(), "first");
        let create =
            |more: &[&str]| ok(&[&["createrepo", "--update", text(&tree)], prefix, more].concat());
        create(&["--no-update"]);
        add(&tree, "second");
        add(&tree, "third");
        let again = create(&["--recycle-pkglist"]);
        assert!(again.contains("1 package,"), "{again}");
        create(&["--recycle-pkglist", "--includepkg", "second-1-1.noarch.rpm"]);
        assert_eq!(packages(&tree), 2);
        create(&["--recycle-pkglist", "-x", "first*"]);
        assert_eq!(packages(&tree), 1);
        // As createrepo_c does.
        let peer = small(dir.path(), "peer");
        must("createrepo_c", &["-q", text(&peer)]);
        add(&peer, "second");
        must(
            "createrepo_c",
            &["-q", "--update", "--recycle-pkglist", text(&peer)],
        );
        assert_eq!(packages(&peer), 1);
        // A file of the list that is gone is named.
        fs::remove_file(tree.join("second-1-1.noarch.rpm")).unwrap();
        let Run { code, err, .. } =
            run(&[&["createrepo", "--recycle-pkglist", text(&tree)], prefix].concat());
        assert!(code == 1 && err.contains("second-1-1.noarch.rpm"), "{err}");
        fs::remove_dir_all(&tree).unwrap();
        fs::remove_dir_all(&peer).unwrap();
    }
    let tree = small(dir.path(), "first");
    let Run { code, err, .. } = run(&["createrepo", "--recycle-pkglist", text(&tree)]);
    assert!(
        code == 0 && err.contains("the old metadata list no packages"),
        "{err}"
    );
    assert_eq!(packages(&tree), 0);
    for other in [&["--no-update"][..], &["--cut-dirs", "1"]] {
        let words = [&["createrepo", "--recycle-pkglist", text(&tree)], other].concat();
        assert_eq!(run(&words).code, 2, "{other:?}");
    }
}

#[test]
fn old_metadata_elsewhere_are_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let list = dir.path().join("list");
    let (old, new, none) = (
        dir.path().join("old"),
        dir.path().join("new"),
        dir.path().join("none"),
    );
    ok(&["createrepo", text(&tree), "-o", text(&old)]);
    let words = [
        "createrepo",
        text(&tree),
        "-o",
        text(&new),
        "--read-pkgs-list",
        text(&list),
        "--update",
        "--update-md-path",
        text(&none),
        "--update-md-path",
        text(&old),
    ];
    let Run { code, err, .. } = run(&words);
    assert!(
        code == 0 && err.contains("the old metadata is not used") && err.contains("none"),
        "{err}"
    );
    assert_eq!(fs::read_to_string(&list).unwrap(), "");
    assert_eq!(parsed(&new), parsed(&old));
    let err = run(&words).err;
    assert!(
        err.contains("--update-md-path is not read: ") && err.contains("metadata of its own"),
        "{err}"
    );
}

#[test]
fn architectures_are_expanded() {
    let dir = tempfile::tempdir().unwrap();
    let tree = small(dir.path(), "none");
    for arch in ["x86_64", "i686", "i386", "ppc64"] {
        let package = Spec::new(&format!("of-{arch}"), "1")
            .native()
            .target(arch)
            .files("")
            .build();
        fs::copy(&package, tree.join(package.file_name().unwrap())).unwrap();
    }
    ok(&["createrepo", text(&tree)]);
    let [ours, theirs] = ["ours", "theirs"].map(|name| dir.path().join(name));
    for (words, count) in [
        (&["--archlist", "i386"][..], 2),
        (&["-a", "i386;ppc64,"], 3),
        (&["-a", "i386", "--arch-expand"], 3),
        (&["-a", "x86_64", "--arch-expand"], 4),
        (&["-a", "ppc64", "--arch-expand"], 2),
    ] {
        ok(&[&["mergerepo", "-r", text(&tree), "-o", text(&ours)], words].concat());
        must(
            "mergerepo_c",
            &[
                &["-r", text(&tree), "-o", text(&theirs), "--omit-baseurl"],
                words,
            ]
            .concat(),
        );
        assert_eq!(
            (packages(&ours), packages(&theirs)),
            (count, count),
            "{words:?}"
        );
    }
    assert_eq!(
        run(&[
            "mergerepo",
            "-r",
            text(&tree),
            "-o",
            text(&ours),
            "--arch-expand"
        ])
        .code,
        2
    );
}

#[test]
fn file_names_that_hold_a_percent_sign() {
    let dir = tempfile::tempdir().unwrap();
    let tree = small(dir.path(), "thing");
    let names = ["a%3Ab.rpm", "a%2Fb.rpm", "a%b+c^d~e.rpm", "a%25.rpm"];
    for name in names {
        fs::copy(tree.join("thing-1-1.noarch.rpm"), tree.join(name)).unwrap();
    }
    ok(&["createrepo", text(&tree)]);
    ok(&["check", text(&tree), "--no-closure"]);
    assert_eq!(packages(&tree), names.len() + 1);
}

#[test]
fn further_options_do_what_they_do_in_createrepo_c() {
    let dir = tempfile::tempdir().unwrap();
    let tree = small(dir.path(), "thing");
    symlink(tree.join("thing-1-1.noarch.rpm"), tree.join("link.rpm")).unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| dir.path().join(name));
    let create = |more: &[&str]| {
        for (program, out) in [("createrepo", &ours), ("createrepo_c", &theirs)] {
            let words = [&["-q", "--simple-md-filenames", "-o", text(out)], more].concat();
            fs::create_dir_all(out).unwrap();
            match program {
                "createrepo" => ok(&[&[program], &words[..]].concat()),
                _ => must(program, &[&["--no-database"], &words[..]].concat()),
            };
        }
        assert_eq!(parsed(&ours), parsed(&theirs), "{more:?}");
        let records = |dir: &Path| {
            let records = Repository::open(dir).unwrap().repomd.records.into_iter();
            let facts = records.map(|r| (r.kind, r.href.to_string(), r.checksum.unwrap().algo()));
            facts.collect::<Vec<_>>()
        };
        assert_eq!(records(&ours), records(&theirs), "{more:?}");
        packages(&ours)
    };
    assert_eq!(create(&[text(&tree)]), 2);
    assert_eq!(create(&["--skip-symlinks", text(&tree)]), 1);
    assert_eq!(create(&["--excludes", "link*", text(&tree)]), 1);
    create(&["--repomd-checksum", "sha512", text(&tree)]);
    // createrepo_c 0.17 finds no package there.
    let words = ["--basedir", text(dir.path()), "thing", "-o", "ours"];
    ok(&[&["createrepo"], &words[..]].concat());
    assert_eq!(packages(&ours), 2);
    let list = dir.path().join("list");
    fs::write(&list, "link.rpm\n").unwrap();
    assert_eq!(create(&["--pkglist", text(&list), text(&tree)]), 1);
    create(&["--xz", text(&tree)]);
    // Of another time and other bytes, but of the same name.
    let package = Spec::new("other", "1").files("").build();
    fs::copy(package, tree.join("thing-1-1.noarch.rpm")).unwrap();
    let before = parsed(&ours);
    ok(&[
        "createrepo",
        "--simple-md-filenames",
        "-o",
        text(&ours),
        "--skip-stat",
        text(&tree),
    ]);
    assert_eq!(parsed(&ours), before);
}
