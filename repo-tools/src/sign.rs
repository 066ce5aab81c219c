//! Signing: `repomd.xml.asc`, and header signatures of packages.
//!
//! A package gets one signature of its main header (tag 268 for RSA, 267 for others; format 6: 278),
//! as `rpmsign` of rpm 4.18 makes it. Older signatures go; digests, sizes and file signatures stay.
//! The payload is not touched: the header names its digest.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rpm_pkg::header::{Header, HeaderBuilder, HeaderKind, MAGIC, TagValue, WriteError, tag};
use rpm_pkg::package::{LEAD_SIZE, Package};
use rpm_trust::sign::{SignatureHash, SigningKey};
use whole_file::{Access, Durability, Folder, WholeFile};

use crate::error::{Error, PackageFault, Result};
use crate::repository::{MAX_INDEX, Repository};
use crate::stage::{INDEX, RepoChange};

/// Tags of signatures, all of which a new one replaces: header only (267, 268, 278), header and
/// payload (1002, 1005), and the space that was reserved for them (999 stays: format 6 is known by
/// it).
const SIGNATURES: [u32; 6] = [267, 268, 278, 1002, 1005, 1008];
/// Permission bits of a package that its signed successor has. The successor is the caller's: that everybody may write
/// it, or runs it as its owner, was the wish of whoever had the old one.
const KEPT: u32 = 0o775;
/// Largest private key file.
const MAX_KEY: u64 = 1 << 20;

/// Reads an unencrypted private key, armored or binary.
pub fn read_key(path: &Path) -> Result<SigningKey> {
    let meta = fs::metadata(path).map_err(Error::file(path, "read"))?;
    if meta.len() > MAX_KEY {
        return Err(Error::Usage(format!(
            "{}: too large for a key",
            path.display()
        )));
    }
    let data = fs::read(path).map_err(Error::file(path, "read"))?;
    Ok(SigningKey::from_armored(&data)?)
}

/// Signs `repomd.xml` of the repository in `dir`; `with_key` also writes the public key beside it.
pub fn repository(dir: &Path, key: &SigningKey, with_key: bool, now: u64) -> Result<()> {
    let repository = Repository::open(dir)?;
    let _stage = RepoChange::of(repository.folder().clone())?;
    let repodata = Repository::of(repository.folder())?;
    let repodata = repodata.repodata();
    let path = |name: &str| repodata.path().join(name);
    let data = repodata.read(Path::new(INDEX), MAX_INDEX);
    let data = data.map_err(Error::file(path(INDEX), "read"))?;
    let write = |name: &str, data: &[u8]| {
        let written = repodata.replace(name, data, Durability::Synced);
        written.map_err(Error::file(path(name), "write"))
    };
    write(
        "repomd.xml.asc",
        key.sign_detached(data.as_slice(), now)?.as_bytes(),
    )?;
    if with_key {
        write("repomd.xml.key", key.public_armored()?.as_bytes())?;
    }
    Ok(())
}

/// Signs the package at `path`, which is replaced as one. The new file is the caller's, with those permission
/// bits of the old one that are [`KEPT`]. Of a link the new file takes the place.
///
/// # Errors
/// The package cannot be read or its header digests differ; the key cannot sign.
pub fn package(path: &Path, key: &SigningKey, now: u64) -> Result<()> {
    let told = |fault: PackageFault| Error::Package {
        path: path.to_owned(),
        fault,
    };
    let (Some(name), above) = (path.file_name().and_then(OsStr::to_str), path.parent()) else {
        return Err(Error::Usage(format!(
            "{}: not a name of a package",
            path.display()
        )));
    };
    let folder = Folder::open(above.unwrap_or(Path::new("")));
    let folder = folder.map_err(Error::file(path, "read"))?;
    let file = folder.named(name).map_err(Error::file(path, "read"))?;
    let meta = file.metadata().map_err(Error::file(path, "read"))?;
    let package = Package::open(BufReader::new(file)).map_err(|e| told(e.into()))?;
    package
        .verify_header_digests()
        .map_err(|e| told(e.into()))?;
    let region = package.header_bytes();
    let packet = key.sign_packet(region.as_slice(), now, SignatureHash::Sha256)?;
    let signature = signature_header(&package.signature, package.is_v6(), key.is_rsa(), packet);
    let signature = signature.map_err(|e| told(e.into()))?;
    let start = package.header_range().start;
    let mut source = package.into_reader().into_inner();
    let mode = meta.permissions().mode() & KEPT;
    folder
        .whole(name, Access::Mode(mode))
        .and_then(|new| write_package(&mut source, new, &signature, start))
        .map_err(Error::file(path, "write"))
}

fn write_package(
    source: &mut File,
    new: WholeFile<'_>,
    signature: &Header,
    start: u64,
) -> io::Result<()> {
    let mut out = BufWriter::new(new);
    source.seek(SeekFrom::Start(0))?;
    io::copy(
        &mut io::Read::take(&mut *source, LEAD_SIZE as u64),
        &mut out,
    )?;
    out.write_all(&MAGIC)?;
    out.write_all(signature.bytes())?;
    let size = signature.bytes().len() + MAGIC.len();
    let padding = size.next_multiple_of(8) - size;
    out.write_all([0; 8].get(..padding).unwrap_or_default())?;
    source.seek(SeekFrom::Start(start))?;
    io::copy(source, &mut out)?;
    let new = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    new.place(Durability::Synced)
}

/// The old signature header with one new signature instead of the old ones.
fn signature_header(
    old: &Header,
    is_v6: bool,
    is_rsa: bool,
    packet: Vec<u8>,
) -> std::result::Result<Header, WriteError> {
    let mut builder = HeaderBuilder::new();
    for entry in old
        .entries()
        .filter(|entry| !SIGNATURES.contains(&entry.tag))
    {
        builder.add(entry.tag, TagValue::of(&entry));
    }
    if is_v6 {
        builder.add(
            tag::OPENPGP,
            TagValue::strings([BASE64_STANDARD.encode(&packet)]),
        );
    } else if is_rsa {
        builder.add(tag::RSAHEADER, TagValue::Bin(packet));
    } else {
        builder.add(tag::DSAHEADER, TagValue::Bin(packet));
    }
    builder.build(HeaderKind::Signature)
}
