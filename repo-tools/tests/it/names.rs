//! Under the names of createrepo_c and its kin: links, versions, exit codes, options, each against the real program.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use testkit::program::{self, Run};

use crate::lab::{must, run, text, tree};

const PEERS: [&str; 4] = [
    "createrepo_c",
    "mergerepo_c",
    "modifyrepo_c",
    "sqliterepo_c",
];

/// Our program under another name.
fn named(dir: &Path, name: &str, words: &[&str]) -> Run {
    let link = dir.join(name);
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_repo-tools"), &link).unwrap();
    }
    program::run(Command::new(link).args(words))
}

#[test]
fn versions_are_said_as_the_namesakes_say_them() {
    let dir = tempfile::tempdir().unwrap();
    for name in PEERS {
        let theirs = must(name, &["--version"]);
        let version = |text: &str| {
            text.split_whitespace()
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        };
        for words in [&["--version"][..], &["--verbose", "--version"]] {
            for name in [name, name.trim_end_matches("_c")] {
                let Run { code, out, .. } = named(dir.path(), name, words);
                assert_eq!((code, version(&out)), (0, version(&theirs)), "{name}");
                assert!(out.contains("repo-tools"), "{out}");
            }
        }
    }
}

#[test]
fn exit_codes_are_those_of_the_namesakes() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    must("createrepo_c", &["-q", text(&tree)]);
    let (tree, file) = (text(&tree), text(dir.path()).to_owned() + "/productid");
    fs::write(&file, "of a product\n").unwrap();
    let repodata = format!("{tree}/repodata");
    let out = text(dir.path()).to_owned() + "/out";
    let tries: [(&str, &[&str]); 13] = [
        ("createrepo_c", &[]),
        ("createrepo_c", &["--no-such-option", tree]),
        ("createrepo_c", &["/no/such/directory"]),
        ("createrepo_c", &["--compress-type", "what", tree]),
        ("createrepo_c", &["-i", "/no/such/list", tree]),
        ("createrepo_c", &["-q", tree]),
        ("mergerepo_c", &["--no-such-option"]),
        ("mergerepo_c", &["-r", tree, "-o", &out]),
        ("mergerepo_c", &["-r", tree, "--arch-expand"]),
        ("mergerepo_c", &["-r", tree, "--method", "what"]),
        ("modifyrepo_c", &["/no/such/file", &repodata]),
        ("modifyrepo_c", &[&file, &repodata]),
        ("modifyrepo_c", &["--remove"]),
    ];
    for (name, words) in tries {
        let Run { code, err, .. } = named(dir.path(), name, words);
        let theirs = program::run(Command::new(name).args(words)).code;
        assert_eq!(code, theirs, "{name} {words:?}: {err}");
    }
    fs::write(format!("{tree}/bad.rpm"), "no package").unwrap();
    let words = ["-q", "--error-exit-val", tree];
    let theirs = program::run(Command::new("createrepo_c").args(words)).code;
    assert_eq!(
        (named(dir.path(), "createrepo_c", &words).code, theirs),
        (2, 2)
    );
    assert_eq!(run(&["createrepo", "--error-exit-val", tree]).code, 2);
    assert_eq!(run(&["createrepo", tree]).code, 1);
    // It has databases: createrepo_c 0.17 writes them unasked.
    must("createrepo_c", &["-q", tree]);
    let words = ["--quiet", tree];
    let [ours, theirs] = [
        named(dir.path(), "sqliterepo_c", &words),
        program::run(Command::new("sqliterepo_c").args(words)),
    ];
    assert_eq!((ours.code, &ours.err), (theirs.code, &theirs.err));
    assert!(
        ours.code == 1 && ours.err.contains("--force"),
        "{}",
        ours.err
    );
}

#[test]
fn what_is_not_done_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let dir = text(dir.path());
    let all: [(&str, &[&str], &str); 3] = [
        (
            "createrepo",
            &[
                "--split",
                "--zck",
                "--zck-dict-dir=x",
                "--oldpackagedirs=x",
                "--num-deltas=1",
                "--max-delta-rpm-size=1",
            ],
            dir,
        ),
        (
            "mergerepo",
            &[
                "--zck",
                "--zck-dict-dir=x",
                "--koji",
                "-k",
                "--simple",
                "--pkgorigins",
                "--blocked=x",
                "-b",
                "--noarch-repo=x",
            ],
            "--repo=x",
        ),
        ("modifyrepo", &["--zck", "--zck-dict-dir=x"], dir),
    ];
    for (command, options, rest) in all {
        for option in options {
            let Run { code, err, .. } = run(&[command, option, rest]);
            let name = option.split('=').next().unwrap();
            let said = format!("Error(2) : {name}: ");
            assert!(
                code == 2 && err.starts_with(&said) && err.len() > said.len() + 9,
                "{command} {option}: {err}"
            );
        }
    }
    // What it means here is told by a number.
    let Run { code, err, .. } = named(Path::new(dir), "createrepo_c", &["--deltas", dir]);
    assert!(
        code == 1 && err.contains("--deltas: delta packages are not made"),
        "{err}"
    );
    // Only of the command that knows it elsewhere.
    assert!(!run(&["prune", "--koji", dir]).err.contains("Koji"));
}

#[test]
fn what_is_taken_without_effect_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let words = ["--update-md-path", "/no/such/directory", text(&tree)];
    let Run { code, err, .. } = named(dir.path(), "createrepo_c", &words);
    assert!(
        code == 0 && err == "warning: --update-md-path has no effect without --update\n",
        "{err}"
    );
    let theirs = program::run(Command::new("createrepo_c").args(words));
    assert!(theirs.err.contains("without --update has no effect"));
}

/// What is so anyway may be asked for: the metadata are the same, and nothing is said.
#[test]
fn what_is_done_anyway_may_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let out = dir.path().join("out");
    let create = |word: &str| {
        run(&[
            "createrepo",
            "--revision",
            "1",
            "--set-timestamp-to-revision",
            text(&tree),
            word,
        ])
    };
    create("-q");
    for word in [
        "--update",
        "--pretty",
        "-p",
        "--no-database",
        "--unique-md-filenames",
        "--keep-all-metadata",
        "--local-sqlite",
    ] {
        let Run { code, out, err, .. } = create(word);
        assert!(
            code == 0 && err.is_empty() && out.contains("nothing changed"),
            "{word}: {out}{err}"
        );
    }
    for word in ["--no-database", "--unique-md-filenames"] {
        let Run { code, err, .. } = run(&[
            "mergerepo",
            "--repo",
            text(&tree),
            "--outputdir",
            text(&out),
            word,
        ]);
        assert!(code == 0 && err.is_empty(), "{word}: {err}");
    }
    let file = dir.path().join("productid");
    fs::write(&file, "of a product\n").unwrap();
    for word in ["--compress", "--unique-md-filenames"] {
        let Run { code, err, .. } = run(&["modifyrepo", word, text(&file), text(&tree)]);
        assert!(code == 0 && err.is_empty(), "{word}: {err}");
    }
}

/// The options of a program by its own help: the long form, and the short one.
fn options(program: &str) -> BTreeSet<(String, Option<String>)> {
    let help = must(program, &["--help-all"]);
    let of_line = |line: &str| {
        let words = line.trim_start();
        let (short, long) = match words.split_once(", --") {
            Some((short, long)) if short.len() == 2 => (Some(short.to_owned()), long),
            _ => (None, words.strip_prefix("--")?),
        };
        let end = long.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let long = long.split_at(end.unwrap_or(long.len())).0;
        Some((format!("--{long}"), short))
    };
    let all = help.lines().filter_map(of_line);
    all.filter(|(long, _)| !long.starts_with("--help"))
        .collect()
}

/// Every test of the tool with its text.
fn tests() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut all = Vec::new();
    for file in testkit::tree::files(&folder) {
        let source = fs::read_to_string(file).unwrap();
        for part in source.split("#[test]\n").skip(1) {
            let text = part.split("\n}\n").next().unwrap();
            let name = text
                .split("fn ")
                .nth(1)
                .and_then(|rest| rest.split('(').next());
            all.push((name.unwrap().to_owned(), text.to_owned()));
        }
    }
    all
}

/// The table of options in the guide: all that the help of this machine's createrepo_c and its kin has, whether it is taken, and a test that types it. `TDNF_UPDATE_DOCS=1` writes it anew.
#[test]
fn the_guide_lists_every_option_of_the_namesakes() {
    let mut parser = repo_tools::parser();
    parser.build();
    let tests = tests();
    let mut table = String::from("| program | option | here | test |\n|---|---|---|---|\n");
    for program in PEERS {
        let command = parser
            .find_subcommand(program.trim_end_matches("_c"))
            .unwrap();
        for (long, short) in options(program) {
            let known = command
                .get_arguments()
                .find(|arg| arg.get_long() == long.strip_prefix("--"));
            let here = match known
                .and_then(|arg| arg.get_help())
                .map(ToString::to_string)
            {
                _ if long == "--version" => "taken",
                _ if program == "createrepo_c" && long == "--deltas" => "refused",
                None => "refused",
                Some(help) if help.contains("with a warning") => "taken, with a warning",
                Some(help) if help.contains("done anyway") => "done anyway",
                Some(_) => "taken",
            };
            let command = format!("\"{}", command.get_name());
            let types = |text: &str| {
                text.contains(&command) || text.contains(program) || text.contains("PEERS")
            };
            let is_refused = |text: &str| text.contains("fn what_is_not_done_is_refused");
            let by = |word: &String| {
                let words = [format!("\"{word}\""), format!("\"{word}=")];
                let mut tests = tests.iter();
                let found = tests.find(|(_, text)| {
                    types(text)
                        && is_refused(text) == (here == "refused")
                        && words.iter().any(|word| text.contains(word))
                });
                found.map(|(name, _)| name)
            };
            let test = by(&long).or_else(|| by(short.as_ref()?));
            let test = test.unwrap_or_else(|| panic!("no test types {long} of {program}"));
            writeln!(table, "| {program} | `{long}` | {here} | `{test}` |").unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/repo-tools.md");
    let guide = fs::read_to_string(&path).unwrap();
    let start = guide
        .find("| program | option |")
        .expect("the guide has the table");
    let end = guide[start..]
        .find("\n\n")
        .map_or(guide.len(), |end| start + end + 1);
    if std::env::var_os("TDNF_UPDATE_DOCS").is_some() {
        let new = [&guide[..start], &table, &guide[end..]].concat();
        return fs::write(&path, new).unwrap();
    }
    assert_eq!(&guide[start..end], table, "TDNF_UPDATE_DOCS=1 writes it");
}
