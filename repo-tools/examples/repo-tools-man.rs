//! Writes a man page for repo-tools and for each of its commands into a directory: `man DIR`.
#![allow(clippy::print_stderr)] // a tool of the build, not of users

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let (Some(dir), None) = (words.next(), words.next()) else {
        eprintln!("usage: man DIR");
        return ExitCode::from(2);
    };
    let dir = Path::new(&dir);
    let made = std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(repo_tools::parser(), dir));
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", dir.display());
            ExitCode::from(1)
        }
    }
}
