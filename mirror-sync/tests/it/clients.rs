//! What is published is what upstream has, byte for byte, and real clients install from it.

use std::fs;
use std::process::Command;

use crate::scene::{Scene, files_in, tdnf};
use testkit::program::Run;

/// Every file that upstream has is there with the same bytes; a second run asks at most twice.
#[test]
fn a_repository_is_mirrored_byte_for_byte_and_an_unchanged_one_costs_one_request() {
    let scene = Scene::usual();
    let report = scene.run(&["sync", "--json"]).ends(0).json();
    assert_eq!(report["repos"][0]["outcome"], "new", "{report}");
    assert_eq!(
        report["repos"][0]["change"]["added"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let (ours, theirs) = (scene.public("base"), scene.path("up/base"));
    assert_eq!(scene.published("base"), files_in(&theirs));
    for name in files_in(&theirs) {
        let same = fs::read(ours.join(&name)).unwrap() == fs::read(theirs.join(&name)).unwrap();
        assert!(same, "{name}");
    }
    scene.server.forget();
    let run = scene.run(&["sync"]).ends(3);
    assert!(run.out.contains("nothing new"), "{}", run.out);
    assert!(scene.server.seen().len() <= 2, "{:?}", scene.server.seen());
    // A snapshot and what is published cost names, no second copy.
    use std::os::unix::fs::MetadataExt;
    let package = ours.join("Packages/alpha-1-1.noarch.rpm");
    assert!(fs::metadata(package).unwrap().nlink() >= 3);
}

#[test]
fn dnf_and_tdnf_install_from_the_mirror() {
    let scene = Scene::usual();
    scene.sync();
    let url = format!("file://{}", scene.public("base").display());
    assert_eq!(scene.dnf_list(&url), ["alpha-1", "beta-1", "gamma-1"]);
    scene.dnf(&url, &["install", "alpha"]).ends(0);
    assert!(scene.path("dnf-root/usr/share/stage/beta").is_file());
    let Some(program) = tdnf() else {
        return testkit::fixtures::skipped("tdnf was not built");
    };
    let root = scene.path("tdnf-root");
    for dir in ["etc/yum.repos.d", "etc/tdnf", "var/lib/rpm"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    fs::write(
        root.join("etc/tdnf/tdnf.conf"),
        "[main]\nrepodir=/etc/yum.repos.d\n",
    )
    .unwrap();
    let text = format!("[m]\nname=m\nbaseurl={url}\nenabled=1\ngpgcheck=0\n");
    fs::write(root.join("etc/yum.repos.d/m.repo"), text).unwrap();
    let mut command = Command::new(program);
    command
        .arg(format!("--installroot={}", root.display()))
        .args(["--releasever=1", "-y", "install", "alpha"]);
    Run::of(command.output().unwrap()).ends(0);
    assert!(root.join("usr/share/stage/beta").is_file());
}

/// A dry run tells bytes and changes nothing that is published.
#[test]
fn a_dry_run_tells_and_does_nothing() {
    let scene = Scene::usual();
    let run = scene.run(&["sync", "--dry-run", "--json"]).ends(0).json();
    let repo = &run["repos"][0];
    assert_eq!(repo["outcome"], "planned");
    assert!(
        repo["change"]["to_fetch_bytes"].as_u64().unwrap() > 60_000,
        "{repo}"
    );
    assert!(repo["expected_seconds"].is_null());
    assert!(!scene.public("base").exists());
    scene.sync();
    scene.put("base", "delta", "1", "");
    scene.publish("base");
    let run = scene.run(&["sync", "-n"]).ends(0);
    assert!(run.out.contains("+ delta-1-1.noarch"), "{}", run.out);
    assert!(run.out.contains("at the last measured rate"), "{}", run.out);
    assert_eq!(
        scene
            .published("base")
            .iter()
            .filter(|f| f.contains("delta"))
            .count(),
        0
    );
}

/// The same by flags alone, without a file.
#[test]
fn flags_alone_are_enough() {
    let scene = Scene::usual();
    let root = scene.path("other");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mirror-sync"));
    command
        .args(["sync", "--config", "/dev/null", "--root"])
        .arg(&root)
        .arg("--set")
        .arg(format!("repo.base.baseurl={}", scene.server.url("/base")));
    Run::of(command.output().unwrap()).ends(0);
    assert!(root.join("public/base/repodata/repomd.xml").is_file());
}

/// What lies on a medium is not fetched, unless it is damaged.
#[test]
fn packages_at_hand_are_not_fetched() {
    let scene = Scene::usual();
    let medium = scene.path("medium/x86_64");
    fs::create_dir_all(&medium).unwrap();
    for name in ["alpha", "beta"] {
        let file = format!("{name}-1-1.noarch.rpm");
        let mut bytes = fs::read(scene.path("up/base/Packages").join(&file)).unwrap();
        if name == "beta" {
            bytes[10_000] ^= 1;
        }
        fs::write(medium.join(file), bytes).unwrap();
    }
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\nseed = [{:?}]\n[repo.base]\nbaseurl = {:?}\n",
        scene.path("mirror"),
        scene.path("medium"),
        scene.server.url("/base")
    ));
    scene.sync();
    let asked = |name: &str| {
        let path = format!("/base/Packages/{name}-1-1.noarch.rpm");
        scene.server.seen_at(&path).len()
    };
    assert_eq!((asked("alpha"), asked("beta"), asked("gamma")), (0, 1, 1));
    scene.run(&["verify", "--no-repair"]).ends(0);
}

/// Programs of the operator hear of what happened.
#[test]
fn hooks_get_the_report() {
    let scene = Scene::usual();
    let heard = scene.path("heard");
    scene.config(&format!(
        "[hooks]\npublished = \"cat > {0}; echo $MIRROR_SYNC_REPO >> {0}\"\nfailure = \"touch {0}.failed\"\nsuccess = \"exit 9\"\n",
        heard.display()
    ));
    let run = scene.sync();
    assert!(
        run.err
            .starts_with("warning: hook success: exit status: 9\n"),
        "{}",
        run.err
    );
    let text = fs::read_to_string(&heard).unwrap();
    assert!(
        text.contains("\"outcome\":\"new\"") && text.ends_with("base\n"),
        "{text}"
    );
    fs::remove_dir_all(scene.path("up/base/repodata")).unwrap();
    scene.run(&["sync"]).ends(1);
    assert!(scene.path("heard.failed").exists());
}

/// Two runs at once: the second says who is at work.
#[test]
fn a_second_run_waits_or_says_who_works() {
    let scene = Scene::usual();
    scene.sync();
    let lock = fs::File::open(scene.path("mirror/lock")).unwrap();
    lock.lock().unwrap();
    let run = scene.run(&["sync"]).ends(1);
    assert!(run.err.contains("another mirror-sync"), "{}", run.err);
    let waiting = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(lock);
    });
    scene.run(&["sync", "--wait", "30s"]).ends(3);
    waiting.join().unwrap();
}
