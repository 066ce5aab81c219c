//! Real input outside the repository, and a minimal package cutter for it.

use std::path::{Path, PathBuf};

use rpm_pkg::package::Covers;
use rpm_trust::Keyring;
use testkit::tree;

/// 2026-11-21: the tests' present. Fixed, so that results do not change with the calendar.
pub(crate) const NOW: u64 = 1_795_219_200;

/// All files that look like keys.
pub(crate) fn key_files(real: &Path) -> Vec<PathBuf> {
    tree::files(real)
        .into_iter()
        .filter(|path| {
            let data = std::fs::read(path).unwrap_or_default();
            let path = path.to_string_lossy();
            let armored = data
                .windows(27)
                .any(|text| text == b"-----BEGIN PGP PUBLIC KEY B");
            armored && !path.ends_with(".rpm") && !path.ends_with(".xml") && !path.ends_with(".py")
                || path.ends_with(".gpg") && data.first().is_some_and(|byte| byte & 0x80 != 0)
        })
        .collect()
}

/// A keyring with every key of the tree that is accepted.
pub(crate) fn all_keys(real: &Path) -> Keyring {
    let mut keyring = Keyring::new();
    for path in key_files(real) {
        let data = std::fs::read(path).unwrap();
        // Refusals are the subject of the tests in keys.rs.
        let _ = keyring.add_armored_or_binary(&data);
    }
    keyring
}

/// One signature of a package and the bytes that it covers.
pub(crate) struct Item {
    pub(crate) covers: Covers,
    pub(crate) packet: Vec<u8>,
}

/// A package cut into what signatures need.
pub(crate) struct Cut {
    pub(crate) items: Vec<Item>,
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

fn word(data: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?) as usize)
}

/// Cuts lead, signature header and main header apart. None: not a package with both headers.
pub(crate) fn cut(data: &[u8]) -> Option<Cut> {
    let signature = 96;
    let (count, size) = (word(data, signature + 8)?, word(data, signature + 12)?);
    let index = data.get(signature + 16..signature + 16 + count * 16)?;
    let store = data.get(signature + 16 + count * 16..signature + 16 + count * 16 + size)?;
    let main = (signature + 16 + count * 16 + size).next_multiple_of(8);
    let end = main + 16 + word(data, main + 8)? * 16 + word(data, main + 12)?;
    let header = data.get(main..end)?.to_vec();
    let payload = data.get(end..)?.to_vec();
    let mut items = Vec::new();
    let tags: Vec<usize> = index
        .chunks(16)
        .filter_map(|entry| word(entry, 0))
        .collect();
    // An OPENPGP signature replaces the older tags; in version 6 packages these do not exist.
    let modern = tags.contains(&278);
    let v6 = tags.contains(&999) && tags.contains(&279);
    for entry in index.chunks(16) {
        let (tag, offset, count) = (word(entry, 0)?, word(entry, 8)?, word(entry, 12)?);
        let covers = match tag {
            267 | 268 | 278 => Covers::Header,
            1002 | 1005 => Covers::HeaderAndPayload,
            _ => continue,
        };
        if modern && tag != 278 || v6 && tag >= 1000 {
            continue;
        }
        if tag == 278 {
            for text in store.get(offset..)?.split(|&byte| byte == 0).take(count) {
                let packet = base64(text);
                items.push(Item { covers, packet });
            }
        } else {
            items.push(Item {
                covers,
                packet: store.get(offset..offset + count)?.to_vec(),
            });
        }
    }
    Some(Cut {
        items,
        header,
        payload,
    })
}

fn base64(text: &[u8]) -> Vec<u8> {
    use base64::Engine;
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap_or_default()
}
