//! The writer of `repomd.xml`.

use std::io::{self, Write};

use rpm_pkg::digest::Digest;

use super::{Repomd, RepomdRecord};

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
            .map(|cpe| format!(" cpeid=\"{}\"", escaped(cpe)));
        writeln!(
            out,
            "    <distro{}>{}</distro>",
            cpe.unwrap_or_default(),
            escaped(text)
        )?;
    }
    writeln!(out, "  </tags>")
}

fn data(record: &RepomdRecord, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "  <data type=\"{}\">", escaped(&record.kind))?;
    checksum(out, "checksum", record.checksum)?;
    checksum(out, "open-checksum", record.open_checksum)?;
    let base = record
        .base
        .as_ref()
        .map(|base| format!(" xml:base=\"{}\"", escaped(base)));
    let href = escaped(record.href.as_str());
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
    writeln!(out, "{:indent$}<{name}>{}</{name}>", "", escaped(text))
}

/// The text with `& < > " '` escaped and characters that XML cannot hold left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
