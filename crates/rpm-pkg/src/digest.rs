//! Digests: which ones exist, their text form, and hashing while data streams by.

use sha2::Digest as _;
use std::fmt;
use std::io::{self, Read, Write};
use thiserror::Error;

#[cfg(test)]
mod tests;

crate::table! {
    /// A digest algorithm that rpm or repository metadata uses, the weakest first. Beside each: rpm's (OpenPGP's)
    /// number, bytes of a digest, name in metadata.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum DigestAlgo: (u32, usize, &'static str) {
        /// MD5, 16 bytes. Detects accidents only.
        Md5 => (1, 16, "md5"),
        /// SHA-1, 20 bytes. Detects accidents only.
        Sha1 => (2, 20, "sha1"),
        /// SHA-224.
        Sha224 => (11, 28, "sha224"),
        /// SHA-256.
        Sha256 => (8, 32, "sha256"),
        /// SHA-384.
        Sha384 => (9, 48, "sha384"),
        /// SHA-512.
        Sha512 => (10, 64, "sha512"),
        /// SHA3-256.
        Sha3_256 => (12, 32, "sha3-256"),
        /// SHA3-512.
        Sha3_512 => (14, 64, "sha3-512"),
    }
}

/// Why a text or a byte string is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DigestError {
    /// The text is not hexadecimal.
    #[error("digest is not hexadecimal")]
    NotHex,
    /// The value has the wrong number of bytes for its algorithm.
    #[error("{algo} digest of {actual} bytes")]
    Length {
        /// The algorithm it should belong to.
        algo: DigestAlgo,
        /// Bytes found.
        actual: usize,
    },
}

impl DigestAlgo {
    /// The algorithm with rpm's (OpenPGP's) number, as in FILEDIGESTALGO 5011; 0 is MD5 there.
    pub fn from_rpm_id(id: u32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algo| algo.rpm_id() == id.max(1))
    }

    /// rpm's (OpenPGP's) number.
    pub fn rpm_id(self) -> u32 {
        self.row().0
    }

    /// The algorithm that metadata calls `name`; `sha` is SHA-1, case does not matter, and `sha-256` and `sha3_256`
    /// are read too.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let known = |name: &str| Self::ALL.into_iter().find(|algo| algo.name() == name);
        match name.strip_prefix("sha-") {
            Some(bits) if !bits.contains('-') => known(&format!("sha{bits}")),
            _ if name == "sha" => Some(DigestAlgo::Sha1),
            _ => known(&name.replace("sha3_", "sha3-")),
        }
    }

    /// The name as metadata writes it.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Length of a digest in bytes.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> usize {
        self.row().1
    }

    /// Whether the algorithm still withstands an attacker (SHA-224 and up).
    pub fn is_strong(self) -> bool {
        !matches!(self, DigestAlgo::Md5 | DigestAlgo::Sha1)
    }
}

impl fmt::Display for DigestAlgo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The value of each byte as a hexadecimal digit; 255 for other bytes. File lists and metadata have a digest per file or
/// package.
const NIBBLES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        let digit = b"0123456789abcdef"[value];
        values[digit as usize] = value as u8;
        values[digit.to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    values
};

/// Most bytes that a digest can have.
const MAX_LEN: usize = 64;

/// A digest value. Holds its bytes inline: file lists have one per file.
#[derive(Clone, Copy)]
pub struct Digest {
    algo: DigestAlgo,
    bytes: [u8; MAX_LEN],
}

impl Digest {
    /// Takes raw bytes; their number must fit the algorithm.
    pub fn from_bytes(algo: DigestAlgo, bytes: &[u8]) -> Result<Self, DigestError> {
        if bytes.len() != algo.len() {
            return Err(DigestError::Length {
                algo,
                actual: bytes.len(),
            });
        }
        let mut own = [0; MAX_LEN];
        fill(&mut own, bytes);
        Ok(Digest { algo, bytes: own })
    }

    /// Reads hexadecimal text of either case.
    pub fn from_hex(algo: DigestAlgo, text: impl AsRef<[u8]>) -> Result<Self, DigestError> {
        let text = text.as_ref();
        if text.len() != algo.len() * 2 {
            return Err(DigestError::Length {
                algo,
                actual: text.len() / 2,
            });
        }
        let nibble = |c: u8| NIBBLES[usize::from(c)];
        let mut bytes = [0; MAX_LEN];
        let mut seen = 0;
        for (to, [high, low]) in bytes.iter_mut().zip(text.as_chunks().0) {
            let (high, low) = (nibble(*high), nibble(*low));
            seen |= high | low;
            *to = high << 4 | low;
        }
        match seen {
            0..=15 => Ok(Digest { algo, bytes }),
            _ => Err(DigestError::NotHex),
        }
    }

    /// The algorithm.
    pub fn algo(&self) -> DigestAlgo {
        self.algo
    }

    /// The raw bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.algo.len()).unwrap_or_default()
    }

    /// Lower case hexadecimal text.
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |v: u8| DIGITS.get(usize::from(v)).map_or('0', |c| char::from(*c));
        self.bytes()
            .iter()
            .flat_map(|b| [digit(b >> 4), digit(b & 15)])
            .collect()
    }
}

impl PartialEq for Digest {
    /// Looks at every byte, whatever the result.
    fn eq(&self, other: &Self) -> bool {
        let differ = self
            .bytes
            .iter()
            .zip(&other.bytes)
            .fold(0, |acc, (a, b)| acc | (a ^ b));
        self.algo == other.algo && differ == 0
    }
}

impl Eq for Digest {}

impl std::hash::Hash for Digest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

impl fmt::Display for Digest {
    /// `algorithm:hex`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algo, self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The running state of each algorithm, and how it begins, goes on and ends.
macro_rules! states {
    ($($algo:ident($state:ty)),+) => {
        #[derive(Clone)]
        enum HashState { $($algo($state)),+ }

        impl HashState {
            fn new(algo: DigestAlgo) -> Self {
                match algo { $(DigestAlgo::$algo => Self::$algo(Default::default())),+ }
            }

            fn update(&mut self, data: &[u8]) {
                match self { $(Self::$algo(state) => state.update(data)),+ }
            }

            fn finish(self, digest: &mut [u8]) {
                match self { $(Self::$algo(state) => fill(digest, &state.finalize())),+ }
            }
        }
    };
}

states! {
    Md5(md5::Md5), Sha1(sha1::Sha1), Sha224(sha2::Sha224), Sha256(sha2::Sha256), Sha384(sha2::Sha384),
    Sha512(sha2::Sha512), Sha3_256(sha3::Sha3_256), Sha3_512(sha3::Sha3_512)
}

/// Copies as many bytes as both have.
fn fill(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

/// Hashes data as it comes.
#[derive(Clone)]
pub struct Hasher {
    algo: DigestAlgo,
    state: Box<HashState>,
}

impl Hasher {
    /// Starts an empty digest.
    pub fn new(algo: DigestAlgo) -> Self {
        let state = Box::new(HashState::new(algo));
        Hasher { algo, state }
    }

    /// The algorithm.
    pub fn algo(&self) -> DigestAlgo {
        self.algo
    }

    /// Adds data.
    pub fn update(&mut self, data: &[u8]) {
        self.state.update(data);
    }

    /// Ends the digest.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; MAX_LEN];
        self.state.finish(&mut bytes);
        let algo = self.algo;
        Digest { algo, bytes }
    }

    /// Hashes one piece of data.
    pub fn digest(algo: DigestAlgo, data: &[u8]) -> Digest {
        let mut hasher = Hasher::new(algo);
        hasher.update(data);
        hasher.finish()
    }

    /// Hashes everything that `reader` gives.
    pub fn digest_reader(algo: DigestAlgo, mut reader: impl Read) -> io::Result<Digest> {
        let mut hasher = Hasher::new(algo);
        io::copy(&mut reader, &mut hasher)?;
        Ok(hasher.finish())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({})", self.algo)
    }
}

impl Write for Hasher {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.update(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
