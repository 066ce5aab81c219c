//! What images tell of a package.

use rpm_pkg::header::{Header, tag};

/// A row of the rpm database, as far as images tell of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackageRow {
    /// Name.
    pub name: String,
    /// Epoch, if there is one.
    pub epoch: Option<u32>,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture; none for keys.
    pub arch: String,
    /// File name of the source package.
    pub source: String,
    /// Bytes of all its files.
    pub size: u64,
    /// Seconds since 1970 when it was installed, and built.
    pub times: [u32; 2],
    /// Vendor.
    pub vendor: String,
    /// Licence.
    pub license: String,
    /// The strongest digest of it that the rpm database has: of its header, or of header and payload.
    pub digest: Option<HeaderDigest>,
}

/// What an installed package is known by without its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeaderDigest {
    /// `SHA256`, `SHA1` or `MD5`.
    pub algorithm: &'static str,
    /// Hexadecimal.
    pub hex: String,
}

impl HeaderDigest {
    fn of(header: &Header) -> Option<Self> {
        let text = |tag| Some(String::from_utf8_lossy(header.string(tag)?).into_owned());
        let md5 = || {
            let bytes = header.bin(tag::SIGMD5)?.iter();
            Some(bytes.map(|byte| format!("{byte:02x}")).collect())
        };
        let of = |algorithm, hex: Option<String>| {
            Some(Self {
                algorithm,
                hex: hex?,
            })
        };
        of("SHA256", text(tag::SHA256HEADER))
            .or_else(|| of("SHA1", text(tag::SHA1HEADER)))
            .or_else(|| of("MD5", md5()))
    }
}

impl PackageRow {
    /// `name-[epoch:]version-release.arch`; a key has no architecture.
    pub fn nevra(&self) -> String {
        let Self {
            name,
            version,
            release,
            arch,
            ..
        } = self;
        let epoch = self
            .epoch
            .map_or_else(String::new, |epoch| format!("{epoch}:"));
        let dot = if arch.is_empty() { "" } else { "." };
        format!("{name}-{epoch}{version}-{release}{dot}{arch}")
    }

    /// The name of the source package, else its own.
    pub fn source_name(&self) -> &str {
        let mut parts = self.source.rsplitn(3, '-');
        parts.nth(2).unwrap_or(&self.name)
    }

    /// That of a header.
    pub fn of(header: &Header) -> Self {
        let text =
            |tag| String::from_utf8_lossy(header.string(tag).unwrap_or_default()).into_owned();
        let number = |tag| header.u32(tag).unwrap_or(0);
        Self {
            name: text(tag::NAME),
            epoch: header.u32(tag::EPOCH),
            version: text(tag::VERSION),
            release: text(tag::RELEASE),
            arch: text(tag::ARCH),
            source: text(tag::SOURCERPM),
            size: header
                .u64(tag::LONGSIZE)
                .unwrap_or_else(|| u64::from(number(tag::SIZE))),
            times: [tag::INSTALLTIME, tag::BUILDTIME].map(number),
            vendor: text(tag::VENDOR),
            license: text(tag::LICENSE),
            digest: HeaderDigest::of(header),
        }
    }
}
