//! Writes man pages and completions of repo-tools into a directory: `repo-tools-man DIR`.

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let dir = std::env::args_os().nth(1);
    let dir = dir.ok_or_else(|| io::Error::other("usage: repo-tools-man DIR"))?;
    let (parser, dir) = (repo_tools::parser(), Path::new(&dir));
    testkit::words::write_manual(&parser, dir)?;
    // The links of createrepo and its kin are typed without the tool's name.
    for link in ["createrepo", "modifyrepo", "mergerepo"] {
        let command = parser.find_subcommand(link).expect("a command of its name");
        for name in [link.to_owned(), format!("{link}_c")] {
            let command = command.clone().name(name.clone());
            testkit::words::write_completions(&command, &name, dir)?;
        }
    }
    Ok(())
}
