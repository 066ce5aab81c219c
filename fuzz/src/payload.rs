//! Payloads: one package header of ours, any bytes behind it.
//!
//! Input: one byte that chooses the compressor, then the payload as stored.

use std::sync::OnceLock;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_pkg::files::FileList;
use rpm_pkg::header::{HeaderBuilder, HeaderKind, TagValue, tag};
use rpm_pkg::package::PayloadDigests;
use rpm_pkg::payload::{Payload, PayloadLimits};

const COMPRESSORS: [Option<&str>; 6] = [
    None,
    Some("gzip"),
    Some("xz"),
    Some("lzma"),
    Some("zstd"),
    Some("bzip2"),
];

/// Name, mode, size, inode, flags (64: ghost) of each file; the directory is `/d/`.
const FILES: [(&str, u16, u32, u32, u32); 8] = [
    ("a", 0o100644, 1, 1, 0),
    ("b", 0o100755, 100, 2, 0),
    ("c", 0o040755, 4096, 3, 0),
    ("g", 0o100644, 5, 4, 64),
    ("h", 0o100644, 7, 5, 0),
    ("i", 0o100644, 7, 5, 0),
    ("l", 0o120777, 1, 6, 0),
    ("z", 0o100600, 0, 7, 0),
];

/// One input.
pub fn run(data: &[u8]) {
    let Some((choice, stored)) = data.split_first() else {
        return;
    };
    let files = list().clone();
    let allowed: u64 = (0..files.len()).map(|i| files.payload_size(i)).sum();
    let compressor = COMPRESSORS[usize::from(*choice) % COMPRESSORS.len()];
    let limits = PayloadLimits {
        verify_files: choice & 0x80 == 0,
        ..PayloadLimits::default()
    };
    let opened = Payload::open(
        stored,
        files,
        Some("cpio"),
        compressor,
        PayloadDigests::none(),
        limits,
    );
    let Ok(mut payload) = opened else { return };
    let (mut total, mut piece) = (0, [0; 13]);
    let read = loop {
        match payload.next_entry() {
            Ok(Some(entry)) if entry.size % 2 == 0 => {
                // Skipped data is checked, too.
                total += entry.size;
            }
            Ok(Some(_)) => {
                while let Ok(got @ 1..) = payload.read_data(&mut piece) {
                    total += got as u64;
                }
            }
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    assert!(total <= allowed, "more data than the header announces");
    if read {
        let _ = payload.finish();
    }
}

fn list() -> &'static FileList {
    static LIST: OnceLock<FileList> = OnceLock::new();
    LIST.get_or_init(|| {
        let mut header = HeaderBuilder::new();
        let count = FILES.len();
        let texts = |text: &dyn Fn(usize) -> String| TagValue::strings((0..count).map(text));
        let digest = |index: usize| match FILES[index] {
            (_, mode, size, ..) if mode & 0o170000 == 0o100000 => {
                Hasher::digest(DigestAlgo::Sha256, &vec![b'x'; size as usize]).hex()
            }
            _ => String::new(),
        };
        let link = |index: usize| {
            if FILES[index].0 == "l" {
                "a".into()
            } else {
                String::new()
            }
        };
        header
            .add(tag::NAME, TagValue::string("p"))
            .add(tag::VERSION, TagValue::string("1"))
            .add(tag::RELEASE, TagValue::string("1"))
            .add(tag::DIRNAMES, TagValue::strings(["/d/"]))
            .add(tag::DIRINDEXES, TagValue::Int32(vec![0; count]))
            .add(tag::BASENAMES, TagValue::strings(FILES.map(|f| f.0)))
            .add(tag::FILEMODES, TagValue::Int16(FILES.map(|f| f.1).to_vec()))
            .add(tag::FILESIZES, TagValue::Int32(FILES.map(|f| f.2).to_vec()))
            .add(
                tag::FILEINODES,
                TagValue::Int32(FILES.map(|f| f.3).to_vec()),
            )
            .add(tag::FILEDEVICES, TagValue::Int32(vec![1; count]))
            .add(tag::FILEFLAGS, TagValue::Int32(FILES.map(|f| f.4).to_vec()))
            .add(tag::FILELINKTOS, texts(&link))
            .add(tag::FILEDIGESTALGO, TagValue::int32(8))
            .add(tag::FILEDIGESTS, texts(&digest));
        let header = header
            .build(HeaderKind::Main)
            .expect("the header above is well formed");
        FileList::from_header(&header).expect("its file list is well formed")
    })
}
