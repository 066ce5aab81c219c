//! The log: on standard error where it is asked for.

use testkit::program;

use crate::scene::Scene;

#[test]
fn the_log_tells_the_steps_of_a_run() {
    let scene = Scene::usual();
    let run =
        |wanted: &str, words: &[&str]| program::run(scene.command(words).env("TDNF_LOG", wanted));
    let first = run("debug", &["sync", "--json"]).ends(0);
    assert!(first.json().is_object(), "{}", first.out);
    for step in [
        "INFO look{repo=\"base\"}",
        "mirror chosen repo=\"base\"",
        "select: mirror_sync::sync::select: close",
        "INFO fetch{files=",
        "DEBUG fetch{files=",
        "INFO publish{repo=\"base\" stamp=",
        "repository is done with repo=\"base\"",
    ] {
        assert!(first.err.contains(step), "{step}: {}", first.err);
    }
    let again = run("", &["sync"]).ends(3);
    assert!(!again.err.contains(" INFO "), "{}", again.err);
    let verbose = run("", &["sync", "-v"]).ends(3);
    assert!(verbose.err.contains(" INFO "), "{}", verbose.err);
    assert!(!verbose.err.contains("DEBUG"), "{}", verbose.err);
    let wrong = run("base=debug", &["sync"]).ends(3);
    assert!(
        wrong
            .err
            .contains("warning: TDNF_LOG: 'base=debug' is ignored: ")
    );
}
