//! The writer of `repomd.xml`.

use std::io::{self, Write};

use rpm_pkg::digest::Digest;

use super::{Repomd, RepomdRecord};
use crate::xml::{push_attribute, push_text};

/// Writes a `repomd.xml` in the form and order of createrepo_c. Errors: those of `out`.
pub fn write(repomd: &Repomd, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">"
    )?;
    if let Some(revision) = &repomd.revision {
        element(out, 2, "revision", revision)?;
    }
    tags(repomd, out)?;
    for record in &repomd.records {
        data(record, out)?;
    }
    writeln!(out, "</repomd>")
}

fn tags(repomd: &Repomd, out: &mut impl Write) -> io::Result<()> {
    if repomd.repo_tags.is_empty()
        && repomd.content_tags.is_empty()
        && repomd.distro_tags.is_empty()
    {
        return Ok(());
    }
    writeln!(out, "  <tags>")?;
    for text in &repomd.content_tags {
        element(out, 4, "content", text)?;
    }
    for text in &repomd.repo_tags {
        element(out, 4, "repo", text)?;
    }
    for (cpe, text) in &repomd.distro_tags {
        let cpe = cpe
            .as_ref()
            .map(|cpe| format!(" cpeid=\"{}\"", escaped(cpe, push_attribute)));
        writeln!(
            out,
            "    <distro{}>{}</distro>",
            cpe.unwrap_or_default(),
            escaped(text, push_text)
        )?;
    }
    writeln!(out, "  </tags>")
}

fn data(record: &RepomdRecord, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "  <data type=\"{}\">",
        escaped(&record.kind, push_attribute)
    )?;
    checksum(out, "checksum", record.checksum)?;
    checksum(out, "open-checksum", record.open_checksum)?;
    let base = record
        .base
        .as_ref()
        .map(|base| format!(" xml:base=\"{}\"", escaped(base, push_attribute)));
    let href = escaped(record.href.as_str(), push_attribute);
    writeln!(
        out,
        "    <location{} href=\"{href}\"/>",
        base.unwrap_or_default()
    )?;
    let numbers = [
        ("timestamp", record.timestamp),
        ("size", record.size),
        ("open-size", record.open_size),
        ("database_version", record.database_version),
    ];
    for (name, value) in numbers {
        if let Some(value) = value {
            writeln!(out, "    <{name}>{value}</{name}>")?;
        }
    }
    writeln!(out, "  </data>")
}

fn checksum(out: &mut impl Write, name: &str, digest: Option<Digest>) -> io::Result<()> {
    match digest {
        Some(digest) => {
            writeln!(
                out,
                "    <{name} type=\"{}\">{}</{name}>",
                digest.algo(),
                digest.hex()
            )
        }
        None => Ok(()),
    }
}

fn element(out: &mut impl Write, indent: usize, name: &str, text: &str) -> io::Result<()> {
    writeln!(
        out,
        "{:indent$}<{name}>{}</{name}>",
        "",
        escaped(text, push_text)
    )
}

/// The text as `push` ([`push_text`], [`push_attribute`]) writes it.
fn escaped(text: &str, push: fn(&str, &mut String)) -> String {
    let mut out = String::with_capacity(text.len());
    push(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn what_xml_can_hold_is_read_back_as_it_was() {
        for text in ["a\u{7f}", "a\r\u{7f}", "\"a' & <b>", "a\u{85}b"] {
            let repomd = Repomd {
                revision: Some(text.to_owned()),
                content_tags: vec![text.to_owned()],
                ..Repomd::default()
            };
            let mut written = Vec::new();
            write(&repomd, &mut written).unwrap();
            let read = parse("repomd.xml", written.as_slice()).unwrap();
            assert_eq!(read.revision, repomd.revision);
            assert_eq!(read.content_tags, repomd.content_tags);
        }
    }
}
