//! modifyrepo, mergerepo, diff, query, prune; the first two against their peers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use repo_tools::repository::Repository;

use crate::lab::{bytes, dnf, must, ok, packages, parsed, run, text, tree};
use testkit::program::Run;

const UPDATEINFO: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n  <update from=\"f\" status=\"final\" type=\"security\" version=\"1\"><id>ID</id><title>t</title><issued date=\"2024-01-01 00:00:00\"/><description>d &lt;update&gt;</description><pkglist><collection><name>c</name><package name=\"odd\" version=\"1\" release=\"1\" epoch=\"0\" arch=\"noarch\" src=\"\"><filename>odd.rpm</filename></package></collection></pkglist></update>\n</updates>\n";

fn records(dir: &Path) -> Vec<(String, Option<String>, Option<u64>)> {
    let repository = Repository::open(dir).unwrap();
    let records = repository.repomd.records.iter();
    let mut all: Vec<_> = records
        .map(|r| {
            let open = r.open_checksum.or(r.checksum).map(|d| d.hex());
            (r.kind.clone(), open, r.open_size.or(r.size))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn modifyrepo_does_what_modifyrepo_c_does() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree)]);
    let file = dir.path().join("updateinfo.xml");
    fs::write(&file, UPDATEINFO).unwrap();
    let comps = dir.path().join("c.xml");
    fs::write(
        &comps,
        "<comps><group><id>g</id><name>G</name></group></comps>\n",
    )
    .unwrap();
    let steps: [&[&str]; 6] = [
        &[text(&file)],
        &["--mdtype", "group", text(&comps)],
        &["--mdtype", "group", "--no-compress", text(&comps)],
        &[
            "--mdtype",
            "custom",
            "--compress-type",
            "xz",
            "--new-name",
            "other-name",
            text(&file),
        ],
        &["--remove", "updateinfo"],
        &["--simple-md-filenames", "-s", "sha512", text(&file)],
    ];
    let peer = dir.path().join("peer");
    fs::create_dir(&peer).unwrap();
    must("cp", &["-a", text(&tree.join("repodata")), text(&peer)]);
    for step in steps {
        let (ours, theirs) = (tree.join("repodata"), peer.join("repodata"));
        let mut args = vec!["modifyrepo"];
        args.extend(step);
        args.push(text(&ours));
        ok(&args);
        let mut args = step.to_vec();
        args.push(text(&theirs));
        must("modifyrepo_c", &args);
        assert_eq!(records(&tree), records(&peer), "{step:?}");
        assert_eq!(
            run(&["check", text(&tree), "--no-closure"]).code,
            0,
            "{step:?}"
        );
        dnf(&tree, &["repoquery"]);
    }
    let before = bytes(&tree);
    ok(&[
        "modifyrepo",
        "--simple-md-filenames",
        "-s",
        "sha512",
        text(&file),
        text(&tree.join("repodata")),
    ]);
    assert_eq!(bytes(&tree), before, "the same again changes nothing");
    assert!(ok(&["createrepo", text(&tree)]).contains("nothing changed"));
    let Run { code, err, .. } = run(&[
        "modifyrepo",
        "--remove",
        "nothing",
        text(&tree.join("repodata")),
    ]);
    assert_eq!(code, 1);
    assert!(err.contains("no record of the type nothing"), "{err}");
    fs::write(&file, "<updates><update>").unwrap();
    assert_eq!(
        run(&["modifyrepo", text(&file), text(&tree.join("repodata"))]).code,
        1
    );
    let batch = dir.path().join("batch");
    fs::write(
        &batch,
        format!(
            "[{}]\ntype=group\n\n[custom]\nremove=true\n",
            comps.display()
        ),
    )
    .unwrap();
    ok(&[
        "modifyrepo",
        "-f",
        text(&batch),
        text(&tree.join("repodata")),
    ]);
    assert!(records(&tree).iter().all(|(kind, ..)| kind != "custom"));
}

/// Two repositories that share some names.
fn two(dir: &Path) -> [std::path::PathBuf; 2] {
    let [a, b] = [dir.join("a"), dir.join("b")];
    for (to, releases) in [(&a, &["1", "3"][..]), (&b, &["2"])] {
        fs::create_dir_all(to).unwrap();
        for release in releases {
            for package in packages(release) {
                let name = package.file_name().unwrap().to_str().unwrap();
                // bare is in b only.
                if to == &b || !name.starts_with("bare") {
                    fs::copy(&package, to.join(name)).unwrap();
                }
            }
        }
    }
    for (to, id) in [(&a, "A-1"), (&b, "B-1")] {
        let file = dir.join("updateinfo.xml");
        fs::write(&file, UPDATEINFO.replace("ID", id)).unwrap();
        ok(&["createrepo", text(to), "--updateinfo", text(&file)]);
    }
    [a, b]
}

/// Name, version and place of every package.
fn held(dir: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let repository = Repository::open(dir).unwrap();
    repository
        .packages(&mut |_, p| {
            let base = p
                .location_base()
                .unwrap_or("")
                .trim_end_matches('/')
                .to_owned();
            let base = base.trim_start_matches("file://").to_owned();
            all.push(format!(
                "{} {} {} {base} {}",
                p.name(),
                p.release(),
                p.arch(),
                p.location()
            ));
        })
        .unwrap();
    all.sort();
    all
}

#[test]
fn mergerepo_does_what_mergerepo_c_does() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = two(dir.path());
    let (a, b) = (
        format!("file://{}", a.display()),
        format!("file://{}", b.display()),
    );
    let options: [&[&str]; 5] = [
        &["--all"],
        &["--method", "nvr"],
        &["--omit-baseurl", "--all"],
        &["--all", "--noupdateinfo"],
        &["--archlist", "x86_64", "--method", "nvr"],
    ];
    for (number, more) in options.into_iter().enumerate() {
        let (ours, theirs) = (
            dir.path().join(format!("o{number}")),
            dir.path().join(format!("c{number}")),
        );
        let mut args = vec!["--repo", &a, "--repo", &b, "-o", text(&ours)];
        args.extend(more);
        args.insert(0, "mergerepo");
        ok(&args);
        args[0] = "-v";
        args[6] = text(&theirs);
        must("mergerepo_c", &args);
        assert_eq!(held(&ours), held(&theirs), "{more:?}");
        let has = |dir: &Path| records(dir).iter().any(|(kind, ..)| kind == "updateinfo");
        assert_eq!(has(&ours), has(&theirs), "{more:?}");
        assert_eq!(
            run(&["check", text(&ours), "--no-packages", "--no-closure"]).code,
            0
        );
    }
    let merged = dir.path().join("o0");
    dnf(&merged, &["updateinfo", "list", "--all"]);
    let repository = Repository::open(&merged).unwrap();
    let (name, stream) = repository.open_kind("updateinfo").unwrap();
    let mut ids = Vec::new();
    let limits = rpm_repo::xml::XmlLimits::default();
    rpm_repo::updateinfo::read(&name, stream, &limits, &mut |a| {
        ids.push(a.id.clone());
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(ids, ["A-1", "B-1"]);
}

#[test]
fn diff_names_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = two(dir.path());
    let out = ok(&["diff", text(&a), text(&b)]);
    assert!(out.contains("+ bare-3:1.0~rc1-2.noarch"), "{out}");
    assert!(
        out.contains("~ odd.noarch: 3:1.0~rc1-1 3:1.0~rc1-3 -> 3:1.0~rc1-2"),
        "{out}"
    );
    assert!(out.contains("1 added, 0 removed, 2 changed"), "{out}");
    assert!(ok(&["diff", text(&b), text(&a)]).contains("- bare-3:1.0~rc1-2.noarch"));
    assert_eq!(run(&["diff", "--exit-code", text(&a), text(&b)]).code, 1);
    assert_eq!(run(&["diff", "--exit-code", text(&a), text(&a)]).code, 0);
    let json: BTreeMap<String, serde::de::IgnoredAny> =
        serde_json::from_str(&ok(&["diff", "--json", text(&a), text(&b)])).unwrap();
    assert_eq!(
        json.keys().collect::<Vec<_>>(),
        ["added", "changed", "removed"]
    );
    let mut data = fs::read(b.join("bare-1.0~rc1-2.noarch.rpm")).unwrap();
    *data.last_mut().unwrap() ^= 1;
    let c = dir.path().join("c");
    fs::create_dir(&c).unwrap();
    fs::write(c.join("bare.rpm"), data).unwrap();
    ok(&["createrepo", text(&c)]);
    let out = ok(&["diff", text(&b), text(&c)]);
    assert!(
        out.contains("! bare.noarch: 3:1.0~rc1-2 has other content"),
        "{out}"
    );
}

#[test]
fn query_says_what_dnf_says() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    ok(&["createrepo", text(&tree)]);
    let sorted = |out: &str| {
        let mut lines: Vec<_> = out.lines().map(str::to_owned).collect();
        lines.sort();
        lines.dedup();
        lines
    };
    assert_eq!(
        sorted(&ok(&["query", text(&tree)])),
        sorted(&dnf(
            &tree,
            &[
                "repoquery",
                "--qf",
                "%{name}-%{epoch}:%{version}-%{release}.%{arch}"
            ]
        ))
    );
    for (option, theirs) in [
        ("--requires", "--requires"),
        ("--provides", "--provides"),
        ("--files", "-l"),
        ("--location", "--location"),
    ] {
        let mine = sorted(&ok(&["query", text(&tree), "odd-1*", "odd-3:*", option]));
        let other = sorted(&dnf(&tree, &["repoquery", theirs, "odd"]));
        let other: Vec<_> = other
            .iter()
            .map(|line| line.rsplit("tree/").next().unwrap().to_owned())
            .collect();
        assert_eq!(mine, other, "{option}");
    }
    let latest = ok(&["query", text(&tree), "--latest", "o?d.noarch"]);
    assert_eq!(latest, "odd-3:1.0~rc1-2.noarch\n");
    assert_eq!(
        ok(&["query", text(&tree), "--whatprovides", "thing", "--latest"]),
        latest
    );
    assert_eq!(run(&["query", text(&tree), "nothing*"]).code, 2);
    assert!(
        ok(&["query", text(&tree), "--changelog", "--latest", "odd"])
            .contains("second <of the day>")
    );
}

#[test]
fn prune_keeps_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    for package in packages("10") {
        fs::copy(
            &package,
            tree.join("one").join(package.file_name().unwrap()),
        )
        .unwrap();
    }
    ok(&["createrepo", text(&tree)]);
    let before = bytes(&tree);
    let said = ok(&["prune", text(&tree), "--keep", "2", "--dry-run"]);
    assert_eq!(said.lines().count(), 3, "{said}");
    assert_eq!(bytes(&tree), before);
    ok(&["prune", text(&tree), "--keep", "2"]);
    let left = ok(&["query", text(&tree)]);
    assert!(
        left.lines().count() == 6 && !left.contains("rc1-1."),
        "{left}"
    );
    assert!(!tree.join("one/odd-1.0~rc1-1.noarch.rpm").exists());
    assert!(ok(&["createrepo", text(&tree)]).contains("nothing changed"));
    let fresh = dir.path().join("fresh");
    ok(&["createrepo", text(&tree), "-o", text(&fresh)]);
    assert_eq!(parsed(&fresh), parsed(&tree));
    assert_eq!(run(&["prune", text(&tree), "--keep", "0"]).code, 2);
}
