//! A repository as createrepo_c makes it, written out again as a test wants it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rpm_trust::sign::SigningKey;
use testkit::program;
use testkit::rpm::createrepo;

use crate::scene_rpm::{RpmFile, sha256};

/// A part of the metadata: its text, and what repomd.xml says of it. A field that is set stands
/// there instead of the truth.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    pub(crate) kind: String,
    /// Decompressed.
    pub(crate) text: Vec<u8>,
    /// The program that compresses, which is also the ending of the file's name; empty: none.
    pub(crate) packer: Packer,
    /// Compressed bytes instead of what `text` becomes.
    pub(crate) packed: Option<Vec<u8>>,
    pub(crate) href: Option<String>,
    pub(crate) base: Option<String>,
    pub(crate) checksum: Option<String>,
    pub(crate) open_checksum: Option<String>,
    pub(crate) size: Option<String>,
    pub(crate) open_size: Option<String>,
    /// Neither open size nor open checksum are told.
    pub(crate) open_untold: bool,
}

/// How a part is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Packer {
    None,
    #[default]
    Gzip,
    Xz,
    Zstd,
    Bzip2,
}

impl Packer {
    fn words(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Packer::None => ("", &["cat"]),
            Packer::Gzip => (".gz", &["gzip", "-n1"]),
            Packer::Xz => (".xz", &["xz", "-0"]),
            Packer::Zstd => (".zst", &["zstd", "-q1"]),
            Packer::Bzip2 => (".bz2", &["bzip2", "-1"]),
        }
    }

    /// Compresses.
    pub(crate) fn pack(self, data: &[u8]) -> Vec<u8> {
        let (_, words) = self.words();
        pipe(words, data)
    }
}

fn pipe(words: &[&str], data: &[u8]) -> Vec<u8> {
    program::filter(Command::new(words[0]).args(&words[1..]), data)
}

impl Part {
    /// The name below `repodata/`.
    pub(crate) fn file_name(&self) -> String {
        format!("{}.xml{}", self.kind, self.packer.words().0)
    }

    fn record(&self, packed: &[u8]) -> String {
        let or = |given: &Option<String>, truth: String| given.clone().unwrap_or(truth);
        let href = or(&self.href, format!("repodata/{}", self.file_name()));
        let base = self
            .base
            .as_ref()
            .map_or(String::new(), |base| format!(" xml:base=\"{base}\""));
        let checksum = or(&self.checksum, sha256(packed));
        let size = or(&self.size, packed.len().to_string());
        let open = if self.open_untold {
            String::new()
        } else {
            let checksum = or(&self.open_checksum, sha256(&self.text));
            let size = or(&self.open_size, self.text.len().to_string());
            format!(
                "  <open-checksum type=\"sha256\">{checksum}</open-checksum>\n  <open-size>{size}</open-size>\n"
            )
        };
        format!(
            " <data type=\"{}\">\n  <checksum type=\"sha256\">{checksum}</checksum>\n{open}  \
             <location{base} href=\"{href}\"/>\n  <timestamp>{}</timestamp>\n  \
             <size>{size}</size>\n </data>\n",
            self.kind,
            // Made yesterday, the same time for all of a day.
            testkit::now() / DAY * DAY - DAY
        )
    }
}

/// Seconds of a day.
const DAY: u64 = 24 * 3600;

/// A published repository.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    /// The folder that is served.
    pub(crate) dir: PathBuf,
    pub(crate) revision: u64,
    pub(crate) parts: Vec<Part>,
    /// Stands after the XML declaration of repomd.xml.
    pub(crate) prolog: String,
}

impl Published {
    /// Writes packages to `dir/Packages` and has createrepo_c read them.
    pub(crate) fn create(dir: &Path, packages: &[&RpmFile]) -> Self {
        fs::create_dir_all(dir.join("Packages")).expect("ours");
        for package in packages {
            let path = dir.join("Packages").join(package.file_name());
            fs::write(path, package.bytes()).expect("ours");
        }
        createrepo(
            dir,
            &[
                "--simple-md-filenames",
                "--general-compress-type=gz",
                "--no-database",
            ],
        );
        let part = |kind: &str| {
            let file = dir.join(format!("repodata/{kind}.xml.gz"));
            let packed = fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            Part {
                kind: kind.to_owned(),
                text: pipe(&["gzip", "-dc"], &packed),
                ..Part::default()
            }
        };
        Self {
            dir: dir.to_owned(),
            revision: 1_700_000_000,
            parts: ["primary", "filelists", "other"].map(part).into(),
            prolog: String::new(),
        }
    }

    /// The part of a kind.
    pub(crate) fn part(&mut self, kind: &str) -> &mut Part {
        self.parts
            .iter_mut()
            .find(|part| part.kind == kind)
            .expect("createrepo_c made it")
    }

    /// The primary part.
    pub(crate) fn primary(&mut self) -> &mut Part {
        self.part("primary")
    }

    /// Changes a text in a part; it must be there.
    pub(crate) fn replace(mut self, kind: &str, from: &str, to: &str) -> Self {
        let part = self.part(kind);
        let text = String::from_utf8(part.text.clone()).expect("XML is UTF-8");
        assert!(text.contains(from), "{kind} has no {from}:\n{text}");
        part.text = text.replace(from, to).into_bytes();
        self
    }

    /// repomd.xml as it will be written, without compressing again.
    pub(crate) fn repomd(&self) -> String {
        let records: String = self
            .parts
            .iter()
            .map(|part| {
                let file = self.dir.join("repodata").join(part.file_name());
                part.record(&fs::read(file).unwrap_or_default())
            })
            .collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" \
             xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n <revision>{}</revision>\n{records}</repomd>\n",
            self.prolog, self.revision
        )
    }

    /// Writes all of `repodata/`; repomd.xml is signed if there is a key.
    pub(crate) fn write(&self, key: Option<&SigningKey>) {
        let dir = self.dir.join("repodata");
        for part in &self.parts {
            let packed = match &part.packed {
                Some(packed) => packed.clone(),
                None => part.packer.pack(&part.text),
            };
            fs::write(dir.join(part.file_name()), packed).expect("ours");
        }
        self.write_index(&self.repomd(), key);
    }

    /// Writes repomd.xml with this text, signed if there is a key.
    pub(crate) fn write_index(&self, text: &str, key: Option<&SigningKey>) {
        let dir = self.dir.join("repodata");
        fs::write(dir.join("repomd.xml"), text).expect("ours");
        let signature = dir.join("repomd.xml.asc");
        let _ = fs::remove_file(&signature);
        if let Some(key) = key {
            let made = testkit::now() - 60;
            let text = key
                .sign_detached(text.as_bytes(), made)
                .expect("the key can sign");
            fs::write(signature, text).expect("ours");
        }
    }
}
