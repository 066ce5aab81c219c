//! `sign --key FILE DIR|PACKAGE...`.

use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Entry, Session, flag, text, texts, value};
use crate::error::Result;
use crate::sign;

pub(super) const ENTRY: Entry = Entry {
    name: "sign",
    programs: &[],
    args,
    run,
};

fn args(command: Command) -> Command {
    command
        .about("Signs repositories (repomd.xml.asc) and packages (header signatures)")
        .arg(
            value("key", "File with an unencrypted private key")
                .short('k')
                .required(true),
        )
        .arg(flag("with-key", "Write the public key beside repomd.xml"))
        .arg(
            Arg::new("what")
                .value_name("DIR|PACKAGE")
                .required(true)
                .action(ArgAction::Append)
                .help("Repositories in directories, package files"),
        )
}

fn run(args: &ArgMatches, session: &Session) -> Result<()> {
    let key = sign::read_key(Path::new(&text(args, "key").unwrap_or_default()))?;
    for what in texts(args, "what") {
        let path = Path::new(&what);
        if path.is_dir() {
            sign::repository(path, &key, args.get_flag("with-key"), session.now)?;
        } else {
            sign::package(path, &key, session.now)?;
        }
        session
            .printer
            .info(&format!("{what}: signed by {}", key.key_id()));
    }
    Ok(())
}
