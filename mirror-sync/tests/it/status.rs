//! What is said of the mirror: states, ages, holds; on the terminal, in JSON, metrics, on the page and for monitors.

use std::fs;
use std::io::Write;
use std::process::Command;

use serde_json::Value;
use testkit::mounts;
use testkit::program::Run;
use testkit::server::Answer;

use crate::scene::Scene;
use crate::serving::{Serving, curl};

/// What `status --json` says of one repository, whatever the exit code.
pub(crate) fn of(scene: &Scene, id: &str) -> Value {
    let all = scene.run(&["status", "--json"]).json();
    let repos = all["repos"].as_array().unwrap();
    let repo = repos.iter().find(|repo| repo["id"] == id);
    repo.unwrap_or_else(|| panic!("{all}")).clone()
}

/// Types a command of ours as it was printed.
fn typed(scene: &Scene, command: &str) -> Run {
    let bin = scene.path("bin");
    let _ = fs::create_dir(&bin);
    let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mirror-sync"), bin.join("mirror-sync"));
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command_line = Command::new("sh");
    let output = command_line
        .args(["-c", command])
        .current_dir("/")
        .env("PATH", path)
        .output();
    Run::of(output.unwrap())
}

/// Upstream gets another version of gamma.
fn another(scene: &Scene, version: &str) {
    scene.take("base", "gamma");
    scene.put("base", "gamma", version, "");
    scene.publish("base");
}

/// Every sample of metrics has its HELP and TYPE once, before it, and stands there once.
pub(crate) fn check_metrics(text: &str) {
    let mut known = Vec::new();
    let mut seen = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let words: Vec<&str> = rest.splitn(3, ' ').collect();
            assert_eq!(words.len(), 3, "{line}");
            assert!(
                words[0] != "TYPE" || ["gauge", "counter"].contains(&words[2]),
                "{line}"
            );
            let pair = (words[0].to_owned(), words[1].to_owned());
            assert!(!known.contains(&pair), "twice: {line}");
            known.push(pair);
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap();
        assert!(!seen.contains(&sample), "twice: {line}");
        seen.push(sample);
        let name = sample.split('{').next().unwrap().to_owned();
        for kind in ["HELP", "TYPE"] {
            let wanted = (kind.to_owned(), name.clone());
            assert!(known.contains(&wanted), "{kind} of {line}");
        }
    }
}

#[test]
fn a_hold_is_its_own_state_and_the_command_that_is_printed_ends_it() {
    let scene = Scene::usual();
    scene.sync();
    another(&scene, "2");
    scene.put("base", "delta", "1", "");
    scene.publish("base");
    scene.sync();
    scene.run(&["snapshot", "rollback", "base"]).ends(0);
    scene.run(&["sync"]).ends(3);
    // It is no failure: somebody wanted it.
    let told = scene.run(&["status"]).ends(0).out;
    assert!(told.contains("  held since 20"), "{told}");
    assert!(told.contains("  nothing-new  "), "{told}");
    assert!(told.contains("; upstream has 4 packages; `"), "{told}");
    let held = of(&scene, "base");
    assert_eq!(held["state"], "held", "{held}");
    assert_eq!(held["upstream_packages"], 4);
    assert_eq!(held["packages"], 3);
    let page = |name: &str| fs::read_to_string(scene.public(name)).unwrap();
    let metrics = page("metrics");
    check_metrics(&metrics);
    for line in [
        "up{repo=\"base\"} 1",
        "state{repo=\"base\",state=\"held\"} 1",
        "state{repo=\"base\",state=\"up-to-date\"} 0",
        "healthy 1",
    ] {
        assert!(
            metrics.contains(&format!("mirror_sync_{line}\n")),
            "{line}: {metrics}"
        );
    }
    assert!(page("index.html").contains("upstream has 4 packages; <code>mirror-sync snapshot promote base --to current</code> ends it"));
    let command = told.split('`').nth(1).unwrap();
    let run = typed(&scene, command).ends(0);
    assert!(run.out.contains("base: current shows "), "{}", run.text());
    let shown = of(&scene, "base");
    assert_eq!(shown["state"], "up-to-date", "{shown}");
    assert!(shown["hold"].is_null() && shown["rolled_back_from"].is_null());
    assert!(
        !page("index.html").contains("held"),
        "the page is renewed at once"
    );
    let current = format!("file://{}", scene.public("base").display());
    assert_eq!(
        scene.dnf_list(&current),
        ["alpha-1", "beta-1", "delta-1", "gamma-2"]
    );
    scene.run(&["sync"]).ends(3);
    // Nothing is held any more: the same command changes nothing.
    typed(&scene, command).ends(0);
    assert_eq!(scene.dnf_list(&current).len(), 4);
    // Where the newer snapshot is lost, another command is named, which works as well.
    scene.run(&["snapshot", "rollback", "base"]).ends(0);
    let newest = of(&scene, "base")["rolled_back_from"].clone();
    let list = format!(
        "mirror/state/base/snapshots/{}.json",
        newest.as_str().unwrap()
    );
    fs::remove_file(scene.path(&list)).unwrap();
    let told = scene.run(&["status"]).ends(0).out;
    let command = told.split('`').nth(1).unwrap();
    typed(&scene, command).ends(0);
    assert_eq!(of(&scene, "base")["state"], "up-to-date");
    assert_eq!(scene.dnf_list(&current).len(), 4);
}

#[test]
fn what_it_is_to_clients_and_how_the_last_run_ended_are_two_things() {
    let scene = Scene::usual();
    let fresh = of(&scene, "base");
    assert_eq!(
        (&fresh["state"], &fresh["outcome"]),
        (&"nothing-yet".into(), &"".into())
    );
    scene.run(&["status"]).ends(1);
    scene.sync();
    let well = of(&scene, "base");
    assert_eq!(
        (&well["state"], &well["outcome"]),
        (&"up-to-date".into(), &"new".into())
    );
    assert!(well["state_since"].is_null());
    for age in ["lag_seconds", "try_age_seconds", "upstream_age_seconds"] {
        assert!(well[age].is_u64(), "{age}: {well}");
    }
    // Upstream has something that cannot be had.
    another(&scene, "2");
    let file = "/base/Packages/gamma-2-1.noarch.rpm";
    scene.server.always(file, Answer::status(404));
    scene.run(&["sync"]).ends(4);
    let behind = of(&scene, "base");
    assert_eq!(
        (&behind["state"], &behind["outcome"]),
        (&"behind".into(), &"partial".into())
    );
    assert_eq!(behind["upstream_packages"], 3);
    let since = behind["state_since"].clone();
    assert!(since.is_u64(), "{behind}");
    scene.run(&["sync"]).ends(4);
    assert_eq!(
        of(&scene, "base")["state_since"],
        since,
        "the first time counts"
    );
    let serving = Serving::start(&scene);
    let health = |code: &str| {
        let run = curl(&["-w", "%{http_code}", &serving.url("/healthz")]).ends(0);
        let (text, got) = run.out.rsplit_once('\n').unwrap();
        assert_eq!(got, code, "{}", run.out);
        text.to_owned()
    };
    let reason = health("503");
    assert!(
        reason.contains("base: ") && reason.contains("gamma-2-1.noarch.rpm"),
        "{reason}"
    );
    assert_eq!(reason.lines().count(), 1, "{reason}");
    check_metrics(&curl(&[&serving.url("/metrics")]).ends(0).out);
    // Nobody knows what upstream has.
    scene.server.always(file, Answer::default());
    scene.sync();
    assert_eq!(health("200"), "ok");
    scene
        .server
        .always("/base/repodata/repomd.xml", Answer::status(500));
    let slow = ["--set", "repo.base.retries=0", "sync"];
    scene.run(&slow).ends(1);
    let failed = of(&scene, "base");
    assert_eq!(
        (&failed["state"], &failed["outcome"]),
        (&"failed".into(), &"failed".into())
    );
    assert_eq!(failed["state_since"], failed["last_try"]);
    let told = scene.run(&["status"]).ends(1).out;
    assert!(told.contains("base  failed since 20"), "{told}");
    assert!(health("503").starts_with("base: "));
    // What is left out on purpose is no fault.
    let config = fs::read_to_string(scene.path("mirror.toml")).unwrap();
    scene.config_text(&format!("{config}\ndisabled = true\n"));
    let told = scene.run(&["status"]).ends(0).out;
    assert!(told.starts_with("base  disabled  failed "), "{told}");
    assert!(!told.contains("500"), "{told}");
    let failed = of(&scene, "base");
    assert_eq!(
        (&failed["state"], &failed["disabled"]),
        (&"failed".into(), &true.into())
    );
    let left_out = Serving::start(&scene);
    assert_eq!(self::health(&left_out), ("200".to_owned(), "ok".to_owned()));
    scene.config_text(&config);
    // A part of the repositories: as of `sync`.
    let text = fs::read_to_string(scene.path("mirror.toml")).unwrap();
    scene.config_text(&format!(
        "{text}\n[repo.lazy]\nmode = \"proxy\"\nbaseurl = {:?}\n[repo.far]\nmode = \"bundle\"\ndisabled = true\n",
        scene.server.url("/base")
    ));
    let told = scene.run(&["status"]).ends(4).out;
    assert!(told.contains("\nlazy  proxy, on demand"), "{told}");
    assert!(told.contains("\nfar   disabled"), "{told}");
}

/// What `serve` tells a monitor: the code, and the reasons.
fn health(serving: &Serving) -> (String, String) {
    let run = curl(&["-w", "%{http_code}", &serving.url("/healthz")]).ends(0);
    let (text, code) = run.out.rsplit_once('\n').unwrap();
    (code.to_owned(), text.to_owned())
}

/// A failure hook that keeps the report, and what it kept.
fn hooked(scene: &Scene, lines: &str) -> impl Fn() -> Option<Value> + use<> {
    let heard = scene.path("heard");
    scene.config(&format!(
        "[hooks]\nfailure = \"cat > {0}\"\n{lines}\n",
        heard.display()
    ));
    move || {
        let text = fs::read(&heard).ok()?;
        fs::remove_file(&heard).unwrap();
        Some(serde_json::from_slice(&text).unwrap())
    }
}

/// Red everywhere: the command, JSON, metrics, `/healthz`, and where they can be written the pages of a static mirror.
fn is_red(scene: &Scene, serving: &Serving, why: &str) {
    let told = scene.run(&["status"]).ends(1).out;
    assert!(told.contains("base  failed"), "{told}");
    assert!(told.contains(why), "{why}: {told}");
    let all = scene.run(&["status", "--json"]).ends(1).json();
    assert_eq!(all["healthy"], false, "{all}");
    assert_eq!(all["repos"][0]["outcome"], "failed", "{all}");
    let (code, text) = health(serving);
    assert!(code == "503" && text.contains(why), "{code}: {text}");
    let metrics = curl(&[&serving.url("/metrics")]).ends(0).out;
    check_metrics(&metrics);
    for line in ["up{repo=\"base\"} 0", "healthy 0"] {
        assert!(
            metrics.contains(&format!("mirror_sync_{line}\n")),
            "{metrics}"
        );
    }
    let page = curl(&[&serving.url("/")]).ends(0).out;
    assert!(
        page.contains("1 needs a look") && page.contains("class=\"bad\""),
        "{page}"
    );
}

#[test]
fn a_run_that_could_not_begin_is_known_and_runs_the_hook() {
    let scene = Scene::usual();
    let key = scene.path("maker.key");
    let heard = hooked(&scene, "");
    scene.sync();
    assert_eq!(heard(), None);
    let serving = Serving::start(&scene);
    assert_eq!(health(&serving).0, "200");
    // What was typed wrongly is no failed run.
    scene.run(&["sync", "bsae"]).ends(2);
    assert_eq!(heard(), None);
    let signed = format!("mirror.sign_key={:?}", key.to_str().unwrap());
    scene.run(&["--set", &signed, "sync"]).ends(2);
    let report = heard().expect("the hook ran");
    assert_eq!(report["exit_code"], 2, "{report}");
    assert!(
        report["error"].as_str().unwrap().contains("maker.key"),
        "{report}"
    );
    is_red(&scene, &serving, "mirror.sign_key: ");
    let page = fs::read_to_string(scene.public("index.html")).unwrap();
    assert!(
        page.contains("mirror.sign_key"),
        "a static mirror tells it, too"
    );
    // The next run that ends well ends it.
    scene.run(&["sync"]).ends(3);
    assert_eq!(health(&serving), ("200".to_owned(), "ok".to_owned()));
    assert_eq!(heard(), None);
    // A page that cannot be written is a failure of the run, not of a repository.
    fs::remove_file(scene.public("status.json")).unwrap();
    fs::create_dir(scene.public("status.json")).unwrap();
    let run = scene.run(&["sync"]).ends(1);
    assert_eq!(run.err.matches("status.json").count(), 1, "{}", run.err);
    let report = heard().expect("the hook ran");
    assert!(
        report["error"].as_str().unwrap().contains("status.json"),
        "{report}"
    );
    let (code, text) = health(&serving);
    assert!(
        code == "503" && text.starts_with("last run: ") && text.contains("status.json"),
        "{text}"
    );
    assert!(scene.run(&["status"]).ends(4).out.starts_with("last run: "));
    fs::remove_dir(scene.public("status.json")).unwrap();
    scene.run(&["sync"]).ends(3);
    assert_eq!(health(&serving).0, "200");
}

#[test]
fn a_run_that_can_write_nothing_down_is_known_and_runs_the_hook() {
    if !mounts::own("status::a_run_that_can_write_nothing_down_is_known_and_runs_the_hook") {
        return;
    }
    let scene = Scene::usual();
    let heard = hooked(&scene, "");
    let mirror = scene.path("mirror");
    fs::create_dir(&mirror).unwrap();
    let mount = |options: &[&str]| {
        let mut command = Command::new("mount");
        command.args(options).arg(&mirror);
        assert!(command.status().unwrap().success());
    };
    mount(&["-t", "tmpfs", "-o", "size=2m,mode=755", "tmpfs"]);
    scene.sync();
    let serving = Serving::start(&scene);
    let filler = mirror.join("filler");
    let fill = || {
        let mut file = fs::File::create(&filler).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    };
    fill();
    scene.run(&["sync"]).ends(1);
    assert!(heard().is_some(), "the hook ran");
    is_red(&scene, &serving, "no space is left");
    // Room again: it is still the last run that failed, until another has ended well.
    fs::remove_file(&filler).unwrap();
    is_red(&scene, &serving, "base");
    scene.run(&["sync"]).ends(3);
    assert_eq!(health(&serving).0, "200");
    mount(&["-o", "remount,ro"]);
    scene.run(&["sync"]).ends(1);
    let report = heard().expect("the hook ran");
    assert!(
        report["error"].as_str().unwrap().contains("ead-only"),
        "{report}"
    );
    is_red(&scene, &serving, "mounted read-only");
    mount(&["-o", "remount,rw"]);
    scene.run(&["sync"]).ends(3);
    assert_eq!(health(&serving).0, "200");
}

/// Upstream's metadata anew, with these security advisories.
fn advised(scene: &Scene, ids: &[&str]) {
    scene.publish("base");
    let one = |id: &&str| {
        format!(
            "<update from=\"s\" status=\"final\" type=\"security\" version=\"1\"><id>{id}</id><title>About {id} &lt;b&gt;</title>\
             <severity>Critical</severity><issued date=\"2026-01-01\"/><pkglist><collection><name>c</name><package name=\"gamma\" \
             version=\"2\" release=\"1\" epoch=\"0\" arch=\"noarch\" src=\"g.src.rpm\"><filename>gamma-2-1.noarch.rpm</filename>\
             </package></collection></pkglist></update>"
        )
    };
    let all: String = ids.iter().map(one).collect();
    scene.write("updateinfo.xml", format!("<updates>{all}</updates>"));
    let mut command = Command::new("modifyrepo_c");
    command
        .arg(scene.path("updateinfo.xml"))
        .arg(scene.path("up/base/repodata"));
    Run::of(command.output().unwrap()).ends(0);
}

/// Checks a document against a schema of docs/schema in which nothing but what it lists may stand.
fn fits(scene: &Scene, schema: &str, document: &Value) {
    let schema = format!(
        "{}/../docs/schema/mirror-sync-{schema}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    scene.write("document.json", document.to_string());
    let code = "import json, sys, jsonschema\n\
        document, schema = (json.load(open(name)) for name in sys.argv[1:])\n\
        def close(part):\n\
        \x20   if isinstance(part, dict):\n\
        \x20       if 'properties' in part: part['additionalProperties'] = False\n\
        \x20       for inner in part.values(): close(inner)\n\
        kind = jsonschema.validators.validator_for(schema)\n\
        kind.check_schema(schema)\n\
        close(schema)\n\
        kind(schema).validate(document)\n\
        document['repos'][0].pop('outcome')\n\
        print(kind(schema).is_valid(document))";
    let mut python = Command::new("python3");
    if let Some(dir) = std::env::var_os("TDNF_VALIDATORS") {
        python.env("PYTHONPATH", dir);
    }
    let known = python.args(["-c", "import jsonschema"]).output();
    if !known.is_ok_and(|known| known.status.success()) {
        return testkit::fixtures::skipped("no jsonschema for python3");
    }
    let mut python = Command::new("python3");
    if let Some(dir) = std::env::var_os("TDNF_VALIDATORS") {
        python.env("PYTHONPATH", dir);
    }
    let output = python
        .args(["-c", code])
        .arg(scene.path("document.json"))
        .arg(schema)
        .output();
    let run = Run::of(output.unwrap());
    assert!(run.code == 0, "{}{document}", run.err);
    assert_eq!(run.out, "False\n", "without an outcome it does not fit");
}

#[test]
fn sync_tells_what_changed_and_the_page_keeps_it() {
    let scene = Scene::usual();
    let heard = scene.path("heard");
    scene.config(&format!(
        "[hooks]\nsuccess = \"cat > {}\"\n",
        heard.display()
    ));
    advised(&scene, &["SEC-1"]);
    let first = scene.sync().out;
    assert!(
        !first.contains("\n  + ") && !first.contains("SEC-1"),
        "{first}"
    );
    assert!(
        first.contains("\ntotal: 1 repository, 3 packages, "),
        "{first}"
    );
    fits(
        &scene,
        "report",
        &serde_json::from_slice(&fs::read(&heard).unwrap()).unwrap(),
    );
    for number in 0..25 {
        scene.put("base", &format!("more{number}"), "1", "");
    }
    scene.take("base", "gamma");
    advised(&scene, &["SEC-1", "SEC-2", "SEC-3"]);
    let second = scene.sync().out;
    for line in [
        "  - gamma-1-1.noarch",
        "  + more0-1-1.noarch",
        "  and 5 more new",
        "  security: SEC-2 (Critical) About SEC-2 <b>",
        "  security: SEC-3 (Critical) About SEC-3 <b>",
    ] {
        assert!(second.lines().any(|one| one == line), "{line}: {second}");
    }
    assert!(!second.contains("SEC-1"), "{second}");
    assert!(
        second.contains("; 25 new, 1 gone, 2 security advisories\n"),
        "{second}"
    );
    let report: Value = serde_json::from_slice(&fs::read(&heard).unwrap()).unwrap();
    fits(&scene, "report", &report);
    assert_eq!(report["totals"]["added"], 25);
    assert_eq!(report["repos"][0]["advisory_count"], 2);
    let all = scene.run(&["status", "--json"]).ends(0).json();
    fits(&scene, "status", &all);
    let changes = all["repos"][0]["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2, "newest first: {all}");
    assert_eq!(changes[0]["added_count"], 25);
    let page = fs::read_to_string(scene.public("index.html")).unwrap();
    assert!(
        page.contains("<b>SEC-2</b> Critical About SEC-2 &lt;b&gt;"),
        "{page}"
    );
    assert!(page.contains("<li>− gamma-1-1.noarch</li>"), "{page}");
    let same = scene.run(&["sync"]).ends(3).out;
    assert!(
        same.contains("total: 1 repository, 27 packages, "),
        "{same}"
    );
    assert!(same.contains("; 0 new, 0 gone\n"), "{same}");
    fits(
        &scene,
        "report",
        &scene
            .run(&["sync", "--json", "-n", "--force"])
            .ends(0)
            .json(),
    );
    // All that can be odd about a repository, at once.
    scene.run(&["snapshot", "rollback", "base"]).ends(0);
    fs::remove_dir_all(scene.path("up/base/repodata")).unwrap();
    fits(
        &scene,
        "report",
        &scene.run(&["sync", "--json"]).ends(1).json(),
    );
    fits(
        &scene,
        "status",
        &scene.run(&["status", "--json"]).ends(1).json(),
    );
}

/// Takes an hour and more off every time in a document.
fn hours_ago(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, one) in fields {
                match one.as_u64() {
                    Some(at) if name == "at" => *one = (at - 4000).into(),
                    _ => hours_ago(one),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(hours_ago),
        _ => {}
    }
}

/// As after a run that was killed before it sent anything: no run has said what is wrong.
#[test]
fn a_place_that_nothing_was_sent_to_is_known_and_strangers_are_not_told_where_it_is() {
    let scene = Scene::usual();
    scene.sync();
    let text = fs::read_to_string(scene.path("mirror.toml")).unwrap();
    let target = "[target.harbor]\nurl = \"oci://127.0.0.1:1/secret-place\"\n";
    scene.config_text(&format!("{text}\n{target}"));
    // It may be on its way.
    let lacks = "target harbor: what the mirror shows is not there yet; `mirror-sync ";
    let young = scene.run(&["status"]).ends(0);
    assert!(young.out.contains(lacks), "{}", young.out);
    let file = scene.path("mirror/state/base/state.json");
    let mut state: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    hours_ago(&mut state);
    fs::write(&file, state.to_string()).unwrap();
    let old = scene.run(&["status"]).ends(1);
    assert!(old.out.contains(lacks), "{}", old.out);
    let there = &of(&scene, "base")["targets"]["harbor"];
    assert_eq!(there["url"], "oci://127.0.0.1:1/secret-place", "{there}");
    // The operator reads where and why; the pages name the place.
    let failed = scene.run(&["sync"]).ends(4);
    assert!(failed.err.contains("127.0.0.1:1"), "{}", failed.err);
    let serving = Serving::start(&scene);
    for page in ["healthz", "status.json", "metrics", ""] {
        let (code, said) = serving.status("GET", &format!("/{page}"), "");
        assert_eq!(code, if page == "healthz" { 503 } else { 200 }, "{said}");
        assert!(said.contains("harbor"), "{page}: {said}");
        assert!(!said.contains("127.0.0.1:1/"), "{page}: {said}");
        assert!(!said.contains("secret-place"), "{page}: {said}");
        assert!(!said.contains("connection refused"), "{page}: {said}");
    }
    let written = fs::read_to_string(scene.public("status.json")).unwrap();
    assert!(written.contains("harbor") && !written.contains("secret-place"));
}
