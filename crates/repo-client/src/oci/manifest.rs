//! How a repository lies in a registry: manifests of the OCI image specification, read and written.
//!
//! A manifest lists files: a layer each, by digest, with its path in `org.opencontainers.image.title`, so that other tools
//! give the same tree. A repository of many files is an index of such manifests: the first has all that is no package,
//! the others have packages. Into which of them a package goes is told by its path alone: what is added or taken
//! away changes one or two of them.

use std::collections::{BTreeMap, BTreeSet};

use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
use serde::{Deserialize, Serialize};

use super::address::parse_digest;

/// What the artifact of a repository is called.
pub(crate) const ARTIFACT: &str = "application/vnd.tdnf.repository.v1";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// What else may be under a tag: asked for so that it can be named.
const FOREIGN: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
const EMPTY_KIND: &str = "application/vnd.oci.empty.v1+json";
/// The config of an artifact that has none, as the specification wants it.
pub(crate) const EMPTY: &[u8] = b"{}";
/// Annotation with the path of a file.
const TITLE: &str = "org.opencontainers.image.title";
/// Annotation of a manifest in an index: what it holds.
const HOLDS: &str = "vnd.tdnf.repository.holds";

/// Largest manifest that registries take, and that is read (4 MiB).
pub(crate) const MAX_MANIFEST: u64 = 4 << 20;
/// Most manifests of a repository.
pub(crate) const MAX_MANIFESTS: usize = 1024;
/// Most files of a repository.
pub(crate) const MAX_FILES: usize = 1 << 20;
/// Most bytes of all manifests of an artifact: 600,000 packages with usual names.
pub(crate) const MAX_TEXT: usize = 192 << 20;
/// Longest path of a file.
const MAX_PATH: usize = 4096;
/// Most files of a manifest that is written: a quarter of what registries take, for names of usual length.
pub(crate) const FILES_EACH: usize = 4000;
/// Most bytes of one: names may be long.
const BYTES_EACH: usize = 3 << 20;
/// Packages that a manifest of an index is to have, at most and on average.
const PACKAGES_EACH: usize = 2000;

/// What is asked for by its reference.
pub(crate) fn accepted() -> String {
    [MANIFEST, INDEX]
        .iter()
        .chain(&FOREIGN)
        .copied()
        .collect::<Vec<_>>()
        .join(", ")
}

/// A file of a repository in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactFile {
    /// Path below the repository, `repodata/repomd.xml`.
    pub path: String,
    /// SHA-256 of its content.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// What kind of file it is, `application/x-rpm`.
    pub media_type: String,
}

impl ArtifactFile {
    /// A file whose kind its name tells.
    pub fn new(path: &str, digest: Digest, size: u64) -> Self {
        let end = path.rsplit('.').next().unwrap_or_default();
        let media_type = match end {
            "rpm" | "drpm" => "application/x-rpm",
            "xml" => "application/xml",
            "gz" => "application/gzip",
            "xz" => "application/x-xz",
            "zst" | "zck" => "application/zstd",
            "bz2" => "application/x-bzip2",
            "asc" | "sig" | "key" => "application/pgp-signature",
            "json" => "application/json",
            _ => "application/octet-stream",
        };
        Self {
            path: path.to_owned(),
            digest,
            size,
            media_type: media_type.to_owned(),
        }
    }
}

/// Packages may stand in any manifest of an artifact, everything else in the first one.
pub(crate) fn is_package(path: &str) -> bool {
    path.ends_with(".rpm")
}

type Annotations = BTreeMap<String, String>;

#[derive(Serialize, Deserialize, Clone)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<Annotations>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<Descriptor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<Annotations>,
}

/// A manifest or index that was read.
pub(crate) struct Read {
    /// Its files.
    pub(crate) files: Vec<ArtifactFile>,
    /// Manifests with more.
    pub(crate) more: Vec<Digest>,
    /// What it is annotated with.
    pub(crate) annotations: Annotations,
}

/// Reads a manifest, or an index if that may be. In words why it is none of a repository.
pub(crate) fn read(bytes: &[u8], may_be_index: bool) -> Result<Read, String> {
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|_| "it is no manifest that can be read".to_owned())?;
    let kind = document.artifact_type.as_deref();
    if document.schema_version != 2 || kind != Some(ARTIFACT) {
        let is_image = document
            .config
            .as_ref()
            .is_some_and(|config| config.media_type != EMPTY_KIND);
        return Err(match kind {
            Some(other) => format!("it is an artifact of another kind ({})", shown(other)),
            None if is_image || document.manifests.is_some() => {
                "it is a container image".to_owned()
            }
            None => "it is no artifact of tdnf".to_owned(),
        });
    }
    let more = document.manifests.unwrap_or_default();
    if !may_be_index && !more.is_empty() || more.len() > MAX_MANIFESTS {
        return Err(format!(
            "it has more than {MAX_MANIFESTS} manifests, or one inside another"
        ));
    }
    let more = more.iter().map(|one| {
        let small = one.size <= MAX_MANIFEST && one.media_type == MANIFEST;
        let digest = parse_digest(&one.digest).filter(|_| small);
        digest.ok_or_else(|| "its index names what is no manifest of ours".to_owned())
    });
    let files = document.layers.unwrap_or_default();
    Ok(Read {
        more: more.collect::<Result<_, _>>()?,
        files: files.into_iter().map(file).collect::<Result<_, _>>()?,
        annotations: document.annotations.unwrap_or_default(),
    })
}

fn file(layer: Descriptor) -> Result<ArtifactFile, String> {
    let mut annotations = layer.annotations.unwrap_or_default();
    let path = annotations.remove(TITLE).unwrap_or_default();
    check_path(&path)?;
    let digest = parse_digest(&layer.digest);
    let digest = digest.ok_or_else(|| format!("its file {} has no sha256 digest", shown(&path)))?;
    Ok(ArtifactFile {
        path,
        digest,
        size: layer.size,
        media_type: layer.media_type,
    })
}

/// Paths of plain parts below the repository alone: whoever writes them to a disk stays there.
fn check_path(path: &str) -> Result<(), String> {
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    let clean = !path.chars().any(|c| c.is_control() || c == '\\');
    match path.len() <= MAX_PATH && clean && path.split('/').all(plain) {
        true => Ok(()),
        false => Err(format!(
            "a file has no path below a repository: `{}`",
            shown(path)
        )),
    }
}

fn shown(text: &str) -> String {
    text.chars()
        .take(200)
        .flat_map(char::escape_debug)
        .collect()
}

/// An artifact as it is sent: the manifests that it consists of, the one under the tag last.
pub(crate) struct Written {
    /// Media type, digest, text.
    pub(crate) parts: Vec<(&'static str, Digest, Vec<u8>)>,
}

/// Writes the artifact of these files: the same files and annotations give the same bytes. In words why they cannot be one.
pub(crate) fn write(files: &[ArtifactFile], annotations: &Annotations) -> Result<Written, String> {
    write_in(files, annotations, (FILES_EACH, PACKAGES_EACH))
}

fn write_in(
    files: &[ArtifactFile],
    annotations: &Annotations,
    (most, each): (usize, usize),
) -> Result<Written, String> {
    let mut sorted: Vec<&ArtifactFile> = files.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    let mut seen = BTreeSet::new();
    for file in &sorted {
        check_path(&file.path)?;
        if !seen.insert(file.path.as_str()) {
            return Err(format!("{} is in it twice", shown(&file.path)));
        }
        if file.digest.algo() != DigestAlgo::Sha256 {
            return Err(format!("{} has no SHA-256 digest", shown(&file.path)));
        }
    }
    if sorted.len() <= most {
        let whole = manifest(&sorted, annotations)?;
        if whole.2.len() <= BYTES_EACH {
            return Ok(Written { parts: vec![whole] });
        }
    }
    let (packages, others): (Vec<&ArtifactFile>, Vec<_>) =
        sorted.into_iter().partition(|file| is_package(&file.path));
    let mut parts = vec![("metadata", manifest(&others, &Annotations::new())?)];
    // Twice as many groups where names are so long that one would be too large.
    let mut count = packages.len().div_ceil(each.max(1)).next_power_of_two();
    let groups = loop {
        let groups = groups(&packages, count)?;
        if groups.iter().all(|part| part.2.len() <= BYTES_EACH) || count >= MAX_MANIFESTS {
            break groups;
        }
        count *= 2;
    };
    parts.extend(groups.into_iter().map(|part| ("packages", part)));
    if parts.len() > MAX_MANIFESTS
        || parts
            .iter()
            .any(|(_, part)| part.2.len() as u64 > MAX_MANIFEST)
    {
        return Err("it has more files than an artifact can hold".to_owned());
    }
    let rows = parts.iter().map(|(holds, (_, digest, bytes))| Descriptor {
        media_type: MANIFEST.to_owned(),
        digest: digest.to_string(),
        size: bytes.len() as u64,
        data: None,
        artifact_type: Some(ARTIFACT.to_owned()),
        annotations: Some(Annotations::from([(HOLDS.to_owned(), (*holds).to_owned())])),
    });
    let index = Document {
        schema_version: 2,
        media_type: Some(INDEX.to_owned()),
        artifact_type: Some(ARTIFACT.to_owned()),
        config: None,
        layers: None,
        manifests: Some(rows.collect()),
        annotations: Some(annotations.clone()).filter(|all| !all.is_empty()),
    };
    let index = sealed(INDEX, &index)?;
    let mut parts: Vec<_> = parts.into_iter().map(|(_, part)| part).collect();
    parts.push(index);
    Ok(Written { parts })
}

type Part = (&'static str, Digest, Vec<u8>);

/// Packages by the beginning of the digest of their paths; groups without any are left out.
fn groups(packages: &[&ArtifactFile], count: usize) -> Result<Vec<Part>, String> {
    let mut groups = vec![Vec::new(); count];
    for package in packages {
        let key = Hasher::digest(DigestAlgo::Sha256, package.path.as_bytes());
        let key = key
            .bytes()
            .iter()
            .take(2)
            .fold(0, |key, byte| key << 8 | usize::from(*byte));
        if let Some(group) = groups.get_mut(key % count) {
            group.push(*package);
        }
    }
    let filled = groups.iter().filter(|group| !group.is_empty());
    filled
        .map(|group| manifest(group, &Annotations::new()))
        .collect()
}

fn manifest(files: &[&ArtifactFile], annotations: &Annotations) -> Result<Part, String> {
    let layers = files.iter().map(|file| Descriptor {
        media_type: file.media_type.clone(),
        digest: file.digest.to_string(),
        size: file.size,
        data: None,
        artifact_type: None,
        annotations: Some(Annotations::from([(TITLE.to_owned(), file.path.clone())])),
    });
    let manifest = Document {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        artifact_type: Some(ARTIFACT.to_owned()),
        config: Some(Descriptor {
            media_type: EMPTY_KIND.to_owned(),
            digest: Hasher::digest(DigestAlgo::Sha256, EMPTY).to_string(),
            size: EMPTY.len() as u64,
            data: Some("e30=".to_owned()),
            artifact_type: None,
            annotations: None,
        }),
        layers: Some(layers.collect()),
        manifests: None,
        annotations: Some(annotations.clone()).filter(|all| !all.is_empty()),
    };
    sealed(MANIFEST, &manifest)
}

fn sealed(kind: &'static str, document: &Document) -> Result<Part, String> {
    let bytes = serde_json::to_vec(document).map_err(|error| error.to_string())?;
    Ok((kind, Hasher::digest(DigestAlgo::Sha256, &bytes), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(packages: usize) -> Vec<ArtifactFile> {
        let file = |path: &str| {
            ArtifactFile::new(path, Hasher::digest(DigestAlgo::Sha256, path.as_bytes()), 7)
        };
        let named = (0..packages).map(|n| file(&format!("x86_64/p-{n}.rpm")));
        named
            .chain([file("repodata/repomd.xml"), file("key")])
            .collect()
    }

    fn in_groups(files: &[ArtifactFile]) -> Vec<Part> {
        write_in(files, &Annotations::new(), (10, 20))
            .unwrap()
            .parts
    }

    #[test]
    fn few_files_are_one_manifest() {
        let (mut all, about) = (
            files(5),
            Annotations::from([("a".to_owned(), "b".to_owned())]),
        );
        let written = write(&all, &about).unwrap().parts;
        assert_eq!(written.len(), 1);
        assert_eq!(written[0].0, MANIFEST);
        let read = read(&written[0].2, false).unwrap();
        all.reverse();
        assert_eq!(write(&all, &about).unwrap().parts, written);
        all.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!(
            (read.files, read.annotations, read.more),
            (all, about, Vec::new())
        );
    }

    #[test]
    fn many_files_are_an_index_and_a_new_one_changes_one_group() {
        let all = files(300);
        let mut parts = in_groups(&all);
        let top = parts.pop().unwrap();
        let index = read(&top.2, true).unwrap();
        assert_eq!(top.0, INDEX);
        assert_eq!(
            index.more,
            parts.iter().map(|part| part.1).collect::<Vec<_>>()
        );
        assert!(read(&top.2, false).is_err());
        let each = parts.iter().map(|part| read(&part.2, false).unwrap().files);
        let each: Vec<Vec<ArtifactFile>> = each.collect();
        let first: Vec<&str> = each[0].iter().map(|file| file.path.as_str()).collect();
        assert_eq!(first, ["key", "repodata/repomd.xml"]);
        assert!(each.len() > 8 && each.iter().all(|group| group.len() < 60));
        let mut back: Vec<ArtifactFile> = each.concat();
        back.sort_by_key(|file| all.iter().position(|one| one == file));
        assert_eq!(back, all);
        let mut more = files(300);
        more.push(ArtifactFile::new("x86_64/new.rpm", all[0].digest, 1));
        let new = in_groups(&more);
        assert_eq!(new.iter().filter(|part| !parts.contains(part)).count(), 2);
    }

    #[test]
    fn what_cannot_be_an_artifact_is_refused() {
        let digest = Hasher::digest(DigestAlgo::Sha256, b"");
        for paths in [
            &["a", "a"][..],
            &["../a"],
            &["/a"],
            &["a//b"],
            &["a\nb"],
            &[""],
        ] {
            let files = paths.iter().map(|path| ArtifactFile::new(path, digest, 0));
            let files: Vec<ArtifactFile> = files.collect();
            assert!(write(&files, &Annotations::new()).is_err(), "{paths:?}");
        }
    }

    #[test]
    fn what_is_none_of_ours_is_named() {
        let good = String::from_utf8(
            write(&files(1), &Annotations::new())
                .unwrap()
                .parts
                .remove(0)
                .2,
        );
        let good = good.unwrap();
        let title = "\"org.opencontainers.image.title\":\"key\"";
        for (text, why) in [
            ("{".to_owned(), "no manifest that can be read"),
            ("[]".to_owned(), "no manifest that can be read"),
            (
                good.replace(ARTIFACT, "application/x"),
                "another kind (application/x)",
            ),
            (
                good.replace("artifactType", "x")
                    .replace(EMPTY_KIND, "application/y"),
                "a container image",
            ),
            (good.replace("artifactType", "x"), "no artifact of tdnf"),
            (
                good.replace(title, "\"a\":\"b\""),
                "no path below a repository",
            ),
            (
                good.replace("title\":\"key", "title\":\"../key"),
                "no path below a repository: `../key`",
            ),
            (good.replace("sha256:", "sha512:"), "has no sha256 digest"),
        ] {
            let said = read(text.as_bytes(), true).map(|_| ()).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
        assert!(read(&vec![b'['; 1 << 20], true).is_err());
    }
}
