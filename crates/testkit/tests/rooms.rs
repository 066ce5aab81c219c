//! Guards the arrows inside our larger crates: which room (top-level module) may use which.
//!
//! Reads the sources themselves: `crate::room` paths, `super::` paths that reach the crate's root,
//! and names that `lib.rs` passes on. Tests may look anywhere and are left out, and so are comments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

// What each room may use, a line each. A room without a line may use nothing.

const TDNF: &str = "
    args: error near typed
    change: error goal history hooks interrupt note plan progress screen session settings view
    commands: args audit change error goal history hooks image interrupt near plan progress screen session settings source_files view
    error: history
    goal: error history near note plan session settings typed
    hooks: error plan session view
    image: error interrupt near
    plan: note
    programs: args change commands error history interrupt near screen session settings
    progress: error screen
    screen: error typed
    session: args error interrupt near progress screen settings
    settings: args error near
    source_files: change error settings
    view: audit history image note plan screen typed
";

const MIRROR_SYNC: &str = "
    bundle: config error layout manifest plan regenerate snapshot store sync trust upstream
    commands: bundle config error hooks layout manifest observer plan publish report serve snapshot status store sync trust verify
    config: error
    fetch: config error layout observer store trust upstream
    hooks: config error report
    layout: error
    manifest: error layout store
    plan: config error layout manifest upstream
    publish: config error layout manifest snapshot store
    regenerate: error layout manifest plan store upstream
    report: error fetch manifest plan publish
    seed: error fetch layout store
    serve: config error fetch layout manifest observer publish report snapshot status store trust upstream
    snapshot: error layout manifest
    status: config error layout manifest publish report trust
    store: error layout
    sync: config error fetch layout manifest observer plan publish regenerate report seed store trust upstream
    trust: config error layout
    upstream: error layout manifest
    verify: config error fetch layout manifest report store sync trust upstream
";

const REPO_CLIENT: &str = "
    auth_header: error
    client: auth_header dns error limit options redact tls
    event: error
    html: wire
    limit: error
    oci: auth_header client error options patience redact tls wire
    path: error
    patience: client error
    ranges: client error html limit options transport wire
    refresh: client error event html limit oci options path redact request transfer transport wire
    request: client error options redact transport
    s3: auth_header client error options path patience redact tls wire
    tls: error options
    transfer: client error event html path ranges redact request
    transport: auth_header client error oci options s3 tls wire
    wire: dns error limit options redact tls
";

/// Found arrows: from room to rooms.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// A source file: its path below `src`, and its text.
type Source = (PathBuf, String);

fn sources(src: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![src.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry of the sources").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            let is_test = name.trim_end_matches(".rs") == "tests";
            if path.is_dir() && !is_test {
                folders.push(path);
            } else if name.ends_with(".rs") && !is_test {
                let text = std::fs::read_to_string(&path).expect("a source file");
                let below = path.strip_prefix(src).expect("below src").to_owned();
                found.push((below, text));
            }
        }
    }
    found
}

/// The room of a file and how many `super::` lead from it to the crate's root; none for the root.
fn room_of(path: &Path) -> Option<(String, usize)> {
    let mut parts: Vec<String> = path
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    let room = parts.first()?.clone();
    (!["lib", "main"].contains(&room.as_str())).then_some((room, parts.len()))
}

/// The text without comments, and without the tests at its end.
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
    let lines = text.lines().map(|line| {
        let comment = line.find("//").filter(|at| !line[..*at].ends_with(':'));
        &line[..comment.unwrap_or(line.len())]
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn ident(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The entries of a group `{a, b::{c, d}}`, or the one path that stands there.
fn entries(text: &str) -> Vec<&str> {
    let Some(inside) = text.strip_prefix('{') else {
        return vec![text];
    };
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                found.push(inside[start..at].trim());
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    found
}

/// The names behind each occurrence of `prefix` that begins a path.
fn names_behind(code: &str, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        found.extend(
            entries(rest)
                .into_iter()
                .map(|entry| ident(entry).to_owned()),
        );
    }
    found.retain(|name| !["super", "self", ""].contains(&name.as_str()));
    found
}

/// The names that the root passes on, and the rooms that they are from.
fn passed_on(root: &str, rooms: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for statement in root.split(';') {
        let Some((_, path)) = statement.split_once("use ") else {
            continue;
        };
        let room = ident(path.trim_start_matches("self::"));
        if !rooms.contains(room) {
            continue;
        }
        let words = path.split(|c: char| !c.is_alphanumeric() && c != '_');
        for word in words.filter(|word| !word.is_empty()) {
            names.insert(word.to_owned(), room.to_owned());
        }
    }
    names
}

fn arrows(sources: &[Source]) -> Arrows {
    let rooms: BTreeSet<String> = sources
        .iter()
        .filter_map(|(path, _)| Some(room_of(path)?.0))
        .collect();
    let root = sources.iter().find(|(path, _)| path == Path::new("lib.rs"));
    let names = root.map(|(_, text)| passed_on(&code_of(text), &rooms));
    let names = names.unwrap_or_default();
    let mut found: Arrows = rooms
        .iter()
        .map(|room| (room.clone(), BTreeSet::new()))
        .collect();
    for (path, text) in sources {
        let Some((room, depth)) = room_of(path) else {
            continue;
        };
        let code = code_of(text);
        let mut used = names_behind(&code, "crate::");
        used.extend(names_behind(&code, &"super::".repeat(depth)));
        let to = used
            .into_iter()
            .filter_map(|name| match rooms.contains(&name) {
                true => Some(name),
                false => names.get(&name).cloned(),
            });
        let arrows = found.entry(room.clone()).or_default();
        arrows.extend(to.filter(|to| *to != room));
    }
    found
}

/// Rooms that lead back to where they began, if there are any.
fn circle(arrows: &Arrows) -> Option<Vec<String>> {
    fn walk(arrows: &Arrows, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        let here = way.last().cloned().unwrap_or_default();
        for to in arrows.get(&here).into_iter().flatten() {
            if let Some(at) = way.iter().position(|room| room == to) {
                way.drain(..at);
                way.push(to.clone());
                return true;
            }
            if !done.contains(to) {
                way.push(to.clone());
                if walk(arrows, way, done) {
                    return true;
                }
                way.pop();
            }
        }
        done.insert(here);
        false
    }
    let mut done = BTreeSet::new();
    arrows.keys().find_map(|room| {
        let mut way = vec![room.clone()];
        walk(arrows, &mut way, &mut done).then_some(way)
    })
}

/// The arrows of a table.
fn table(text: &str) -> Arrows {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let rooms = |words: &str| words.split_whitespace().map(str::to_owned).collect();
    lines
        .map(|(from, to)| (from.trim().to_owned(), rooms(to)))
        .collect()
}

/// Arrows that the table does not have, and arrows of the table that are not there.
fn off_the_map(arrows: &Arrows, text: &str) -> Vec<String> {
    let table = table(text);
    let allowed = |from: &str, to: &str| table.get(from).is_some_and(|rooms| rooms.contains(to));
    let mut wrong = Vec::new();
    for (from, rooms) in arrows {
        let extra = rooms.iter().filter(|to| !allowed(from, to));
        wrong.extend(extra.map(|to| format!("{from} -> {to}")));
    }
    let arrows_of = |room: &str| arrows.get(room).cloned().unwrap_or_default();
    for (from, rooms) in &table {
        let there = arrows_of(from);
        let gone = rooms.difference(&there);
        wrong.extend(gone.map(|to| format!("no arrow {from} -> {to}")));
    }
    wrong
}

fn guard(name: &str, folder: &str, table: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = arrows(&sources(&root.join(folder)));
    assert!(found.len() > 5, "{name}: no rooms found in {folder}");
    let wrong = off_the_map(&found, table);
    assert!(
        wrong.is_empty(),
        "{name}: its table in this file and its sources differ; add an arrow that is meant, take out one that no code uses: {wrong:#?}"
    );
    if let Some(way) = circle(&found) {
        panic!("{name}: rooms in a circle: {}", way.join(" -> "));
    }
}

#[test]
fn rooms_of_tdnf() {
    guard("tdnf", "tdnf/src", TDNF);
}

#[test]
fn rooms_of_mirror_sync() {
    guard("mirror-sync", "mirror-sync/src", MIRROR_SYNC);
}

#[test]
fn rooms_of_repo_client() {
    guard("repo-client", "crates/repo-client/src", REPO_CLIENT);
}

fn made_up(files: &[(&str, &str)]) -> Arrows {
    let files = files.iter();
    arrows(
        &files
            .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
            .collect::<Vec<_>>(),
    )
}

fn to(found: &Arrows, room: &str) -> Vec<String> {
    found[room].iter().cloned().collect()
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let ways = [
        ("b/mod.rs", "use crate::{c::{d, e}, a::Thing};"),
        ("b/mod.rs", "fn f() -> super::a::Thing {}"),
        ("b/deep.rs", "use super::super::{a};"),
        ("b/deep/mod.rs", "use super::super::Thing;"),
        ("b.rs", "fn f() { (crate::a::f)() }"),
    ];
    for (path, text) in ways {
        let found = made_up(&[
            ("lib.rs", "mod a;\nmod b;\npub use a::{Other, Thing};"),
            ("a.rs", "use crate::b;"),
            (path, text),
            ("c.rs", ""),
        ]);
        let way = circle(&found).unwrap_or_else(|| panic!("{path}: {text}: {found:?}"));
        assert_eq!(way, ["a", "b", "a"], "{path}: {text}");
        assert_eq!(off_the_map(&found, "a: b")[0], "b -> a", "{path}: {text}");
    }
}

#[test]
fn what_is_no_arrow_is_not_taken_for_one() {
    let found = made_up(&[
        ("lib.rs", "mod a;\nmod b;\nmod a_long;\npub use a::Thing;"),
        (
            "b/deep.rs",
            "//! As crate::a does.\nuse super::a; // not super::super::a\nuse other_crate::a;\n\
             use crate::a_long;\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n",
        ),
        ("a.rs", "use crate::b; use crate::a::inner;"),
        ("a_long.rs", ""),
    ]);
    assert_eq!(to(&found, "b"), ["a_long"]);
    assert_eq!(to(&found, "a"), ["b"]);
    assert_eq!(circle(&found), None);
}

#[test]
fn longer_circles_are_found_and_the_table_knows_its_rooms() {
    let found = made_up(&[
        ("a.rs", "use crate::b;"),
        ("b.rs", "use crate::c;"),
        ("c.rs", "use crate::d; use crate::b;"),
        ("d.rs", ""),
    ]);
    assert_eq!(
        circle(&found),
        Some(["b", "c", "b"].map(str::to_owned).to_vec())
    );
    let table = "a: b\nb: c\nc: a b d\ne: a";
    assert_eq!(
        off_the_map(&found, table),
        ["no arrow c -> a", "no arrow e -> a"]
    );
}
