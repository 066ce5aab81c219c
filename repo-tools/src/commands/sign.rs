//! `sign --key FILE DIR|PACKAGE...`.

use std::path::PathBuf;

use clap::Args;

use super::{RunContext, example};
use crate::error::Result;
use crate::sign;

/// Signs repositories (repomd.xml.asc) and packages (header signatures)
#[derive(Args)]
#[command(after_help = example("repo-tools sign --key sign.key /srv/repo"))]
pub(super) struct Sign {
    /// File with an unencrypted private key
    #[arg(long, short, value_name = "FILE")]
    key: PathBuf,
    /// Write the public key beside repomd.xml
    #[arg(long)]
    with_key: bool,
    /// Repositories in directories, package files
    #[arg(value_name = "DIR|PACKAGE", required = true)]
    what: Vec<PathBuf>,
}

impl Sign {
    pub(super) fn run(&self, session: &RunContext) -> Result<()> {
        let key = sign::read_key(&self.key)?;
        for path in &self.what {
            if path.is_dir() {
                sign::repository(path, &key, self.with_key, session.now)?;
            } else {
                sign::package(path, &key, session.now)?;
            }
            session
                .printer
                .info(&format!("{}: signed by {}", path.display(), key.key_id()));
        }
        Ok(())
    }
}
