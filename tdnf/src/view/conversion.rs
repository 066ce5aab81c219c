//! What `convert-db` is about to do.

use std::path::PathBuf;

use serde::Serialize;

use crate::screen::View;

/// A database that is to be converted to SQLite.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Conversion {
    /// The main file of the old database.
    pub database: PathBuf,
    /// Packages and keys in it.
    pub headers: usize,
    /// Where the old files go.
    pub kept: PathBuf,
}

impl View for Conversion {
    fn text(&self, _: usize) -> String {
        let Self {
            database,
            headers,
            kept,
        } = self;
        let dir = database.parent().unwrap_or(database).display();
        let (database, kept) = (database.display(), kept.display());
        format!(
            "{database}: {headers} headers are written to {dir}/rpmdb.sqlite.\n\
             The old files are kept in {kept}. The way back, as long as nothing was changed since:\n\
             \x20   rm {dir}/rpmdb.sqlite* && mv {kept}/* {dir}/ && rm -r {kept}\n"
        )
    }

    fn json(&self) -> impl Serialize {
        self
    }
}
