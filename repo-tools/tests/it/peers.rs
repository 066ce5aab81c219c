//! Against createrepo_c and dnf: the same metadata, exchanged in both directions.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use repo_tools::document::MetadataDocument;
use repo_tools::repository::Repository;

use crate::lab::{dnf, must, ok, parsed, run, text, tree};
use testkit::program::Run;

/// Metadata of createrepo_c.
fn peer(tree: &Path, out: &Path, more: &[&str]) {
    fs::create_dir_all(out).unwrap();
    let mut args = vec!["-q", "--no-database", "-o", text(out)];
    args.extend(more);
    args.push(text(tree));
    must("createrepo_c", &args);
}

fn kinds(dir: &Path) -> Vec<(String, &'static str, bool)> {
    let repository = Repository::open(dir).unwrap();
    let records = repository.repomd.records.iter();
    let facts = |r: &rpm_repo::repomd::RepomdRecord| {
        let algo = r.checksum.unwrap().algo().name();
        (r.kind.clone(), algo, r.href.as_str().contains('-'))
    };
    let mut all: Vec<_> = records.map(facts).collect();
    all.sort();
    all
}

#[test]
fn the_same_with_every_option() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let comps = dir.path().join("comps.xml");
    fs::write(&comps, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<comps><group><id>g</id><name>G</name></group></comps>\n").unwrap();
    let list = dir.path().join("list");
    fs::write(
        &list,
        "two/odd-1.0~rc1-2.noarch.rpm\none/bare-1.0~rc1-1.noarch.rpm\n",
    )
    .unwrap();
    let options: [&[&str]; 12] = [
        &[],
        &["--checksum", "sha512"],
        &["-s", "sha1"],
        &["--general-compress-type", "xz"],
        &["--compress-type", "xz", "-g", text(&comps)],
        &["-x", "*odd*"],
        &["-i", text(&list)],
        &["--location-prefix", "a/b"],
        &["--cut-dirs", "1"],
        &["-u", "http://h/x"],
        &["--changelog-limit", "1", "--simple-md-filenames"],
        &[
            "--distro",
            "cpe:/o:x,Dist",
            "--content",
            "c",
            "--repo",
            "r",
            "--revision",
            "r1",
        ],
    ];
    for (number, more) in options.into_iter().enumerate() {
        let (ours, theirs) = (
            dir.path().join(format!("o{number}")),
            dir.path().join(format!("c{number}")),
        );
        let mut args = vec!["createrepo", text(&tree), "-o", text(&ours)];
        args.extend(more);
        ok(&args);
        peer(&tree, &theirs, more);
        assert_eq!(parsed(&ours), parsed(&theirs), "{more:?}");
        assert_eq!(kinds(&ours), kinds(&theirs), "{more:?}");
        let (a, b) = (
            Repository::open(&ours).unwrap().repomd,
            Repository::open(&theirs).unwrap().repomd,
        );
        assert_eq!(
            (a.repo_tags, a.content_tags, a.distro_tags),
            (b.repo_tags, b.content_tags, b.distro_tags)
        );
        if more.contains(&"r1") {
            assert_eq!(a.revision, b.revision);
        }
    }
}

#[test]
fn dnf_sees_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let theirs = dir.path().join("theirs");
    peer(&tree, &theirs, &[]);
    let ours = ["gz", "xz", "zst"].map(|compression| {
        let ours = dir.path().join(compression);
        let options = ["--compress", compression];
        ok(&[
            &["createrepo", text(&tree), "-o", text(&ours)],
            &options[..],
        ]
        .concat());
        ours
    });
    for query in [
        &[
            "repoquery",
            "--qf",
            "%{name} %{evr} %{arch} %{location} %{summary} %{size} %{buildtime}",
        ][..],
        &["repoquery", "--requires", "odd"],
        &["repoquery", "--provides", "odd"],
        &["repoquery", "--recommends", "odd"],
        &["repoquery", "-l", "odd"],
        &["repoquery", "--changelogs", "odd"],
        &["repoquery", "--whatprovides", "/opt/plain"],
    ] {
        let shown = dnf(&theirs, query);
        assert!(!shown.is_empty(), "{query:?}");
        for ours in &ours {
            assert_eq!(shown, dnf(ours, query), "{} {query:?}", ours.display());
        }
    }
}

#[test]
fn each_updates_what_the_other_made() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    peer(&tree, &tree, &[]);
    let theirs = parsed(&tree);
    let list = dir.path().join("list");
    // Ours over theirs: nothing needs to be opened.
    ok(&["createrepo", text(&tree), "--read-pkgs-list", text(&list)]);
    assert_eq!(fs::read_to_string(&list).unwrap(), "");
    assert_eq!(parsed(&tree), theirs);
    // Theirs over ours: nothing either, and the same as theirs over theirs (which writes & of
    // changelog authors twice escaped).
    let read = dir.path().join("read");
    peer(&tree, &tree, &["--update", "--read-pkgs-list", text(&read)]);
    assert_eq!(fs::read_to_string(&read).unwrap().trim(), "");
    let own = dir.path().join("own");
    peer(&tree, &own, &[]);
    peer(&tree, &own, &["--update"]);
    assert_eq!(parsed(&tree), parsed(&own));
    // And ours again over that.
    fs::remove_file(tree.join("one/bare-1.0~rc1-1.noarch.rpm")).unwrap();
    ok(&["createrepo", text(&tree), "--read-pkgs-list", text(&list)]);
    assert_eq!(fs::read_to_string(&list).unwrap(), "");
    assert_eq!(parsed(&tree)["primary"].len(), 5);
    dnf(&tree, &["repoquery"]);
}

/// All real packages in one tree, the broken ones among them.
///
/// Deliberate differences from createrepo_c 0.17: files that end before their package does and
/// headers whose digest is wrong are refused (createrepo_c indexes what nobody can install), so are
/// packages in the v3 format (rpm 6 installs none, nor do we), and
/// Latin-1 characters from A0 to BF stay (createrepo_c loses them).
#[test]
fn all_real_packages() {
    let Some(rpms) = testkit::fixtures::real_rpms() else {
        return;
    };
    let is_package = |path: &Path| path.extension().is_some_and(|end| end == "rpm");
    let rpms: Vec<_> = rpms
        .into_iter()
        .filter(|rpm| is_package(&rpm.path))
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    for (number, rpm) in rpms.iter().enumerate() {
        let folder = tree.join(number.to_string());
        fs::create_dir_all(&folder).unwrap();
        fs::copy(&rpm.path, folder.join(rpm.path.file_name().unwrap())).unwrap();
    }
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    let Run { code, err, .. } = run(&["createrepo", text(&tree), "-o", text(&ours)]);
    assert_eq!(code, 1);
    let bad: Vec<&str> = err
        .lines()
        .filter(|line| line.starts_with("Error: "))
        .collect();
    peer(&tree, &theirs, &[]);
    let (mine, other) = (by_location(&ours), by_location(&theirs));
    assert_eq!(mine.len() + bad.len(), rpms.len());
    for rpm in rpms.iter().filter(|rpm| !rpm.error.is_empty()) {
        let name = rpm.path.file_name().unwrap().to_str().unwrap();
        assert!(
            bad.iter().any(|line| line.contains(name)),
            "{name} is not named"
        );
    }
    for location in other
        .keys()
        .filter(|location| !mine.contains_key(*location))
    {
        let line = bad.iter().find(|line| line.contains(location.as_str()));
        let line = line.unwrap_or_else(|| panic!("{location} is missing and not named"));
        let reasons = [
            "cut short",
            "does not match",
            "v3 packages are not supported",
        ];
        assert!(reasons.iter().any(|why| line.contains(why)), "{line}");
    }
    let mut different = 0;
    for (location, text) in &mine {
        match other.get(location) {
            Some(theirs) if theirs == text => {}
            _ if location.contains("iso88592") => different += 1,
            theirs => panic!("{location}\n{text}\n{theirs:?}"),
        }
    }
    assert!(different <= 1);
    for document in [MetadataDocument::Filelists, MetadataDocument::Other] {
        let (mine, theirs) = (by_checksum(&ours, document), by_checksum(&theirs, document));
        let unlike: Vec<_> = mine
            .iter()
            .filter(|(checksum, text)| theirs.get(*checksum) != Some(text))
            .collect();
        assert!(unlike.len() <= different, "{document:?} {unlike:#?}");
    }
    println!(
        "{} packages equal, {} refused and named",
        mine.len() - different,
        bad.len()
    );
    let Run { code, err, .. } = run(&[
        "createrepo",
        text(&tree),
        "-o",
        text(&ours),
        "--skip-broken",
    ]);
    assert_eq!(code, 0);
    assert!(
        bad.iter()
            .all(|line| err.contains(&line.replace("Error: ", "warning: ")))
    );
    dnf(&ours, &["repoquery"]);
}

fn by_checksum(dir: &Path, document: MetadataDocument) -> BTreeMap<String, String> {
    let repository = Repository::open(dir).unwrap();
    let (name, stream) = repository.open_kind(document.kind()).unwrap();
    let mut found = BTreeMap::new();
    document
        .each(&name, stream, None, &mut |checksum, write| {
            write(found.entry(checksum.to_owned()).or_default());
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn by_location(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let repository = Repository::open(dir).unwrap();
    repository
        .packages(&mut |_, package| {
            let mut text = String::new();
            rpm_repo::primary::write_package(package, &mut text);
            found.insert(package.location().to_owned(), text);
        })
        .unwrap();
    found
}

/// The packages that the project's own recipe makes, where it has been run.
#[test]
fn the_recipe_s_packages() {
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    let cache =
        std::env::var_os("TDNF_CACHE").map_or_else(|| home.join(".cache/tdnf-dev"), PathBuf::from);
    let packages = cache.join("repo/Packages");
    if !packages.is_dir() {
        return testkit::fixtures::skipped("the recipe repository is not built");
    }
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    ok(&["createrepo", text(&packages), "-o", text(&ours)]);
    peer(&packages, &theirs, &[]);
    assert_eq!(parsed(&ours), parsed(&theirs));
    assert_eq!(
        run(&["check", text(&ours), "--no-packages", "--no-closure"]).code,
        0
    );
}
