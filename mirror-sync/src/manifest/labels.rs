//! What people say of a snapshot: a name, a note, that it stays. It lies beside the lists of snapshots, which never change.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::layout::{self, Layout};

/// What is said of one snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Label {
    /// A word that means this snapshot wherever a date or its own name does.
    pub(crate) name: Option<String>,
    pub(crate) note: Option<String>,
    /// It stays, however old it gets.
    pub(crate) pinned: bool,
}

/// By snapshot.
pub(crate) type Labels = BTreeMap<String, Label>;

fn path(layout: &Layout, id: &str) -> PathBuf {
    layout.state(id).join("labels.json")
}

/// What is said of the snapshots of a repository; nothing is the default.
pub(crate) fn read(layout: &Layout, id: &str) -> Result<Labels> {
    let path = path(layout, id);
    let labels = layout::read_json(&path).map_err(|error| {
        error.way_out(format!(
            "`rm {}` forgets names, notes and pins",
            path.display()
        ))
    });
    Ok(labels?.unwrap_or_default())
}

/// Changes what is said of a snapshot.
pub(crate) fn change(
    layout: &Layout,
    id: &str,
    stamp: &str,
    change: impl FnOnce(&mut Label),
) -> Result<()> {
    let mut labels = read(layout, id)?;
    change(labels.entry(stamp.to_owned()).or_default());
    labels.retain(|_, label| *label != Label::default());
    layout.write_json(&path(layout, id), &labels)
}
