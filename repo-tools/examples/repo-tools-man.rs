//! Writes man pages and completions of repo-tools into a directory: `repo-tools-man DIR`.

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let dir = std::env::args_os().nth(1);
    let dir = dir.ok_or_else(|| io::Error::other("usage: repo-tools-man DIR"))?;
    testkit::words::write_manual(&repo_tools::parser(), Path::new(&dir))
}
