//! Metadata of a repository of any size, the same bytes wherever it is made. There are no packages behind it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// The first packages, which the others need.
const BASE: usize = 100;

/// What is made.
pub(crate) struct Shape {
    /// Packages `package0000`, `package0001`, ...
    pub(crate) packages: usize,
    /// Files of each in the file lists; none: there are no file lists.
    pub(crate) files: usize,
    /// Further packages `many000`, `many001`, ... in version 2.
    pub(crate) newer: usize,
}

/// The name of a package.
pub(crate) fn name(number: usize) -> String {
    format!("package{number:04}")
}

/// A path that is in the file lists alone.
pub(crate) fn path(number: usize, file: usize) -> String {
    format!("/usr/share/{}/{:02}/file{file}", name(number), file % 5)
}

/// Five packages that need some hundred others together.
pub(crate) fn five(packages: usize) -> Vec<String> {
    (1..=5).map(|n| name(packages - n * 7)).collect()
}

/// Writes `repodata` into a folder: each package needs some of the base, and half of them one near to them.
pub(crate) fn write(folder: &Path, shape: &Shape) -> io::Result<()> {
    let folder = folder.join("repodata");
    fs::create_dir_all(&folder)?;
    let mut random = fastrand::Rng::with_seed(1);
    let count = shape.packages + shape.newer;
    let mut primary = Record::new(
        &folder,
        "primary",
        &format!(
            "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
             xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"{count}\">\n"
        ),
    )?;
    let mut filelists = Record::new(
        &folder,
        "filelists",
        &format!(
            "<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\" packages=\"{count}\">\n"
        ),
    )?;
    let newer = (0..shape.newer).map(|number| (number, true));
    for (number, newer) in (0..shape.packages).map(|n| (n, false)).chain(newer) {
        let (one, files) = if newer {
            (Package::bare(number), 0)
        } else {
            (Package::new(number, &mut random), shape.files)
        };
        let (one, list) = one.text(&mut random, (0..files).map(|file| path(number, file)));
        primary.put(&one)?;
        filelists.put(&list)?;
    }
    let mut records = primary.finish("</metadata>\n")?;
    let lists = filelists.finish("</filelists>\n")?;
    if shape.files > 0 {
        records.push_str(&lists);
    }
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\">\n\
         <revision>1700000000</revision>\n{records}</repomd>\n"
    );
    fs::write(folder.join("repomd.xml"), text)
}

/// A file of metadata while it is written.
struct Record {
    kind: &'static str,
    packed: GzEncoder<Hashed<BufWriter<File>>>,
    open: Hashed<io::Sink>,
}

impl Record {
    fn new(folder: &Path, kind: &'static str, start: &str) -> io::Result<Self> {
        let file = File::create(folder.join(format!("{kind}.xml.gz")))?;
        let mut record = Self {
            kind,
            packed: GzEncoder::new(Hashed::new(BufWriter::new(file)), Compression::default()),
            open: Hashed::new(io::sink()),
        };
        record.put("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
        record.put(start)?;
        Ok(record)
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        self.open.write_all(text.as_bytes())?;
        self.packed.write_all(text.as_bytes())
    }

    /// Its entry in repomd.xml.
    fn finish(mut self, end: &str) -> io::Result<String> {
        self.put(end)?;
        let mut packed = self.packed.finish()?;
        packed.flush()?;
        let (digest, size) = packed.end();
        let (open, open_size) = self.open.end();
        let kind = self.kind;
        Ok(format!(
            "<data type=\"{kind}\"><checksum type=\"sha256\">{digest}</checksum>\
             <open-checksum type=\"sha256\">{open}</open-checksum><location href=\"repodata/{kind}.xml.gz\"/>\
             <timestamp>1700000000</timestamp><size>{size}</size><open-size>{open_size}</open-size></data>\n"
        ))
    }
}

/// Passes on what it gets, and knows its size and digest.
struct Hashed<W> {
    to: W,
    hasher: Sha256,
    size: u64,
}

impl<W> Hashed<W> {
    fn new(to: W) -> Self {
        Self {
            to,
            hasher: Sha256::new(),
            size: 0,
        }
    }

    fn end(self) -> (String, u64) {
        let digest = self.hasher.finalize();
        (
            digest.iter().map(|b| format!("{b:02x}")).collect(),
            self.size,
        )
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.to.write(bytes)?;
        self.hasher.update(&bytes[..taken]);
        self.size += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// One package.
struct Package {
    name: String,
    version: String,
    library: String,
    needs: Vec<usize>,
}

impl Package {
    fn new(number: usize, random: &mut fastrand::Rng) -> Self {
        let mut needs: Vec<usize> = (0..number.min(7))
            .map(|_| random.usize(..number.min(BASE)))
            .collect();
        if number > BASE && random.bool() {
            needs.push(number - random.usize(1..20));
        }
        Self {
            name: name(number),
            version: format!("1.{}", number % 17),
            library: format!("<rpm:entry name=\"lib{number}.so.1()(64bit)\"/>"),
            needs,
        }
    }

    /// One of a name that [`testkit::many`] has, too.
    fn bare(number: usize) -> Self {
        Self {
            name: format!("many{number:03}"),
            version: "2".to_owned(),
            library: String::new(),
            needs: Vec::new(),
        }
    }

    /// Its entries in primary and in the file lists.
    fn text(
        &self,
        random: &mut fastrand::Rng,
        files: impl Iterator<Item = String>,
    ) -> (String, String) {
        let digest: String = (0..4).map(|_| format!("{:016x}", random.u64(..))).collect();
        let words: Vec<String> = (0..12)
            .map(|_| format!("{:x}", random.u32(..1 << 20)))
            .collect();
        let words = words.join(" ");
        let Self {
            name,
            version,
            library,
            needs,
        } = self;
        let requires: String = needs.iter().map(|need| need_entry(*need)).collect();
        let size = random.u32(1_000..1_000_000);
        let installed = random.u32(1_000..9_000_000);
        let primary = format!(
            "<package type=\"rpm\"><name>{name}</name><arch>noarch</arch><version epoch=\"0\" ver=\"{version}\" rel=\"1\"/>\
             <checksum type=\"sha256\" pkgid=\"YES\">{digest}</checksum><summary>What {name} is for</summary>\
             <description>{name} does this: {words}.\nAnd no more.</description><packager>Somebody &lt;a@b&gt;</packager>\
             <url>https://example.com/{name}</url><time file=\"1700000000\" build=\"1690000000\"/>\
             <size package=\"{size}\" installed=\"{installed}\" archive=\"{installed}\"/>\
             <location href=\"Packages/{name}-{version}-1.noarch.rpm\"/>\
             <format><rpm:license>MIT</rpm:license><rpm:vendor>Nobody</rpm:vendor><rpm:group>Unspecified</rpm:group>\
             <rpm:buildhost>localhost</rpm:buildhost><rpm:sourcerpm>{name}-{version}-1.src.rpm</rpm:sourcerpm>\
             <rpm:header-range start=\"4504\" end=\"9000\"/><rpm:provides>\
             <rpm:entry name=\"{name}\" flags=\"EQ\" epoch=\"0\" ver=\"{version}\" rel=\"1\"/>{library}</rpm:provides>\
             <rpm:requires>{requires}</rpm:requires><file>/usr/bin/{name}</file></format></package>\n"
        );
        let mut list = format!(
            "<package pkgid=\"{digest}\" name=\"{name}\" arch=\"noarch\"><version epoch=\"0\" ver=\"{version}\" rel=\"1\"/>\
             <file>/usr/bin/{name}</file>"
        );
        for path in files {
            // Writing into a string cannot fail.
            let _ = write!(list, "<file>{path}</file>");
        }
        list.push_str("</package>\n");
        (primary, list)
    }
}

/// What a package needs: by library, by name, by version.
fn need_entry(need: usize) -> String {
    let name = name(need);
    match need % 3 {
        0 => format!("<rpm:entry name=\"lib{need}.so.1()(64bit)\"/>"),
        1 => format!("<rpm:entry name=\"{name}\"/>"),
        _ => format!("<rpm:entry name=\"{name}\" flags=\"GE\" epoch=\"0\" ver=\"1\"/>"),
    }
}
