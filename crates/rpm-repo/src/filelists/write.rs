//! The writer of `filelists.xml`.

use super::FilelistsPackage;
use crate::primary::push_file;
use crate::record::{push_key, push_root};

/// Appends the start of a document of `packages` packages.
pub fn begin(packages: u64, out: &mut String) {
    push_root(
        "filelists",
        "xmlns=\"http://linux.duke.edu/metadata/filelists\"",
        packages,
        out,
    );
}

/// The end of a document.
pub const END: &str = "</filelists>\n";

/// Appends one package in the form of createrepo_c.
pub fn write_package(package: &FilelistsPackage, out: &mut String) {
    push_key(&package.key, &package.text, out);
    for file in package.files() {
        push_file("  ", file.path, file.kind, out);
    }
    out.push_str("</package>\n");
}
