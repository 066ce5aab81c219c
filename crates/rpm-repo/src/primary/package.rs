//! One package of `primary.xml`.

use std::borrow::Cow;
use std::fmt;

use rpm_pkg::dep::{Dep, DepFlags, DepGroup};
use rpm_pkg::digest::{Digest, DigestAlgo};

use crate::layout;
use crate::record::TextSpan;
use crate::rule;

/// The lists of dependencies and what each is called, in the order in which createrepo_c writes them.
pub const DEP_LISTS: [(DepGroup, &str); 8] = [
    (DepGroup::Provides, "provides"),
    (DepGroup::Requires, "requires"),
    (DepGroup::Conflicts, "conflicts"),
    (DepGroup::Obsoletes, "obsoletes"),
    (DepGroup::Suggests, "suggests"),
    (DepGroup::Enhances, "enhances"),
    (DepGroup::Recommends, "recommends"),
    (DepGroup::Supplements, "supplements"),
];

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

impl DepRecord<'_> {
    /// The comparison as metadata write it (`GE`); none without a version.
    pub fn comparison(&self) -> Option<&'static str> {
        let is_named = |(bits, _): &&(u8, &str)| u32::from(*bits) == self.flags;
        super::write::FLAGS
            .iter()
            .find(is_named)
            .map(|(_, word)| *word)
    }

    /// The same in rpm's form; without a version it has no epoch and no release either.
    pub fn to_dep(&self) -> Dep {
        let mut evr = String::new();
        if !self.version.is_empty() {
            if let Some(epoch) = self.epoch.filter(|epoch| *epoch > 0) {
                evr = format!("{epoch}:");
            }
            evr.push_str(self.version);
            if !self.release.is_empty() {
                evr.extend(["-", self.release]);
            }
        }
        Dep::new(self.name, DepFlags(self.flags), evr)
    }
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

/// One package; lent to the callback of [`super::read`] and filled again for the next.
#[derive(Default)]
pub struct PrimaryPackage {
    pub(super) text: String,
    pub(super) texts: PackageTexts,
    pub(super) numbers: Numbers,
    /// By [`DepGroup`].
    pub(super) deps: [Vec<DepSpans>; 8],
    pub(super) files: Vec<(TextSpan, FileKind)>,
    pub(super) location_fault: Option<&'static str>,
    /// What could not be taken from a header as it stands there.
    pub(super) header_fault: Option<&'static str>,
}

/// What exists once per package: the texts and numbers by their names, and a getter for each that
/// has a doc.
macro_rules! fields {
    (texts: $($(#[$doc:meta])* $text:ident,)*; $($bare:ident,)*;
     numbers: $($(#[$about:meta])* $number:ident: $type:ty,)*; $($end:ident,)*) => {
        #[derive(Debug, Clone, Copy, Default)]
        pub(super) struct PackageTexts {
            $(pub(super) $text: TextSpan,)*
            $(pub(super) $bare: TextSpan,)*
        }

        #[derive(Debug, Clone, Copy, Default)]
        pub(super) struct Numbers {
            $(pub(super) $number: $type,)*
            $(pub(super) $end: u64,)*
        }

        impl PackageTexts {
            fn all(&self) -> impl Iterator<Item = TextSpan> {
                [$(self.$text,)* $(self.$bare,)*].into_iter()
            }
        }

        impl PrimaryPackage {
            $($(#[$doc])*
            pub fn $text(&self) -> &str {
                self.texts.$text.of(&self.text)
            })*

            $($(#[$about])*
            pub fn $number(&self) -> $type {
                self.numbers.$number
            })*
        }

        /// What the package says; where its texts lie says nothing.
        impl fmt::Debug for PrimaryPackage {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let deps = DEP_LISTS.map(|(group, _)| self.deps(group).collect::<Vec<_>>());
                f.debug_struct("PrimaryPackage")
                    $(.field(stringify!($text), &self.$text()))*
                    $(.field(stringify!($bare), &self.texts.$bare.of(&self.text)))*
                    $(.field(stringify!($number), &self.$number()))*
                    $(.field(stringify!($end), &self.numbers.$end))*
                    .field("deps", &deps)
                    .field("files", &self.files().collect::<Vec<_>>())
                    .field("location_fault", &self.location_fault)
                    .field("header_fault", &self.header_fault)
                    .finish()
            }
        }
    };
}

fields! {
    texts:
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
    ; location, location_base,;
    numbers:
    /// The epoch; 0 if there is none.
    epoch: u32,
    /// Modification time of the package file, seconds since 1970.
    file_time: u64,
    /// Build time, seconds since 1970.
    build_time: u64,
    /// Size of the package file in bytes.
    package_size: u64,
    /// Size of the installed files in bytes.
    installed_size: u64,
    /// Size of the uncompressed payload in bytes.
    archive_size: u64,
    ; header_start, header_end,
}

impl PrimaryPackage {
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

    /// Takes `./`, `//` and `/./` out of the location, as a server would, and judges what is left. A URL stays as it is.
    pub(super) fn tidy_location(&mut self) {
        if layout::is_simple(self.refused_location()) {
            self.location_fault = layout::fault(self.refused_location());
            return;
        }
        let is_url = self.refused_location().contains("://");
        if let Cow::Owned(tidy) = layout::tidied(self.refused_location())
            && !is_url
        {
            let start = self.text.len();
            self.text.push_str(&tidy);
            self.texts.location = TextSpan::since(start, &self.text);
        }
        self.location_fault = layout::fault(self.refused_location());
    }

    /// The location as written, safe or not: for messages, and for who resolves it himself.
    pub fn refused_location(&self) -> &str {
        self.texts.location.of(&self.text)
    }

    /// Why the location may not be followed.
    pub fn location_fault(&self) -> Option<&'static str> {
        self.location_fault
    }

    /// Why metadata cannot have this package: no reader takes such a one, no writer may write it.
    pub fn fault(&self) -> Option<&'static str> {
        let missing = [
            (self.name(), "a package without a name"),
            (self.arch(), "a package without an architecture"),
            (self.version(), "a package without a version"),
            (self.checksum(), "a package without a checksum"),
        ];
        if let Some((_, what)) = missing.iter().find(|(text, _)| text.is_empty()) {
            return Some(what);
        }
        if !self.checksum().bytes().all(|b| b.is_ascii_hexdigit()) {
            return Some("a package checksum that is not hexadecimal");
        }
        if self.deps.iter().any(|list| list.len() > rule::MAX_DEPS) {
            return Some("a package with too many dependencies");
        }
        if self.files.len() > rule::MAX_ITEMS {
            return Some("a package with too many files");
        }
        let words = [self.name(), self.version(), self.release(), self.arch()];
        let deps = self.deps.iter().flatten();
        let alone = self.texts.all().chain(self.files.iter().map(|f| f.0));
        let tags = alone
            .map(|text| [text, TextSpan::default(), TextSpan::default()])
            .chain(deps.map(|dep| [dep.name, dep.version, dep.release]));
        self.header_fault
            .or_else(|| rule::name_fault(words))
            .or_else(|| rule::length_fault(&self.text, tags))
    }

    /// `xml:base` of the location. Before it is followed, ask
    /// [`crate::layout::check_base`] with the URL of the repository first.
    pub fn location_base(&self) -> Option<&str> {
        let base = self.texts.location_base;
        (!base.is_empty()).then(|| base.of(&self.text))
    }

    /// The checksum as a value; `None` if its algorithm is unknown or its length wrong.
    pub fn digest(&self) -> Option<Digest> {
        let algo = DigestAlgo::from_name(self.checksum_type())?;
        Digest::from_hex(algo, self.checksum()).ok()
    }

    /// One list of dependencies; empty for a group that metadata does not have.
    pub fn deps(&self, group: DepGroup) -> impl ExactSizeIterator<Item = DepRecord<'_>> {
        let list = self.deps.get(group as usize);
        let list = list.map(Vec::as_slice).unwrap_or_default();
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

    /// How many dependencies and files there are.
    pub(super) fn listed(&self) -> u64 {
        let deps: usize = self.deps.iter().map(Vec::len).sum();
        (deps + self.files.len()) as u64
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
        self.header_fault = None;
    }
}

/// Bytes of text memory that are kept from package to package.
const KEPT_TEXT: usize = 4 << 20;
