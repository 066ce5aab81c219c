//! From package headers to what the pool takes.

use super::error::CatalogError;
use rpm_pkg::dep::{DepFlags, DepGroup, Deps};
use rpm_pkg::header::{Header, tag};
use rpm_solv::{DepInput, EvrInput, PackageFacts, PackageInput, PlanFacts};
use std::borrow::Cow;

/// rpm's sense bits for "needed by scriptlets" (PREREQ, SCRIPT_PRE, SCRIPT_POST, SCRIPT_PREUN,
/// SCRIPT_POSTUN), the ones createrepo marks `pre="1"`.
const PRE_SENSE: DepFlags = DepFlags(1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12);

/// What a header alone does not say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outside<'a> {
    /// Where the package file is; empty for installed packages.
    pub(crate) location: &'a str,
    /// Its size in bytes.
    pub(crate) package_size: u64,
    /// Number in the rpm database; 0 if not installed.
    pub(crate) database_number: u32,
    /// SHA-1 of an installed header in hexadecimal; empty where it is not known or not needed.
    pub(crate) digest: &'a str,
}

type Text<'a> = Cow<'a, str>;

fn text(bytes: Option<&[u8]>) -> Text<'_> {
    String::from_utf8_lossy(bytes.unwrap_or_default())
}

struct OwnedDep<'a> {
    name: Text<'a>,
    evr: Text<'a>,
    flags: DepFlags,
}

fn owned(header: &Header, kind: DepGroup) -> Vec<OwnedDep<'_>> {
    Deps::of(header, kind)
        .map(|dep| OwnedDep {
            name: String::from_utf8_lossy(dep.name),
            evr: String::from_utf8_lossy(dep.evr),
            flags: dep.flags,
        })
        .collect()
}

fn borrowed<'a>(deps: &'a [OwnedDep<'_>]) -> Vec<DepInput<'a>> {
    deps.iter()
        .map(|dep| DepInput {
            name: &dep.name,
            flags: match dep.evr.is_empty() {
                true => DepFlags::ANY,
                false => dep.flags,
            },
            evr: EvrInput::new(None, &dep.evr, ""),
            pre: dep.flags.has(PRE_SENSE),
        })
        .collect()
}

/// Lends the package that `header` describes to `add` in the pool's form.
///
/// # Errors
/// The header has no name, version or release, or what `add` says.
pub(crate) fn with_header<T>(
    header: &Header,
    what: &str,
    outside: &Outside<'_>,
    add: impl FnOnce(&PackageInput<'_>) -> Result<T, rpm_solv::SolvError>,
) -> Result<T, CatalogError> {
    let get = |tag| text(header.string(tag));
    let (name, version, release) = (get(tag::NAME), get(tag::VERSION), get(tag::RELEASE));
    if name.is_empty() || version.is_empty() || release.is_empty() {
        return Err(CatalogError::NotAPackage {
            what: what.to_owned(),
        });
    }
    let arch = arch(header);
    let owned = DepGroup::ALL.map(|kind| owned(header, kind));
    let lists = owned.each_ref().map(|deps| borrowed(deps));
    let list = |kind: DepGroup| lists[kind as usize].as_slice();
    let paths = paths(header);
    let files: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
    let summary = get(tag::SUMMARY);
    let description = get(tag::DESCRIPTION);
    let (url, license) = (get(tag::URL), get(tag::LICENSE));
    let (vendor, sourcerpm) = (get(tag::VENDOR), get(tag::SOURCERPM));
    let number = |tag| header.uint(tag);
    Ok(add(&PackageInput {
        name: &name,
        arch: &arch,
        evr: EvrInput {
            epoch: header.u32(tag::EPOCH).unwrap_or(0),
            version: &version,
            release: &release,
        },
        vendor: &vendor,
        provides: list(DepGroup::Provides),
        requires: list(DepGroup::Requires),
        conflicts: list(DepGroup::Conflicts),
        obsoletes: list(DepGroup::Obsoletes),
        recommends: list(DepGroup::Recommends),
        suggests: list(DepGroup::Suggests),
        supplements: list(DepGroup::Supplements),
        enhances: list(DepGroup::Enhances),
        files: &files,
        facts: PackageFacts {
            plan: PlanFacts {
                location: outside.location,
                checksum: outside.digest,
                package_size: outside.package_size,
                installed_size: number(tag::LONGSIZE)
                    .or_else(|| number(tag::SIZE))
                    .unwrap_or(0),
                database_number: outside.database_number,
                ..PlanFacts::default()
            },
            summary: &summary,
            description: &description,
            url: &url,
            license: &license,
            sourcerpm: &sourcerpm,
            file_time: number(tag::INSTALLTIME).unwrap_or(0),
        },
    })?)
}

/// The architecture as metadata names it: `src` or `nosrc` for source packages; keys in the database
/// (`gpg-pubkey`) have none and count as `noarch`.
fn arch(header: &Header) -> Text<'_> {
    if header.has(tag::SOURCEPACKAGE) {
        let partial = header.has(tag::NOSOURCE) || header.has(tag::NOPATCH);
        return Cow::Borrowed(if partial { "nosrc" } else { "src" });
    }
    match text(header.string(tag::ARCH)) {
        arch if arch.is_empty() || arch == "(none)" => Cow::Borrowed("noarch"),
        arch => arch,
    }
}

/// All paths of a package; none if its file list cannot be read (the solver then finds no files in it).
fn paths(header: &Header) -> Vec<Vec<u8>> {
    let dirs: Vec<&[u8]> = header.strings(tag::DIRNAMES).collect();
    let (bases, indexes) = (header.strings(tag::BASENAMES), header.u32s(tag::DIRINDEXES));
    if bases.len() != indexes.len() {
        return Vec::new();
    }
    let path = |(base, index): (&[u8], u32)| Some([*dirs.get(index as usize)?, base].concat());
    let paths: Option<Vec<Vec<u8>>> = bases.zip(indexes).map(path).collect();
    paths.unwrap_or_default()
}
