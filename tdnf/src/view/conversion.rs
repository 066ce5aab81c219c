//! What `convert-db` is about to do.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::screen::View;
use cli_kit::shell_word;

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
        let dir = database.parent().unwrap_or(database);
        let told = format!(
            "{}: {headers} headers are written to {}/rpmdb.sqlite.\n\
             The old files are kept in {}. The way back, as long as nothing was changed since:\n",
            database.display(),
            dir.display(),
            kept.display()
        );
        let word = |path: &Path| shell_word(&path.display().to_string());
        let (dir, kept) = (word(dir), word(kept));
        format!("{told}    rm {dir}/rpmdb.sqlite* && mv {kept}/* {dir}/ && rm -r {kept}\n")
    }

    fn json(&self) -> impl Serialize {
        self
    }
}
