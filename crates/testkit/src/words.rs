//! Command lines as clap knows them: what their help promises, what a shell completes.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

use clap::Command as Parser;
use clap_complete::Shell;

/// Every command without commands below it says what it does and what each of its options does, and
/// ends its help with an example that its parser takes. Returns the number of such commands.
pub fn check_help(mut parser: Parser) -> usize {
    parser.build();
    let mut leaves = Vec::new();
    collect_leaves(&parser, &mut leaves);
    for command in &leaves {
        let name = command.get_bin_name().expect("built").to_owned();
        assert!(command.get_about().is_some(), "{name} says nothing");
        for arg in command.get_arguments() {
            assert!(
                arg.get_help().is_some(),
                "{name} {} says nothing",
                arg.get_id()
            );
        }
        let mut command = (*command).clone();
        let help = command.render_help().to_string();
        assert!(help.contains(&format!("Usage: {name} ")), "{name}: {help}");
        let example = help
            .split("\nExample: ")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        let example = example.unwrap_or_else(|| panic!("{name} has no example: {help}"));
        assert!(example.starts_with(&name), "{name}: {example}");
        if let Err(error) = parser.clone().try_get_matches_from(split(example)) {
            panic!("{example}: {error}");
        }
    }
    leaves.len()
}

fn collect_leaves<'c>(command: &'c Parser, leaves: &mut Vec<&'c Parser>) {
    let mut below = command
        .get_subcommands()
        .filter(|c| c.get_name() != "help")
        .peekable();
    if below.peek().is_none() {
        leaves.push(command);
    }
    below.for_each(|command| collect_leaves(command, leaves));
}

/// Words as a shell splits them; single quotes keep what is in them together.
fn split(line: &str) -> Vec<&str> {
    let parts = line.split('\'').enumerate();
    let words = parts.flat_map(|(number, part)| match number % 2 {
        0 => part.split_whitespace().collect(),
        _ => vec![part],
    });
    words.collect()
}

/// Writes the man pages of a tool and of each of its commands, and its completions for bash, zsh and
/// fish, into a directory.
pub fn write_manual(parser: &Parser, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    clap_mangen::generate_to(parser.clone(), dir)?;
    write_completions(parser, parser.get_name(), dir)
}

/// Writes the completions of a parser for the shells under a name.
pub fn write_completions(parser: &Parser, name: &str, dir: &Path) -> io::Result<()> {
    for (shell, file) in [
        (Shell::Zsh, format!("_{name}")),
        (Shell::Fish, format!("{name}.fish")),
    ] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut parser.clone(), name, &mut text);
        fs::write(dir.join(file), text)?;
    }
    // For a name with a hyphen clap_complete 4.6 looks for commands under two spellings of it, and
    // finds none: the function gets a name without, and only what it is told to complete the right one.
    let plain = name.replace('-', "_");
    let mut text = Vec::new();
    clap_complete::generate(Shell::Bash, &mut parser.clone(), &plain, &mut text);
    let text = String::from_utf8_lossy(&text).replace(
        &format!("-o default {plain}\n"),
        &format!("-o default {name}\n"),
    );
    fs::write(dir.join(format!("{name}.bash")), text)
}

/// What a real bash offers at the end of a line, sorted, with the completions written to `dir`.
pub fn completed_by_bash(dir: &Path, line: &str) -> Vec<String> {
    let script = r#"
        source "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        set -- $(complete -p "$1")
        while [ "$1" != -F ]; do shift; done
        "$2" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let words: Vec<&str> = line.split(' ').collect();
    let name = words.first().expect("a program");
    let output = Command::new("bash")
        .args(["--norc", "-c", script, "bash"])
        .arg(dir.join(format!("{name}.bash")))
        .args(&words)
        .output()
        .expect("bash runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let mut offered: Vec<String> = text.lines().map(str::to_owned).collect();
    offered.sort();
    offered
}
