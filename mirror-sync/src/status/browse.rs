//! What `serve` answers beside the page: folders, and what a search has found. Names come from upstream: all is escaped.

use std::fmt::Write;

use cli_kit::iec_size;
use percent_encoding::utf8_percent_encode;
use repo_client::IN_PATH;

use super::page::{STYLE, escaped};
use crate::manifest::date;

/// One thing in a folder.
pub(crate) struct FolderEntry {
    pub(crate) name: String,
    pub(crate) is_folder: bool,
    /// Bytes.
    pub(crate) size: u64,
    /// Seconds since 1970.
    pub(crate) modified: u64,
}

/// One package that a search has found.
pub(crate) struct FoundPackage {
    pub(crate) repo: String,
    /// Its full name.
    pub(crate) package: String,
    /// Where it is below the repository.
    pub(crate) path: String,
    /// Bytes.
    pub(crate) size: u64,
}

fn framed(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>\n{body}</main></body></html>\n"
    )
}

/// A folder of the mirror; `next` is the name after which it goes on, if not all of it is here.
pub(crate) fn folder(path: &str, entries: &[FolderEntry], next: Option<&str>) -> String {
    let path = escaped(&format!("/{path}/"));
    let mut body = format!(
        "<header><h1 class=\"path\">{path}</h1><a href=\"/\">this mirror</a></header>\n\
         <table><thead><tr><th>Name<th class=\"n\">Bytes<th>Date</tr></thead><tbody>\n\
         <tr><td><a href=\"../\">../</a><td><td></tr>\n"
    );
    for entry in entries {
        let slash = if entry.is_folder { "/" } else { "" };
        let href = utf8_percent_encode(&entry.name, IN_PATH);
        let size = match entry.is_folder {
            true => String::new(),
            false => entry.size.to_string(),
        };
        let name = escaped(&entry.name);
        // Writing into a string cannot fail.
        let _ = writeln!(
            body,
            "<tr><td><a href=\"./{href}{slash}\">{name}{slash}</a><td class=\"n\">{size}<td>{}</tr>",
            date(entry.modified)
        );
    }
    body.push_str("</tbody></table>\n");
    if let Some(next) = next {
        let next = utf8_percent_encode(next, IN_PATH);
        let _ = writeln!(body, "<p><a href=\"?after={next}\">what follows</a></p>");
    }
    framed(&path, &body)
}

/// The form that asks for a package.
pub(super) fn form(words: &str) -> String {
    let words = escaped(words);
    format!(
        "<form action=\"/search\"><input name=\"q\" type=\"search\" value=\"{words}\" maxlength=\"100\" \
         aria-label=\"Package\" placeholder=\"Package, version\"><button>Search</button></form>\n"
    )
}

/// What was found for these words: some of `count`.
pub(crate) fn found(words: &str, list: &[FoundPackage], count: usize) -> String {
    let told = match (count, list.len()) {
        (0, _) if words.is_empty() => {
            "Parts of a package's name, version or architecture.".to_owned()
        }
        (0, _) => "Nothing is called so.".to_owned(),
        (1, _) => "1 package".to_owned(),
        (count, shown) if shown < count => format!("{count} packages, the first {shown} of them"),
        (count, _) => format!("{count} packages"),
    };
    let mut body = format!(
        "<header><h1>Search</h1><a href=\"/\">this mirror</a></header>\n{}<p class=\"sum\">{told}</p>\n",
        form(words)
    );
    if !list.is_empty() {
        body.push_str(
            "<table><thead><tr><th>Package<th>Repository<th class=\"n\">Size</tr></thead><tbody>\n",
        );
    }
    for one in list {
        let href = format!("{}/{}", one.repo, one.path);
        // Writing into a string cannot fail.
        let _ = writeln!(
            body,
            "<tr><td><a href=\"/{}\">{}</a><td>{}<td class=\"n\">{}</tr>",
            utf8_percent_encode(&href, IN_PATH),
            escaped(&one.package),
            escaped(&one.repo),
            iec_size(one.size)
        );
    }
    if !list.is_empty() {
        body.push_str("</tbody></table>\n");
    }
    framed("Search", &body)
}
