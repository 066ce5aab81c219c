//! `clean TYPE`: removes cached data of all configured repositories, on or off.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::Command;
use super::operands::{Operand, Operands, unknown_keyword};
use crate::error::{At, Code, Failure, Outcome};
use crate::session::{GONE, INSTALLED_CACHE, RATES, Session};

pub(super) const COMMAND: Command = Command {
    name: "clean",
    usage: "packages|metadata|dbcache|keys|expire-cache|all",
    operands: Operands::after(keywords, Operand::Nothing),
    example: "clean packages",
    about: "Remove cached data",
    run,
    never_dry: true,
    ..Command::PLAIN
};

/// What can be cleaned, and what that is below the directory of a repository.
const PARTS: [(&str, &[&str]); 5] = [
    ("metadata", &["repodata", GONE]),
    ("dbcache", &["solvcache", "catalog"]),
    ("packages", &["rpms", super::reposync::CHECKED]),
    ("keys", &["keys"]),
    ("expire-cache", &["lastrefresh", "mirrorlist", GONE]),
];

fn keywords() -> Vec<String> {
    let parts = PARTS.iter().map(|(name, _)| *name);
    parts.chain(["all"]).map(str::to_owned).collect()
}

fn run(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let Some(word) = words.first().map(|word| word.to_lowercase()) else {
        let hint = format!("it takes {}", COMMAND.usage);
        return Err(Failure::new(Code::CLI_CLEAN_REQUIRES_OPTION).hint(hint));
    };
    let chosen: Vec<_> = PARTS
        .iter()
        .filter(|(name, _)| word == "all" || word == *name)
        .collect();
    if chosen.is_empty() {
        return Err(match word.as_str() {
            "plugins" => Code::CLEAN_UNSUPPORTED.into(),
            _ => unknown_keyword(&word, &keywords()),
        });
    }
    let names: Vec<&str> = chosen.iter().map(|(name, _)| *name).collect();
    for repo in session.repos()? {
        session
            .printer
            .info(&format!("cleaning {}: {}", repo.id, names.join(" ")));
        let dir = session.repo_cache(&repo);
        if dir.is_symlink() {
            remove(&dir)?;
            continue;
        }
        for part in chosen.iter().flat_map(|(_, parts)| parts.iter()) {
            remove(&dir.join(part))?;
        }
        // Fails while something is left in it, which is right.
        let _ = fs::remove_dir(&dir);
    }
    if names.contains(&"dbcache") {
        remove(&session.cache_dir().join(INSTALLED_CACHE))?;
    }
    if word == "all" {
        remove(&session.cache_dir().join(RATES))?;
    }
    session.printer.info("Done.");
    Ok(0)
}

/// Removes a file or a whole directory; links are removed, not followed.
fn remove(path: &Path) -> Outcome<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::io(path, &error)),
    };
    let removed = if kind.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    removed.at(path)
}
