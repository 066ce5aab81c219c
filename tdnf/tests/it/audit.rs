//! `check-installed`: what a real rpm that was killed leaves, found and put right.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use testkit::program::{self, ok};
use testkit::spec::Spec;

use crate::interop_lab::{Site, shell_site, unprivileged};

fn package(version: &str) -> PathBuf {
    Spec::new("torn", version)
        .install(&format!(
            "mkdir -p %{{buildroot}}/opt/torn/only-{version}\ncd %{{buildroot}}/opt/torn\n\
             echo {version} > both\necho {version} > other\necho {version} > only-{version}/x\n\
             echo {version} > conf"
        ))
        .script(
            "post",
            "[ ! -p /pipe ] || { : > /seen; read word < /pipe; }",
        )
        .script("preun", &format!("echo preun {version} >> /log"))
        .files("%config(noreplace) /opt/torn/conf\n/opt/torn/both\n/opt/torn/other")
        .files(&format!("/opt/torn/only-{version}"))
        .build()
}

fn site() -> Site {
    shell_site(&[package("1"), package("2")])
}

fn rpm(site: &Site, words: &[&str]) -> String {
    let words = [&["--nosignature"], words].concat();
    site.rpm().ok(&words)
}

fn file(site: &Site, version: &str) -> String {
    let name = format!("test/torn-{version}-1.noarch.rpm");
    let path = site.www().join(name);
    path.into_os_string().into_string().unwrap()
}

/// rpm is killed in the %post of the new version: both are in the database, and rpm refuses to
/// try again.
#[test]
fn a_killed_upgrade_is_finished() {
    if unprivileged() {
        return;
    }
    let site = site();
    let (one, two) = (file(&site, "1"), file(&site, "2"));
    rpm(&site, &["-i", &one]);
    assert!(site.ok(&["check-installed"]).contains("is intact"));
    site.root.write("opt/torn/conf", "edited\n");
    ok(Command::new("mkfifo").arg(site.root.join("pipe")));
    let mut child = site
        .rpm()
        .command("rpm")
        .args(["--nosignature", "-U", &two])
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !site.root.join("seen").exists() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "the scriptlet did not begin"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // The scriptlet outlives rpm; let it end.
    fs::write(site.root.join("pipe"), "go\n").unwrap();
    fs::remove_file(site.root.join("pipe")).unwrap();
    assert_eq!(
        rpm(&site, &["-q", "torn"]).lines().count(),
        2,
        "rpm left both"
    );
    let again = site.rpm().run(&["--nosignature", "-U", &two]);
    assert!(!again.success(), "rpm refuses to try again");
    let output = site.run(&["check-installed"]);
    let said = output.out;
    assert_eq!(output.code, 1, "{said}");
    let line = "torn-1-1.noarch is still listed, although torn-2-1.noarch replaced it";
    assert!(said.contains(line), "{said}");
    assert_eq!(
        rpm(&site, &["-q", "torn"]).lines().count(),
        2,
        "nothing changes without --repair"
    );
    let said = site.ok(&["-y", "check-installed", "--repair"]);
    assert!(said.contains(line), "{said}");
    assert_eq!(rpm(&site, &["-q", "torn"]), "torn-2-1.noarch\n");
    assert!(!site.root.join("opt/torn/only-1").exists());
    assert_eq!(site.root.read("opt/torn/only-2/x"), "2\n");
    assert_eq!(
        site.root.read("opt/torn/conf"),
        "edited\n",
        "the admin's file stays"
    );
    assert!(!site.root.join("log").exists(), "no scriptlet runs");
    assert!(site.ok(&["check-installed"]).contains("is intact"));
    site.rpm().program_ok("rpmdb", &["--verifydb"]);
    let said = site.ok(&["history", "list"]);
    assert!(!said.is_empty());
}

/// rpm is killed at its first rename: temporary files stand beside the old ones for ever.
#[test]
fn temporary_files_of_a_killed_rpm_go() {
    if unprivileged() {
        return;
    }
    let site = site();
    let (one, two) = (file(&site, "1"), file(&site, "2"));
    rpm(&site, &["-i", &one]);
    let killed = program::run(
        Command::new("strace")
            .args([
                "-f",
                "-o",
                "/dev/null",
                "-e",
                "trace=renameat,renameat2,rename",
            ])
            .args([
                "-e",
                "inject=renameat,renameat2,rename:signal=KILL:when=1",
                "rpm",
            ])
            .args(site.rpm().command("rpm").get_args())
            .args(["--nosignature", "-U", &two]),
    );
    assert!(!killed.success(), "strace killed rpm");
    let left = || {
        let names = fs::read_dir(site.root.join("opt/torn")).unwrap().flatten();
        let names = names.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.contains(';')).collect::<Vec<_>>()
    };
    assert!(!left().is_empty(), "rpm left temporary files");
    // Names that only look alike are somebody's own.
    site.root.write("opt/torn/mine;12345678", "mine");
    let output = site.run(&["check-installed"]);
    let said = output.out;
    assert_eq!(output.code, 1, "{said}");
    assert!(
        said.contains("/opt/torn/both;") && said.contains("was left by an interrupted rpm"),
        "{said}"
    );
    assert!(!said.contains("mine;"), "{said}");
    let json = site.run(&["-j", "check-installed"]);
    let json: serde_json::Value = json.json();
    assert!(json[0]["Leftover"]["path"].is_string(), "{json}");
    let _ = site.run(&["-y", "check-installed", "--repair"]);
    assert_eq!(left(), ["mine;12345678"]);
    assert_eq!(site.root.read("opt/torn/both"), "1\n");
    site.ok(&["update", "-y"]);
    assert_eq!(rpm(&site, &["-q", "torn"]), "torn-2-1.noarch\n");
}

/// Files of a package are gone or foreign: only a fresh copy helps, and that is said.
#[test]
fn missing_and_foreign_files_are_named() {
    if unprivileged() {
        return;
    }
    let site = site();
    rpm(&site, &["-i", &file(&site, "1")]);
    fs::remove_file(site.root.join("opt/torn/other")).unwrap();
    site.root.write("opt/torn/both", "foreign\n");
    site.root.write("opt/torn/conf", "edited\n");
    let output = site.run(&["-y", "check-installed", "--repair"]);
    let said = output.text();
    assert_eq!(output.code, 1, "{said}");
    assert!(
        said.contains("torn-1-1.noarch: 1 files are missing and 1 are not the package's"),
        "{said}"
    );
    assert!(
        said.contains("`tdnf --installroot=") && said.contains(" reinstall torn` restores"),
        "{said}"
    );
    site.ok(&["reinstall", "-y", "torn"]);
    assert!(site.ok(&["check-installed"]).contains("is intact"));
    assert_eq!(site.root.read("opt/torn/conf"), "edited\n");
}
