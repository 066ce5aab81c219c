//! Documents of module metadata, from several files into one.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use rpm_repo::repomd::RepomdRecord;

use crate::document::{FileStyle, NewFile};
use crate::error::{Error, Result};

/// The type of the record.
pub(crate) const KIND: &str = "modules";

/// Largest single document in bytes; the largest of Fedora has 300 KB.
const MAX_DOCUMENT: usize = 16 << 20;

/// Endings of names that createrepo_c takes for module metadata, compressed or not.
const ENDINGS: [&str; 3] = ["modules.yaml", ".modulemd.yaml", ".modulemd-defaults.yaml"];

/// Whether a file of the tree is one of module metadata by its name.
pub(crate) fn is_named_so(name: &str) -> bool {
    let packed = ["", ".gz", ".xz", ".zst", ".bz2"];
    let mut stems = packed.iter().filter_map(|end| name.strip_suffix(end));
    stems.any(|stem| ENDINGS.iter().any(|end| stem.ends_with(end)))
}

/// Whether a file is one of module metadata by its name but for its last suffix, which is that of no compression known here.
pub(crate) fn is_packed_otherwise(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
    !is_named_so(name) && ENDINGS.iter().any(|end| stem.ends_with(end))
}

/// The record in the making.
pub(crate) struct ModulesFile {
    file: NewFile,
    /// Hashes of the documents that are in it, and of what they are about.
    texts: HashSet<u64>,
    subjects: HashSet<u64>,
}

impl ModulesFile {
    /// Starts the file.
    pub(crate) fn create(style: &FileStyle) -> Result<ModulesFile> {
        Ok(ModulesFile {
            file: NewFile::create(KIND, "modules.yaml", style)?,
            texts: HashSet::new(),
            subjects: HashSet::new(),
        })
    }

    /// Adds the documents of a stream, which was opened at `from`. A document that is there already, or another
    /// of the same build of a stream, is left out; with `is_old` also the defaults of a module that has newer ones.
    pub(crate) fn add(&mut self, from: &Path, stream: impl Read, is_old: bool) -> Result<()> {
        let mut stream = BufReader::new(stream);
        let mut document = String::new();
        loop {
            let start = document.len();
            let left = (MAX_DOCUMENT - start) as u64 + 1;
            let read = (&mut stream).take(left).read_line(&mut document);
            let count = read.map_err(Error::file(from, "read"))?;
            if document.len() > MAX_DOCUMENT {
                let what = "one document is too large".to_owned();
                return Err(Error::Damaged {
                    path: from.to_owned(),
                    what,
                });
            }
            let line = document.get(start..).unwrap_or_default();
            let (begins, ends) = (is_mark(line, "---"), is_mark(line, "..."));
            if begins || ends || count == 0 {
                let next = document.split_off(start);
                self.add_document(&document, is_old)?;
                document = if begins { next } else { String::new() };
            }
            if count == 0 {
                return Ok(());
            }
        }
    }

    fn add_document(&mut self, document: &str, is_old: bool) -> Result<()> {
        let is_idle = |line: &str| {
            let line = line.trim();
            line.is_empty() || line == "---" || line.starts_with('#')
        };
        if document.lines().all(is_idle) {
            return Ok(());
        }
        let is_known = !self.texts.insert(crate::hash(document.trim_end()));
        let about = subject(document);
        let is_newer_there = about.as_ref().is_some_and(|(about, is_stream)| {
            let seen = self.subjects.contains(&crate::hash(about));
            seen && (is_old || *is_stream)
        });
        if is_known || is_newer_there {
            return Ok(());
        }
        if let Some((about, _)) = about {
            self.subjects.insert(crate::hash(&about));
        }
        if !document.starts_with("---") {
            self.file.write(b"---\n")?;
        }
        self.file.write(document.trim_end().as_bytes())?;
        self.file.write(b"\n...\n")
    }

    /// Ends the file and describes it.
    pub(crate) fn finish(self) -> Result<RepomdRecord> {
        self.file.finish()
    }
}

/// Whether a line is a mark between documents.
fn is_mark(line: &str, mark: &str) -> bool {
    let rest = line.strip_prefix(mark);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// What a document is about, and whether that is a build of a stream; none where that is not said in the plain form
/// (one key a line) that all programs write.
fn subject(document: &str) -> Option<(String, bool)> {
    let mut kind = "";
    let (mut is_data, mut depth) = (false, 0);
    let mut found = [""; 6];
    for line in document.lines() {
        let indent = line.len() - line.trim_start().len();
        let Some((key, value)) = line.trim().split_once(':') else {
            continue;
        };
        let value = value.trim().trim_matches(['"', '\'']);
        if indent == 0 {
            is_data = key == "data";
            if key == "document" {
                kind = value;
            }
        } else if is_data {
            depth = if depth == 0 { indent } else { depth };
            let keys = ["module", "name", "stream", "version", "context", "arch"];
            let at = keys
                .iter()
                .position(|known| *known == key && indent == depth);
            if let Some(slot) = at.and_then(|at| found.get_mut(at)) {
                *slot = value;
            }
        }
    }
    let [module, name, stream, version, context, arch] = found;
    match kind {
        "modulemd" | "modulemd-stream" if ![name, stream, version, context].contains(&"") => {
            let build = [kind, name, stream, version, context, arch];
            Some((build.join("\n"), true))
        }
        "modulemd-defaults" if !module.is_empty() => Some((format!("{kind}\n{module}"), false)),
        _ => None,
    }
}
