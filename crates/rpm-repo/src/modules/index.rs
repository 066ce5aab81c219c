//! What decides over packages in a `modules.yaml`: streams with their packages, and default streams.

use std::collections::BTreeMap;
use std::io::Read;

use saphyr_parser::{Event, Parser};

use crate::error::{Error, Result};

/// Longest document stream that is read, in bytes; that of a whole distribution has 8 MiB.
const MAX_BYTES: u64 = 32 << 20;
/// How deep mappings and lists may be nested.
const MAX_DEPTH: usize = 64;

/// The streams and defaults of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleIndex {
    /// `modulemd` documents: one per stream, version and context.
    pub streams: Vec<ModuleStream>,
    /// The default stream of each module that has one; `None` where documents contradict each other.
    pub defaults: BTreeMap<String, Option<String>>,
}

/// A build of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleStream {
    /// Module.
    pub module: String,
    /// Stream.
    pub stream: String,
    /// Its packages: `name-epoch:version-release.arch`.
    pub artifacts: Vec<String>,
    /// What it requires of other modules, one of these being enough.
    pub requires: Vec<ModuleRequires>,
}

/// Streams of other modules that will do, by module: none named are all, `-X` is any but X.
pub type ModuleRequires = BTreeMap<String, Vec<String>>;

/// A document so far: what stands at the paths that count.
#[derive(Default)]
struct Document {
    kind: String,
    module: String,
    stream: String,
    modified: u64,
    artifacts: Vec<String>,
    requires: Vec<ModuleRequires>,
}

/// A mapping or list that is open.
enum Open {
    /// The key whose value is next, and whether a key is next.
    Mapping(String, bool),
    List,
}

impl ModuleIndex {
    /// Reads a modules stream; `document` is its name in errors. Documents of other kinds are passed over.
    ///
    /// # Errors
    /// The stream fails, is longer than 32 MiB, is not UTF-8 or not YAML, or is nested deeper than 64.
    pub fn read(document: &str, stream: impl Read) -> Result<Self> {
        let bad = |at: usize, why: &str| Error::document(document, at as u64, why);
        let mut bytes = Vec::new();
        let read = stream.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|source| Error::Stream {
            document: document.to_owned(),
            source,
        })?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(bad(bytes.len(), "it is longer than 32 MiB"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|e| bad(e.valid_up_to(), "not UTF-8"))?;
        let mut index = Self::default();
        let mut modified = BTreeMap::new();
        let (mut open, mut own) = (Vec::new(), Document::default());
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|e| bad(e.marker().index(), "not YAML"))?;
            match event {
                Event::DocumentStart(_) => own = Document::default(),
                Event::DocumentEnd => index.add(std::mem::take(&mut own), &mut modified),
                Event::MappingStart(..) | Event::SequenceStart(..) if open.len() >= MAX_DEPTH => {
                    return Err(bad(span.start.index(), "it is nested too deep"));
                }
                Event::MappingStart(..) => {
                    opened(&open, &mut own);
                    open.push(Open::Mapping(String::new(), true));
                }
                Event::SequenceStart(..) => {
                    opened(&open, &mut own);
                    open.push(Open::List);
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    open.pop();
                    value_ended(&mut open);
                }
                Event::Alias(_) => value_ended(&mut open),
                Event::Scalar(text, ..) => scalar(&mut open, &mut own, &text),
                _ => {}
            }
        }
        Ok(index)
    }

    fn add(&mut self, own: Document, modified: &mut BTreeMap<String, u64>) {
        match own.kind.as_str() {
            "modulemd" | "modulemd-stream" => self.streams.push(ModuleStream {
                module: own.module,
                stream: own.stream,
                artifacts: own.artifacts,
                requires: own.requires,
            }),
            "modulemd-defaults" if !own.stream.is_empty() => {
                let before = modified.get(&own.module).copied();
                let default = Some(own.stream);
                match before {
                    Some(before) if before > own.modified => return,
                    Some(before)
                        if before == own.modified
                            && self.defaults.get(&own.module) != Some(&default) =>
                    {
                        self.defaults.insert(own.module, None);
                        return;
                    }
                    _ => {}
                }
                modified.insert(own.module.clone(), own.modified);
                self.defaults.insert(own.module, default);
            }
            _ => {}
        }
    }
}

/// Keys of the mappings that are open, `-` for lists.
fn path(open: &[Open]) -> Vec<&str> {
    let path = open.iter().map(|open| match open {
        Open::Mapping(key, _) => key.as_str(),
        Open::List => "-",
    });
    path.collect()
}

/// Before a mapping or list begins: the requirements of a module, or the streams of one of them.
fn opened(open: &[Open], own: &mut Document) {
    match path(open).as_slice() {
        ["data", "dependencies", "-", "requires"] => own.requires.push(ModuleRequires::new()),
        ["data", "dependencies", "-", "requires", module] => {
            if let Some(requires) = own.requires.last_mut() {
                requires.insert((*module).to_owned(), Vec::new());
            }
        }
        _ => {}
    }
}

fn scalar(open: &mut [Open], own: &mut Document, text: &str) {
    if let Some(Open::Mapping(key, is_key @ true)) = open.last_mut() {
        text.clone_into(key);
        *is_key = false;
        return;
    }
    match path(open).as_slice() {
        ["document"] => text.clone_into(&mut own.kind),
        ["data", "name" | "module"] => text.clone_into(&mut own.module),
        ["data", "stream"] => text.clone_into(&mut own.stream),
        ["data", "modified"] => own.modified = text.parse().unwrap_or(0),
        ["data", "artifacts", "rpms", "-"] => own.artifacts.push(text.to_owned()),
        ["data", "dependencies", "-", "requires", module, "-"] => {
            let streams = own.requires.last_mut().and_then(|all| all.get_mut(*module));
            streams
                .into_iter()
                .for_each(|all| all.push(text.to_owned()));
        }
        _ => {}
    }
    value_ended(open);
}

/// After a value a mapping takes a key; a value that stands where a key should is passed over.
fn value_ended(open: &mut [Open]) {
    if let Some(Open::Mapping(_, is_key)) = open.last_mut() {
        *is_key = !*is_key;
    }
}
