//! The writer of `filelists.xml`.

use super::FilelistsPackage;
use crate::primary::push_file;
use crate::record::push_key;
use crate::xml::push_number;

/// Appends the start of a document of `packages` packages.
pub fn begin(packages: u64, out: &mut String) {
    out.push_str(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <filelists xmlns=\"http://linux.duke.edu/metadata/filelists\"",
    );
    push_number("packages", packages, out);
    out.push_str(">\n");
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
