//! `mirror-sync bundle request`.

use std::path::PathBuf;

use clap::Args;

use crate::bundle::record;
use crate::bundle::request::{FORMAT, SiteRequest, installed_in};
use crate::commands::session::Session;
use crate::config;
use crate::error::{Error, Result};
use crate::layout::write_json;
use crate::plan::closure::read_installed;

/// Writes what this host needs into a file to be carried out
#[derive(Args)]
#[command(
    after_help = "Example: mirror-sync bundle request --site plant --upgrade --output plant.json nginx"
)]
pub(in crate::commands) struct RequestCommand {
    /// Packages to install
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
    /// The site (bundle.site)
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Reads the packages installed below it (/)
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/",
        hide_default_value = true
    )]
    installed_root: PathBuf,
    /// Takes them from a list instead, one full name a line
    #[arg(long, value_name = "FILE")]
    installed: Option<PathBuf>,
    /// Also newer versions of what is installed
    #[arg(long)]
    upgrade: bool,
    /// Recommended packages count as needed
    #[arg(long)]
    recommends: bool,
    /// Only from these repositories
    #[arg(long = "repo", value_name = "REPO")]
    repos: Vec<String>,
    /// Architecture, if not this machine's
    #[arg(long, default_value = std::env::consts::ARCH, hide_default_value = true)]
    arch: String,
    /// Where to
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

impl RequestCommand {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<()> {
        let request = self.request(session)?;
        write_json(&self.output, &request)?;
        session.printer.json(&request);
        session.printer.info(&format!(
            "{}: {} packages installed, {} wanted",
            self.output.display(),
            request.installed.len(),
            request.packages.len()
        ));
        Ok(())
    }

    fn request(&self, session: &Session<'_>) -> Result<SiteRequest> {
        let site = self.site.as_ref().or(session.config.bundle.site.as_ref());
        let site =
            site.ok_or_else(|| Error::Usage("name the site: --site or bundle.site".into()))?;
        if let Some(why) = config::unfit(site) {
            return Err(Error::Usage(format!("site {site}: {why}")));
        }
        let installed = match &self.installed {
            Some(file) => read_installed(file)?,
            None => installed_in(&self.installed_root)?,
        };
        let last = record::applied(&session.layout)?.receipts.pop();
        Ok(SiteRequest {
            format: FORMAT,
            site: site.clone(),
            made: session.now,
            arch: self.arch.clone(),
            repos: self.repos.clone(),
            installed,
            packages: self.packages.clone(),
            upgrade: self.upgrade,
            recommends: self.recommends,
            last: last.map(|receipt| receipt.bundle),
        })
    }
}
