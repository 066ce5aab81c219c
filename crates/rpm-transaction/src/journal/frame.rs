//! Records as the bytes of a file: `length (u32) | checksum (8 bytes) | body`.

use sha2::{Digest, Sha256};

use super::Record;

/// Length and checksum.
const HEAD: usize = 12;

/// The body of a record with what stands before it. Bodies of 4 GiB and more have no frame.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], &checksum(body), body].concat()
}

/// The records of `bytes` up to the first damaged one, and where the good part ends.
///
/// # Errors
/// A record that is whole but not understood: a newer version wrote it.
pub(crate) fn parse(bytes: &[u8]) -> Result<(Vec<Record>, usize), &'static str> {
    let mut records = Vec::new();
    let mut at = 0;
    while let Some(body) = next_body(bytes, at) {
        records.push(Record::decode(body).ok_or("not understood: written by a newer version?")?);
        at += HEAD + body.len();
    }
    Ok((records, at))
}

fn next_body(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let head = bytes.get(at..at.checked_add(HEAD)?)?;
    let (length, sum) = head.split_at(4);
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let start = at + HEAD;
    let body = bytes.get(start..start.checked_add(length)?)?;
    (checksum(body) == *sum).then_some(body)
}

fn checksum(body: &[u8]) -> [u8; 8] {
    let mut sum = [0; 8];
    sum.copy_from_slice(&Sha256::digest(body)[..8]);
    sum
}
