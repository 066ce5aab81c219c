//! `createrepo --deltas`: what is offered, that it is right, and that nobody else notices.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rpm_repo::delta::{self, Offer};
use rpm_repo::repomd;

use crate::lab::{bytes, dnf, must, ok, parsed, text};

/// A tree of packages in the form of one day, later days over it.
fn day(dir: &Path, day: u32) -> PathBuf {
    let tree = dir.join("tree");
    fs::create_dir_all(&tree).unwrap();
    for (at, package) in testkit::many::packages(day, 60).iter().enumerate() {
        if day == 1 || at % 20 == day as usize {
            let name = package.file_name().unwrap().to_str().unwrap();
            if day > 1 {
                let former = name.replace(&format!("-1-{day}."), "-1-1.");
                fs::remove_file(tree.join(former)).unwrap();
            }
            let to = tree.join(name);
            fs::copy(package, &to).unwrap();
            // Its time stands in primary.
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            fs::File::open(&to).unwrap().set_modified(time).unwrap();
        }
    }
    tree
}

fn offers(tree: &Path) -> Vec<Offer> {
    let bytes = fs::read(tree.join(delta::INDEX)).unwrap_or_default();
    if bytes.is_empty() {
        return Vec::new();
    }
    delta::parse(&bytes).unwrap()
}

/// The files of repodata by their SHA-256, as real sha256sum sees it.
fn by_digest(tree: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(tree.join("repodata")).unwrap().flatten() {
        if entry.path().is_file() {
            let sum = must("sha256sum", &[text(&entry.path())]);
            found.insert(sum.split(' ').next().unwrap().to_owned(), entry.path());
        }
    }
    found
}

fn create(tree: &Path, more: &[&str]) {
    let mut args = vec!["createrepo", text(tree)];
    args.extend(more);
    ok(&args);
}

/// From each of the last revisions, in every compression, to the bytes of the present one.
#[test]
fn deltas_lead_from_the_last_revisions_to_this_one() {
    for compression in ["gz", "zst", "xz"] {
        let dir = tempfile::tempdir().unwrap();
        let options = ["--deltas", "2", "--compress", compression];
        for number in 1..=4 {
            let tree = day(dir.path(), number);
            create(&tree, &options);
            let old = number.saturating_sub(1).min(2) as usize;
            let offers = offers(&tree);
            assert_eq!(offers.len(), 3 * old, "{compression} {number}");
            let here = by_digest(&tree);
            for offer in offers {
                let (from, to) = (&here[&offer.from.hex()], &here[&offer.to.hex()]);
                let file = tree.join(offer.href.as_str());
                let sum = must("sha256sum", &[text(&file)]);
                assert!(sum.starts_with(&offer.digest.hex()));
                assert_eq!(fs::metadata(&file).unwrap().len(), offer.size);
                let index = fs::read(tree.join("repodata/repomd.xml")).unwrap();
                let index = repomd::parse("repomd.xml", &index).unwrap();
                let record = index.records.iter().find(|r| r.checksum == Some(offer.to));
                let mut out = Vec::new();
                delta::apply(
                    fs::File::open(from).unwrap(),
                    fs::File::open(&file).unwrap(),
                    &record.unwrap().expected(),
                    &mut out,
                )
                .unwrap();
                assert!(out == fs::read(to).unwrap(), "{compression} {number}");
                assert!(offer.size * 2 < out.len() as u64);
            }
        }
    }
}

/// The same trees give the same deltas; a run that changes nothing leaves them; one that asks for
/// none takes them away.
#[test]
fn deltas_come_and_go_with_their_option() {
    let dir = tempfile::tempdir().unwrap();
    let time = [
        "--revision",
        "7",
        "--set-timestamp-to-revision",
        "--deltas",
        "3",
    ];
    let made = |name: &str| {
        let base = dir.path().join(name);
        for number in 1..=3 {
            create(&day(&base, number), &time);
        }
        base.join("tree")
    };
    let (one, two) = (made("one"), made("two"));
    let deltas = |tree: &Path| {
        let all = bytes(&tree.join("repodata")).into_iter();
        all.map(|(path, bytes)| (path.strip_prefix(tree).unwrap().to_owned(), bytes))
            .collect::<BTreeMap<_, _>>()
    };
    assert!(deltas(&one) == deltas(&two));
    assert_eq!(offers(&one).len(), 6);
    let before = deltas(&one);
    create(&one, &time);
    assert!(deltas(&one) == before);
    // Another record changes nothing of these.
    let comps = dir.path().join("comps.xml");
    fs::write(
        &comps,
        "<comps><group><id>a</id><name>A</name></group></comps>",
    )
    .unwrap();
    ok(&[
        "modifyrepo",
        "--mdtype",
        "group",
        text(&comps),
        text(&one.join("repodata")),
    ]);
    assert_eq!(offers(&one).len(), 6);
    for offer in offers(&one) {
        assert!(one.join(offer.href.as_str()).is_file());
    }
    day(&dir.path().join("one"), 4);
    create(&one, &[]);
    assert!(!one.join(delta::INDEX).exists());
    day(&dir.path().join("one"), 5);
    create(&one, &["--retain-old-md", "0"]);
    assert!(!one.join("repodata/deltas").exists());
}

/// dnf and createrepo_c read the repository as if there were no deltas.
#[test]
fn others_do_not_notice() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..=3 {
        create(&day(dir.path(), number), &["--deltas", "2"]);
    }
    let tree = dir.path().join("tree");
    dnf(&tree, &["makecache"]);
    let names = dnf(&tree, &["repoquery", "--qf", "%{name}-%{release}"]);
    assert_eq!(
        names.lines().filter(|line| !line.is_empty()).count(),
        60,
        "{names}"
    );
    assert!(
        names.contains("many002-2") && names.contains("many003-3"),
        "{names}"
    );
    let before = parsed(&tree);
    must(
        "createrepo_c",
        &["-q", "--update", "--no-database", text(&tree)],
    );
    assert_eq!(parsed(&tree), before);
    // What it left of ours is of no use any more, and goes.
    create(&tree, &["--no-update"]);
    assert_eq!(parsed(&tree), before);
}
