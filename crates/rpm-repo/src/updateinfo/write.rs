//! The writer of `updateinfo.xml`.

use super::{Advisory, AdvisoryPackage};
use crate::xml::{push_element, push_number, push_pair, push_text};

/// The start of a document.
pub const BEGIN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n";
/// The end of a document.
pub const END: &str = "</updates>\n";

/// Appends one advisory in the form of createrepo_c: what [`super::read`] keeps of it.
pub fn write_advisory(advisory: &Advisory, out: &mut String) {
    out.push_str("  <update");
    let attributes = [
        ("from", &advisory.from),
        ("status", &advisory.status),
        ("type", &advisory.kind),
        ("version", &advisory.version),
    ];
    for (name, value) in attributes {
        push_pair(name, value, out);
    }
    out.push_str(">\n");
    push_element("    ", "id", &advisory.id, out);
    push_element("    ", "title", &advisory.title, out);
    for (name, date) in [("issued", &advisory.issued), ("updated", &advisory.updated)] {
        if !date.is_empty() {
            for part in ["    <", name] {
                out.push_str(part);
            }
            push_pair("date", date, out);
            out.push_str("/>\n");
        }
    }
    let texts = [
        ("rights", &advisory.rights),
        ("release", &advisory.release),
        ("severity", &advisory.severity),
        ("summary", &advisory.summary),
        ("description", &advisory.description),
        ("solution", &advisory.solution),
    ];
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        push_element("    ", name, text, out);
    }
    // Where no package asks for it the advisory itself did.
    let of_package = advisory.packages.iter().any(|p| p.reboot_suggested);
    if advisory.reboot_suggested && !of_package {
        out.push_str("    <reboot_suggested>True</reboot_suggested>\n");
    }
    references(advisory, out);
    packages(advisory, out);
    out.push_str("  </update>\n");
}

fn references(advisory: &Advisory, out: &mut String) {
    out.push_str("    <references>\n");
    for reference in &advisory.references {
        out.push_str("      <reference");
        push_pair("href", &reference.href, out);
        push_pair("id", &reference.id, out);
        push_pair("title", &reference.title, out);
        push_pair("type", &reference.kind, out);
        out.push_str("/>\n");
    }
    out.push_str("    </references>\n");
}

fn packages(advisory: &Advisory, out: &mut String) {
    out.push_str("    <pkglist>\n");
    let mut rest = advisory.packages.as_slice();
    while let Some(first) = rest.first() {
        let end = rest
            .iter()
            .position(|package| package.collection != first.collection)
            .unwrap_or(rest.len());
        let (collection, after) = rest.split_at(end);
        rest = after;
        out.push_str("      <collection");
        push_pair("short", &first.collection, out);
        out.push_str(">\n");
        push_element("        ", "name", &first.collection, out);
        for one in collection {
            package(one, out);
        }
        out.push_str("      </collection>\n");
    }
    out.push_str("    </pkglist>\n");
}

fn package(package: &AdvisoryPackage, out: &mut String) {
    out.push_str("        <package");
    push_pair("name", &package.name, out);
    push_pair("version", &package.version, out);
    push_pair("release", &package.release, out);
    push_number("epoch", package.epoch.into(), out);
    push_pair("arch", &package.arch, out);
    push_pair("src", &package.src, out);
    out.push_str(">\n          <filename>");
    push_text(&package.filename, out);
    out.push_str("</filename>\n");
    let flags = [
        ("reboot_suggested", package.reboot_suggested),
        ("restart_suggested", package.restart_suggested),
        ("relogin_suggested", package.relogin_suggested),
    ];
    for (name, _) in flags.into_iter().filter(|(_, set)| *set) {
        push_element("          ", name, "True", out);
    }
    out.push_str("        </package>\n");
}
