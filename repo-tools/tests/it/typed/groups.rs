//! Modules and groups: what comes in from the tree, and what several repositories make together.

use rpm_repo::comps::Comps;
use rpm_repo::modules::ModuleIndex;
use rpm_repo::xml::XmlLimits;

use super::*;

fn stream(module: &str, stream: &str) -> String {
    format!(
        "---\ndocument: modulemd\nversion: 2\ndata:\n  name: {module}\n  stream: \"{stream}\"\n  version: 1\n  \
         context: c{stream}\n  arch: noarch\n  summary: s\n  description: d\n  license:\n    module: [MIT]\n...\n"
    )
}

fn default(module: &str, stream: &str) -> String {
    format!(
        "document: modulemd-defaults\nversion: 1\ndata:\n  module: {module}\n  stream: \"{stream}\"\n"
    )
}

fn modules(dir: &Path) -> (Vec<String>, Vec<(String, Option<String>)>) {
    let (name, stream) = Repository::open(dir).unwrap().open_kind("modules").unwrap();
    let index = ModuleIndex::read(&name, stream).unwrap();
    let streams = index.streams.iter();
    let mut streams: Vec<_> = streams
        .map(|s| format!("{}:{}", s.module, s.stream))
        .collect();
    streams.sort();
    (streams, index.defaults.into_iter().collect())
}

#[test]
fn module_metadata_of_the_tree_come_in() {
    let dir = tempfile::tempdir().unwrap();
    let tree = small(dir.path(), "thing");
    fs::create_dir(tree.join("deep")).unwrap();
    fs::write(
        tree.join("foo.modules.yaml"),
        stream("foo", "1") + &stream("foo", "2"),
    )
    .unwrap();
    fs::write(tree.join("deep/bar.modulemd.yaml"), stream("bar", "1")).unwrap();
    fs::write(tree.join("again.modules.yaml"), stream("foo", "2")).unwrap();
    fs::write(tree.join("foo.modulemd-defaults.yaml"), default("foo", "1")).unwrap();
    for (program, args) in [
        ("gzip", &["-9"][..]),
        ("zstd", &["-q", "--rm"]),
        ("xz", &[]),
    ] {
        let file = tree.join(format!("by-{program}.modules.yaml"));
        fs::write(&file, stream(program, "1")).unwrap();
        must(program, &[args, &[text(&file)]].concat());
    }
    ok(&["createrepo", text(&tree)]);
    let all = ["bar:1", "foo:1", "foo:2", "gzip:1", "xz:1", "zstd:1"];
    let foo = vec![("foo".to_owned(), Some("1".to_owned()))];
    assert_eq!(modules(&tree), (all.map(str::to_owned).to_vec(), foo));
    let listed = dnf(&tree, &["module", "list"]);
    assert!(
        listed.contains("foo") && listed.contains("zstd"),
        "{listed}"
    );
    let again = ["createrepo", "--update", text(&tree)];
    assert!(ok(&again).contains("nothing changed"));
    assert!(ok(&["createrepo", "--no-update", text(&tree)]).contains("nothing changed"));
    // What another put in stays beside what lies in the tree; a file that changed is taken anew.
    let other = dir.path().join("other.yaml");
    fs::write(
        &other,
        stream("mine", "1") + "---\n" + &default("mine", "1"),
    )
    .unwrap();
    ok(&[
        "modifyrepo",
        "--mdtype",
        "modules",
        text(&other),
        text(&tree.join("repodata")),
    ]);
    fs::write(tree.join("foo.modulemd-defaults.yaml"), default("foo", "2")).unwrap();
    ok(&again);
    let (streams, defaults) = modules(&tree);
    let mine = [("foo", "2"), ("mine", "1")].map(|(m, s)| (m.to_owned(), Some(s.to_owned())));
    assert!(streams.contains(&"foo:2".to_owned()) && streams.contains(&"mine:1".to_owned()));
    assert_eq!(defaults, mine);
    // Files that are gone leave the record as it is; --discard-additional-metadata is the way to drop it.
    for name in [
        "foo.modules.yaml",
        "again.modules.yaml",
        "deep/bar.modulemd.yaml",
    ] {
        fs::remove_file(tree.join(name)).unwrap();
    }
    ok(&again);
    assert_eq!(modules(&tree).0, streams);
    ok(&["createrepo", "--discard-additional-metadata", text(&tree)]);
    assert_eq!(modules(&tree).0, ["gzip:1", "xz:1", "zstd:1"]);
}

#[test]
fn module_metadata_are_chosen_and_judged_as_packages_are() {
    let dir = tempfile::tempdir().unwrap();
    let tree = small(dir.path(), "thing");
    fs::write(tree.join("foo.modules.yaml"), stream("foo", "1")).unwrap();
    fs::write(tree.join("bar.modules.yaml"), stream("bar", "1")).unwrap();
    // Of a repository inside the tree its record counts, and nothing else of its repodata.
    let inner = small(&tree, "inner");
    let file = dir.path().join("modules.yaml");
    fs::write(&file, stream("inner", "1")).unwrap();
    ok(&["createrepo", "--modules", text(&file), text(&inner)]);
    fs::write(
        inner.join("repodata/stale-modules.yaml"),
        stream("stale", "1"),
    )
    .unwrap();
    ok(&["createrepo", "-x", "bar*", text(&tree)]);
    assert_eq!(modules(&tree).0, ["foo:1", "inner:1"]);
    let list = dir.path().join("list");
    fs::write(&list, "./bar.modules.yaml\n.//thing-1-1.noarch.rpm\n").unwrap();
    let out = dir.path().join("out");
    ok(&[
        "createrepo",
        "-i",
        text(&list),
        "-o",
        text(&out),
        text(&tree),
    ]);
    assert_eq!(
        (modules(&out).0, packages(&out)),
        (vec!["bar:1".to_owned()], 1)
    );
    for bad in ["document: [\n", "some: thing\n"] {
        fs::write(tree.join("bad.modules.yaml"), bad).unwrap();
        let Run { code, err, .. } = run(&["createrepo", text(&tree)]);
        assert!(code == 1 && err.contains("bad.modules.yaml"), "{err}");
        assert_eq!(modules(&tree).0, ["foo:1", "inner:1"]);
    }
}

#[test]
fn comps_of_all_repositories_are_merged() {
    let dir = tempfile::tempdir().unwrap();
    let comps = |groups: &[(&str, &str)]| {
        let group = |(id, package): &(&str, &str)| {
            format!(
                "<group><id>{id}</id><name>{id}</name><uservisible>true</uservisible><packagelist>\
                 <packagereq type=\"mandatory\">{package}</packagereq></packagelist></group>"
            )
        };
        let groups: String = groups.iter().map(group).collect();
        let set = "<environment><id>e</id><name>E</name><grouplist><groupid>FIRST</groupid></grouplist></environment>";
        format!("<comps>{groups}{set}</comps>")
    };
    let mut args = vec!["mergerepo".to_owned()];
    for (name, groups) in [
        ("none", None),
        ("a", Some([("x", "a"), ("a", "a")])),
        ("b", Some([("b", "b"), ("x", "b")])),
    ] {
        let tree = small(dir.path(), name);
        let mut create = vec!["createrepo", text(&tree)];
        let file = dir.path().join("comps.xml");
        if let Some(groups) = groups {
            fs::write(&file, comps(&groups).replace("FIRST", name)).unwrap();
            create.extend(["-g", text(&file)]);
        }
        ok(&create);
        args.extend(["-r".to_owned(), text(&tree).to_owned()]);
    }
    let out = dir.path().join("out");
    let merge = |more: &[&str]| -> Option<Comps> {
        let words = args.iter().map(String::as_str);
        ok(&words
            .chain(["-o", text(&out)])
            .chain(more.iter().copied())
            .collect::<Vec<_>>());
        ok(&["check", text(&out), "--no-closure"]);
        let (name, stream) = Repository::open(&out).unwrap().open_kind("group").ok()?;
        Some(rpm_repo::comps::read(&name, stream, &XmlLimits::default()).unwrap())
    };
    let all = merge(&[]).unwrap();
    let held = all.groups.iter().map(|group| {
        let packages: Vec<_> = group.packages.iter().map(|p| p.name.as_str()).collect();
        (group.id.as_str(), packages)
    });
    let expected = [("x", vec!["a", "b"]), ("a", vec!["a"]), ("b", vec!["b"])];
    assert_eq!(held.collect::<Vec<_>>(), expected);
    assert_eq!(all.environments[0].groups, ["a", "b"]);
    let seen = dnf(&out, &["group", "list", "--ids"]);
    assert!(seen.contains("(a)") && seen.contains("(b)"), "{seen}");
    let kinds = |dir: &Path| -> Vec<String> {
        let records = Repository::open(dir).unwrap().repomd.records;
        records
            .into_iter()
            .map(|r| r.kind)
            .filter(|kind| kind.starts_with("group"))
            .collect()
    };
    assert_eq!(kinds(&out), ["group", "group_gz"]);
    merge(&["--compress-type", "zstd", "--simple-md-filenames"]);
    assert_eq!(kinds(&out), ["group", "group_zst"]);
    assert!(merge(&["--nogroups"]).is_none());
    let own = dir.path().join("own.xml");
    fs::write(&own, comps(&[("own", "a")])).unwrap();
    assert_eq!(
        merge(&["--groupfile", text(&own)]).unwrap().groups[0].id,
        "own"
    );
}
