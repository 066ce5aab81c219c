//! One file over several connections and servers, and which servers are asked at all.

use std::sync::Arc;
use std::time::Duration;

use repo_client::{FileRequest, TransferLimits, fetch};
use testkit::server::{Answer, Server};

use crate::fixture::{Log, Site, access, client, fetch_each, fetch_one, noise};

/// So slow that a file of a megabyte lasts for seconds.
fn slow() -> Answer {
    Answer {
        pieces: Some((8 << 10, Duration::from_millis(40))),
        ..Answer::default()
    }
}

/// Where nobody listens.
fn nowhere() -> String {
    let site = Site::new();
    site.server.url("")
}

fn at(request: &FileRequest, bases: &[&str]) -> FileRequest {
    let name = &request.label;
    FileRequest {
        urls: bases.iter().map(|base| format!("{base}/{name}")).collect(),
        ..request.clone()
    }
}

#[test]
fn a_slow_connection_gets_others_beside_it_but_no_more_than_may_be() {
    let body = noise(1_200_000);
    for most in [usize::MAX, 1] {
        let site = Site::new();
        site.put("f", &body);
        site.server.always("/f", slow());
        let limits = TransferLimits {
            connections: most,
            ..TransferLimits::hasty()
        };
        let done = fetch(
            &client(),
            vec![site.request("f", &body)],
            &limits,
            &Log::default(),
        );
        assert_eq!(
            std::fs::read(&done[0].as_ref().unwrap().path).unwrap(),
            body
        );
        let asked = site.server.seen().len();
        assert_eq!(asked > 1, most > 1, "{asked} requests");
    }
}

#[test]
fn another_server_helps_where_the_first_is_slow_and_is_left_alone_where_it_is_fast() {
    let body = noise(1_200_000);
    let site = Site::new();
    site.put("f", &body);
    let other = Server::start(site.www());
    let request = site.request("f", &body);
    let request = at(&request, &[&site.server.url(""), &other.url("")]);
    let limits = TransferLimits {
        connections_per_host: 1,
        ..TransferLimits::hasty()
    };
    let get = |log: &Log| {
        let done = fetch(&client(), vec![request.clone()], &limits, log)
            .remove(0)
            .unwrap();
        assert_eq!(std::fs::read(&done.path).unwrap(), body);
        std::fs::remove_file(&done.path).unwrap();
    };
    get(&Log::default());
    assert!(other.seen().is_empty());
    site.server.always("/f", slow());
    let log = Log::default();
    get(&log);
    assert!(!other.seen().is_empty());
    assert!(!log.text().contains("MirrorFailed"), "{}", log.text());
}

#[test]
fn a_server_that_cannot_be_reached_is_asked_once_and_said_once() {
    let site = Site::new();
    let dead = nowhere();
    let bodies: Vec<Vec<u8>> = (0..20).map(|n| noise(20_000 + n)).collect();
    let all: Vec<FileRequest> = bodies
        .iter()
        .enumerate()
        .map(|(n, body)| {
            let name = format!("f{n}");
            site.put(&name, body);
            at(&site.request(&name, body), &[&dead, &site.server.url("")])
        })
        .collect();
    let (client, log) = (client(), Log::default());
    let (first, second) = all.split_at(10);
    for part in [first, second] {
        let done = fetch_each(&client, part.to_vec(), &log);
        assert!(done.iter().all(Result::is_ok), "{done:?}");
    }
    assert_eq!(
        log.text().matches("MirrorFailed").count(),
        1,
        "{}",
        log.text()
    );
    // What it alone has is asked of it all the same.
    let only = at(&site.request("g", b"x"), &[&dead]);
    let failed = fetch_one(&client, &only, &log);
    let error = failed.unwrap_err().to_string();
    assert!(error.contains(&dead) && error.contains("onnect"), "{error}");
}

#[test]
fn the_fastest_server_of_earlier_runs_is_asked_first() {
    let site = Site::new();
    let body = noise(5000);
    site.put("f", &body);
    let other = Server::start(site.www());
    let request = site.request("f", &body);
    let request = at(&request, &[&site.server.url(""), &other.url("")]);
    let client = client();
    client.recall_rate(&site.server.url(""), 100_000);
    client.recall_rate(&other.url(""), 10_000_000);
    let done = fetch_each(&client, vec![request], &Log::default());
    assert!(done[0].is_ok(), "{done:?}");
    assert!(site.server.seen().is_empty());
    assert_eq!(other.seen().len(), 1);
}

#[test]
fn what_a_server_gave_is_known_afterwards() {
    let site = Site::new();
    let body = noise(1_000_000);
    site.put("f", &body);
    let client = client();
    let request = FileRequest {
        access: Arc::clone(&access()),
        ..site.request("f", &body)
    };
    assert!(fetch_each(&client, vec![request], &Log::default())[0].is_ok());
    let rates = client.new_rates();
    assert_eq!(rates.len(), 1);
    assert_eq!(rates[0].0, site.server.url(""));
    assert!(rates[0].1 > 0);
}
