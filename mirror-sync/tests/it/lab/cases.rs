//! Cases on loopback: nginx's limits and the relay.

use std::time::{Duration, Instant};

use testkit::relay::{Line, Relay};
use testkit::server::{Answer, Server};

use repo_client::FileRequest;

use super::job::{self, Outcome};
use super::net::Nginx;
use super::{at, full, rate, row, scaled};
use crate::transfer::{Shelf, noise};

/// One file behind nginx.
struct Far {
    shelf: Shelf,
    nginx: Nginx,
    size: usize,
}

impl Far {
    /// A file of so many bytes; `more` are directives for nginx.
    fn new(size: usize, more: &str) -> Self {
        let shelf = Shelf::new();
        shelf.put("f", &noise(size, 1));
        let nginx = Nginx::start(&shelf.www(), more);
        Self { shelf, nginx, size }
    }

    /// A line to it.
    fn line(&self, total: Option<u64>, each: Option<u64>) -> Relay {
        Relay::start(self.nginx.port, Line { total, each })
    }

    /// The file at these servers.
    fn wanted(&self, bases: &[String]) -> Vec<FileRequest> {
        at(&self.shelf, &["f".to_owned()], bases)
    }

    /// Gets the file, which must come whole.
    fn fetch(&self, bases: &[String], connections: usize) -> Outcome {
        whole(job::run(self.wanted(bases), connections), 1)
    }

    /// Kilobytes per second of a run.
    fn rate(&self, got: &Outcome) -> f64 {
        rate(self.size as u64, got.seconds)
    }

    /// Per cent of the file that a line carried twice.
    fn twice(&self, relay: &Relay) -> f64 {
        let size = self.size as u64;
        relay.bytes().saturating_sub(size) as f64 / size as f64 * 100.0
    }
}

fn whole(got: Outcome, files: u64) -> Outcome {
    assert_eq!((got.files, got.failed.as_str()), (files, ""), "{got:?}");
    got
}

#[test]
fn case_b_a_cap_per_connection() {
    let (size, each) = scaled((12_000_000, 50_000), (56_000_000, 5_000));
    let far = Far::new(size, &format!("limit_rate {each};"));
    let got = far.fetch(&[far.nginx.url("")], 16);
    let (limit, result) = (16.0 * each as f64 / 1000.0, far.rate(&got));
    row(
        "B",
        "cap per connection, 16 allowed",
        limit,
        result,
        "kB/s",
        &got,
    );
    assert!(
        result >= limit * scaled(0.80, 0.95),
        "{result} of {limit} kB/s: {got:?}"
    );
    assert!(
        got.limit.contains("per connection; 16 connections in use"),
        "{}",
        got.limit
    );
    // Segments of 256 kB; only at the end are they shared out in smaller pieces.
    let most = 2 * (size as u64 >> 18) + 16 * 8;
    assert!(got.requests <= most, "{got:?}");
}

#[test]
fn case_c_a_cap_per_client() {
    let (size, total) = scaled((1_200_000, 100_000), (2_400_000, 20_000));
    let far = Far::new(size, "");
    let relay = far.line(Some(total), None);
    let (got, late) = std::thread::scope(|scope| {
        let run = scope.spawn(|| far.fetch(&[relay.url("")], 16));
        let mut late = 0;
        let began = Instant::now();
        while !run.is_finished() {
            std::thread::sleep(Duration::from_millis(100));
            if began.elapsed() > Duration::from_secs(scaled(8, 15)) {
                late = late.max(relay.open());
            }
        }
        (run.join().unwrap(), late)
    });
    let (limit, result) = (total as f64 / 1000.0, far.rate(&got));
    row("C", "cap per client", limit, result, "kB/s", &got);
    assert!(
        result >= limit * scaled(0.96, 0.97),
        "{result} of {limit} kB/s: {got:?}"
    );
    assert!(late <= 2, "{late} connections are kept");
    assert!(got.limit.contains("one client"), "{}", got.limit);
}

#[test]
fn case_e_good_stale_and_corrupt_mirrors() {
    let rates = scaled([50_000, 200_000, 1_000_000], [5_000, 20_000, 100_000]);
    let shelf = Shelf::new();
    let (stale, corrupt) = (Server::start(&shelf.www()), Server::start(&shelf.www()));
    let mut names = Vec::new();
    let mut size = 0;
    for number in 0..60 {
        let (name, data) = (
            format!("f{number}"),
            noise(200_000 + number * 100, number as u64),
        );
        shelf.put(&name, &data);
        size += data.len() as u64;
        let mut wrong = data.clone();
        wrong[data.len() / 2] ^= 1;
        corrupt.always(&format!("/{name}"), Answer::body(wrong));
        stale.always(&format!("/{name}"), Answer::body(noise(190_000, 3)));
        names.push(name);
    }
    let nginx = Nginx::start(&shelf.www(), "");
    let relay = |total| {
        Relay::start(
            nginx.port,
            Line {
                total: Some(total),
                each: None,
            },
        )
    };
    let relays = rates.map(relay);
    let mut bases: Vec<String> = relays.iter().map(|relay| relay.url("")).collect();
    bases.extend([stale.url(""), corrupt.url("")]);
    let got = whole(job::run(at(&shelf, &names, &bases), 6), 60);
    let (limit, result) = (
        rates.iter().sum::<u64>() as f64 / 1000.0,
        rate(size, got.seconds),
    );
    row(
        "E",
        "3 capped mirrors, a stale and a corrupt one",
        limit,
        result,
        "kB/s",
        &got,
    );
    assert!(
        result >= limit * scaled(0.84, 0.90),
        "{result} of {limit} kB/s: {got:?}"
    );
    for (number, name) in names.iter().enumerate() {
        let data = std::fs::read(shelf.partial(name)).unwrap();
        assert!(
            data == noise(200_000 + number * 100, number as u64),
            "{name}"
        );
    }
    let wasted: u64 = got.bytes - size;
    assert!(wasted <= 600_000, "{wasted} bytes for nothing");
    assert!(
        corrupt.seen().len() <= 6,
        "the corrupt mirror is asked again and again"
    );
}

#[test]
fn case_f_resets_an_outage_and_connections_that_die_silently() {
    let (size, total) = scaled((6_000_000, 500_000), (56_000_000, 200_000));
    let far = Far::new(size, "");
    let relay = far.line(Some(total), None);
    let every = Duration::from_secs(scaled(3, 60));
    let outage = Duration::from_secs(scaled(2, 30));
    let got = std::thread::scope(|scope| {
        let run = scope.spawn(|| far.fetch(&[relay.url("")], 6));
        let mut step = 0;
        let mut next = Instant::now() + every;
        while !run.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
            if Instant::now() < next {
                continue;
            }
            match step {
                1 => {
                    relay.refuse(true);
                    relay.reset_all();
                    std::thread::sleep(outage);
                    relay.refuse(false);
                }
                2 => relay.freeze_all(),
                _ => relay.reset_all(),
            }
            step += 1;
            next = Instant::now() + every;
        }
        run.join().unwrap()
    });
    let twice = far.twice(&relay);
    row(
        "F",
        "resets, an outage, silence; fetched twice",
        2.0,
        twice,
        "%",
        &got,
    );
    assert!(twice <= 2.0, "{twice} % came twice: {got:?}");
}

#[test]
fn case_g_killed_again_and_again() {
    let (size, total) = scaled((3_600_000, 300_000), (56_000_000, 200_000));
    let every = Duration::from_secs(scaled(4, 30));
    let far = Far::new(size, "");
    let relay = far.line(Some(total), None);
    let wanted = far.wanted(&[relay.url("")]);
    let file = far.shelf.www().with_file_name("job");
    job::write(&file, &wanted, 6);
    let mut kills = 0;
    let output = loop {
        let command = std::process::Command::new(job::program());
        let mut child = job::client(command, &file).spawn().unwrap();
        let until = Instant::now() + every;
        let ended = loop {
            if child.try_wait().unwrap().is_some() {
                break true;
            }
            if Instant::now() >= until {
                child.kill().unwrap();
                break false;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        if ended {
            break child.wait_with_output().unwrap();
        }
        child.wait().unwrap();
        kills += 1;
        assert!(kills < 40, "no progress");
    };
    let got = whole(job::outcome(&output), 1);
    assert!(kills >= 2, "killed {kills} times only");
    assert!(std::fs::read(far.shelf.partial("f")).unwrap() == noise(size, 1));
    let twice = far.twice(&relay);
    row(
        "G",
        &format!("SIGKILL {kills} times; fetched twice"),
        2.0,
        twice,
        "%",
        &got,
    );
    assert!(twice <= 2.0, "{twice} % came twice");
}

#[test]
fn case_k_a_server_that_knows_no_ranges() {
    let far = Far::new(3_000_000, "max_ranges 0; limit_rate 600000;");
    let got = far.fetch(&[far.nginx.url("")], 6);
    row("K", "no ranges", 600.0, far.rate(&got), "kB/s", &got);
    let requests = far.nginx.requests();
    assert!(requests <= 3, "{requests} requests");
}

#[test]
fn case_l_a_mirror_that_trickles_beside_a_good_one() {
    let far = Far::new(scaled(4_000_000, 20_000_000), "");
    let (slow, good) = (far.line(None, Some(100)), far.line(None, Some(200_000)));
    let alone = far.fetch(&[good.url("")], 6);
    std::fs::remove_file(far.shelf.partial("f")).unwrap();
    let both = far.fetch(&[slow.url(""), good.url("")], 6);
    let penalty = both.seconds - alone.seconds;
    row(
        "L",
        "a slow-loris mirror first; penalty",
        10.0,
        penalty,
        "s",
        &both,
    );
    assert!(penalty <= 10.0, "{penalty} s more than without it");
}

#[test]
fn the_full_sizes_are_asked_for_by_name() {
    assert_eq!(full(), std::env::var("MIRROR_LAB").as_deref() == Ok("full"));
}
