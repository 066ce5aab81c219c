//! `/mirror.repo`: the real clients install by what it says, steps that it names included.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use testkit::gpg::Gpg;
use testkit::program::{self, Run};

use crate::doors::Authority;
use crate::scene::{Scene, VENDOR, tdnf};
use crate::serving::{Serving, curl};

/// Installs alpha from this section of a `.repo` file, with tdnf and with dnf, in a root each.
pub(crate) fn both_install(scene: &Scene, name: &str, section: &str) {
    let repos = scene.path(&format!("{name}/repos.d"));
    fs::create_dir_all(&repos).unwrap();
    fs::write(repos.join("m.repo"), section).unwrap();
    let root = scene.path(&format!("{name}/dnf"));
    let mut command = Command::new("dnf");
    command
        .arg(format!("--installroot={}", root.display()))
        .arg(format!("--setopt=reposdir={}", repos.display()))
        .arg(format!(
            "--setopt=cachedir={}",
            root.join("cache").display()
        ))
        .args([
            "-q",
            "-y",
            "--disableplugin=local",
            "--releasever=1",
            "install",
            "alpha",
        ]);
    program::run(&mut command).ends(0);
    assert!(root.join("usr/share/stage/beta").is_file());
    tdnf_installs(scene, name, section);
}

/// The same with tdnf alone.
pub(crate) fn tdnf_installs(scene: &Scene, name: &str, section: &str) {
    if let Some(run) = tdnf_runs(scene, name, section) {
        run.ends(0);
        let root = scene.path(&format!("{name}/tdnf"));
        assert!(root.join("usr/share/stage/beta").is_file());
    }
}

fn tdnf_runs(scene: &Scene, name: &str, section: &str) -> Option<Run> {
    let Some(program) = tdnf() else {
        testkit::fixtures::skipped("tdnf was not built");
        return None;
    };
    let repos = scene.path(&format!("{name}/repos.d"));
    fs::create_dir_all(&repos).unwrap();
    fs::write(repos.join("m.repo"), section).unwrap();
    let root = scene.path(&format!("{name}/tdnf"));
    let text = format!("[main]\nrepodir={}\n", repos.display());
    let conf = scene.write(&format!("{name}/tdnf.conf"), text);
    let mut command = Command::new(program);
    command
        .arg(format!("--installroot={}", root.display()))
        .arg("-c")
        .arg(conf)
        .args(["--releasever=1", "-y", "install", "alpha"]);
    Some(program::run(&mut command))
}

/// The usual repository with signed packages, `key.asc`, and the configuration that says so, with more lines.
fn signed(lines: &str) -> (Scene, Gpg) {
    let scene = Scene::usual();
    let gpg = Gpg::with_key(&scene.path("gnupg"), VENDOR);
    fs::write(scene.path("key.asc"), gpg.public()).unwrap();
    for name in ["alpha", "beta", "gamma"] {
        let package = scene.path(&format!("up/base/Packages/{name}-1-1.noarch.rpm"));
        gpg.sign_package(VENDOR, &package);
    }
    scene.publish("base");
    scene.config(&format!("gpgkey = {:?}\n{lines}", scene.path("key.asc")));
    scene.sync();
    (scene, gpg)
}

/// Does what the file says is to be done first. `/etc/pki/rpm-gpg` is a folder of the scene.
fn keys_fetched(scene: &Scene, text: &str) -> String {
    let kept = scene.path("pki");
    fs::create_dir_all(&kept).unwrap();
    let text = text.replace("/etc/pki/rpm-gpg", kept.to_str().unwrap());
    let first: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#   curl "))
        .collect();
    assert_eq!(first.len(), 1, "{text}");
    for words in first {
        curl(&words.split(' ').collect::<Vec<_>>()).ends(0);
    }
    text
}

/// The fingerprint as people compare it.
fn fingerprint(gpg: &Gpg) -> String {
    let all = gpg.ok(&["--with-colons", "--list-keys"]).out;
    let line = all.lines().find(|line| line.starts_with("fpr:")).unwrap();
    line.split(':').nth(9).unwrap().to_owned()
}

fn grouped(fingerprint: &str) -> String {
    let four = fingerprint.as_bytes().chunks(4);
    let groups: Vec<&str> = four.map(|four| str::from_utf8(four).unwrap()).collect();
    groups.join(" ")
}

fn zypper_installs(scene: &Scene, section: &str) {
    if Command::new("zypper").arg("--version").output().is_err() {
        return testkit::fixtures::skipped("no zypper");
    }
    let repos = scene.path("zypper/repos.d");
    fs::create_dir_all(&repos).unwrap();
    fs::write(repos.join("m.repo"), section).unwrap();
    let place = |name: &str| scene.path(&format!("zypper/{name}")).display().to_string();
    let mut command = Command::new("zypper");
    command
        .args([
            "--root",
            &place("root"),
            "--reposd-dir",
            &place("repos.d"),
            "--cache-dir",
            &place("cache"),
        ])
        .args([
            "--non-interactive",
            "--gpg-auto-import-keys",
            "--releasever",
            "1",
        ])
        .args(["install", "--no-recommends", "alpha"])
        .env("HOME", place("home"))
        .env("ZYPP_LOCKFILE_ROOT", place("root"));
    let run = program::run(&mut command);
    assert!(
        scene.path("zypper/root/usr/share/stage/beta").is_file(),
        "{}",
        run.text()
    );
}

#[test]
fn tdnf_dnf_and_zypper_take_it_over_http() {
    let (scene, gpg) = signed("");
    let serving = Serving::start(&scene);
    let text = curl(&["-f", &serving.url("/mirror.repo")]).ends(0).out;
    let print = fingerprint(&gpg);
    assert!(
        text.contains(&format!("#     {} {VENDOR}\n", grouped(&print))),
        "{text}"
    );
    assert!(
        text.contains(&format!("\ngpgkey_fingerprint={print}\n")),
        "{text}"
    );
    let page = curl(&["-f", &serving.url("/")]).ends(0).out;
    assert!(page.contains(&grouped(&print)), "{page}");
    let text = keys_fetched(&scene, &text);
    both_install(&scene, "http", &text);
    zypper_installs(&scene, &text);
    // Where somebody on the line has put in a key of his own, tdnf sees it.
    let other = Gpg::with_key(&scene.path("gnupg-other"), "other@example.com");
    fs::write(scene.path("pki/mirror-base-0.asc"), other.public()).unwrap();
    if let Some(run) = tdnf_runs(&scene, "changed", &text) {
        assert!(
            run.code != 0 && run.err.contains("is none that gpgkey_fingerprint names"),
            "{run:?}"
        );
    }
}

#[test]
fn zypper_comes_in_by_a_login_in_the_address() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let scene = Scene::usual();
    let tokens = scene.write("tokens", format!("{TOKEN}\n"));
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    scene.config(&format!("gpgcheck = false\ntokens_file = {tokens:?}\n"));
    scene.sync();
    let serving = Serving::start(&scene);
    let url = serving
        .url("/base")
        .replace("://", &format!("://office:{TOKEN}@"));
    let section = format!("[m]\nname=m\nbaseurl={url}\nenabled=1\ngpgcheck=0\nrepo_gpgcheck=0\n");
    zypper_installs(&scene, &section);
}

#[test]
fn tdnf_and_dnf_take_it_and_its_keys_over_https() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let (scene, gpg) = signed("");
    let tokens = scene.write("tokens", format!("{TOKEN}\n"));
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    let authority = Authority::new(scene.path("ca"));
    authority.signs("server");
    let config = fs::read_to_string(scene.path("mirror.toml")).unwrap();
    scene.config_text(&format!(
        "{config}\n[serve]\ntls_cert = {:?}\ntls_key = {:?}\ntokens_file = {tokens:?}\n",
        authority.file("server.pem"),
        authority.file("server.key")
    ));
    let serving = Serving::start(&scene);
    let (ca, login) = (authority.file("ca.pem"), format!("office:{TOKEN}"));
    // Clients bring the login for the key, too, which is as locked as the repository.
    let key = serving.url("/keys/base-0.asc");
    assert_eq!(curl(&["-f", "--cacert", &ca, &key]).code, 22);
    let text = curl(&[
        "-f",
        "--cacert",
        &ca,
        "-u",
        &login,
        &serving.url("/mirror.repo"),
    ])
    .ends(0)
    .out;
    assert!(
        text.contains(&format!("gpgkey={}\n", serving.url("/keys/base-0.asc"))),
        "{text}"
    );
    assert!(text.contains(&grouped(&fingerprint(&gpg))), "{text}");
    both_install(&scene, "https", &format!("{text}sslcacert={ca}\n"));
}

/// Any web server hands out the same file where the configuration says how clients reach it.
#[test]
fn nginx_hands_out_the_same_file() {
    let Ok(free) = std::net::TcpListener::bind("127.0.0.1:0") else {
        return;
    };
    let port = free.local_addr().unwrap().port();
    drop(free);
    let (scene, gpg) = signed("");
    let page = fs::read_to_string(scene.public("index.html")).unwrap();
    assert!(
        page.contains("with mirror.url set in the configuration"),
        "{page}"
    );
    assert!(!scene.public("mirror.repo").exists());
    let config = fs::read_to_string(scene.path("mirror.toml")).unwrap();
    let url = format!("url = \"http://127.0.0.1:{port}/\"\n\n[repo.base]");
    scene.config_text(&config.replacen("[repo.base]", &url, 1));
    scene.run(&["sync"]).ends(3);
    let dir = scene.path("nginx");
    fs::create_dir_all(&dir).unwrap();
    let text = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log;\nevents {{}}\nhttp {{ access_log off;\n\
         client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};\n\
         server {{ listen 127.0.0.1:{port}; root {1}; }} }}\n",
        dir.display(),
        scene.path("mirror/public").display()
    );
    fs::write(dir.join("conf"), text).unwrap();
    let started = Command::new("nginx")
        .arg("-c")
        .arg(dir.join("conf"))
        .arg("-p")
        .arg(&dir)
        .spawn();
    let Ok(mut nginx) = started else {
        return testkit::fixtures::skipped("no nginx");
    };
    let file = format!("http://127.0.0.1:{port}/mirror.repo");
    let got = curl(&[
        "-f",
        "--retry",
        "20",
        "--retry-connrefused",
        "--retry-delay",
        "1",
        &file,
    ]);
    let text = keys_fetched(&scene, &got.ends(0).out);
    assert!(
        text.contains(&format!("\nbaseurl=http://127.0.0.1:{port}/base\n")),
        "{text}"
    );
    assert!(text.contains(&grouped(&fingerprint(&gpg))), "{text}");
    both_install(&scene, "static", &text);
    nginx.kill().unwrap();
    nginx.wait().unwrap();
}
