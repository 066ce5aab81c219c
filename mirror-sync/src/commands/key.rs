//! `mirror-sync key`.

use std::path::PathBuf;

use clap::Subcommand;
use cli_kit::Printer;

use super::session;
use crate::error::{EXIT_DONE, Result};
use crate::trust;

/// The key that signs metadata made here
#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Makes a key pair: FILE and FILE.pub
    #[command(
        after_help = "Example: mirror-sync key generate --user-id 'Our mirror' /etc/mirror.key"
    )]
    Generate {
        /// Where the private key goes
        file: PathBuf,
        /// Whose key it is
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "RPM mirror",
            hide_default_value = true
        )]
        user_id: String,
    },
}

impl KeyCommand {
    pub(super) fn run(&self, printer: &Printer) -> Result<u8> {
        let KeyCommand::Generate { file, user_id } = self;
        let key = trust::generate(file, user_id, session::now())?;
        printer.json(&serde_json::json!({ "fingerprint": key.fingerprint(), "file": file }));
        let file = file.display();
        printer.info(&format!(
            "{file}: key {}; public half in {file}.pub",
            key.fingerprint()
        ));
        Ok(EXIT_DONE)
    }
}
