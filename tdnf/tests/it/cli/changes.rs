//! Commands that change the system. They need root, as tdnf does.

use std::fs;
use std::process::Stdio;

use testkit::fixtures::unprivileged;
use testkit::program;
use testkit::rpm::createrepo;

use super::{Site, plain};

fn site() -> Option<Site> {
    if unprivileged() {
        return None;
    }
    Some(Site::with(&[
        plain("alpha", "1.0"),
        plain("alpha", "2.0"),
        plain("beta", "1.0").lines("Requires: gamma"),
        plain("gamma", "1.0"),
        plain("delta", "1.0").lines("Requires: nothing-has-this"),
        plain("omega", "1.0").lines("Obsoletes: gamma < 2\nProvides: gamma = 2"),
    ]))
}

#[test]
fn install_takes_what_is_needed_and_erase_leaves_the_rest() {
    let Some(site) = site() else { return };
    let ran = site.run(&["-y", "install", "beta", "--exclude=omega"]).ok();
    let first = |heading: &str| {
        let table = ran.out.split_once(&format!("\n{heading}:\n"));
        table.and_then(|(_, rows)| rows.split(' ').next())
    };
    assert_eq!(first("Installing"), Some("beta"));
    assert_eq!(first("Installing dependencies"), Some("gamma"));
    assert!(
        ran.out.ends_with(
            "Testing transaction\nRunning transaction\nInstalling/Updating: gamma-1.0-1.noarch\n\
         Installing/Updating: beta-1.0-1.noarch\n"
        ),
        "{ran:?}"
    );
    assert_eq!(site.rpm_names(), ["beta-1.0", "gamma-1.0"]);
    assert_eq!(site.rpm(&["-Va"]), "");
    let again = site.run(&["-y", "install", "beta"]).ok();
    assert_eq!(
        again.err,
        "Package beta is already installed.\nNothing to do.\n"
    );
    let ran = site.run(&["-y", "erase", "beta"]).ok();
    assert!(
        ran.out
            .ends_with("Running transaction\nRemoving: beta-1.0-1.noarch\n"),
        "{ran:?}"
    );
    assert_eq!(site.rpm_names(), ["gamma-1.0"]);
    site.run(&["-y", "autoremove"]).ok();
    assert!(site.rpm_names().is_empty());
    assert_eq!(
        site.run(&["-y", "autoremove"]).ok().err,
        "every installed package was asked for or is needed by another one\nNothing to do.\n"
    );
}

#[test]
fn versions_go_up_and_down() {
    let Some(site) = site() else { return };
    site.run(&["-y", "install", "alpha=1.0"]).ok();
    assert_eq!(site.run(&["check-update"]).ok().out.lines().count(), 1);
    assert!(
        site.run(&["-y", "update", "alpha"])
            .ok()
            .out
            .contains("\nUpgrading:\nalpha ")
    );
    assert_eq!(site.rpm_names(), ["alpha-2.0"]);
    assert_eq!(
        site.run(&["-y", "update"]).ok().err,
        "nothing newer than what is installed is offered\nNothing to do.\n"
    );
    assert!(
        site.run(&["-y", "reinstall", "alpha"])
            .ok()
            .out
            .contains("\nReinstalling:\nalpha ")
    );
    assert!(
        site.run(&["-y", "downgrade", "alpha"])
            .ok()
            .out
            .contains("\nDowngrading:\nalpha ")
    );
    assert_eq!(site.rpm_names(), ["alpha-1.0"]);
    let ran = site.run(&["-y", "downgrade", "alpha"]).ok();
    assert_eq!(
        ran.err,
        "There is no downgrade path for alpha.\nNothing to do.\n"
    );
    site.run(&["-y", "update"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-2.0"]);
    assert_eq!(
        fs::read_to_string(site.path("root/opt/alpha")).unwrap(),
        "alpha 2.0\n"
    );
}

#[test]
fn what_obsoletes_a_package_takes_its_place() {
    let Some(site) = site() else { return };
    site.run(&["-y", "install", "gamma=1.0"]).ok();
    assert_eq!(site.rpm_names(), ["gamma-1.0"]);
    let ran = site.run(&["-y", "install", "omega"]).ok();
    assert!(ran.out.contains("\nObsoleting:\ngamma "), "{ran:?}");
    assert_eq!(site.rpm_names(), ["omega-1.0"]);
}

#[test]
fn the_question_is_asked_and_answered() {
    let Some(site) = site() else { return };
    let reason = "nobody answered (standard input is closed): give -y or --assumeno";
    for words in [&[][..], &["-j"], &["--json-version=2"]] {
        let ran = site.run(&[words, &["install", "gamma=1.0"]].concat());
        assert_eq!(ran.code, 9, "{ran:?}");
        assert!(ran.err.contains(reason), "{ran:?}");
        let has_reason = ran.out.contains(reason);
        assert_eq!(has_reason, words == ["--json-version=2"], "{ran:?}");
    }
    site.run(&["install", "gamma=1.0"])
        .fails(9, "Error(1033) : Invalid input.");
    site.run(&["--assumeno", "install", "alpha"])
        .fails(8, "Error(1032) : Operation aborted.");
    let json = site.run(&["-j", "--assumeno", "install", "alpha"]).ok().out;
    assert!(
        json.starts_with(r#"{"Install":[{"Name":"alpha","Arch":"noarch","Evr":"2.0-1","#),
        "{json}"
    );
    let ran = program::run_with(&mut site.command(&["install", "alpha"]), b"what\ny\n").ok();
    assert!(
        ran.out
            .contains("Is this ok [y/N]: Is this ok [y/N]: Testing transaction\n"),
        "{ran:?}"
    );
    assert_eq!(site.rpm_names(), ["alpha-2.0"]);
}

#[test]
fn what_cannot_be_done_says_why() {
    let Some(site) = site() else { return };
    site.run(&["-y", "install"]).fails(
        233,
        "Error(1001) : Package name expected but was not provided",
    );
    let ran = site
        .run(&["-y", "install", "nosuch"])
        .fails(243, "Error(1011) : No matching packages");
    assert!(
        ran.err
            .starts_with("nosuch package not found or not installed\n")
    );
    let ran = site
        .run(&["-y", "install", "delta"])
        .fails(21, "Error(1301) : Solv general runtime error");
    assert!(
        ran.err
            .starts_with("1. nothing provides nothing-has-this needed by delta-1.0-1.noarch\n"),
        "{ran:?}"
    );
    assert!(ran.err.contains("Found 1 problem(s) while resolving\n"));
    site.run(&["-y", "install", "--skip-broken", "delta", "alpha"])
        .ok();
    assert_eq!(site.rpm_names(), ["alpha-2.0"]);
    site.run(&["-y", "erase", "nosuch"])
        .fails(243, "Error(1011) : No matching packages");
    assert_eq!(
        site.run(&["-y", "erase", "beta"]).ok().err,
        "beta is not installed\nNothing to do.\n"
    );
}

#[test]
fn only_what_was_asked_for_happens() {
    let Some(site) = site() else { return };
    let ran = site.run(&["-y", "install", "--testonly", "alpha"]).ok();
    assert!(ran.out.ends_with("Testing transaction\n"), "{ran:?}");
    assert!(site.rpm_names().is_empty());
    let dir = site.path("dl").display().to_string();
    let words = [
        "-y",
        "install",
        "--downloadonly",
        "--downloaddir",
        &dir,
        "--exclude=omega",
        "beta",
    ];
    let ran = site.run(&words).ok();
    assert!(
        ran.out
            .ends_with("tdnf will only download packages needed for the transaction\n"),
        "{ran:?}"
    );
    let mut names: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["beta-1.0-1.noarch.rpm", "gamma-1.0-1.noarch.rpm"]);
    assert!(site.rpm_names().is_empty());
    let path = format!("{dir}/gamma-1.0-1.noarch.rpm");
    let ran = site.run(&["-y", "--nogpgcheck", "install", &path]).ok();
    assert!(ran.out.contains(" @cmdline "), "{ran:?}");
    assert_eq!(site.rpm_names(), ["gamma-1.0"]);
}

#[test]
fn decisions_of_the_administrator_stand() {
    let Some(site) = site() else { return };
    site.run(&["-y", "install", "alpha=1.0", "gamma=1.0"]).ok();
    site.write("protected.d/a.conf", "gamma\n");
    let ran = site.run(&["-y", "erase", "gamma"]);
    let line = "Error(1030) : The operation would result in removing a protected package.";
    assert!(
        ran.fails(6, line)
            .err
            .starts_with("package gamma is protected\n")
    );
    site.write("locks.d/a.conf", "alpha\n");
    let ran = site.run(&["-y", "install", "alpha=2.0"]);
    ran.fails(21, "Error(1301) : Solv general runtime error");
    let conf = site.path("tdnf.conf");
    assert_eq!(
        site.run(&["-y", "update", "--exclude", "al*,omega"])
            .ok()
            .err,
        format!(
            "nothing newer than what is installed is offered, apart from what is excluded \
             (--exclude, or excludepkgs of {})\nNothing to do.\n",
            conf.display()
        )
    );
    assert_eq!(site.rpm_names(), ["alpha-1.0", "gamma-1.0"]);
}

#[test]
fn a_package_that_is_not_the_one_of_the_metadata_is_refused() {
    let Some(site) = site() else { return };
    let target = site.path("repo/alpha-2.0-1.noarch.rpm");
    let good = fs::read(&target).unwrap();
    let mut bad = good.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    fs::write(&target, &bad).unwrap();
    site.run(&["-y", "install", "alpha"])
        .fails(248, "Error(1528) : File checksum does not match.");
    assert!(site.rpm_names().is_empty());
    // The right checksum of the wrong package: the index names beta's file alpha.
    fs::write(&target, &good).unwrap();
    site.run(&["-y", "install", "alpha"]).ok();
    createrepo::<&str>(&site.path("repo"), &[]);
}

#[test]
fn wrong_package() {
    let Some(site) = site() else { return };
    // The index says alpha 2.0 for the file of beta, with beta's true checksum and size.
    let repodata = site.path("repo/repodata");
    createrepo(&site.path("repo"), &["--simple-md-filenames"]);
    let script = "gunzip -k primary.xml.gz && sed -i 's|<name>beta</name>|<name>zeta</name>|' primary.xml \
                  && modifyrepo_c --remove primary . && \
                  modifyrepo_c --mdtype=primary --simple-md-filenames primary.xml .";
    let status = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(&repodata)
        .stdout(Stdio::null())
        .status()
        .expect("sh runs");
    assert!(status.success());
    let ran = site.run(&["-y", "install", "zeta", "--exclude=omega"]);
    assert_eq!(ran.code, 1472 % 256, "{ran:?}");
    assert!(
        ran.err
            .contains("it is beta-1.0-1.noarch, not zeta-1.0-1.noarch"),
        "{ran:?}"
    );
    assert!(site.rpm_names().is_empty());
}

/// A new root whose rpm says where it looks: the database is there and nowhere else, whatever empty one stood elsewhere.
#[test]
fn the_database_of_a_new_root_is_where_its_rpm_looks() {
    if unprivileged() {
        return;
    }
    let macros = |file: &str, value: &str| {
        let text = value.replace('%', "%%");
        plain("rpm-libs", "4.18").install(&format!(
            "mkdir -p %{{buildroot}}$(dirname {file}); echo '%%_dbpath {text}' >%{{buildroot}}{file}"
        )).files(file)
    };
    for (file, value, dir) in [
        (
            "/usr/lib/rpm/macros",
            "%{_usr}/lib/sysimage/rpm",
            "usr/lib/sysimage/rpm",
        ),
        ("/etc/rpm/macros.site", "/opt/site db", "opt/site db"),
    ] {
        let site = Site::with(&[macros(file, value), plain("beta", "1.0")]);
        let old = site.root.join("var/lib/rpm");
        fs::create_dir_all(&old).unwrap();
        testkit::rpm::Rpm::on_db(&old).program_ok("rpmdb", &["--initdb"]);
        site.run(&["-y", "install", "rpm-libs", "beta"]).ok();
        let dir_name = dir;
        let dir = site.root.join(dir);
        let names = testkit::rpm::Rpm::on_db(&dir).ok(&["-qa", "--qf", "%{NAME}\n"]);
        let mut names: Vec<&str> = names.lines().collect();
        names.sort_unstable();
        assert_eq!(names, ["beta", "rpm-libs"], "{value}");
        assert_eq!(testkit::rpm::Rpm::on_db(&old).ok(&["-qa"]), "");
        let listed = site.run(&["list", "installed"]).ok().out;
        assert!(listed.contains("beta.noarch"), "{listed}");
        site.run(&["-y", "erase", "beta"]).ok();
        assert_eq!(testkit::rpm::Rpm::on_db(&dir).all().len(), 1);
        // The same in two steps: what is there already goes along.
        let site = Site::with(&[macros(file, value), plain("beta", "1.0")]);
        site.run(&["-y", "install", "beta"]).ok();
        assert_eq!(site.rpm_names(), ["beta-1.0"]);
        let said = site.run(&["-y", "install", "rpm-libs"]).ok();
        said.says(&[
            "The rpm database is now in",
            "where the rpm of this root looks",
        ]);
        let dir = site.root.join(dir_name);
        assert_eq!(testkit::rpm::Rpm::on_db(&dir).all().len(), 2);
        assert!(!site.root.join("var/lib/rpm/rpmdb.sqlite").exists());
        let listed = site.run(&["list", "installed"]).ok().out;
        assert!(listed.contains("beta.noarch"), "{listed}");
        let said = site.run(&["-y", "erase", "beta"]).ok();
        assert!(!said.out.contains("now in"), "{said:?}");
        assert_eq!(testkit::rpm::Rpm::on_db(&dir).all().len(), 1);
        assert_eq!(testkit::rpm::Rpm::on_db(&old).ok(&["-qa"]), "");
    }
}
