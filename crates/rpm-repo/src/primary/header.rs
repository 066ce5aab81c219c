//! A package of `primary.xml` from the header of a package file.
//!
//! Which dependencies and files are taken is what createrepo_c 0.17 does, found by comparing the
//! metadata of real packages field by field.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::io::Read;

use rpm_pkg::dep::DepGroup;
use rpm_pkg::digest::Digest;
use rpm_pkg::evr::vercmp;
use rpm_pkg::header::{Header, tag};
use rpm_pkg::package::Package;

use super::package::{DEP_LISTS, DepSpans, PrimaryPackage};
use crate::record::{TextSpan, arch};

/// What is known of a package file besides its headers.
#[derive(Debug, Clone, Copy)]
pub struct FileFacts<'f> {
    /// Location relative to the repository or to `base`.
    pub location: &'f str,
    /// `xml:base` of the location.
    pub base: Option<&'f str>,
    /// Modification time, seconds since 1970.
    pub time: u64,
    /// Size in bytes.
    pub size: u64,
    /// Checksum of the whole file.
    pub checksum: Digest,
}

/// Sense bits of `Requires(pre)`, `Requires(post)` and `PreReq`: what `pre="1"` means.
const PRE_BITS: u32 = 1 << 6 | 1 << 9 | 1 << 10;
/// Tags of weak dependencies before rpm 4.12 (openSUSE): names, versions, flags; the strong ones
/// among them ([`STRONG`]) are the later Recommends and Supplements.
const OLD_SUGGESTS: (u32, u32, u32) = (1156, 1157, 1158);
const OLD_ENHANCES: (u32, u32, u32) = (1159, 1160, 1161);
const STRONG: u32 = 1 << 27;
impl PrimaryPackage {
    /// Fills this from a package file, whatever it held before.
    pub fn fill<R: Read>(&mut self, package: &Package<R>, facts: &FileFacts<'_>) {
        self.clear();
        let header = &package.header;
        self.fill_texts(header, facts);
        self.fill_numbers(package, facts);
        self.location_fault = crate::layout::fault(facts.location);
        crate::filelists::each_file(header, |dir, base, kind| {
            let path = [dir, base].concat();
            if is_primary(&path) {
                let span = self.put_whole(&path);
                self.files.push((span, kind));
            }
        });
        self.fill_deps(header);
    }

    fn put(&mut self, bytes: &[u8]) -> TextSpan {
        TextSpan::clean(bytes, &mut self.text)
    }

    /// What means something else when a character is left out of it.
    fn put_whole(&mut self, bytes: &[u8]) -> TextSpan {
        TextSpan::clean_or(bytes, &mut self.text, &mut self.header_fault)
    }

    fn fill_texts(&mut self, header: &Header, facts: &FileFacts<'_>) {
        let of = |tag| header.string(tag).unwrap_or_default();
        self.texts.name = self.put_whole(of(tag::NAME));
        self.texts.arch = self.put_whole(arch(header));
        self.texts.version = self.put_whole(of(tag::VERSION));
        self.texts.release = self.put_whole(of(tag::RELEASE));
        self.texts.checksum_type = self.put(facts.checksum.algo().name().as_bytes());
        self.texts.checksum = self.put(facts.checksum.hex().as_bytes());
        self.texts.summary = self.put(of(tag::SUMMARY));
        self.texts.description = self.put(of(tag::DESCRIPTION));
        self.texts.packager = self.put(of(tag::PACKAGER));
        self.texts.url = self.put(of(tag::URL));
        self.texts.location = self.put(facts.location.as_bytes());
        self.texts.location_base = self.put(facts.base.unwrap_or_default().as_bytes());
        self.texts.license = self.put(of(tag::LICENSE));
        self.texts.vendor = self.put(of(tag::VENDOR));
        self.texts.group = self.put(of(tag::GROUP));
        self.texts.buildhost = self.put(of(tag::BUILDHOST));
        self.texts.sourcerpm = self.put(of(tag::SOURCERPM));
    }

    fn fill_numbers<R: Read>(&mut self, package: &Package<R>, facts: &FileFacts<'_>) {
        let (header, signature) = (&package.header, &package.signature);
        let range = package.header_range();
        let numbers = &mut self.numbers;
        numbers.epoch = header.u32(tag::EPOCH).unwrap_or(0);
        numbers.file_time = facts.time;
        numbers.build_time = header.uint(tag::BUILDTIME).unwrap_or(0);
        numbers.package_size = facts.size;
        let sizes = [tag::LONGSIZE, tag::SIZE];
        numbers.installed_size = sizes.iter().find_map(|t| header.uint(*t)).unwrap_or(0);
        let archive = [tag::LONGARCHIVESIZE, tag::SIG_PAYLOADSIZE];
        let archive = archive.iter().find_map(|t| signature.uint(*t));
        let archive = archive.or_else(|| header.uint(tag::ARCHIVESIZE));
        numbers.archive_size = archive.unwrap_or(0);
        (numbers.header_start, numbers.header_end) = (range.start, range.end);
    }

    fn fill_deps(&mut self, header: &Header) {
        for (group, _) in DEP_LISTS {
            if group == DepGroup::Requires {
                self.requires(header);
                continue;
            }
            each_dep(header, group.tags(), |name, version, flags| {
                self.push(group, name, version, flags, false);
            });
        }
        for (tags, strong, weak) in [
            (OLD_SUGGESTS, DepGroup::Recommends, DepGroup::Suggests),
            (OLD_ENHANCES, DepGroup::Supplements, DepGroup::Enhances),
        ] {
            each_dep(header, tags, |name, version, flags| {
                let group = if flags & STRONG != 0 { strong } else { weak };
                self.push(group, name, version, flags, false);
            });
        }
    }

    fn push(&mut self, group: DepGroup, name: &[u8], version: &[u8], flags: u32, pre: bool) {
        if name.is_empty() {
            return;
        }
        let (epoch, version, release) = split_evr(version);
        let flags = match flags & 0xf {
            known @ (2 | 4 | 8 | 10 | 12) => known as u8,
            _ => 0,
        };
        let mut dep = DepSpans {
            name: self.put_whole(name),
            flags,
            pre,
            ..DepSpans::default()
        };
        // Without a relation the metadata has no place for a version.
        if flags != 0 {
            dep.epoch = epoch;
            dep.version = self.put_whole(version);
            dep.release = self.put_whole(release);
        }
        if let Some(deps) = self.deps.get_mut(group as usize) {
            deps.push(dep);
        }
    }

    /// Requirements: not those on rpm's own features, on the package's own primary files and on
    /// what it provides itself; of several on libc.so.6 only the highest, last.
    fn requires(&mut self, header: &Header) {
        let own: HashSet<String> = self
            .files
            .iter()
            .map(|(path, _)| path.of(&self.text).to_owned())
            .collect();
        let mut provided = HashSet::new();
        each_dep(header, DepGroup::Provides.tags(), |name, version, flags| {
            provided.insert((name, flags & 0xf, version));
        });
        let mut seen = HashMap::new();
        let mut libc: Option<(&[u8], &[u8], u32, bool)> = None;
        each_dep(header, DepGroup::Requires.tags(), |name, version, flags| {
            let is_own = || std::str::from_utf8(name).is_ok_and(|name| own.contains(name));
            let key = (name, flags & 0xf, version);
            if name.starts_with(b"rpmlib(") || is_own() || provided.contains(&key) {
                return;
            }
            let pre = flags & PRE_BITS != 0;
            let value = (flags & 0xf, version, pre);
            if seen.get(name) == Some(&value) {
                return;
            }
            if name.starts_with(b"libc.so.6") {
                if libc.is_none_or(|best| compare_libc(best.0, name).is_lt()) {
                    libc = Some((name, version, flags, pre));
                }
                return;
            }
            self.push(DepGroup::Requires, name, version, flags, pre);
            seen.insert(name, value);
        });
        if let Some((name, version, flags, pre)) = libc {
            self.push(DepGroup::Requires, name, version, flags, pre);
        }
    }
}

/// Calls `each` with name, version and flags of every dependency of three parallel tags.
fn each_dep<'h>(
    header: &'h Header,
    (names, versions, flags): (u32, u32, u32),
    mut each: impl FnMut(&'h [u8], &'h [u8], u32),
) {
    let mut versions = header.strings(versions);
    let mut flags = header.u32s(flags);
    for name in header.strings(names) {
        let (Some(version), Some(flags)) = (versions.next(), flags.next()) else {
            return;
        };
        each(name, version, flags);
    }
}

/// Epoch (0 if there is a version without one), version, release.
fn split_evr(text: &[u8]) -> (Option<u32>, &[u8], &[u8]) {
    if text.is_empty() {
        return (None, b"", b"");
    }
    let at = |byte, text: &[u8]| text.iter().position(|b| *b == byte);
    let (epoch, rest) = match at(b':', text) {
        Some(colon) => (
            text.get(..colon).unwrap_or_default(),
            text.get(colon + 1..).unwrap_or_default(),
        ),
        None => (&b""[..], text),
    };
    let epoch = std::str::from_utf8(epoch).ok().and_then(|t| t.parse().ok());
    let (version, release) = match at(b'-', rest) {
        Some(dash) => (
            rest.get(..dash).unwrap_or_default(),
            rest.get(dash + 1..).unwrap_or_default(),
        ),
        None => (rest, &b""[..]),
    };
    (Some(epoch.unwrap_or(0)), version, release)
}

/// Orders the versions of libc symbols: `libc.so.6` < `libc.so.6()(64bit)` < `(GLIBC_2.4)`.
fn compare_libc(a: &[u8], b: &[u8]) -> Ordering {
    match (inner(a), inner(b)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(a), Some(b)) => match (version(a), version(b)) {
            (Some(a), Some(b)) => vercmp(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        },
    }
}

/// What stands between the first parentheses.
fn inner(name: &[u8]) -> Option<&[u8]> {
    let open = name.iter().position(|b| *b == b'(')?;
    let rest = name.get(open + 1..)?;
    let close = rest.iter().position(|b| *b == b')')?;
    rest.get(..close)
}

/// From the first digit on.
fn version(inner: &[u8]) -> Option<&[u8]> {
    let digit = inner.iter().position(u8::is_ascii_digit)?;
    inner.get(digit..)
}

/// Whether primary lists the file: below `/etc`, in a directory ending in `bin`, or sendmail. Every
/// client of the last twenty years counts on exactly this rule.
pub fn is_primary(path: &[u8]) -> bool {
    path.starts_with(b"/etc/")
        || path == b"/usr/lib/sendmail"
        || path.windows(4).any(|part| part == b"bin/")
}
