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

/// What the guides (`.md`) of a folder lead to, and which guides they and the example configurations beside them name, that
/// is not there; and how much was looked for.
pub fn dead_links(dir: &Path) -> io::Result<(Vec<String>, usize)> {
    let (mut dead, mut number) = (Vec::new(), 0);
    for entry in fs::read_dir(dir)? {
        let file = entry?.path();
        let kind = file.extension().and_then(|kind| kind.to_str());
        if !matches!(kind, Some("md" | "toml" | "conf" | "repo")) {
            continue;
        }
        let text = fs::read_to_string(&file)?;
        let linked = text.split("](").skip(1);
        let linked = linked.filter_map(|rest| rest.split([')', '#']).next());
        let linked = linked.filter(|name| !name.is_empty() && !name.contains("://"));
        let told = text.split("docs/").skip(1);
        let told = told.filter_map(|rest| rest.split_once(".md"));
        let told =
            told.filter(|(name, _)| name.bytes().all(|b| b == b'-' || b.is_ascii_lowercase()));
        let told = told.map(|(name, _)| format!("{name}.md"));
        for name in linked.map(str::to_owned).chain(told) {
            if !dir.join(&name).exists() {
                dead.push(format!("{}: {name}", file.display()));
            }
            number += 1;
        }
    }
    Ok((dead, number))
}

/// Writes the man pages of a tool and of each of its commands, and its completions for bash, zsh and
/// fish, into a directory.
pub fn write_manual(parser: &Parser, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut all = parser.clone().disable_help_subcommand(true);
    all.build();
    write_pages(&all, &all, dir)?;
    write_completions(parser, parser.get_name(), dir)
}

/// The page of a command of a tool, and those of the commands below it.
fn write_pages(command: &Parser, tool: &Parser, dir: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        write_pages(below, tool, dir)?;
    }
    let version = tool.get_version().unwrap_or_default();
    let man = clap_mangen::Man::new(command.clone());
    let file = man.get_filename();
    let name = file.trim_end_matches(".1");
    let man = man
        .title(name.to_uppercase())
        .date(page_date())
        .source(format!("{} {version}", tool.get_name()))
        .manual(tool.get_name());
    let mut text = Vec::new();
    man.render(&mut text)?;
    // What stands behind the options of a help has a name in a page.
    let mut text = String::from_utf8_lossy(&text)
        .replace(".SH EXTRA\nExample: ", ".SH EXAMPLE\n")
        .replace(".SH EXTRA\nExit codes: ", ".SH EXIT STATUS\n");
    let above = name.rsplit_once('-').filter(|_| name != tool.get_name());
    let also = match above {
        Some((above, _)) => format!("{above}(1)"),
        None => format!("The guide: /usr/share/doc/{name}/{name}.md"),
    };
    text.push_str(&format!(".SH SEE ALSO\n{}\n", also.replace('-', "\\-")));
    fs::write(dir.join(&file), text)
}

/// The day that man pages bear: that of `SOURCE_DATE_EPOCH`, else today.
pub fn page_date() -> String {
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
    let epoch = epoch.and_then(|text| text.trim().parse().ok());
    let day = epoch.and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
    let day = day.unwrap_or_else(|| std::time::SystemTime::now().into());
    day.format("%Y-%m-%d").to_string()
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
