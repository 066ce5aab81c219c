//! What is said of values that cannot be used.

use super::*;

/// What `run` prints of wrong words, behind `Error(2) : `.
fn wrong(line: &str) -> Option<String> {
    let words = ["repo-tools"].into_iter().chain(line.split(' '));
    let error = RepoToolsLine::try_parse_from(words).err().unwrap();
    unfit(&error).map(|error| {
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    })
}

#[test]
fn a_wrong_value_is_named() {
    for (line, text) in [
        ("createrepo --workers x .", "--workers x: expected a number"),
        (
            "createrepo --cut-dirs=-1 .",
            "--cut-dirs -1: expected a number",
        ),
        (
            "createrepo --record =x .",
            "--record =x: expected TYPE=FILE",
        ),
        (
            "mergerepo -r a --method old",
            "--method old: expected repo, ts or nvr",
        ),
        ("prune --keep 0 .", "--keep 0: expected 1 or more"),
        ("prune -k many .", "--keep many: expected a number"),
        (
            "createrepo -s crc .",
            "unknown checksum crc: sha256, sha512, sha384, sha224, sha1 or md5",
        ),
        (
            "modifyrepo --compress-type lzma a b",
            "unknown compression lzma: gz, xz, zst, bz2 or none",
        ),
    ] {
        assert_eq!(wrong(line).as_deref(), Some(text), "{line}");
    }
    // A word that is missing or not known is told by the parser itself.
    for line in ["prune .", "createrepo", "create ."] {
        assert_eq!(wrong(line), None, "{line}");
    }
}
