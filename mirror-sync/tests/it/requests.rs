//! How many requests a transfer makes.

use testkit::server::{Answer, Server};

use super::transfer::{Shelf, get, noise};

#[test]
fn each_file_of_a_fast_server_is_one_request() {
    let shelf = Shelf::new();
    let server = Server::start(&shelf.www());
    let sizes = [700_000, 90_000, 1_040_000, 400_000, 2_500_000, 2_000_000];
    let mut wanted = Vec::new();
    for at in 0..60 {
        let (name, size) = (format!("f{at}"), sizes[at % sizes.len()]);
        shelf.put(&name, &noise(size, at as u64));
        wanted.push(shelf.wanted(&name, &[&server]));
    }
    let got = get(wanted);
    assert_eq!(got.files.len(), 60, "{:?}", got.summary.failed);
    assert_eq!((server.seen().len(), got.summary.requests), (60, 60));
}

#[test]
fn a_server_without_ranges_that_cuts_short_is_given_up() {
    let shelf = Shelf::new();
    let (cut, good) = (Server::start(&shelf.www()), Server::start(&shelf.www()));
    let answer = Answer {
        ignore_range: true,
        ..Answer::cut_at(60_000)
    };
    let names = ["small", "large", "beside"];
    for (name, size) in names.into_iter().zip([100_000, 3_000_000, 3_000_000]) {
        shelf.put(name, &noise(size, 6));
        cut.always(&format!("/{name}"), answer.clone());
    }
    let got = get(vec![
        shelf.wanted("small", &[&cut]),
        shelf.wanted("large", &[&cut]),
        shelf.wanted("beside", &[&cut, &good]),
    ]);
    let mut failed: Vec<String> = got.summary.failed.into_iter().map(|(l, _)| l).collect();
    failed.sort();
    assert_eq!(failed, ["repo: large", "repo: small"]);
    assert_eq!(got.files.len(), 1, "the one that another server has");
    for name in names {
        let asked = cut.seen_at(&format!("/{name}")).len();
        assert!(asked <= 6, "{name} was asked for {asked} times");
    }
}
