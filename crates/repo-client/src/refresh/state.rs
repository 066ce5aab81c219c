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
                // In the form of another version the part is hashed again; the set stays.
                "part" => {
                    let part = Stamp::read(value);
                    let part = part.map(|(stamp, name)| (name.to_owned(), stamp));
                    state.parts.extend(part);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_in_the_form_of_another_version_is_hashed_again_and_the_set_stays() {
        let file = tempfile::tempfile().unwrap();
        let stamp = Stamp::of(&file.metadata().unwrap());
        let text = format!(
            "repomd sha256:00\nurl u\netag \nmodified \npart 12:34:5.000000006 a.xml.gz\npart {stamp} b.xml.gz\n"
        );
        let state = SetFacts::parse(&text).unwrap();
        assert_eq!(state.parts, [("b.xml.gz".to_owned(), stamp)]);
        assert!(SetFacts::parse("url u\n").is_none());
    }
}
