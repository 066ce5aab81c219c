//! The verified results of docs/reference/transactions.md, 4.4, cell by cell.

use rpm_pkg::digest::{DigestAlgo, Hasher};

use super::*;

fn digest(content: &[u8]) -> Digest {
    Hasher::digest(DigestAlgo::Sha256, content)
}

/// Content is named by one letter: `1` of the old package, `2` of the new one, `e` edited.
struct At(Option<u8>);

impl Disk for At {
    fn kind(&self) -> Option<Kind> {
        self.0.map(|_| Kind::Regular)
    }

    fn holds(&self, entry: &Entry<'_>) -> bool {
        entry.kind == Kind::Regular && self.0.is_some_and(|c| entry.digest == Some(digest(&[c])))
    }
}

fn entry(content: &'static [u8], flags: u32) -> Entry<'static> {
    Entry {
        kind: Kind::Regular,
        mode: 0o100644,
        flags,
        size: 1,
        digest: Some(digest(content)),
        link: b"",
        user: b"root",
        group: b"root",
        rdev: 0,
        color: 0,
        languages: b"",
    }
}

const CONFIG: u32 = FileFlags::CONFIG;
const DOC: u32 = FileFlags::DOC;
const MISSINGOK: u32 = FileFlags::MISSINGOK;
const NOREPLACE: u32 = FileFlags::NOREPLACE;
const GHOST: u32 = FileFlags::GHOST;
const LICENSE: u32 = FileFlags::LICENSE;

#[test]
fn upgrade_table() {
    use Action::*;
    const NR: u32 = CONFIG | NOREPLACE;
    const MNR: u32 = CONFIG | NOREPLACE | MISSINGOK;
    // kind, old flags, new flags, content changed, [disk = v1, edited, missing, disk = v2]
    let table: [(&str, u32, u32, bool, [Action; 4]); 10] = [
        ("plain", 0, 0, true, [Create, Create, Create, Create]),
        (
            "config changed",
            CONFIG,
            CONFIG,
            true,
            [Create, Save, Create, Create],
        ),
        (
            "config same",
            CONFIG,
            CONFIG,
            false,
            [Create, Skip, Create, Create],
        ),
        (
            "noreplace changed",
            NR,
            NR,
            true,
            [Create, AltName, Create, Create],
        ),
        (
            "noreplace same",
            NR,
            NR,
            false,
            [Create, Skip, Create, Create],
        ),
        (
            "missingok noreplace",
            MNR,
            MNR,
            true,
            [Create, AltName, Skip, Create],
        ),
        (
            "plain to noreplace",
            0,
            NR,
            true,
            [Create, AltName, Create, Create],
        ),
        (
            "plain to config",
            0,
            CONFIG,
            true,
            [Create, Save, Create, Create],
        ),
        (
            "config to plain",
            CONFIG,
            0,
            true,
            [Create, Save, Create, Create],
        ),
        (
            "noreplace to ghost",
            NR,
            NR | GHOST,
            true,
            [Skip, Skip, Skip, Skip],
        ),
    ];
    for (name, old, new, changed, expected) in table {
        let old = entry(b"1", old);
        let new = entry(if changed { b"2" } else { b"1" }, new);
        let two = if changed { b'2' } else { b'1' };
        for (disk, expected) in [Some(b'1'), Some(b'e'), None, Some(two)]
            .into_iter()
            .zip(expected)
        {
            assert_eq!(
                replace_owned(&old, &new, &At(disk)),
                expected,
                "{name} {disk:?}"
            );
        }
    }
}

#[test]
fn a_digest_of_another_algorithm_never_compares_equal() {
    let old = Entry {
        digest: Some(Hasher::digest(DigestAlgo::Md5, b"1")),
        ..entry(b"1", CONFIG)
    };
    let new = entry(b"1", CONFIG);
    assert_eq!(replace_owned(&old, &new, &At(Some(b'e'))), Action::Save);
}

#[test]
fn fresh_install_over_foreign_files() {
    let edited = At(Some(b'e'));
    assert_eq!(replace_unowned(&entry(b"1", 0), &edited), Action::Create);
    assert_eq!(
        replace_unowned(&entry(b"1", CONFIG), &edited),
        Action::Backup
    );
    assert_eq!(
        replace_unowned(&entry(b"1", CONFIG | NOREPLACE), &edited),
        Action::AltName
    );
    assert_eq!(
        replace_unowned(&entry(b"e", CONFIG), &edited),
        Action::Create
    );
    assert_eq!(
        replace_unowned(&entry(b"1", CONFIG), &At(None)),
        Action::Create
    );
}

#[test]
fn erase_keeps_edited_configuration() {
    assert_eq!(remove(&entry(b"1", 0), &At(Some(b'e'))), Removal::Erase);
    assert_eq!(
        remove(&entry(b"1", CONFIG), &At(Some(b'1'))),
        Removal::Erase
    );
    assert_eq!(remove(&entry(b"1", CONFIG), &At(Some(b'e'))), Removal::Save);
    assert_eq!(
        remove(&entry(b"1", CONFIG | NOREPLACE), &At(Some(b'e'))),
        Removal::Save
    );
    assert_eq!(
        remove(&entry(b"1", CONFIG | GHOST), &At(Some(b'1'))),
        Removal::Skip
    );
    assert_eq!(remove(&entry(b"1", GHOST), &At(Some(b'1'))), Removal::Erase);
}

#[test]
fn shared_files_must_be_alike() {
    let a = entry(b"1", 0);
    assert!(compatible(&a, &a));
    assert!(!compatible(&a, &entry(b"2", 0)));
    assert!(compatible(&a, &entry(b"2", GHOST)));
    assert!(!compatible(
        &a,
        &Entry {
            mode: 0o100755,
            ..a
        }
    ));
    assert!(!compatible(&a, &Entry { user: b"x", ..a }));
    let link = Entry {
        kind: Kind::Symlink,
        mode: 0o120777,
        link: b"t",
        ..a
    };
    assert!(compatible(
        &link,
        &Entry {
            mode: 0o120755,
            ..link
        }
    ));
    assert!(!compatible(&link, &Entry { link: b"u", ..link }));
    assert!(!compatible(&link, &a));
}

#[test]
fn unwanted_files_get_a_state() {
    let wanted = Wanted {
        net_shared: vec![b"/opt/shared".to_vec()],
        no_docs: true,
        languages: vec!["de".into()],
        color: 2,
        ..Wanted::default()
    };
    let plain = entry(b"1", 0);
    assert_eq!(wanted.left_out(b"/f", &plain), None);
    assert_eq!(
        wanted.left_out(b"/f", &entry(b"1", DOC)),
        Some(state::NOT_INSTALLED)
    );
    assert_eq!(wanted.left_out(b"/f", &entry(b"1", DOC | LICENSE)), None);
    assert_eq!(
        wanted.left_out(
            b"/f",
            &Entry {
                languages: b"fr",
                ..plain
            }
        ),
        Some(state::NOT_INSTALLED)
    );
    assert_eq!(
        wanted.left_out(
            b"/f",
            &Entry {
                languages: b"fr|de",
                ..plain
            }
        ),
        None
    );
    assert_eq!(
        wanted.left_out(b"/f", &Entry { color: 1, ..plain }),
        Some(state::WRONG_COLOR)
    );
}

#[test]
fn the_64_bit_program_wins() {
    assert_eq!(color_winner(1, 2, 3), Some(ColorWinner::Second));
    assert_eq!(color_winner(2, 1, 3), Some(ColorWinner::First));
    assert_eq!(color_winner(2, 2, 3), None);
    assert_eq!(color_winner(1, 2, 0), None);
    assert_eq!(color_winner(0, 2, 3), None);
}
