//! What is written down of an unfinished file, so that the next run goes on where this one ended.
//!
//! A text file beside the part. Its first line says which content it is for, then:
//! `boot ID` (this start of the machine), `source N KEY VALIDATOR` (KEY is the SHA-256 of the URL: the
//! URL itself may hold a password), `got FROM TO N`, and `synced`: everything above is on the disk.
//! After a mere kill every line counts, for what was written is still in the page cache; after
//! a reboot only what stands above the last `synced`. The first line that cannot be read ends it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rustix::fs::OFlags;
use whole_file::{Access, Durability, open_plain};

use super::ids::{Id, SourceId};
use super::segments::SourcedSpan;
use crate::error::{Error, Result};

const FIRST: &str = "part 2";
/// How it is opened to write down what has come since.
const APPEND: OFlags = OFlags::WRONLY.union(OFlags::APPEND);
/// Bytes read at most; one line stands for 64 kB and more.
const MAX_JOURNAL: u64 = 8 << 20;
/// Sources at most: a metalink lists a few hundred.
const MAX_SOURCES: usize = 10_000;

/// What an earlier run has left.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// SHA-256 of each source's URL, and what its version goes by: strong `ETag`, else `Last-Modified`.
    pub(crate) sources: Vec<(String, Option<String>)>,
    /// What is there; `source` counts in `sources`.
    pub(crate) got: Vec<SourcedSpan>,
}

/// The open journal of one file.
pub(crate) struct PartJournal {
    path: PathBuf,
    expected: String,
    boot: String,
    file: Option<File>,
}

/// A name for a URL that gives nothing away.
pub(crate) fn url_key(url: &str) -> String {
    Hasher::digest(DigestAlgo::Sha256, url.as_bytes()).hex()
}

/// This start of the machine; empty if the kernel does not say.
pub(crate) fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    text.map(|text| text.trim().to_owned()).unwrap_or_default()
}

impl PartJournal {
    /// The journal at `path` for this content.
    pub(crate) fn new(path: PathBuf, digest: Option<Digest>, size: Option<u64>) -> Self {
        let digest = digest.map_or_else(|| "-".to_owned(), |digest| digest.to_string());
        let size = size.map_or_else(|| "-".to_owned(), |size| size.to_string());
        Self {
            path,
            expected: format!("{FIRST} {digest} {size}"),
            boot: boot_id(),
            file: None,
        }
    }

    /// What an earlier run left; none if nothing, or of another content.
    pub(crate) fn read(&self) -> Option<Memory> {
        let mut bytes = Vec::new();
        let file = open_plain(&self.path, OFlags::RDONLY).ok()?;
        file.take(MAX_JOURNAL).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        parse(&text, &self.expected, &self.boot)
    }

    /// Rewrites it: `got` is on the disk.
    pub(crate) fn rewrite(&mut self, memory: &Memory, synced: bool) -> Result<()> {
        let mut text = format!("{}\nboot {}\n", self.expected, self.boot);
        for (at, (key, validator)) in memory.sources.iter().enumerate() {
            text.push_str(&source_line(at, key, validator.as_deref()));
        }
        for span in &memory.got {
            text.push_str(&got_line(span));
        }
        if synced {
            text.push_str("synced\n");
        }
        let (access, durability) = (Access::Umask, Durability::Cache);
        let written = whole_file::replace(&self.path, text.as_bytes(), access, durability)
            .and_then(|()| open_plain(&self.path, APPEND));
        self.file = Some(written.map_err(|e| Error::io(&self.path, "write", e))?);
        Ok(())
    }

    /// Notes what has come since.
    pub(crate) fn append(&mut self, got: &[SourcedSpan]) -> Result<()> {
        let text: String = got.iter().map(got_line).collect();
        self.add(&text)
    }

    /// Notes a source, or what its version goes by now.
    pub(crate) fn source(
        &mut self,
        source: SourceId,
        key: &str,
        validator: Option<&str>,
    ) -> Result<()> {
        self.add(&source_line(source.place(), key, validator))
    }

    fn add(&mut self, text: &str) -> Result<()> {
        let failed = |e| Error::io(&self.path, "write", e);
        if self.file.is_none() {
            let opened = open_plain(&self.path, APPEND);
            self.file = Some(opened.map_err(failed)?);
        }
        match &mut self.file {
            Some(file) => file.write_all(text.as_bytes()).map_err(failed),
            None => Ok(()),
        }
    }

    /// Another handle of the file, to be synced elsewhere.
    pub(crate) fn handle(&self) -> Option<File> {
        self.file.as_ref().and_then(|file| file.try_clone().ok())
    }

    pub(crate) fn remove(&mut self) {
        self.file = None;
        let _ = fs::remove_file(&self.path);
    }
}

fn source_line(at: usize, key: &str, validator: Option<&str>) -> String {
    format!("source {at} {key} {}\n", validator.unwrap_or("-"))
}

fn got_line(span: &SourcedSpan) -> String {
    format!("got {} {} {}\n", span.from, span.to, span.source.place())
}

fn parse(text: &str, expected: &str, boot: &str) -> Option<Memory> {
    let mut lines = text.split_inclusive('\n');
    if lines.next()?.strip_suffix('\n')? != expected {
        return None;
    }
    let mut memory = Memory::default();
    let (mut ours, mut good) = (false, 0);
    for line in lines {
        // A line without its end was being written when the program died.
        let Some(line) = line.strip_suffix('\n') else {
            break;
        };
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let read = match word {
            "boot" => {
                ours = !boot.is_empty() && rest == boot;
                Some(())
            }
            "synced" => {
                good = memory.got.len();
                Some(())
            }
            "source" => source(rest, &mut memory),
            "got" => got(rest).map(|span| memory.got.push(span)),
            _ => None,
        };
        if read.is_none() {
            break;
        }
    }
    if !ours {
        memory.got.truncate(good);
    }
    let known = memory.sources.len();
    memory.got.retain(|span| span.source.place() < known);
    Some(memory)
}

fn source(rest: &str, memory: &mut Memory) -> Option<()> {
    let mut words = rest.splitn(3, ' ');
    let at: usize = words.next()?.parse().ok()?;
    let key = words.next()?.to_owned();
    let validator = words.next().filter(|tag| *tag != "-").map(str::to_owned);
    if at >= MAX_SOURCES {
        return None;
    }
    if memory.sources.len() <= at {
        memory.sources.resize(at + 1, (String::new(), None));
    }
    *memory.sources.get_mut(at)? = (key, validator);
    Some(())
}

fn got(rest: &str) -> Option<SourcedSpan> {
    let mut words = rest.split(' ');
    let mut number = || words.next()?.parse::<u64>().ok();
    let (from, to, source) = (number()?, number()?, number()?);
    let source = SourceId::new(usize::try_from(source).ok()?);
    (from < to).then_some(SourcedSpan { from, to, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, to: u64, source: usize) -> SourcedSpan {
        let source = SourceId::new(source);
        SourcedSpan { from, to, source }
    }

    #[test]
    fn what_was_written_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.journal");
        let mut journal = PartJournal::new(path.clone(), None, Some(100));
        let memory = Memory {
            sources: vec![("k0".into(), None), ("k1".into(), Some("\"e 1\"".into()))],
            got: vec![span(0, 10, 0), span(50, 60, 1)],
        };
        journal.rewrite(&memory, true).unwrap();
        journal.append(&[span(10, 20, 1)]).unwrap();
        let mut wanted = memory;
        wanted.got.push(span(10, 20, 1));
        assert_eq!(journal.read(), Some(wanted));
        let other = PartJournal::new(path, None, Some(101));
        assert_eq!(other.read(), None, "another content");
    }

    /// A link that appears in its place is not written through: row 121 of docs/threats.md.
    #[test]
    fn row_121_nothing_is_added_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (path, precious) = (dir.path().join("x.journal"), dir.path().join("precious"));
        fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, &path).unwrap();
        let mut journal = PartJournal::new(path, None, Some(100));
        journal.append(&[span(0, 10, 0)]).unwrap_err();
        assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
    }

    #[test]
    fn after_a_reboot_only_synced_bytes_count() {
        let text = "first\nboot a\nsource 0 k -\ngot 0 10 0\nsynced\ngot 10 20 0\n";
        let got = |boot: &str| parse(text, "first", boot).unwrap().got;
        assert_eq!(got("a"), [span(0, 10, 0), span(10, 20, 0)]);
        assert_eq!(got("b"), [span(0, 10, 0)]);
        assert_eq!(got(""), [span(0, 10, 0)]);
    }

    #[test]
    fn a_torn_or_hostile_tail_is_left_out() {
        for tail in [
            "got 10 2",
            "got 20 10 0\n",
            "got x\n",
            "\0\0\0\n",
            "got 1 2 9\n",
            "source 99999999 k -\n",
        ] {
            let text = format!("first\nboot a\nsource 0 k -\ngot 0 10 0\n{tail}");
            let memory = parse(&text, "first", "a").unwrap();
            assert_eq!(memory.got, [span(0, 10, 0)], "{tail:?}");
        }
        assert!(parse("fir", "first", "a").is_none());
    }
}
