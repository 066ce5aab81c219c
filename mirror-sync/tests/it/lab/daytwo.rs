//! Case J: the metadata of the next day. The limit is what has changed: `diff OLD NEW | zstd -19` of the opened
//! files; the result is what the web server's log says was sent of repodata, index and all.
//!
//! The small form has packages of our own: one in twenty is rebuilt. The full form (`MIRROR_LAB=full`) takes the
//! 65,484 packages of the development cache, if they are there, in createrepo_c's form of lines: one in a hundred is
//! rebuilt, with a new version, size, time and checksum, and a file.

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rpm_pkg::digest::{DigestAlgo, Hasher};
use rpm_repo::compress::{Decoder, Encoder, Format};
use rpm_repo::delta;
use rpm_repo::layout::Href;
use rpm_repo::repomd::{self, Repomd, RepomdRecord};
use whole_file::{Access, WholeFile};

use super::job::Outcome;
use super::net::Nginx;
use super::{full, row};
use crate::deltas::{create, put_day};
use crate::scene::Scene;

/// The mark: bytes received for a byte that has changed.
const MARK: f64 = 1.5;

/// The record files of a repository by their kind.
fn documents(repo: &Path) -> Vec<(String, PathBuf)> {
    let bytes = fs::read(repo.join("repodata/repomd.xml")).unwrap();
    let index = repomd::parse("repomd.xml", &bytes).unwrap();
    let path = |record: &RepomdRecord| (record.kind.clone(), repo.join(record.href.as_str()));
    index.records.iter().map(path).collect()
}

/// Opens the documents into a folder, named by their kinds.
fn open(repo: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for (kind, path) in documents(repo) {
        let mut text = Decoder::new(fs::File::open(path).unwrap(), "").unwrap();
        let mut file = fs::File::create(to.join(kind)).unwrap();
        std::io::copy(&mut text, &mut file).unwrap();
    }
}

/// `diff OLD NEW | zstd -19` of all documents, in bytes, by the real programs.
fn changed(old: &Path, new: &Path) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(new).unwrap().flatten() {
        let mut diff = Command::new("diff");
        diff.arg(old.join(entry.file_name())).arg(entry.path());
        let mut diff = diff.stdout(Stdio::piped()).spawn().unwrap();
        let mut zstd = Command::new("zstd");
        zstd.args(["-q", "-19", "-c"])
            .stdin(diff.stdout.take().unwrap());
        let packed = zstd.output().unwrap();
        assert!(packed.status.success() && diff.wait().unwrap().code() == Some(1));
        sum += packed.stdout.len() as u64;
    }
    sum
}

/// Requests and bytes that a log of nginx tells of repodata.
fn sent(log: &Path) -> (u64, u64) {
    let text = fs::read_to_string(log).unwrap();
    let lines = text.lines().filter(|line| line.contains("/repodata/"));
    let bytes = lines.map(|line| {
        let after = line.rsplit('"').nth(4).unwrap();
        after
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    });
    bytes.fold((0, 0), |(count, sum), bytes| (count + 1, sum + bytes))
}

/// A mirror has the first day; how many bytes does it need for the second one?
fn measure(scene: &Scene, setup: &str, select: &str, second: &dyn Fn()) {
    let (base, log) = (scene.path("up/base"), scene.path("access"));
    let more = format!("access_log {};", log.display());
    let nginx = Nginx::start(&scene.path("up"), &more);
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\n[repo.base]\nbaseurl = {:?}\n{select}",
        scene.path("mirror"),
        nginx.url("/base")
    ));
    scene.sync();
    open(&base, &scene.path("one"));
    second();
    open(&base, &scene.path("two"));
    fs::write(&log, "").unwrap();
    let report = scene.run(&["--json", "sync"]).ends(0).json();
    let repo = &report["repos"][0];
    assert!(repo["saved_bytes"].as_u64() > Some(0), "{report}");
    let (requests, bytes) = sent(&log);
    let limit = changed(&scene.path("one"), &scene.path("two"));
    let got = Outcome {
        requests,
        limit: format!("{} bytes saved", repo["saved_bytes"]),
        ..Outcome::default()
    };
    row("J", setup, limit as f64, bytes as f64, "B", &got);
    let log = fs::read_to_string(&log).unwrap();
    assert!(
        bytes as f64 <= MARK * limit as f64,
        "{bytes} of {limit}:\n{log}"
    );
    assert!(
        !log.contains("primary.xml") && !log.contains("filelists.xml"),
        "{log}"
    );
}

#[test]
fn case_j_the_next_day() {
    let scene = Scene::new();
    let base = scene.path("up/base");
    let day = |day: u32| {
        put_day(&base, day, 400, 20);
        create(&base, &[]);
    };
    day(1);
    measure(&scene, "400 packages, 20 of them rebuilt", "", &|| day(2));
    let big = testkit::fixtures::cache_dir().join("big");
    let cache = std::env::var_os("TDNF_CACHE").map(|dir| Path::new(&dir).join("big"));
    let big = cache.unwrap_or(big);
    if full() && big.join("repodata/repomd.xml").is_file() {
        let scene = Scene::new();
        let base = scene.path("up/base");
        state(&big, &base, &lines);
        let select = "[repo.base.select]\nexclude = [\"*\"]\n";
        measure(
            &scene,
            "65,484 packages, 655 of them rebuilt",
            select,
            &|| {
                let old = scene.path("up/old");
                fs::rename(&base, &old).unwrap();
                state(&old, &base, &rebuilt);
                offer(&old, &base);
            },
        );
    }
}

/// What becomes of a line of a document of this kind.
type Change<'a> = dyn Fn(&str, &[u8], &mut dyn Write) + 'a;

/// Writes a repository of metadata alone: each line of an old one as `change` has it, in gzip.
fn state(old: &Path, new: &Path, change: &Change<'_>) {
    fs::create_dir_all(new.join("repodata")).unwrap();
    let mut records = Vec::new();
    for (kind, path) in documents(old) {
        let text = Decoder::new(fs::File::open(path).unwrap(), "").unwrap();
        let mut text = BufReader::with_capacity(1 << 20, text);
        let made = new.join("repodata").join(&kind);
        let file = BufWriter::new(fs::File::create(&made).unwrap());
        let mut out = Encoder::new(file, Format::Gzip, DigestAlgo::Sha256).unwrap();
        let mut line = Vec::new();
        while text.read_until(b'\n', &mut line).unwrap() > 0 {
            change(&kind, &line, &mut out);
            line.clear();
        }
        let (mut file, written) = out.finish().unwrap();
        file.flush().unwrap();
        let href = format!("repodata/{}-{kind}.xml.gz", written.checksum.hex());
        fs::rename(&made, new.join(&href)).unwrap();
        records.push(RepomdRecord {
            kind,
            href: Href::parse(&href).unwrap(),
            base: None,
            checksum: Some(written.checksum),
            open_checksum: Some(written.open_checksum),
            size: Some(written.size),
            open_size: Some(written.open_size),
            timestamp: Some(1_700_000_000),
            database_version: None,
        });
    }
    let index = Repomd {
        revision: Some("1700000000".to_owned()),
        records,
        ..Repomd::default()
    };
    let mut bytes = Vec::new();
    repomd::write(&index, &mut bytes).unwrap();
    fs::write(new.join("repodata/repomd.xml"), bytes).unwrap();
}

/// One element in a line, as createrepo_c writes it.
fn lines(_: &str, line: &[u8], out: &mut dyn Write) {
    let mut from = 0;
    for at in 0..line.len().saturating_sub(1) {
        if line[at..].starts_with(b"><") {
            out.write_all(&line[from..=at]).unwrap();
            out.write_all(b"\n").unwrap();
            from = at + 1;
        }
    }
    out.write_all(&line[from..]).unwrap();
}

/// One package in a hundred as its next build has it. A package's lines are told by its name and its checksum,
/// which all three documents have.
fn rebuilt(kind: &str, line: &[u8], out: &mut dyn Write) {
    let text = std::str::from_utf8(line).unwrap();
    let number = PACKAGE.with(|package| package.borrow_mut().at(text));
    if number % 100 != 7 {
        return out.write_all(line).unwrap();
    }
    let seed = Hasher::digest(DigestAlgo::Sha256, format!("rebuilt {number}").as_bytes()).hex();
    let hex = |old: &str| text.replacen(old, &seed, 1);
    let between = |start: &str, end: &str| {
        let from = text.find(start)? + start.len();
        let length = text.get(from..)?.find(end)?;
        text.get(from..from + length)
    };
    let new = if text.starts_with("<checksum ") {
        hex(between(">", "<").unwrap())
    } else if text.starts_with("<package pkgid=") {
        hex(between("pkgid=\"", "\"").unwrap())
    } else if text.starts_with("<version ") {
        text.replacen("rel=\"", "rel=\"1.", 1)
    } else if text.starts_with("<time ") {
        text.replace(
            "\"1700000000\"",
            &format!("\"17000{:05}\"", number % 99_999),
        )
    } else if text.starts_with("<size ") {
        text.replacen("package=\"", "package=\"1", 1)
    } else if text.starts_with("<location ") {
        text.replacen(".rpm", ".1.rpm", 1)
    } else if text.starts_with("<rpm:entry ") && text.contains("flags=\"EQ\"") {
        text.replacen("rel=\"", "rel=\"1.", 1)
    } else if text.starts_with("<file>") && text.contains("changelog") {
        format!("{text}<file>/usr/share/doc/{}</file>\n", &seed[..12])
    } else {
        text.to_owned()
    };
    assert!(matches!(kind, "primary" | "filelists" | "other"));
    out.write_all(new.as_bytes()).unwrap();
}

thread_local! {
    static PACKAGE: std::cell::RefCell<Counter> = const { std::cell::RefCell::new(Counter(0)) };
}

/// Which package a line belongs to.
struct Counter(u64);

impl Counter {
    fn at(&mut self, line: &str) -> u64 {
        if line.starts_with("<?xml") {
            self.0 = 0;
        }
        if line.starts_with("<package ") {
            self.0 += 1;
        }
        self.0
    }
}

/// What `createrepo --deltas` does behind its documents.
fn offer(old: &Path, new: &Path) {
    let dir = new.join("repodata/deltas");
    fs::create_dir_all(&dir).unwrap();
    let sum = |path: &Path| {
        let file = BufReader::new(fs::File::open(path).unwrap());
        Hasher::digest_reader(DigestAlgo::Sha256, file).unwrap()
    };
    let mut offers = Vec::new();
    for ((kind, from), (_, to)) in documents(old).into_iter().zip(documents(new)) {
        let began = std::time::Instant::now();
        let file = |path: &Path| delta::File::new(fs::File::open(path).unwrap(), sum(path));
        let target = delta::DeltaTarget::new(file(&to)).unwrap();
        let path = dir.join(delta::file_name(&sum(&from), &sum(&to)));
        let new = WholeFile::new(&path, Access::Umask).unwrap();
        let offer = target.delta_in(new, &file(&from)).unwrap().unwrap();
        println!(
            "{kind}: {} bytes, made in {:.1} s",
            offer.size,
            began.elapsed().as_secs_f64()
        );
        offers.push(offer);
    }
    fs::write(new.join(delta::INDEX), delta::to_bytes(&offers).unwrap()).unwrap();
}
