//! Clients that are slow on purpose: docs/threats.md, row 116.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testkit::server::Answer;

use crate::scene::Scene;
use crate::serving::{Serving, curl};

/// How many clients all of them are (`TDNF_SLOW_CLIENTS`).
fn asked() -> Option<usize> {
    let asked = std::env::var("TDNF_SLOW_CLIENTS").ok();
    asked.map(|asked| asked.parse().unwrap())
}

/// So many clients, each of which sends what it is given, if the kernel's queue has room for it.
fn clients<'a>(count: usize, address: &str, sends: impl Fn(usize) -> &'a [u8]) -> Vec<TcpStream> {
    let most = getrlimit(Resource::Nofile).maximum;
    let all = Rlimit {
        current: most,
        maximum: most,
    };
    setrlimit(Resource::Nofile, all).unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let connect = |number| {
        // Whom the kernel's queue has no room for is turned away.
        let patience = Duration::from_millis(200);
        let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
        let _ = stream.write_all(sends(number));
        Some(stream)
    };
    (0..count).filter_map(connect).collect()
}

/// Thousands of clients that send half a request, or take no byte: others are served meanwhile.
#[test]
fn row_116_slow_clients_do_not_keep_others_out() {
    let scene = Scene::usual();
    scene.sync();
    let serving = Serving::start(&scene);
    let asked = asked().unwrap_or(2000);
    let slow = clients(asked, &serving.address, |number| match number % 2 {
        0 => b"GET / HTTP/1.1\r\nHost:",
        _ => b"GET /base/Packages/alpha-1-1.noarch.rpm HTTP/1.1\r\nHost: m\r\n\r\n",
    });
    let began = Instant::now();
    let list = scene.dnf_list(&serving.url("/base"));
    let (waited, peak) = (began.elapsed(), serving.peak());
    println!(
        "{} of {asked} slow clients; dnf took {waited:?}, the server {peak} KiB",
        slow.len()
    );
    assert_eq!(list, ["alpha-1", "beta-1", "gamma-1"]);
    assert!(
        slow.len() > 1024,
        "not more than it takes at once: {}",
        slow.len()
    );
    assert!(waited < Duration::from_secs(60), "{waited:?}");
    assert!(peak < 128 * 1024, "{peak} KiB");
}

/// Clients that hold all connections go on for as long as they like: with requests that come byte by byte, with answers
/// that are taken bit by bit, with nothing after an answer. Another one is served within seconds, and so is the next.
#[test]
fn row_116_whoever_takes_nothing_makes_room() {
    let (limit, asked) = asked().map_or((64, 160), |asked| (1024, asked));
    let scene = Scene::usual();
    scene.config(&format!("[serve]\nmax_connections = {limit}\n"));
    scene.sync();
    fs::write(scene.public("large"), testkit::noise(30 << 20, 5)).unwrap();
    let serving = Serving::start(&scene);
    let mut slow = clients(asked, &serving.address, |number| match number % 3 {
        0 => b"GET / HTTP/1.1\r\nHost: ",
        1 => b"GET /healthz HTTP/1.1\r\nHost: m\r\n\r\n",
        _ => b"GET /large HTTP/1.1\r\nHost: m\r\n\r\n",
    });
    assert!(slow.len() > limit, "{} clients", slow.len());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut room = vec![0; 40_000];
            while !over.load(Ordering::Relaxed) {
                for (number, stream) in slow.iter_mut().enumerate() {
                    stream.set_nonblocking(true).unwrap();
                    let _ = match number % 3 {
                        0 => stream.write(b"x"),
                        _ => stream.read(&mut room),
                    };
                }
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        std::thread::sleep(Duration::from_secs(2));
        let get = |path: &str| {
            let began = Instant::now();
            let run = curl(&["-f", "-m", "20", "-o", "/dev/null", &serving.url(path)]);
            (path.to_owned(), run.code, began.elapsed())
        };
        let package = "/base/Packages/alpha-1-1.noarch.rpm";
        let got = ["/healthz", package, "/large", "/status.json"].map(get);
        over.store(true, Ordering::Relaxed);
        println!(
            "{asked} slow clients, {limit} places: {got:?}; the server {} KiB",
            serving.peak()
        );
        for (path, code, waited) in got {
            assert_eq!(code, 0, "{path}");
            assert!(waited < Duration::from_secs(5), "{path}: {waited:?}");
        }
        assert!(serving.peak() < 128 * 1024, "{} KiB", serving.peak());
    });
}

/// More clients than `serve` has threads wait for one file: what is there is sent meanwhile.
#[test]
fn row_116_a_slow_upstream_keeps_nobody_else_waiting() {
    let scene = Scene::usual();
    scene.config("mode = \"proxy\"\n");
    let serving = Serving::start(&scene);
    let package = |name: &str| format!("/base/Packages/{name}-1-1.noarch.rpm");
    let get = |path: &str| curl(&["-f", "-m", "5", "-o", "/dev/null", &serving.url(path)]);
    get(&package("alpha")).ends(0);
    let slow = Answer {
        delay: Some(Duration::from_secs(20)),
        ..Answer::default()
    };
    scene.server.always(&package("gamma"), slow);
    let address = serving.url("").replace("http://", "");
    let ask = |_| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let path = package("gamma");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: m\r\n\r\n").unwrap();
        stream
    };
    let waiting: Vec<TcpStream> = (0..560).map(ask).collect();
    std::thread::sleep(Duration::from_secs(1));
    let began = Instant::now();
    for path in [package("alpha").as_str(), "/status.json", "/"] {
        get(path).ends(0);
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    drop(waiting);
}
