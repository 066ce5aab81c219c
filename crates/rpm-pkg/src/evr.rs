//! Epoch, version, release, and rpm's way of comparing them.
//!
//! Rules: rpm 4.18 and 6.1 agree (`rpmvercmp`, `rpmVersionCompare`).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

#[cfg(test)]
mod tests;

/// One piece of a version string; everything else in it only separates pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Segment<'a> {
    /// `~`: sorts before the end of the string.
    Tilde,
    /// `^`: sorts after the end of the string, before any other piece.
    Caret,
    /// A run of digits without its leading zeros.
    Digits(&'a [u8]),
    /// A run of ASCII letters.
    Letters(&'a [u8]),
    /// The end of the string.
    End,
}

/// Takes the next piece off the front of `text`.
fn next_segment<'a>(text: &mut &'a [u8]) -> Segment<'a> {
    let is_piece = |c: &u8| c.is_ascii_alphanumeric() || *c == b'~' || *c == b'^';
    let Some(start) = text.iter().position(is_piece) else {
        *text = &[];
        return Segment::End;
    };
    let rest = text.get(start..).unwrap_or_default();
    let run = |class: fn(&u8) -> bool| {
        let end = rest.iter().position(|c| !class(c)).unwrap_or(rest.len());
        rest.split_at(end)
    };
    match rest.first() {
        Some(b'~') => {
            *text = rest.get(1..).unwrap_or_default();
            Segment::Tilde
        }
        Some(b'^') => {
            *text = rest.get(1..).unwrap_or_default();
            Segment::Caret
        }
        Some(c) if c.is_ascii_digit() => {
            let (digits, after) = run(u8::is_ascii_digit);
            *text = after;
            let zeros = digits.iter().take_while(|c| **c == b'0').count();
            Segment::Digits(digits.get(zeros..).unwrap_or_default())
        }
        _ => {
            let (letters, after) = run(u8::is_ascii_alphabetic);
            *text = after;
            Segment::Letters(letters)
        }
    }
}

/// Compares two version (or release, or epoch) strings as rpm does.
///
/// Non-ASCII bytes and punctuation only separate. Source: `rpmvercmp` of rpm 4.18 and 6.1.
pub fn vercmp(a: &[u8], b: &[u8]) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (mut rest_a, mut rest_b) = (a, b);
    loop {
        let pair = (next_segment(&mut rest_a), next_segment(&mut rest_b));
        let order = match pair {
            (Segment::Tilde, Segment::Tilde) | (Segment::Caret, Segment::Caret) => continue,
            (Segment::Tilde, _) => Ordering::Less,
            (_, Segment::Tilde) => Ordering::Greater,
            (Segment::End, Segment::End) => return Ordering::Equal,
            (Segment::Caret, Segment::End) => Ordering::Greater,
            (Segment::End, Segment::Caret) => Ordering::Less,
            (Segment::Caret, _) => Ordering::Less,
            (_, Segment::Caret) => Ordering::Greater,
            (_, Segment::End) => Ordering::Greater,
            (Segment::End, _) => Ordering::Less,
            (Segment::Digits(x), Segment::Digits(y)) => x.len().cmp(&y.len()).then(x.cmp(y)),
            (Segment::Letters(x), Segment::Letters(y)) => x.cmp(y),
            (Segment::Digits(_), Segment::Letters(_)) => Ordering::Greater,
            (Segment::Letters(_), Segment::Digits(_)) => Ordering::Less,
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// A borrowed EVR: nothing is copied and nothing is checked.
#[derive(Debug, Clone, Copy)]
pub struct EvrRef<'a> {
    /// The digits before the first `:`; `None` when there is no colon.
    pub epoch: Option<&'a [u8]>,
    /// The version; may be empty in hostile input.
    pub version: &'a [u8],
    /// What follows the last `-`; `None` without one.
    pub release: Option<&'a [u8]>,
}

impl<'a> EvrRef<'a> {
    /// Splits `[epoch:]version[-release]`. Every string has a reading: an epoch that is not all
    /// digits belongs to the version, an empty one counts as 0 (rpm's `parseEVR`).
    pub fn parse(text: &'a [u8]) -> Self {
        let digits = text.iter().take_while(|c| c.is_ascii_digit()).count();
        let (epoch, rest) = match (text.get(..digits), text.get(digits..)) {
            (Some(epoch), Some([b':', rest @ ..])) => (Some(epoch), rest),
            _ => (None, text),
        };
        match rest.iter().rposition(|c| *c == b'-') {
            Some(dash) => EvrRef {
                epoch,
                version: rest.get(..dash).unwrap_or_default(),
                release: Some(rest.get(dash + 1..).unwrap_or_default()),
            },
            None => EvrRef {
                epoch,
                version: rest,
                release: None,
            },
        }
    }

    /// The epoch's digits, `0` when it is missing or empty.
    pub fn epoch_digits(&self) -> &'a [u8] {
        match self.epoch {
            Some(digits) if !digits.is_empty() => digits,
            _ => b"0",
        }
    }

    /// Compares epochs (missing is 0), then versions, then releases (missing sorts first).
    pub fn compare(&self, other: &EvrRef<'_>) -> Ordering {
        self.compare_version(other)
            .then_with(|| match (self.release, other.release) {
                (Some(a), Some(b)) => vercmp(a, b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            })
    }

    /// Compares epochs and versions only.
    pub fn compare_version(&self, other: &EvrRef<'_>) -> Ordering {
        vercmp(self.epoch_digits(), other.epoch_digits())
            .then_with(|| vercmp(self.version, other.version))
    }
}

/// Epoch, version and release.
///
/// Equality, order and hash follow rpm's comparison: a missing epoch is 0, `1.0` equals `1..0`.
/// Compare the fields where the exact spelling matters.
#[derive(Debug, Clone, Default)]
pub struct Evr {
    /// The epoch; `None` is treated as 0 everywhere.
    pub epoch: Option<u32>,
    /// The version.
    pub version: String,
    /// The release; empty when the text had none.
    pub release: String,
}

impl Evr {
    /// Makes an EVR of its parts.
    pub fn new(epoch: Option<u32>, version: impl Into<String>, release: impl Into<String>) -> Self {
        Evr {
            epoch,
            version: version.into(),
            release: release.into(),
        }
    }

    /// Reads `[epoch:]version[-release]`; see [`EvrRef::parse`]. An epoch above `u32::MAX` (no
    /// package can carry one) is taken as `u32::MAX`.
    pub fn parse(text: &str) -> Self {
        let parts = EvrRef::parse(text.as_bytes());
        let own = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Evr {
            epoch: parts.epoch.map(|_| {
                let digits = own(parts.epoch_digits());
                digits.parse().unwrap_or(u32::MAX)
            }),
            version: own(parts.version),
            release: own(parts.release.unwrap_or_default()),
        }
    }

    /// The epoch, 0 when missing.
    pub fn epoch_or_zero(&self) -> u32 {
        self.epoch.unwrap_or(0)
    }
}

impl Ord for Evr {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch_or_zero()
            .cmp(&other.epoch_or_zero())
            .then_with(|| vercmp(self.version.as_bytes(), other.version.as_bytes()))
            .then_with(|| vercmp(self.release.as_bytes(), other.release.as_bytes()))
    }
}

impl PartialOrd for Evr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Evr {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Evr {}

impl Hash for Evr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.epoch_or_zero().hash(state);
        for text in [&self.version, &self.release] {
            let mut rest = text.as_bytes();
            loop {
                let segment = next_segment(&mut rest);
                segment.hash(state);
                if segment == Segment::End {
                    break;
                }
            }
        }
    }
}

impl fmt::Display for Evr {
    /// `[epoch:]version[-release]`; the epoch only when it is not 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch_or_zero() != 0 {
            write!(f, "{}:", self.epoch_or_zero())?;
        }
        f.write_str(&self.version)?;
        if !self.release.is_empty() {
            write!(f, "-{}", self.release)?;
        }
        Ok(())
    }
}
