//! Servers that fail while others give what is wanted.

use std::fs;

use serde_json::Value;

use crate::scene::Scene;
use crate::status::{check_metrics, of};

#[test]
fn a_server_that_is_dead_for_days_is_a_warning_until_it_answers() {
    let scene = Scene::usual();
    let (near, far) = (scene.server.url("/near"), scene.server.url("/far"));
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\n[repo.base]\nretries = 0\nbaseurl = [{near:?}, {:?}, {far:?}]\n",
        scene.path("mirror"),
        scene.server.url("/base"),
    ));
    scene.sync();
    let state = scene.path("mirror/state/base/state.json");
    let read = || serde_json::from_slice::<Value>(&fs::read(&state).unwrap()).unwrap();
    let failing = || {
        let list = of(&scene, "base")["failing_servers"].clone();
        let urls = list.as_array().unwrap().iter();
        urls.map(|one| one["url"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(failing().join(" "), near, "it was asked first: {}", read());
    assert_eq!(
        of(&scene, "base")["warnings"].as_array().unwrap().len(),
        0,
        "not yet"
    );
    let since = read()["servers"][&near]["since"].clone();
    // Three days later; the third server was never asked, until nothing was heard of it for a day.
    let back = |url: &str, keys: &[&str]| {
        let mut text = read();
        for key in keys {
            let value = text["servers"][url][key].as_u64().unwrap();
            text["servers"][url][key] = (value - 3 * 86_400).into();
        }
        fs::write(&state, text.to_string()).unwrap();
    };
    back(&near, &["since", "asked"]);
    scene.run(&["sync"]).ends(3);
    assert_eq!(failing().join(" "), near);
    assert_eq!(
        read()["servers"][&near]["since"].as_u64().unwrap() + 3 * 86_400,
        since.as_u64().unwrap()
    );
    back(&far, &["asked"]);
    scene.run(&["sync"]).ends(3);
    assert_eq!(failing(), [far.clone(), near.clone()]);
    let told = scene.run(&["status"]).ends(0).out;
    assert_eq!(told.matches("warning: server ").count(), 1, "{told}");
    assert!(
        told.contains(&format!("warning: server {near} fails since 20")),
        "{told}"
    );
    let page = |name: &str| fs::read_to_string(scene.public(name)).unwrap();
    assert!(page("index.html").contains(&format!("warning: server {near} fails since")));
    let metrics = page("metrics");
    check_metrics(&metrics);
    let label =
        format!("mirror_sync_server_failing_seconds{{repo=\"base\",server=\"{near}\"}} 2592");
    assert!(metrics.contains(&label), "{metrics}");
    assert!(
        metrics.contains("mirror_sync_warnings{repo=\"base\"} 1\n"),
        "{metrics}"
    );
    // Both answer: the first because it is asked, the other because it failed an hour ago.
    for name in ["near", "far"] {
        testkit::tree::copy(&scene.path("up/base"), &scene.path("up").join(name));
    }
    back(&far, &["asked"]);
    scene.run(&["sync"]).ends(3);
    assert_eq!(failing(), Vec::<String>::new(), "{}", read());
    // What is taken out of the configuration is forgotten.
    scene.config("");
    scene.run(&["sync"]).ends(3);
    assert_eq!(
        read()["servers"].as_object().unwrap().len(),
        1,
        "{}",
        read()
    );
}
