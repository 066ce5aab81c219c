//! `mark install|remove`: who wanted a package.

use clap::ValueEnum;
use rpm_solv::SelectFlags;

use super::change::known_sources;
use super::operands::{Operand, Operands, unknown_action, words};
use super::query::{select_all, tell_unknown};
use super::{Command, Needs};
use crate::change;
use crate::error::{Code, Failure, Outcome};
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "mark",
    usage: "install|remove PACKAGE...",
    operands: Operands {
        keywords: words::<Mark>,
        keyword_needed: true,
        rest: Operand::Installed,
    },
    example: "mark install nginx",
    about: "Mark installed packages as asked for, or as dependencies",
    needs: Needs::Lock,
    run,
    never_dry: true,
    ..Command::PLAIN
};

/// Who wanted a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mark {
    /// The user.
    Install,
    /// Another package: it may go with that.
    Remove,
}

fn run(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let Some((action, specs)) = words.split_first() else {
        return Err(Failure::new(Code::INVALID_PARAMETER)
            .remark("need action ('install' or 'remove') as argument"));
    };
    let mark = Mark::from_str(action, false).map_err(|_| unknown_action::<Mark>(action))?;
    let auto = mark == Mark::Remove;
    if specs.is_empty() {
        return Err(
            Failure::new(Code::INVALID_PARAMETER).remark("need package spec(s) as argument")
        );
    }
    let mut packages = session.packages(Vec::new())?;
    let mut is_absent = |word: &String| {
        let found = packages.pool.select(word, SelectFlags::INSTALLED, true);
        found.is_ok_and(|found| found.is_empty())
    };
    if specs.iter().any(&mut is_absent) {
        packages = session.packages(known_sources(session))?;
    }
    let (found, unknown) = select_all(session, &mut packages, specs, SelectFlags::INSTALLED)?;
    match unknown {
        Some(unknown) if found.is_empty() => return Err(unknown),
        unknown => tell_unknown(session, unknown.as_ref()),
    }
    let names = found.iter().map(|id| packages.pool.name(*id).to_owned());
    let names: Vec<String> = names.collect();
    let word = if auto {
        "autoinstalled"
    } else {
        "userinstalled"
    };
    for name in &names {
        session.printer.info(&format!("marking {name} as {word}"));
    }
    change::mark(session, &names, auto)?;
    Ok(0)
}
