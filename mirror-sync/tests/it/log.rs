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

/// Whatever stands in arguments, locale and metadata: it is shown, and steers nothing.
#[test]
fn row_57_words_steer_no_terminal() {
    let scene = Scene::usual();
    let word = program::STEERING;
    for line in [
        "X",
        "sync X",
        "sync --X",
        "sync --set X=1",
        "sync --set repo.X.baseurl=X",
        "status X",
        "verify X",
        "snapshot list X",
        "snapshot diff X X",
        "clean X",
        "bundle apply X",
        "bundle make X",
        "key show X",
        "serve --listen X",
    ] {
        for json in [false, true] {
            let line = line.split(' ').map(|one| one.replace('X', word));
            let words: Vec<String> = line.chain(json.then(|| "--json".to_owned())).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let mut command = scene.command(&words);
            command.current_dir(scene.path(""));
            for name in program::STEERING_VARIABLES {
                command.env(name, word);
            }
            let run = program::run(&mut command).steers_nothing();
            assert!(
                run.code > 0 && !run.err.contains("panicked"),
                "{words:?}: {run:?}"
            );
            if !run.out.is_empty() && json {
                run.json();
            }
        }
    }
}
