//! `mirror-sync bundle make`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::describe;
use crate::bundle::make::{Orders, make};
use crate::bundle::record::Receipt;
use crate::bundle::request::SiteRequest;
use crate::commands::session::Session;
use crate::commands::{OptionValue, size, time};
use crate::config::{self, Bytes};
use crate::error::{EXIT_DONE, EXIT_NOTHING_NEW, EXIT_PARTIAL, Error, Result};
use crate::sync::{SyncOptions, SyncRun};
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
    /// What the site applied
    #[arg(long = "receipt", value_name = "FILE")]
    receipts: Vec<PathBuf>,
    /// Only these repositories
    #[arg(long = "repo", value_name = "REPO")]
    repos: Vec<String>,
    /// Snapshot or date instead of what is published
    #[arg(long, value_name = "WHICH")]
    snapshot: Option<String>,
    /// Needs nothing that the site has
    #[arg(long)]
    full: bool,
    /// Remove what earlier bundles brought and is not requested now
    #[arg(long)]
    only_requested: bool,
    /// Most bytes of a part (4.4G for a DVD)
    #[arg(long, value_name = "BYTES", value_parser = part_size)]
    split: Option<Bytes>,
    /// Refused after that time (90d)
    #[arg(long, value_name = "TIME", value_parser = time("90d"))]
    expires: Option<Duration>,
    /// Private key that signs it (mirror.sign_key)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where to (.)
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".",
        hide_default_value = true
    )]
    output: PathBuf,
}

/// A part has at least a byte.
fn part_size(text: &str) -> OptionValue<Bytes> {
    let example = "4.4G";
    let bytes = size(example)(text)?;
    let some = (bytes.0 > 0).then_some(bytes);
    some.ok_or_else(|| format!("expected a size such as {example}"))
}

impl Make {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<u8> {
        session.change(&SyncOptions::default(), |run| self.made(run))
    }

    fn made(&self, run: &SyncRun<'_>) -> Result<u8> {
        let printer = run.printer;
        let orders = self.orders()?;
        let file = self.key.as_ref().or(run.config.mirror.sign_key.as_ref());
        let file = file.ok_or_else(|| {
            Error::Usage("a bundle is signed: name a key with --key or mirror.sign_key".into())
        })?;
        let key = trust::signing_key(file)?;
        let Some(made) = make(run, &orders, &key)? else {
            printer.json(&serde_json::json!({ "site": orders.site, "nothing_new": true }));
            printer.info(&format!("{}: nothing new", orders.site));
            return Ok(EXIT_NOTHING_NEW);
        };
        printer.json(&serde_json::json!({
            "site": orders.site,
            "number": made.contents.number,
            "parts": made.parts,
            "bytes": made.contents.bytes(),
            "failed": made.failed,
        }));
        for (wish, why) in &made.failed {
            printer.err(&format!("Error: {wish} is not in the bundle: {why}"));
        }
        describe(&made.contents, printer);
        for part in &made.parts {
            printer.info(&part.display().to_string());
        }
        Ok(if made.failed.is_empty() {
            EXIT_DONE
        } else {
            EXIT_PARTIAL
        })
    }

    fn orders(&self) -> Result<Orders> {
        let requests = self.requests.iter().map(|file| SiteRequest::read(file));
        let requests = requests.collect::<Result<Vec<_>>>()?;
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
            receipts,
            repos: self.repos.clone(),
            snapshot: self.snapshot.clone(),
            full: self.full,
            only_requested: self.only_requested,
            split: self.split.map_or(0, |bytes| bytes.0),
            expires: self.expires.map(|span| span.as_secs()),
            out: self.output.clone(),
        })
    }
}
