//! An image that another one is made upon: its layers are unpacked into the work root, and what is not as it was
//! becomes one layer more.
//!
//! An image is somebody else's: every blob must have its digest, every name is resolved inside the root, every size
//! and number has a limit.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rpm_repo::compress::{Expected, HashingReader, VerifiedReader};
use rustix::fs::OFlags;
use serde_json::Value;
use whole_file::{open_plain, read_up_to};

use super::config::ImageFile;
use super::oci::{BLOBS, Built, INDEX_FILE, REF_NAME, platform};
use super::target::TAG;
use super::tree::Stamp;
use super::unpack::Unpacker;
use crate::error::{At, Code, Failure, Outcome};

/// Largest index, manifest or configuration.
const MAX_DOCUMENT: u64 = 4 << 20;
/// Most layers: what runtimes take.
const MAX_LAYERS: usize = 126;

/// What the layers of an image say of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaseEntry {
    /// Type and permissions, as `st_mode` has them.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: u32,
    /// Numbers of a device.
    pub device: (u32, u32),
    /// In the kernel's form of version 2.
    pub capabilities: Option<[u8; 20]>,
    /// What it was on the disk when all layers were there.
    pub stamp: Option<Stamp>,
}

/// A layer of an image, as it lies in its layout.
#[derive(Debug)]
pub struct BaseLayer {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub blob: Built,
    /// The digest of what is packed in it.
    pub open: String,
}

/// An image that is unpacked.
#[derive(Debug)]
pub struct Base {
    /// The digest of its manifest: `sha256:HEX`.
    pub digest: String,
    /// Its layers, the lowest first.
    pub layers: Vec<BaseLayer>,
    /// Its configuration document.
    pub config: Value,
    /// What is in it, by path below the root.
    pub entries: BTreeMap<Vec<u8>, BaseEntry>,
}

/// A document that cannot be used, and why.
fn refused(path: &Path, why: &str) -> Failure {
    Failure::because(
        Code::FILESYS_IO,
        format!("base image: {}: {why}", path.display()),
    )
}

impl Base {
    /// Reads an image of a layout (`oci:DIR[:TAG]`) for an architecture of rpm, and unpacks it into `root`. With
    /// `recorded`, owners, capabilities and devices are not put onto the disk.
    ///
    /// # Errors
    /// It is no layout, has no such image or architecture; a blob has another digest; a name leads out of the root; it
    /// is larger than any image may be.
    pub fn unpack(
        (dir, tag): (&Path, &str),
        arch: &str,
        root: &Path,
        recorded: bool,
        go_on: &dyn Fn() -> Outcome<()>,
    ) -> Outcome<Self> {
        let mut base = Self::read(dir, tag, arch)?;
        let mut unpacker = Unpacker::new(root, recorded)?;
        for layer in &base.layers {
            let failed = |error: io::Error| refused(&layer.path, &error.to_string());
            let file = open_plain(&layer.path, OFlags::RDONLY).at(&layer.path)?;
            let expected = Expected {
                size: Some(layer.blob.size),
                checksum: digest_of(&layer.blob.digest),
                open_checksum: digest_of(&layer.open),
                ..Expected::default()
            };
            let name = match layer.blob.media_type.rsplit('.').next() {
                Some(kind) if kind.ends_with("gzip") => "layer.tar.gz",
                Some(kind) if kind.ends_with("zstd") => "layer.tar.zst",
                _ => "layer.tar",
            };
            let mut stream = VerifiedReader::new(file, name, expected).map_err(failed)?;
            unpacker.layer(&mut stream, go_on).map_err(|failure| {
                failure.detail(format!("base image: {}", layer.path.display()))
            })?;
            // The digests are compared at the end.
            io::copy(&mut stream, &mut io::sink()).map_err(failed)?;
        }
        base.entries = unpacker.finish()?;
        Ok(base)
    }

    fn read(dir: &Path, tag: &str, arch: &str) -> Outcome<Self> {
        let index_path = dir.join(INDEX_FILE);
        let index = document(&index_path, None)?;
        let none = Vec::new();
        let list = |value: &Value| value["manifests"].as_array().cloned().unwrap_or_default();
        let all = list(&index);
        let named = all.iter().find(|one| one["annotations"][REF_NAME] == tag);
        // Nobody named one: that of a layout with one image may have any name.
        let only = || all.first().filter(|_| all.len() == 1 && tag == TAG);
        let found = named.or_else(only);
        let found =
            found.ok_or_else(|| refused(&index_path, &format!("no image has the tag '{tag}'")))?;
        let (wanted, _) = platform(arch);
        let mut blob = Located::of(dir, found)?;
        let mut manifest = document(&blob.path, Some(&blob.blob.digest))?;
        if manifest["manifests"].is_array() {
            let fitting = |one: &&Value| one["platform"]["architecture"] == wanted;
            let images = list(&manifest);
            let image = images.iter().find(fitting);
            let image =
                image.ok_or_else(|| refused(&blob.path, &format!("no image for {wanted}")))?;
            blob = Located::of(dir, image)?;
            manifest = document(&blob.path, Some(&blob.blob.digest))?;
        }
        let config = Located::of(dir, &manifest["config"])?;
        let config_path = config.path;
        let config = document(&config_path, Some(&config.blob.digest))?;
        let os = config["os"].as_str().unwrap_or("linux");
        if config["architecture"] != wanted || os != "linux" {
            return Err(refused(
                &config_path,
                &format!("the image is not for {wanted} and linux"),
            ));
        }
        let layers = manifest["layers"].as_array().unwrap_or(&none);
        let open = config["rootfs"]["diff_ids"].as_array().unwrap_or(&none);
        if layers.is_empty() || layers.len() != open.len() || layers.len() > MAX_LAYERS {
            let line =
                format!("1 to {MAX_LAYERS} layers, and as many digests of them, are expected");
            return Err(refused(&blob.path, &line));
        }
        let layers = layers.iter().zip(open).map(|(layer, open)| {
            let Located { path, blob } = Located::of(dir, layer)?;
            let open = open.as_str().unwrap_or_default().to_owned();
            if digest_of(&open).is_none() {
                return Err(refused(&config_path, "a digest of a layer is malformed"));
            }
            Ok(BaseLayer { path, blob, open })
        });
        Ok(Self {
            digest: blob.blob.digest,
            layers: layers.collect::<Outcome<_>>()?,
            entries: BTreeMap::new(),
            config,
        })
    }

    /// How it is started, as far as descriptions of images tell it.
    pub fn file(&self) -> ImageFile {
        let config = &self.config["config"];
        let texts = |value: &Value| {
            let texts = value.as_array().into_iter().flatten();
            texts
                .filter_map(|text| text.as_str().map(str::to_owned))
                .collect::<Vec<String>>()
        };
        let text = |key: &str| {
            let text = config[key].as_str().filter(|text| !text.is_empty());
            text.map(str::to_owned)
        };
        let pairs = config["Labels"].as_object().into_iter().flatten();
        ImageFile {
            cmd: texts(&config["Cmd"]),
            entrypoint: texts(&config["Entrypoint"]),
            env: texts(&config["Env"]),
            labels: pairs
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
            ports: config["ExposedPorts"]
                .as_object()
                .into_iter()
                .flat_map(|ports| ports.keys().cloned())
                .collect(),
            user: text("User"),
            workdir: text("WorkingDir"),
            ..ImageFile::default()
        }
    }

    /// When it was made, seconds since 1970; 0 where it does not say.
    pub fn created(&self) -> u64 {
        let created = self.config["created"].as_str().unwrap_or_default();
        let time = chrono::DateTime::parse_from_rfc3339(created).ok();
        time.and_then(|time| u64::try_from(time.timestamp()).ok())
            .unwrap_or(0)
    }
}

impl BaseLayer {
    /// Copies the layer, which must still have its digest.
    ///
    /// # Errors
    /// It cannot be read or written, or is another one.
    pub fn copy(&self, out: &mut impl Write) -> Outcome<()> {
        let file = open_plain(&self.path, OFlags::RDONLY).at(&self.path)?;
        let mut hashed = HashingReader::new(file, Some(DigestAlgo::Sha256));
        io::copy(&mut hashed, out).at(&self.path)?;
        match hashed.take_digest() == digest_of(&self.blob.digest) {
            true => Ok(()),
            false => Err(refused(&self.path, "its digest is not its name")),
        }
    }
}

/// A blob that a document names.
struct Located {
    path: PathBuf,
    blob: Built,
}

impl Located {
    fn of(dir: &Path, descriptor: &Value) -> Outcome<Self> {
        let text = |key: &str| descriptor[key].as_str().unwrap_or_default().to_owned();
        let blob = Built {
            media_type: text("mediaType"),
            digest: text("digest"),
            size: descriptor["size"].as_u64().unwrap_or(0),
        };
        let digest = digest_of(&blob.digest)
            .ok_or_else(|| refused(dir, "a digest is malformed; sha256 is expected"))?;
        let path = dir.join(BLOBS).join(digest.hex());
        Ok(Self { path, blob })
    }
}

fn digest_of(text: &str) -> Option<Digest> {
    let hex = text.strip_prefix("sha256:")?;
    Digest::from_hex(DigestAlgo::Sha256, hex).ok()
}

/// Reads a document of JSON, of which the digest may be known.
fn document(path: &Path, digest: Option<&str>) -> Outcome<Value> {
    let file: File = open_plain(path, OFlags::RDONLY).at(path)?;
    let data = read_up_to(file, MAX_DOCUMENT).at(path)?;
    if let Some(digest) = digest
        && Some(Hasher::digest(DigestAlgo::Sha256, &data)) != digest_of(digest)
    {
        return Err(refused(path, "its digest is not its name"));
    }
    serde_json::from_slice(&data).map_err(|error| refused(path, &error.to_string()))
}
