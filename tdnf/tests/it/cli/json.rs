//! Every JSON output is read by Python's json, the one that scripts use.

use std::process::Command;

use serde_json::Value;

use testkit::fixtures::unprivileged;
use testkit::program;

use super::{Site, plain};

/// What Python's json makes of a text, written back by it.
fn python(text: &str) -> Value {
    let code = "import json, sys; json.dump(json.load(sys.stdin), sys.stdout)";
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-c", code]);
    let written = program::filter(&mut command, text.as_bytes());
    serde_json::from_slice(&written).expect("Python writes JSON")
}

fn site() -> Option<Site> {
    if unprivileged() {
        return None;
    }
    Some(Site::with(&[
        plain("alpha", "1"),
        plain("alpha", "2"),
        plain("loud", "1").lines(
            "URL: http://loud.invalid/\n%post -p <lua>\nprint('said \"so\"\\tand \\\\ more')\n",
        ),
        plain("bad", "1").lines("%pre -p <lua>\nerror('no')\n"),
    ]))
}

#[test]
fn every_command_prints_json_that_python_reads() {
    let Some(site) = site() else { return };
    site.run(&["-y", "install", "alpha=1"]).ok();
    super::updateinfo::publish_advisories(&site);
    for none in [
        &["provides", "nosuch"][..],
        &["repoquery", "nosuch"],
        &["repoquery", "--whatprovides=nosuch"],
    ] {
        let bare = site.run(&[&["-j"], none].concat()).ok();
        assert_eq!(bare.out, "[]", "{none:?}");
        let document = site.run(&[&["--json-version=2"], none].concat()).ok();
        assert_eq!(document.json()["Data"], serde_json::json!([]), "{none:?}");
    }
    let document = site.run(&["--json-version=2", "provides", "nosuch"]).ok();
    let notes = &document.json()["Notes"];
    assert_eq!(*notes, serde_json::json!(["nothing provides nosuch"]));
    let with_data: [&[&str]; 24] = [
        &["--version"],
        &["list"],
        &["list", "installed"],
        &["list", "--upgrades"],
        &["keys"],
        &["check-update"],
        &["info"],
        &["search", "test"],
        &["provides", "alpha"],
        &["repolist", "all"],
        &["repoquery"],
        &["repoquery", "--installed"],
        &["repoquery", "--list"],
        &["repoquery", "--requires"],
        &["repoquery", "--changelogs"],
        &["repoquery", "--source"],
        &["count"],
        &["--refresh", "updateinfo"],
        &["updateinfo", "list", "all"],
        &["updateinfo", "info", "all"],
        &["history"],
        &["history", "--info"],
        &["--assumeno", "update"],
        &["check-installed"],
    ];
    for words in with_data {
        let ran = site.run(&[&["-j"], words].concat()).ok();
        let first = python(&ran.out);
        let second = site.run(&[&["--json-version=2"], words].concat()).ok();
        let document = python(&second.out);
        assert_eq!(document["Version"], 2, "{words:?}");
        assert_eq!(document["ExitCode"], 0, "{words:?}");
        assert_eq!(document["Data"], first, "{words:?}");
        assert!(document.get("Error").is_none(), "{words:?}");
    }
    let without: [&[&str]; 4] = [
        &["makecache"],
        &["check"],
        &["clean", "packages"],
        &["mark", "install", "alpha"],
    ];
    for words in without {
        assert_eq!(
            site.run(&[&["-j"], words].concat()).ok().out,
            "",
            "{words:?}"
        );
        let second = site.run(&[&["--json-version=2"], words].concat()).ok();
        let document = python(&second.out);
        assert_eq!(document["Command"], *words.first().unwrap());
        assert!(document.get("Data").is_none(), "{document}");
    }
    for words in [
        &["install", "nosuch"][..],
        &["nosuch"],
        &["--nosuch"],
        &["install"],
    ] {
        let ran = site.run(&[&["-j"], words].concat());
        let error = python(&ran.out);
        let second = site.run(&[&["--json-version=2"], words].concat());
        assert_eq!(second.code, ran.code);
        let document = python(&second.out);
        assert_eq!(document["Error"]["Number"], error["Error"], "{words:?}");
        assert_eq!(
            document["Error"]["Message"], error["ErrorMessage"],
            "{words:?}"
        );
        assert_eq!(document["ExitCode"], ran.code);
    }
    for words in [["--json-version", "2"], ["--json-version=2", "-j"]] {
        let ran = site.run(&[&words[..], &["--nosuch", "list"]].concat());
        assert_eq!(python(&ran.out)["Error"]["Number"], 908, "{ran:?}");
    }
    assert_eq!(site.run(&["--json-version=3", "list"]).code, 86);
}

#[test]
fn a_transaction_tells_what_its_scriptlets_said() {
    let Some(site) = site() else { return };
    let ran = site
        .run(&["--json-version=2", "-y", "install", "loud"])
        .ok();
    let document = python(&ran.out);
    assert_eq!(document["Data"]["Install"][0]["Name"], "loud");
    let transaction = &document["Transaction"];
    assert_eq!(transaction["Committed"], true);
    assert_eq!(transaction["Installed"][0], "loud-1-1.noarch");
    let scriptlet = &transaction["Scriptlets"][0];
    assert_eq!(scriptlet["Package"], "loud-1-1.noarch");
    assert_eq!(scriptlet["Script"], "%post");
    assert_eq!(scriptlet["Output"], "said \"so\"\tand \\ more\n");
    // A failing one: one document still, with plan, error and what ran.
    let ran = site.run(&["--json-version=2", "-y", "install", "bad"]);
    assert_eq!(ran.code, 245);
    let document = python(&ran.out);
    assert_eq!(document["Data"]["Install"][0]["Name"], "bad");
    assert_eq!(document["Error"]["Number"], 1525);
    assert_eq!(document["Transaction"]["Committed"], false);
    assert_eq!(document["ExitCode"], 245);
    // -j: the plan alone on standard output, and scriptlets on the other.
    let ran = site.run(&["-j", "-y", "reinstall", "loud"]).ok();
    python(&ran.out);
    assert!(ran.err.contains("said \"so\""), "{ran:?}");
    let copied = site.run(&["--json-version=2", "reposync", "--urls"]).ok();
    let document = python(&copied.out);
    assert_eq!(document["Data"][0]["Urls"].as_array().unwrap().len(), 4);
}
