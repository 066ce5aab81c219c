//! Name, epoch, version, release, architecture: the full name of a package.

use crate::evr::Evr;
use crate::glob::glob_matches;
use crate::header::{Header, tag};
use std::fmt;
use thiserror::Error;

#[cfg(test)]
mod tests;

/// The full name of a package. Order: name, then EVR as rpm compares it, then architecture.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nevra {
    /// Package name.
    pub name: String,
    /// Epoch, version, release.
    pub evr: Evr,
    /// Architecture (`src` or `nosrc` for source packages); empty for `gpg-pubkey` entries.
    pub arch: String,
}

/// Why a text is not a NEVRA.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NevraError {
    /// The text does not have the form `name-[epoch:]version-release.arch`.
    #[error("\"{0}\" is not name-[epoch:]version-release.arch")]
    Form(String),
    /// A header lacks a tag that every package has.
    #[error("header has no {0}")]
    Missing(&'static str),
}

impl Nevra {
    /// Makes a NEVRA of its parts.
    pub fn new(name: impl Into<String>, evr: Evr, arch: impl Into<String>) -> Self {
        Nevra {
            name: name.into(),
            evr,
            arch: arch.into(),
        }
    }

    /// Reads `name-[epoch:]version-release.arch`.
    pub fn parse(text: &str) -> Result<Self, NevraError> {
        let parts = || {
            let (rest, arch) = text.rsplit_once('.')?;
            let (rest, release) = rest.rsplit_once('-')?;
            let (name, version) = rest.rsplit_once('-')?;
            let mut evr = Evr::parse(version);
            evr.release = release.to_owned();
            let whole = [name, &evr.version, release, arch]
                .iter()
                .all(|part| !part.is_empty());
            whole.then(|| Nevra::new(name, evr, arch))
        };
        parts().ok_or_else(|| NevraError::Form(text.to_owned()))
    }

    /// Reads NAME, EPOCH, VERSION, RELEASE and ARCH of a main or database header. Bytes that are
    /// not UTF-8 are replaced. A source package (SOURCEPACKAGE 1106, or no SOURCERPM 1044 in old
    /// ones) gets the architecture `src`, or `nosrc` when it lacks a source or patch.
    pub fn from_header(header: &Header) -> Result<Self, NevraError> {
        let own = |tag| {
            header
                .string(tag)
                .map(|v| String::from_utf8_lossy(v).into_owned())
        };
        let name = own(tag::NAME).ok_or(NevraError::Missing("name"))?;
        let version = own(tag::VERSION).ok_or(NevraError::Missing("version"))?;
        let release = own(tag::RELEASE).ok_or(NevraError::Missing("release"))?;
        let arch = if is_source(header) {
            let partial = header.has(tag::NOSOURCE) || header.has(tag::NOPATCH);
            if partial { "nosrc" } else { "src" }.to_owned()
        } else {
            own(tag::ARCH).unwrap_or_default()
        };
        Ok(Nevra {
            name,
            evr: Evr {
                epoch: header.u32(tag::EPOCH),
                version,
                release,
            },
            arch,
        })
    }
}

/// Whether a main header belongs to a source package: rpm says so when it has no SOURCERPM.
pub fn is_source(header: &Header) -> bool {
    header.has(tag::SOURCEPACKAGE) || !header.has(tag::SOURCERPM)
}

impl fmt::Display for Nevra {
    /// `name-[epoch:]version-release.arch`; no epoch when it is 0, no dot without architecture.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name, self.evr)?;
        if !self.arch.is_empty() {
            write!(f, ".{}", self.arch)?;
        }
        Ok(())
    }
}

/// Epoch, version and release; the architecture.
pub type EvrAndArch<'p> = ((u32, &'p str, &'p str), &'p str);

/// Whether a pattern names a package: a glob over its name, over `name.arch`, or over the name with version, release
/// and architecture, with and without epoch, as in dnf: the dot before an architecture and the dash before a version
/// are written out. `rest` is asked for where the name alone does not tell.
pub fn is_named<'p>(pattern: &str, name: &str, rest: impl FnOnce() -> EvrAndArch<'p>) -> bool {
    // Every form begins with the name: that spares most packages the longer ones.
    let literal = pattern.split(['*', '?', '[']).next().unwrap_or_default();
    if !literal.starts_with(name) && !name.starts_with(literal) {
        return false;
    }
    if glob_matches(pattern, name) {
        return true;
    }
    let (has_arch, has_version) = (pattern.contains('.'), pattern.contains('-'));
    let ((epoch, version, release), arch) = rest();
    let versions = [version.to_owned(), format!("{epoch}:{version}")];
    let with_version = versions.iter().flat_map(|version| {
        let short = format!("{name}-{version}");
        let long = format!("{short}-{release}");
        let whole = has_arch.then(|| format!("{long}.{arch}"));
        whole.into_iter().chain([long, short])
    });
    let mut versioned = with_version.filter(|_| has_version);
    has_arch && glob_matches(pattern, format!("{name}.{arch}"))
        || versioned.any(|form| glob_matches(pattern, form))
}
