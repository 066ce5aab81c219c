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
    // Another package that is not here yet comes from the same upstream meanwhile.
    for path in [
        package("alpha").as_str(),
        "/status.json",
        "/",
        &package("beta"),
    ] {
        get(path).ends(0);
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    // One of them has a thread, the others wait for him; threads that had a moment's work for them go after ten seconds.
    let few = (0..120).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        serving.threads() < 64
    });
    assert!(few, "{} threads", serving.threads());
    // The first goes away: the others get what was begun for him, which was asked for once.
    let mut waiting = waiting.into_iter();
    drop(waiting.next());
    let mut last = waiting.next_back().unwrap();
    let mut answer = [0; 12];
    last.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    assert_eq!(scene.server.seen_at(&package("gamma")).len(), 1);
}

/// Clients of an upstream that cannot be reached, of which nothing is here, are told so and do not wait one after the
/// other.
#[test]
fn row_116_a_dead_upstream_is_asked_once_for_many() {
    let scene = Scene::usual();
    scene.config("mode = \"proxy\"\ntimeout = \"2s\"\n");
    let index = "/base/repodata/repomd.xml";
    let dead = Answer {
        delay: Some(Duration::from_secs(60)),
        ..Answer::default()
    };
    scene.server.always(index, dead);
    let serving = Serving::start(&scene);
    let ask = |_| {
        let mut stream = TcpStream::connect(&serving.address).unwrap();
        write!(stream, "GET {index} HTTP/1.1\r\nHost: m\r\n\r\n").unwrap();
        stream
    };
    let began = Instant::now();
    let waiting: Vec<TcpStream> = (0..200).map(ask).collect();
    for mut stream in waiting {
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 502");
    }
    let waited = began.elapsed();
    assert!(waited < Duration::from_secs(60), "{waited:?}");
}

/// Thousands of connections that have had an answer and wait for nothing: none is closed while there is room, others are
/// served, and what one costs is told.
#[test]
fn row_116_idle_connections_hold() {
    let asked = asked().unwrap_or(3000);
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    // The server counts two files for each connection.
    let room = usize::try_from(most.saturating_sub(200) / 2).unwrap_or(usize::MAX);
    let count = asked.min(room);
    let scene = Scene::usual();
    scene.config(&format!("[serve]\nmax_connections = {}\n", count + 50));
    scene.sync();
    let serving = Serving::start(&scene);
    let before = serving.peak();
    let small = b"HEAD /base/repodata/repomd.xml HTTP/1.1\r\nHost: m\r\n\r\n";
    let mut idle = clients(count, &serving.address, |_| small);
    let connected = idle.len();
    for stream in &mut idle {
        let mut head = Vec::new();
        let mut byte = [0; 1];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
    }
    let began = Instant::now();
    let list = scene.dnf_list(&serving.url("/base"));
    let (waited, peak) = (began.elapsed(), serving.peak());
    assert_eq!(list, ["alpha-1", "beta-1", "gamma-1"]);
    let is_open = |stream: &&TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let read = (&mut &**stream).read(&mut [0; 1]);
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    let open = idle.iter().filter(is_open).count();
    let each = peak.saturating_sub(before) / connected as u64;
    println!("{open} of {asked} idle; dnf took {waited:?}, the server {peak} KiB, {each} KiB each");
    assert_eq!(open, connected);
    assert!(connected > count / 10 * 9, "{connected}");
    assert!(waited < Duration::from_secs(60), "{waited:?}");
    assert!(each < 32, "{each} KiB");
}
