//! `reposync` against repositories by createrepo_c, on a server and on disk; what came is asked of
//! the real rpm and createrepo_c.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::rpm::createrepo;
use testkit::spec::Spec;

use crate::scene::{Scene, digest, package};
use crate::scene_repo::Published;

/// Paths of all files below a folder, sorted.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(dir).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

fn scene() -> (Scene, Published) {
    Scene::with(&[
        &package("app", "1", ""),
        &package("app", "2", ""),
        &package("lib", "1", ""),
    ])
}

/// `tdnf reposync` into `NAME` beside the root.
fn sync(scene: &Scene, target: &str, words: &[&str]) -> testkit::program::Run {
    let path = scene.path(target).display().to_string();
    scene.tdnf(&[&["reposync", "--download-path", &path], words].concat())
}

#[test]
fn reposync_copies_what_the_server_has() {
    let (scene, _) = scene();
    let ran = sync(&scene, "out", &[]).ok();
    assert_eq!(ran.err, "");
    let names = ["app-1.rpm", "app-2.rpm", "lib-1.rpm"].map(|n| format!("main/Packages/{n}"));
    assert_eq!(files(&scene.path("out")), names);
    for name in &names {
        assert_eq!(
            digest(&scene.path("out").join(name)),
            digest(&scene.www().join(name))
        );
    }
    // Again: nothing is asked for but the metadata; a damaged file comes anew.
    fs::write(scene.path("out/main/Packages/lib-1.rpm"), "damage").unwrap();
    scene.server.forget();
    sync(&scene, "out", &[]).ok();
    let asked: Vec<String> = scene
        .server
        .seen()
        .into_iter()
        .map(|seen| seen.path)
        .collect();
    assert_eq!(asked, ["/main/Packages/lib-1.rpm"]);
    assert_eq!(
        digest(&scene.path("out/main/Packages/lib-1.rpm")),
        digest(&scene.www().join("main/Packages/lib-1.rpm"))
    );
    // The system is not touched, and nothing is installed.
    assert_eq!(scene.installed(), ["first-1"]);
}

#[test]
fn reposync_newest_and_delete() {
    let (scene, _) = scene();
    sync(&scene, "out", &[]).ok();
    fs::write(scene.path("out/main/notes.txt"), "mine").unwrap();
    fs::write(scene.path("victim.rpm"), "mine").unwrap();
    std::os::unix::fs::symlink(scene.path("victim.rpm"), scene.path("out/main/link.rpm")).unwrap();
    let ran = sync(&scene, "out", &["--newest-only", "--delete"]).ok();
    let gone = scene.path("out/main/Packages/app-1.rpm");
    assert_eq!(ran.out, format!("deleting {}\n", gone.display()));
    assert_eq!(
        files(&scene.path("out/main")),
        [
            "Packages/app-2.rpm",
            "Packages/lib-1.rpm",
            "link.rpm",
            "notes.txt"
        ]
    );
    assert_eq!(fs::read(scene.path("victim.rpm")).unwrap(), b"mine");
}

#[test]
fn reposync_metadata_is_the_published_one() {
    let (scene, _) = scene();
    // createrepo_c's own, with sqlite databases.
    let dir = scene.www().join("main");
    fs::remove_dir_all(dir.join("repodata")).unwrap();
    createrepo(&dir, &["--database"]);
    scene.configure("main", "repo_gpgcheck=0");
    sync(&scene, "out", &["--download-metadata"]).ok();
    assert_eq!(
        files(&scene.path("out/main/repodata")),
        files(&dir.join("repodata"))
    );
    for name in files(&dir.join("repodata")) {
        let (copy, own) = (
            scene.path("out/main/repodata").join(&name),
            dir.join("repodata").join(&name),
        );
        assert_eq!(digest(&copy), digest(&own), "{name}");
    }
    // The real dnf takes the copy for a repository.
    let copy = format!(
        "--repofrompath=copy,file://{}",
        scene.path("out/main").display()
    );
    let output = Command::new("dnf")
        .args([
            "-q",
            "--disableplugin=local",
            "--disablerepo=*",
            &copy,
            "--enablerepo=copy",
            "--nogpgcheck",
        ])
        .arg(format!("--installroot={}", scene.path("dnfroot").display()))
        .args([
            "--releasever=1",
            "--setopt=reposdir=/nonexistent",
            "repoquery",
        ])
        .output()
        .expect("dnf runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["app-0:1-1.noarch", "app-0:2-1.noarch", "lib-0:1-1.noarch"],
        "{output:?}"
    );
    // Metadata elsewhere, packages right below the folder.
    let meta = scene.path("meta").display().to_string();
    let words = [
        "--download-metadata",
        "--metadata-path",
        &meta,
        "--norepopath",
    ];
    sync(&scene, "flat", &words).ok();
    assert_eq!(files(&scene.path("flat")).len(), 3);
    assert!(scene.path("meta/repodata/repomd.xml").is_file());
    // A signed index keeps its signature.
    let signed = Published::create(&scene.www().join("signed"), &[&package("one", "1", "")]);
    signed.write(Some(&scene.key));
    scene.configure("signed", "");
    sync(&scene, "out", &["--repo=signed", "--download-metadata"]).ok();
    assert!(scene.path("out/signed/repodata/repomd.xml.asc").is_file());
}

/// Row 133: nobody judges a part of the metadata; what is a package, or lies where packages do, is left out.
#[test]
fn row_133_reposync_copies_no_package_as_metadata() {
    let evil = package("evil", "1", "");
    for (href, why) in [
        ("Packages/evil-1.rpm", "is no place of metadata"),
        ("repodata/extra.bin", "it is a package"),
    ] {
        let (scene, _) = scene();
        let dir = scene.www().join("main");
        scene.configure("main", "repo_gpgcheck=0");
        fs::write(dir.join(href), evil.bytes()).unwrap();
        let index = dir.join("repodata/repomd.xml");
        let record = format!(
            "<data type=\"extra\"><checksum type=\"sha256\">{}</checksum><location href=\"{href}\"/></data></repomd>",
            digest(&dir.join(href))
        );
        let text = fs::read_to_string(&index).unwrap();
        fs::write(&index, text.replace("</repomd>", &record)).unwrap();
        let ran = sync(&scene, "out", &["--download-metadata"]).ok();
        assert_eq!(ran.err.matches(why).count(), 1, "{}", ran.err);
        assert!(!scene.path("out/main").join(href).exists());
        assert_eq!(files(&scene.path("out/main/Packages")).len(), 3);
    }
}

#[test]
fn reposync_arch_source_and_urls() {
    let (scene, _) = Scene::with(&[&package("app", "1", "")]);
    let source = source_package();
    let dir = scene.www().join("main");
    fs::copy(&source, dir.join("Packages/app-1.src.rpm")).unwrap();
    fs::remove_dir_all(dir.join("repodata")).unwrap();
    createrepo::<&str>(&dir, &[]);
    scene.configure("main", "repo_gpgcheck=0");
    let urls = |words: &[&str]| {
        let ran = scene
            .tdnf(&[&["-q", "reposync", "--urls"], words].concat())
            .ok();
        let mut urls: Vec<String> = ran.out.lines().map(str::to_owned).collect();
        urls.sort();
        urls
    };
    let url = |name: &str| scene.server.url(&format!("/main/Packages/{name}"));
    assert_eq!(urls(&[]), [url("app-1.rpm"), url("app-1.src.rpm")]);
    assert_eq!(urls(&["--arch", "noarch"]), [url("app-1.rpm")]);
    assert_eq!(urls(&["--source"]), [url("app-1.src.rpm")]);
    assert_eq!(urls(&["--arch=i686", "--arch=src"]), [url("app-1.src.rpm")]);
    let refused = |words: &[&str]| {
        let ran = scene.tdnf(&[&["reposync"], words].concat());
        assert_eq!(ran.code, 86, "{}", ran.text());
        assert!(
            ran.err.contains("Error(1622) : Invalid argument"),
            "{}",
            ran.err
        );
    };
    refused(&["--source", "--arch=noarch"]);
    refused(&["--norepopath", "--delete"]);
    scene.publish("other", &[&package("lib", "1", "")]);
    scene.configure("other", "");
    refused(&["--norepopath"]);
    // A slip in the name of a repository is no empty success.
    scene
        .tdnf(&["-j", "reposync", "--urls", "--repo=nosuch"])
        .fails(244, "warning: --repo: there is no repository 'nosuch'");
}

/// A source package.
fn source_package() -> PathBuf {
    Spec::new("app", "1").files("").build_source()
}

#[test]
fn reposync_gpgcheck_keeps_only_good_packages() {
    let good = package("good", "1", "");
    let (scene, _) = Scene::with(&[&good]);
    let stranger = crate::scene::new_key("Stranger <stranger@tests.invalid>");
    let foreign = package("foreign", "1", "").signed(&stranger);
    let bare = package("bare", "1", "");
    let published = scene.publish(
        "mixed",
        &[&good.clone().signed(&scene.key), &foreign, &bare],
    );
    published.write(Some(&scene.key));
    scene.configure("mixed", "gpgcheck=0");
    let ran = sync(&scene, "out", &["--repo=mixed", "--gpgcheck"]);
    ran.refused(&["foreign-1-1.noarch"]);
    ran.says(&["bare-1-1.noarch"]);
    ran.says(&["2 of 3 files are missing"]);
    assert_eq!(files(&scene.path("out")), ["mixed/Packages/good-1.rpm"]);
    // Nobody was asked, and no key was stored.
    assert!(scene.trusted_keys().is_empty());
    sync(&scene, "out2", &["--repo=mixed"]).ok();
    assert_eq!(files(&scene.path("out2")).len(), 3);
}

#[test]
fn row_15_reposync_refuses_a_damaged_package() {
    let (scene, _) = scene();
    let path = scene.www().join("main/Packages/lib-1.rpm");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    let ran = sync(&scene, "out", &[]);
    ran.refused(&["lib-1-1.noarch", "1528"]);
    assert_eq!(
        files(&scene.path("out/main/Packages")),
        ["app-1.rpm", "app-2.rpm"]
    );
}

/// Files that the cached metadata name are gone: the copy is one of what is there now.
#[test]
fn reposync_of_a_repository_published_anew_goes_on_with_what_is_there() {
    let (scene, published) = scene();
    scene.tdnf(&["makecache"]).ok();
    for gone in ["app-2.rpm", "lib-1.rpm"] {
        fs::remove_file(scene.www().join("main/Packages").join(gone)).unwrap();
    }
    let newer = [package("app", "1", ""), package("lib", "2", "")];
    let mut next = scene.publish("main", &[&newer[0], &newer[1]]);
    next.revision = published.revision + 1;
    next.write(Some(&scene.key));
    let ran = sync(&scene, "out", &[]).ok();
    ran.says(&["repository main has been published anew"]);
    assert_eq!(
        files(&scene.path("out/main/Packages")),
        ["app-1.rpm", "lib-2.rpm"]
    );
}

#[test]
fn row_33_reposync_href() {
    let (scene, published) = scene();
    for href in [
        "../../etc/evil.rpm",
        "%2e%2e/evil.rpm",
        "/etc/evil.rpm",
        "file:///etc/shadow",
        "a/../../evil.rpm",
    ] {
        let mut lying = published
            .clone()
            .replace("primary", "Packages/lib-1.rpm", href);
        lying.revision += 1;
        lying.write(Some(&scene.key));
        for words in [&[][..], &["--norepopath"], &["--delete"], &["--urls"]] {
            let target = scene.path("out");
            let _ = fs::remove_dir_all(&target);
            let ran = sync(&scene, "out", &[&["--refresh"], words].concat());
            ran.refused(&["repository main", "refused package location"]);
            ran.says(&["lib-1-1.noarch"]);
            assert_eq!(ran.code, 244, "{}", ran.text());
            if words != ["--urls"] {
                // The other packages are there, and nothing else anywhere.
                let names: Vec<String> = files(&target)
                    .into_iter()
                    .map(|path| path.trim_start_matches("main/").to_owned())
                    .collect();
                assert_eq!(
                    names,
                    ["Packages/app-1.rpm", "Packages/app-2.rpm"],
                    "{href}"
                );
            }
            assert!(!scene.path("evil.rpm").exists() && !scene.path("etc").exists());
        }
    }
    // A folder of the target that is a link is not followed.
    let mut honest = published;
    honest.revision += 2;
    honest.write(Some(&scene.key));
    fs::create_dir_all(scene.path("elsewhere")).unwrap();
    fs::create_dir_all(scene.path("linked/main")).unwrap();
    std::os::unix::fs::symlink(scene.path("elsewhere"), scene.path("linked/main/Packages"))
        .unwrap();
    sync(&scene, "linked", &["--refresh"]).refused(&["linked/main/Packages"]);
    assert_eq!(fs::read_dir(scene.path("elsewhere")).unwrap().count(), 0);
}

/// Bytes that a run reads from the package files it has copied before.
fn bytes_read(scene: &Scene, words: &[&str]) -> u64 {
    let (out, log) = (scene.path("out"), scene.path("reads"));
    let (folder, shown) = (out.display().to_string(), log.display().to_string());
    let strace = [
        "strace",
        "-f",
        "-y",
        "-s0",
        "-e",
        "trace=read,pread64",
        "-o",
        &shown,
    ];
    let args = [&["reposync", "--download-path", &folder], words].concat();
    scene.tdnf_under(&strace, &args).ok();
    let text = fs::read_to_string(&log).unwrap();
    let reads = text.lines().filter(|line| line.contains(&*folder));
    reads
        .map(|line| line.rsplit(" = ").next().unwrap().parse::<u64>().unwrap())
        .sum()
}

#[test]
fn reposync_hashes_again_what_was_touched_or_on_demand() {
    let (scene, _) = scene();
    let names = ["app-1.rpm", "app-2.rpm", "lib-1.rpm"].map(|n| format!("main/Packages/{n}"));
    let copy = |name: &str| scene.path("out").join(name);
    let size = |name: &str| fs::metadata(copy(name)).unwrap().len();
    sync(&scene, "out", &[]).ok();
    let all: u64 = names.iter().map(|name| size(name)).sum();
    assert_eq!(bytes_read(&scene, &[]), 0);
    assert_eq!(bytes_read(&scene, &["--verify"]), all);
    // Other bytes of the same length, dated back to the old time: found, and mended.
    let lib = copy(&names[2]);
    let (right, date) = (
        digest(&lib),
        fs::metadata(&lib).unwrap().modified().unwrap(),
    );
    fs::write(&lib, vec![0; size(&names[2]) as usize]).unwrap();
    fs::File::options()
        .write(true)
        .open(&lib)
        .unwrap()
        .set_modified(date)
        .unwrap();
    assert_eq!(bytes_read(&scene, &[]), size(&names[2]));
    assert_eq!(digest(&lib), right);
    assert_eq!(bytes_read(&scene, &[]), 0);
    // What others could have written is not believed, nor what is damaged.
    let memory = || {
        let cache = scene.path("root/var/cache/tdnf");
        let mut all = files(&cache).into_iter();
        cache.join(all.find(|name| name.contains("/reposync/")).unwrap())
    };
    fs::set_permissions(memory(), fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(bytes_read(&scene, &[]), all);
    assert_eq!(bytes_read(&scene, &[]), 0);
    let good = fs::read(memory()).unwrap();
    for damage in [&good[..good.len() / 2], b"", &[0xff; 300]] {
        fs::write(memory(), damage).unwrap();
        assert_eq!(bytes_read(&scene, &[]), all);
    }
    scene.tdnf(&["clean", "packages"]).ok();
    assert_eq!(bytes_read(&scene, &[]), all);
    assert_eq!(bytes_read(&scene, &[]), 0);
    // A file that new metadata give another digest is fetched anew.
    scene.publish("main", &[&package("lib", "1", "")]);
    scene.tdnf(&["makecache", "--refresh"]).ok();
    sync(&scene, "out", &[]).ok();
    assert_eq!(
        digest(&lib),
        digest(&scene.www().join("main/Packages/lib-1.rpm"))
    );
}
