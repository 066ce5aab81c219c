//! Commands in hints, which are made to be pasted.

/// A word as a shell reads it as one.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=,:@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Words of a command line, to be pasted.
pub fn shell_words(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
    words.join(" ")
}

/// A line with `options` in each command of `program` that stands in backquotes; a help text is the same for every
/// system.
pub fn with_options(program: &str, line: &str, options: &str) -> String {
    let program = format!("{program} ");
    if options.is_empty() || !line.contains(&format!("`{program}")) {
        return line.to_owned();
    }
    let pieces = line.split('`').enumerate().map(|(at, piece)| {
        let is_command = at % 2 == 1 && piece.starts_with(&program) && !piece.ends_with(" --help");
        match is_command {
            true => {
                let commands = piece.split(" && ");
                let commands =
                    commands.map(|one| one.replacen(&program, &format!("{program}{options} "), 1));
                commands.collect::<Vec<_>>().join(" && ")
            }
            false => piece.to_owned(),
        }
    });
    pieces.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::with_options;

    #[test]
    fn a_command_of_a_hint_is_about_the_system_of_the_run() {
        for (line, wanted) in [
            (
                "or `tdnf erase a && tdnf install b`",
                "or `tdnf -c x erase a && tdnf -c x install b`",
            ),
            (
                "`tdnf list`, `tdnf count`",
                "`tdnf -c x list`, `tdnf -c x count`",
            ),
            ("see `tdnf list --help`", "see `tdnf list --help`"),
            ("it`s `ls` and tdnf list", "it`s `ls` and tdnf list"),
        ] {
            assert_eq!(with_options("tdnf", line, "-c x"), wanted);
            assert_eq!(with_options("tdnf", line, ""), line);
        }
    }
}
