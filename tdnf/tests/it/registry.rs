//! Repositories in a registry of containers (`oci://`), a real one.

use std::fs;

use testkit::program;
use testkit::registry::{LOGIN, Registry};

use crate::interop_lab::{FIVE, Site, recipe, repo_section, small};
use crate::scene::{Scene, package};

/// The five programs come from a registry that wants a login, metadata and packages signed, by tag and by digest.
#[test]
fn the_five_come_from_a_registry() {
    let dir = tempfile::tempdir().unwrap();
    let Some(registry) = Registry::with_login(dir.path()) else {
        return;
    };
    let folder = recipe();
    registry.put_tree(&folder, "photon/updates", "prod");
    let url = registry.url("photon/updates:prod");
    let login = format!("username={}\npassword={}\n", LOGIN.0, LOGIN.1);
    let site = Site::new(&(repo_section("test", &url, &folder) + &login));
    let words = [&["install", "-y"], &FIVE[..]].concat();
    site.ok(&words);
    let listed = site.listed();
    assert!(listed.len() > 20, "{listed:?}");
    for name in FIVE {
        assert!(listed.iter().any(|one| one.starts_with(name)), "{listed:?}");
    }

    // Nobody's login; and that of `docker login`, where the `.repo` files are this machine's.
    let open = Site::new(&repo_section("test", &url, &folder));
    let (said, code) = open.refused(&["makecache"]);
    assert_ne!(code, 0);
    assert!(
        said.contains("set username and password, or `docker login 127.0.0.1:"),
        "{said}"
    );
    assert!(!said.contains(LOGIN.1), "{said}");
    let (docker, repos) = (dir.path().join("docker"), dir.path().join("repos"));
    for (folder, file, text) in [
        (&docker, "config.json", registry.auths()),
        (&repos, "test.repo", repo_section("test", &url, &recipe())),
    ] {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(file), text).unwrap();
    }
    let of_host = format!("--setopt=reposdir={}", repos.display());
    let mut command = open.command(&[&of_host, "makecache"]);
    program::run(command.env("DOCKER_CONFIG", &docker)).ok();
}

/// Row 146. What the files of an image name is not told the login of this machine's user.
#[test]
fn row_146_an_image_is_not_given_the_logins_of_docker() {
    let dir = tempfile::tempdir().unwrap();
    let Some(registry) = Registry::with_login(dir.path()) else {
        return;
    };
    let docker = dir.path().join("docker");
    fs::create_dir_all(&docker).unwrap();
    fs::write(docker.join("config.json"), registry.auths()).unwrap();
    let site = Site::new(&repo_section(
        "test",
        &registry.url("a:b"),
        &small().join("repo"),
    ));
    let mut command = site.command(&["makecache"]);
    let run = program::run(command.env("DOCKER_CONFIG", &docker)).failed();
    assert!(run.err.contains("the registry wants a login"), "{run:?}");
}

/// A registry stands in a list of mirrors and in a metalink, gives the file of a URL, and is written into a lock.
#[test]
fn a_registry_stands_wherever_a_url_does() {
    let dir = tempfile::tempdir().unwrap();
    let Some(registry) = Registry::start(dir.path()) else {
        return;
    };
    let one = package("one", "1", "");
    let (scene, published) = Scene::with(&[&one]);
    registry.put_tree(&published.dir, "main", "current");
    let url = registry.url("main");
    let index = crate::scene::digest(&published.dir.join("repodata/repomd.xml"));
    let metalink = format!(
        "<?xml version=\"1.0\"?><metalink version=\"3.0\" xmlns=\"http://www.metalinker.org/\"><files>\
         <file name=\"repomd.xml\"><verification><hash type=\"sha256\">{index}</hash></verification><resources>\
         <url protocol=\"oci\">{url}:current/repodata/repomd.xml</url></resources></file></files></metalink>"
    );
    let lists = scene.path("lists");
    fs::create_dir_all(&lists).unwrap();
    fs::write(lists.join("metalink"), metalink).unwrap();
    fs::write(lists.join("mirrors"), format!("{url}\n")).unwrap();
    let lists = lists.display();
    for line in [
        format!("baseurl={url}"),
        format!("baseurl=\nmirrorlist=file://{lists}/mirrors"),
        format!("baseurl=\nmetalink=file://{lists}/metalink"),
    ] {
        scene.configure("main", &line);
        scene.tdnf(&["--refresh", "makecache"]).ok();
        let run = scene.tdnf(&["-y", "install", "one"]).ok();
        assert!(
            scene.installed().iter().any(|one| one.starts_with("one-1")),
            "{line}: {run:?}"
        );
        scene.tdnf(&["-y", "erase", "one"]).ok();
        scene.tdnf(&["clean", "all"]).ok();
    }
    assert!(scene.server.seen().is_empty());

    scene.configure("main", &format!("baseurl={url}"));
    scene.tdnf(&["makecache"]).ok();
    let lock = scene.path("tdnf.lock").display().to_string();
    scene.tdnf(&["lock", "-o", &lock, "one"]).ok();
    let written = fs::read_to_string(&lock).unwrap();
    assert!(
        written.contains(&format!("{url}:current/Packages/one-1")),
        "{written}"
    );
    scene.tdnf(&["-y", "install", "--locked", &lock]).ok();
    scene.tdnf(&["-y", "erase", "one"]).ok();
    let name = one.file_name();
    scene
        .tdnf(&["-y", "install", &format!("{url}:current/Packages/{name}")])
        .ok();
    assert!(scene.installed().iter().any(|one| one.starts_with("one-1")));
}
