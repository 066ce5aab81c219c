//! The companion programs: links to the one binary.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use testkit::fixtures::unprivileged;

use super::{Run, Site, conf_dir, plain};

impl Site {
    /// A link to the binary under another name.
    pub(crate) fn link(&self, name: &str) -> PathBuf {
        let path = self.path(&format!("bin/{name}"));
        if !path.exists() {
            fs::create_dir_all(self.path("bin")).unwrap();
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tdnf"), &path).unwrap();
        }
        path
    }

    /// Runs the binary by another name, with these words alone.
    pub(crate) fn program(&self, name: &str, words: &[&str]) -> Run {
        let output = Command::new(self.link(name))
            .args(words)
            .env_clear()
            .stdin(Stdio::null())
            .current_dir(self.path(""))
            .output()
            .expect("the link runs");
        Run::of(output)
    }

    fn places(&self) -> [String; 4] {
        let conf = self.path("tdnf.conf").display().to_string();
        let root = self.path("root").display().to_string();
        ["-c".into(), conf, "--installroot".into(), root]
    }
}

#[test]
fn other_names_of_tdnf() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let places = site.places();
    let mut words: Vec<&str> = places.iter().map(String::as_str).collect();
    words.extend(["-q", "list", "alpha"]);
    let line = site.program("tdnf", &words).ok().out;
    assert!(line.starts_with("alpha.noarch"), "{line}");
    for name in ["yum", "tyum"] {
        assert_eq!(site.program(name, &words).ok().out, line, "{name}");
    }
    assert_eq!(
        site.program("tdnfj", &words).ok().out,
        r#"[{"Name":"alpha","Arch":"noarch","Evr":"1.0-1","Repo":"test"}]"#
    );
}

#[test]
fn tdnf_config_reads_and_changes() {
    let site = Site::with(&[]);
    let text = "# about\n[one]\nname=One\n#metalink=x\nbaseurl=http://a/\n  http://b/\nenabled=1\n\n[two]\nname=Two\n";
    site.write("repos.d/both.repo", text);
    let conf = site.path("tdnf.conf").display().to_string();
    let config = |words: &[&str]| site.program("tdnf-config", &[&["-c", &conf], words].concat());
    assert_eq!(
        config(&["dump", "one"]).ok().out,
        "[one]\nname = One\n#metalink=x\nbaseurl = http://a/ http://b/\nenabled = 1\n\n"
    );
    assert_eq!(
        config(&["-j", "dump", "one"]).ok().out,
        r##"{"one":{".comment":"#metalink=x","baseurl":"http://a/ http://b/","enabled":"1","name":"One"}}"##
    );
    assert_eq!(config(&["get", "one", "name"]).ok().out, "One\n");
    let cache = config(&["get", "main", "cachedir"]).ok().out;
    assert_eq!(cache, "/var/cache/tdnf\n");
    config(&["get", "main", "nosuch"]).fails(4, "'nosuch' not found in 'main'");
    // A repository of its own.
    config(&[
        "create",
        "foo",
        "name=Foo",
        "baseurl=http://foo.bar",
        "enabled=0",
    ])
    .ok();
    let made = fs::read_to_string(site.path("repos.d/foo.repo")).unwrap();
    assert_eq!(
        made,
        "[foo]\nname = Foo\nbaseurl = http://foo.bar\nenabled = 0\n"
    );
    config(&["create", "foo", "name=Foo"]).fails(5, "repo 'foo' already exists");
    config(&["edit", "foo", "enabled=1", "gpgcheck=0"]).ok();
    let made = fs::read_to_string(site.path("repos.d/foo.repo")).unwrap();
    assert_eq!(
        made,
        "[foo]\nname = Foo\nbaseurl = http://foo.bar\nenabled = 1\ngpgcheck = 0\n"
    );
    // tdnf itself sees it.
    let listed = site.run(&["-j", "repolist"]).ok().out;
    assert!(
        listed.contains(r#"{"Repo":"foo","RepoName":"Foo","Enabled":true}"#),
        "{listed}"
    );
    config(&["remove", "foo", "gpgcheck"]).ok();
    config(&["remove", "foo", "gpgcheck"]).fails(4, "'gpgcheck' not found in 'foo'");
    config(&["removerepo", "foo"]).ok();
    assert!(!site.path("repos.d/foo.repo").exists());
    config(&["removerepo", "foo"]).fails(3, "repo 'foo' not found");
    // A file keeps its other section, its comments and its mode.
    let secret = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(site.path("repos.d/both.repo"), secret).unwrap();
    config(&["removerepo", "one"]).ok();
    let left = fs::read_to_string(site.path("repos.d/both.repo")).unwrap();
    assert_eq!(left, "# about\n[two]\nname = Two\n");
    let mode = fs::metadata(site.path("repos.d/both.repo"))
        .unwrap()
        .permissions();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
        0o600
    );
    // Nothing gets out of the folder, and no line breaks into a file.
    for id in ["../evil", "a]b", "", ".hidden", "a b"] {
        assert_eq!(config(&["create", id, "name=x"]).code, 1, "{id}");
    }
    assert_eq!(config(&["edit", "two", "name=x\n[main]"]).code, 1);
    assert_eq!(config(&["nosuch"]).code, 1);
    config(&["edit", "main", "keepcache=1"]).ok();
    assert_eq!(config(&["get", "main", "keepcache"]).ok().out, "1\n");
}

#[test]
fn tdnf_history_util_begins_and_marks() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).ok();
    let root = site.path("root").display().to_string();
    let file = site.path("other.db").display().to_string();
    let util = |words: &[&str]| {
        site.program(
            "tdnf-history-util",
            &[&["-r", &root, "-f", &file], words].concat(),
        )
    };
    util(&[]).fails(1, "command expected");
    util(&["init"]).ok();
    util(&["mark", "remove", "alpha"]).ok();
    // The real sqlite3 reads what was written.
    let rows = |query: &str| {
        let output = Command::new("sqlite3")
            .arg(&file)
            .arg(query)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(
        rows("SELECT type, cmdline FROM transactions"),
        format!("0|(set)\n1|-r {root} -f {file} mark remove alpha\n")
    );
    assert_eq!(
        rows("SELECT name, value FROM flag_set JOIN names ON names.Id = name_id"),
        "alpha|1\n"
    );
    util(&["update"]).ok();
    assert_eq!(rows("SELECT COUNT(*) FROM transactions"), "2\n");
    // Without -f it is the history of the root.
    site.program(
        "tdnf-history-util",
        &["-r", &root, "mark", "remove", "alpha"],
    )
    .ok();
    let listed = site.run(&["-q", "repoquery", "--userinstalled"]);
    assert!(!listed.out.contains("alpha"), "{listed:?}");
}

/// Runs tdnf-automatic with a configuration.
pub(super) fn automatic(site: &Site, conf: &str, words: &[&str]) -> Run {
    let tdnf = site.path("tdnf.conf").display().to_string();
    site.write(
        "automatic.conf",
        format!("{conf}\n[base]\ntdnf_conf={tdnf}\n"),
    );
    let conf = site.path("automatic.conf").display().to_string();
    let root = site.path("root").display().to_string();
    site.program(
        "tdnf-automatic",
        &[&["-c", &conf, "--installroot", &root], words].concat(),
    )
}

#[test]
fn tdnf_automatic_reports_and_installs() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0"), plain("beta", "1.0")]);
    site.run(&["-y", "install", "alpha", "beta"]).ok();
    let quiet = automatic(&site, "[emitter]\nsystem_name=box", &[]).ok();
    assert!(
        quiet
            .out
            .contains("No updates available on box. System upto date..."),
        "{quiet:?}"
    );
    site.add(&plain("alpha", "2.0"));
    testkit::rpm::createrepo::<&str>(&site.path("repo"), &[]);
    let report = site.path("report.txt").display().to_string();
    let conf = format!("[emitter]\nsystem_name=box\nemit_to_file={report}");
    let shown = automatic(&site, &conf, &[]).ok();
    assert!(
        shown
            .out
            .contains("\nThe following updates are available on - box:\nalpha-2.0-1\n"),
        "{shown:?}"
    );
    assert!(
        shown.out.contains("completed with exit status 0 at "),
        "{shown:?}"
    );
    assert!(fs::read_to_string(&report).unwrap().contains("alpha-2.0-1"));
    assert_eq!(site.rpm_names(), ["alpha-1.0", "beta-1.0"]);
    automatic(&site, "[commands]\napply_updates=yes", &["--notify"]).ok();
    assert_eq!(site.rpm_names(), ["alpha-1.0", "beta-1.0"]);
    let done = automatic(
        &site,
        "[commands]\napply_updates=yes\n[emitter]\nsystem_name=box",
        &[],
    )
    .ok();
    assert!(
        done.out
            .contains("\nThe following updates are applied on - box:\nalpha-2.0-1\n"),
        "{done:?}"
    );
    assert_eq!(site.rpm_names(), ["alpha-2.0", "beta-1.0"]);
}

#[test]
fn row_15_tdnf_automatic_checks_like_tdnf() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0")]);
    site.run(&["-y", "install", "alpha"]).ok();
    site.add(&plain("alpha", "2.0"));
    testkit::rpm::createrepo::<&str>(&site.path("repo"), &[]);
    // The update is not signed, and the repository wants signatures now.
    site.write("repos.d/test.repo", site.repo_text("gpgcheck=1"));
    let ran = automatic(&site, "[emitter]\nsystem_name=box", &["--install"]);
    assert_eq!(ran.code, 121, "{ran:?}");
    assert!(ran.err.contains("Error(1510)"), "{ran:?}");
    assert_eq!(site.rpm_names(), ["alpha-1.0"]);
}

#[test]
fn tdnf_automatic_refuses_what_it_does_not_know() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[]);
    for wrong in [
        "[commands]\nupgrade_type=some",
        "[commands]\napply_updates=perhaps",
        "[commands]\nrandom_sleep=-1",
        "[commands]\napply_update=yes",
        "[emitter]\nemit_to_file=relative",
        "[comands]\napply_updates=yes",
    ] {
        let ran = automatic(&site, wrong, &[]);
        assert_eq!(ran.code, 22, "{wrong}: {ran:?}");
        assert!(ran.err.contains("automatic.conf"), "{ran:?}");
    }
    assert_eq!(site.program("tdnf-automatic", &["--nosuch"]).code, 22);
    for (program, words, code, line) in [
        (
            "tdnf-automatic",
            &["--nosuch"][..],
            22,
            "unknown option '--nosuch'",
        ),
        ("tdnf-automatic", &["word"], 22, "unknown option 'word'"),
        ("tdnf-automatic", &["-n", "-c"], 22, "-c needs a value"),
        (
            "tdnf-automatic",
            &["--install=yes"],
            22,
            "unknown option '--install'",
        ),
        (
            "tdnf-config",
            &["dump", "-x", "main"],
            1,
            "unknown option '-x'",
        ),
        (
            "tdnf-config",
            &["dump", "main", "--file"],
            1,
            "--file needs a file",
        ),
        (
            "tdnf-config",
            &["-f", "", "-c", "-x", "dump", "no"],
            3,
            "repo 'no' not found",
        ),
        (
            "tdnf-history-util",
            &["--nosuch", "init"],
            1,
            "unknown option '--nosuch'",
        ),
        ("tdnf-history-util", &["init", "-r"], 1, "-r needs a path"),
        (
            "tdnf-history-util",
            &["mark", "away"],
            1,
            "mark needs 'install' or 'remove'",
        ),
        (
            "tdnf-history-util",
            &["-r", "/nonexistent", "go"],
            1,
            "unknown command 'go'",
        ),
        ("tdnf-history-util", &[], 1, "command expected"),
        (
            "tdnf-cache-updateinfo",
            &["--config"],
            141,
            "Option --config requires an argument",
        ),
    ] {
        let ran = site.program(program, words);
        assert_eq!(ran.code, code, "{program} {words:?}: {ran:?}");
        assert_eq!(ran.err.lines().next(), Some(line), "{program} {words:?}");
    }
    for (program, words, start) in [
        (
            "tdnf-automatic",
            &["-n", "--help"][..],
            "tdnf-automatic help:",
        ),
        ("tdnf-automatic", &["-v"], "tdnf-automatic - version: "),
        (
            "tdnf-automatic",
            &["-i", "--version"],
            "tdnf-automatic - version: ",
        ),
        ("tdnf-config", &["dump", "-h"], "Usage: tdnf-config "),
        ("tdnf-config", &[], "Usage: tdnf-config "),
        (
            "tdnf-history-util",
            &["mark", "--help"],
            "tdnf history db utility",
        ),
        (
            "tdnf-cache-updateinfo",
            &["-q", "-h"],
            "Usage: tdnf-cache-updateinfo ",
        ),
    ] {
        let out = site.program(program, words).ok().out;
        let found = out.lines().any(|line| line.starts_with(start));
        assert!(found, "{program} {words:?}: {out}");
    }
    assert_eq!(
        site.program("tdnf-automatic", &["-c", "/nonexistent"]).code,
        2
    );
    let help = site.program("tdnf-automatic", &["-h"]).ok();
    assert!(help.out.contains("tdnf-automatic help:"), "{help:?}");
    let version = site.program("tdnf", &["automatic", "-v"]).ok();
    assert!(
        version.out.contains("tdnf-automatic - version: "),
        "{version:?}"
    );
    // A repository that is not there.
    site.write(
        "repos.d/test.repo",
        "[gone]\nbaseurl=file:///nonexistent\nenabled=1\n",
    );
    assert_eq!(automatic(&site, "", &[]).code, 121);
    site.write(
        "repos.d/test.repo",
        "[gone]\nbaseurl=file:///nonexistent\nenabled=0\n",
    );
    assert_eq!(automatic(&site, "", &[]).code, 64);
    // The shipped configuration is understood: it stops where its tdnf.conf is not there.
    let text = fs::read_to_string(conf_dir().join("automatic.conf")).unwrap();
    let text = text.replace("/etc/tdnf/tdnf.conf", "/nonexistent/tdnf.conf");
    site.write("shipped.conf", &text);
    let shipped = site.path("shipped.conf").display().to_string();
    assert_eq!(site.program("tdnf-automatic", &["-c", &shipped]).code, 2);
}

#[test]
fn cached_updateinfo_and_message_of_the_day() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[plain("alpha", "1.0"), plain("alpha", "2.0")]);
    super::updateinfo::publish_advisories(&site);
    site.run(&["-y", "--refresh", "install", "alpha=1.0"]).ok();
    let places = site.places();
    let words: Vec<&str> = places.iter().map(String::as_str).collect();
    site.program("tdnf-cache-updateinfo", &words).ok();
    let file = site.path("root/var/cache/tdnf/cached-updateinfo.txt");
    let expected = "1 Security notice(s)\n1 Bugfix notice(s)\n";
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    // A repository that cannot be reached leaves what is known.
    site.write(
        "repos.d/test.repo",
        "[gone]\nbaseurl=file:///nonexistent\nenabled=1\n",
    );
    assert_ne!(site.program("tdnf-cache-updateinfo", &words).code, 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    let output = Command::new("sh")
        .arg(conf_dir().join("motdgen.d/02-tdnf-updateinfo.sh"))
        .env("TDNF_UPDATEINFO", &file)
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn units_start_programs_that_exist() {
    let mut started = 0;
    for entry in fs::read_dir(conf_dir().join("systemd")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        if path.extension().is_some_and(|ending| ending == "timer") {
            assert!(
                path.with_extension("service").is_file(),
                "{}",
                path.display()
            );
            assert!(text.contains("OnCalendar="), "{}", path.display());
            continue;
        }
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart=/usr/bin/"))
            .unwrap();
        let (name, words) = line.split_once(' ').unwrap_or((line, ""));
        if name == "mirror-sync" {
            continue;
        }
        let known = tdnf::programs::ALL
            .iter()
            .any(|program| program.name == name);
        assert!(known, "{}: {name}", path.display());
        // Its options are understood: with --help behind them nothing else happens.
        let site = Site::with(&[]);
        let words: Vec<&str> = words.split_whitespace().chain(["--help"]).collect();
        site.program(name, &words).ok();
        started += 1;
    }
    assert_eq!(started, 4);
}
