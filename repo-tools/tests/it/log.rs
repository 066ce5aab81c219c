//! The log: on standard error where it is asked for.

use testkit::program;

use crate::lab::{text, tool, tree};

#[test]
fn the_log_tells_what_was_read() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let run = |wanted: &str, more: &[&str]| {
        let mut command = tool();
        command
            .env("TDNF_LOG", wanted)
            .args(["createrepo", text(&tree)]);
        program::run(command.args(more)).ok()
    };
    let said = run("info", &[]).err;
    for step in ["scan:", "build{packages=6 read=6}:", "publish:"] {
        let found = said
            .lines()
            .any(|line| line.contains(step) && line.contains("time.busy="));
        assert!(found, "{step}: {said}");
    }
    let silent = run("", &[]);
    assert_eq!(silent.err, "");
    let logged = run("repo-tools=info", &[]);
    assert_eq!(logged.out, silent.out);
    let said = logged.err;
    assert!(said.contains("nothing has changed packages=6"), "{said}");
    let verbose = run("", &["-v"]).err;
    assert!(
        verbose.contains("nothing has changed packages=6"),
        "{verbose}"
    );
    let wrong = run("loud", &[]);
    assert_eq!(wrong.out, silent.out);
    let said = wrong.err;
    assert!(
        said.starts_with("warning: TDNF_LOG: 'loud' is ignored: "),
        "{said}"
    );
}

/// Whatever stands in arguments and locale: it is shown, and steers nothing.
#[test]
fn row_57_words_steer_no_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let word = program::STEERING;
    for line in [
        "X",
        "createrepo X",
        "createrepo --X TREE",
        "createrepo -o X/X TREE",
        "createrepo -g X TREE",
        "createrepo --compress-type X TREE",
        "mergerepo -r X",
        "modifyrepo X X",
        "check X",
        "query X",
        "diff X X",
        "prune X",
        "sign X",
        "sqliterepo X",
    ] {
        let words = line.split(' ').map(|one| match one {
            "TREE" => text(&tree).to_owned(),
            _ => one.replace('X', word),
        });
        let mut command = tool();
        command.current_dir(dir.path());
        for name in program::STEERING_VARIABLES {
            command.env(name, word);
        }
        let run = program::run(command.args(words)).steers_nothing();
        assert!(
            run.code >= 0 && !run.err.contains("panicked"),
            "{line}: {run:?}"
        );
    }
}
