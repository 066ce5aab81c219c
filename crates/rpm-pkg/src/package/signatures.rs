//! The OpenPGP signatures that a package carries.

use super::{Covers, Package, PackageError};
use crate::header::{TagType, tag};
use base64::Engine as _;
use std::borrow::Cow;
use std::io::Read;

/// Most signatures that one package may carry in OPENPGP 278.
pub const MAX_SIGNATURES: usize = 64;

/// One signature, not yet judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureItem<'a> {
    /// The signature header's tag.
    pub tag: u32,
    /// [`Covers::Header`] or [`Covers::HeaderAndPayload`].
    pub covers: Covers,
    /// The OpenPGP packet, binary.
    pub packet: Cow<'a, [u8]>,
}

impl<R: Read> Package<R> {
    /// The signatures that count (docs/reference/packages.md, 1.8): with OPENPGP 278 present, the older tags do
    /// not; in a v6 package no tag of 1000 and above does.
    ///
    /// # Errors
    /// [`PackageError::Malformed`] when an entry has the wrong type or is not base64: rpm fails
    /// the whole package then.
    pub fn signatures(&self) -> Result<Vec<SignatureItem<'_>>, PackageError> {
        if self.signature.has(tag::OPENPGP) {
            return self.openpgp_signatures();
        }
        let legacy = [
            (tag::DSAHEADER, Covers::Header),
            (tag::RSAHEADER, Covers::Header),
            (tag::SIG_PGP, Covers::HeaderAndPayload),
            (tag::SIG_GPG, Covers::HeaderAndPayload),
        ];
        let mut items = Vec::new();
        for (tag, covers) in legacy {
            let Some(entry) = self.signature.entry(tag) else {
                continue;
            };
            if self.is_v6() && covers == Covers::HeaderAndPayload {
                continue;
            }
            if entry.kind != TagType::Bin {
                return Err(PackageError::Malformed(tag));
            }
            items.push(SignatureItem {
                tag,
                covers,
                packet: Cow::Borrowed(entry.data),
            });
        }
        Ok(items)
    }

    fn openpgp_signatures(&self) -> Result<Vec<SignatureItem<'_>>, PackageError> {
        let malformed = PackageError::Malformed(tag::OPENPGP);
        let texts = self.signature.strings(tag::OPENPGP);
        if texts.len() == 0 || texts.len() > MAX_SIGNATURES {
            return Err(malformed);
        }
        let decode = |text: &[u8]| {
            let text: Vec<u8> = text
                .iter()
                .copied()
                .filter(|c| !c.is_ascii_whitespace())
                .collect();
            base64::engine::general_purpose::STANDARD.decode(text).ok()
        };
        let items: Option<Vec<_>> = texts
            .map(|text| {
                let packet = Cow::Owned(decode(text)?);
                Some(SignatureItem {
                    tag: tag::OPENPGP,
                    covers: Covers::Header,
                    packet,
                })
            })
            .collect();
        items.ok_or(malformed)
    }
}
