//! `--qf`: a line per package from a format.

use std::collections::BTreeSet;

use cli_kit::human_size;
use rpm_solv::SolvableId;

use super::{DEPS, deps, location, source};
use crate::error::{Failure, Outcome};
use crate::session::Packages;

/// Tags that are no dependencies.
const TAGS: [&str; 16] = [
    "name",
    "arch",
    "version",
    "release",
    "evr",
    "reponame",
    "sourcename",
    "sourcerpm",
    "size",
    "downloadsize",
    "installsize",
    "description",
    "summary",
    "license",
    "location",
    "url",
];

/// A piece of a format.
enum FormatPiece<'f> {
    Text(String),
    Tag(&'f str),
}

/// Refuses unknown tags before anything is opened.
pub(super) fn check(format: &str) -> Outcome<()> {
    for piece in pieces(format) {
        if let FormatPiece::Tag(tag) = piece
            && !TAGS.contains(&tag)
            && !DEPS.iter().any(|dep| dep.name == tag)
        {
            return Err(Failure::invalid(format!(
                "Package doesn't have attribute {tag}"
            )));
        }
    }
    Ok(())
}

/// The line of one package.
pub(super) fn fill(packages: &Packages, id: SolvableId, format: &str) -> Outcome<String> {
    let mut line = String::new();
    for piece in pieces(format) {
        match piece {
            FormatPiece::Text(text) => line.push_str(&text),
            FormatPiece::Tag(tag) => line.push_str(&value(packages, id, tag)?),
        }
    }
    Ok(line)
}

fn value(packages: &Packages, id: SolvableId, tag: &str) -> Outcome<String> {
    let identity = packages.package_id(id);
    let facts = packages.pool.facts(id)?;
    Ok(match tag {
        "name" => identity.name,
        "arch" => identity.arch,
        "version" => identity.version,
        "release" => identity.release,
        "evr" => identity.evr(),
        "reponame" => packages.repo_of(id),
        "sourcename" | "sourcerpm" => source(packages, id)?,
        "size" | "downloadsize" => human_size(facts.plan.package_size),
        "installsize" => human_size(facts.plan.installed_size),
        "description" => facts.description,
        "summary" => facts.summary,
        "license" => facts.license,
        "location" => location(packages, id)?,
        "url" => facts.url,
        _ => {
            let dep = DEPS.iter().find(|dep| dep.name == tag);
            let all: BTreeSet<String> = dep.map_or_else(BTreeSet::new, |dep| {
                deps(packages, id, dep).into_iter().collect()
            });
            all.into_iter().collect::<Vec<_>>().join("\n")
        }
    })
}

fn pieces(format: &str) -> Vec<FormatPiece<'_>> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        if let Some((tag, after)) = rest.strip_prefix("%{").and_then(|r| r.split_once('}')) {
            pieces.push(FormatPiece::Text(std::mem::take(&mut text)));
            pieces.push(FormatPiece::Tag(tag));
            rest = after;
            continue;
        }
        rest = rest.strip_prefix(first).unwrap_or_default();
        let escaped = rest
            .chars()
            .next()
            .filter(|_| first == '\\')
            .and_then(escape);
        match escaped {
            Some(letter) => {
                text.push(letter);
                rest = rest.get(1..).unwrap_or_default();
            }
            None => text.push(first),
        }
    }
    pieces.push(FormatPiece::Text(text));
    pieces
}

fn escape(letter: char) -> Option<char> {
    Some(match letter {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        '\\' | '"' => letter,
        _ => return None,
    })
}
