//! A server that gives little to each connection, one that breaks off, and one that is gone.

use std::fs;
use std::time::Duration;

use testkit::noise;
use testkit::server::{Answer, Server};
use testkit::spec::Spec;

use super::silence::says;
use super::{Site, plain};

const BIG: &str = "/repo/big-1-1.noarch.rpm";

/// A site with one large package, and two servers for it.
fn big() -> (Site, [Server; 2], Vec<u8>) {
    let data = noise(1_500_000, 7);
    let spec = Spec::new("big", "1")
        .source("data", &data)
        .install("mkdir -p %{buildroot}/opt\ncp %{_sourcedir}/data %{buildroot}/opt/big")
        .files("/opt/big")
        .define("_binary_payload w0.gzdio");
    let site = Site::with(&[spec]);
    let servers = [(), ()].map(|()| Server::start(&site.path("")));
    (site, servers, data)
}

fn slow(answer: Answer) -> Answer {
    Answer {
        pieces: Some((8 << 10, Duration::from_millis(40))),
        ..answer
    }
}

fn configure(site: &Site, servers: &[&Server], keys: &str) {
    let urls: Vec<String> = servers.iter().map(|one| one.url("/repo")).collect();
    let text = format!(
        "[test]\nname=test\nbaseurl={}\nenabled=1\ngpgcheck=0\n{keys}\n",
        urls.join(" ")
    );
    site.write("repos.d/test.repo", text);
}

#[test]
fn a_slow_server_is_asked_over_several_connections_unless_one_is_the_most() {
    let (site, [server, _], data) = big();
    server.always(BIG, slow(Answer::default()));
    configure(&site, &[&server], "");
    for (most, several) in [("1", false), ("0", true)] {
        server.forget();
        let most = format!("--setopt=max_parallel_downloads={most}");
        site.run(&["-y", &most, "install", "big"]).ok();
        assert_eq!(server.seen_at(BIG).len() > 1, several);
        let there = fs::read(site.root.path().join("opt/big")).expect("it is installed");
        assert!(there == data);
        site.run(&["-y", "erase", "big"]).ok();
        site.run(&["clean", "packages"]).ok();
    }
}

#[test]
fn a_server_that_breaks_off_is_said_once_and_another_goes_on() {
    let (site, [bad, good], data) = big();
    bad.always(BIG, slow(Answer::cut_at(200_000)));
    good.always(BIG, slow(Answer::default()));
    configure(&site, &[&bad, &good], "");
    let ran = site.run(&["-y", "install", "big"]).ok();
    let name = format!("127.0.0.1:{}", bad.port());
    let about = ran.err.lines().filter(|line| line.contains(&name)).count();
    assert_eq!(about, 1, "{ran:#?}");
    assert!(!good.seen_at(BIG).is_empty());
    let there = fs::read(site.root.path().join("opt/big")).expect("it is installed");
    assert!(there == data);
}

#[test]
fn a_repository_that_could_not_be_had_is_left_alone_for_a_while() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    let server = Server::start(&site.path(""));
    server.always("/repo/repodata/repomd.xml", Answer::status(503));
    let text = |keys| {
        let url = server.url("/repo");
        format!("[test]\nname=test\nbaseurl={url}\nenabled=1\ngpgcheck=0\nretries=0\n{keys}\n")
    };
    let asked = |words: &[&str]| {
        server.forget();
        let ran = site.run(words);
        (server.seen().len(), ran)
    };
    site.write("repos.d/test.repo", text("skip_if_unavailable=1"));
    assert_eq!(asked(&["list", "available"]).0, 1);
    let (times, ran) = asked(&["list", "available"]);
    assert_eq!(times, 0, "{ran:#?}");
    says(&ran, &["503", "asked again after 5 min, or with --refresh"]);
    assert_eq!(asked(&["--refresh", "list", "available"]).0, 1);
    assert_eq!(asked(&["makecache"]).0, 1);
    assert_eq!(asked(&["list", "available"]).0, 0);
    // One that has to be there is asked each time.
    site.write("repos.d/test.repo", text(""));
    assert_eq!(asked(&["list", "available"]).0, 1);
    site.write("repos.d/test.repo", text("skip_if_unavailable=1"));
    assert_eq!(asked(&["list", "available"]).0, 1);
    server.behave();
    assert_eq!(asked(&["list", "available"]).0, 0);
    site.run(&["clean", "expire-cache"]).ok();
    let (_, ran) = asked(&["list", "available"]);
    assert!(ran.ok().out.contains("alpha"));
}
