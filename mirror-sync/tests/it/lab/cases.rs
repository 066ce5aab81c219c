//! Cases on loopback: nginx's limits and the relay.

use std::time::{Duration, Instant};

use testkit::relay::{Line, Relay};
use testkit::server::{Answer, Server};

use super::job::{self, Outcome};
use super::net::Nginx;
use super::{at, full, rate, row, scaled};
use crate::transfer::{Shelf, noise};

fn one_file(size: usize) -> (Shelf, Vec<String>) {
    let shelf = Shelf::new();
    shelf.put("f", &noise(size, 1));
    (shelf, vec!["f".to_owned()])
}

fn whole(got: &Outcome, files: u64) {
    assert_eq!((got.files, got.failed.as_str()), (files, ""), "{got:?}");
}

#[test]
fn case_b_a_cap_per_connection() {
    let (size, each) = scaled((12_000_000, 50_000), (56_000_000, 5_000));
    let (shelf, names) = one_file(size);
    let nginx = Nginx::start(&shelf.www(), &format!("limit_rate {each};"));
    let got = job::run(at(&shelf, &names, &[nginx.url("")]), 16);
    whole(&got, 1);
    let (limit, result) = (16.0 * each as f64 / 1000.0, rate(size as u64, got.seconds));
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
}

#[test]
fn case_c_a_cap_per_client() {
    let (size, total) = scaled((1_200_000, 100_000), (2_400_000, 20_000));
    let (shelf, names) = one_file(size);
    let nginx = Nginx::start(&shelf.www(), "");
    let relay = Relay::start(
        nginx.port,
        Line {
            total: Some(total),
            each: None,
        },
    );
    let watch = std::thread::scope(|scope| {
        let run = scope.spawn(|| job::run(at(&shelf, &names, &[relay.url("")]), 16));
        let mut late = 0;
        let began = Instant::now();
        while !run.is_finished() {
            std::thread::sleep(Duration::from_millis(100));
            if began.elapsed() > Duration::from_secs(scaled(10, 60)) {
                late = late.max(relay.open());
            }
        }
        (run.join().unwrap(), late)
    });
    let (got, late) = watch;
    whole(&got, 1);
    let (limit, result) = (total as f64 / 1000.0, rate(size as u64, got.seconds));
    row("C", "cap per client", limit, result, "kB/s", &got);
    assert!(
        result >= limit * scaled(0.92, 0.97),
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
    let got = job::run(at(&shelf, &names, &bases), 6);
    whole(&got, 60);
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
        result >= limit * scaled(0.80, 0.90),
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
    let (shelf, names) = one_file(size);
    let nginx = Nginx::start(&shelf.www(), "");
    let relay = Relay::start(
        nginx.port,
        Line {
            total: Some(total),
            each: None,
        },
    );
    let every = Duration::from_secs(scaled(3, 60));
    let outage = Duration::from_secs(scaled(2, 30));
    let got = std::thread::scope(|scope| {
        let run = scope.spawn(|| job::run(at(&shelf, &names, &[relay.url("")]), 6));
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
    whole(&got, 1);
    let twice = relay.bytes().saturating_sub(size as u64) as f64 / size as f64 * 100.0;
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
    let (shelf, names) = one_file(size);
    let nginx = Nginx::start(&shelf.www(), "");
    let relay = Relay::start(
        nginx.port,
        Line {
            total: Some(total),
            each: None,
        },
    );
    let wanted = at(&shelf, &names, &[relay.url("")]);
    let file = shelf.www().with_file_name("job");
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
    let got = job::outcome(&output);
    whole(&got, 1);
    assert!(kills >= 2, "killed {kills} times only");
    assert!(std::fs::read(shelf.partial("f")).unwrap() == noise(size, 1));
    let twice = relay.bytes().saturating_sub(size as u64) as f64 / size as f64 * 100.0;
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
    let (shelf, names) = one_file(3_000_000);
    let nginx = Nginx::start(&shelf.www(), "max_ranges 0; limit_rate 600000;");
    let got = job::run(at(&shelf, &names, &[nginx.url("")]), 6);
    whole(&got, 1);
    row(
        "K",
        "no ranges",
        600.0,
        rate(3_000_000, got.seconds),
        "kB/s",
        &got,
    );
    assert!(nginx.requests() <= 3, "{} requests", nginx.requests());
}

#[test]
fn case_l_a_mirror_that_trickles_beside_a_good_one() {
    let (shelf, names) = one_file(scaled(4_000_000, 20_000_000));
    let nginx = Nginx::start(&shelf.www(), "");
    let line = |each| {
        Relay::start(
            nginx.port,
            Line {
                total: None,
                each: Some(each),
            },
        )
    };
    let (slow, good) = (line(100), line(200_000));
    let alone = job::run(at(&shelf, &names, &[good.url("")]), 6);
    whole(&alone, 1);
    std::fs::remove_file(shelf.partial("f")).unwrap();
    let both = job::run(at(&shelf, &names, &[slow.url(""), good.url("")]), 6);
    whole(&both, 1);
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
