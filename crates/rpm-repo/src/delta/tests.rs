use std::io::{Cursor, Write};
use std::path::PathBuf;

use fastrand::Rng;
use rpm_pkg::digest::{DigestAlgo, Hasher};
use tempfile::TempDir;

use super::*;
use crate::compress::{Encoder, Expected, Format};

/// A file as it is stored, and what is known of it.
struct Stored {
    path: PathBuf,
    bytes: Vec<u8>,
    expected: Expected,
}

impl Stored {
    fn file(&self) -> File {
        let open = std::fs::File::open(&self.path).unwrap();
        File::new(open, self.expected.checksum.unwrap())
    }
}

fn store(dir: &TempDir, name: &str, bytes: Vec<u8>, open_size: usize) -> Stored {
    let path = dir.path().join(name);
    std::fs::write(&path, &bytes).unwrap();
    Stored {
        path,
        expected: Expected {
            size: Some(bytes.len() as u64),
            checksum: Some(Hasher::digest(DigestAlgo::Sha256, &bytes)),
            open_size: Some(open_size as u64),
            open_checksum: None,
        },
        bytes,
    }
}

fn packed(dir: &TempDir, name: &str, text: &[u8], format: Format) -> Stored {
    let mut encoder = Encoder::new(Vec::new(), format, DigestAlgo::Sha256).unwrap();
    encoder.write_all(text).unwrap();
    store(dir, name, encoder.finish().unwrap().0, text.len())
}

fn delta(old: &Stored, new: &Stored) -> Vec<u8> {
    let mut bytes = Vec::new();
    let made = make(&old.file(), &new.file(), &mut bytes).unwrap();
    assert_eq!(made.size, bytes.len() as u64);
    assert_eq!(made.digest, Hasher::digest(DigestAlgo::Sha256, &bytes));
    bytes
}

fn applied(old: &Stored, delta: &[u8], expected: &Expected) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    apply(&old.bytes[..], delta, expected, &mut out).map(|()| out)
}

fn line(dice: &mut Rng) -> Vec<u8> {
    let end = ["\n", "", "\r\n", ">\n"][dice.usize(..4)];
    let number = dice.usize(..40);
    format!(
        "  <file number=\"{number}\">{}</file>{end}",
        dice.usize(..7)
    )
    .into_bytes()
}

/// Texts with lines and without, edited in all ways, in every packing.
#[test]
fn random_edits_come_back() {
    let dir = TempDir::new().unwrap();
    let formats = [
        Format::Plain,
        Format::Gzip,
        Format::Zstd,
        Format::Xz,
        Format::Bzip2,
    ];
    for seed in 1..80_u64 {
        let mut dice = Rng::with_seed(seed);
        let count = [0, 1, 30, 4000][dice.usize(..4)];
        let mut lines: Vec<Vec<u8>> = (0..count).map(|_| line(&mut dice)).collect();
        let from = lines.concat();
        for _ in 0..dice.usize(..12) {
            let at = dice.usize(..lines.len() + 1);
            match dice.usize(..4) {
                0 => lines.insert(at, line(&mut dice)),
                1 if at < lines.len() => drop(lines.remove(at)),
                2 if at < lines.len() => lines[at] = line(&mut dice),
                _ => {
                    let end = (at + dice.usize(..200)).min(lines.len());
                    let block: Vec<_> = lines.drain(at..end).collect();
                    let to = dice.usize(..lines.len() + 1);
                    lines.splice(to..to, block);
                }
            }
        }
        let to = lines.concat();
        let format = formats[dice.usize(..formats.len())];
        let old = packed(&dir, "old", &from, formats[dice.usize(..formats.len())]);
        let new = packed(&dir, "new", &to, format);
        let bytes = delta(&old, &new);
        assert!(bytes == delta(&old, &new), "{seed}: not the same twice");
        let result = applied(&old, &bytes, &new.expected).unwrap();
        assert!(result == new.bytes, "{seed} {format}");
    }
}

/// One changed line in a long text costs about that line; so it does where the text has no lines.
#[test]
fn a_delta_holds_what_is_new() {
    let dir = TempDir::new().unwrap();
    for end in ["\n", ""] {
        let mut dice = Rng::with_seed(7);
        let mut list: Vec<String> = (0..200_000)
            .map(|n| format!("<file>/usr/share/{n}/{}</file>{end}", dice.usize(..1 << 30)))
            .collect();
        let old = packed(&dir, "old", list.concat().as_bytes(), Format::Gzip);
        list[100_000] = format!("<file>/usr/share/new</file>{end}");
        list.remove(150_000);
        list.insert(10, format!("<file>/usr/share/other</file>{end}"));
        let new = packed(&dir, "new", list.concat().as_bytes(), Format::Gzip);
        let bytes = delta(&old, &new);
        assert!(bytes.len() < 700, "{} bytes", bytes.len());
        assert!(applied(&old, &bytes, &new.expected).unwrap() == new.bytes);
    }
}

/// A stretch that is too long to be looked into is put in whole.
#[test]
fn nothing_in_common() {
    let dir = TempDir::new().unwrap();
    let noise = |seed: u64, size: usize| {
        let mut dice = Rng::with_seed(seed);
        let mut text = vec![0_u8; size];
        text.iter_mut()
            .for_each(|byte| *byte = b'a' + dice.usize(..8) as u8);
        text
    };
    let old = packed(&dir, "old", &noise(1, 1 << 20), Format::Zstd);
    let new = packed(&dir, "new", &noise(2, 34 << 20), Format::Plain);
    let bytes = delta(&old, &new);
    assert!(applied(&old, &bytes, &new.expected).unwrap() == new.bytes);
}

#[test]
fn unknown_packings_have_no_delta() {
    let dir = TempDir::new().unwrap();
    let old = packed(&dir, "old", b"text\n", Format::Gzip);
    let mut twice = old.bytes.clone();
    twice.extend(&old.bytes);
    let new = store(&dir, "new", twice, 10);
    let made = make(&old.file(), &new.file(), Vec::new());
    assert!(matches!(made, Err(Error::NotExact)), "{made:?}");
    // A file with a damaged end is an error, not another packing.
    let mut damaged = old.bytes.clone();
    damaged.pop();
    let new = store(&dir, "new", damaged, 5);
    assert!(matches!(
        make(&old.file(), &new.file(), Vec::new()),
        Err(Error::Io(_))
    ));
}

fn pair(dir: &TempDir) -> (Stored, Stored, Vec<u8>) {
    let mut dice = Rng::with_seed(3);
    let mut lines: Vec<Vec<u8>> = (0..300).map(|_| line(&mut dice)).collect();
    let old = packed(dir, "old", &lines.concat(), Format::Gzip);
    lines[150] = b"<new/>\n".to_vec();
    let new = packed(dir, "new", &lines.concat(), Format::Zstd);
    let bytes = delta(&old, &new);
    (old, new, bytes)
}

#[test]
fn damaged_deltas_give_nothing() {
    let dir = TempDir::new().unwrap();
    let (old, new, good) = pair(&dir);
    for length in 0..good.len() {
        assert!(
            applied(&old, &good[..length], &new.expected).is_err(),
            "{length}"
        );
    }
    for at in 0..good.len() {
        for bit in [1, 0x10, 0x80] {
            let mut bad = good.clone();
            bad[at] ^= bit;
            if let Ok(result) = applied(&old, &bad, &new.expected) {
                assert!(result == new.bytes, "{at}");
            }
        }
    }
    let mut longer = good.clone();
    longer.push(0);
    assert!(applied(&old, &longer, &new.expected).is_err());
}

#[test]
fn deltas_of_other_files_give_nothing() {
    let dir = TempDir::new().unwrap();
    let (old, new, good) = pair(&dir);
    let to_old = applied(&old, &good, &old.expected);
    assert!(matches!(to_old, Err(Error::OtherFile)), "{to_old:?}");
    let none = Expected::default();
    assert!(matches!(applied(&old, &good, &none), Err(Error::OtherFile)));
    // From another old file: whatever comes out, it is not taken for the new one.
    let other = packed(&dir, "other", &b"<x/>\n".repeat(4000), Format::Gzip);
    assert!(applied(&other, &good, &new.expected).is_err());
    let smaller = Expected {
        size: new.expected.size.map(|size| size - 1),
        ..new.expected.clone()
    };
    assert!(applied(&old, &good, &smaller).is_err());
}

/// A delta with a body of its own.
fn crafted(old: &Stored, new: &Stored, body: &[u8]) -> Vec<u8> {
    let header = DeltaHeader {
        from: old.expected.checksum.unwrap(),
        to: new.expected.checksum.unwrap(),
        open_size: new.expected.open_size.unwrap(),
        packing: Packing::Plain,
    };
    let mut bytes = header.text().into_bytes();
    bytes.extend(zstd::encode_all(body, 3).unwrap());
    bytes
}

#[test]
fn bombs_end_at_their_limits() {
    let dir = TempDir::new().unwrap();
    let (old, new, _) = pair(&dir);
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let of = |kind: u8, number: &[u8]| [&[kind], number].concat();
    let mut endless = of(3, &huge);
    endless.extend(vec![b'x'; 8 << 20]);
    for (name, body) in [
        ("copies more than there is", of(1, &huge)),
        ("skips more than there is", of(2, &huge)),
        ("inserts without end", endless),
        ("steps over nothing", [2, 0].repeat(1 << 20)),
        ("a number of ten bytes", of(1, &[0x80; 10])),
        ("an unknown step", of(9, &[1])),
        ("nothing", Vec::new()),
        ("something behind the end", vec![0, 0]),
        ("an end at once", vec![0]),
    ] {
        let bytes = crafted(&old, &new, &body);
        let mut out = Vec::new();
        let result = apply(&old.bytes[..], &bytes[..], &new.expected, &mut out);
        assert!(result.is_err(), "{name}");
        let limit = new.expected.open_size.unwrap();
        assert!(out.len() as u64 <= limit, "{name}: {} bytes", out.len());
    }
    // A window that would need more memory than a delta may.
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&[0; 100]).unwrap();
    let head = crafted(&old, &new, b"");
    let head = &head[..head.windows(2).position(|w| w == b"\n\n").unwrap() + 2];
    let bytes = [head, &encoder.finish().unwrap()].concat();
    assert!(applied(&old, &bytes, &new.expected).is_err());
}

#[test]
fn headers_are_read_as_they_are_written() {
    let dir = TempDir::new().unwrap();
    let (_, _, good) = pair(&dir);
    let header = DeltaHeader::read(&mut &good[..]).unwrap();
    let text = header.text();
    assert!(good.starts_with(text.as_bytes()));
    assert_eq!(DeltaHeader::read(&mut text.as_bytes()).unwrap(), header);
    let endless = "repodata-delta 1\n".repeat(1000);
    assert!(DeltaHeader::read(&mut endless.as_bytes()).is_err());
    for (from, to) in [
        ("delta 1", "delta 2"),
        ("from sha256", "from sha255"),
        ("open-size ", "open-size -"),
        ("packing zstd 9", "packing zstd 22"),
        ("packing zstd 9", "packing zstd 0"),
        ("packing zstd 9", "packing lzma 9"),
        ("\nto", "\nfrom"),
    ] {
        assert!(text.contains(from), "{from}");
        let bad = text.replacen(from, to, 1);
        assert!(DeltaHeader::read(&mut bad.as_bytes()).is_err(), "{to}");
    }
    for text in [
        "gzip 6 1f8",
        "gzip 6 zz",
        "gzip 11 1f8b",
        "gzip-blocks 11 1f8b",
        "gzip-blocks 6",
        "xz 9",
        "bzip2 0",
        "gzip 6 1é",
    ] {
        assert_eq!(Packing::parse(text), None, "{text}");
    }
}

#[test]
fn the_index_is_read_as_it_is_written() {
    let digest = |text: &str| Hasher::digest(DigestAlgo::Sha256, text.as_bytes());
    let offer = |from: &str| Offer::new(digest(from), digest("new"), 77, digest("delta")).unwrap();
    let (one, two) = (offer("1"), offer("2"));
    let bytes = to_bytes(&[one.clone(), two.clone()]).unwrap();
    assert_eq!(bytes, to_bytes(&[two.clone(), one.clone()]).unwrap());
    let mut read = parse(&bytes).unwrap();
    read.sort_by_key(|offer| offer.from != one.from);
    assert_eq!(read, [one, two]);
    let text = String::from_utf8(bytes).unwrap();
    for (from, to) in [
        ("\"format\":1", "\"format\":2"),
        ("repodata/deltas/", "repodata/"),
        ("repodata/deltas/", "repodata/deltas/../"),
        ("repodata/deltas/", "http://x/repodata/deltas/"),
        ("sha256:", "sha257:"),
        (":77", ":99999999999"),
        (":77", ":-1"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(parse(text.replace(from, to).as_bytes()).is_err(), "{to}");
    }
    assert!(parse(b"<html>").is_err());
    assert!(parse(&[b"[".repeat(200_000), b"]".repeat(200_000)].concat()).is_err());
    assert!(parse(&vec![b' '; MAX_INDEX as usize + 1]).is_err());
}

#[test]
fn stems_name_documents() {
    let hex = "ab".repeat(32);
    for (name, expected) in [
        (format!("{hex}-primary.xml.gz"), "primary.xml"),
        (
            format!("{hex}-comps-BaseOS.x86_64.xml"),
            "comps-BaseOS.x86_64.xml",
        ),
        ("primary.xml.zst".to_owned(), "primary.xml"),
        ("abc-primary.xml".to_owned(), "abc-primary.xml"),
        (String::new(), ""),
    ] {
        assert_eq!(stem(&name), expected, "{name}");
    }
}

#[test]
fn cuts_depend_on_the_text_alone() {
    let text = b"<a>1</a><b>2\n>3</b>\n\n<c/>";
    let tokens = super::tokens::of_text(text);
    let expected: [&[u8]; 6] = [b"<a>1</a>", b"<b>2\n", b">3</b>\n", b"\n", b"<c/>", b""];
    assert_eq!(tokens, expected[..5]);
    // Read in pieces of any size it is the same.
    let long = text.repeat(30_000);
    let whole: Vec<Vec<u8>> = super::tokens::of_text(&long)
        .iter()
        .map(|token| token.to_vec())
        .collect();
    let mut stream = super::tokens::Tokens::new(Dribble(Cursor::new(long), 1));
    let mut read = Vec::new();
    while let Some(token) = stream.next().unwrap() {
        read.push(token.to_vec());
    }
    assert!(read == whole);
}

/// Gives 1, 2, 3, ... bytes at a time.
struct Dribble(Cursor<Vec<u8>>, usize);

impl std::io::Read for Dribble {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.1 = self.1 % 50_000 + 1;
        let most = out.len().min(self.1);
        self.0.read(&mut out[..most])
    }
}
