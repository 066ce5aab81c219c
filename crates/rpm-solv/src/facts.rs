//! Facts about packages that the solver does not need: one record each, in memory or in a cache file.

use xxhash_rust::xxh3::xxh3_64;

/// Largest record: texts of one package together.
pub(crate) const MAX_RECORD: usize = 64 << 20;
/// Bytes before a record's body: length, checksum, package number.
pub(crate) const RECORD_HEAD: usize = 12;

/// The facts in the order of a record: texts, then 64-bit numbers, then the number in the rpm database.
macro_rules! facts {
    ($($(#[$text_doc:meta])* $text:ident,)+; $($(#[$number_doc:meta])* $number:ident,)+) => {
        /// What the solver does not look at; kept out of memory for cached repositories.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct PackageFacts<T> {
            $($(#[$text_doc])* pub $text: T,)+
            $($(#[$number_doc])* pub $number: u64,)+
            /// Number of the header in the rpm database; 0 if not installed.
            pub database_number: u32,
        }

        /// How many texts a record has.
        const TEXTS: usize = [$(stringify!($text)),+].len();

        impl PackageFacts<&str> {
            fn texts(&self) -> [&str; TEXTS] {
                [$(self.$text),+]
            }

            fn numbers(&self) -> impl Iterator<Item = u64> {
                [$(self.$number),+].into_iter().chain([u64::from(self.database_number)])
            }
        }

        /// A body as [`Facts`].
        pub(crate) fn decode(mut body: &[u8]) -> Option<Facts> {
            Some(Facts {
                $($text: String::from_utf8_lossy(take_text(&mut body)?).into_owned(),)+
                $($number: take_number(&mut body)?,)+
                database_number: u32::try_from(take_number(&mut body)?).ok()?,
            })
        }
    };
}

/// [`PackageFacts`] that own their text.
pub type Facts = PackageFacts<String>;

facts! {
    /// One line.
    summary,
    /// Several lines.
    description,
    /// Home page.
    url,
    /// License expression.
    license,
    /// Group.
    group,
    /// Packager.
    packager,
    /// Build host.
    buildhost,
    /// File name of the source package.
    sourcerpm,
    /// Path below the repository's base.
    location,
    /// `xml:base` of the location, else empty.
    location_base,
    /// Checksum algorithm as metadata names it (`sha256`).
    checksum_kind,
    /// Checksum in hexadecimal.
    checksum,
    ;
    /// Seconds since 1970.
    build_time,
    /// Seconds since 1970: file time in a repository, install time of an installed package.
    file_time,
    /// Bytes of the .rpm file.
    package_size,
    /// Bytes when installed.
    installed_size,
    /// Bytes of the uncompressed archive.
    archive_size,
    /// First byte of the header in the .rpm file.
    header_start,
    /// Byte after the header.
    header_end,
}

/// Appends the record of package `index` to `out`.
pub(crate) fn encode(facts: &PackageFacts<&str>, index: u32, out: &mut Vec<u8>) {
    let start = begin(out);
    let mut room = MAX_RECORD / 2;
    for text in facts.texts() {
        let text = text.get(..text.floor_char_boundary(room)).unwrap_or(text);
        room -= text.len();
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    for number in facts.numbers() {
        out.extend_from_slice(&number.to_le_bytes());
    }
    end(start, index, out);
}

/// Appends the record of package `index` with a body that [`encode`] once made.
pub(crate) fn encode_body(body: &[u8], index: u32, out: &mut Vec<u8>) {
    let start = begin(out);
    out.extend_from_slice(body);
    end(start, index, out);
}

/// Room for a record's head; where the record begins.
fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; RECORD_HEAD]);
    start
}

/// Writes the head of the record whose body ends here.
fn end(start: usize, index: u32, out: &mut [u8]) {
    let length = (out.len() - start - RECORD_HEAD) as u32;
    let sum = xxh3_64(&out[start + RECORD_HEAD..]) as u32;
    let head = [length, sum, index].map(u32::to_le_bytes);
    out[start..start + RECORD_HEAD].copy_from_slice(head.as_flattened());
}

/// A record's head: body length, checksum, package number.
pub(crate) fn head(bytes: &[u8]) -> Option<(usize, u32, u32)> {
    let length = u32_at(bytes, 0)? as usize;
    (length <= MAX_RECORD).then_some((length, u32_at(bytes, 4)?, u32_at(bytes, 8)?))
}

/// The body of the record at the start of `bytes`, if it is whole and belongs to package `index`.
pub(crate) fn body(bytes: &[u8], index: u32) -> Option<&[u8]> {
    let (length, sum, number) = head(bytes)?;
    let body = bytes.get(RECORD_HEAD..RECORD_HEAD.checked_add(length)?)?;
    (number == index && xxh3_64(body) as u32 == sum).then_some(body)
}

/// Summary and description at the start of a body, and where they end.
pub(crate) fn texts_of(mut body: &[u8]) -> Option<(&[u8], &[u8])> {
    Some((take_text(&mut body)?, take_text(&mut body)?))
}

/// The checksum in a body: the last of its texts.
pub(crate) fn checksum_of(mut body: &[u8]) -> Option<&[u8]> {
    (0..TEXTS).map(|_| take_text(&mut body)).last()?
}

/// The number in the rpm database and the checksum in a body.
pub(crate) fn identity(body: &[u8]) -> Option<(u32, &[u8])> {
    let number = u64::from_le_bytes(*body.last_chunk()?);
    Some((u32::try_from(number).ok()?, checksum_of(body)?))
}

fn take_text<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32_at(body, 0)? as usize;
    let (text, rest) = body.get(4..)?.split_at_checked(length)?;
    *body = rest;
    Some(text)
}

fn take_number(body: &mut &[u8]) -> Option<u64> {
    let (number, rest) = body.split_first_chunk()?;
    *body = rest;
    Some(u64::from_le_bytes(*number))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|number| u32::from_le_bytes(*number))
}
