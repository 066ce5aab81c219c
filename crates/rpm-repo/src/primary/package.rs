//! One package of `primary.xml`.

use rpm_pkg::digest::{Digest, DigestAlgo};

use crate::record::TextSpan;

/// Which list a dependency stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DepKind {
    /// `rpm:provides`.
    Provides,
    /// `rpm:requires`; [`DepRecord::pre`] tells the ones that scriptlets need.
    Requires,
    /// `rpm:conflicts`.
    Conflicts,
    /// `rpm:obsoletes`.
    Obsoletes,
    /// `rpm:recommends`.
    Recommends,
    /// `rpm:suggests`.
    Suggests,
    /// `rpm:supplements`.
    Supplements,
    /// `rpm:enhances`.
    Enhances,
}

impl DepKind {
    /// All lists, in the order of the enum.
    pub const ALL: [DepKind; 8] = [
        DepKind::Provides,
        DepKind::Requires,
        DepKind::Conflicts,
        DepKind::Obsoletes,
        DepKind::Recommends,
        DepKind::Suggests,
        DepKind::Supplements,
        DepKind::Enhances,
    ];
}

/// One dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepRecord<'p> {
    /// The name, a file path, or a rich dependency in its parentheses.
    pub name: &'p str,
    /// The comparison in rpm's bits: 2 less, 4 greater, 8 equal; 0 if there is no version.
    pub flags: u32,
    /// The epoch, if written.
    pub epoch: Option<u32>,
    /// The version; empty if there is none.
    pub version: &'p str,
    /// The release; empty if there is none.
    pub release: &'p str,
    /// `pre="1"`: needed by scriptlets.
    pub pre: bool,
}

/// What kind a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A file (also links and devices: the metadata does not tell them apart).
    File,
    /// A directory.
    Dir,
    /// A file that the package owns but does not bring.
    Ghost,
}

/// One file of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRecord<'p> {
    /// The absolute path.
    pub path: &'p str,
    /// Its kind.
    pub kind: FileKind,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DepSpans {
    pub(super) name: TextSpan,
    pub(super) version: TextSpan,
    pub(super) release: TextSpan,
    pub(super) epoch: Option<u32>,
    pub(super) flags: u8,
    pub(super) pre: bool,
}

/// The texts that exist once per package.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PackageTexts {
    pub(super) name: TextSpan,
    pub(super) arch: TextSpan,
    pub(super) version: TextSpan,
    pub(super) release: TextSpan,
    pub(super) checksum_type: TextSpan,
    pub(super) checksum: TextSpan,
    pub(super) summary: TextSpan,
    pub(super) description: TextSpan,
    pub(super) packager: TextSpan,
    pub(super) url: TextSpan,
    pub(super) location: TextSpan,
    pub(super) location_base: TextSpan,
    pub(super) license: TextSpan,
    pub(super) vendor: TextSpan,
    pub(super) group: TextSpan,
    pub(super) buildhost: TextSpan,
    pub(super) sourcerpm: TextSpan,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Numbers {
    pub(super) epoch: u32,
    pub(super) file_time: u64,
    pub(super) build_time: u64,
    pub(super) package_size: u64,
    pub(super) installed_size: u64,
    pub(super) archive_size: u64,
    pub(super) header_start: u64,
    pub(super) header_end: u64,
}

/// One package; lent to the callback of [`super::read`] and filled again for the next.
#[derive(Debug, Default)]
pub struct PrimaryPackage {
    pub(super) text: String,
    pub(super) texts: PackageTexts,
    pub(super) numbers: Numbers,
    pub(super) deps: [Vec<DepSpans>; 8],
    pub(super) files: Vec<(TextSpan, FileKind)>,
    pub(super) location_fault: Option<&'static str>,
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        impl PrimaryPackage {
            $($(#[$doc])*
            pub fn $name(&self) -> &str {
                self.texts.$name.of(&self.text)
            })*
        }
    };
}

texts! {
    /// The name; never empty.
    name,
    /// The architecture; never empty. `src` for source packages.
    arch,
    /// The version; never empty.
    version,
    /// The release.
    release,
    /// The name of the checksum's algorithm as written (`sha256`, `sha`, ...).
    checksum_type,
    /// The checksum of the package file in hexadecimal: also the key of filelists and other.
    checksum,
    /// One line about the package.
    summary,
    /// The long description.
    description,
    /// Who packaged it.
    packager,
    /// The home page.
    url,
    /// The licence.
    license,
    /// The vendor.
    vendor,
    /// The group of rpm's old days.
    group,
    /// The host it was built on.
    buildhost,
    /// The file name of the source package; empty for source packages.
    sourcerpm,
}

impl PrimaryPackage {
    /// The epoch; 0 if there is none.
    pub fn epoch(&self) -> u32 {
        self.numbers.epoch
    }

    /// Modification time of the package file, seconds since 1970.
    pub fn file_time(&self) -> u64 {
        self.numbers.file_time
    }

    /// Build time, seconds since 1970.
    pub fn build_time(&self) -> u64 {
        self.numbers.build_time
    }

    /// Size of the package file in bytes.
    pub fn package_size(&self) -> u64 {
        self.numbers.package_size
    }

    /// Size of the installed files in bytes.
    pub fn installed_size(&self) -> u64 {
        self.numbers.installed_size
    }

    /// Size of the uncompressed payload in bytes.
    pub fn archive_size(&self) -> u64 {
        self.numbers.archive_size
    }

    /// Byte range of the main header in the package file: start, end; 0, 0 if not given.
    pub fn header_range(&self) -> (u64, u64) {
        (self.numbers.header_start, self.numbers.header_end)
    }

    /// The location of the package file relative to the repository (or to
    /// [`PrimaryPackage::location_base`]). Empty if it may not be followed: see
    /// [`PrimaryPackage::location_fault`].
    pub fn location(&self) -> &str {
        if self.location_fault.is_some() {
            ""
        } else {
            self.refused_location()
        }
    }

    /// The location as written, safe or not: only for messages.
    pub fn refused_location(&self) -> &str {
        self.texts.location.of(&self.text)
    }

    /// Why the location may not be followed. Always `None` while
    /// [`crate::xml::Limits::refuse_bad_locations`] is set: then the document is refused.
    pub fn location_fault(&self) -> Option<&'static str> {
        self.location_fault
    }

    /// `xml:base` of the location. Before it is followed, ask
    /// [`crate::layout::check_base`] with the URL of the repository first.
    pub fn location_base(&self) -> Option<&str> {
        let base = self.texts.location_base;
        if base.is_empty() {
            None
        } else {
            Some(base.of(&self.text))
        }
    }

    /// The checksum as a value; `None` if its algorithm is unknown or its length wrong.
    pub fn digest(&self) -> Option<Digest> {
        let algo = DigestAlgo::from_name(self.checksum_type())?;
        Digest::from_hex(algo, self.checksum()).ok()
    }

    /// One list of dependencies.
    pub fn deps(&self, kind: DepKind) -> impl ExactSizeIterator<Item = DepRecord<'_>> {
        let list = self
            .deps
            .get(kind as usize)
            .map(Vec::as_slice)
            .unwrap_or_default();
        list.iter().map(|dep| DepRecord {
            name: dep.name.of(&self.text),
            flags: dep.flags.into(),
            epoch: dep.epoch,
            version: dep.version.of(&self.text),
            release: dep.release.of(&self.text),
            pre: dep.pre,
        })
    }

    /// The files that primary lists: binaries, configuration, and little else.
    pub fn files(&self) -> impl ExactSizeIterator<Item = FileRecord<'_>> {
        self.files.iter().map(|&(path, kind)| FileRecord {
            path: path.of(&self.text),
            kind,
        })
    }

    /// Empties everything, keeps the memory unless one package made it large.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        if self.text.capacity() > KEPT_TEXT {
            self.text.shrink_to(KEPT_TEXT);
        }
        self.texts = PackageTexts::default();
        self.numbers = Numbers::default();
        self.deps.iter_mut().for_each(Vec::clear);
        self.files.clear();
        self.location_fault = None;
    }
}

/// Bytes of text memory that are kept from package to package.
const KEPT_TEXT: usize = 4 << 20;
