//! The writer of `primary.xml`.

use rpm_pkg::dep::DepGroup;

use super::{DEP_LISTS, FileKind, PrimaryPackage};
use crate::record::push_root;
use crate::xml::{push_element, push_number, push_pair, push_text};

/// Appends the start of a document of `packages` packages.
pub fn begin(packages: u64, out: &mut String) {
    let namespaces = "xmlns=\"http://linux.duke.edu/metadata/common\" \
                      xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\"";
    push_root("metadata", namespaces, packages, out);
}

/// The end of a document.
pub const END: &str = "</metadata>\n";

/// rpm's comparison bits, and how they are written.
pub(super) const FLAGS: [(u8, &str); 5] = [(8, "EQ"), (10, "LE"), (12, "GE"), (2, "LT"), (4, "GT")];

/// Appends one package in the form of createrepo_c. The same package always gives the same bytes,
/// whether it came from a header or from an older document.
pub fn write_package(package: &PrimaryPackage, out: &mut String) {
    write_at(
        package,
        package.refused_location(),
        package.location_base(),
        out,
    );
}

impl PrimaryPackage {
    /// Appends the package as [`write_package`] does, but with another location, and base if given.
    pub fn write_moved(&self, location: &str, base: Option<&str>, out: &mut String) {
        write_at(self, location, base.or(self.location_base()), out);
    }

    /// Appends the package as [`write_package`] does, at this location and without `xml:base`: its file lies in the
    /// repository itself now.
    pub fn write_here(&self, location: &str, out: &mut String) {
        write_at(self, location, None, out);
    }
}

fn write_at(package: &PrimaryPackage, location: &str, base: Option<&str>, out: &mut String) {
    out.push_str("<package type=\"rpm\">\n");
    push_element("  ", "name", package.name(), out);
    push_element("  ", "arch", package.arch(), out);
    out.push_str("  <version");
    push_number("epoch", package.epoch().into(), out);
    push_pair("ver", package.version(), out);
    push_pair("rel", package.release(), out);
    out.push_str("/>\n  <checksum");
    push_pair("type", package.checksum_type(), out);
    out.push_str(" pkgid=\"YES\">");
    push_text(package.checksum(), out);
    out.push_str("</checksum>\n");
    push_element("  ", "summary", package.summary(), out);
    push_element("  ", "description", package.description(), out);
    push_element("  ", "packager", package.packager(), out);
    push_element("  ", "url", package.url(), out);
    out.push_str("  <time");
    push_number("file", package.file_time(), out);
    push_number("build", package.build_time(), out);
    out.push_str("/>\n  <size");
    push_number("package", package.package_size(), out);
    push_number("installed", package.installed_size(), out);
    push_number("archive", package.archive_size(), out);
    out.push_str("/>\n  <location");
    if let Some(base) = base {
        push_pair("xml:base", base, out);
    }
    push_pair("href", location, out);
    out.push_str("/>\n  <format>\n");
    format(package, out);
    out.push_str("  </format>\n</package>\n");
}

fn format(package: &PrimaryPackage, out: &mut String) {
    push_element("    ", "rpm:license", package.license(), out);
    push_element("    ", "rpm:vendor", package.vendor(), out);
    push_element("    ", "rpm:group", package.group(), out);
    push_element("    ", "rpm:buildhost", package.buildhost(), out);
    push_element("    ", "rpm:sourcerpm", package.sourcerpm(), out);
    let (start, end) = package.header_range();
    out.push_str("    <rpm:header-range");
    push_number("start", start, out);
    push_number("end", end, out);
    out.push_str("/>\n");
    for (group, name) in DEP_LISTS {
        deps(package, group, name, out);
    }
    for file in package.files() {
        push_file("    ", file.path, file.kind, out);
    }
}

fn deps(package: &PrimaryPackage, group: DepGroup, name: &str, out: &mut String) {
    let list = package.deps(group);
    if list.len() == 0 {
        return;
    }
    for part in ["    <rpm:", name, ">\n"] {
        out.push_str(part);
    }
    for dep in list {
        out.push_str("      <rpm:entry");
        push_pair("name", dep.name, out);
        if let Some(word) = dep.comparison() {
            push_pair("flags", word, out);
            if let Some(epoch) = dep.epoch {
                push_number("epoch", epoch.into(), out);
            }
            if !dep.version.is_empty() {
                push_pair("ver", dep.version, out);
            }
            if !dep.release.is_empty() {
                push_pair("rel", dep.release, out);
            }
        }
        if dep.pre {
            push_pair("pre", "1", out);
        }
        out.push_str("/>\n");
    }
    for part in ["    </rpm:", name, ">\n"] {
        out.push_str(part);
    }
}

/// Appends `<file>`, in primary and in filelists.
pub(crate) fn push_file(indent: &str, path: &str, kind: FileKind, out: &mut String) {
    out.push_str(indent);
    out.push_str(match kind {
        FileKind::File => "<file>",
        FileKind::Dir => "<file type=\"dir\">",
        FileKind::Ghost => "<file type=\"ghost\">",
    });
    push_text(path, out);
    out.push_str("</file>\n");
}
