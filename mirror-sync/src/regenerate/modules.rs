//! `modules.yaml` cut down to the streams that still have packages.
//!
//! The documents are kept or dropped whole, and of a kept stream the lines of artifacts that are
//! gone are dropped. Nothing else is touched, so that no knowledge of the format gets lost.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};

use rpm_pkg::nevra::Nevra;

use crate::plan::select::{self, AdvisoryKey};

/// Longest line in bytes, and largest document: real ones have 2 MB in all.
const MAX_DOCUMENT: usize = 64 << 20;

/// The text with only what concerns the kept packages; none if nothing is left.
pub(super) fn filtered(
    stream: impl Read,
    keys: &BTreeSet<AdvisoryKey>,
) -> io::Result<Option<String>> {
    let mut out = String::new();
    let mut names = BTreeSet::new();
    let mut defaults: Vec<(String, String)> = Vec::new();
    for document in documents(stream)? {
        match value(&document, "document").as_deref() {
            Some("modulemd") => {
                if let Some(kept) = stream_of(&document, keys) {
                    names.extend(value(&kept, "name"));
                    out.push_str(&kept);
                }
            }
            // These speak of a module by name: they stay if a stream of it does.
            Some(_) => defaults.push((value(&document, "module").unwrap_or_default(), document)),
            None => {}
        }
    }
    for (module, document) in defaults {
        if names.contains(&module) {
            out.push_str(&document);
        }
    }
    Ok((!names.is_empty()).then_some(out))
}

fn documents(stream: impl Read) -> io::Result<Vec<String>> {
    let mut all = Vec::new();
    let mut open = String::new();
    let mut size = 0;
    for line in BufReader::new(stream.take(MAX_DOCUMENT as u64 + 1)).lines() {
        let line = line?;
        size += line.len() + 1;
        if size > MAX_DOCUMENT {
            return Err(io::Error::other("modules.yaml is too large"));
        }
        if line.trim_end() == "---" && !open.is_empty() {
            all.push(std::mem::take(&mut open));
        }
        open.push_str(&line);
        open.push('\n');
    }
    all.push(open);
    Ok(all)
}

/// The first `key: value` of that name, at whatever depth: in these documents `name` and `module`
/// of `data` come before any other.
fn value(document: &str, key: &str) -> Option<String> {
    let line = document.lines().find_map(|line| {
        let rest = line.trim_start().strip_prefix(key)?;
        rest.strip_prefix(':')
    })?;
    Some(line.trim().trim_matches(['"', '\'']).to_owned())
}

/// The document of a stream without the artifacts that are gone; none if none is left.
fn stream_of(document: &str, keys: &BTreeSet<AdvisoryKey>) -> Option<String> {
    let mut out = String::new();
    let mut kept = 0;
    let mut inside: Option<usize> = None;
    let mut artifacts = false;
    for line in document.lines() {
        let indent = line.len() - line.trim_start().len();
        let text = line.trim();
        if inside.is_some_and(|depth| indent < depth || (indent == depth && !text.starts_with('-')))
        {
            inside = None;
        }
        if text == "artifacts:" {
            artifacts = true;
        } else if artifacts && text == "rpms:" {
            (inside, artifacts) = (Some(indent), false);
        } else if inside.is_some()
            && let Some(item) = text.strip_prefix("- ")
        {
            if !is_kept(item.trim().trim_matches(['"', '\'']), keys) {
                continue;
            }
            kept += 1;
        }
        out.push_str(line);
        out.push('\n');
    }
    (kept > 0).then_some(out)
}

fn is_kept(artifact: &str, keys: &BTreeSet<AdvisoryKey>) -> bool {
    Nevra::parse(artifact).is_ok_and(|nevra| keys.contains(&select::key(nevra)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "---\ndocument: modulemd\nversion: 2\ndata:\n  name: perl\n  stream: \"5.30\"\n  \
        artifacts:\n    rpms:\n    - perl-4:5.30.1-1.x86_64\n    - perl-libs-4:5.30.1-1.x86_64\n  xmd: {}\n...\n\
        ---\ndocument: modulemd\ndata:\n  name: ruby\n  artifacts:\n    rpms:\n      - ruby-0:2.7-1.x86_64\n...\n\
        ---\ndocument: modulemd-defaults\ndata:\n  module: perl\n...\n---\ndocument: modulemd-defaults\ndata:\n  \
        module: ruby\n...\n";

    fn key(name: &str, epoch: u32, version: &str) -> AdvisoryKey {
        (
            name.into(),
            epoch,
            version.into(),
            "1".into(),
            "x86_64".into(),
        )
    }

    #[test]
    fn streams_without_packages_go_with_their_defaults() {
        let keys = BTreeSet::from([key("perl", 4, "5.30.1")]);
        let text = filtered(TEXT.as_bytes(), &keys)
            .expect("it is text")
            .expect("perl stays");
        assert!(text.contains("- perl-4:5.30.1-1.x86_64"), "{text}");
        assert!(
            !text.contains("perl-libs") && !text.contains("ruby"),
            "{text}"
        );
        assert!(
            text.contains("xmd: {}") && text.contains("module: perl"),
            "{text}"
        );
        let none = filtered(TEXT.as_bytes(), &BTreeSet::new()).expect("it is text");
        assert_eq!(none, None);
    }
}
