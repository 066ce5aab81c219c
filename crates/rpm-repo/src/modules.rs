//! `modules.yaml` (record `modules`): the documents of a modular repository, told apart and
//! counted here; what decides over packages is in [`ModuleIndex`].

mod index;

use std::io::{BufRead, BufReader, Read};

use crate::error::{Error, Result};

pub use index::{ModuleIndex, ModuleRequires, ModuleStream};

/// Longest line in bytes.
const MAX_LINE: u64 = 1 << 20;

/// The kinds of documents that were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modules {
    /// `document: modulemd` and `modulemd-packager`: one per stream and context.
    pub streams: u64,
    /// `document: modulemd-defaults`.
    pub defaults: u64,
    /// `document: modulemd-obsoletes`, `modulemd-translations` and others.
    pub others: u64,
}

/// Counts the documents of a modules stream; `document` is its name in errors. Errors: the stream
/// fails, a line longer than 1 MiB.
pub fn read(document: &str, stream: impl Read) -> Result<Modules> {
    let mut stream = BufReader::new(stream);
    let mut modules = Modules::default();
    let (mut line, mut position) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        let count = (&mut stream)
            .take(MAX_LINE + 1)
            .read_until(b'\n', &mut line)
            .map_err(|source| Error::Stream {
                document: document.to_owned(),
                source,
            })?;
        if count == 0 {
            return Ok(modules);
        }
        if count as u64 > MAX_LINE {
            return Err(Error::document(document, position, "a line is too long"));
        }
        position += count as u64;
        let Some(kind) = line.strip_prefix(b"document:") else {
            continue;
        };
        match kind.trim_ascii() {
            b"modulemd" | b"modulemd-packager" | b"modulemd-stream" => modules.streams += 1,
            b"modulemd-defaults" => modules.defaults += 1,
            _ => modules.others += 1,
        }
    }
}
