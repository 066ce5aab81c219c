//! Layouts as one tar file: of OCI, and what `docker load` reads.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use serde_json::json;
use tar::{Builder, EntryType, Header};
use whole_file::{Access, Durability, Waiting, WholeFile};

use super::oci::{BLOBS, Built, INDEX_FILE, Image, OCI_LAYOUT, Pieces, Referrer};
use crate::error::{At, Outcome};

impl Pieces {
    /// Writes the layout as one tar file, which waits for its place.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn archive(
        &self,
        target: &Path,
        images: &[Image],
        (top, referrers): (&Built, &[Referrer]),
        epoch: u64,
    ) -> Outcome<Waiting<'static>> {
        let blobs = images.iter().flat_map(|image| {
            let own = [&image.manifest, &image.config].into_iter();
            own.chain(&image.layers)
        });
        let mut names: Vec<String> = blobs
            .chain([top])
            .chain(referrers.iter().flat_map(|one| &one.blobs))
            .filter_map(|blob| blob.digest.strip_prefix("sha256:"))
            .map(|hex| format!("{BLOBS}/{hex}"))
            .collect();
        names.extend([INDEX_FILE.to_owned(), OCI_LAYOUT.to_owned()]);
        let folders = ["blobs/".to_owned(), format!("{BLOBS}/")];
        write_archive(target, epoch, &folders, &names, |name| self.dir.join(name))
    }

    /// Writes what `docker load` reads, which waits for its place; the layers are not packed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn docker_archive(
        &self,
        target: &Path,
        image: &Image,
        name: Option<&str>,
        epoch: u64,
    ) -> Outcome<Waiting<'static>> {
        let hex = |blob: &Built| blob.digest.trim_start_matches("sha256:").to_owned();
        let config = format!("{}.json", hex(&image.config));
        let layers: Vec<String> = image
            .layers
            .iter()
            .map(|layer| format!("{}.tar", hex(layer)))
            .collect();
        let tags: Vec<&str> = name.into_iter().collect();
        let manifest = json!([{"Config": config, "RepoTags": tags, "Layers": layers}]);
        self.document("manifest.json", manifest.to_string().as_bytes())?;
        let mut names = layers;
        names.push(config);
        names.push("manifest.json".to_owned());
        write_archive(target, epoch, &[], &names, |name| {
            let own = name.split_once('.').map_or(name, |(hex, _)| hex);
            match name {
                "manifest.json" => self.dir.join(name),
                _ => self.dir.join(BLOBS).join(own),
            }
        })
    }
}

/// Writes one tar file, with these names; `source` says which file is behind each.
fn write_archive(
    target: &Path,
    epoch: u64,
    folders: &[String],
    names: &[String],
    source: impl Fn(&str) -> PathBuf,
) -> Outcome<Waiting<'static>> {
    let file = WholeFile::new(target, Access::Umask).at(target)?;
    let mut tar = Builder::new(BufWriter::with_capacity(256 << 10, file));
    let header = |kind, mode, size| {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(epoch);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(size);
        header
    };
    for folder in folders {
        let mut header = header(EntryType::Directory, 0o755, 0);
        tar.append_data(&mut header, folder, io::empty())
            .at(target)?;
    }
    let mut names = names.to_vec();
    names.sort();
    names.dedup();
    for name in names {
        let path = source(&name);
        let file = File::open(&path).at(&path)?;
        let size = file.metadata().at(&path)?.len();
        let mut header = header(EntryType::Regular, 0o644, size);
        tar.append_data(&mut header, name, file).at(target)?;
    }
    let out = tar.into_inner().at(target)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error);
    file.and_then(|file| file.wait(Durability::Synced))
        .at(target)
}
