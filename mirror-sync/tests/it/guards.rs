//! What must not happen: partial sets, replays, mass deletion, damage.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use testkit::server::{Answer, Server};

use crate::scene::{Scene, VENDOR};
use testkit::gpg::Gpg;
use testkit::program::Run;

/// Changes the index of upstream so that it names a changed primary.
pub(crate) fn rewrite_primary(scene: &Scene, repo: &str, change: impl Fn(&str) -> String) {
    let dir = scene.path("up").join(repo);
    let repodata = dir.join("repodata");
    let primary = fs::read_dir(&repodata)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with("primary.xml.gz"))
        .unwrap();
    let unpacked = Command::new("gzip")
        .arg("-dc")
        .arg(&primary)
        .output()
        .unwrap();
    let text = change(&String::from_utf8(unpacked.stdout).unwrap());
    fs::remove_file(&primary).unwrap();
    fs::write(scene.path("primary.xml"), text).unwrap();
    for words in [["--remove", "primary"], ["--mdtype", "primary"]] {
        let mut command = Command::new("modifyrepo_c");
        if words[0] == "--remove" {
            command.args(words).arg(&repodata);
        } else {
            command
                .args(words)
                .arg(scene.path("primary.xml"))
                .arg(&repodata);
        }
        Run::of(command.output().unwrap()).ends(0);
    }
}

#[test]
fn a_partial_set_is_never_published_and_what_came_is_kept() {
    let scene = Scene::usual();
    scene.sync();
    let before = scene.published("base");
    scene.put("base", "delta", "1", "");
    scene.put("base", "omega", "1", "");
    scene.publish("base");
    scene
        .server
        .always("/base/Packages/omega-1-1.noarch.rpm", Answer::status(404));
    let run = scene.run(&["sync"]).ends(4);
    assert!(run.err.contains("omega-1-1.noarch.rpm"), "{}", run.err);
    assert!(run.err.contains("nothing was published"), "{}", run.err);
    assert_eq!(scene.published("base"), before);
    scene.server.behave();
    scene.server.forget();
    scene.sync();
    let asked = scene.server.seen_at("/base/Packages/delta-1-1.noarch.rpm");
    assert!(asked.is_empty(), "delta was fetched twice");
    assert!(scene.published("base").iter().any(|f| f.contains("omega")));
}

#[test]
fn row_35_36_ids_and_headers_name_no_path() {
    let scene = Scene::usual();
    scene.server.always(
        "/base/Packages/gamma-1-1.noarch.rpm",
        Answer {
            headers: vec![(
                "Content-Disposition".into(),
                "attachment; filename=../../x".into(),
            )],
            ..Answer::default()
        },
    );
    scene.sync();
    assert!(scene.public("base/Packages/gamma-1-1.noarch.rpm").is_file());
    for id in ["../base", "a/b", ".hidden", "snapshots"] {
        scene.config_text(&format!(
            "[mirror]\npath = {:?}\n[repo.{id:?}]\nbaseurl = \"http://127.0.0.1:1/\"\n",
            scene.path("mirror")
        ));
        scene.run(&["sync"]).ends(2);
    }
}

#[test]
fn row_110_delete_guard() {
    let scene = Scene::usual();
    for n in 0..7 {
        scene.put("base", &format!("many{n}"), "1", "");
    }
    scene.publish("base");
    scene.sync();
    let before = scene.published("base");
    // An empty list.
    scene.take("base", "");
    scene.publish("base");
    let run = scene.run(&["sync"]).ends(1);
    assert!(
        run.err.contains("10 of 10 packages would go"),
        "{}",
        run.err
    );
    assert!(run.err.contains("--allow-delete"), "{}", run.err);
    assert_eq!(scene.published("base"), before);
    // 2 of 10 may go, 3 may not; a newer version is no deletion.
    for name in ["alpha", "beta", "gamma"] {
        scene.put("base", name, "2", "");
    }
    for n in 0..4 {
        scene.put("base", &format!("many{n}"), "1", "");
    }
    scene.publish("base");
    scene.run(&["sync"]).ends(1);
    scene.put("base", "many4", "1", "");
    scene.publish("base");
    scene.sync();
    scene.take("base", "many");
    scene.publish("base");
    scene.run(&["sync"]).ends(1);
    scene.run(&["sync", "--allow-delete"]).ends(0);
}

#[test]
fn row_111_upstream_changes_while_it_is_mirrored() {
    let scene = Scene::usual();
    scene.sync();
    // The new index names delta 1; while it is fetched upstream replaces it by delta 2, and that by delta 3.
    for version in ["1", "2"] {
        scene.put("base", "delta", version, "");
        scene.publish("base");
        let old_index = fs::read(scene.path("up/base/repodata/repomd.xml")).unwrap();
        let primary = fs::read_dir(scene.path("up/base/repodata"))
            .unwrap()
            .flatten()
            .find(|e| e.file_name().to_string_lossy().ends_with("primary.xml.gz"))
            .unwrap();
        let name = primary.file_name().to_string_lossy().into_owned();
        let index = Answer {
            etag: Some(format!("\"{version}\"")),
            ..Answer::body(old_index)
        };
        scene.server.next("/base/repodata/repomd.xml", [index]);
        scene.server.next(
            &format!("/base/repodata/{name}"),
            [Answer::body(fs::read(primary.path()).unwrap())],
        );
        scene.take("base", "delta");
    }
    scene.put("base", "delta", "3", "");
    scene.publish("base");
    scene.run(&["sync"]).ends(0);
    let published = scene.published("base");
    assert!(
        published.contains(&"Packages/delta-3-1.noarch.rpm".to_owned()),
        "{published:?}"
    );
    let url = format!("file://{}", scene.public("base").display());
    assert_eq!(
        scene.dnf_list(&url),
        ["alpha-1", "beta-1", "delta-3", "gamma-1"]
    );
}

/// Upstream is published anew after the closure was solved: the package that was planned is gone
/// and its successor needs another one. Solved once more, and the new set is published.
#[test]
fn row_77_republished_after_solving() {
    let scene = Scene::usual();
    scene.config("select.packages = [\"alpha\"]");
    scene.put("base", "alpha", "2", "Requires: beta");
    let old = published_now(&scene);
    scene.take("base", "alpha");
    scene.put("base", "alpha", "3", "Requires: gamma");
    scene.publish("base");
    let replay = |rounds: usize| {
        for (path, data) in &old {
            let answers = (0..rounds).map(|_| Answer::body(data.clone()));
            scene.server.next(path, answers);
        }
    };
    replay(1);
    scene.run(&["sync"]).ends(0);
    let url = format!("file://{}", scene.public("base").display());
    assert_eq!(scene.dnf_list(&url), ["alpha-3", "gamma-1"]);
    let asked = scene.server.seen();
    let of = |name: &str| asked.iter().filter(|s| s.path.contains(name)).count();
    assert_eq!(
        of("repomd.xml") - of("repomd.xml."),
        2,
        "looked again, once"
    );
    assert!(of("alpha-2") >= 1 && of("beta-1") <= 1);
}

/// A chunked index at one server that refuses ranges, one with a bad chunk, one with a poisoned
/// header, and a good one: the file comes whole and right, and the real `unzck` reads it.
#[test]
fn row_86_zchunk_without_ranges_bad_chunk_poisoned_header() {
    let scene = Scene::usual();
    let text: String = crate::transfer::noise(900_000, 86)
        .iter()
        .map(|byte| format!("{byte:02x}\n"))
        .collect();
    let plain = scene.path("primary.xml");
    fs::write(&plain, &text).unwrap();
    let chunked = scene.path("primary.xml.zck");
    let ok = |command: &mut Command| Run::of(command.output().unwrap()).ends(0);
    ok(Command::new("zck").arg("-o").arg(&chunked).arg(&plain));
    let name = "primary.xml.zck";
    let whole = fs::read(&chunked).unwrap();
    fs::copy(&chunked, scene.path("up/base/repodata").join(name)).unwrap();
    // modifyrepo_c of Debian is built without zchunk: it would unpack the file.
    let index = scene.path("up/base/repodata/repomd.xml");
    let record = format!(
        "<data type=\"primary_zck\"><checksum type=\"sha256\">{}</checksum>\
         <location href=\"repodata/{name}\"/><timestamp>1</timestamp><size>{}</size></data></repomd>",
        crate::transfer::digest(&whole).hex(),
        whole.len()
    );
    let text_of_index = fs::read_to_string(&index).unwrap();
    fs::write(&index, text_of_index.replace("</repomd>", &record)).unwrap();
    let path = format!("/base/repodata/{name}");
    assert!(whole.len() > 800_000, "{}", whole.len());
    let flipped = |at: usize| {
        let mut wrong = whole.clone();
        wrong[at] ^= 1;
        wrong
    };
    let servers: Vec<Server> = (0..4).map(|_| Server::start(&scene.path("up"))).collect();
    let slow = Answer {
        pieces: Some((16_384, std::time::Duration::from_millis(5))),
        ..Answer::default()
    };
    let with_body = |body: Vec<u8>| Answer {
        pieces: slow.pieces,
        ..Answer::body(body)
    };
    servers[0].always(
        &path,
        Answer {
            ignore_range: true,
            ..slow.clone()
        },
    );
    servers[1].always(&path, with_body(flipped(whole.len() - 1000)));
    servers[2].always(&path, with_body(flipped(20)));
    servers[3].always(&path, slow.clone());
    let bases: Vec<String> = servers.iter().map(|one| one.url("/base")).collect();
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\n[repo.base]\nbaseurl = {bases:?}\n",
        scene.path("mirror")
    ));
    scene.run(&["sync"]).ends(0);
    let published = scene.public("base/repodata").join(name);
    assert!(fs::read(&published).unwrap() == whole);
    let read = Command::new("unzck").arg("-c").arg(&published).output();
    assert!(read.unwrap().stdout == text.as_bytes());
    assert_eq!(scene.run(&["verify", "--no-repair"]).code, 0);
    // Only bad bytes are there: nothing is published, and each server is named.
    for server in &servers[..1] {
        server.always(&path, with_body(flipped(5)));
    }
    servers[3].always(&path, Answer::status(404));
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\n[repo.base]\nbaseurl = {bases:?}\n",
        scene.path("second")
    ));
    let run = scene.run(&["sync"]).ends(4);
    for base in &bases {
        assert!(run.err.contains(base.as_str()), "{base}: {}", run.err);
    }
    assert!(!scene.path("second/public/base").exists());
}

/// The index of now and every file of the metadata that it names, by the path they are asked at.
fn published_now(scene: &Scene) -> Vec<(String, Vec<u8>)> {
    scene.publish("base");
    let entries = fs::read_dir(scene.path("up/base/repodata")).unwrap();
    entries
        .flatten()
        .map(|entry| {
            let path = format!("/base/repodata/{}", entry.file_name().to_string_lossy());
            (path, fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn row_112_a_changed_file_is_a_new_inode_and_the_snapshot_stays() {
    let scene = Scene::usual();
    scene.sync();
    let package = "Packages/gamma-1-1.noarch.rpm";
    let snapshot = scene.run(&["snapshot", "list", "--json"]).ends(0).json();
    let stamp = snapshot[0]["stamp"].as_str().unwrap().to_owned();
    let old = scene.public("snapshots/base").join(&stamp).join(package);
    let (inode, bytes) = (fs::metadata(&old).unwrap().ino(), fs::read(&old).unwrap());
    // The same name with other content.
    scene.take("base", "gamma");
    let other = crate::scene::package("gamma", "1", "URL: https://example.com/other");
    fs::copy(other, scene.path("up/base").join(package)).unwrap();
    scene.publish("base");
    scene.sync();
    assert_eq!(fs::metadata(&old).unwrap().ino(), inode);
    assert_eq!(fs::read(&old).unwrap(), bytes);
    let new = scene.public("base").join(package);
    assert_ne!(fs::metadata(&new).unwrap().ino(), inode);
    assert_eq!(
        fs::read(&new).unwrap(),
        fs::read(scene.path("up/base").join(package)).unwrap()
    );
    // Nobody can write into what is shared.
    assert_eq!(fs::metadata(&new).unwrap().mode() & 0o222, 0);
}

#[test]
fn row_118_a_clock_from_the_future_changes_nothing() {
    let scene = Scene::usual();
    let future = || Answer {
        headers: vec![(
            "Last-Modified".into(),
            "Fri, 01 Jan 2100 00:00:00 GMT".into(),
        )],
        etag: Some(String::new()),
        ..Answer::default()
    };
    scene.server.always("/base/repodata/repomd.xml", future());
    scene.sync();
    scene.put("base", "delta", "1", "");
    scene.publish("base");
    scene.sync();
    assert!(scene.published("base").iter().any(|f| f.contains("delta")));
    scene.run(&["sync"]).ends(3);
}

/// Upstream publishes with this date.
pub(crate) fn dated(scene: &Scene, seconds: u64) {
    let dir = scene.path("up/base");
    let revision = seconds.to_string();
    let words = [
        "--general-compress-type=gz",
        "--no-database",
        "--revision",
        &revision,
        "--set-timestamp-to-revision",
    ];
    testkit::rpm::createrepo(&dir, &words);
}

#[test]
fn older_metadata_than_seen_before_are_refused() {
    let scene = Scene::usual();
    dated(&scene, 1_700_000_000);
    scene.sync();
    scene.put("base", "delta", "1", "");
    dated(&scene, 1_700_086_400);
    scene.sync();
    let before = scene.published("base");
    scene.take("base", "delta");
    dated(&scene, 1_700_000_000);
    let run = scene.run(&["sync"]).ends(1);
    assert!(run.err.contains("older"), "{}", run.err);
    assert_eq!(scene.published("base"), before);
    // It stays refused, and can be wanted: each refusal names what is to be typed.
    let config = scene.path("mirror.toml");
    let told = |run: &Run, switches: &str| {
        let command = format!("`mirror-sync -c {} sync base {switches}`", config.display());
        assert!(run.err.contains(&command), "{command}: {}", run.err);
    };
    told(&scene.run(&["sync"]).ends(1), "--allow-older");
    let run = scene.run(&["sync", "--allow-older"]).ends(1);
    told(&run, "--allow-delete --allow-older");
    scene
        .run(&["sync", "--allow-older", "--allow-delete"])
        .ends(0);
}

#[test]
fn verify_finds_a_flipped_bit_and_fetches_only_that_file() {
    let scene = Scene::usual();
    scene.sync();
    let path = scene.public("base/Packages/beta-1-1.noarch.rpm");
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    bad[9_000] ^= 1;
    // As a disk does it: in the inode that all trees share.
    let real = fs::canonicalize(&path).unwrap();
    Run::of(
        Command::new("chmod")
            .arg("u+w")
            .arg(&real)
            .output()
            .unwrap(),
    )
    .ends(0);
    fs::write(&real, &bad).unwrap();
    let run = scene.run(&["verify", "--no-repair"]).ends(6);
    assert!(
        run.err
            .contains("beta-1-1.noarch.rpm: its checksum is wrong"),
        "{}",
        run.err
    );
    scene.server.forget();
    scene.run(&["verify"]).ends(5);
    let asked: Vec<String> = scene
        .server
        .seen()
        .into_iter()
        .map(|seen| seen.path)
        .collect();
    assert_eq!(asked, ["/base/Packages/beta-1-1.noarch.rpm"]);
    assert_eq!(fs::read(&path).unwrap(), good);
    scene.run(&["verify", "--no-repair"]).ends(0);
}

/// Signed packages and metadata: what no key of the repository signed is not taken.
#[test]
fn packages_and_metadata_must_be_signed_by_the_repositorys_key() {
    let scene = Scene::usual();
    let home = scene.path("gnupg");
    let gpg = Gpg::with_key(&home, VENDOR);
    fs::write(scene.path("key.asc"), gpg.public()).unwrap();
    for name in ["alpha", "beta"] {
        gpg.sign_package(
            VENDOR,
            &scene.path(&format!("up/base/Packages/{name}-1-1.noarch.rpm")),
        );
    }
    scene.publish("base");
    let lines = format!(
        "gpgkey = {:?}\nrepo_gpgcheck = true\n",
        scene.path("key.asc")
    );
    scene.config(&lines);
    let run = scene.run(&["sync"]).ends(1);
    assert!(run.err.contains("repomd.xml.asc is missing"), "{}", run.err);
    let index = scene.path("up/base/repodata/repomd.xml");
    gpg.ok(&["--armor", "--detach-sign", index.to_str().unwrap()]);
    let run = scene.run(&["sync"]).ends(4);
    assert!(
        run.err.contains("gamma-1-1.noarch.rpm: not signed"),
        "{}",
        run.err
    );
    assert!(!scene.public("base").exists());
    gpg.sign_package(VENDOR, &scene.path("up/base/Packages/gamma-1-1.noarch.rpm"));
    scene.publish("base");
    gpg.ok(&["--armor", "--detach-sign", index.to_str().unwrap()]);
    scene.sync();
    // The client can check the same: upstream's signature is there beside upstream's index.
    gpg.ok(&[
        "--verify",
        scene
            .public("base/repodata/repomd.xml.asc")
            .to_str()
            .unwrap(),
        scene.public("base/repodata/repomd.xml").to_str().unwrap(),
    ]);
}

/// Signatures of old releases are taken where the repository admits them, said once, and handed on to
/// clients.
#[test]
fn weak_signatures_are_admitted_by_the_repository_alone() {
    let scene = Scene::usual();
    let gpg = Gpg::with_key(&scene.path("gnupg"), VENDOR);
    fs::write(scene.path("key.asc"), gpg.public()).unwrap();
    for name in ["alpha", "beta", "gamma"] {
        let file = scene.path(&format!("up/base/Packages/{name}-1-1.noarch.rpm"));
        gpg.sign_package_with(VENDOR, &file, "--digest-algo SHA1");
    }
    scene.publish("base");
    let key = format!("gpgkey = {:?}\n", scene.path("key.asc"));
    scene.config(&key);
    let run = scene.run(&["sync"]).ends(4);
    let way = r#"weak algorithm SHA1; weak_signatures = ["sha1"] of the repository admits it"#;
    assert!(run.err.contains(way), "{}", run.err);
    assert!(!scene.public("base").exists());
    scene.config(&format!(
        "{key}weak_signatures = [\"rsa1024\", \"sha256\"]\n"
    ));
    let run = scene.run(&["sync"]).ends(2);
    let wrong = "repo.base: weak_signatures = sha256: expected sha1, rsa1024, expired";
    assert!(run.err.contains(wrong), "{}", run.err);
    scene.config(&format!("{key}weak_signatures = \"sha1\"\n"));
    let run = scene.sync();
    let told = "base: packages with weak signatures are taken";
    assert_eq!(run.err.matches(told).count(), 1, "{}", run.err);
    let package = scene.public("base/Packages/alpha-1-1.noarch.rpm");
    assert!(package.is_file());
    let again = scene.run(&["sync", "--force"]).ends(0);
    assert!(
        !again.err.contains(told),
        "nothing was judged: {}",
        again.err
    );
}

#[test]
fn what_repomd_has_wrong_about_a_part_is_said_where_its_checksum_is_right() {
    let changes = [
        (
            "<open-checksum type=\"sha256\">",
            "<open-checksum type=\"sha256\">0",
        ),
        ("<open-size>", "<open-size>9"),
        ("<size>", "<size>9"),
    ];
    for (from, to) in changes {
        let scene = Scene::usual();
        let index = scene.path("up/base/repodata/repomd.xml");
        let text = fs::read_to_string(&index).unwrap();
        // A digit more makes a digest too long: one goes.
        let wrong = match from.contains("checksum") {
            true => {
                let mut parts = text.split(from);
                let first = parts.next().unwrap().to_owned();
                parts.fold(first, |all, part| all + to + &part[1..])
            }
            false => text.replace(from, to),
        };
        assert_ne!(wrong, text);
        fs::write(&index, wrong).unwrap();
        let run = scene.run(&["sync"]).ends(0);
        let said = "upstream's repomd.xml is wrong about a size of primary";
        assert_eq!(run.err.matches(said).count(), 1, "{from}: {}", run.err);
        assert!(scene.public("base/Packages/alpha-1-1.noarch.rpm").exists());
    }
}
