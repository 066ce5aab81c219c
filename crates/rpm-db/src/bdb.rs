//! Berkeley DB databases (`Packages`, rpm up to 4.16) in hash form, read only.
//!
//! Measured on files that rpm 4.16 and Berkeley DB 5.3 made (docs/reference/rpmdb.md, 2.7). The file is pages of one
//! size, the first of them the description. Numbers are of the byte order of the machine that made it. A page has a
//! head of 26 bytes (at 8 its own number, 16 the next page of a chain, 20 the number of items, 22 the end of the data
//! of an overflow page, 25 its kind), then the places of its items, two bytes each, which are laid from the end of the
//! page downwards: key, value, key, value. The first byte of an item is its form. A key is a package number; that of 0
//! holds the last number given. A value that does not fit lies in a chain of overflow pages.

use std::path::Path;

use crate::record_file::{MAX_RECORDS, RawFile, RecordFile};
use crate::schema::MAX_HEADER;
use crate::{Backend, DbError};

const HASH_MAGIC: u32 = 0x06_1561;
const BTREE_MAGIC: u32 = 0x05_3162;
/// Versions of the hash form since Berkeley DB 4.2; earlier ones lay their items out in another way.
const VERSIONS: std::ops::RangeInclusive<u32> = 8..=10;
const PAGE_SIZES: std::ops::RangeInclusive<u32> = 512..=65_536;
/// Bytes of the description that are looked at: less than the smallest page has.
const DESCRIPTION: usize = 72;
/// Bytes of a page before the places of its items, or before the data of an overflow page.
const HEAD: usize = 26;

/// Kinds of pages.
const FREE: u8 = 0;
const HASH_UNSORTED: u8 = 2;
const OVERFLOW: u8 = 7;
const DESCRIBES_HASH: u8 = 8;
const HASH: u8 = 13;

/// Forms of items.
const IN_PAGE: u8 = 1;
const OFF_PAGE: u8 = 3;
/// Bytes of the item that says where a value off the page is.
const OFF_PAGE_ITEM: usize = 12;

/// An open `Packages` and the place of each header in it.
#[derive(Debug)]
pub(crate) struct BdbFile {
    file: RawFile,
    order: ByteOrder,
    page_size: usize,
    last_page: u32,
    records: Vec<Record>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    package: u32,
    /// The page that holds it, or the first of its chain.
    page: u32,
    /// Where it begins in that page; none for a chain.
    start: Option<usize>,
    length: u32,
}

#[derive(Clone, Copy, Debug)]
enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// The number at `at`; zero past the end, which no caller asks for.
    fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let found = bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
        found.map_or(0, |b| match self {
            Self::Little => u32::from_le_bytes(b),
            Self::Big => u32::from_be_bytes(b),
        })
    }

    /// As [`Self::u32`], of two bytes.
    fn u16(self, bytes: &[u8], at: usize) -> usize {
        let found = bytes.get(at..at + 2).and_then(|b| b.try_into().ok());
        found.map_or(0, |b| {
            usize::from(match self {
                Self::Little => u16::from_le_bytes(b),
                Self::Big => u16::from_be_bytes(b),
            })
        })
    }
}

impl BdbFile {
    pub(crate) fn open(path: &Path) -> Result<Self, DbError> {
        let file = RawFile::open(path, Backend::Bdb)?;
        let mut head = [0; DESCRIPTION];
        file.read(&mut head, 0)?;
        let order = byte_order(&file, &head)?;
        let page_size = order.u32(&head, 20);
        if !PAGE_SIZES.contains(&page_size) || !page_size.is_power_of_two() {
            return Err(file.damaged("impossible size of pages"));
        }
        refuse_unknown(&file, order, &head)?;
        let last_page = order.u32(&head, 32);
        if (u64::from(last_page) + 1) * u64::from(page_size) > file.len()? {
            return Err(file.damaged("the file is cut short"));
        }
        let mut this = Self {
            file,
            order,
            page_size: page_size as usize,
            last_page,
            records: Vec::new(),
        };
        this.read_records()?;
        Ok(this)
    }

    /// Looks at all pages rather than along the chains of buckets: no chain can lead astray, and a page that is free
    /// says so.
    fn read_records(&mut self) -> Result<(), DbError> {
        let mut page = vec![0; self.page_size];
        for number in 1..=self.last_page {
            let mut head = [0; HEAD];
            self.file.read(&mut head, self.offset(number))?;
            match kind(&head) {
                FREE | OVERFLOW => {}
                HASH | HASH_UNSORTED => {
                    self.file.read(&mut page, self.offset(number))?;
                    self.add_page(number, &page)?;
                }
                _ => {
                    return Err(self
                        .file
                        .damaged("a page of a kind that does not belong here"));
                }
            }
            if self.records.len() > MAX_RECORDS {
                return Err(self.file.damaged("more records than any system has"));
            }
        }
        self.records.sort_by_key(|record| record.package);
        let mut pairs = self.records.windows(2);
        if pairs.any(|pair| matches!(pair, [a, b] if a.package == b.package)) {
            return Err(self.file.damaged("two headers with one number"));
        }
        // Chains share no page, so together they are no longer than the file.
        let chains = self.records.iter().filter(|record| record.start.is_none());
        let bytes: u64 = chains.map(|record| u64::from(record.length)).sum();
        if bytes > self.file.len()? {
            return Err(self.file.damaged("headers larger than the file"));
        }
        Ok(())
    }

    /// Adds the records of a page with items.
    fn add_page(&mut self, number: u32, page: &[u8]) -> Result<(), DbError> {
        if self.order.u32(page, 8) != number {
            return Err(self.file.damaged("a page with the number of another"));
        }
        let count = self.order.u16(page, 20);
        let places_end = HEAD + 2 * count;
        if !count.is_multiple_of(2) || places_end > page.len() {
            return Err(self.file.damaged("impossible number of items in a page"));
        }
        let mut end = page.len();
        let mut package = None;
        for index in 0..count {
            let start = self.order.u16(page, HEAD + 2 * index);
            let item = page.get(start..end).filter(|item| !item.is_empty());
            let Some(item) = item.filter(|_| start >= places_end) else {
                return Err(self.file.damaged("items of a page that overlap"));
            };
            match package.take() {
                None => package = Some(self.key(item)?),
                Some(0) => {}
                Some(package) => {
                    let record = self.value(package, number, start, item)?;
                    self.records.push(record);
                }
            }
            end = start;
        }
        Ok(())
    }

    /// The package number that an item holds as key.
    fn key(&self, item: &[u8]) -> Result<u32, DbError> {
        match item {
            [IN_PAGE, number @ ..] if number.len() == 4 => Ok(self.order.u32(number, 0)),
            _ => Err(self.file.damaged("a key that is no package number")),
        }
    }

    fn value(&self, package: u32, page: u32, start: usize, item: &[u8]) -> Result<Record, DbError> {
        let record = match item {
            [IN_PAGE, header @ ..] => Record {
                package,
                page,
                start: Some(start + 1),
                length: u32::try_from(header.len()).unwrap_or(u32::MAX),
            },
            [OFF_PAGE, ..] if item.len() == OFF_PAGE_ITEM => Record {
                package,
                page: self.order.u32(item, 4),
                start: None,
                length: self.order.u32(item, 8),
            },
            // Duplicates, in the page or off it, and values in files of their own.
            _ => {
                return Err(self
                    .file
                    .damaged("a value of a form that rpm does not write"));
            }
        };
        match record.length > MAX_HEADER {
            true => Err(self.file.damaged("a header larger than any")),
            false => Ok(record),
        }
    }

    /// The value in the chain of overflow pages that begins at `first`.
    fn chained(&self, first: u32, length: u32) -> Result<Vec<u8>, DbError> {
        let mut blob = Vec::new();
        let mut page = vec![0; self.page_size];
        let mut number = first;
        let mut left = length as usize;
        let mut pages = 0;
        while left > 0 {
            pages += 1;
            if number == 0 || number > self.last_page || pages > self.last_page {
                return Err(self.file.damaged("a chain of pages that leads nowhere"));
            }
            self.file.read(&mut page, self.offset(number))?;
            if kind(&page) != OVERFLOW || self.order.u32(&page, 8) != number {
                return Err(self.file.damaged("a chain with a page that is not its own"));
            }
            let size = self.order.u16(&page, 22);
            let data = page.get(HEAD..HEAD + size);
            let Some(data) = data.filter(|data| !data.is_empty() && data.len() <= left) else {
                return Err(self
                    .file
                    .damaged("a page of a chain with impossible length"));
            };
            blob.extend_from_slice(data);
            left -= data.len();
            number = self.order.u32(&page, 16);
        }
        match number {
            0 => Ok(blob),
            _ => Err(self.file.damaged("a chain longer than its header")),
        }
    }

    fn offset(&self, page: u32) -> u64 {
        u64::from(page) * self.page_size as u64
    }
}

impl RecordFile for BdbFile {
    fn numbers(&self) -> Vec<u32> {
        self.records.iter().map(|record| record.package).collect()
    }

    fn blob(&self, package: u32) -> Result<Option<Vec<u8>>, DbError> {
        let found = self.records.binary_search_by_key(&package, |r| r.package);
        let Some(record) = found.ok().and_then(|at| self.records.get(at)) else {
            return Ok(None);
        };
        let Some(start) = record.start else {
            return self.chained(record.page, record.length).map(Some);
        };
        let mut blob = vec![0; record.length as usize];
        let offset = self.offset(record.page) + start as u64;
        self.file.read(&mut blob, offset)?;
        Ok(Some(blob))
    }
}

fn kind(page: &[u8]) -> u8 {
    page.get(25).copied().unwrap_or(FREE)
}

fn byte_order(file: &RawFile, head: &[u8]) -> Result<ByteOrder, DbError> {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        match order.u32(head, 12) {
            HASH_MAGIC => return Ok(order),
            BTREE_MAGIC => return Err(file.damaged("a B-tree, where rpm writes a hash")),
            _ => {}
        }
    }
    Err(file.damaged("not a Berkeley DB file"))
}

/// Refuses what rpm never asks Berkeley DB for: other pages than those known here would follow.
fn refuse_unknown(file: &RawFile, order: ByteOrder, head: &[u8]) -> Result<(), DbError> {
    let [encryption, checksums_or_parts] = [24, 26].map(|at| head.get(at).copied());
    if !VERSIONS.contains(&order.u32(head, 16)) {
        return Err(file.damaged("a version of the hash form that is not known"));
    }
    if kind(head) != DESCRIBES_HASH {
        return Err(file.damaged("its first page does not describe a hash"));
    }
    if encryption != Some(0) {
        return Err(file.damaged("it is encrypted"));
    }
    if checksums_or_parts != Some(0) {
        return Err(file.damaged("it has checksums or parts, which rpm never asks for"));
    }
    match order.u32(head, 48) {
        0 => Ok(()),
        _ => Err(file.damaged("it has duplicates or sub-databases, which rpm never asks for")),
    }
}
