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
