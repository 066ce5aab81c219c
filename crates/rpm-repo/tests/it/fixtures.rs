//! What independent tools say of real input.

use std::path::{Path, PathBuf};
use std::process::Command;

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
