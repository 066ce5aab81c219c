//! How many requests a transfer makes.

use testkit::server::Server;

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
