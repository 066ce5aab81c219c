//! What the documents say about the code is true: the map (ARCHITECTURE.md), the citations of documents in comments,
//! the table of threats, and the steps of a change.

mod citations;
mod map;
mod steps;
mod threats;

use std::path::{Path, PathBuf};

/// The checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the checkout is there")
}

fn text_of(name: &str) -> String {
    let path = root().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust sources of the checkout: path from its root, and text.
fn sources() -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    for dir in [
        "crates",
        "tdnf",
        "repo-tools",
        "mirror-sync",
        "benches",
        "fuzz",
    ] {
        collect(&root.join(dir), &mut found);
    }
    found.sort();
    let text = |path: &PathBuf| {
        let name = path.strip_prefix(&root).expect("found below it");
        let text = std::fs::read_to_string(path).expect("a source is text");
        (name.to_string_lossy().into_owned(), text)
    };
    found.iter().map(text).collect()
}

fn collect(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a folder of the checkout") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}
