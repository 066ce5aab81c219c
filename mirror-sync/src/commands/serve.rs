//! `mirror-sync serve`.

use clap::Args;

use super::session::{self, Session};
use crate::config::address;
use crate::error::{EXIT_DONE, Result};
use crate::serve::{self, Signals};

/// Serves the mirror over HTTP, and fills repositories in proxy mode on demand
#[derive(Args)]
#[command(after_help = "Example: mirror-sync serve --listen 0.0.0.0:8080")]
pub(super) struct ServeCommand {
    /// Address and port (serve.listen)
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    listen: Option<String>,
}

impl ServeCommand {
    pub(super) fn run(&self, mut session: Session<'_>) -> Result<u8> {
        if let Some(address) = &self.listen {
            session.config.serve.listen.clone_from(address);
        }
        let stop = session::server_stop_flag();
        let client = session::client(&stop);
        let renew = session::renew_flag();
        let signals = Signals { stop, renew };
        serve::serve(&session.config, client, session.printer, &signals)?;
        Ok(EXIT_DONE)
    }
}
