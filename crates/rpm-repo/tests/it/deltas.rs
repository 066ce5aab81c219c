//! Deltas of files that other programs packed.

use std::path::Path;
use std::process::Command;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_repo::compress::Expected;
use rpm_repo::delta::{self, Packing};

/// A text as primary is written: lines that repeat themselves and numbers that do not.
fn text() -> String {
    let mut random = fastrand::Rng::with_seed(1);
    let mut out = String::new();
    for number in 0..5_000 {
        let checksum = random.u64(..);
        out.push_str(&format!(
            "<package type=\"rpm\">\n  <name>name{number}</name>\n  <checksum>{checksum:016x}</checksum>\n"
        ));
    }
    out
}

fn pack(dir: &Path, program: &str, text: &str, name: &str) -> Option<Vec<u8>> {
    let plain = dir.join(name);
    std::fs::write(&plain, text).unwrap();
    let words: Vec<&str> = program.split(' ').collect();
    let output = Command::new(words[0])
        .args(&words[1..])
        .arg(&plain)
        .output()
        .ok()?;
    assert!(output.status.success(), "{program}: {output:?}");
    std::fs::write(&plain, &output.stdout).unwrap();
    Some(output.stdout)
}

/// What real programs packed can be had exactly, or it is said that it cannot.
#[test]
fn files_of_other_programs() {
    let dir = tempfile::tempdir().unwrap();
    let from = text();
    let to = from.replacen("name77<", "name-new<", 1);
    for program in [
        "cat",
        "gzip -c -6",
        "gzip -c -9",
        "zstd -q -c -10",
        "zstd -q -c -19",
        "xz -c -5",
        "bzip2 -c",
    ] {
        let Some(old) = pack(dir.path(), program, &from, "old") else {
            println!("skipped: no {program}");
            continue;
        };
        let new = pack(dir.path(), program, &to, "new").unwrap();
        let path = [dir.path().join("old"), dir.path().join("new")];
        let file = |at: usize, bytes: &[u8]| {
            let open = std::fs::File::open(&path[at]).unwrap();
            delta::File::new(open, Hasher::digest(DigestAlgo::Sha256, bytes))
        };
        let mut made = Vec::new();
        match delta::make(&file(0, &old), &file(1, &new), &mut made) {
            Err(delta::Error::NotExact) => {
                // zlib and GNU gzip make other choices than our compressor, other versions of zstd
                // may: docs/deltas.md says so.
                assert!(
                    program.contains("gzip") || program.contains("zstd"),
                    "{program}"
                );
                println!("{program}: not exact");
            }
            Err(error) => panic!("{program}: {error}"),
            Ok(_) => {
                let packing = Packing::of_file(&file(1, &new), to.len() as u64).unwrap();
                println!("{program}: {} bytes, {packing:?}", made.len());
                let expected = Expected {
                    size: Some(new.len() as u64),
                    checksum: Some(Hasher::digest(DigestAlgo::Sha256, &new)),
                    ..Expected::default()
                };
                let mut out = Vec::new();
                delta::apply(&old[..], &made[..], &expected, &mut out).unwrap();
                assert!(out == new, "{program}");
                assert!(made.len() < 600, "{program}: {}", made.len());
            }
        }
    }
}
