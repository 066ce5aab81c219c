//! Man pages, completion and the command that installs them.

#[path = "../../examples/tdnf-man/formats.rs"]
mod formats;
#[path = "../../examples/tdnf-man/pages.rs"]
mod pages;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cli::{Site, plain};

/// The pages of files name every key that is read, and none else.
#[test]
fn pages_of_files_name_every_key() {
    for (name, known) in [
        ("tdnf.conf", rpm_repo::config::MAIN_KEYS),
        ("tdnf.repo", rpm_repo::config::REPO_KEYS),
    ] {
        let format = formats::ALL
            .iter()
            .find(|format| format.name == name)
            .expect("it has a page");
        let told: BTreeSet<&str> = format.keys.iter().map(|(key, ..)| *key).collect();
        assert_eq!(told, known.iter().copied().collect(), "{name}");
    }
}

/// groff formats every page without a word of warning, and each option of the table is in them.
#[test]
fn man_pages_are_good() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let files = pages::write(dir.path()).expect("pages can be written");
    assert!(files.len() > 30, "{}", files.len());
    for command in tdnf::commands::ALL {
        let names = std::iter::once(&command.name).chain(command.aliases);
        for name in names {
            assert!(
                dir.path().join(format!("tdnf-{name}.8")).is_file(),
                "{name}"
            );
        }
    }
    let tool = fs::read_to_string(dir.path().join("tdnf.8")).expect("written");
    for option in tdnf::args::OPTIONS
        .iter()
        .filter(|o| o.group != tdnf::args::Group::Ignored)
    {
        let long = option.long.replace('-', "\\-");
        assert!(
            tool.contains(&format!("\\-\\-{long}")),
            "{long} is not in tdnf.8"
        );
    }
    for file in files {
        let text = fs::read_to_string(&file).expect("written");
        if text.starts_with(".so ") {
            continue;
        }
        let output = Command::new("groff")
            .args(["-man", "-ww", "-Tutf8", "-z"])
            .arg(&file)
            .output()
            .expect("groff runs");
        assert!(output.status.success(), "{}", file.display());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.is_empty(), "{}: {said}", file.display());
    }
}

/// Everything that the install command puts below a directory.
#[test]
fn install_puts_everything_in_place() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let pages_dir = dir.path().join("pages");
    pages::write(&pages_dir).expect("pages can be written");
    let destination = dir.path().join("dest");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let install = || {
        let output = Command::new("bash")
            .arg(root.join("dev"))
            .arg("install")
            .arg(format!("DESTDIR={}", destination.display()))
            .env("TDNF_BINARY", env!("CARGO_BIN_EXE_tdnf"))
            .env("TDNF_MAN_PAGES", &pages_dir)
            .output()
            .expect("bash runs");
        assert!(output.status.success(), "{output:?}");
    };
    install();
    let has = |name: &str| destination.join(name).symlink_metadata().is_ok();
    for name in [
        "usr/bin/tdnf",
        "usr/bin/yum",
        "usr/bin/tyum",
        "usr/bin/tdnfj",
        "usr/bin/tdnf-config",
        "usr/bin/tdnf-automatic",
        "usr/bin/tdnf-cache-updateinfo",
        "usr/lib/tdnf/tdnf-history-util",
        "usr/share/man/man8/tdnf.8",
        "usr/share/man/man8/tdnf-install.8",
        "usr/share/man/man5/tdnf.conf.5",
        "usr/share/bash-completion/completions/tdnf",
        "usr/share/zsh/site-functions/_tdnf",
        "usr/share/fish/vendor_completions.d/tdnf.fish",
        "usr/lib/systemd/system/tdnf-automatic.timer",
        "etc/tdnf/tdnf.conf",
        "etc/tdnf/automatic.conf",
        "etc/tdnf/pluginconf.d/tdnfmetalink.conf",
        "etc/motdgen.d/02-tdnf-updateinfo.sh",
    ] {
        assert!(has(name), "{name} is missing");
    }
    let history = destination.join("usr/lib/tdnf/tdnf-history-util");
    assert!(history.exists(), "the link leads to the program");
    // What the administrator wrote stays.
    let conf = destination.join("etc/tdnf/tdnf.conf");
    fs::write(&conf, "[main]\n# mine\n").expect("ours");
    install();
    assert_eq!(
        fs::read_to_string(&conf).expect("it is there"),
        "[main]\n# mine\n"
    );
}

/// Candidates that a real bash gets for a line.
fn bash(site: &Site, line: &str) -> Vec<String> {
    let bin = site.path("bin");
    fs::create_dir_all(&bin).expect("ours");
    let link = bin.join("tdnf");
    let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tdnf"), &link);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf/completions/tdnf.bash");
    let script = r#"
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2}
        _tdnf
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let options = format!(
        "tdnf -c {} --installroot {} ",
        site.path("tdnf.conf").display(),
        site.path("root").display()
    );
    let line = line.replacen("tdnf ", &options, 1);
    let output = Command::new("bash")
        .args(["--norc", "-c", script, "bash"])
        .arg(file)
        .arg(line)
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .output()
        .expect("bash runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn completion_in_a_real_bash() {
    let site = Site::with(&[
        plain("alpha", "1.0"),
        plain("alphabet", "1.0"),
        plain("beta", "1.0"),
    ]);
    site.run(&["makecache"]).well();
    assert_eq!(bash(&site, "tdnf instal"), ["install"]);
    assert_eq!(
        bash(&site, "tdnf up"),
        ["update", "upgrade", "update-to", "upgrade-to", "updateinfo"]
    );
    assert_eq!(bash(&site, "tdnf install alp"), ["alpha", "alphabet"]);
    assert_eq!(bash(&site, "tdnf -y install alpha be"), ["beta"]);
    assert_eq!(bash(&site, "tdnf clean exp"), ["expire-cache"]);
    assert_eq!(bash(&site, "tdnf --enabler"), ["--enablerepo="]);
    assert_eq!(bash(&site, "tdnf --enablerepo=te"), ["test"]);
    assert_eq!(bash(&site, "tdnf --enablerepo te"), ["test"]);
    assert_eq!(bash(&site, "tdnf mark "), ["install", "remove"]);
    assert!(
        bash(&site, "tdnf erase alp").is_empty(),
        "nothing is installed"
    );
    assert!(
        bash(&site, "tdnf install /no").is_empty(),
        "a file is left to the shell"
    );
}

/// Candidates come from the cache alone: nobody is asked, and nothing is said.
#[test]
fn completion_never_asks_a_server() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    assert!(
        bash(&site, "tdnf install alp").is_empty(),
        "there is no cache yet"
    );
    assert!(
        !site.path("root/var/cache/tdnf").exists(),
        "and none was made"
    );
}
