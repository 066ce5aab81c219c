//! `mirror-sync bundle make`.

use std::path::PathBuf;

use clap::Args;

use super::describe;
use crate::bundle::make::{BundleOptions, Orders, make};
use crate::bundle::record::Receipt;
use crate::bundle::request::SiteRequest;
use crate::commands::session::Session;
use crate::config;
use crate::error::{EXIT_DONE, EXIT_NOTHING_NEW, EXIT_PARTIAL, Error, Result};
use crate::plan::locked::LockedSet;
use crate::sync::{SyncOptions, SyncRun, tell_unknown};
use crate::trust;

/// Makes a bundle of what the mirror has
#[derive(Args)]
#[command(
    after_help = "Example: mirror-sync bundle make --request plant.json --split 4.4G --output /media"
)]
pub(in crate::commands) struct Make {
    /// The site; that of the requests
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// What a host asks for; without any everything is taken
    #[arg(long = "request", value_name = "FILE")]
    requests: Vec<PathBuf>,
    /// A lock of tdnf whose packages are taken, by their digests
    #[arg(long = "lock", value_name = "FILE")]
    locks: Vec<PathBuf>,
    /// What the site applied
    #[arg(long = "receipt", value_name = "FILE")]
    receipts: Vec<PathBuf>,
    #[command(flatten)]
    options: BundleOptions,
}

impl Make {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<u8> {
        session.change(&SyncOptions::default(), |run| self.made(run))
    }

    fn made(&self, run: &SyncRun<'_>) -> Result<u8> {
        let printer = run.printer;
        let orders = self.orders()?;
        for (path, locked) in self.locks.iter().zip(&orders.locks) {
            tell_unknown(run, path, locked);
        }
        let file = self
            .options
            .key
            .as_ref()
            .or(run.config.mirror.sign_key.as_ref());
        let file = file.ok_or_else(|| {
            Error::Usage("a bundle is signed: name a key with --key or mirror.sign_key".into())
        })?;
        let key = trust::signing_key(file)?;
        let made = make(run, &orders, &key)?;
        printer.json(&match &made.bundle {
            None => serde_json::json!({
                "site": orders.site,
                "nothing_new": true,
                "failed": made.failed,
            }),
            Some(bundle) => serde_json::json!({
                "site": orders.site,
                "number": bundle.contents.number,
                "parts": bundle.parts,
                "bytes": bundle.contents.bytes(),
                "failed": made.failed,
            }),
        });
        for (wish, why) in &made.failed {
            printer.err(&format!("Error: {wish} is not in the bundle: {why}"));
        }
        match &made.bundle {
            None if !made.failed.is_empty() => printer.info(&format!(
                "{}: no bundle was made: there is nothing else to carry",
                orders.site
            )),
            None => printer.info(&format!("{}: nothing new", orders.site)),
            Some(bundle) => {
                describe(&bundle.contents, printer);
                for part in &bundle.parts {
                    printer.info(&part.display().to_string());
                }
            }
        }
        Ok(match &made.bundle {
            _ if !made.failed.is_empty() => EXIT_PARTIAL,
            None => EXIT_NOTHING_NEW,
            Some(_) => EXIT_DONE,
        })
    }

    fn orders(&self) -> Result<Orders<'_>> {
        let requests = self.requests.iter().map(|file| SiteRequest::read(file));
        let requests = requests.collect::<Result<Vec<_>>>()?;
        let locks = self.locks.iter().map(|file| LockedSet::read(file));
        let locks = locks.collect::<Result<Vec<_>>>()?;
        let receipts = self.receipts.iter().map(|file| Receipt::read(file));
        let receipts = receipts.collect::<Result<Vec<_>>>()?;
        let named = requests.iter().map(|one| &one.site);
        let named = named.chain(receipts.iter().map(|one| &one.site));
        let mut sites: Vec<&String> = self.site.iter().chain(named).collect();
        sites.dedup();
        let site = match sites.as_slice() {
            [site] => (*site).clone(),
            [] => {
                let why = "name the site with --site, or give a request from it";
                return Err(Error::Usage(why.into()));
            }
            _ => {
                let sites: Vec<&str> = sites.iter().map(|site| site.as_str()).collect();
                let sites = sites.join(", ");
                let why = format!("these are requests of several sites: {sites}");
                return Err(Error::Usage(why));
            }
        };
        if let Some(why) = config::unfit(&site) {
            return Err(Error::Usage(format!("site {site}: {why}")));
        }
        Ok(Orders {
            site,
            requests,
            locks,
            receipts,
            options: &self.options,
        })
    }
}
