//! The help of commands.

use std::fs;

use testkit::fixtures::unprivileged;

use super::{Site, bare, plain};

#[test]
fn every_command_has_its_own_help() {
    for command in tdnf::commands::ALL {
        let usage = format!("Usage: tdnf [options] {}", command.name);
        for words in [
            &[command.name, "--help"][..],
            &["help", command.name],
            &["-h", command.name],
        ] {
            let ran = bare(words).ok();
            assert!(ran.out.contains(&usage), "{words:?}: {}", ran.out);
            assert!(ran.out.contains(command.about), "{words:?}: {}", ran.out);
        }
        for alias in command.aliases {
            assert!(
                bare(&[alias, "--help"]).ok().out.contains(&usage),
                "{alias}"
            );
        }
    }
}

/// The help of a command is short, tells of no option of another one, and its example works.
#[test]
fn the_help_of_a_command_is_short_and_its_example_works() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("nginx", "1.0"), plain("nginx", "2.0")]);
    let section = site.repo_text("gpgcheck=0").replace("[test]", "[photon]");
    site.write("repos.d/test.repo", &section);
    site.run(&["-y", "install", "nginx=1.0"]).ok();
    let file = "nginx-2.0-1.noarch.rpm";
    fs::create_dir(site.path("packages")).expect("ours");
    fs::copy(
        site.path("repo").join(file),
        site.path("packages").join(file),
    )
    .expect("ours");
    let packages = site.path("packages").display().to_string();
    let target = site.path("copy").display().to_string();
    for command in tdnf::commands::ALL {
        let name = command.name;
        let help = bare(&[name, "--help"]).ok().out;
        // Images have more to say of themselves.
        let most = if name == "image" { 74 } else { 60 };
        assert!(help.lines().count() <= most, "{help}");
        assert!(
            help.contains(&format!("\n  tdnf {}\n", command.example)),
            "{help}"
        );
        let has = |option: &str| help.contains(option);
        assert_eq!(has("--newest-only"), name == "reposync", "{help}");
        assert_eq!(has("--whatprovides"), name == "repoquery", "{help}");
        let line = command.example.replace('\'', "");
        let line = line.replace("/srv/packages", &packages);
        let line = line.replace("/srv/mirror", &target);
        let words: Vec<&str> = line.split(' ').chain(["--assumeno"]).collect();
        let ran = site.run(&words);
        let asked = ran.code == 8 && ran.err.contains("Error(1032)");
        let done = ran.code == 0 && !ran.err.contains("Error");
        assert!(asked || done, "tdnf {line}: {ran:?}");
    }
    assert!(site.path("copy/photon/nginx-2.0-1.noarch.rpm").is_file());
    assert!(!site.path("copy/photon/nginx-1.0-1.noarch.rpm").exists());
    assert_eq!(site.rpm_names(), ["nginx-1.0"]);
}
