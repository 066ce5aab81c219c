//! Where real input is, and what independent tools say of it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// `shared/fixtures/real` beside the checkout (or beside the folder of worktrees), or below
/// `TDNF_SHARED`; `None`, said aloud, when it is absent.
pub(crate) fn real() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut candidates: Vec<PathBuf> = root.ancestors().map(|dir| dir.join("shared")).collect();
    candidates.extend(std::env::var_os("TDNF_SHARED").map(PathBuf::from));
    let found = candidates
        .into_iter()
        .map(|dir| dir.join("fixtures/real"))
        .find(|dir| dir.is_dir());
    if found.is_none() {
        println!("skipped: no real fixtures");
    }
    found
}

/// Every regular file below a directory, by path.
pub(crate) fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.is_file() {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

/// Runs a tool; `None`, said aloud, when it is not installed. Panics if it fails.
pub(crate) fn run(tool: &str, args: &[&str], dir: &Path) -> Option<Vec<u8>> {
    let output = match Command::new(tool).args(args).current_dir(dir).output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: {tool}: {error}");
            return None;
        }
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {args:?}: {stderr}");
    Some(output.stdout)
}

/// What Python's expat makes of documents, one line per document: see `oracle.py`.
pub(crate) fn oracle(files: &[PathBuf]) -> Option<Vec<String>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/oracle.py");
    let mut args = vec![script.to_owned()];
    args.extend(files.iter().map(|file| file.to_str().unwrap().to_owned()));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let out = run("python3", &args, Path::new("/"))?;
    let lines: Vec<String> = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(lines.len(), files.len());
    Some(lines)
}
