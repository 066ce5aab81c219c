use cli_kit::{OutputMode, Printer};
use repo_client::ClientOptions;
use testkit::server::{Answer, Server};

use super::*;
use crate::tests::Stage;

/// What repositories want is fetched into the store; who does not get it, and why.
fn fetched(stage: &Stage, jobs: Vec<FetchJob>) -> Vec<(String, String)> {
    let printer = Printer::recording(OutputMode::default());
    let fetcher = Fetcher {
        client: &Client::new(ClientOptions::default()),
        layout: &stage.layout,
        partial: stage.layout.partial(),
        store: &stage.store,
        limits: &stage.config.limits,
        observer: &TerminalObserver::new(&printer),
        stop: &AtomicBool::new(false),
        now: 1_000_000,
    };
    let failed = fetcher.run(jobs).unwrap().failed;
    let mut failed: Vec<_> = failed
        .into_iter()
        .map(|(repo, _, why)| (repo, why))
        .collect();
    failed.sort();
    failed
}

/// Repositories list the file of another one: their servers do not have it, give other bytes, or its size is false. In
/// whatever order they come, they alone fail, and the file comes once from where it is.
#[test]
fn row_143_who_lists_the_files_of_others_keeps_nobody_out() {
    let www = tempfile::tempdir().unwrap();
    let data = testkit::noise(5000, 1);
    std::fs::write(www.path().join("good"), &data).unwrap();
    std::fs::write(www.path().join("other"), testkit::noise(5000, 2)).unwrap();
    let server = Server::start(www.path());
    server.always("/gone", Answer::status(404));
    let digest = Hasher::digest(DigestAlgo::Sha256, &data);
    let job = |(repo, path, size): &(&str, &str, Option<u64>)| FetchJob {
        repo: (*repo).to_owned(),
        path: "file".to_owned(),
        urls: Ok(vec![server.url(&format!("/{path}"))]),
        size: *size,
        announced: *size,
        digest,
        priority: 1,
        access: Arc::new(Access {
            repo: (*repo).to_owned(),
            retries: 0,
            ..Access::default()
        }),
        trust: None,
    };
    let mut listed = [
        ("gone", "gone", Some(5000)),
        ("other", "other", Some(5000)),
        ("size", "good", Some(77)),
        ("good", "good", Some(5000)),
        ("part", "good", None),
    ];
    for _ in 0..listed.len() {
        server.forget();
        let stage = Stage::new("[mirror]\n");
        let failed = fetched(&stage, listed.iter().map(job).collect());
        let who: Vec<&str> = failed.iter().map(|(repo, _)| repo.as_str()).collect();
        assert!(
            !who.contains(&"good") && !who.contains(&"part"),
            "{failed:?}"
        );
        let why = |repo: &str| failed.iter().find(|(who, _)| who == repo);
        let (_, why) = why("size").unwrap();
        assert!(
            why.contains("size 5000 differs from the expected 77"),
            "{why}"
        );
        // Who comes behind one that got it has it, too.
        let good = listed
            .iter()
            .position(|one| one.1 == "good" && one.2 != Some(77));
        for (place, (repo, path, _)) in listed.iter().enumerate() {
            let fails = *path != "good" && Some(place) < good;
            assert_eq!(who.contains(repo), fails || *repo == "size", "{failed:?}");
        }
        assert!(stage.store.has(&digest, Some(5000)));
        let whole = |seen: &&testkit::server::Seen| seen.path == "/good";
        assert!((1..=2).contains(&server.seen().iter().filter(whole).count()));
        listed.rotate_left(1);
    }
}
