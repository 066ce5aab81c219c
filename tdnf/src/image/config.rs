//! What an image says of itself: how it is started, and what it is about.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use whole_file::{open_plain, read_up_to};

use super::layer::Compression;
use super::users::ImageUser;
use crate::error::{At, Failure, Outcome};
use crate::near::nearest;

/// Largest description of an image.
const MAX_FILE: u64 = 1 << 20;
/// Where programs are looked for in an image that does not say it.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The keys of a description, as they are spelt.
const KEYS: [&str; 15] = [
    "annotations",
    "arch",
    "base",
    "cmd",
    "compress",
    "entrypoint",
    "env",
    "labels",
    "layers",
    "overlay",
    "ports",
    "rpmdb",
    "user",
    "users",
    "workdir",
];

/// A description of an image (`--image-config`), or what options say of one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageFile {
    /// About the image, for registries and tools.
    pub annotations: BTreeMap<String, String>,
    /// Architectures, as rpm names them; an index of several.
    pub arch: Vec<String>,
    /// `oci:DIR[:TAG]` of the image that this one is made upon.
    pub base: Option<String>,
    /// The words behind the entry point, or the command where there is none.
    pub cmd: Vec<String>,
    /// `gzip`, `zstd` or `none`.
    pub compress: Option<String>,
    /// What a container starts.
    pub entrypoint: Vec<String>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// About the image, for who runs it.
    pub labels: BTreeMap<String, String>,
    /// How many layers the packages are spread over.
    pub layers: Option<usize>,
    /// A folder that is laid over the root; beside the description.
    pub overlay: Option<PathBuf>,
    /// `80`, `53/udp`.
    pub ports: Vec<String>,
    /// Whether the rpm database stays.
    pub rpmdb: Option<bool>,
    /// `name`, `uid`, `uid:gid`.
    pub user: Option<String>,
    /// Users that it gets besides those of its packages.
    pub users: Vec<ImageUser>,
    /// Where the entry point is started.
    pub workdir: Option<String>,
}

impl ImageFile {
    /// Reads a description in TOML.
    ///
    /// # Errors
    /// It cannot be read; it is no TOML; a key is unknown or has another kind of value.
    pub fn read(path: &Path) -> Outcome<Self> {
        let file = open_plain(path, rustix::fs::OFlags::RDONLY).at(path)?;
        let text = read_up_to(file, MAX_FILE).at(path)?;
        let wrong = |why: &str| Failure::invalid(format!("{}: {why}", path.display()));
        let text = String::from_utf8(text).map_err(|_| wrong("not UTF-8"))?;
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| wrong(&one_line(&error)))?;
        let unknown = table.keys().find(|key| !KEYS.contains(&key.as_str()));
        if let Some(key) = unknown {
            let near = nearest(key, KEYS).map(|near| format!(": did you mean '{near}'?"));
            let near = near.unwrap_or_else(|| format!("; the keys are {}", KEYS.join(", ")));
            return Err(wrong(&format!("unknown key '{key}'{near}")));
        }
        let read = table.try_into();
        let mut file: Self = read.map_err(|error: toml::de::Error| wrong(&one_line(&error)))?;
        let parent = path.parent().unwrap_or(Path::new(""));
        file.overlay = file.overlay.map(|overlay| parent.join(overlay));
        Ok(file)
    }

    /// What `other` says counts more: lists are replaced, pairs are added.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        let replace = |own: &mut Vec<String>, other: Vec<String>| {
            if !other.is_empty() {
                *own = other;
            }
        };
        // The words of one entry point mean nothing to another.
        if !other.entrypoint.is_empty() {
            self.cmd.clear();
        }
        replace(&mut self.arch, other.arch);
        replace(&mut self.cmd, other.cmd);
        replace(&mut self.entrypoint, other.entrypoint);
        self.env.extend(other.env);
        self.ports.extend(other.ports);
        self.users.extend(other.users);
        self.annotations.extend(other.annotations);
        self.labels.extend(other.labels);
        self.base = other.base.or(self.base);
        self.compress = other.compress.or(self.compress);
        self.layers = other.layers.or(self.layers);
        self.overlay = other.overlay.or(self.overlay);
        self.rpmdb = other.rpmdb.or(self.rpmdb);
        self.user = other.user.or(self.user);
        self.workdir = other.workdir.or(self.workdir);
        self
    }

    /// Control characters would reach logs and terminals of whoever looks at the image.
    ///
    /// # Errors
    /// A text has one.
    pub fn check_texts(&self) -> Outcome<()> {
        let pairs = |pairs: &BTreeMap<String, String>| {
            let texts = pairs.iter().flat_map(|(key, value)| [key, value]);
            texts.cloned().collect::<Vec<_>>()
        };
        for (key, texts) in [
            ("annotations", pairs(&self.annotations)),
            ("cmd", self.cmd.clone()),
            ("entrypoint", self.entrypoint.clone()),
            ("env", self.env.clone()),
            ("labels", pairs(&self.labels)),
            ("user", self.user.iter().cloned().collect()),
            ("workdir", self.workdir.iter().cloned().collect()),
        ] {
            let odd = |text: &&String| text.chars().any(char::is_control);
            if let Some(text) = texts.iter().find(odd) {
                let line = format!("{key}: {text:?}: control characters have no place in it");
                return Err(Failure::invalid(line));
            }
        }
        Ok(())
    }

    /// How layers are packed.
    ///
    /// # Errors
    /// Another word than those that are known.
    pub fn compression(&self) -> Outcome<Option<Compression>> {
        match self.compress.as_deref() {
            None => Ok(None),
            Some("gzip") => Ok(Some(Compression::Gzip)),
            Some("zstd") => Ok(Some(Compression::Zstd)),
            Some("none") => Ok(Some(Compression::None)),
            Some(other) => {
                let line = format!("compress={other}: gzip, zstd or none is expected");
                Err(Failure::invalid(line))
            }
        }
    }

    /// What containers are started with.
    ///
    /// # Errors
    /// A variable without a name, a port that is none.
    pub fn config(&self) -> Outcome<ImageConfig> {
        let mut env: Vec<String> = Vec::new();
        for pair in &self.env {
            let (name, _) = pair
                .split_once('=')
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| Failure::invalid(format!("env: {pair}: NAME=VALUE is expected")))?;
            // The last one of a name counts, in its place.
            env.retain(|known| known.split_once('=').map(|(known, _)| known) != Some(name));
            env.push(pair.clone());
        }
        if !env.iter().any(|pair| pair.starts_with("PATH=")) {
            env.insert(0, PATH.to_owned());
        }
        if let Some(dir) = self.workdir.as_ref().filter(|dir| !dir.starts_with('/')) {
            let line = format!("workdir: {dir}: an absolute path is expected");
            return Err(Failure::invalid(line));
        }
        Ok(ImageConfig {
            user: self.user.clone(),
            exposed_ports: self
                .ports
                .iter()
                .map(|port| Ok((port_of(port)?, Empty {})))
                .collect::<Outcome<_>>()?,
            env,
            entrypoint: self.entrypoint.clone(),
            cmd: self.cmd.clone(),
            working_dir: self.workdir.clone(),
            labels: self.labels.clone(),
        })
    }
}

/// An error of the reader of TOML, its place in front.
fn one_line(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.contains('|') && !line.is_empty());
    lines.collect::<Vec<_>>().join(": ")
}

fn port_of(text: &str) -> Outcome<String> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let number: Option<u16> = number.parse().ok().filter(|number| *number > 0);
    match number.filter(|_| ["tcp", "udp", "sctp"].contains(&protocol)) {
        Some(number) => Ok(format!("{number}/{protocol}")),
        None => Err(Failure::invalid(format!(
            "port {text}: a number, and /tcp, /udp or /sctp behind it, is expected"
        ))),
    }
}

/// An empty object of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Empty {}

/// The `config` of an image, by the OCI's specification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    exposed_ports: BTreeMap<String, Empty>,
    env: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entrypoint: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cmd: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
}
