//! Image layouts and archives of them: blobs by their digests, and the documents that name them (OCI image
//! specification 1.1, and the `manifest.json` that `docker load` reads).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use rpm_pkg::files::FileType;
use rpm_repo::compress::Written;
use rustix::fs::{FlockOperation, OFlags, flock};
use serde::Serialize;
use serde_json::{Value, json};
use whole_file::{Access, Durability, Folder, WholeFile, open_plain, read_up_to};

use super::base::{Base, BaseLayer};
use super::config::ImageConfig;
use super::layer::{Compression, LayerWriter};
use super::tree::{Attributes, Entry, Tree};
use crate::error::{At, Code, Failure, Outcome};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// The annotation that holds a tag.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The annotation that says which tag a document is about.
const ABOUT: &str = "dev.tdnf.image.about";
/// Largest `index.json` that is added to.
const MAX_INDEX: u64 = 16 << 20;
/// The document that says that a folder is a layout.
pub(super) const OCI_LAYOUT: &str = "oci-layout";
pub(super) const INDEX_FILE: &str = "index.json";
pub(super) const BLOBS: &str = "blobs/sha256";

/// A blob.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Built {
    /// What it is.
    pub media_type: String,
    /// `sha256:HEX`.
    pub digest: String,
    /// Bytes.
    pub size: u64,
}

/// An image of one architecture.
#[derive(Debug)]
pub struct Image {
    /// Its manifest.
    pub manifest: Built,
    /// The digest of its configuration.
    pub(super) config: Built,
    /// Its layers, the lowest first.
    pub layers: Vec<Built>,
    /// By the names of Go: `amd64`.
    architecture: &'static str,
    variant: Option<&'static str>,
}

/// A document about an image, which names it as its subject.
#[derive(Debug)]
pub struct Referrer {
    descriptor: Value,
    pub(super) blobs: Vec<Built>,
}

/// A layer, and the digest of what is packed in it.
#[derive(Debug)]
struct Layer {
    blob: Built,
    open: String,
}

/// Where blobs and documents of an image are put together.
pub struct Pieces {
    pub(super) dir: PathBuf,
    durability: Durability,
}

/// What an image is made of, beside its tree.
pub struct Parts<'a> {
    /// What it is made upon.
    pub base: Option<&'a Base>,
    /// How it is started.
    pub config: &'a ImageConfig,
    /// About it.
    pub annotations: &'a BTreeMap<String, String>,
    /// As rpm names it.
    pub arch: &'a str,
    /// Seconds since 1970.
    pub epoch: u64,
    /// How layers are packed.
    pub compression: Compression,
    /// The layer of each package, by its position; what no package brought is in the last one.
    pub layers: &'a [usize],
    /// How many layers there are.
    pub count: usize,
}

impl Pieces {
    /// A layout in `dir`, which is made or added to. `kept`: it outlasts the run.
    ///
    /// # Errors
    /// The folder holds something else, or cannot be written.
    pub fn new(dir: &Path, kept: bool) -> Outcome<Self> {
        let marker = dir.join(OCI_LAYOUT);
        if !marker.exists()
            && dir
                .read_dir()
                .is_ok_and(|mut entries| entries.next().is_some())
        {
            let line = format!("{}: neither empty nor an OCI image layout", dir.display());
            return Err(Failure::because(Code::FILESYS_IO, line));
        }
        fs::create_dir_all(dir).at(dir)?;
        // A link in the place of a folder would lead the blobs elsewhere.
        let blobs = Folder::open(dir).and_then(|dir| dir.make_all(Path::new(BLOBS)));
        blobs.at(&dir.join(BLOBS))?;
        let durability = if kept {
            Durability::Synced
        } else {
            Durability::Cache
        };
        let dir = dir.to_owned();
        let pieces = Self { dir, durability };
        if !marker.exists() {
            pieces.document(OCI_LAYOUT, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        }
        Ok(pieces)
    }

    pub(super) fn document(&self, name: &str, data: &[u8]) -> Outcome<()> {
        let path = self.dir.join(name);
        whole_file::replace(&path, data, Access::Umask, self.durability).at(&path)
    }

    fn blob_path(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.dir.join(BLOBS).join(hex)
    }

    /// Stores a document under its digest.
    fn blob(&self, media_type: &str, value: &impl Serialize) -> Outcome<Built> {
        let unwritable = |error: serde_json::Error| Failure::because(Code::BASE, error.to_string());
        let data = serde_json::to_vec(value).map_err(unwritable)?;
        let digest = named(&Hasher::digest(DigestAlgo::Sha256, &data));
        let path = self.blob_path(&digest);
        whole_file::replace(&path, &data, Access::Umask, self.durability).at(&path)?;
        Ok(Built {
            media_type: media_type.to_owned(),
            digest,
            size: data.len() as u64,
        })
    }

    /// Packs a tree, and says of what an image of it is made. `each` is asked before every entry; it hears of what
    /// has no place in a layer.
    ///
    /// # Errors
    /// The tree cannot be read, the layout cannot be written; what `each` says.
    pub fn image(
        &self,
        tree: &Tree,
        parts: &Parts<'_>,
        each: &mut dyn FnMut(Option<&Entry<'_>>) -> Outcome<()>,
    ) -> Outcome<Image> {
        let layers = (0..parts.count).map(|number| self.layer(tree, parts, number, each));
        let layers = layers.collect::<Outcome<Vec<Layer>>>()?;
        let (architecture, variant) = platform(parts.arch);
        let below = parts.base.map_or(&[][..], |base| base.layers.as_slice());
        for layer in below {
            self.copy(layer)?;
        }
        let created = time(parts.epoch);
        let document = Document {
            created: &created,
            architecture,
            os: "linux",
            variant,
            config: self::config(parts)?,
            rootfs: RootFs {
                kind: "layers",
                diff_ids: below
                    .iter()
                    .map(|layer| layer.open.as_str())
                    .chain(layers.iter().map(|layer| layer.open.as_str()))
                    .collect(),
            },
            history: history(parts)
                .into_iter()
                .chain(
                    layers
                        .iter()
                        .map(|_| json!({"created": created, "created_by": "tdnf image"})),
                )
                .collect(),
        };
        let config = self.blob(CONFIG, &document)?;
        let layers = layers.into_iter().map(|layer| layer.blob);
        let layers: Vec<Built> = below
            .iter()
            .map(|layer| layer.blob.clone())
            .chain(layers)
            .collect();
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST,
            config: Descriptor::of(&config),
            layers: layers.iter().map(Descriptor::of).collect(),
            annotations: parts.annotations,
        };
        Ok(Image {
            manifest: self.blob(MANIFEST, &manifest)?,
            config,
            layers,
            architecture,
            variant,
        })
    }

    /// Takes a layer of another layout.
    fn copy(&self, layer: &BaseLayer) -> Outcome<()> {
        let path = self.blob_path(&layer.blob.digest);
        if path.exists() {
            return Ok(());
        }
        let mut file = WholeFile::new(&path, Access::Umask).at(&path)?;
        layer.copy(&mut file)?;
        file.place(self.durability).at(&path)
    }

    fn layer(
        &self,
        tree: &Tree,
        parts: &Parts<'_>,
        number: usize,
        each: &mut dyn FnMut(Option<&Entry<'_>>) -> Outcome<()>,
    ) -> Outcome<Layer> {
        let temporary = self.dir.join(BLOBS).join("layer");
        let file = WholeFile::new(&temporary, Access::Umask).at(&temporary)?;
        let out = BufWriter::with_capacity(256 << 10, file);
        let mut layer = LayerWriter::new(out, &temporary, parts.compression)?;
        write_layer(&mut layer, tree, parts, number, each)?;
        let (out, written) = layer.finish()?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error);
        let waiting = file
            .and_then(|file| file.wait(self.durability))
            .at(&temporary)?;
        let layer = Layer::of(&written, parts.compression);
        let path = self.blob_path(&layer.blob.digest);
        waiting.place_as(&path).at(&path)?;
        Ok(layer)
    }

    /// One name for images of several architectures.
    ///
    /// # Errors
    /// The layout cannot be written.
    pub fn index(
        &self,
        images: &[Image],
        annotations: &BTreeMap<String, String>,
    ) -> Outcome<Built> {
        match images {
            [image] => Ok(image.manifest.clone()),
            images => {
                let manifests = images.iter().map(Image::descriptor);
                let manifests: Vec<Value> = manifests.collect();
                let mut index =
                    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
                if let (Some(map), false) = (index.as_object_mut(), annotations.is_empty()) {
                    map.insert("annotations".to_owned(), json!(annotations));
                }
                self.blob(INDEX, &index)
            }
        }
    }

    /// Stores a document about an image, as registries keep it beside the image.
    ///
    /// # Errors
    /// The layout cannot be written.
    pub fn refer(
        &self,
        image: &Image,
        media_type: &str,
        document: &Value,
        tag: &str,
        epoch: u64,
    ) -> Outcome<Referrer> {
        let empty = self.blob(EMPTY, &json!({}))?;
        let layer = self.blob(media_type, document)?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": media_type,
            "config": Descriptor::of(&empty),
            "layers": [Descriptor::of(&layer)],
            "subject": Descriptor::of(&image.manifest),
            "annotations": {"org.opencontainers.image.created": time(epoch)},
        });
        let manifest = self.blob(MANIFEST, &manifest)?;
        let mut descriptor = json!(Descriptor::of(&manifest));
        descriptor["artifactType"] = json!(media_type);
        descriptor["annotations"] = json!({ABOUT: tag});
        Ok(Referrer {
            descriptor,
            blobs: vec![empty, layer, manifest],
        })
    }

    /// Gives an image its tag in `index.json`, which is replaced as one: from then on the layout has the new image.
    ///
    /// # Errors
    /// The file cannot be read or written, or is none.
    pub fn tag(
        &self,
        images: &[Image],
        top: &Built,
        tag: &str,
        referrers: &[Referrer],
    ) -> Outcome<()> {
        // Others who give tags in this folder wait.
        let lock = File::open(&self.dir).at(&self.dir)?;
        flock(&lock, FlockOperation::LockExclusive).at(&self.dir)?;
        let path = self.dir.join(INDEX_FILE);
        let mut index = match open_plain(&path, OFlags::RDONLY) {
            Ok(file) => {
                let data = read_up_to(file, MAX_INDEX).at(&path)?;
                let wrong = |why: String| {
                    Failure::because(Code::FILESYS_IO, format!("{}: {why}", path.display()))
                };
                let index: Value =
                    serde_json::from_slice(&data).map_err(|e| wrong(e.to_string()))?;
                if !index["manifests"].is_array() {
                    return Err(wrong("not the index of an image layout".to_owned()));
                }
                index
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
            }
            Err(error) => return Err(Failure::io(&path, &error)),
        };
        let mut new = match images {
            [image] => image.descriptor(),
            _ => json!(Descriptor::of(top)),
        };
        new["annotations"] = json!({REF_NAME: tag});
        if let Some(manifests) = index["manifests"].as_array_mut() {
            let is_old = |known: &Value| {
                let about = &known["annotations"];
                about[REF_NAME] == tag || about[ABOUT] == tag
            };
            manifests.retain(|known| !is_old(known));
            manifests.push(new);
            manifests.extend(referrers.iter().map(|one| one.descriptor.clone()));
        }
        self.document(INDEX_FILE, index.to_string().as_bytes())
    }
}

/// Writes a tree as one tar file; errors name it `shown`.
///
/// # Errors
/// The tree cannot be read, the file cannot be written; what `each` says.
pub fn write_tar<W: Write>(
    out: W,
    shown: &Path,
    tree: &Tree,
    parts: &Parts<'_>,
    each: &mut dyn FnMut(Option<&Entry<'_>>) -> Outcome<()>,
) -> Outcome<(W, Built)> {
    let out = BufWriter::with_capacity(256 << 10, out);
    let mut layer = LayerWriter::new(out, shown, parts.compression)?;
    write_layer(&mut layer, tree, parts, 0, each)?;
    let (out, written) = layer.finish()?;
    let out = out.into_inner().map_err(io::IntoInnerError::into_error);
    Ok((out.at(shown)?, Layer::of(&written, parts.compression).blob))
}

fn write_layer<W: Write>(
    layer: &mut LayerWriter<W>,
    tree: &Tree,
    parts: &Parts<'_>,
    number: usize,
    each: &mut dyn FnMut(Option<&Entry<'_>>) -> Outcome<()>,
) -> Outcome<()> {
    // The folders above that the layer does not have yet: it gets them with the first thing in them.
    let mut above: Vec<(Vec<u8>, Attributes)> = Vec::new();
    tree.walk(&mut |entry| {
        each(None)?;
        above.retain(|(folder, _)| {
            let rest = entry.path.strip_prefix(folder.as_slice());
            rest.is_some_and(|rest| rest.first() == Some(&b'/'))
        });
        let package = entry.package.and_then(|package| parts.layers.get(package));
        let own = package.copied().unwrap_or(parts.count.saturating_sub(1));
        if own != number || parts.base.is_some() && entry.unchanged {
            if entry.kind == FileType::Directory {
                above.push((entry.path.to_vec(), entry.attributes));
            }
            return Ok(());
        }
        for (folder, attributes) in above.drain(..) {
            layer.add_folder(&folder, &attributes)?;
        }
        match layer.add(entry)? {
            true => Ok(()),
            false => each(Some(entry)),
        }
    })?;
    if parts.base.is_some() {
        for path in tree.gone()? {
            layer.take_away(path, parts.epoch)?;
        }
    }
    Ok(())
}

impl Layer {
    fn of(written: &Written, compression: Compression) -> Self {
        let suffix = match compression {
            Compression::Gzip => "+gzip",
            Compression::Zstd => "+zstd",
            Compression::None => "",
        };
        Self {
            blob: Built {
                media_type: format!("{LAYER}{suffix}"),
                digest: named(&written.checksum),
                size: written.size,
            },
            open: named(&written.open_checksum),
        }
    }
}

impl Image {
    fn descriptor(&self) -> Value {
        let mut platform = json!({"architecture": self.architecture, "os": "linux"});
        if let Some(variant) = self.variant {
            platform["variant"] = json!(variant);
        }
        let mut descriptor = json!(Descriptor::of(&self.manifest));
        descriptor["platform"] = platform;
        descriptor
    }
}

/// How containers are started; what only the image below knows of stays.
fn config(parts: &Parts<'_>) -> Outcome<Value> {
    let own = serde_json::to_value(parts.config);
    let own = own.map_err(|error| Failure::because(Code::BASE, error.to_string()))?;
    let Some(mut config) = parts.base.map(|base| base.config["config"].clone()) else {
        return Ok(own);
    };
    if !config.is_object() {
        return Ok(own);
    }
    for key in [
        "Cmd",
        "Entrypoint",
        "Env",
        "ExposedPorts",
        "Labels",
        "User",
        "WorkingDir",
    ] {
        match own.get(key) {
            Some(value) => config[key] = value.clone(),
            None => drop(config.as_object_mut().map(|config| config.remove(key))),
        }
    }
    Ok(config)
}

fn history(parts: &Parts<'_>) -> Vec<Value> {
    let history = parts.base.map(|base| base.config["history"].clone());
    let history = history.and_then(|history| history.as_array().cloned());
    history.unwrap_or_default()
}

fn named(digest: &Digest) -> String {
    format!("sha256:{}", digest.hex())
}

/// A time as images have it.
pub(super) fn time(epoch: u64) -> String {
    let time = i64::try_from(epoch).ok();
    let time = time.and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
    time.unwrap_or_default()
        .format("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// Architectures of rpm, by the names of Go, and their variants.
const PLATFORMS: [(&str, &str, Option<&str>); 20] = [
    ("aarch64", "arm64", Some("v8")),
    ("amd64", "amd64", None),
    ("armv6hl", "arm", Some("v6")),
    ("armv6l", "arm", Some("v6")),
    ("armv7hl", "arm", Some("v7")),
    ("armv7hnl", "arm", Some("v7")),
    ("armv7l", "arm", Some("v7")),
    ("i386", "386", None),
    ("i486", "386", None),
    ("i586", "386", None),
    ("i686", "386", None),
    ("loongarch64", "loong64", None),
    ("ppc64", "ppc64", None),
    ("ppc64le", "ppc64le", None),
    ("riscv64", "riscv64", None),
    ("s390x", "s390x", None),
    ("x86_64", "amd64", None),
    ("x86_64_v2", "amd64", Some("v2")),
    ("x86_64_v3", "amd64", Some("v3")),
    ("x86_64_v4", "amd64", Some("v4")),
];

/// An architecture of rpm by the names of Go, and its variant.
pub(super) fn platform(arch: &str) -> (&'static str, Option<&'static str>) {
    let known = PLATFORMS.iter().find(|(name, ..)| *name == arch);
    known.map_or(("unknown", None), |(_, name, variant)| (name, *variant))
}

/// Architectures that were asked for: each is one that images have a name for, and none stands twice.
///
/// # Errors
/// Another one, which is named with those that are known; one that stands twice.
pub fn check_archs(archs: &[String]) -> Outcome<()> {
    for (at, arch) in archs.iter().enumerate() {
        if !PLATFORMS.iter().any(|(name, ..)| name == arch) {
            let names: Vec<&str> = PLATFORMS.iter().map(|(name, ..)| *name).collect();
            let line = format!("arch: {arch:?}: images are known of {}", names.join(", "));
            return Err(Failure::invalid(line));
        }
        if archs.iter().take(at).any(|before| before == arch) {
            return Err(Failure::invalid(format!("arch: {arch} stands twice")));
        }
    }
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'a str,
    digest: &'a str,
    size: u64,
}

impl<'a> Descriptor<'a> {
    fn of(blob: &'a Built) -> Self {
        Self {
            media_type: &blob.media_type,
            digest: &blob.digest,
            size: blob.size,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u32,
    media_type: &'a str,
    config: Descriptor<'a>,
    layers: Vec<Descriptor<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Document<'a> {
    created: &'a str,
    architecture: &'a str,
    os: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    config: Value,
    rootfs: RootFs<'a>,
    history: Vec<Value>,
}

#[derive(Serialize)]
struct RootFs<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    diff_ids: Vec<&'a str>,
}
