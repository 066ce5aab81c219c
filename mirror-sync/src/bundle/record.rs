//! What both sides remember: the site, which bundles it applied; the maker, which it made and which
//! of them were confirmed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::contents::{BundleReference, Contents};
use crate::error::{Error, Result};
use crate::layout::{Layout, read_carried_json, read_json};

/// The form of these files.
const FORMAT: u32 = 1;

/// The way back: what was applied where. The site writes it, the maker reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    /// [`FORMAT`].
    pub(crate) format: u32,
    pub(crate) site: String,
    pub(crate) bundle: BundleReference,
    /// When, seconds since 1970.
    pub(crate) at: u64,
    /// Snapshot of each repository that it brought.
    pub(crate) repos: BTreeMap<String, String>,
}

/// What a site applied, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Applied {
    pub(crate) site: String,
    /// One receipt for each bundle.
    pub(crate) receipts: Vec<Receipt>,
}

/// What was made for one site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BundleLog {
    /// All bundles, oldest first.
    pub(crate) bundles: Vec<BundleReference>,
    /// The last one that the site confirmed.
    pub(crate) confirmed: Option<BundleReference>,
}

impl Receipt {
    pub(crate) fn new(contents: &Contents, bundle: &BundleReference, at: u64) -> Receipt {
        let stamps = contents.repos.iter().map(|goal| &goal.whole);
        Receipt {
            format: FORMAT,
            site: contents.site.clone(),
            bundle: bundle.clone(),
            at,
            repos: stamps
                .map(|whole| (whole.repo.clone(), whole.stamp.clone()))
                .collect(),
        }
    }

    /// Reads a receipt that was carried here.
    pub(crate) fn read(path: &Path) -> Result<Receipt> {
        let receipt: Option<Receipt> = read_carried_json(path).map_err(|error| {
            error.way_out("`mirror-sync bundle receipt` writes it at the site".to_owned())
        })?;
        let receipt =
            receipt.ok_or_else(|| Error::NotFound(format!("{}: no such file", path.display())))?;
        if receipt.format != FORMAT {
            let what = format!("{}: a receipt of an unknown format", path.display());
            return Err(Error::NotFound(what));
        }
        Ok(receipt)
    }
}

fn applied_file(layout: &Layout) -> PathBuf {
    layout.root().join("bundles/applied.json")
}

pub(crate) fn applied(layout: &Layout) -> Result<Applied> {
    Ok(read_json(&applied_file(layout))?.unwrap_or_default())
}

pub(crate) fn write_applied(layout: &Layout, applied: &Applied) -> Result<()> {
    layout.write_json(&applied_file(layout), applied)
}

fn made_dir(layout: &Layout, site: &str) -> PathBuf {
    layout.root().join("bundles/made").join(site)
}

/// What was made for a site.
pub(crate) fn made(layout: &Layout, site: &str) -> Result<BundleLog> {
    Ok(read_json(&made_dir(layout, site).join("made.json"))?.unwrap_or_default())
}

pub(crate) fn write_made(layout: &Layout, site: &str, made: &BundleLog) -> Result<()> {
    layout.write_json(&made_dir(layout, site).join("made.json"), made)
}

/// Keeps what a bundle says, for the one after it.
pub(crate) fn keep_contents(layout: &Layout, contents: &Contents) -> Result<()> {
    let name = format!("{}.json", contents.number);
    layout.write_json(&made_dir(layout, &contents.site).join(name), contents)
}

/// What an earlier bundle said.
pub(crate) fn contents(layout: &Layout, site: &str, number: u64) -> Result<Contents> {
    let path = made_dir(layout, site).join(format!("{number}.json"));
    let contents: Option<Contents> = read_json(&path)?;
    contents.ok_or_else(|| {
        Error::NotFound(format!(
            "{}: the contents of bundle {number} are no longer known; make a full one with `--full`",
            path.display()
        ))
    })
}

impl BundleLog {
    /// Takes a site's word for what it has; none of it may be unknown here.
    pub(crate) fn confirm(&mut self, site: &str, told: &BundleReference) -> Result<()> {
        if !self.bundles.contains(told) {
            return Err(Error::Usage(format!(
                "site {site} has bundle {} ({:.12}), which was not made here",
                told.number, told.id
            )));
        }
        let newer = |known: &BundleReference| known.number < told.number;
        if self.confirmed.as_ref().is_none_or(newer) {
            self.confirmed = Some(told.clone());
        }
        Ok(())
    }

    pub(crate) fn next(&self) -> u64 {
        self.bundles
            .last()
            .map_or(1, |last| last.number.saturating_add(1))
    }
}
