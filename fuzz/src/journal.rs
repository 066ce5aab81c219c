//! The journal of a transaction, as a power cut or a stranger may leave it.
//!
//! Input: the bytes of a journal; or, behind a first byte of 1, bodies of records, each behind its
//! length in one byte, which are framed with their checksums here.

// Taken in by path: the whole program would bring its network and solver into this build.
#[path = "../../crates/rpm-transaction/src/journal/frame.rs"]
mod frame;
#[allow(dead_code)]
#[path = "../../crates/rpm-transaction/src/journal/record.rs"]
mod record;

use frame::{frame, parse};
use record::Record;

/// One input.
pub fn run(data: &[u8]) {
    let journal = match data.split_first() {
        Some((1, rest)) => framed(rest),
        _ => data.to_vec(),
    };
    let Ok((records, good)) = parse(&journal) else {
        return;
    };
    assert!(good <= journal.len());
    // What was understood is written as it was read.
    let written: Vec<u8> = records
        .iter()
        .flat_map(|record| frame(&record.encode()))
        .collect();
    let (again, _) = parse(&written).expect("what is written can be read");
    assert_eq!(again, records);
    // A torn tail costs what it tears and nothing else.
    if let Some(torn) = written.len().checked_sub(1) {
        let (less, _) = parse(&written[..torn]).expect("a torn journal can be read");
        assert_eq!(less.as_slice(), &records[..records.len() - 1]);
    }
    for record in &records {
        assert_eq!(Record::decode(&record.encode()).as_ref(), Some(record));
    }
}

fn framed(mut data: &[u8]) -> Vec<u8> {
    let mut journal = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (body, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        journal.extend(frame(body));
        data = rest;
    }
    journal
}
