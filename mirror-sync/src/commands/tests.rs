//! What is said of values that cannot be used.

use clap::Parser;

use super::CommandLine;

/// What `run` prints of wrong words, behind `Error: `.
fn wrong(line: &str) -> Option<String> {
    let words = ["mirror-sync"].into_iter().chain(line.split(' '));
    let error = CommandLine::try_parse_from(words).err().unwrap();
    cli_kit::unfit_value(&error)
}

#[test]
fn a_wrong_value_is_named_with_its_option() {
    for (line, text) in [
        (
            "sync --wait soon",
            "--wait soon: expected a time such as 10m",
        ),
        (
            "--limit-rate=fast sync",
            "--limit-rate fast: expected a size such as 10M",
        ),
        (
            "bundle make --split 0",
            "--split 0: expected a size such as 4.4G",
        ),
        (
            "bundle make --split x",
            "--split x: expected a size such as 4.4G",
        ),
        (
            "bundle make --expires x",
            "--expires x: expected a time such as 90d",
        ),
    ] {
        assert_eq!(wrong(line).as_deref(), Some(text), "{line}");
    }
    // A word that is missing or not known is told by the parser itself.
    for line in ["snapshot promote base", "synch"] {
        assert_eq!(wrong(line), None, "{line}");
    }
}
