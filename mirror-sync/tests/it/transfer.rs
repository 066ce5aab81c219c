//! The transfer against a server that misbehaves.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use repo_client::transfer::{TransferLimits, TransferSummary, fetch_all};
use repo_client::{
    Access, Client, ClientOptions, Error, Event, FetchedFile, FileRequest, Observer, Silent,
};
use rpm_pkg::digest::{Digest, DigestAlgo, Hasher};
pub(crate) use testkit::noise;
use testkit::server::{Answer, Server};

pub(crate) fn digest(data: &[u8]) -> Digest {
    Hasher::digest(DigestAlgo::Sha256, data)
}

/// Files served, and the folder they are fetched into.
pub(crate) struct Shelf {
    dir: tempfile::TempDir,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("www")).unwrap();
        Self { dir }
    }

    pub(crate) fn www(&self) -> PathBuf {
        self.dir.path().join("www")
    }

    pub(crate) fn put(&self, name: &str, data: &[u8]) {
        std::fs::write(self.www().join(name), data).unwrap();
    }

    pub(crate) fn partial(&self, name: &str) -> PathBuf {
        self.dir.path().join("partial").join(name)
    }

    /// A file of the shelf at these servers.
    pub(crate) fn wanted(&self, name: &str, servers: &[&Server]) -> FileRequest {
        let data = std::fs::read(self.www().join(name)).unwrap();
        let urls = servers.iter().map(|s| s.url(&format!("/{name}"))).collect();
        FileRequest {
            size: Some(data.len() as u64),
            digest: Some(digest(&data)),
            access: Access {
                retries: 2,
                timeout: Duration::from_secs(5),
                ..Access::default()
            }
            .into(),
            ..FileRequest::new(format!("repo: {name}"), urls, self.partial(name))
        }
    }
}

/// What a call brought.
pub(crate) struct Got {
    pub(crate) files: Vec<FetchedFile>,
    pub(crate) summary: TransferSummary,
}

pub(crate) fn get_with(
    wanted: Vec<FileRequest>,
    limits: &TransferLimits,
    observer: &dyn Observer,
) -> Got {
    let client = Client::new(ClientOptions::default());
    let mut files = Vec::new();
    let mut sink = |one: FetchedFile| {
        files.push(one);
        Ok(())
    };
    let never = AtomicBool::new(false);
    let summary = fetch_all(&client, wanted, limits, observer, &mut sink, &never).unwrap();
    Got { files, summary }
}

pub(crate) fn get(wanted: Vec<FileRequest>) -> Got {
    get_with(wanted, &TransferLimits::default(), &Silent)
}

fn same(path: &Path, data: &[u8]) {
    assert!(
        std::fs::read(path).unwrap() == data,
        "{}: other bytes",
        path.display()
    );
}

/// No part and no journal is left behind.
fn tidy(shelf: &Shelf, name: &str) {
    for suffix in ["part", "journal"] {
        let path = shelf.partial(&format!("{name}.{suffix}"));
        assert!(!path.exists(), "{} is left", path.display());
    }
}

#[test]
fn files_come_whole_and_are_named_only_then() {
    let shelf = Shelf::new();
    let server = Server::start(&shelf.www());
    let sizes = [0, 1, 1000, 70_000, 300_000, 3_000_000];
    let mut wanted = Vec::new();
    for (at, size) in sizes.iter().enumerate() {
        let name = format!("f{at}");
        shelf.put(&name, &noise(*size, at as u64));
        wanted.push(shelf.wanted(&name, &[&server]));
    }
    let got = get(wanted.clone());
    assert_eq!(got.files.len(), sizes.len());
    assert!(got.summary.failed.is_empty());
    let bytes: usize = sizes.iter().sum();
    assert_eq!(got.summary.bytes, bytes as u64, "nothing came twice");
    for (at, size) in sizes.iter().enumerate() {
        let name = format!("f{at}");
        same(&shelf.partial(&name), &noise(*size, at as u64));
        tidy(&shelf, &name);
    }
    server.forget();
    let again = get(wanted);
    assert_eq!((again.files.len(), again.summary.bytes), (sizes.len(), 0));
    assert!(
        server.seen().is_empty(),
        "what is there is not asked for again"
    );
}

#[test]
fn a_file_without_size_or_digest_comes_in_one_stream() {
    let shelf = Shelf::new();
    let server = Server::start(&shelf.www());
    shelf.put("f", &noise(2_000_000, 3));
    server.always(
        "/f",
        Answer {
            no_length: true,
            ..Answer::default()
        },
    );
    let wanted = FileRequest {
        size: None,
        digest: None,
        ..shelf.wanted("f", &[&server])
    };
    let got = get(vec![wanted]);
    assert_eq!(got.files.first().map(|f| f.size), Some(2_000_000));
    same(&shelf.partial("f"), &noise(2_000_000, 3));
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn row_74_a_file_cut_every_4_kb_is_resumed_and_right() {
    let shelf = Shelf::new();
    let server = Server::start(&shelf.www());
    let data = noise(70_000, 5);
    shelf.put("f", &data);
    server.next("/f", (0..16).map(|_| Answer::cut_at(4096)));
    let got = get(vec![shelf.wanted("f", &[&server])]);
    assert_eq!(got.files.len(), 1, "{:?}", got.summary.failed);
    same(&shelf.partial("f"), &data);
    assert_eq!(got.summary.bytes, 70_000, "each byte came once");
}

#[test]
fn resets_in_the_middle_cost_nothing_that_had_come() {
    let shelf = Shelf::new();
    let server = Server::start(&shelf.www());
    let data = noise(900_000, 6);
    shelf.put("f", &data);
    let reset = Answer {
        cut_at: Some(300_000),
        reset: true,
        ..Answer::default()
    };
    server.next("/f", [reset.clone(), reset]);
    let got = get(vec![shelf.wanted("f", &[&server])]);
    assert_eq!(got.files.len(), 1, "{:?}", got.summary.failed);
    same(&shelf.partial("f"), &data);
}

/// Remembers what was said of sources.
#[derive(Default)]
pub(crate) struct Heard(pub(crate) Mutex<Vec<String>>);

impl Observer for Heard {
    fn event(&self, event: Event<'_>) {
        let line = match event {
            Event::MirrorFailed { url, cause, .. } => format!("{url}: {cause}"),
            Event::Limit { host, limit } => format!("{host}: {limit:?}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

#[test]
fn row_75_a_stale_and_a_corrupt_mirror_beside_a_good_one() {
    let shelf = Shelf::new();
    let (stale, corrupt) = (Server::start(&shelf.www()), Server::start(&shelf.www()));
    let good = Server::start(&shelf.www());
    let mut wanted = Vec::new();
    for at in 0..12 {
        let name = format!("f{at}");
        let data = noise(200_000 + at * 1000, at as u64);
        shelf.put(&name, &data);
        let mut wrong = data.clone();
        wrong[100_000] ^= 1;
        corrupt.always(&format!("/{name}"), Answer::body(wrong));
        let old = if at % 2 == 0 {
            Answer::status(404)
        } else {
            Answer::body(noise(199_000, 77))
        };
        stale.always(&format!("/{name}"), old);
        wanted.push(shelf.wanted(&name, &[&stale, &corrupt, &good]));
    }
    let heard = Heard::default();
    let got = get_with(wanted, &TransferLimits::default(), &heard);
    assert_eq!(got.files.len(), 12, "{:?}", got.summary.failed);
    for at in 0..12 {
        same(
            &shelf.partial(&format!("f{at}")),
            &noise(200_000 + at * 1000, at as u64),
        );
    }
    let bad = corrupt.seen().len();
    assert!(bad <= 6, "the corrupt mirror was asked {bad} times");
    let said = heard.0.lock().unwrap().join("\n");
    assert!(
        said.contains(&corrupt.url("/")) && said.contains("checksum"),
        "{said}"
    );
    assert!(
        said.contains("404") && said.contains("size 199000 differs"),
        "{said}"
    );
    let report = |server: &Server| {
        got.summary
            .hosts
            .get(server.url("").trim_end_matches('/'))
            .cloned()
            .unwrap()
    };
    assert!(report(&corrupt).errors > 0 && report(&stale).errors > 0);
    assert_eq!(report(&good).errors, 0);
}

#[test]
fn row_76_when_all_mirrors_are_bad_each_is_named_with_its_cause() {
    let shelf = Shelf::new();
    let (one, two, three) = (
        Server::start(&shelf.www()),
        Server::start(&shelf.www()),
        Server::start(&shelf.www()),
    );
    shelf.put("f", &noise(100_000, 1));
    one.always("/f", Answer::status(404));
    two.always("/f", Answer::body(noise(100_000, 2)));
    three.always("/f", Answer::login_page());
    let got = get(vec![shelf.wanted("f", &[&one, &two, &three])]);
    assert!(got.files.is_empty());
    let (id, error) = got.summary.failed.first().unwrap();
    assert_eq!(id, "repo: f");
    let text = error.to_string();
    for (server, why) in [(&one, "404"), (&two, "checksum"), (&three, "HTML")] {
        assert!(
            text.contains(&server.url("/f")) && text.contains(why),
            "{text}"
        );
    }
    assert!(matches!(error, Error::Transfer { failures, .. } if failures.len() == 3));
    assert!(!shelf.partial("f").exists());
}

#[test]
fn one_bad_byte_in_a_file_from_many_is_found_and_its_mirror_left() {
    let shelf = Shelf::new();
    let servers: Vec<Server> = (0..3).map(|_| Server::start(&shelf.www())).collect();
    let data = noise(6_000_000, 9);
    shelf.put("f", &data);
    let mut wrong = data.clone();
    for at in (0..wrong.len()).step_by(200_000) {
        wrong[at + 150_000] ^= 0x10;
    }
    // Slow enough that all three take part.
    let slow = Some((16_384, Duration::from_millis(8)));
    servers[1].always(
        "/f",
        Answer {
            pieces: slow,
            ..Answer::body(wrong)
        },
    );
    servers[0].always(
        "/f",
        Answer {
            pieces: slow,
            ..Answer::default()
        },
    );
    servers[2].always(
        "/f",
        Answer {
            pieces: slow,
            ..Answer::default()
        },
    );
    let refs: Vec<&Server> = servers.iter().collect();
    let heard = Heard::default();
    let got = get_with(
        vec![shelf.wanted("f", &refs)],
        &TransferLimits::default(),
        &heard,
    );
    assert_eq!(got.files.len(), 1, "{:?}", got.summary.failed);
    same(&shelf.partial("f"), &data);
    let said = heard.0.lock().unwrap().join("\n");
    assert!(
        said.contains(&servers[1].url("/f")),
        "the liar is named: {said}"
    );
    assert!(
        !said.contains(&servers[0].url("/f")),
        "only the liar is: {said}"
    );
}

#[test]
fn a_file_of_many_ranges_that_is_always_wrong_comes_to_an_end() {
    let shelf = Shelf::new();
    let (bad, good) = (Server::start(&shelf.www()), Server::start(&shelf.www()));
    let data = noise(4_000_000, 3);
    let mut wrong = data.clone();
    wrong[3_000_000] ^= 1;
    for name in ["alone", "beside"] {
        shelf.put(name, &data);
        bad.always(&format!("/{name}"), Answer::body(wrong.clone()));
    }
    let got = get(vec![shelf.wanted("alone", &[&bad])]);
    assert!(got.files.is_empty());
    assert!(got.summary.failed[0].1.to_string().contains("checksum"));
    let asked = bad.seen().len();
    assert!(asked < 40, "the server was asked {asked} times");
    bad.forget();
    let got = get(vec![shelf.wanted("beside", &[&bad, &good])]);
    assert_eq!(got.files.len(), 1, "{:?}", got.summary.failed);
    same(&shelf.partial("beside"), &data);
    assert!(bad.seen().len() < 40);
}

#[test]
fn bytes_behind_the_end_of_a_file_count_for_nothing() {
    let shelf = Shelf::new();
    let (chatty, good) = (Server::start(&shelf.www()), Server::start(&shelf.www()));
    let data = noise(4_000_000, 4);
    let mut more = data.clone();
    more.extend(noise(3_000_000, 5));
    // The first of them arrive when the file has been checked, and the run still has work.
    let answer = Answer {
        no_length: true,
        ignore_range: true,
        pieces: Some((1_000_000, Duration::from_millis(60))),
        ..Answer::body(more)
    };
    for name in ["alone", "beside", "slow"] {
        shelf.put(name, &data);
        chatty.always(&format!("/{name}"), answer.clone());
    }
    let slow = Answer {
        pieces: Some((100_000, Duration::from_millis(30))),
        ..Answer::default()
    };
    good.always("/slow", slow);
    let got = get(vec![
        shelf.wanted("alone", &[&chatty]),
        shelf.wanted("beside", &[&chatty, &good]),
        shelf.wanted("slow", &[&good]),
    ]);
    assert_eq!(got.files.len(), 3, "{:?}", got.summary.failed);
    same(&shelf.partial("alone"), &data);
    same(&shelf.partial("beside"), &data);
}

/// An index does not always tell the size of what has a digest.
#[test]
fn what_a_body_without_end_brought_is_in_nobodys_way() {
    let shelf = Shelf::new();
    let data = noise(100_000, 4);
    shelf.put("f", &data);
    let server = Server::start(&shelf.www());
    let endless = Answer {
        endless: true,
        ..Answer::default()
    };
    server.next("/f", vec![endless; 20]);
    let wanted = FileRequest {
        size: None,
        max_size: 1 << 20,
        ..shelf.wanted("f", &[&server])
    };
    let got = get(vec![wanted.clone()]);
    let (_, error) = &got.summary.failed[0];
    assert!(error.to_string().contains("1048576"), "{error}");
    server.behave();
    let got = get(vec![wanted.clone()]);
    assert!(got.summary.failed.is_empty(), "{:?}", got.summary.failed);
    same(&shelf.partial("f"), &data);
    tidy(&shelf, "f");

    // Nor is that of a run that was killed before it knew.
    std::fs::remove_file(shelf.partial("f")).unwrap();
    let cut = Answer {
        body: Some(noise(300_000, 5)),
        cut_at: Some(200_000),
        ..Answer::default()
    };
    server.next("/f", vec![cut; 20]);
    assert_eq!(get(vec![wanted.clone()]).summary.failed.len(), 1);
    server.behave();
    let got = get(vec![wanted]);
    assert!(got.summary.failed.is_empty(), "{:?}", got.summary.failed);
    same(&shelf.partial("f"), &data);
}

#[test]
fn a_server_without_ranges_is_asked_for_all_in_one_stream() {
    let shelf = Shelf::new();
    let server = Server::start(&shelf.www());
    let data = noise(4_000_000, 4);
    shelf.put("f", &data);
    let answer = Answer {
        ignore_range: true,
        pieces: Some((65_536, Duration::from_millis(40))),
        ..Answer::default()
    };
    server.always("/f", answer);
    let got = get(vec![shelf.wanted("f", &[&server])]);
    assert_eq!(got.files.len(), 1, "{:?}", got.summary.failed);
    same(&shelf.partial("f"), &data);
    assert!(server.seen().len() <= 3, "{} requests", server.seen().len());
}

#[test]
fn a_server_that_sends_another_range_is_not_believed() {
    let shelf = Shelf::new();
    let (bad, good) = (Server::start(&shelf.www()), Server::start(&shelf.www()));
    let data = noise(3_000_000, 8);
    shelf.put("f", &data);
    bad.always(
        "/f",
        Answer {
            shift_range: 5,
            ..Answer::default()
        },
    );
    let got = get(vec![shelf.wanted("f", &[&bad, &good])]);
    assert_eq!(got.files.len(), 1, "{:?}", got.summary.failed);
    same(&shelf.partial("f"), &data);
}

#[test]
fn a_server_that_wants_fewer_connections_gets_fewer() {
    let shelf = Shelf::new();
    let server = Server::start(&shelf.www());
    let data = noise(1_500_000, 8);
    shelf.put("f", &data);
    let mut later = Answer::status(503);
    later.headers.push(("Retry-After".into(), "1".into()));
    server.next("/f", [later.clone(), Answer::default(), later]);
    let wanted = FileRequest {
        access: Access {
            retries: 1,
            ..Access::default()
        }
        .into(),
        ..shelf.wanted("f", &[&server])
    };
    let got = get(vec![wanted]);
    assert_eq!(got.files.len(), 1, "{:?}", got.summary.failed);
    same(&shelf.partial("f"), &data);
}

#[test]
fn row_118_dates_of_the_future_mean_nothing() {
    let shelf = Shelf::new();
    let server = Server::start(&shelf.www());
    let data = noise(50_000, 8);
    shelf.put("f", &data);
    let future = Answer {
        etag: Some(String::new()),
        headers: vec![(
            "Last-Modified".into(),
            "Fri, 01 Jan 2099 00:00:00 GMT".into(),
        )],
        ..Answer::default()
    };
    server.next(
        "/f",
        [Answer {
            cut_at: Some(20_000),
            ..future.clone()
        }],
    );
    server.always("/f", future);
    let got = get(vec![shelf.wanted("f", &[&server])]);
    assert_eq!(got.files.len(), 1, "{:?}", got.summary.failed);
    same(&shelf.partial("f"), &data);
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.header("if-modified-since").is_none())
    );
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.header("if-range").is_none())
    );
}

#[test]
fn what_a_stopped_run_has_is_not_fetched_again() {
    let shelf = Shelf::new();
    let server = Server::start(&shelf.www());
    let data = noise(2_000_000, 12);
    shelf.put("f", &data);
    server.always(
        "/f",
        Answer {
            pieces: Some((50_000, Duration::from_millis(20))),
            ..Answer::default()
        },
    );
    let client = Client::new(ClientOptions::default());
    let stop = AtomicBool::new(false);
    struct StopAt<'a>(&'a AtomicBool, u64);
    impl Observer for StopAt<'_> {
        fn event(&self, event: Event<'_>) {
            if let Event::Progress { bytes, .. } = event
                && bytes > self.1
            {
                self.0.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }
    let wanted = shelf.wanted("f", &[&server]);
    let ended = fetch_all(
        &client,
        vec![wanted.clone()],
        &TransferLimits::default(),
        &StopAt(&stop, 900_000),
        &mut |_| Ok(()),
        &stop,
    );
    assert!(matches!(ended, Err(Error::Stopped)));
    let got = get(vec![wanted]);
    assert_eq!(got.files.len(), 1);
    assert!(
        got.summary.bytes < 1_100_001,
        "{} bytes came again",
        got.summary.bytes
    );
    same(&shelf.partial("f"), &data);
    tidy(&shelf, "f");
}

#[test]
fn a_part_that_was_damaged_meanwhile_is_fetched_again_without_blame() {
    let shelf = Shelf::new();
    let server = Server::start(&shelf.www());
    let data = noise(600_000, 13);
    shelf.put("f", &data);
    server.next("/f", [Answer::cut_at(400_000), Answer::status(404)]);
    let failed = get(vec![shelf.wanted("f", &[&server])]);
    assert_eq!(
        failed.summary.failed.len(),
        1,
        "the first run leaves a part"
    );
    let part = shelf.partial("f.part");
    let mut bytes = std::fs::read(&part).unwrap();
    assert!(bytes.len() > 100_000, "{} bytes kept", bytes.len());
    bytes[1000] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    let got = get(vec![shelf.wanted("f", &[&server])]);
    assert_eq!(got.files.len(), 1, "{:?}", got.summary.failed);
    same(&shelf.partial("f"), &data);
}

#[test]
fn our_own_limit_is_kept_and_named() {
    let shelf = Shelf::new();
    let server = Server::start(&shelf.www());
    shelf.put("f", &noise(1_500_000, 14));
    let limits = TransferLimits {
        global_bps: Some(400_000),
        ..TransferLimits::default()
    };
    let began = std::time::Instant::now();
    let got = get_with(vec![shelf.wanted("f", &[&server])], &limits, &Silent);
    let rate = 1_500_000.0 / began.elapsed().as_secs_f64();
    assert_eq!(got.files.len(), 1);
    assert!(rate < 520_000.0, "{rate} bytes per second");
}

#[test]
fn a_file_of_another_process_is_left_to_it() {
    let shelf = Shelf::new();
    let server = Server::start(&shelf.www());
    shelf.put("f", &noise(1000, 1));
    std::fs::create_dir_all(shelf.partial("")).unwrap();
    let held = std::fs::File::create(shelf.partial("f.part")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let got = get(vec![shelf.wanted("f", &[&server])]);
    assert!(matches!(
        got.summary.failed.first(),
        Some((_, Error::Busy { .. }))
    ));
}
