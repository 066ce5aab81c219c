//! The header of an installed package, made of its package headers and of facts about the installation
//! (docs/reference/rpmdb.md, 2.4).

use rpm_pkg::header::{DatabaseHeader, Header, IndexEntry, TagType, TagValue, tag};

use crate::DbError;

rpm_pkg::table! {
    /// State of a file of an installed package, tag 1029, and its number there.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum FileState: u8 {
        /// Installed; `%ghost` files too.
        Normal => 0,
        /// Another package's file stands in its place.
        Replaced => 1,
        /// Left out: documentation, language or configuration not wanted.
        NotInstalled => 2,
        /// On a shared network file system that is not written.
        NetShared => 3,
        /// A file of the other word size stands in its place.
        WrongColor => 4,
    }
}

impl FileState {
    /// The state with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.row() == number)
    }

    /// States of all files of a database header; one that is missing or unknown reads as normal.
    pub fn of(header: &Header) -> impl Iterator<Item = Self> + '_ {
        let states = header.bin(tag::FILESTATES).unwrap_or_default();
        states
            .iter()
            .map(|n| Self::from_number(*n).unwrap_or(Self::Normal))
    }
}

/// What only the transaction knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct InstallFacts<'a> {
    /// Seconds since 1970 when this package was installed.
    pub time: u32,
    /// Seconds since 1970 when the transaction began; the same for all its packages.
    pub tid: u32,
    /// The transaction color: 3 on 64-bit machines with a 32-bit sibling, else 0 (docs/reference/transactions.md, 5.7).
    pub color: u32,
    /// One state per file; empty stands for all normal.
    pub states: &'a [FileState],
    /// Hex digests of the whole package file with rpm's algorithm numbers (8 SHA-256, 10 SHA-512); rpm 6 stores
    /// them, older ones ignore them.
    pub package_digests: &'a [(u32, &'a str)],
}

/// Signature tags and the tags they have in a database (rpm 4.18, `lib/package.c`, `xlateTags`).
const TRANSLATIONS: [(u32, u32); 15] = [
    (tag::SIG_SIZE, tag::SIGSIZE),
    (tag::SIG_PGP, tag::SIGPGP),
    (tag::SIG_MD5, tag::SIGMD5),
    (tag::SIG_GPG, tag::SIGGPG),
    (tag::SIG_PAYLOADSIZE, tag::ARCHIVESIZE),
    (tag::SIG_FILESIGNATURES, tag::FILESIGNATURES),
    (tag::SIG_FILESIGNATURELENGTH, tag::FILESIGNATURELENGTH),
    (tag::VERITYSIGNATURES, tag::VERITYSIGNATURES),
    (tag::VERITYSIGNATUREALGO, tag::VERITYSIGNATUREALGO),
    (tag::SHA1HEADER, tag::SHA1HEADER),
    (tag::SHA256HEADER, tag::SHA256HEADER),
    (tag::DSAHEADER, tag::DSAHEADER),
    (tag::RSAHEADER, tag::RSAHEADER),
    (tag::LONGSIGSIZE, tag::LONGSIGSIZE),
    (tag::LONGARCHIVESIZE, tag::LONGARCHIVESIZE),
];
/// What rpm 6 copies besides.
const OPENPGP: [(u32, u32); 2] = [
    (tag::OPENPGP, tag::OPENPGP),
    (tag::SHA3_256HEADER, tag::SHA3_256HEADER),
];
/// What may stand in the main header instead, as it did in old packages.
const EITHER: [u32; 3] = [
    tag::ARCHIVESIZE,
    tag::FILESIGNATURES,
    tag::FILESIGNATURELENGTH,
];
/// Elements of a copied signature tag.
const MAX_SIGNATURE_COUNT: u32 = 16 << 20;
/// Signature tags from here on do not count for rpm 6 in version 6 packages.
const LEGACY_SIGNATURES: u32 = 1000;

/// What a database header takes from the signature header of its package, under the numbers that it has there. The
/// signature header itself is mostly room that was reserved for more signatures: thousands of bytes.
#[derive(Clone, Debug)]
pub struct StoredSignature {
    /// Tag, type, number of elements and bytes of each value.
    entries: Box<[(u32, TagType, u32, usize)]>,
    /// The values, one behind the other.
    data: Box<[u8]>,
}

impl StoredSignature {
    /// Takes it from a package's two headers. `as_rpm6`: as rpm 6 does, not as 4.x: tags 278 and 279 too, and in
    /// version 6 packages no tag from 1000 on. Each rpm reads both.
    ///
    /// # Errors
    /// [`DbError::BadPackage`] for packages that rpm refuses too: a tag of the wrong type or size, or one that the
    /// main header also has.
    pub fn of(signature: &Header, main: &Header, as_rpm6: bool) -> Result<Self, DbError> {
        let entries = translated(signature, main, as_rpm6)?;
        let values: Vec<&[u8]> = entries.iter().map(|(_, entry)| entry.data).collect();
        let data = values.concat().into();
        let entries = entries.iter();
        let entries = entries.map(|(tag, it)| (*tag, it.kind, it.count, it.data.len()));
        Ok(StoredSignature {
            entries: entries.collect(),
            data,
        })
    }

    fn iter(&self) -> impl Iterator<Item = IndexEntry<'_>> {
        let mut rest = &self.data[..];
        self.entries.iter().map(move |&(tag, kind, count, length)| {
            let data = rest.split_off(..length).unwrap_or_default();
            IndexEntry {
                tag,
                kind,
                count,
                data,
                in_region: false,
            }
        })
    }
}

/// The blob that [`crate::WriteTransaction::add`] takes, for a package that was just installed.
#[derive(Clone, Debug)]
pub struct InstalledHeader {
    blob: Vec<u8>,
}

impl InstalledHeader {
    /// Puts the package's headers and the facts together.
    ///
    /// # Errors
    /// [`DbError::BadPackage`] when the number of states is not the number of files.
    pub fn from_package(
        signature: &StoredSignature,
        main: &Header,
        facts: &InstallFacts<'_>,
    ) -> Result<Self, DbError> {
        let mut record = DatabaseHeader::from_header(main);
        for entry in signature.iter() {
            record.copy(entry.tag, &entry);
        }
        let states = match facts.states {
            [] => vec![FileState::Normal; main.count(tag::BASENAMES)],
            states => states.to_vec(),
        };
        set_states(&mut record, main, &states)?;
        record
            .add(tag::INSTALLTIME, TagValue::int32(facts.time))
            .add(tag::INSTALLCOLOR, TagValue::int32(facts.color))
            .add(tag::INSTALLTID, TagValue::int32(facts.tid));
        if let Some(prefixes) = main.entry(tag::PREFIXES) {
            record.copy(tag::INSTPREFIXES, &prefixes);
        }
        if !main.has(tag::SOURCERPM) && !main.has(tag::SOURCEPACKAGE) {
            record.add(tag::SOURCERPM, TagValue::string("(none)"));
        }
        if !facts.package_digests.is_empty() {
            let (algos, digests): (Vec<u32>, Vec<&str>) =
                facts.package_digests.iter().copied().unzip();
            record
                .add(tag::PACKAGEDIGESTS, TagValue::strings(digests))
                .add(tag::PACKAGEDIGESTALGOS, TagValue::Int32(algos));
        }
        finish(&record, main)
    }

    /// The same header with other file states, for [`crate::WriteTransaction::rewrite`]. Its region and all other
    /// added tags stay.
    ///
    /// # Errors
    /// [`DbError::BadPackage`] when the number of states is not the number of files.
    pub fn with_states(stored: &Header, states: &[FileState]) -> Result<Self, DbError> {
        let mut record = DatabaseHeader::from_header(stored);
        set_states(&mut record, stored, states)?;
        finish(&record, stored)
    }

    /// The bytes to be stored.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }
}

fn finish(record: &DatabaseHeader, main: &Header) -> Result<InstalledHeader, DbError> {
    let header = record.build().map_err(|source| DbError::Unwritable {
        what: name(main),
        source,
    })?;
    Ok(InstalledHeader {
        blob: header.bytes().to_vec(),
    })
}

/// Puts one state per file; packages without files have no such tag.
fn set_states(
    record: &mut DatabaseHeader,
    main: &Header,
    states: &[FileState],
) -> Result<(), DbError> {
    if states.len() != main.count(tag::BASENAMES) {
        return Err(bad(
            main,
            tag::FILESTATES,
            "does not have one state per file",
        ));
    }
    if !states.is_empty() {
        let numbers = states.iter().map(|state| state.row()).collect();
        record.add(tag::FILESTATES, TagValue::Char(numbers));
    }
    Ok(())
}

/// The entries to be copied with the numbers they get.
fn translated<'a>(
    signature: &'a Header,
    main: &Header,
    as_rpm6: bool,
) -> Result<Vec<(u32, IndexEntry<'a>)>, DbError> {
    let newer: &[_] = if as_rpm6 { &OPENPGP } else { &[] };
    let is_v6 = as_rpm6 && main.has(tag::RPMFORMAT);
    let mut entries = Vec::new();
    for (from, to) in TRANSLATIONS.iter().chain(newer).copied() {
        let counts = !(is_v6 && from >= LEGACY_SIGNATURES);
        let found = signature.entry(from).filter(|_| counts);
        if main.has(to) {
            if EITHER.contains(&to) && found.is_none() {
                continue;
            }
            return Err(bad(main, to, "stands in the main header too"));
        }
        let Some(entry) = found else { continue };
        let wanted = match entry.kind {
            _ if from == tag::SIG_MD5 => 16..=16,
            TagType::Bin | TagType::StringArray => 1..=MAX_SIGNATURE_COUNT,
            _ => 1..=1,
        };
        if tag::known_type(to) != Some(entry.kind) || !wanted.contains(&entry.count) {
            return Err(bad(main, from, "has a wrong type or size"));
        }
        entries.push((to, entry));
    }
    Ok(entries)
}

fn name(main: &Header) -> String {
    String::from_utf8_lossy(main.string(tag::NAME).unwrap_or_default()).into_owned()
}

fn bad(main: &Header, tag: u32, why: &'static str) -> DbError {
    DbError::BadPackage {
        package: name(main),
        tag,
        why,
    }
}

#[cfg(test)]
mod tests {
    use rpm_pkg::header::{HeaderBuilder, HeaderKind, TagValue, tag};

    use super::StoredSignature;

    #[test]
    fn of_a_signature_header_only_what_a_record_takes_is_kept() {
        let mut signature = HeaderBuilder::new();
        signature
            .add(tag::SIG_SIZE, TagValue::int32(7))
            .add(tag::SIG_RESERVED, TagValue::Bin(vec![0; 4128]));
        let signature = signature.build(HeaderKind::Signature).unwrap();
        let mut main = HeaderBuilder::new();
        main.add(tag::NAME, TagValue::string("a"));
        let main = main.build(HeaderKind::Main).unwrap();
        let kept = StoredSignature::of(&signature, &main, false).unwrap();
        let kept: Vec<(u32, TagValue)> =
            kept.iter().map(|it| (it.tag, TagValue::of(&it))).collect();
        assert_eq!(kept, [(tag::SIGSIZE, TagValue::int32(7))]);
    }
}
