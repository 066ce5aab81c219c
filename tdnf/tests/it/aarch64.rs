//! An aarch64 root under qemu: packages made of Debian's arm64 packages, installed by the tdnf for aarch64.
//!
//! `TDNF_AARCH64_BINARY` is that tdnf; `./dev test` builds it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::program::{self, Run, ok};
use testkit::rpm::{self, Rpm};
use testkit::{emulated, fixtures, stage};

use crate::interop_lab::{DBPATH, FIVE, Site, program as host_tdnf, recipe_of, repo_section};

/// The tdnf for aarch64 where the caller has built one and this machine can run it.
fn binary() -> Option<String> {
    let Some(path) = std::env::var_os("TDNF_AARCH64_BINARY").map(PathBuf::from) else {
        fixtures::skipped("no TDNF_AARCH64_BINARY: ./dev build aarch64 makes one");
        return None;
    };
    let path = path.to_str().expect("a path in UTF-8").to_owned();
    emulated::runs(&[&path, "--version"]).then_some(path)
}

/// The repository, reached by way of `$basearch`, and an empty root.
fn site() -> Site {
    let repo = recipe_of("aarch64", &[&FIVE[..], &["rpm"]].concat());
    let site = Site::new("");
    std::os::unix::fs::symlink(&repo, site.path("aarch64")).unwrap();
    let url = format!("file://{}/$basearch", site.path("").display());
    site.write_repo("recipe", &repo_section("recipe", &url, &repo));
    site
}

fn run(binary: &str, site: &Site, words: &[&str]) -> Run {
    let root = site.root.path().to_str().unwrap();
    let before = [binary, "--installroot", root, "--releasever", "12"];
    program::run(&mut emulated::command(&[&before, words].concat()))
}

/// Name and architecture of each row of a plan.
fn planned(run: &Run) -> BTreeSet<(String, String)> {
    let json = run.json();
    let rows = json["Install"].as_array().unwrap();
    let field = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| (field(row, "Name"), field(row, "Arch")))
        .collect()
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| !line.starts_with("gpg-pubkey"))
        .map(str::to_owned)
        .collect()
}

const QUERY: &str = "%{NEVRA} %{OS}\n";

/// What rpm reads in the package files themselves.
fn of_files(repo: &Path) -> BTreeSet<String> {
    let files = rpm::packages_in(&repo.join("Packages"));
    let mut rpm = Rpm::of_files().command("rpm");
    lines(&ok(rpm
        .args(["-qp", "--nosignature", "--qf", QUERY])
        .args(files)))
}

#[test]
fn the_binary_is_static() {
    let Some(binary) = binary() else { return };
    let said = ok(Command::new("file").arg("-bL").arg(&binary));
    assert!(
        said.contains("ARM aarch64") && said.contains("static"),
        "{said}"
    );
    let said = ok(Command::new("readelf").args(["-dlW"]).arg(&binary));
    assert!(
        !said.contains("NEEDED") && !said.contains("INTERP"),
        "{said}"
    );
}

/// With scriptlets: ldconfig runs in the root, by the programs that arrive there.
#[test]
fn the_five_are_installed_and_run() {
    let Some(binary) = binary() else { return };
    let site = site();
    the_machine_or_forcearch_decides(&binary, &site);
    let names = [&FIVE[..], &["rpm"]].concat();
    let plan = [&["-j", "--assumeno", "install"], &names[..]].concat();
    let plan = planned(&run(&binary, &site, &plan));
    run(&binary, &site, &[&["install", "-y"], &names[..]].concat()).ok();
    let root = site.root.path().to_str().unwrap();
    let inside = |words: &[&str]| {
        let words = [&["chroot", root], words].concat();
        program::run(&mut emulated::command(&words))
    };
    let says = |words: &[&str]| inside(words).ok().text();
    assert!(site.root.join("etc/ld.so.cache").is_file());
    // It asks the kernel, too, over a kind of socket that qemu does not have, and ends with 1.
    let ipset = inside(&["ipset", "--version"]).text();
    assert!(ipset.starts_with("ipset v7"), "{ipset}");
    assert!(says(&["socat", "-V"]).contains("socat version 1."));
    assert!(says(&["ethtool", "--version"]).starts_with("ethtool version 6"));
    assert!(says(&["ebtables", "--version"]).starts_with("ebtables "));
    assert!(says(&["tar", "--version"]).starts_with("tar (GNU tar) 1."));
    // Each package of the plan as its file has it, by this machine's rpm and by the one in the root.
    let installed = lines(&site.rpm().ok(&["-qa", "--qf", QUERY]));
    // Debian's rpm looks in the home of the user unless told.
    let own_rpm = ["rpm", "--dbpath", DBPATH];
    let own = [&own_rpm[..], &["-qa", "--qf", QUERY]].concat();
    assert_eq!(lines(&says(&own)), installed);
    assert!(installed.is_subset(&of_files(&site.path("aarch64"))));
    assert!(installed.len() == plan.len() && plan.len() > 40, "{plan:?}");
    let fits = |line: &String| line.ends_with(".aarch64 linux") || line.ends_with(".noarch linux");
    assert!(installed.iter().all(fits), "{installed:?}");
    site.rpm().verify();
    says(&[&own_rpm[..], &["-Va"]].concat());
    // And taken away again.
    run(&binary, &site, &["erase", "-y", "socat"]).ok();
    assert!(!site.root.join("usr/bin/socat").exists());
    let installed = lines(&site.rpm().ok(&["-qa", "--qf", "%{NAME}\n"]));
    assert!(!installed.contains("socat") && installed.contains("ipset"));
}

/// Made by the tdnf of this machine, with scriptlets by qemu; without an emulator they are refused before anything comes.
#[test]
fn an_image_is_made_on_another_machine() {
    if binary().is_none() || cfg!(target_arch = "aarch64") {
        return;
    }
    let site = site();
    let path = |name: &str| site.path(name).display().to_string();
    let layout = format!("oci:{}", path("layout"));
    let root = site.root.path().to_str().unwrap();
    let host = host_tdnf().to_str().unwrap().to_owned();
    let start = [&*host, "--installroot", root, "--releasever", "12", "-y"];
    let image = ["image", "--arch", "aarch64", "-o", &layout, "tar", "socat"];
    if !Path::new("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists() {
        let mut alone = Command::new(&host);
        alone.args(&start[1..]).args(image);
        let run = program::run(&mut alone).failed();
        run.says(&["scriptlets of aarch64 do not run on this machine"]);
        run.says(&["install qemu-user"]);
        assert!(!site.root.join("var/cache/tdnf").exists());
    }
    let words = [&start[..], &image].concat();
    program::run(&mut emulated::command(&words)).ok();
    let bundle = path("bundle");
    let source = format!("{}:latest", path("layout"));
    ok(Command::new("umoci").args(["unpack", "--image", &source, &bundle]));
    let tree = format!("{bundle}/rootfs");
    let inside = ["chroot", &tree, "tar", "--version"];
    let said = program::run(&mut emulated::command(&inside)).ok().text();
    assert!(said.starts_with("tar (GNU tar) 1."), "{said}");
}

/// The machine's architecture, and what `--forcearch` makes of it.
fn the_machine_or_forcearch_decides(binary: &str, site: &Site) {
    let plan = [&["-j", "--assumeno", "install"], &FIVE[..]].concat();
    let own = planned(&run(binary, site, &plan));
    let arches: BTreeSet<&str> = own.iter().map(|(_, arch)| arch.as_str()).collect();
    assert_eq!(arches, BTreeSet::from(["aarch64", "noarch"]));
    // This machine's tdnf makes the same plan, told the architecture.
    let host = |words: &[&str]| {
        let words = [&["--releasever", "12"], words].concat();
        program::run(&mut stage::tdnf(&host_tdnf(), site.root.path(), &words))
    };
    let forced = host(&[&["--forcearch", "aarch64"], &plan[..]].concat());
    assert_eq!(planned(&forced), own);
    if cfg!(target_arch = "x86_64") {
        // $basearch is another one then.
        host(&plan).failed().says(&["x86_64"]);
        let forced = [&["--forcearch", "x86_64"], &plan[..]].concat();
        run(binary, site, &forced).failed().says(&["x86_64"]);
    }
}

/// A package file for another machine is refused.
#[test]
fn a_file_for_another_machine_is_refused() {
    let Some(binary) = binary() else { return };
    let site = Site::new("");
    let foreign = testkit::spec::Spec::new("foreign", "1")
        .target("i686")
        .files("");
    let foreign = foreign.build().display().to_string();
    assert!(foreign.ends_with(".i686.rpm"), "{foreign}");
    let words = ["install", "-y", "--nogpgcheck", foreign.as_str()];
    let refused = run(&binary, &site, &words).failed();
    refused.says(&["foreign"]);
}
