//! Row 40: damaged documents make errors, never panics, and take bounded time.

use std::ops::ControlFlow;

use fastrand::Rng;
use rpm_repo::compress::Decoder;
use rpm_repo::xml::XmlLimits;
use rpm_repo::{
    comps, filelists, ini, layout, metalink, mirrorlist, modules, other, primary, repomd,
    updateinfo, vars,
};

pub(crate) const DOCUMENTS: &[&str] = &[
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><metadata xmlns:rpm=\"r\" packages=\"1\"><package type=\"rpm\"><name>a&amp;b</name>\
     <arch>x</arch><version epoch=\"0\" ver=\"1\" rel=\"2\"/><checksum type=\"sha256\" pkgid=\"YES\">00ff</checksum>\
     <summary>ü</summary><time file=\"1\" build=\"2\"/><size package=\"1\" installed=\"2\" archive=\"3\"/>\
     <location xml:base=\"http://h/\" href=\"a%20.rpm\"/><format><rpm:header-range start=\"1\" end=\"2\"/>\
     <rpm:requires><rpm:entry name=\"a\" flags=\"GE\" epoch=\"0\" ver=\"1\" rel=\"2\" pre=\"1\"/></rpm:requires>\
     <file type=\"dir\">/a</file></format></package></metadata>",
    "<filelists packages=\"1\"><package pkgid=\"00\" name=\"a\" arch=\"b\"><version epoch=\"0\" ver=\"1\" rel=\"1\"/>\
     <file type=\"ghost\">/a&#x41;</file></package></filelists>",
    "<otherdata><package pkgid=\"00\" name=\"a\"><changelog author=\"x\" date=\"1\">t<![CDATA[<x>]]></changelog></package></otherdata>",
    "<updates><update type=\"security\"><id>X</id><issued date=\"1\"/><references><reference href=\"h\"/></references>\
     <pkglist><collection><name>c</name><package name=\"a\" epoch=\"1\"><filename>f</filename></package></collection></pkglist></update></updates>",
    "<!DOCTYPE comps PUBLIC \"a\" \"b\"><comps><group><id>a</id><name xml:lang=\"de\">n</name><packagelist>\
     <packagereq type=\"default\">p</packagereq></packagelist></group></comps>",
    "<repomd><revision>1</revision><tags><distro cpeid=\"c\">d</distro></tags><data type=\"primary\">\
     <checksum type=\"md5\">20b6d77930574ae541108e8e7987ad3f</checksum><location href=\"a/b\"/><size>1</size></data></repomd>",
    "<metalink><files><file name=\"repomd.xml\"><size>1</size><verification><hash type=\"md5\">20b6d77930574ae541108e8e7987ad3f</hash>\
     </verification><resources><url preference=\"1\">http://h/repodata/repomd.xml</url></resources></file></files></metalink>",
    "# c\nhttp://a/\n\nftp://b/${x}\n",
    "[a]\nname = b$releasever\n  c\n; d\nbaseurl=http://h/${x}/$basearch\n",
    "---\ndocument: modulemd\nversion: 2\n",
];

/// Every reader on the same bytes: all must come back.
fn read_everything(bytes: &[u8]) {
    let limits = XmlLimits::default();
    let go = ControlFlow::Continue(());
    let _ = primary::read("x", bytes, &limits, &mut |p| {
        let _ = (p.location(), p.digest(), p.files().count());
        go
    });
    let _ = filelists::read("x", bytes, &limits, &mut |_| go);
    let _ = other::read("x", bytes, &limits, &mut |_| go);
    let _ = updateinfo::read("x", bytes, &limits, &mut |_| go);
    let _ = comps::read("x", bytes, &limits);
    let _ = repomd::parse("x", bytes);
    let _ = metalink::parse("x", bytes);
    let _ = mirrorlist::parse("x", bytes);
    let _ = modules::read("x", bytes);
    let _ = ini::parse(bytes, std::path::Path::new("x"), |key| key == "name");
    let text = String::from_utf8_lossy(bytes);
    let _ = vars::Vars::new().expand(&text);
    let _ = (layout::fault(&text), layout::check_base(&text, "http://h/"));
    let _ = layout::cache_dir_name(&text, Some(&text));
}

pub(crate) fn damage(bytes: &mut Vec<u8>, random: &mut Rng) {
    const BITS: &[&[u8]] = &[
        b"<", b">", b"&", b"\"", b"'", b"/", b"&#0;", b"<!", b"]]>", b"\0", b"\xff", b"-1", b"<a>",
        b"${", b"%2e",
    ];
    for _ in 0..=random.usize(..4) {
        let at = random.usize(..bytes.len().max(1));
        match random.usize(..4) {
            0 => bytes.truncate(at),
            1 => {
                let end = (at + random.usize(..20)).min(bytes.len());
                bytes.drain(at..end);
            }
            2 => {
                let bit = BITS[random.usize(..BITS.len())];
                bytes.splice(at..at, bit.iter().copied());
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.u8(..);
                }
            }
        }
    }
}

#[test]
fn row_40_damaged_documents_never_panic() {
    let mut random = Rng::with_seed(1);
    for document in DOCUMENTS {
        read_everything(document.as_bytes());
        for _ in 0..1500 {
            let mut bytes = document.as_bytes().to_vec();
            damage(&mut bytes, &mut random);
            read_everything(&bytes);
        }
    }
}

#[test]
fn row_40_damaged_compression_never_panics() {
    let mut random = Rng::with_seed(2);
    let text = DOCUMENTS.concat().into_bytes();
    let mut streams = Vec::new();
    let mut put = |mut encoder: Box<dyn std::io::Read + '_>| {
        let mut packed = Vec::new();
        encoder.read_to_end(&mut packed).unwrap();
        streams.push(packed);
    };
    put(Box::new(flate2::read::GzEncoder::new(
        &text[..],
        flate2::Compression::fast(),
    )));
    put(Box::new(liblzma::read::XzEncoder::new(&text[..], 1)));
    put(Box::new(bzip2::read::BzEncoder::new(
        &text[..],
        bzip2::Compression::fast(),
    )));
    put(Box::new(
        zstd::stream::read::Encoder::new(&text[..], 1).unwrap(),
    ));
    for packed in streams {
        for _ in 0..300 {
            let mut bytes = packed.clone();
            damage(&mut bytes, &mut random);
            if let Ok(decoder) = Decoder::new(&bytes[..], "x") {
                let mut bounded = std::io::Read::take(decoder, 1 << 20);
                let _ = std::io::copy(&mut bounded, &mut std::io::sink());
            }
        }
    }
}
