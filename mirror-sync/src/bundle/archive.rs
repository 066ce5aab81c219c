//! The form of a part: a tar file that any tar unpacks. `bundle.json` and `bundle.json.asc` come
//! first, then files.
//!
//! Reading trusts nothing: only plain files, names of bounded length, and nothing is written by
//! name: the caller decides where a file goes.

use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rpm_pkg::digest::{DigestAlgo, Hasher};
use tar::{Archive, Builder, Entry, EntryType, Header};
use whole_file::{Access, Durability, WholeFile};

use super::contents::Packed;
use crate::error::{Error, Result};
use crate::layout;

/// The description.
pub(crate) const JSON: &str = "bundle.json";
/// Its signature.
pub(crate) const SIGNATURE: &str = "bundle.json.asc";
/// Largest description (400,000 packages have 200 MB).
const MAX_JSON: u64 = 512 << 20;
/// Largest signature.
const MAX_SIGNATURE: u64 = 1 << 20;
/// Longest name.
const MAX_NAME: u64 = 4096;
/// Bytes of a block of a tar file.
const BLOCK: u64 = 512;

/// The first two members of a part.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) json: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// The same as they are found in a part. The description stays in the file: before its signature was checked it is
/// not worth its memory.
#[derive(Debug)]
pub(crate) struct FoundHead {
    pub(crate) signature: Vec<u8>,
    /// Hex SHA-256 of the description.
    pub(crate) id: String,
    /// Where it stands, and its bytes.
    at: u64,
    size: u64,
}

impl FoundHead {
    /// The description in the part that the head was found in.
    pub(crate) fn description(&self, part: &Path) -> Result<impl Read + use<>> {
        let mut file = layout::open_named(part).map_err(Error::file(part, "read"))?;
        file.seek(SeekFrom::Start(self.at))
            .map_err(Error::file(part, "read"))?;
        Ok(file.take(self.size))
    }
}

/// Writes a part as one: under its name it is there whole or not at all.
///
/// # Errors
/// A source cannot be read or has another size than it should; the disk is full.
pub(crate) fn write(
    path: &Path,
    head: &Head,
    files: &[(&Packed, PathBuf)],
    made: u64,
) -> Result<()> {
    WholeFile::new(path, Access::Umask)
        .and_then(|new| write_to(new, head, files, made))
        .map_err(Error::file(path, "write"))
}

fn write_to(
    new: WholeFile<'_>,
    head: &Head,
    files: &[(&Packed, PathBuf)],
    made: u64,
) -> io::Result<()> {
    let mut tar = Builder::new(BufWriter::with_capacity(256 << 10, new));
    append(
        &mut tar,
        JSON,
        head.json.len() as u64,
        made,
        head.json.as_slice(),
    )?;
    let signature = head.signature.as_slice();
    append(&mut tar, SIGNATURE, signature.len() as u64, made, signature)?;
    for (file, source) in files {
        let data = layout::open(source)?;
        if data.metadata()?.len() != file.size {
            let what = format!("{}: not {} bytes", source.display(), file.size);
            return Err(io::Error::other(what));
        }
        append(&mut tar, &file.path, file.size, made, data)?;
    }
    tar.into_inner()?.into_inner()?.place(Durability::Synced)
}

fn append<W: Write>(
    tar: &mut Builder<W>,
    path: &str,
    size: u64,
    made: u64,
    data: impl Read,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_mtime(made);
    header.set_size(size);
    tar.append_data(&mut header, path, data)
}

/// Reads the head of a part.
pub(crate) fn head(path: &Path) -> Result<FoundHead> {
    let mut head = None;
    let mut keep = |found| {
        head = Some(found);
        Ok(ControlFlow::Break(()))
    };
    read(path, &mut keep, &mut |_, _, _| Ok(()))?;
    head.ok_or_else(|| no_bundle(path, "it is empty"))
}

fn no_bundle(path: &Path, what: &str) -> Error {
    Error::Bundle {
        bundle: path.display().to_string(),
        what: format!("this is not part of a bundle: {what}"),
    }
}

fn cut(path: &Path) -> Error {
    Error::Bundle {
        bundle: path.display().to_string(),
        what: "it is cut short (its end is missing): copy it again".to_owned(),
    }
}

/// Hands over every file of a part: name, size, content. `head` is asked first, and whether to go on.
pub(crate) fn read(
    path: &Path,
    head: &mut dyn FnMut(FoundHead) -> Result<ControlFlow<()>>,
    each: &mut dyn FnMut(&str, u64, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let file = layout::open_named(path).map_err(Error::file(path, "read"))?;
    let size = file.metadata().map_err(Error::file(path, "read"))?.len();
    // Blocks of 512 bytes make a tar file, and two of zeros end it.
    let mut end = [1; 2 * BLOCK as usize];
    let is_cut = size % BLOCK != 0
        || size < 2 * BLOCK
        || file.read_exact_at(&mut end, size - 2 * BLOCK).is_err()
        || end != [0; 2 * BLOCK as usize];
    let mut seen = false;
    let told = |error: io::Error, seen: bool| match is_cut && (seen || size < BLOCK) {
        true => cut(path),
        false => no_bundle(path, &error.to_string()),
    };
    let mut tar = Archive::new(BufReader::with_capacity(256 << 10, file));
    let mut json = None;
    let mut begun = false;
    let mut long = None;
    for entry in tar.entries().map_err(|error| told(error, false))?.raw(true) {
        let mut entry = entry.map_err(|error| told(error, seen))?;
        let told = |error| told(error, true);
        seen = true;
        let size = entry.header().entry_size().map_err(told)?;
        match entry.header().entry_type() {
            EntryType::Regular => {}
            EntryType::GNULongName if size <= MAX_NAME && long.is_none() => {
                let data = small(&mut entry, MAX_NAME).map_err(told)?;
                let name = data.split(|byte| *byte == 0).next().unwrap_or_default();
                long = Some(String::from_utf8_lossy(name).into_owned());
                continue;
            }
            _ => return Err(no_bundle(path, "it holds something other than plain files")),
        }
        let short = || String::from_utf8_lossy(&entry.header().path_bytes()).into_owned();
        let name = long.take().unwrap_or_else(short);
        match (name.as_str(), json.take()) {
            (JSON, None) if !begun && size <= MAX_JSON => {
                let at = entry.raw_file_position();
                let id = Hasher::digest_reader(DigestAlgo::Sha256, &mut entry).map_err(told)?;
                json = Some((at, size, id.hex()));
            }
            (SIGNATURE, Some((at, size, id))) if !begun => {
                begun = true;
                let signature = small(&mut entry, MAX_SIGNATURE).map_err(told)?;
                let found = FoundHead {
                    signature,
                    id,
                    at,
                    size,
                };
                if head(found)?.is_break() {
                    return Ok(());
                }
            }
            _ if begun => each(&name, size, &mut entry)?,
            _ => {
                return Err(no_bundle(
                    path,
                    "it does not begin with bundle.json and its signature",
                ));
            }
        }
    }
    match begun {
        _ if is_cut => Err(cut(path)),
        true => Ok(()),
        false => Err(no_bundle(path, "bundle.json or its signature is missing")),
    }
}

/// A small member, whole.
fn small(entry: &mut Entry<'_, impl Read>, max: u64) -> io::Result<Vec<u8>> {
    let whole = entry.size();
    let mut data = Vec::new();
    entry.take(max + 1).read_to_end(&mut data)?;
    if data.len() as u64 > max {
        return Err(io::Error::other("a member is too large"));
    }
    if (data.len() as u64) < whole {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(data)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A tar file of these entries: kind, name, content.
    fn tar_of(entries: &[(EntryType, &str, &[u8])]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut tar = Builder::new(file.reopen().unwrap());
        for (kind, name, data) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(data.len() as u64);
            let place = header.as_gnu_mut().unwrap();
            place.name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            tar.append(&header, *data).unwrap();
        }
        tar.finish().unwrap();
        file
    }

    fn names(file: &tempfile::NamedTempFile) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let mut go_on = |_| Ok(ControlFlow::Continue(()));
        read(file.path(), &mut go_on, &mut |name, _, _| {
            names.push(name.to_owned());
            Ok(())
        })?;
        Ok(names)
    }

    const FILE: EntryType = EntryType::Regular;
    const HEAD: [(EntryType, &str, &[u8]); 2] = [(FILE, JSON, b"{}"), (FILE, SIGNATURE, b"s")];

    #[test]
    fn long_names_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        std::fs::write(&source, "x").unwrap();
        let long = format!("base/Packages/{}.rpm", "n".repeat(180));
        let packed = Packed {
            path: long.clone(),
            size: 1,
            sha256: String::new(),
            stored: None,
            part: 1,
        };
        let head = Head {
            json: b"{}".to_vec(),
            signature: b"s".to_vec(),
        };
        let path = dir.path().join("part");
        write(&path, &head, &[(&packed, source)], 0).unwrap();
        let mut seen = Vec::new();
        read(
            &path,
            &mut |found| {
                let mut json = Vec::new();
                let mut description = found.description(&path).unwrap();
                description.read_to_end(&mut json).unwrap();
                assert_eq!(json, head.json);
                assert_eq!(found.signature, head.signature);
                Ok(ControlFlow::Continue(()))
            },
            &mut |name, size, _| {
                seen.push((name.to_owned(), size));
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(seen, [(long, 1)]);
    }

    #[test]
    fn row_113_only_plain_files_behind_a_head() {
        let link = [HEAD[0], HEAD[1], (EntryType::Symlink, "base", &b""[..])];
        let device = [HEAD[0], HEAD[1], (EntryType::Char, "base/null", &b""[..])];
        let directory = [HEAD[0], HEAD[1], (EntryType::Directory, "base", &b""[..])];
        for bad in [&link[..], &device, &directory, &HEAD[..1], &HEAD[1..], &[]] {
            assert!(names(&tar_of(bad)).is_err(), "{bad:?}");
        }
        let twice = [HEAD[0], HEAD[1], HEAD[0]];
        // Handed over as a file that no description names.
        assert_eq!(names(&tar_of(&twice)).unwrap(), [JSON]);
        let name = vec![b'n'; 5000];
        let long = [HEAD[0], HEAD[1], (EntryType::GNULongName, "L", &name[..])];
        assert!(names(&tar_of(&long)).is_err());
        let fits = [HEAD[0], HEAD[1], (FILE, "../x", &b"1"[..])];
        assert_eq!(
            names(&tar_of(&fits)).unwrap(),
            ["../x"],
            "named, never written"
        );
    }
}
