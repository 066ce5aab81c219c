//! Parts of a repository that stand without its base: needs that are taken as given, groups of comps; and how much a
//! repository may take.

use std::fs;

use crate::scene::Scene;
use crate::selection::{rich, selected};

#[test]
fn a_selection_without_its_base_says_what_it_takes_as_given() {
    let scene = Scene::new();
    let needs = "Requires: libx.so.6(X_2.1)(64bit)\nRequires: shell >= 5\nRequires: /opt/tool";
    scene.put("base", "alpha", "1", &format!("Requires: beta\n{needs}"));
    scene.put("base", "beta", "1", "Requires: libx.so.6()(64bit)");
    scene.put("base", "gamma", "1", "");
    scene.publish("base");
    // What lacks and is not given is listed whole, with the way out.
    scene.config("[repo.base.select]\npackages = [\"alpha\"]\n");
    let run = scene.run(&["sync"]).ends(4);
    let told = "it lacks /opt/tool, libx.so.6()(64bit), libx.so.6(X_2.1)(64bit), shell: mirror what has them too, or name what \
                clients have already in select.assume of [repo.base]";
    assert!(run.err.contains(told), "{}", run.err);
    let some = "packages = [\"alpha\"]\nassume = [\"libx.so.6*\"]";
    scene.config(&format!("[repo.base.select]\n{some}\n"));
    let run = scene.run(&["sync"]).ends(4);
    assert!(
        run.err.contains("it lacks /opt/tool, shell: "),
        "{}",
        run.err
    );
    let all =
        "packages = [\"alpha\"]\nassume = [\"libx.so.6*\", \"shell\", \"/opt/*\", \"unused\"]";
    scene.config(&format!("[repo.base.select]\n{all}\n"));
    let run = scene.run(&["sync"]).ends(0);
    let told = "base: taken as given (select.assume): /opt/tool, libx.so.6()(64bit), libx.so.6(X_2.1)(64bit), shell\n";
    assert_eq!(run.err.matches(told).count(), 1, "{}", run.err);
    assert_eq!(run.err.matches("taken as given").count(), 1, "{}", run.err);
    let url = format!("file://{}", scene.public("base").display());
    assert_eq!(scene.dnf_list(&url), ["alpha-1", "beta-1"]);
    // For real dnf these needs are open: whoever installs this has them.
    let run = scene.dnf(&url, &["install", "alpha"]);
    assert!(
        run.code != 0 && run.text().contains("nothing provides"),
        "{}",
        run.text()
    );
    let run = scene
        .dnf(&url, &["repoquery", "--requires", "alpha", "beta"])
        .ends(0);
    for need in [
        "/opt/tool",
        "libx.so.6()(64bit)",
        "libx.so.6(X_2.1)(64bit)",
        "shell >= 5",
        "beta",
    ] {
        assert!(
            run.out.lines().any(|line| line == need),
            "{need}: {}",
            run.out
        );
    }
    scene.run(&["sync"]).ends(3);
}

/// Who gives it plays no part: what is assumed is not taken from the mirror.
#[test]
fn what_is_assumed_is_not_mirrored_for_it() {
    let scene = Scene::usual();
    assert_eq!(
        selected(&scene, "packages = [\"alpha\"]"),
        ["alpha-1", "beta-1"]
    );
    let select = "packages = [\"alpha\"]\nassume = [\"beta\"]";
    assert_eq!(selected(&scene, select), ["alpha-1"]);
}

#[test]
fn groups_of_comps_and_environments_are_mirrored_with_all_they_need() {
    let scene = rich();
    assert_eq!(selected(&scene, "groups = [\"g2\"]"), ["delta-1"]);
    let all = ["alpha-2", "beta-1", "delta-1", "gamma-1"];
    assert_eq!(selected(&scene, "groups = [\"g1\"]"), all);
    let url = format!("file://{}", scene.public("base").display());
    scene.dnf(&url, &["install", "alpha", "delta"]).ends(0);
    let both = "groups = [\"g2\"]\npackages = [\"gamma\"]";
    assert_eq!(selected(&scene, both), ["delta-1", "gamma-1"]);
    scene.run(&["sync"]).ends(3);
    scene.config("[repo.base.select]\ngroups = [\"g1x\"]\n");
    let run = scene.run(&["sync"]).ends(1);
    let told = "select.groups: no group of upstream's comps is called g1x, did you mean g1? (known: g1, g2)";
    assert!(run.err.contains(told), "{}", run.err);
    // An environment stands for its groups; what comps name and upstream lacks, and what is optional, is left out.
    let comps = "<comps><group><id>core</id><name>C</name><packagelist><packagereq type=\"mandatory\">beta</packagereq>\
        <packagereq type=\"default\">nowhere</packagereq><packagereq type=\"optional\">delta</packagereq></packagelist></group>\
        <environment><id>server</id><name>S</name><grouplist><groupid>core</groupid></grouplist></environment></comps>";
    fs::write(scene.path("comps.xml"), comps).unwrap();
    testkit::rpm::createrepo(
        &scene.path("up/base"),
        &[
            "--general-compress-type=gz",
            "--no-database",
            "-g",
            scene.path("comps.xml").to_str().unwrap(),
        ],
    );
    scene.config("[repo.base.select]\ngroups = [\"server\"]\n");
    let run = scene.run(&["sync", "--allow-delete"]).ends(0);
    let told = "base: the groups that are selected name packages that are not here: nowhere\n";
    assert!(run.err.contains(told), "{}", run.err);
    let url = format!("file://{}", scene.public("base").display());
    assert_eq!(scene.dnf_list(&url), ["beta-1", "gamma-1"]);
    scene.publish("base");
    let run = scene.run(&["sync"]).ends(1);
    assert!(
        run.err.contains("upstream publishes none (no comps)"),
        "{}",
        run.err
    );
}

/// A repository that would take more than its own quota fails by itself, and the others go on.
#[test]
fn a_repository_has_a_quota_and_a_rate_of_its_own() {
    let scene = Scene::usual();
    scene.put("other", "omega", "1", "");
    scene.publish("other");
    let configure = |quota: &str, lines: &str| {
        scene.config_text(&format!(
            "[mirror]\npath = {:?}\n[repo.base]\nbaseurl = {:?}\nquota = {quota:?}\n{lines}\n[repo.other]\nbaseurl = {:?}\n",
            scene.path("mirror"),
            scene.server.url("/base"),
            scene.server.url("/other"),
        ));
    };
    configure("20K", "");
    let run = scene.run(&["sync"]).ends(4);
    assert!(
        run.err.contains("repo.base.quota of 20.0 KiB: "),
        "{}",
        run.err
    );
    assert!(!scene.public("base").exists());
    assert!(scene.public("other/repodata/repomd.xml").is_file());
    configure("200K", "rate = \"10M\"");
    scene.run(&["sync"]).ends(0);
    // What all snapshots together take counts.
    for version in ["2", "3", "4"] {
        scene.put("base", "gamma", version, "");
    }
    scene.publish("base");
    configure("90K", "");
    let run = scene.run(&["sync"]).ends(4);
    assert!(run.err.contains("its snapshots take "), "{}", run.err);
    // A rate is a limit to the transfer.
    let big = scene.path("up/base/Packages/big-1-1.noarch.rpm");
    fs::copy(crate::scene::package_of("big", "1", "", 300_000), &big).unwrap();
    scene.publish("base");
    configure("2M", "rate = \"100K\"\nthrottle = \"10M\"");
    let began = std::time::Instant::now();
    scene.run(&["sync"]).ends(0);
    let seconds = began.elapsed().as_secs_f64();
    assert!(seconds > 1.0, "{seconds}");
}
