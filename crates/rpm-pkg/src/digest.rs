//! Digests: which ones exist, their text form, and hashing while data streams by.

use sha2::Digest as _;
use std::fmt;
use std::io::{self, Read, Write};
use thiserror::Error;

#[cfg(test)]
mod tests;

/// A digest algorithm that rpm or repository metadata uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DigestAlgo {
    /// MD5, 16 bytes. Detects accidents only.
    Md5,
    /// SHA-1, 20 bytes. Detects accidents only.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA3-256.
    Sha3_256,
    /// SHA3-512.
    Sha3_512,
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
    /// All algorithms, weakest first.
    pub const ALL: [DigestAlgo; 8] = [
        DigestAlgo::Md5,
        DigestAlgo::Sha1,
        DigestAlgo::Sha224,
        DigestAlgo::Sha256,
        DigestAlgo::Sha384,
        DigestAlgo::Sha512,
        DigestAlgo::Sha3_256,
        DigestAlgo::Sha3_512,
    ];

    /// The algorithm with rpm's (OpenPGP's) number, as in FILEDIGESTALGO 5011; 0 is MD5 there.
    pub fn from_rpm_id(id: u32) -> Option<Self> {
        Some(match id {
            0 | 1 => DigestAlgo::Md5,
            2 => DigestAlgo::Sha1,
            8 => DigestAlgo::Sha256,
            9 => DigestAlgo::Sha384,
            10 => DigestAlgo::Sha512,
            11 => DigestAlgo::Sha224,
            12 => DigestAlgo::Sha3_256,
            14 => DigestAlgo::Sha3_512,
            _ => return None,
        })
    }

    /// rpm's (OpenPGP's) number.
    pub fn rpm_id(self) -> u32 {
        match self {
            DigestAlgo::Md5 => 1,
            DigestAlgo::Sha1 => 2,
            DigestAlgo::Sha256 => 8,
            DigestAlgo::Sha384 => 9,
            DigestAlgo::Sha512 => 10,
            DigestAlgo::Sha224 => 11,
            DigestAlgo::Sha3_256 => 12,
            DigestAlgo::Sha3_512 => 14,
        }
    }

    /// The algorithm that metadata calls `name`; `sha` is SHA-1, case does not matter.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "md5" => DigestAlgo::Md5,
            "sha" | "sha1" | "sha-1" => DigestAlgo::Sha1,
            "sha224" | "sha-224" => DigestAlgo::Sha224,
            "sha256" | "sha-256" => DigestAlgo::Sha256,
            "sha384" | "sha-384" => DigestAlgo::Sha384,
            "sha512" | "sha-512" => DigestAlgo::Sha512,
            "sha3-256" | "sha3_256" => DigestAlgo::Sha3_256,
            "sha3-512" | "sha3_512" => DigestAlgo::Sha3_512,
            _ => return None,
        })
    }

    /// The name as metadata writes it.
    pub fn name(self) -> &'static str {
        match self {
            DigestAlgo::Md5 => "md5",
            DigestAlgo::Sha1 => "sha1",
            DigestAlgo::Sha224 => "sha224",
            DigestAlgo::Sha256 => "sha256",
            DigestAlgo::Sha384 => "sha384",
            DigestAlgo::Sha512 => "sha512",
            DigestAlgo::Sha3_256 => "sha3-256",
            DigestAlgo::Sha3_512 => "sha3-512",
        }
    }

    /// Length of a digest in bytes.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> usize {
        match self {
            DigestAlgo::Md5 => 16,
            DigestAlgo::Sha1 => 20,
            DigestAlgo::Sha224 => 28,
            DigestAlgo::Sha256 | DigestAlgo::Sha3_256 => 32,
            DigestAlgo::Sha384 => 48,
            DigestAlgo::Sha512 | DigestAlgo::Sha3_512 => 64,
        }
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
        for (to, from) in own.iter_mut().zip(bytes) {
            *to = *from;
        }
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
        let nibble = |c: u8| {
            (c as char)
                .to_digit(16)
                .map(|v| v as u8)
                .ok_or(DigestError::NotHex)
        };
        let mut bytes = [0; MAX_LEN];
        for (to, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            if let [high, low] = pair {
                *to = nibble(*high)? << 4 | nibble(*low)?;
            }
        }
        Ok(Digest { algo, bytes })
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

/// The running state of one algorithm.
#[derive(Clone)]
enum HashState {
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha224(sha2::Sha224),
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
    Sha3_256(sha3::Sha3_256),
    Sha3_512(sha3::Sha3_512),
}

/// Runs one expression on whatever algorithm the state holds.
macro_rules! with_state {
    ($state:expr, $inner:ident => $run:expr) => {
        match $state {
            HashState::Md5($inner) => $run,
            HashState::Sha1($inner) => $run,
            HashState::Sha224($inner) => $run,
            HashState::Sha256($inner) => $run,
            HashState::Sha384($inner) => $run,
            HashState::Sha512($inner) => $run,
            HashState::Sha3_256($inner) => $run,
            HashState::Sha3_512($inner) => $run,
        }
    };
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
        let state = match algo {
            DigestAlgo::Md5 => HashState::Md5(Default::default()),
            DigestAlgo::Sha1 => HashState::Sha1(Default::default()),
            DigestAlgo::Sha224 => HashState::Sha224(Default::default()),
            DigestAlgo::Sha256 => HashState::Sha256(Default::default()),
            DigestAlgo::Sha384 => HashState::Sha384(Default::default()),
            DigestAlgo::Sha512 => HashState::Sha512(Default::default()),
            DigestAlgo::Sha3_256 => HashState::Sha3_256(Default::default()),
            DigestAlgo::Sha3_512 => HashState::Sha3_512(Default::default()),
        };
        Hasher {
            algo,
            state: Box::new(state),
        }
    }

    /// The algorithm.
    pub fn algo(&self) -> DigestAlgo {
        self.algo
    }

    /// Adds data.
    pub fn update(&mut self, data: &[u8]) {
        with_state!(self.state.as_mut(), inner => inner.update(data));
    }

    /// Ends the digest.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; MAX_LEN];
        with_state!(*self.state, inner => {
            for (to, from) in bytes.iter_mut().zip(inner.finalize()) {
                *to = from;
            }
        });
        Digest {
            algo: self.algo,
            bytes,
        }
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
