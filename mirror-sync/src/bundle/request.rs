//! What an isolated host asks for: a file of a few kilobytes that is carried out by hand.

use std::ops::ControlFlow;
use std::path::Path;

use rpm_db::{DatabaseSearch, Db};
use rpm_pkg::nevra::Nevra;
use serde::{Deserialize, Serialize};

use super::contents::BundleReference;
use crate::error::{Error, Result};
use crate::layout::read_carried_json;

/// The form of a request.
pub(crate) const FORMAT: u32 = 1;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SiteRequest {
    /// [`FORMAT`].
    pub(crate) format: u32,
    pub(crate) site: String,
    /// When, seconds since 1970.
    pub(crate) made: u64,
    /// Repositories that may serve it; all if empty.
    pub(crate) repos: Vec<String>,
    pub(crate) arch: String,
    /// Full names of what is installed.
    pub(crate) installed: Vec<String>,
    /// What is to be installed, as `install` takes it.
    pub(crate) packages: Vec<String>,
    /// Whether what is installed is to be brought to the newest version.
    pub(crate) upgrade: bool,
    /// Whether recommended packages count as needed.
    pub(crate) recommends: bool,
    /// The bundle that was applied last.
    pub(crate) last: Option<BundleReference>,
}

impl SiteRequest {
    /// Reads a request that was carried here.
    pub(crate) fn read(path: &Path) -> Result<SiteRequest> {
        let wrong = |what: String| Error::Usage(format!("{}: {what}", path.display()));
        let request: Option<SiteRequest> =
            read_carried_json(path).map_err(|error| match error {
                Error::Damaged { why, .. } => wrong(format!(
                    "this is no request of a site: {why}; `mirror-sync bundle request` writes one"
                )),
                other => other,
            })?;
        let request = request.ok_or_else(|| wrong("no such file".into()))?;
        if request.format != FORMAT {
            return Err(wrong("a request of an unknown format".into()));
        }
        if let Some(why) = crate::config::unfit(&request.site) {
            return Err(wrong(format!("site {:?}: {why}", request.site)));
        }
        let word = |text: &String| !text.is_empty() && !text.starts_with('-');
        if let Some(bad) = request.packages.iter().find(|text| !word(text)) {
            return Err(wrong(format!("{bad:?} is not the name of a package")));
        }
        if let Some(bad) = request
            .installed
            .iter()
            .find(|name| Nevra::parse(name).is_err())
        {
            return Err(wrong(format!("{bad:?} is not the full name of a package")));
        }
        Ok(request)
    }
}

/// Full names of the packages installed in a root. Keys are no packages.
pub(crate) fn installed_in(root: &Path) -> Result<Vec<String>> {
    let told = |error: rpm_db::DbError| Error::unfit(root, "read the packages installed in", error);
    let location = rpm_db::location::find(root, DatabaseSearch::default()).map_err(told)?;
    let db = Db::open_read(&location).map_err(told)?;
    let mut names = Vec::new();
    db.for_each(&mut |_, header| {
        if let Ok(nevra) = Nevra::from_header(&header)
            && nevra.name != "gpg-pubkey"
        {
            names.push(nevra.to_string());
        }
        ControlFlow::Continue(())
    })
    .map_err(told)?;
    names.sort();
    Ok(names)
}
