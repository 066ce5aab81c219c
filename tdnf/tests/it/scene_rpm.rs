//! Package files taken apart and put together again, right or wrong.

use std::fs;
use std::path::Path;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_trust::sign::{SignatureHash, SigningKey};

/// What stands before every header.
const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
const LEAD: usize = 96;

/// Tags used by tests (lib/rpmtag.h).
pub(crate) mod tag {
    pub(crate) const REGION_SIGNATURE: u32 = 62;
    pub(crate) const REGION_MAIN: u32 = 63;
    pub(crate) const DSA_HEADER: u32 = 267;
    pub(crate) const RSA_HEADER: u32 = 268;
    pub(crate) const SHA1_HEADER: u32 = 269;
    pub(crate) const SHA256_HEADER: u32 = 273;
    pub(crate) const SIG_SIZE: u32 = 1000;
    pub(crate) const SIG_PGP: u32 = 1002;
    pub(crate) const SIG_MD5: u32 = 1004;
    pub(crate) const SIG_GPG: u32 = 1005;
    pub(crate) const RESERVED_SPACE: u32 = 1008;
    pub(crate) const NAME: u32 = 1000;
    pub(crate) const VERSION: u32 = 1001;
    pub(crate) const FILE_DIGESTS: u32 = 1035;
    pub(crate) const FILE_DIGEST_ALGO: u32 = 5011;
    pub(crate) const PAYLOAD_DIGEST: u32 = 5092;
    pub(crate) const PAYLOAD_DIGEST_ALGO: u32 = 5093;
    pub(crate) const PAYLOAD_DIGEST_ALT: u32 = 5097;
}

/// Types of header entries.
pub(crate) mod kind {
    pub(crate) const INT32: u32 = 4;
    pub(crate) const STRING: u32 = 6;
    pub(crate) const BIN: u32 = 7;
    pub(crate) const STRINGS: u32 = 8;
}

/// One entry of a header, its data as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) tag: u32,
    pub(crate) kind: u32,
    pub(crate) count: u32,
    pub(crate) data: Vec<u8>,
}

impl Item {
    pub(crate) fn text(tag: u32, text: &str) -> Self {
        let data = [text.as_bytes(), b"\0"].concat();
        Self {
            tag,
            kind: kind::STRING,
            count: 1,
            data,
        }
    }

    pub(crate) fn texts(tag: u32, texts: &[&str]) -> Self {
        let data = texts
            .iter()
            .flat_map(|t| [t.as_bytes(), b"\0"].concat())
            .collect();
        Self {
            tag,
            kind: kind::STRINGS,
            count: texts.len() as u32,
            data,
        }
    }

    pub(crate) fn bytes(tag: u32, data: &[u8]) -> Self {
        Self {
            tag,
            kind: kind::BIN,
            count: data.len() as u32,
            data: data.to_vec(),
        }
    }

    pub(crate) fn number(tag: u32, number: u32) -> Self {
        Self {
            tag,
            kind: kind::INT32,
            count: 1,
            data: number.to_be_bytes().to_vec(),
        }
    }
}

/// A package file in its four parts.
#[derive(Debug, Clone)]
pub(crate) struct RpmFile {
    pub(crate) lead: Vec<u8>,
    /// Entries of the signature header, without its region.
    pub(crate) signature: Vec<Item>,
    /// The main header with its magic.
    pub(crate) header: Vec<u8>,
    /// The payload, compressed.
    pub(crate) payload: Vec<u8>,
}

impl RpmFile {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self::of(&bytes)
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let signature_end = LEAD + header_size(&bytes[LEAD..]);
        let header_start = signature_end.next_multiple_of(8);
        let header_end = header_start + header_size(&bytes[header_start..]);
        let mut signature = items(&bytes[LEAD..signature_end]);
        signature.retain(|item| item.tag != tag::RESERVED_SPACE);
        Self {
            lead: bytes[..LEAD].to_vec(),
            signature,
            header: bytes[header_start..header_end].to_vec(),
            payload: bytes[header_end..].to_vec(),
        }
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.lead.clone();
        bytes.extend(write(tag::REGION_SIGNATURE, &self.signature));
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend(&self.header);
        bytes.extend(&self.payload);
        bytes
    }

    /// Where the main header begins, and where the payload.
    pub(crate) fn offsets(&self) -> (usize, usize) {
        let all = self.bytes().len();
        let payload = all - self.payload.len();
        (payload - self.header.len(), payload)
    }

    /// `NAME-VERSION.rpm`.
    pub(crate) fn file_name(&self) -> String {
        format!(
            "{}-{}.rpm",
            self.string(tag::NAME),
            self.string(tag::VERSION)
        )
    }

    /// The first string of a tag of the main header.
    pub(crate) fn string(&self, tag: u32) -> String {
        let items = items(&self.header);
        let item = items
            .iter()
            .find(|item| item.tag == tag)
            .expect("the tag is there");
        let end = item
            .data
            .iter()
            .position(|b| *b == 0)
            .expect("a string ends");
        String::from_utf8_lossy(&item.data[..end]).into_owned()
    }

    /// Changes the main header's entries; signatures over it are void then, digests are renewed.
    pub(crate) fn edit(mut self, change: impl FnOnce(&mut Vec<Item>)) -> Self {
        let mut list = items(&self.header);
        change(&mut list);
        self.header = write(tag::REGION_MAIN, &list);
        self.unsigned().sealed()
    }

    /// Renews size and digests in the signature header; nothing else of it changes.
    pub(crate) fn sealed(mut self) -> Self {
        let whole = [self.header.as_slice(), &self.payload].concat();
        let md5 = Hasher::digest(DigestAlgo::Md5, &whole);
        let sha1 = Hasher::digest(DigestAlgo::Sha1, &self.header).hex();
        replace(
            &mut self.signature,
            Item::number(tag::SIG_SIZE, whole.len() as u32),
        );
        replace(
            &mut self.signature,
            Item::bytes(tag::SIG_MD5, &unhex(&md5.hex())),
        );
        replace(&mut self.signature, Item::text(tag::SHA1_HEADER, &sha1));
        let sha256 = sha256(&self.header);
        replace(&mut self.signature, Item::text(tag::SHA256_HEADER, &sha256));
        self
    }

    pub(crate) fn unsigned(mut self) -> Self {
        let all = [tag::DSA_HEADER, tag::RSA_HEADER, tag::SIG_PGP, tag::SIG_GPG];
        self.signature.retain(|item| !all.contains(&item.tag));
        self
    }

    pub(crate) fn is_signed(&self) -> bool {
        let all = [tag::DSA_HEADER, tag::RSA_HEADER, tag::SIG_PGP, tag::SIG_GPG];
        self.signature.iter().any(|item| all.contains(&item.tag))
    }

    /// Signed over the header, as rpmsign does, now.
    pub(crate) fn signed(self, key: &SigningKey) -> Self {
        self.signed_at(key, testkit::now() - 60, SignatureHash::Sha256)
    }

    /// The same with a time and a hash.
    pub(crate) fn signed_at(self, key: &SigningKey, made: u64, hash: SignatureHash) -> Self {
        let mut file = self.unsigned();
        let packet = key
            .sign_packet(file.header.as_slice(), made, hash)
            .expect("the key can sign");
        let place = if key.is_rsa() {
            tag::RSA_HEADER
        } else {
            tag::DSA_HEADER
        };
        replace(&mut file.signature, Item::bytes(place, &packet));
        file
    }
}

/// Puts an entry in the place of the one with its tag, or adds it.
pub(crate) fn replace(items: &mut Vec<Item>, item: Item) {
    items.retain(|other| other.tag != item.tag);
    items.push(item);
    items.sort_by_key(|item| item.tag);
}

/// SHA-256 in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Hasher::digest(DigestAlgo::Sha256, bytes).hex()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks_exact(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}

/// The big-endian number at a place.
pub(crate) fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
}

fn header_size(bytes: &[u8]) -> usize {
    assert_eq!(bytes[..4], MAGIC[..4], "a header begins here");
    16 + 16 * word(bytes, 8) + word(bytes, 12)
}

/// Entries of a good header with its magic, the region left out.
pub(crate) fn items(header: &[u8]) -> Vec<Item> {
    let count = word(header, 8);
    let data = &header[16 + 16 * count..];
    let entry = |index: usize| {
        let at = 16 + 16 * index;
        let [tag, kind, offset, count] = [0, 4, 8, 12].map(|field| word(header, at + field));
        let rest = &data[offset..];
        let length = match kind {
            3 => 2 * count,
            4 => 4 * count,
            5 => 8 * count,
            6 | 8 | 9 => {
                let ends = rest.iter().enumerate().filter(|(_, b)| **b == 0);
                ends.map(|(at, _)| at + 1)
                    .nth(count - 1)
                    .expect("strings end")
            }
            _ => count,
        };
        Item {
            tag: tag as u32,
            kind: kind as u32,
            count: count as u32,
            data: rest[..length].to_vec(),
        }
    };
    let all = (0..count).map(entry);
    all.filter(|item| item.tag != tag::REGION_SIGNATURE && item.tag != tag::REGION_MAIN)
        .collect()
}

/// A header with its magic and an immutable region over all entries.
pub(crate) fn write(region: u32, items: &[Item]) -> Vec<u8> {
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for item in items {
        let align = match item.kind {
            3 => 2,
            4 => 4,
            5 => 8,
            _ => 1,
        };
        data.resize(usize::next_multiple_of(data.len(), align), 0);
        for field in [item.tag, item.kind, data.len() as u32, item.count] {
            index.extend(field.to_be_bytes());
        }
        data.extend(&item.data);
    }
    let entries = items.len() as u32 + 1;
    let trailer = data.len() as u32;
    for field in [region, kind::BIN, (entries * 16).wrapping_neg(), 16] {
        data.extend(field.to_be_bytes());
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend(entries.to_be_bytes());
    bytes.extend((data.len() as u32).to_be_bytes());
    for field in [region, kind::BIN, trailer, 16] {
        bytes.extend(field.to_be_bytes());
    }
    bytes.extend(index);
    bytes.extend(data);
    bytes
}
