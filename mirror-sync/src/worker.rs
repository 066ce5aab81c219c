//! Making and carrying out deltas in a process of its own, with limits, that can be lost.
//!
//! What a stranger sends may make a compressor's reconstruction take all memory or time, or panic
//! ([`rpm_repo::delta::Foreign`]). So the program starts itself again: the child sets its limits before it looks at
//! anything, and whatever ends it, the parent fetches the whole file or does without a delta.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cli_kit::{Mode, Printer};
use rpm_pkg::digest::Digest;
use rpm_repo::compress::{Expected, MAX_PACKED_SIZE};
use rpm_repo::delta::{self, Foreign, Offer};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::store::{digest_text, parse_digest};

/// The first word of a child.
pub(crate) const WORD: &str = "--delta-worker";
/// Address space of a child in bytes.
const MEMORY: u64 = 1 << 30;
/// Seconds of processor time of a child: some minutes are enough for 600 MB of text.
const SECONDS: u64 = 1800;

/// A file as it is stored.
pub(crate) type Stored = (PathBuf, Digest);

/// Makes the new file. If this returns well its checksum was compared.
///
/// # Errors
/// Why there is none.
pub(crate) fn apply(
    old: &Path,
    steps: &Path,
    out: &Path,
    expected: &Expected,
) -> Result<(), String> {
    let number = |size: Option<u64>| size.map_or_else(|| "-".to_owned(), |size| size.to_string());
    let mut command = child("apply");
    command.args([old, steps, out]);
    let digest = expected.checksum.ok_or("it has no checksum")?;
    command.args([
        digest_text(&digest),
        number(expected.size),
        number(expected.open_size),
    ]);
    answer(command).map(|_| ())
}

/// Makes deltas from old files to a new one, into a directory.
///
/// # Errors
/// Why there are none.
pub(crate) fn make(dir: &Path, new: &Stored, old: &[Stored]) -> Result<Vec<Offer>, String> {
    let mut command = child("make");
    command.arg(dir);
    for (path, digest) in std::iter::once(new).chain(old) {
        command.arg(path).arg(digest_text(digest));
    }
    let offer = |line: &str| {
        let mut words = line.split(' ');
        let from = parse_digest(words.next()?)?;
        let size = words.next()?.parse().ok()?;
        Offer::new(from, new.1, size, parse_digest(words.next()?)?).ok()
    };
    Ok(answer(command)?.lines().filter_map(offer).collect())
}

fn child(action: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .args([WORD, action])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// What the child said; its last line is the reason if it failed.
fn answer(mut command: Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let why = said.lines().last().map(str::to_owned);
    Err(why.unwrap_or_else(|| format!("it was given up: {}", output.status)))
}

/// The child. Its exit code.
pub(crate) fn run(words: &[String]) -> u8 {
    let printer = Printer::standard(Mode::default());
    match work(words, &printer) {
        Ok(()) => 0,
        Err(why) => {
            printer.crit(&why);
            1
        }
    }
}

fn work(words: &[String], printer: &Printer) -> Result<(), String> {
    limit(Resource::As, MEMORY)?;
    limit(Resource::Cpu, SECONDS)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, MAX_PACKED_SIZE)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["apply", old, steps, out, digest, size, open] => {
            let expected = Expected {
                size: size.parse().ok(),
                checksum: parse_digest(digest),
                open_size: open.parse().ok(),
                open_checksum: None,
            };
            let open = |path: &str| File::open(path).map_err(|error| error.to_string());
            let file = File::create(out).map_err(|error| error.to_string())?;
            let (old, steps, out) = (open(old)?, open(steps)?, BufWriter::new(file));
            delta::apply(old, steps, &expected, Foreign::Taken, out).map_err(|e| e.to_string())
        }
        ["make", dir, new, to, old @ ..] => {
            let to = parse_digest(to).ok_or("no digest")?;
            make_here(Path::new(dir), (Path::new(new), to), old, printer)
        }
        _ => Err("unknown words".to_owned()),
    }
}

fn make_here(
    dir: &Path,
    (path, digest): (&Path, Digest),
    old: &[&str],
    printer: &Printer,
) -> Result<(), String> {
    let file = delta::File { path, digest };
    let target = delta::Target::new(file, Foreign::Taken).map_err(|error| error.to_string())?;
    for pair in old.chunks_exact(2) {
        let [path, from] = pair else { continue };
        let digest = parse_digest(from).ok_or("no digest")?;
        let path = Path::new(path);
        let made = target.delta_in(dir, &delta::File { path, digest });
        if let Some((offer, _)) = made.map_err(|error| error.to_string())? {
            let sum = digest_text(&offer.digest);
            printer.crit(&format!("{from} {} {sum}", offer.size));
        }
    }
    Ok(())
}

fn limit(what: Resource, most: u64) -> Result<(), String> {
    let both = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(what, both).map_err(|error| format!("no limit could be set: {error}"))
}
