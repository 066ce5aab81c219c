//! Source packages unpacked into a build tree, as `rpm -i X.src.rpm` does: the spec file to
//! `SPECS`, everything else to `SOURCES`.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rpm_pkg::files::{FileFlags, FileType};
use rpm_pkg::package::{DigestChoice, payload_passes};
use rpm_pkg::payload::{Payload, PayloadLimits};
use whole_file::{Access, Durability, Waiting, WholeFile};

use crate::error::{At, Code, Failure, Outcome};
use crate::settings::Settings;

use crate::change::VerifiedPackage;

/// Copied at a time.
const PIECE: usize = 128 << 10;
/// Permission bits that a file of a source package may have.
const MODE: u32 = 0o755;

/// Unpacks one package. Files get their names when the whole payload was read and is right.
pub fn unpack(settings: &Settings, package: &VerifiedPackage) -> Outcome<()> {
    let staged = stage(settings, package)?;
    staged
        .into_iter()
        .try_for_each(|(path, file)| file.place().at(&path))
}

fn bad(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::package(Code::TRANSACTION_FAILED, path, why)
}

/// The files, written and waiting for their names; dropped, they go.
type Staged = Vec<(PathBuf, Waiting<'static>)>;

fn stage(settings: &Settings, package: &VerifiedPackage) -> Outcome<Staged> {
    let mut staged = Vec::new();
    let source = package.path();
    let opened = rpm_transaction::open_verified(source, package.identity())
        .map_err(|error| bad(source, &error))?;
    let mut payload = opened
        .into_payload(DigestChoice::Strongest, PayloadLimits::default())
        .map_err(|error| bad(source, &error))?;
    let top = settings.build_tree();
    while let Some(entry) = payload.next_entry().map_err(|error| bad(source, &error))? {
        let Some(file) = payload.files().get(entry.index) else {
            continue;
        };
        let folder = match file.flags.has(FileFlags::SPECFILE) {
            true => "SPECS",
            false => "SOURCES",
        };
        let (mode, kind) = (u32::from(file.mode) & MODE, file.kind);
        let name = plain_name(file.base).ok_or_else(|| bad(source, &"a file with a bad name"))?;
        if kind != FileType::Regular {
            return Err(bad(source, &"a file that is not a regular file"));
        }
        let dir = top.join(folder);
        fs::create_dir_all(&dir).at(&dir)?;
        let path = dir.join(&name);
        let out = WholeFile::new(&path, Access::Mode(mode | 0o600)).at(&path)?;
        let written = write(&mut payload, out, &path, source)?;
        staged.push((path, written));
    }
    let summary = payload.finish().map_err(|error| bad(source, &error))?;
    if payload_passes(&summary.digests) {
        Ok(staged)
    } else {
        Err(bad(source, &"a digest does not match"))
    }
}

/// The name of a file without folders; `None` if it is not one.
fn plain_name(base: &[u8]) -> Option<PathBuf> {
    let text = std::str::from_utf8(base).ok()?;
    let wrong = matches!(text, "" | "." | "..") || text.contains('/');
    (!wrong && !text.chars().any(char::is_control)).then(|| PathBuf::from(OsStr::from_bytes(base)))
}

fn write<R: std::io::Read>(
    payload: &mut Payload<R>,
    mut out: WholeFile<'static>,
    path: &Path,
    source: &Path,
) -> Outcome<Waiting<'static>> {
    let mut piece = vec![0; PIECE];
    loop {
        let got = payload
            .read_data(&mut piece)
            .map_err(|error| bad(source, &error))?;
        let Some(data) = piece.get(..got).filter(|data| !data.is_empty()) else {
            let waiting = out.wait(Durability::Synced);
            return waiting.at(path);
        };
        out.write_all(data).at(path)?;
    }
}
