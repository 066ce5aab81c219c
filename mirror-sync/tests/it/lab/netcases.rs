//! Cases over a line of its own between two namespaces: rate, delay, loss.

use std::process::{Command, Output, Stdio};
use std::time::Instant;

use repo_client::FileRequest;
use repo_client::{Access, Tls};

use super::job::{self, Outcome};
use super::net::{Link, Nginx, Owned, Physics, certificate, first_line};
use super::{at, full, rate, row, scaled};
use crate::scene::Scene;
use crate::transfer::{Shelf, noise};
use testkit::program::Run;

/// Payload of a full packet: 1500 bytes less IP and TCP headers with timestamps.
const PAYLOAD: f64 = 1448.0 / 1500.0;

fn fetch(link: &Link, shelf: &Shelf, wanted: &[FileRequest], connections: usize) -> Outcome {
    let file = shelf.www().with_file_name("job");
    job::write(&file, wanted, connections);
    let output: Output = job::client(link.client.command(job::program()), &file)
        .output()
        .unwrap();
    let got = job::outcome(&output);
    assert_eq!(
        (got.files, got.failed.as_str()),
        (wanted.len() as u64, ""),
        "{got:?}"
    );
    got
}

/// The server gets another address in the middle of a run, and its name follows; the old address
/// answers nothing any more.
#[test]
fn case_f_another_address() {
    let size = scaled(6_000_000, 56_000_000);
    let shelf = Shelf::new();
    shelf.put("f", &noise(size, 1));
    let link = Link::new(Physics {
        bits: 8_000_000,
        delay: 10,
        loss: 0,
        queue: 200,
    });
    link.server
        .ip(&["addr", "add", "10.9.0.3/32", "dev", "far"]);
    // The way back stays when the old address goes.
    let back = ["route", "add", "10.9.0.1", "dev", "far", "metric", "50"];
    link.server.ip(&back);
    link.client.ip(&["route", "add", "10.9.0.3", "dev", "near"]);
    let nginx = Nginx::start_in(&link.server, &shelf.www(), "");
    let address = shelf.www().with_file_name("address");
    std::fs::write(&address, "10.9.0.2").unwrap();
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/lab/names.py");
    let mut names = link.client.command("python3");
    names.arg(script).arg(&address).stdout(Stdio::piped());
    let mut names = Owned(names.spawn().unwrap());
    first_line(&mut names.0);
    let resolv = shelf.www().with_file_name("resolv.conf");
    std::fs::write(&resolv, "nameserver 127.0.0.1\n").unwrap();
    let file = shelf.www().with_file_name("job");
    let bases = ["http://mirror.example".to_owned()];
    job::write(&file, &at(&shelf, &["f".to_owned()], &bases), 6);
    let mut command = link.client.command("unshare");
    let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script]).arg(&resolv);
    command.arg(job::program());
    let child = job::client(command, &file).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(3));
    std::fs::write(&address, "10.9.0.3").unwrap();
    link.server.ip(&[
        "addr",
        "del",
        "10.9.0.2/32",
        "peer",
        "10.9.0.1",
        "dev",
        "far",
    ]);
    let got = job::outcome(&child.wait_with_output().unwrap());
    assert_eq!((got.files, got.failed.as_str()), (1, ""), "{got:?}");
    let best = size as f64 / (1_000_000.0 * PAYLOAD);
    let penalty = got.seconds - best;
    row(
        "F",
        "another address in the middle; penalty",
        15.0,
        penalty,
        "s",
        &got,
    );
    let twice = got.bytes.saturating_sub(size as u64);
    assert!(twice * 50 <= size as u64, "{twice} bytes came twice");
    assert!(penalty <= 15.0, "{penalty} s: {got:?}");
    drop(nginx);
}

fn base() -> Vec<String> {
    vec!["http://10.9.0.2".to_owned()]
}

#[test]
fn case_a_a_full_line() {
    let (bits, size) = scaled((10_000_000, 12_000_000), (100_000_000, 1_000_000_000));
    let shelf = Shelf::new();
    shelf.put("f", &noise(size, 1));
    let link = Link::new(Physics {
        bits,
        delay: 10,
        loss: 0,
        queue: 200,
    });
    let _nginx = Nginx::start_in(&link.server, &shelf.www(), "");
    let got = fetch(&link, &shelf, &at(&shelf, &["f".to_owned()], &base()), 6);
    let (limit, result) = (
        bits as f64 / 8000.0 * PAYLOAD,
        rate(size as u64, got.seconds),
    );
    row("A", "full line, RTT 20 ms", limit, result, "kB/s", &got);
    assert!(
        result >= limit * scaled(0.92, 0.97),
        "{result} of {limit} kB/s: {got:?}"
    );
    // A line with a short queue looks like a server that limits each client; the words say so.
    let words = got.limit.as_str();
    assert!(
        words.contains("line is full") || words.contains("full line"),
        "{words}"
    );
}

/// Rate of so many raw curl streams at once, each on its own part of the file.
fn raw(link: &Link, size: usize, streams: usize, seconds: u64) -> f64 {
    let part = size / streams;
    let began = Instant::now();
    let children: Vec<_> = (0..streams)
        .map(|at| {
            let mut command: Command = link.client.command("curl");
            let range = format!("{}-{}", at * part, (at + 1) * part - 1);
            command.args([
                "-s",
                "-o",
                "/dev/null",
                "-w",
                "%{size_download}",
                "-m",
                &seconds.to_string(),
                "-r",
                &range,
            ]);
            command.arg("http://10.9.0.2/f").stdout(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let count = |child: std::process::Child| {
        let output = child.wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse::<u64>()
            .unwrap_or(0)
    };
    let bytes: u64 = children.into_iter().map(count).sum();
    rate(bytes, began.elapsed().as_secs_f64())
}

/// docs/threats.md, row 82.
#[test]
fn case_d_loss() {
    for loss in scaled(vec![5], vec![2, 5, 10]) {
        let shelf = Shelf::new();
        let size = scaled(6_000_000, 56_000_000);
        shelf.put("f", &noise(size, 1));
        let link = Link::new(Physics {
            bits: 10_000_000,
            delay: 125,
            loss,
            queue: 200,
        });
        let _nginx = Nginx::start_in(&link.server, &shelf.www(), "");
        let tries = scaled(vec![16], vec![1, 2, 4, 8, 16, 32]);
        let most = tries.last().copied().unwrap_or(1);
        let best = tries
            .iter()
            .map(|n| raw(&link, size, *n, scaled(6, 30)))
            .fold(0.0, f64::max);
        let wanted = at(&shelf, &["f".to_owned()], &base());
        let got = fetch(&link, &shelf, &wanted, most);
        let result = rate(size as u64, got.seconds);
        row(
            "D",
            &format!("{loss} % loss, RTT 250 ms, 10 Mbit"),
            best,
            result,
            "kB/s",
            &got,
        );
        assert!(
            result >= best * scaled(0.50, 0.90),
            "{result} of {best} kB/s: {got:?}"
        );
        // A short run may end before anything is settled; then nothing is claimed.
        let words = got.limit.as_str();
        let honest = words == "no limit found" && !full();
        assert!(honest || words.contains("packets are lost"), "{words}");
    }
}

/// docs/threats.md, row 82.
#[test]
fn case_h_many_small_files_far_away() {
    let (count, size) = scaled((300, 20_000), (2000, 100_000));
    let shelf = Shelf::new();
    let names: Vec<String> = (0..count).map(|number| format!("f{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        shelf.put(name, &noise(size, number as u64));
    }
    let link = Link::new(Physics {
        bits: 50_000_000,
        delay: 125,
        loss: 0,
        queue: 200,
    });
    let tls = tempfile::tempdir().unwrap();
    certificate(tls.path());
    let _nginx = Nginx::start_secure_in(&link.server, &shelf.www(), tls.path());
    let line = (count * size) as f64 / (50_000_000.0 / 8.0 * PAYLOAD);
    let mark = |case: &str, limit: f64, mark: f64, got: &Outcome| {
        let setup = format!("{count} files of {size} bytes, RTT 250 ms, {case}");
        row("H", &setup, 1.0 / limit, 1.0 / got.seconds, "/s", got);
        let best = got.seconds * mark;
        assert!(
            limit >= best,
            "{} s, at best {limit} s: {got:?}",
            got.seconds
        );
    };
    // Requests share a connection: the line is full, or thirty-two at a time wait for their answers.
    let mut wanted = at(&shelf, &names, &["https://10.9.0.2".to_owned()]);
    trust(&mut wanted, &tls.path().join("cert.pem"));
    let got = fetch(&link, &shelf, &wanted, 6);
    let limit = line.max(0.25 * count as f64 / 32.0);
    mark("HTTP/2", limit, scaled(0.45, 0.85), &got);
    // A request for each connection: the six ask, wait and receive together, so waiting and receiving
    // cannot overlap.
    for one in &wanted {
        std::fs::remove_file(&one.dest).unwrap();
    }
    let got = fetch(&link, &shelf, &at(&shelf, &names, &base()), 6);
    mark(
        "HTTP/1.1",
        line + 0.25 * count as f64 / 6.0,
        scaled(0.45, 0.85),
        &got,
    );
    assert!(got.limit.contains("waits"), "{}", got.limit);
}

/// Makes the certificate of the server one that is trusted.
fn trust(wanted: &mut [FileRequest], ca: &std::path::Path) {
    let access = std::sync::Arc::new(Access {
        tls: Tls {
            ca: Some(ca.to_owned()),
            ..Tls::default()
        },
        ..Access::default()
    });
    for one in wanted {
        one.access = std::sync::Arc::clone(&access);
    }
}

/// A large file is fetched over connections of its own, though the server would carry all of its
/// pieces over one: what limits each connection is met with more of them.
#[test]
fn pieces_of_a_large_file_share_no_connection() {
    let size = 6_000_000;
    let shelf = Shelf::new();
    shelf.put("f", &noise(size, 1));
    let link = Link::new(Physics {
        bits: 10_000_000,
        delay: 20,
        loss: 0,
        queue: 200,
    });
    let tls = tempfile::tempdir().unwrap();
    certificate(tls.path());
    let nginx = Nginx::start_secure_in(&link.server, &shelf.www(), tls.path());
    let mut wanted = at(&shelf, &["f".to_owned()], &["https://10.9.0.2".to_owned()]);
    trust(&mut wanted, &tls.path().join("cert.pem"));
    let got = fetch(&link, &shelf, &wanted, 6);
    let log = nginx.log();
    let pieces: Vec<&str> = log
        .iter()
        .filter(|line| line.ends_with(" /f"))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    let connections: std::collections::BTreeSet<&&str> = pieces.iter().collect();
    assert!(pieces.len() > 1 && got.connections > 1, "{log:?} {got:?}");
    assert!(connections.len() >= got.connections, "{log:?} {got:?}");
}

#[test]
fn case_i_nothing_new() {
    let scene = Scene::usual();
    scene.config_text(&format!(
        "[mirror]\npath = {:?}\n[repo.base]\nbaseurl = \"http://10.9.0.2/base\"\n",
        scene.path("mirror")
    ));
    let round_trip = 0.25;
    let link = Link::new(Physics {
        bits: 50_000_000,
        delay: 125,
        loss: 0,
        queue: 200,
    });
    let nginx = Nginx::start_in(&link.server, &scene.path("up"), "");
    let sync = || {
        let mut command = link.client.command(env!("CARGO_BIN_EXE_mirror-sync"));
        command.arg("--config").arg(scene.path("mirror.toml"));
        let began = Instant::now();
        let run = Run::of(command.arg("sync").output().unwrap());
        (run, began.elapsed().as_secs_f64())
    };
    sync().0.ends(0);
    let before = nginx.requests();
    let (run, seconds) = sync();
    run.ends(3);
    let requests = nginx.requests() - before;
    let got = Outcome {
        seconds,
        requests: requests as u64,
        connections: 1,
        limit: "nothing new".to_owned(),
        ..Outcome::default()
    };
    let limit = 2.0 * round_trip;
    row("I", "nothing new, RTT 250 ms", limit, seconds, "s", &got);
    assert!(requests <= 2, "{requests} requests");
    assert!(seconds <= 1.0, "{seconds} s");
}
