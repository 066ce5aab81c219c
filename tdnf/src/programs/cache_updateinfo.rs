//! `tdnf-cache-updateinfo`: keeps what `tdnf updateinfo` says in a file, so that a login need not
//! wait for it.

use std::fs;

use cli_kit::{OutputMode, Printer};
use whole_file::{Access, Durability};

use crate::args::{self, Args};
use crate::error::{At, Outcome};
use crate::programs::automatic::child;
use crate::screen::Screen;
use crate::settings::{Environment, Settings};

/// The file below the cache directory.
pub(super) const FILE: &str = "cached-updateinfo.txt";

pub(super) const USAGE: &str = "\
Usage: tdnf-cache-updateinfo [tdnf options]

Writes what 'tdnf -q --refresh updateinfo' says to cached-updateinfo.txt in the cache
directory.";

pub(super) fn run(words: &[String]) -> u8 {
    let printer = Screen::plain();
    let argv = std::iter::once("tdnf".to_owned()).chain(words.iter().cloned());
    let done = args::parse(argv).and_then(|args| match args.options.output.help {
        true => {
            printer.crit(USAGE);
            Ok(0)
        }
        false => keep(&args, words),
    });
    printer.end(done)
}

fn keep(args: &Args, words: &[String]) -> Outcome<u8> {
    let environment = Environment::of_process();
    let program = environment.program.clone();
    let settings = Settings::resolve(args, environment)?;
    let mut command: Vec<String> = ["-q", "--refresh"].map(str::to_owned).into();
    command.extend(words.iter().cloned());
    command.push("updateinfo".to_owned());
    let ran = child(&program, &command)?;
    if ran.code != 0 {
        // The previous file stays: old advice is better than none.
        Printer::standard(OutputMode::default()).err_part(&ran.err);
        return Ok(ran.code);
    }
    let dir = &settings.cache_dir;
    fs::create_dir_all(dir).at(dir)?;
    let path = dir.join(FILE);
    whole_file::replace(&path, ran.out.as_bytes(), Access::Umask, Durability::Cache).at(&path)?;
    Ok(0)
}
