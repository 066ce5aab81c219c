//! The journal survives what a crash does to its end.

use super::*;

fn sample() -> Vec<Record> {
    let at = |name: &str| format!("/usr/bin/{name}").into_bytes();
    vec![
        Record::Start {
            version: VERSION,
            tid: 1_700_000_000,
        },
        Record::Staging(vec![b"/.tdnf-stage".to_vec(), b"/var/.tdnf-stage".to_vec()]),
        Record::Element {
            index: 3,
            nevra: "a-1-1.noarch".into(),
            install: true,
            ops: vec![
                Op::MakeDir { target: at("d") },
                Op::Place {
                    target: at("p"),
                    mount: 1,
                    id: 2,
                },
                Op::Keep {
                    target: at("k.rpmsave"),
                    mount: 0,
                    id: 9,
                },
                Op::Remove {
                    target: at("r"),
                    mount: 0,
                    id: 7,
                },
                Op::RemoveDir {
                    target: at("e"),
                    mode: 0o755,
                    uid: 1,
                    gid: 2,
                    mount: 1,
                    id: 8,
                },
                Op::DirOwner {
                    target: at("o"),
                    mode: 0o700,
                    uid: 3,
                    gid: 4,
                },
            ],
        },
        Record::Prepared,
        Record::ScriptStart {
            nevra: "a-1-1.noarch".into(),
            script: "%pre".into(),
        },
        Record::ScriptEnd { ok: true },
        Record::Begin(3),
        Record::Committing {
            erased: vec![4, 5],
            added: vec!["a-1-1.noarch".into()],
        },
        Record::Committed {
            scripts: vec!["a-1-1.noarch %posttrans".into()],
        },
        Record::RolledBack,
    ]
}

fn written(dir: &std::path::Path) -> Vec<u8> {
    let root = RootDir::open(dir).unwrap();
    let mut journal = Journal::create(&root, b"/var/lib/tdnf/transaction").unwrap();
    for record in sample() {
        journal.add(&record).unwrap();
    }
    journal.sync().unwrap();
    std::fs::read(dir.join("var/lib/tdnf/transaction/journal")).unwrap()
}

#[test]
fn records_come_back_and_the_journal_can_be_removed() {
    let dir = tempfile::tempdir().unwrap();
    let root = RootDir::open(dir.path()).unwrap();
    written(dir.path());
    let state = b"/var/lib/tdnf/transaction";
    assert!(matches!(
        Journal::create(&root, state),
        Err(TransactionError::RecoveryPending { .. })
    ));
    let (journal, records) = Journal::open(&root, state).unwrap().unwrap();
    assert_eq!(records, sample());
    journal.remove().unwrap();
    assert!(Journal::open(&root, state).unwrap().is_none());
}

#[test]
fn a_torn_tail_is_ignored_at_every_length() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = written(dir.path());
    let mut seen = 0;
    for length in 0..=bytes.len() {
        let (records, good) = parse(&bytes[..length]).unwrap();
        assert!(good <= length && records.len() >= seen);
        assert_eq!(records[..], sample()[..records.len()]);
        seen = records.len();
    }
    assert_eq!(seen, sample().len());
}

#[test]
fn a_flipped_bit_ends_the_journal_there() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = written(dir.path());
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let (records, _) = parse(&damaged).unwrap();
        assert!(records.len() < sample().len());
        assert_eq!(records[..], sample()[..records.len()]);
    }
}

/// A full disk has no room for the last record: it takes the place of another one, and what
/// follows that one stays.
#[test]
fn rolling_back_without_room_loses_no_staging_directory() {
    let dir = tempfile::tempdir().unwrap();
    let root = RootDir::open(dir.path()).unwrap();
    let state = b"/var/lib/tdnf/transaction";
    let mut journal = Journal::create(&root, state).unwrap();
    let own = Record::Staging(vec![
        b"/.tdnf-stage".to_vec(),
        b"/opt/d/.tdnf-stage".to_vec(),
    ]);
    let mut all = sample();
    all.truncate(4);
    all.push(own);
    for record in &all {
        journal.add(record).unwrap();
    }
    journal.sync().unwrap();
    let prepared = journal.prepared.unwrap();
    journal.replace_prepared(prepared).unwrap();
    drop(journal);
    let (_, records) = Journal::open(&root, state).unwrap().unwrap();
    all[3] = Record::RolledBack;
    assert_eq!(records, all);
}
