//! Rows 89 and 90: the disk refuses one call, or every call from one on.

use testkit::step::{self, Call, Order};

use super::site::{Found, Scene, copy, possible, scene, upgrade};
use super::tally::{Tally, each, points};

/// Points of a sample, for each error and each way.
const SAMPLE: usize = 75;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Calls that need room on the disk.
fn needs_room(name: &str) -> bool {
    let names = [
        "open",
        "openat",
        "openat2",
        "creat",
        "write",
        "pwrite64",
        "writev",
        "pwritev",
        "pwritev2",
        "sendfile",
        "copy_file_range",
        "ftruncate",
        "fallocate",
        "fsync",
        "fdatasync",
        "syncfs",
        "rename",
        "renameat",
        "renameat2",
        "link",
        "linkat",
        "symlink",
        "symlinkat",
        "mkdir",
        "mkdirat",
        "mknod",
        "mknodat",
        "fsetxattr",
    ];
    names.contains(&name)
}

/// One refused call, or all from one on.
#[derive(Clone, Copy, Debug)]
struct Fault {
    point: usize,
    errno: i32,
    /// Every later call is refused as well: a disk that stays full, or a dead one.
    stays: bool,
}

impl Fault {
    fn meets(&self, call: &Call) -> bool {
        let now = call.number == self.point || (self.stays && call.number > self.point);
        now && call.own && (self.errno == EIO || needs_room(call.name))
    }
}

/// The state is what the program said of it, and the next start finds nothing or sets it right.
fn tried(scene: &Scene, fault: Fault, tally: &Tally) {
    let root = copy(scene.base());
    let mut met = String::new();
    let run = step::run(&upgrade(root.path()), root.path(), &mut |call| {
        if !fault.meets(call) {
            return Order::Go;
        }
        if met.is_empty() {
            met = call.to_string();
        }
        Order::Fail(fault.errno)
    });
    if met.is_empty() {
        return;
    }
    let name = format!("{fault:?} at {met}");
    tally.note(
        &name,
        verdict(scene, root.path(), &run).map_err(|why| format!("{why}\nit said: {}", run.output)),
    );
}

fn verdict(scene: &Scene, root: &std::path::Path, run: &step::Ended) -> Result<Found, String> {
    if run.output.contains("panicked") {
        return Err("it panicked".to_owned());
    }
    let code = run.code.ok_or("it was killed by a signal")?;
    let errors = run
        .output
        .lines()
        .filter(|line| line.starts_with("Error("))
        .count();
    if code != 0 && errors != 1 {
        return Err(format!("code {code}, but {errors} lines of error"));
    }
    // The second is said where the database answered its commit with an error and nothing could be undone.
    let said_done = [
        "everything was installed",
        "the next start undoes or completes it",
    ]
    .iter()
    .any(|words| run.output.contains(words));
    let found = scene.judge(root)?;
    match (found, code) {
        (Found::Old, 0) => Err("it said all is well, and the old system is there".to_owned()),
        (Found::New, code) if code != 0 && !said_done => Err(format!(
            "code {code}, and the new system is there without a word about it"
        )),
        _ => Ok(found),
    }
}

fn faults(errno: i32, stays: bool, what: &str) {
    if !possible() {
        return;
    }
    let scene = scene();
    let tally = Tally::default();
    let met = |(name, own): &(&str, bool)| *own && (errno == EIO || needs_room(name));
    let numbered = scene.calls.iter().zip(1..);
    let eligible: Vec<usize> = numbered
        .filter(|(call, _)| met(call))
        .map(|(_, n)| n)
        .collect();
    each(&points(eligible.len(), SAMPLE), &|point| {
        let fault = Fault {
            point: eligible[point - 1],
            errno,
            stays,
        };
        tried(scene, fault, &tally);
    });
    tally.tell(what);
}

#[test]
fn row_89_enospc_at_every_call() {
    faults(ENOSPC, false, "one call answered with ENOSPC");
}

#[test]
fn row_89_enospc_from_every_call_on() {
    faults(ENOSPC, true, "all calls from one on answered with ENOSPC");
}

#[test]
fn row_90_eio_at_every_call() {
    faults(EIO, false, "one call answered with EIO");
}

#[test]
fn row_90_eio_from_every_call_on() {
    faults(EIO, true, "all calls from one on answered with EIO");
}
