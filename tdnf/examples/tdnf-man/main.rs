//! Writes the man pages of tdnf, of each of its commands and of its files into a directory:
//! `man DIR`.
#![allow(clippy::print_stderr)] // a tool of the build, not of users

mod formats;
mod pages;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let (Some(dir), None) = (words.next(), words.next()) else {
        eprintln!("usage: man DIR");
        return ExitCode::from(2);
    };
    let dir = Path::new(&dir);
    match pages::write(dir) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", dir.display());
            ExitCode::from(1)
        }
    }
}
