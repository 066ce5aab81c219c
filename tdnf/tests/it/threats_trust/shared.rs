//! Row 131: a cache that others may write.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use rpm_solv::{CacheWriter, EvrInput, PackageFacts, PackageInput};

use super::*;

/// Who else may write.
const STRANGER: u32 = 12345;

/// Opens a place to others, in the ways there are; the mode that it had comes back.
fn opened(place: &Path, check: impl Fn(&str)) {
    let about = fs::metadata(place).unwrap();
    let mode = |mode| fs::set_permissions(place, fs::Permissions::from_mode(mode)).unwrap();
    for (open, what) in [
        (0o777, "everybody"),
        (0o1777, "sticky"),
        (0o775, "the group"),
    ] {
        mode(open);
        check(&format!("{} is open to {what}", place.display()));
    }
    mode(about.permissions().mode() & 0o7777);
    chown(place, Some(STRANGER), None).unwrap();
    check(&format!("{} is a stranger's", place.display()));
    chown(place, Some(0), None).unwrap();
}

/// Row 131. What the solver's cache says is believed where nobody else can have written it, and only there: its key
/// and its checksums can be computed by anybody.
#[test]
fn row_131_the_solver_s_cache_of_others_is_not_believed() {
    if testkit::fixtures::unprivileged() {
        return;
    }
    let (scene, published) = Scene::with(&[&package("app", "1", "")]);
    let list = || scene.tdnf(&["list", "available"]).ok();
    assert!(list().out.contains("app.noarch"));
    let file = scene.cached("catalog/primary").remove(0);
    let key = format!("primary {}", sha256(published.repomd().as_bytes()));
    let plant = || {
        let mut writer = CacheWriter::create(&file, key.as_bytes()).unwrap();
        let planted = PackageInput {
            name: "planted",
            arch: "noarch",
            evr: EvrInput::new(None, "1", "1"),
            facts: PackageFacts::default(),
            ..PackageInput::default()
        };
        writer.add(&planted).unwrap();
        writer.finish().unwrap();
    };
    plant();
    let believed = list();
    assert!(believed.out.contains("planted"), "{}", believed.text());
    let catalog = file.parent().unwrap().to_owned();
    let places: [PathBuf; 2] = [catalog.parent().unwrap().to_owned(), catalog];
    for place in &places {
        opened(place, |what| {
            let run = list();
            assert!(run.out.contains("app.noarch"), "{what}: {}", run.text());
            assert!(!run.out.contains("planted"), "{what}: {}", run.text());
            let warned = format!("warning: {} ", place.display());
            assert_eq!(run.err.matches(&warned).count(), 1, "{what}: {}", run.err);
        });
    }
    // A file of others is made anew.
    for (owner, mode) in [(STRANGER, 0o644), (0, 0o666)] {
        plant();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        chown(&file, Some(owner), None).unwrap();
        let run = list();
        assert!(!run.out.contains("planted"), "{}", run.text());
        assert_eq!(run.err, "");
        let about = fs::metadata(&file).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o644);
    }
    // What is installed is kept in the same form.
    let cache = scene.root().join("var/cache/tdnf");
    opened(&cache, |what| {
        let run = list();
        assert!(run.out.contains("app.noarch"), "{what}");
        let warned = format!("warning: {} ", cache.display());
        assert_eq!(run.err.matches(&warned).count(), 1, "{what}: {}", run.err);
    });
    // An index without the signature of the repository's key is none, wherever it comes from.
    let index = scene.cached("repodata/repomd.xml").remove(0);
    let text = published.repomd().replace("<revision>", "<revision>1");
    fs::write(&index, &text).unwrap();
    let state = index.with_file_name("tdnf.state");
    let old = fs::read_to_string(&state).unwrap();
    let first = format!("repomd sha256:{}\n", sha256(text.as_bytes()));
    let rest = old.split_once('\n').unwrap().1;
    fs::write(&state, first + rest).unwrap();
    scene.refuses(&["-C", "list", "available"], &["main", "repomd.xml"]);
}

/// Row 131. However many repositories lie in a cache of others, that is one line, and what it names takes the cache back.
#[test]
fn row_131_a_cache_of_others_is_told_of_in_one_line() {
    if testkit::fixtures::unprivileged() {
        return;
    }
    let scene = Scene::new();
    for name in ["one", "two", "three"] {
        scene.publish(name, &[&package("app", "1", "").signed(&scene.key)]);
        scene.configure(name, "");
    }
    let list = || scene.tdnf(&["-q", "list", "available"]).ok();
    assert_eq!(list().err, "");
    let cache = scene.root().join("var/cache/tdnf");
    let shell = |line: &str| ok(Command::new("sh").args(["-c", line]));
    shell(&format!("chown -R {STRANGER} {}", cache.display()));
    let told = list().err;
    assert_eq!(told.lines().count(), 1, "{told}");
    let first = format!(
        "warning: {} belongs to user {STRANGER} (and 3 more like it)",
        cache.display()
    );
    assert!(told.starts_with(&first), "{told}");
    let commands: Vec<&str> = told.split('`').skip(1).step_by(2).collect();
    assert_eq!(commands.len(), 3, "{told}");
    assert!(
        commands[0].starts_with("tdnf ") && commands[0].ends_with("clean all"),
        "{told}"
    );
    scene.tdnf(&["clean", "all"]).ok();
    assert!(!cache.join("installed.catalog").exists());
    for line in &commands[1..] {
        shell(line);
    }
    assert_eq!(list().err, "");
    // A folder of everybody's stays that.
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o1777)).unwrap();
    let told = list().err;
    assert!(
        told.contains("is not used; set another cachedir="),
        "{told}"
    );
    assert!(!told.contains("chown"), "{told}");
}

/// Row 131. A key that came by https is vouched for by the connection alone: its copy counts only where nobody else can
/// have put it there.
#[test]
fn row_131_a_key_in_a_cache_of_others_is_not_believed() {
    if testkit::fixtures::unprivileged() {
        return;
    }
    let scene = Scene::new();
    let app = package("app", "1", "").signed(&scene.key);
    scene.publish("main", &[&app]);
    scene.configure("main", "repo_gpgcheck=0");
    scene.tdnf(&["-y", "install", "--downloadonly", "app"]).ok();
    let url = "https://vendor.tests.invalid/key.asc";
    scene.configure("main", &format!("repo_gpgcheck=0\ngpgkey={url}"));
    let repo = scene.cached("repodata/repomd.xml").remove(0);
    let repo = repo.ancestors().nth(2).unwrap().to_owned();
    let name = sha256(url.as_bytes());
    let file = repo.join("keys").join(format!("{}.key", &name[..32]));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let text = scene.key.public_armored().unwrap();
    fs::write(&file, text).unwrap();
    for place in [&file, &repo.join("keys"), &repo] {
        opened(place, |what| {
            let run = scene.tdnf(&["-C", "-y", "install", "app"]);
            let own = [
                format!("chown -R root: {}", repo.display()),
                format!("chmod -R go-w {}", repo.display()),
            ];
            run.failed()
                .says(&[&place.to_string_lossy(), "key", &own[0], &own[1]]);
            assert!(scene.trusted_keys().is_empty(), "{what}");
            assert_eq!(scene.installed(), ["first-1"], "{what}");
        });
    }
    scene.tdnf(&["-C", "-y", "install", "app"]).ok();
    assert_eq!(scene.installed(), ["app-1", "first-1"]);
}

/// Row 131. What has no digest, a key or a list, is never continued: the beginning that lies in the cache could be
/// anybody's.
#[test]
fn row_131_what_has_no_digest_is_fetched_from_its_beginning() {
    let (scene, _) = Scene::with(&[&package("app", "1", "")]);
    let list = "# of today\n".repeat(10_000) + "app=1-1\n";
    fs::write(scene.www().join("main.list"), &list).unwrap();
    let url = scene.server.url("/main.list");
    scene.configure("main", &format!("snapshot={url}"));
    scene.server.next("/main.list", [Answer::cut_at(60_000)]);
    scene.server.always("/main.list", Answer::status(503));
    scene.tdnf(&["list", "available"]).failed();
    let parts = scene.cached(".list.part");
    for part in &parts {
        let text = fs::read_to_string(part).unwrap();
        fs::write(part, text.replace("# of today", "evil==1-1#")).unwrap();
    }
    assert_eq!(parts.len(), 1);
    scene.server.always("/main.list", Answer::default());
    scene.tdnf(&["list", "available"]).ok();
    let kept = scene.cached(".list").remove(0);
    assert_eq!(fs::read_to_string(kept).unwrap(), list);
}
