//! The static binary: it needs no library, and an otherwise empty root is enough for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::fixtures::shipped_conf;
use testkit::program::{self, ok};
use testkit::rpm::Rpm;
use testkit::spec::Spec;
use testkit::stage::Stage;

use testkit::root::Sandbox;
use testkit::server::Server;

use crate::interop_lab::{FIVE, Nginx, program, recipe, repo_section, small, unprivileged};

/// The release binary where the caller has built one, else the one under test.
fn binary() -> PathBuf {
    std::env::var_os("TDNF_RELEASE_BINARY").map_or_else(program, PathBuf::from)
}

#[test]
fn file_ldd_and_readelf_call_it_static() {
    let said = ok(Command::new("file").arg("-L").arg(binary()));
    assert!(
        said.contains("static-pie linked") || said.contains("statically linked"),
        "{said}"
    );
    let ldd = program::run(Command::new("ldd").arg(binary()));
    let said = ldd.text();
    assert!(
        said.contains("statically linked") || said.contains("not a dynamic executable"),
        "{said}"
    );
    let said = ok(Command::new("readelf").args(["-dlW"]).arg(binary()));
    assert!(
        !said.contains("NEEDED") && !said.contains("INTERP"),
        "{said}"
    );
}

/// A root that holds the binary, /etc/tdnf, a `.repo` file, the key and a CA file, nothing else.
fn bare(section: &str, key: &Path) -> Sandbox {
    let root = Sandbox::empty();
    fs::copy(binary(), root.join("tdnf")).unwrap();
    root.write("etc/tdnf/tdnf.conf", shipped_conf());
    root.write("etc/yum.repos.d/recipe.repo", section);
    root.write("etc/pki/rpm-gpg/RPM-GPG-KEY-recipe", fs::read(key).unwrap());
    // Any set of roots will do: no server here speaks TLS.
    let bundle = Path::new("/etc/ssl/certs/ca-certificates.crt");
    if bundle.exists() {
        root.write(
            "etc/ssl/certs/ca-certificates.crt",
            fs::read(bundle).unwrap(),
        );
    }
    root
}

fn section(url: &str) -> String {
    repo_section("recipe", url, Path::new("/etc/pki/rpm-gpg"))
}

#[test]
fn installs_from_within_an_otherwise_empty_root() {
    if unprivileged() {
        return;
    }
    let nginx = Nginx::start(&recipe());
    let root = bare(&section(&nginx.url), &recipe().join("RPM-GPG-KEY-recipe"));
    let words = ["/tdnf", "--releasever", "12", "install", "-y"];
    root.chroot(&[&words[..], &FIVE[..]].concat());
    for words in [
        ["tar", "--version"],
        ["ipset", "--version"],
        ["socat", "-V"],
    ] {
        root.chroot(&words);
    }
    let rpm = Rpm::on_root(root.path());
    rpm.verify();
    assert!(rpm.all().len() > 20);
    // ldconfig ran in it.
    assert!(root.join("etc/ld.so.cache").is_file());
    let listed = root.chroot(&["/tdnf", "--releasever", "12", "list", "installed"]);
    assert_eq!(
        listed.lines().filter(|l| l.contains("@System")).count(),
        rpm.all().len() + usize::from(listed.contains("gpg-pubkey"))
    );
}

/// The shell that scriptlets need comes in the same transaction.
#[test]
fn scriptlets_run_with_the_shell_that_arrives() {
    if unprivileged() {
        return;
    }
    let repo = small().join("repo");
    let greets = Spec::new("greets", "1")
        .script("pre", "echo greets pre $1 >> /var/log/small.log")
        .script("post", "echo greets post $1 >> /var/log/small.log")
        .files("");
    let more = Stage::serving("www");
    more.publish_files("more", &[greets.build()]);
    let server = Server::start(&repo);
    let sections = format!(
        "{}\n[more]\nname=more\nbaseurl={}\nenabled=1\ngpgcheck=0\nrepo_gpgcheck=0\n",
        section(&server.url("/")),
        more.server.url("/more")
    );
    let root = bare(&sections, &repo.join("RPM-GPG-KEY-recipe"));
    let tdnf = |words: &[&str]| {
        root.chroot(&[&["/tdnf", "--releasever", "12"], words, &["-y"]].concat());
    };
    tdnf(&["install", "tiny-shell", "greets", "logged-lua-1-1"]);
    tdnf(&["install", "logged-1-1"]);
    tdnf(&["update"]);
    tdnf(&["erase", "logged"]);
    let log = root.read("var/log/small.log");
    for line in [
        "greets pre 1",
        "greets post 1",
        "logged-lua-1 pretrans 1",
        "logged-1 posttrans 1",
        "logged-3 pre 2",
        "logged-3 postun 0",
    ] {
        assert!(log.lines().any(|l| l == line), "{line} is not in\n{log}");
    }
}
