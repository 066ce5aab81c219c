//! Writes man pages and completions of mirror-sync into a directory: `mirror-sync-man DIR`.

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let dir = std::env::args_os().nth(1);
    let dir = dir.ok_or_else(|| io::Error::other("usage: mirror-sync-man DIR"))?;
    testkit::words::write_manual(&mirror_sync::parser(), Path::new(&dir))
}
