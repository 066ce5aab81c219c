//! `bundle apply`: bundles that were made honestly, and who carries them.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fastrand::Rng;
use testkit::program::{self, Run};
use testkit::tree;

use super::members::Carried;
use super::{Hunted, Outcome, Shown, behaved, shown};
use crate::gap::Gap;

/// Two bundles of one site, one of another, and what the site shows after each.
pub(super) struct Carrier {
    gap: Gap,
    /// All there is, in one part.
    first: Vec<Vec<u8>>,
    /// What is new, in several.
    second: Vec<Vec<u8>>,
    stranger: Vec<Vec<u8>>,
    after_first: Shown,
    after_second: Shown,
}

/// An isolated site of one hunt.
struct Site<'a> {
    gap: &'a Gap,
    dir: PathBuf,
}

impl Carrier {
    pub(super) fn new() -> Self {
        let gap = Gap::new();
        let read = |parts: Vec<String>| -> Vec<Vec<u8>> {
            parts.iter().map(|part| fs::read(part).unwrap()).collect()
        };
        let first = gap.make(&["--site", "ship"]);
        gap.apply(&first).ends(0);
        let published = || shown(&gap.path("inside/public/base"));
        let after_first = published();
        tree::copy(&gap.path("inside"), &gap.path("applied"));
        let receipt = gap.path("receipt.json");
        let receipt = receipt.to_str().unwrap();
        gap.inside(&["bundle", "receipt", "--output", receipt])
            .ends(0);
        gap.put("delta", "1", "");
        gap.put("gamma", "2", "");
        gap.publish();
        let second = gap.make(&["--receipt", receipt, "--split", "30k"]);
        assert!(second.len() > 1, "{second:?}");
        gap.apply(&second).ends(0);
        let after_second = published();
        assert_ne!(after_first, after_second);
        let stranger = gap.make(&["--site", "island"]);
        Self {
            first: read(first),
            second: read(second),
            stranger: read(stranger),
            after_first,
            after_second,
            gap,
        }
    }

    /// `bundle apply`.
    pub(super) fn apply(&self, seed: u64) -> Hunted {
        let mut random = Rng::with_seed(seed);
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::write(&outside, "precious").unwrap();
        let site = Site {
            gap: &self.gap,
            dir: dir.path().join("site"),
        };
        let is_second = random.bool();
        let (honest, right) = match is_second {
            true => (&self.second, &self.after_second),
            false => (&self.first, &self.after_first),
        };
        let mut told = format!("second {is_second}");
        if is_second {
            tree::copy(&self.gap.path("applied"), &site.dir);
        }
        let parts = self.carried(honest, is_second, &outside, &mut random, &mut told);
        let carried = written(dir.path(), "bad", &parts);
        let before = site.state();
        let run = site.apply(&carried);
        let fault = |what: String| Err(format!("{what}: {told}: {}", run.text()));
        if let Err(what) = behaved(&run) {
            return fault(what);
        }
        if fs::read(&outside).unwrap() != b"precious" {
            return fault("wrote outside".to_owned());
        }
        let now = shown(&site.dir.join("public/base"));
        if run.code == 0 {
            return match now == *right {
                true => Ok(Outcome::Right),
                false => fault(format!("published {:?}", now.keys())),
            };
        }
        let changed = tree::differences(&before, &site.state());
        if !changed.is_empty() {
            return fault(format!("changed {changed:#?}"));
        }
        let lines = run.err.lines();
        if run.code != 1 || !run.err.contains("nothing was applied") || lines.count() > 3 {
            return fault(format!("exit code {}, no clear error", run.code));
        }
        let again = site.apply(&written(dir.path(), "good", honest));
        let now = shown(&site.dir.join("public/base"));
        match again.code == 0 && now == *right {
            true => Ok(Outcome::Refused),
            false => fault(format!("an honest bundle afterwards: {}", again.text())),
        }
    }

    /// What arrives of a bundle.
    fn carried(
        &self,
        honest: &[Vec<u8>],
        is_second: bool,
        outside: &Path,
        random: &mut Rng,
        told: &mut String,
    ) -> Vec<Vec<u8>> {
        let mut parts = honest.to_vec();
        let at = random.usize(..parts.len());
        // Another bundle, or other parts.
        let other = random.usize(..12);
        *told += &format!(", way {other}");
        match other {
            0 => return self.stranger.clone(),
            // Once more, or too early.
            1 if is_second => return self.first.clone(),
            1 => return self.second.clone(),
            2 => parts.push(self.stranger[0].clone()),
            3 => parts.push(parts[at].clone()),
            4 if is_second => drop(parts.remove(at)),
            5 => parts.reverse(),
            _ => {
                for _ in 0..random.usize(1..=2) {
                    let at = random.usize(..parts.len());
                    let attack = Carried::draw(random);
                    *told += &format!(", {attack:?} of part {at}");
                    let outside = outside.to_str().unwrap();
                    parts[at] = attack.arrives(&honest[at], outside, random);
                }
            }
        }
        parts
    }
}

fn written(dir: &Path, name: &str, parts: &[Vec<u8>]) -> Vec<PathBuf> {
    let parts = parts.iter().enumerate();
    parts
        .map(|(number, bytes)| {
            let path = dir.join(format!("{name}-{number}"));
            sparse(&path, bytes);
            path
        })
        .collect()
}

/// Writes a file whose zeros take no room.
fn sparse(path: &Path, bytes: &[u8]) {
    const PIECE: usize = 1 << 20;
    let file = File::create(path).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    for (number, piece) in bytes.chunks(PIECE).enumerate() {
        if piece.iter().any(|byte| *byte != 0) {
            file.write_all_at(piece, (number * PIECE) as u64).unwrap();
        }
    }
}

impl Site<'_> {
    fn apply(&self, parts: &[PathBuf]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mirror-sync"));
        command
            .arg("--config")
            .arg(self.gap.path("inside.toml"))
            .arg("--set")
            .arg(format!("mirror.path={:?}", self.dir))
            .args(["bundle", "apply"])
            .args(parts)
            .stdin(Stdio::null())
            .env("LC_ALL", "C.UTF-8");
        program::measured(&command)
    }

    /// All but the lock, which every run takes, and folders.
    fn state(&self) -> std::collections::BTreeMap<PathBuf, tree::Entry> {
        fs::create_dir_all(&self.dir).unwrap();
        let mut state = tree::read(&self.dir, &|path| path == Path::new("lock"));
        state.retain(|_, entry| entry.kind != "dir");
        state
    }
}
