//! Telling armored text from packets, and cutting armored blocks out of text.

use std::io::Read;

use sequoia_openpgp::armor::{Kind, Reader, ReaderMode};

use crate::TrustError;

/// One armored block and where it stood.
pub(crate) struct ArmorBlock<'a> {
    /// The words after BEGIN, for example `PGP PUBLIC KEY BLOCK`.
    pub(crate) label: &'a str,
    /// The whole block with its BEGIN and END lines.
    pub(crate) text: &'a [u8],
}

/// The blocks of a text in their order, and whether anything but white space stands outside.
pub(crate) struct Blocks<'a> {
    pub(crate) blocks: Vec<ArmorBlock<'a>>,
    pub(crate) text_outside: bool,
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Binary OpenPGP packets begin with a byte whose top bit is set; armor is plain ASCII.
pub(crate) fn is_binary(data: &[u8]) -> bool {
    data.first().is_some_and(|byte| byte & 0x80 != 0)
}

/// Cuts `data` into armored blocks. An opened block that is never closed is an error.
pub(crate) fn split(data: &[u8], most: usize) -> Result<Blocks<'_>, TrustError> {
    let mut found = Blocks {
        blocks: Vec::new(),
        text_outside: false,
    };
    let mut open: Option<(usize, &str)> = None;
    let mut offset = 0;
    for line in data.split_inclusive(|&byte| byte == b'\n') {
        let next = offset + line.len();
        let trimmed = line.trim_ascii();
        match open {
            None => match label_of(trimmed, BEGIN) {
                Some(label) => open = Some((offset, label)),
                None => found.text_outside |= !trimmed.is_empty(),
            },
            Some((start, label)) if label_of(trimmed, END) == Some(label) => {
                if found.blocks.len() >= most {
                    return Err(TrustError::TooMany {
                        what: "armored blocks",
                        limit: most,
                    });
                }
                let text = data.get(start..next).unwrap_or_default();
                found.blocks.push(ArmorBlock { label, text });
                open = None;
            }
            Some(_) => {}
        }
        offset = next;
    }
    match open {
        // A message signed in the clear has no END of its own: its signature block follows.
        Some((_, label)) if label != CLEARSIGNED => Err(TrustError::BadArmor {
            why: format!("{label} does not end"),
        }),
        Some((start, label)) => {
            let text = data.get(start..).unwrap_or_default();
            found.blocks.push(ArmorBlock { label, text });
            Ok(found)
        }
        None => Ok(found),
    }
}

/// Label of text signed in the clear.
pub(crate) const CLEARSIGNED: &str = "PGP SIGNED MESSAGE";

fn label_of<'a>(line: &'a [u8], opening: &[u8]) -> Option<&'a str> {
    let label = line.strip_prefix(opening)?.strip_suffix(DASHES)?;
    std::str::from_utf8(label)
        .ok()
        .filter(|label| !label.is_empty())
}

/// The packets inside one armored block; checksum lines are checked by the reader.
pub(crate) fn decode(block: &ArmorBlock<'_>, kind: Kind) -> Result<Vec<u8>, TrustError> {
    let mut packets = Vec::new();
    Reader::from_bytes(block.text, ReaderMode::Tolerant(Some(kind)))
        .read_to_end(&mut packets)
        .map_err(|error| TrustError::BadArmor {
            why: error.to_string(),
        })?;
    Ok(packets)
}
