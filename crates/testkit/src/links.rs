//! Links in the place of what a program makes.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::program::Run;
use crate::tree;

/// What links lead to in the place of a folder, of a file, and of what may be either.
const FOLDER: [&str; 2] = ["folder", "free"];
const FILE: [&str; 2] = ["precious", "free"];
const ANY: [&str; 3] = ["folder", "precious", "free"];

/// What is done in a folder, step by step.
pub type Work<'a> = dyn Fn(&Path) -> Vec<Run> + 'a;

/// Lets `work` run once in a folder that `fresh` fills, and then once for each file and folder that it made there (of
/// those that differ in a number or a digest of their paths, one), with a link in its place: to something that exists outside, and to something that does not. Each run may succeed or
/// fail. `between` are further names, which are gone when it has ended. Says how many links were tried.
///
/// # Panics
/// Something outside has changed; a run was killed or panicked.
pub fn planted(fresh: &dyn Fn(&Path), work: &Work<'_>, between: &[&str]) -> usize {
    let stage = tempfile::tempdir().expect("a folder");
    let honest = stage.path().join("honest");
    fresh(&honest);
    let before = names(&honest);
    for run in work(&honest) {
        run.ok();
    }
    let outside = stage.path().join("outside");
    let mut seen = BTreeSet::new();
    let mut made: Vec<(PathBuf, &[&str])> = Vec::new();
    for path in names(&honest).difference(&before) {
        if seen.insert(form(path)) {
            let folder = honest.join(path).is_dir();
            made.push((path.clone(), if folder { &FOLDER } else { &FILE }));
        }
    }
    made.extend(between.iter().map(|path| (PathBuf::from(path), &ANY[..])));
    let mut tried = 0;
    for (path, targets) in &made {
        for target in *targets {
            fill(&outside);
            let before = tree::read(&outside, &|_| false);
            let root = stage.path().join("root");
            fresh(&root);
            let place = root.join(path);
            fs::create_dir_all(place.parent().expect("it is below the folder")).expect("ours");
            symlink(outside.join(target), &place).expect("nothing is there");
            let runs = work(&root);
            let text: String = runs.iter().map(Run::text).collect();
            let fine = runs.iter().all(|run| run.code >= 0);
            assert!(
                fine && !text.contains("panicked"),
                "{}: {text}",
                path.display()
            );
            let changed = tree::differences(&before, &tree::read(&outside, &|_| false));
            assert!(
                changed.is_empty(),
                "{} -> {target}: {changed:#?}\n{text}",
                path.display()
            );
            fs::remove_dir_all(&root).expect("ours");
            tried += 1;
        }
    }
    tried
}

/// A path with `#` for each number and digest.
fn form(path: &Path) -> String {
    let text = path.to_string_lossy();
    let word = |word: &str| match word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => "#".to_owned(),
        false => word.to_owned(),
    };
    let parts: Vec<String> = text.split(['/', '-', '.']).map(word).collect();
    parts.join("/")
}

fn names(root: &Path) -> BTreeSet<PathBuf> {
    tree::read(root, &|_| false).into_keys().collect()
}

/// What is nobody's business, with names that programs of repositories look for.
fn fill(outside: &Path) {
    let _ = fs::remove_dir_all(outside);
    let folder = outside.join("folder");
    fs::create_dir_all(folder.join("repodata/inner")).expect("ours");
    let content = vec![b'p'; 5000];
    let inner = folder.join("repodata/inner/file");
    for file in [outside.join("precious"), folder.join("primary"), inner] {
        fs::write(file, &content).expect("ours");
    }
}
