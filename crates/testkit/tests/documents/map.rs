//! ARCHITECTURE.md names paths, modules and types: each exists. Its module lists are those of the tree;
//! `TDNF_UPDATE_DOCS=1` writes them anew.

use std::collections::BTreeSet;
use std::path::Path;

const MAP: &str = "ARCHITECTURE.md";
/// The heading above the module lists.
const LISTS: &str = "### Module lists\n";
/// The heading above the files to change for something new.
const CHANGES: &str = "## 6. Where to change what\n";
/// The tools; the libraries are what stands in `crates/`.
const TOOLS: [&str; 3] = ["tdnf", "repo-tools", "mirror-sync"];
/// Longest line of a list.
const WIDTH: usize = 140;
/// Types of other people's crates that the map names.
const FOREIGN: &[&str] = &["FileControl", "PersistWal"];

/// Words in backquotes, outside of code blocks.
fn quoted(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for (number, block) in text.split("```").enumerate() {
        if number % 2 == 0 {
            words.extend(block.split('`').skip(1).step_by(2));
        }
    }
    words
}

/// The names of the types, functions, constants and modules that the sources of a folder declare.
fn declared<'a>(sources: &'a [(String, String)], folder: &str) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    let texts = sources.iter().filter(|(path, _)| path.starts_with(folder));
    for (_, text) in texts {
        let mut words = text.split_whitespace().peekable();
        while let Some(word) = words.next() {
            if ["struct", "enum", "trait", "type", "fn", "mod", "const"].contains(&word)
                && let Some(next) = words.peek()
            {
                let end = next.find(|c: char| !c.is_alphanumeric() && c != '_');
                names.insert(&next[..end.unwrap_or(next.len())]);
            }
        }
        // The macro that makes a section's struct and its table of keys.
        for table in text.split("\nsection! {").skip(1) {
            let table = table.split("\n}").next().unwrap_or_default().lines();
            names.extend(table.filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {")));
        }
    }
    names
}

fn is_type(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(char::is_uppercase)
        && letters.all(char::is_alphanumeric)
        && word.chars().any(char::is_lowercase)
}

/// Whether a path of the map leads somewhere: from the root of the checkout or of `crates/`, or, for a bare file name,
/// anywhere. `None` if the word is no path of ours.
fn leads(root: &Path, word: &str, sources: &[(String, String)]) -> Option<bool> {
    let foreign = word.starts_with('/') || word.contains(['<', ' ', '$', ':']);
    let (first, inner) = word.split_once('/').unwrap_or((word, ""));
    let file = Path::new(word).extension().is_some_and(|end| end == "rs");
    if foreign || (inner.is_empty() && !file && !word.ends_with('/')) {
        return None;
    }
    if !word.contains('/') {
        return Some(
            sources
                .iter()
                .any(|(path, _)| path.ends_with(&format!("/{word}"))),
        );
    }
    let bases = [root.to_owned(), root.join("crates")];
    let ours = bases.iter().any(|base| base.join(first).exists());
    if !ours && !file {
        return None;
    }
    // `*.toml` stands for the files of a folder.
    let (folder, pattern) = match word.rsplit_once('/') {
        Some((folder, name)) if name.starts_with('*') => (folder, &name[1..]),
        _ => (word, ""),
    };
    let holds = |base: &Path| {
        let path = base.join(folder);
        let entries = || std::fs::read_dir(&path).into_iter().flatten().flatten();
        path.exists()
            && (pattern.is_empty()
                || entries().any(|entry| entry.file_name().to_string_lossy().ends_with(pattern)))
    };
    Some(bases.iter().any(|base| holds(base)))
}

/// What is wrong with a word in backquotes.
fn fault(
    root: &Path,
    word: &str,
    sources: &[(String, String)],
    names: &BTreeSet<&str>,
) -> Option<String> {
    let known = |name: &str| names.contains(name) || FOREIGN.contains(&name);
    if leads(root, word, sources) == Some(false) {
        return Some(format!("there is no {word}"));
    }
    if is_type(word) && !known(word) {
        return Some(format!("no type is called {word}"));
    }
    let (first, rest) = word.split_once("::")?;
    if word.contains(' ') || known(first) {
        return None;
    }
    let name = first.replace('_', "-");
    let folders = [format!("crates/{name}/"), format!("{name}/")];
    let Some(folder) = folders.iter().find(|folder| root.join(folder).exists()) else {
        return Some(format!("{word}: there is no crate {first}"));
    };
    let inner = declared(sources, folder);
    let unknown = rest
        .split("::")
        .map(|name| name.trim_end_matches("()"))
        .find(|name| !inner.contains(name));
    unknown.map(|name| format!("{word}: nothing in {folder} is called {name}"))
}

#[test]
fn names_of_the_map_exist() {
    let (root, text, sources) = (super::root(), super::text_of(MAP), super::sources());
    let names = declared(&sources, "");
    let words = quoted(&text);
    assert!(words.len() > 100, "{} words in backquotes", words.len());
    let wrong: BTreeSet<String> = words
        .iter()
        .filter_map(|word| fault(&root, word, &sources, &names))
        .collect();
    assert!(wrong.is_empty(), "{MAP}:\n{wrong:#?}");
}

/// Each row of "Where to change what" says how many files it names.
#[test]
fn files_to_change_are_counted() {
    let text = super::text_of(MAP);
    let (_, table) = text.split_once(CHANGES).expect("the map has the section");
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let (mut counted, mut wrong) = (0, Vec::new());
    for row in rows.skip(1) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [_, files, count] = cells[..] else {
            panic!("{row}: not three cells");
        };
        let named = quoted(files)
            .iter()
            .filter(|word| word.contains(['/', '.']))
            .count();
        counted += 1;
        if count.trim() != named.to_string() {
            wrong.push(format!("{row}: names {named} files"));
        }
    }
    assert!(
        wrong.is_empty() && counted >= 5,
        "{counted} rows: {wrong:#?}"
    );
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "rs")
}

fn holds_sources(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| is_source(&entry.path()))
}

/// The modules of a folder: `name`, or `name/{children}`.
fn modules(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(dir)
        .expect("a folder of sources")
        .flatten()
    {
        let path = entry.path();
        if is_source(&path) || holds_sources(&path) {
            let stem = path.file_stem().expect("a name").to_string_lossy();
            names.insert(stem.into_owned());
        }
    }
    for name in names {
        let tests = name == "tests" || name.ends_with("_tests");
        if tests || ["lib", "main", "mod"].contains(&name.as_str()) {
            continue;
        }
        let inner = dir.join(&name);
        let children = if inner.is_dir() {
            modules(&inner)
        } else {
            BTreeSet::new()
        };
        let children: Vec<String> = children.into_iter().collect();
        found.insert(match children.as_slice() {
            [] => name,
            [one] => format!("{name}/{one}"),
            many => format!("{name}/{{{}}}", many.join(",")),
        });
    }
    found
}

/// The lists as they must be.
fn lists(root: &Path) -> String {
    let mut text = String::new();
    let crates = std::fs::read_dir(root.join("crates")).expect("crates/ is readable");
    let crates = crates.map(|entry| entry.expect("an entry of crates/").file_name());
    let mut names: Vec<String> = crates
        .map(|name| format!("crates/{}", name.to_string_lossy()))
        .collect();
    names.sort();
    names.extend(TOOLS.map(str::to_owned));
    for name in names {
        let mut line = format!("{:<28}", format!("{name}/src"));
        for module in modules(&root.join(&name).join("src")) {
            if line.len() + module.len() > WIDTH && line.trim() != format!("{name}/src") {
                text.push_str(line.trim_end());
                text.push('\n');
                line = " ".repeat(28);
            }
            line.push_str(&module);
            line.push(' ');
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[test]
fn module_lists_are_those_of_the_tree() {
    let (root, text) = (super::root(), super::text_of(MAP));
    let (before, rest) = text.split_once(LISTS).expect("the map has module lists");
    let mut parts = rest.splitn(3, "```");
    let (head, block, after) = (parts.next(), parts.next(), parts.next());
    let (Some(head), Some(block), Some(after)) = (head, block, after) else {
        panic!("{MAP}: no block under {LISTS}");
    };
    let expected = lists(&root);
    if std::env::var_os("TDNF_UPDATE_DOCS").is_some() {
        let text = format!("{before}{LISTS}{head}```\n{expected}```{after}");
        std::fs::write(root.join(MAP), text).expect("the map is ours");
        return;
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (is, must) = (lines(block.trim_start()), lines(&expected));
    assert!(
        is == must,
        "{MAP}, module lists (TDNF_UPDATE_DOCS=1 writes them):\nonly in the map: {:#?}\nonly in the tree: {:#?}",
        is.difference(&must),
        must.difference(&is)
    );
}
