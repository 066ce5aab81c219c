//! `tdnf.state`: what was checked, so that it need not be hashed again while untouched.

use std::path::Path;

use whole_file::Stamp;

/// Name of the file in the set's folder.
pub(crate) const STATE: &str = "tdnf.state";
/// Largest state file read.
pub(crate) const MAX_STATE: u64 = 1 << 20;

/// The facts of a set.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct SetFacts {
    /// `sha256:hex` of repomd.xml.
    pub(crate) repomd: String,
    /// Key of the URL it came from.
    pub(crate) url: String,
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<String>,
    /// Name and stamp of each part.
    pub(crate) parts: Vec<(String, Stamp)>,
}

impl SetFacts {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut state = Self::default();
        for line in text.lines() {
            let (key, value) = line.split_once(' ')?;
            let filled = || Some(value.to_owned()).filter(|v| !v.is_empty());
            match key {
                "repomd" => state.repomd = value.to_owned(),
                "url" => state.url = value.to_owned(),
                "etag" => state.etag = filled(),
                "modified" => state.modified = filled(),
                "part" => {
                    let (stamp, name) = Stamp::read(value)?;
                    state.parts.push((name.to_owned(), stamp));
                }
                _ => {}
            }
        }
        (!state.repomd.is_empty()).then_some(state)
    }

    pub(crate) fn text(&self) -> String {
        let mut out = format!(
            "repomd {}\nurl {}\netag {}\nmodified {}\n",
            self.repomd,
            self.url,
            self.etag.as_deref().unwrap_or(""),
            self.modified.as_deref().unwrap_or("")
        );
        for (name, stamp) in &self.parts {
            out.push_str(&format!("part {stamp} {name}\n"));
        }
        out
    }

    pub(crate) fn is_untouched(&self, name: &str, path: &Path) -> bool {
        let Ok(about) = std::fs::symlink_metadata(path) else {
            return false;
        };
        about.is_file()
            && self
                .parts
                .iter()
                .any(|(n, s)| n == name && *s == Stamp::of(&about))
    }
}
