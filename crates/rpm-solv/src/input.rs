//! What a package looks like when it is put into a pool.

/// How a dependency's version is compared; the bits are libsolv's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Relation(u8);

impl Relation {
    /// No version given.
    pub const ANY: Self = Self(0);
    /// `>`
    pub const GREATER: Self = Self(1);
    /// `=`
    pub const EQUAL: Self = Self(2);
    /// `>=`
    pub const GREATER_EQUAL: Self = Self(3);
    /// `<`
    pub const LESS: Self = Self(4);
    /// `<=`
    pub const LESS_EQUAL: Self = Self(6);

    /// From rpm's sense bits (LESS 2, GREATER 4, EQUAL 8; others are ignored).
    #[must_use]
    pub const fn from_rpm_sense(sense: u32) -> Self {
        let mut bits = 0;
        if sense & 2 != 0 {
            bits |= 4;
        }
        if sense & 4 != 0 {
            bits |= 1;
        }
        if sense & 8 != 0 {
            bits |= 2;
        }
        Self(bits)
    }

    /// libsolv's bits: 1 greater, 2 equal, 4 less.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// A version as metadata writes it; empty parts are absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct EvrInput<'a> {
    /// Epoch; none and 0 are the same.
    pub epoch: u32,
    /// Version; may also hold the whole `epoch:version-release`.
    pub version: &'a str,
    /// Release.
    pub release: &'a str,
}

impl<'a> EvrInput<'a> {
    /// From the three parts of a metadata record.
    #[must_use]
    pub const fn new(epoch: Option<u32>, version: &'a str, release: &'a str) -> Self {
        let epoch = match epoch {
            Some(epoch) => epoch,
            None => 0,
        };
        Self {
            epoch,
            version,
            release,
        }
    }
}

/// One dependency.
#[derive(Debug, Clone, Copy, Default)]
pub struct DepInput<'a> {
    /// Capability, path, or a boolean dependency in parentheses.
    pub name: &'a str,
    /// How the version is compared.
    pub relation: Relation,
    /// The version, looked at only if `relation` is not [`Relation::ANY`].
    pub evr: EvrInput<'a>,
    /// Needed before the package's scripts run.
    pub pre: bool,
}

impl<'a> DepInput<'a> {
    /// From a metadata record: `sense` has rpm's bits, as [`Relation::from_rpm_sense`] takes them.
    #[must_use]
    pub const fn from_rpm(name: &'a str, sense: u32, evr: EvrInput<'a>, pre: bool) -> Self {
        Self {
            name,
            relation: Relation::from_rpm_sense(sense),
            evr,
            pre,
        }
    }
}

/// The kinds of dependency a package has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DependencyKind {
    /// `Provides`
    Provides,
    /// `Requires`, pre-requires not among them
    Requires,
    /// `Requires(pre)` and the like
    RequiresPre,
    /// `Conflicts`
    Conflicts,
    /// `Obsoletes`
    Obsoletes,
    /// `Recommends`
    Recommends,
    /// `Suggests`
    Suggests,
    /// `Supplements`
    Supplements,
    /// `Enhances`
    Enhances,
}

/// What the solver does not look at; kept out of memory for cached repositories.
#[derive(Debug, Clone, Copy, Default)]
pub struct PackageFacts<'a> {
    /// One line.
    pub summary: &'a str,
    /// Several lines.
    pub description: &'a str,
    /// Home page.
    pub url: &'a str,
    /// License expression.
    pub license: &'a str,
    /// Group.
    pub group: &'a str,
    /// Packager.
    pub packager: &'a str,
    /// Build host.
    pub buildhost: &'a str,
    /// File name of the source package.
    pub sourcerpm: &'a str,
    /// Path below the repository's base.
    pub location: &'a str,
    /// `xml:base` of the location, else empty.
    pub location_base: &'a str,
    /// Checksum algorithm as metadata names it (`sha256`).
    pub checksum_kind: &'a str,
    /// Checksum in hexadecimal.
    pub checksum: &'a str,
    /// Seconds since 1970.
    pub build_time: u64,
    /// Seconds since 1970: file time in a repository, install time of an installed package.
    pub file_time: u64,
    /// Bytes of the .rpm file.
    pub package_size: u64,
    /// Bytes when installed.
    pub installed_size: u64,
    /// Bytes of the uncompressed archive.
    pub archive_size: u64,
    /// First byte of the header in the .rpm file.
    pub header_start: u64,
    /// Byte after the header.
    pub header_end: u64,
    /// Number of the header in the rpm database; 0 if not installed.
    pub database_number: u32,
}

/// A package to be added. Everything is borrowed; nothing is kept but what the pool interns.
#[derive(Debug, Clone, Copy, Default)]
pub struct PackageInput<'a> {
    /// Name.
    pub name: &'a str,
    /// Architecture (`src` and `nosrc` for source packages).
    pub arch: &'a str,
    /// Version.
    pub evr: EvrInput<'a>,
    /// Vendor.
    pub vendor: &'a str,
    /// `Provides`; the package's own `name = evr` is added if it is missing.
    pub provides: &'a [DepInput<'a>],
    /// `Requires`, pre-requires marked.
    pub requires: &'a [DepInput<'a>],
    /// `Conflicts`
    pub conflicts: &'a [DepInput<'a>],
    /// `Obsoletes`
    pub obsoletes: &'a [DepInput<'a>],
    /// `Recommends`
    pub recommends: &'a [DepInput<'a>],
    /// `Suggests`
    pub suggests: &'a [DepInput<'a>],
    /// `Supplements`
    pub supplements: &'a [DepInput<'a>],
    /// `Enhances`
    pub enhances: &'a [DepInput<'a>],
    /// Absolute paths that may satisfy file dependencies.
    pub files: &'a [&'a [u8]],
    /// The rest.
    pub facts: PackageFacts<'a>,
}
