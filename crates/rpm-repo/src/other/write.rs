//! The writer of `other.xml`.

use super::OtherPackage;
use crate::record::{push_key, push_root};
use crate::xml::{push_number, push_pair, push_text};

/// Appends the start of a document of `packages` packages.
pub fn begin(packages: u64, out: &mut String) {
    push_root(
        "otherdata",
        "xmlns=\"http://linux.duke.edu/metadata/other\"",
        packages,
        out,
    );
}

/// The end of a document.
pub const END: &str = "</otherdata>\n";

/// Appends one package in the form of createrepo_c.
pub fn write_package(package: &OtherPackage, out: &mut String) {
    push_key(&package.key, &package.text, out);
    for entry in package.changelogs() {
        out.push_str("  <changelog");
        push_pair("author", entry.author, out);
        push_number("date", entry.date, out);
        out.push('>');
        push_text(entry.text, out);
        out.push_str("</changelog>\n");
    }
    out.push_str("</package>\n");
}
