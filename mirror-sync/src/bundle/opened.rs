//! A bundle on disk, from outside: nothing of it is believed before its signature was checked, and
//! no file before its digest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use cli_kit::counted;
use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_trust::{Keyring, verify_detached};

use super::archive;
use super::contents::{BundleReference, Contents, Packed, id_of};
use crate::error::{Error, Result};
use crate::layout::{self, not_json};
use crate::store::{HashedFile, digest_text, parse_digest};

/// Bytes read at a time.
const BLOCK: usize = 128 << 10;

/// A bundle whose parts agree and whose signature is good.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) contents: Contents,
    pub(crate) reference: BundleReference,
    /// What it is called in messages.
    pub(crate) name: String,
    signature: Vec<u8>,
    parts: Vec<PathBuf>,
}

impl Opened {
    pub(crate) fn refuse(&self, what: impl Into<String>) -> Error {
        Error::Bundle {
            bundle: self.name.clone(),
            what: what.into(),
        }
    }
}

/// Opens the parts of one bundle and checks its signature against `keys`.
pub(crate) fn open(parts: &[PathBuf], keys: &Keyring, now: u64) -> Result<Opened> {
    let first = parts
        .first()
        .ok_or_else(|| Error::Usage("no bundle named".into()))?;
    let head = archive::head(first)?;
    let refuse = |what: String| Error::Bundle {
        bundle: first.display().to_string(),
        what,
    };
    if keys.is_empty() {
        return Err(Error::Usage(
            "bundle.keys names no key: whose bundles are to be trusted?".into(),
        ));
    }
    let signed = |description: &mut dyn Read| {
        let outcome = verify_detached(keys, &head.signature, description, now)
            .map_err(|error| refuse(format!("its signature cannot be read: {error}")))?;
        if outcome.accepted().is_none() {
            let why = outcome.explain(keys).unwrap_or_default();
            return Err(refuse(format!("not signed by a key of bundle.keys: {why}")));
        }
        Ok(())
    };
    signed(&mut head.description(first)?)?;
    let mut json = Vec::new();
    let read = head.description(first)?.read_to_end(&mut json);
    read.map_err(Error::file(first, "read"))?;
    // What the medium gives now is what counts.
    signed(&mut json.as_slice())?;
    described(&json, head.signature, parts).map_err(refuse)
}

/// A bundle of these parts, if what its description says is possible.
fn described(
    json: &[u8],
    signature: Vec<u8>,
    parts: &[PathBuf],
) -> std::result::Result<Opened, String> {
    let contents: Contents = serde_json::from_slice(json)
        .map_err(|error| format!("its description cannot be read: {}", not_json(&error)))?;
    contents.check()?;
    let (site, number) = (&contents.site, contents.number);
    Ok(Opened {
        name: format!("{site}-{number:04}"),
        reference: BundleReference {
            number,
            id: id_of(json),
        },
        contents,
        signature,
        parts: parts.to_vec(),
    })
}

/// A bundle of one part as if its signature were good.
#[cfg(feature = "fuzzing")]
pub(crate) fn unsigned(part: &Path) -> Result<Opened> {
    let head = archive::head(part)?;
    let mut json = Vec::new();
    let read = head.description(part)?.read_to_end(&mut json);
    read.map_err(Error::file(part, "read"))?;
    described(&json, head.signature, &[part.to_owned()]).map_err(Error::NotFound)
}

impl Opened {
    /// Reads every file and checks it; says how many there are.
    ///
    /// # Errors
    /// A file is missing, is not as described, or is not described.
    pub(crate) fn check(&self) -> Result<usize> {
        Ok(self.walk(None)?.len())
    }

    /// Checks every file and keeps them in `into`, under plain numbers. Says where each is, by its
    /// path in the bundle.
    pub(crate) fn unpack(&self, into: &Path) -> Result<BTreeMap<String, HashedFile>> {
        let found = self.walk(Some(into))?.into_iter();
        Ok(found
            .filter_map(|(name, file)| Some((name, file?)))
            .collect())
    }

    fn walk(&self, into: Option<&Path>) -> Result<BTreeMap<String, Option<HashedFile>>> {
        let files = self.contents.files.iter();
        let known: BTreeMap<&str, &Packed> = files.map(|one| (one.path.as_str(), one)).collect();
        let mut found: BTreeMap<String, Option<HashedFile>> = BTreeMap::new();
        let mut block = vec![0; BLOCK];
        for part in &self.parts {
            let mut same = |head: archive::FoundHead| {
                if head.id == self.reference.id && head.signature == self.signature {
                    return Ok(ControlFlow::Continue(()));
                }
                Err(self.refuse(format!("{} is a part of another bundle", part.display())))
            };
            archive::read(part, &mut same, &mut |name, size, data| {
                let Some(file) = known.get(name) else {
                    return Err(self.refuse(format!("it holds {name:?}, which it does not list")));
                };
                if found.contains_key(name) {
                    return Err(self.refuse(format!("{name} is in it twice")));
                }
                let to = into.map(|dir| dir.join(found.len().to_string()));
                let kept = self.take(file, size, data, to.as_deref(), &mut block)?;
                found.insert(name.to_owned(), kept);
                Ok(())
            })?;
        }
        let missing = || {
            known
                .values()
                .filter(|file| !found.contains_key(&file.path))
        };
        let Some(first) = missing().next() else {
            return Ok(found);
        };
        let parts: BTreeSet<String> = missing()
            .map(|file| self.contents.part_name(file.part))
            .collect();
        let parts: Vec<String> = parts.into_iter().collect();
        Err(self.refuse(format!(
            "{} {} missing ({}): {}",
            counted(missing().count() as u64, "file"),
            if missing().count() == 1 { "is" } else { "are" },
            first.path,
            parts.join(", ")
        )))
    }

    /// Reads one file; writes it if there is a place for it.
    fn take(
        &self,
        file: &Packed,
        size: u64,
        data: &mut dyn Read,
        to: Option<&Path>,
        block: &mut [u8],
    ) -> Result<Option<HashedFile>> {
        let wrong = |what: &str| self.refuse(format!("{}: {what}", file.path));
        if size != file.size {
            return Err(wrong("its size is not the one described"));
        }
        let mut out = to
            .map(|path| layout::new_file(path).map_err(Error::file(path, "create")))
            .transpose()?;
        let mut sha256 = Hasher::new(DigestAlgo::Sha256);
        let stored = file.stored.as_deref().and_then(parse_digest);
        let mut other = stored.map(|digest| Hasher::new(digest.algo()));
        let mut left = size;
        while left > 0 {
            let count = data
                .read(block)
                .map_err(|error| wrong(&format!("cannot be read: {error}")))?;
            let Some(piece) = block.get(..count).filter(|piece| !piece.is_empty()) else {
                return Err(wrong("the bundle ends within this file: it is cut short"));
            };
            left = left.saturating_sub(count as u64);
            sha256.update(piece);
            if let Some(other) = &mut other {
                other.update(piece);
            }
            if let (Some(out), Some(path)) = (&mut out, to) {
                out.write_all(piece).map_err(Error::file(path, "write"))?;
            }
        }
        let good = sha256.clone().finish().hex() == file.sha256
            && other.clone().map(Hasher::finish) == stored;
        if !good {
            return Err(wrong("its digest is not the one described"));
        }
        let hasher = other.unwrap_or(sha256);
        Ok(to.map(|path| HashedFile::streamed(path.to_owned(), hasher, size)))
    }

    /// Puts the bundle's plain repositories into a new directory.
    pub(crate) fn extract(&self, dir: &Path) -> Result<()> {
        if dir.exists() {
            let what = format!("{} exists: give a new directory", dir.display());
            return Err(Error::Usage(what));
        }
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let making = dir.with_file_name(format!(".{name}.new"));
        layout::remove_tree(&making)?;
        let done = self.extract_to(&making);
        let done =
            done.and_then(|()| fs::rename(&making, dir).map_err(Error::file(dir, "put in place")));
        if done.is_err() {
            layout::remove_tree(&making)?;
        }
        done
    }

    fn extract_to(&self, making: &Path) -> Result<()> {
        let raw = making.join(".raw");
        fs::create_dir_all(&raw).map_err(Error::file(&raw, "create"))?;
        for (path, file) in self.unpack(&raw)? {
            let to = repo_client::join_below(making, &path)?;
            let parent = to.parent().unwrap_or(making);
            fs::create_dir_all(parent).map_err(Error::file(parent, "create"))?;
            fs::rename(file.path(), &to).map_err(Error::file(&to, "put in place"))?;
        }
        layout::remove_tree(&raw)
    }
}

/// A digest in the form of manifests, whatever case it came in.
pub(crate) fn canonical(digest: &str) -> String {
    parse_digest(digest).map_or_else(|| digest.to_owned(), |digest| digest_text(&digest))
}
