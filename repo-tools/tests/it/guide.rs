//! What users read: help, man pages, the guide.

use std::fs;
use std::process::Command;

use testkit::words::{check_help, completed_by_bash, write_manual};

use crate::lab::ok;
use testkit::program::Run;

/// Every option that is not hidden says what it does, and stands in the help and in the man page.
#[test]
fn every_option_is_in_help_and_man_page() {
    let dir = tempfile::tempdir().unwrap();
    let mut parser = repo_tools::parser();
    parser.build();
    write_manual(&repo_tools::parser(), dir.path()).unwrap();
    let commands: Vec<_> = parser.get_subcommands().collect();
    assert!(commands.len() >= 8);
    for command in commands
        .iter()
        .filter(|command| command.get_name() != "help")
    {
        let name = command.get_name();
        let help = ok(&[name, "--help"]);
        let page = dir.path().join(format!("repo-tools-{name}.1"));
        let page = fs::read_to_string(&page).unwrap_or_else(|e| panic!("{name}: {e}"));
        let plain = page.replace("\\-", "-");
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let id = arg.get_id();
            assert!(arg.get_help().is_some(), "{name} {id} says nothing");
            if let Some(long) = arg.get_long() {
                let option = format!("--{long}");
                assert!(help.contains(&option), "{name} --help lacks {option}");
                assert!(plain.contains(&option), "the page of {name} lacks {option}");
            }
        }
        assert!(
            help.contains("Exit codes") && plain.contains("Exit codes"),
            "{name}"
        );
    }
}

#[test]
fn every_command_has_its_own_help_with_an_example() {
    let commands = check_help(repo_tools::parser());
    assert!(commands >= 7, "{commands} commands");
    let help = ok(&["help", "prune"]);
    assert!(help.contains("Usage: repo-tools prune [OPTIONS]"), "{help}");
    assert!(
        help.contains("--keep") && help.contains("\nExample: "),
        "{help}"
    );
    assert_eq!(help, ok(&["prune", "--help"]));
}

#[test]
fn completion_in_a_real_bash() {
    let dir = tempfile::tempdir().unwrap();
    write_manual(&repo_tools::parser(), dir.path()).unwrap();
    let offered = |line: &str| completed_by_bash(dir.path(), line);
    assert_eq!(offered("repo-tools crea"), ["createrepo"]);
    assert_eq!(
        offered("repo-tools createrepo --retain"),
        ["--retain-old-md", concat!("--retain-old-md", "-by-age")]
    );
    assert_eq!(
        offered("repo-tools query --what"),
        ["--whatprovides", "--whatrequires"]
    );
    assert_eq!(offered("repo-tools -q prune --keep-f"), ["--keep-files"]);
    assert_eq!(offered("repo-tools createrepo --outputdir /et"), ["/etc"]);
}

/// A reader of man pages finds nothing wrong in them.
#[test]
fn man_pages_are_read_without_complaint() {
    if Command::new("mandoc").arg("-l").output().is_err() {
        return testkit::fixtures::skipped("no mandoc");
    }
    let dir = tempfile::tempdir().unwrap();
    write_manual(&repo_tools::parser(), dir.path()).unwrap();
    let files = fs::read_dir(dir.path()).unwrap().flatten();
    let pages: Vec<_> = files
        .filter(|file| file.path().extension() == Some("1".as_ref()))
        .collect();
    assert!(pages.len() >= 9);
    for page in pages {
        let output = Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .arg(page.path())
            .output()
            .unwrap();
        let Run { out, err, .. } = Run::of(output);
        // Dates, sections and the order of headings are a matter of taste.
        let errors: Vec<_> = out.lines().filter(|line| line.contains("ERROR")).collect();
        assert!(
            errors.is_empty(),
            "{}: {errors:#?}{err}",
            page.path().display()
        );
    }
}

/// Every line of the guide's examples runs as it stands there.
#[cfg(feature = "sign")]
#[test]
fn the_guide_s_examples_run() {
    use crate::lab::packages;
    use rpm_trust::sign::{KeyAlgorithm, NewKey, SigningKey};
    use std::path::Path;
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/repo-tools.md");
    let guide = fs::read_to_string(guide).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_repo-tools"), bin.join("repo-tools")).unwrap();
    for (folder, releases) in [("repo", &["1", "2"][..]), ("other", &["3", "4"])] {
        fs::create_dir(dir.path().join(folder)).unwrap();
        for package in releases.iter().flat_map(|release| packages(release)) {
            let to = dir.path().join(folder).join(package.file_name().unwrap());
            fs::copy(&package, to).unwrap();
        }
    }
    let key = SigningKey::generate(&NewKey {
        user_id: "Example <sign@example.org>",
        algorithm: KeyAlgorithm::Rsa2048,
        created: 1_700_000_000,
        lifetime: None,
        signing_subkey: false,
    });
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("sign.key", &key.unwrap().private_armored().unwrap());
    write(
        "comps.xml",
        "<comps><group><id>g</id><name>G</name></group></comps>\n",
    );
    write("updateinfo.xml", "<updates/>\n");
    write("productid", "anything\n");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut lines = 0;
    let blocks = guide.split("```sh\n").skip(1);
    for line in blocks.flat_map(|block| block.split("```").next().unwrap_or("").lines()) {
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(dir.path())
            .env("PATH", &path)
            .output()
            .unwrap();
        let Run { code, out, err, .. } = Run::of(output);
        assert_eq!(code, 0, "{line}\n{out}{err}");
        lines += 1;
    }
    assert!(lines >= 15, "{lines} lines");
    assert!(dir.path().join("other/repodata/repomd.xml.asc").exists());
}
