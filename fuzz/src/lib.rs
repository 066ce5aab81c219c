//! The targets: what each does with one input, and what several need. A test of the workspace takes this file in, too.

pub mod bundle;
pub mod catalog;
pub mod comps;
pub mod deltas;
pub mod filelists;
pub mod header;
pub mod history;
pub mod journal;
pub mod keys;
pub mod lock;
pub mod metalink;
pub mod modules;
pub mod payload;
pub mod primary;
pub mod repofile;
pub mod rpmdb;
pub mod scriptlet;
pub mod updateinfo;

/// Bytes of one edit.
const EDIT: usize = 4;

/// A good file with bytes of it changed: each edit is a place (24 bits, counted round the file) and
/// the byte that stands there then.
pub fn edited(mut good: Vec<u8>, edits: &[u8]) -> Vec<u8> {
    for edit in edits.chunks_exact(EDIT) {
        let place = usize::from(edit[0]) << 16 | usize::from(edit[1]) << 8 | usize::from(edit[2]);
        let place = place % good.len();
        good[place] = edit[3];
    }
    good
}

/// A document is written as it was read, and what is written is read alike: `pass` reads one and writes it again.
///
/// What is no XML for its control characters is read and written, too, but loses them: it need not be read alike.
pub fn settles(document: &[u8], pass: impl Fn(&[u8]) -> Option<String>) {
    let Some(written) = pass(document) else {
        return;
    };
    let again = pass(written.as_bytes());
    let controls = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    let nothing = |bytes: &[u8]| matches!(bytes, [0xef, 0xbf, 0xbe | 0xbf]);
    if document.iter().any(controls) || document.windows(3).any(nothing) {
        return;
    }
    assert_eq!(
        again.as_deref(),
        Some(written.as_str()),
        "what is written is not read alike"
    );
}

/// Gives a byte at a time.
pub struct Slowly<'d>(pub &'d [u8]);

impl std::io::Read for Slowly<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let most = out.len().min(1);
        self.0.read(&mut out[..most])
    }
}

/// What a reader says is the same where all of a document is at hand and where one byte of it is, of which nothing can be
/// read but the way that any XML is.
pub fn reads_alike<T: std::fmt::Debug, S: PartialEq + std::fmt::Debug>(
    document: &[u8],
    read: impl Fn(&mut dyn std::io::Read, &mut dyn FnMut(&T) -> std::ops::ControlFlow<()>) -> S,
) {
    let said = |stream: &mut dyn std::io::Read| {
        let mut records = Vec::new();
        let end = read(stream, &mut |record| {
            records.push(format!("{record:?}"));
            std::ops::ControlFlow::Continue(())
        });
        (records, end)
    };
    assert_eq!(said(&mut Slowly(document)), said(&mut { document }));
}
