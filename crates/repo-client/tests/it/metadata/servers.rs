//! Metadata of several servers, and of servers that fail, lag behind or answer as real ones do: rows 75 and 76.

use super::*;
use crate::fixture::fetch_one;
use repo_client::{Client, ClientOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[test]
fn row_75_mirrors_of_metadata() {
    let (dead, corrupt) = (Site::new(), Repo::new());
    let repo = Repo::new();
    corrupt.edit(|text| {
        text.replace("type=\"sha256\">", "type=\"sha256\">00")
            .replace("</checksum>", "")
    });
    let list = format!(
        "# mirrors\nhttp://127.0.0.1:1/\n{}\n{}\nfile:///etc\n{}\n",
        dead.server.url("/"),
        corrupt.site.server.url("/"),
        repo.site.server.url("/")
    );
    dead.put("list", list.as_bytes());
    let config = config(&format!("mirrorlist={}", dead.server.url("/list")));
    let cache = dead.path("cache");
    let log = Log::default();
    let set = refresh_one(job(&config, &cache), &log).unwrap();
    assert!(
        set.base_urls[0].starts_with(&repo.site.server.url("/")),
        "{:?}",
        set.base_urls
    );
    assert!(!set.base_urls.iter().any(|url| url.starts_with("file:")));
    assert!(log.text().contains("127.0.0.1:1"), "{}", log.text());
    // The list is kept: packages can be had without asking for it again.
    dead.server.forget();
    let again = refresh_one(job(&config, &cache), &log).unwrap();
    assert!(!again.base_urls.is_empty() && dead.server.seen().is_empty());
}

#[test]
fn row_76_no_mirror_left_and_old_set_used_if_wanted() {
    let repo = Repo::new();
    repo.go().unwrap();
    repo.site.server.always(REPOMD, Answer::status(500));
    let log = Log::default();
    let stale = RepoRefresh {
        force: true,
        stale_ok: true,
        ..repo.job()
    };
    assert!(refresh_one(stale, &log).unwrap().stale);
    assert!(log.text().contains("OldCacheUsed"));
    let error = repo.go().unwrap_err();
    assert!(error.to_string().contains("HTTP status 500"), "{error}");
    assert_eq!(error.tdnf_code(), Some(1622));
}

#[test]
fn a_dead_repository_does_not_hold_up_the_others() {
    let (good, other) = (Repo::new(), Repo::new());
    let dead = config("baseurl=http://127.0.0.1:1/");
    let cache = good.site.path("dead");
    let jobs = [good.job(), job(&dead, &cache), other.job()];
    let results = refresh(
        &client(),
        &jobs,
        &repo_client::TransferLimits::hasty(),
        &Log::default(),
    );
    assert!(results[0].is_ok() && results[1].is_err() && results[2].is_ok());
}

/// In a bucket an older index lies beside what it shares with the newer one.
#[test]
fn servers_of_a_metalink_that_lack_what_it_names_are_passed_over_in_silence() {
    let repo = Repo::new();
    let index = std::fs::read(repo.repomd()).unwrap();
    std::fs::create_dir_all(repo.site.www().join("older/repodata")).unwrap();
    repo.site.put("older/repodata/repomd.xml", &index);
    let text = String::from_utf8(index.clone()).unwrap();
    let newer = text.replacen("</revision>", "1</revision>", 1);
    repo.site.put("repodata/repomd.xml", newer.as_bytes());
    let url = |path: &str, preference| {
        let url = repo.site.server.url(path);
        format!("<url protocol=\"http\" preference=\"{preference}\">{url}</url>")
    };
    let metalink = format!(
        "<?xml version=\"1.0\"?><metalink version=\"3.0\" xmlns=\"http://www.metalinker.org/\"><files>\
         <file name=\"repomd.xml\"><size>{}</size><verification><hash type=\"sha256\">{}</hash>\
         </verification><resources>{}{}</resources></file></files></metalink>",
        index.len(),
        crate::fixture::digest(&index).hex(),
        url(REPOMD, 100),
        url("/older/repodata/repomd.xml", 99),
    );
    repo.site.put("ml", metalink.as_bytes());
    let config = config(&format!("metalink={}", repo.site.server.url("/ml")));
    let (cache, log) = (repo.site.path("mlcache"), Log::default());
    let set = refresh_one(job(&config, &cache), &log).unwrap();
    assert_eq!(set.repomd_digest, crate::fixture::digest(&index));
    assert!(!log.text().contains("MirrorFailed"), "{}", log.text());
    // Where none has it, all are named.
    std::fs::remove_dir_all(repo.site.www().join("repodata")).unwrap();
    std::fs::remove_dir_all(repo.site.www().join("older")).unwrap();
    let cache = repo.site.path("mlcache2");
    let error = refresh_one(job(&config, &cache), &Log::default()).unwrap_err();
    assert_eq!(error.failures().len(), 2, "{error}");
}

#[test]
fn metalink_digest_is_required() {
    let repo = Repo::new();
    let bytes = std::fs::read(repo.repomd()).unwrap();
    let metalink = |hash: &str| {
        format!(
            "<?xml version=\"1.0\"?><metalink version=\"3.0\" xmlns=\"http://www.metalinker.org/\"><files>\
             <file name=\"repomd.xml\"><size>{}</size><verification><hash type=\"sha256\">{hash}</hash>\
             </verification><resources><url protocol=\"http\" preference=\"100\">{}</url></resources>\
             </file></files></metalink>",
            bytes.len(),
            repo.site.server.url(REPOMD)
        )
    };
    let config = config(&format!("metalink={}", repo.site.server.url("/ml")));
    let cache = repo.site.path("mlcache");
    repo.site.put("ml", metalink(&"0".repeat(64)).as_bytes());
    let error = refresh_one(job(&config, &cache), &Log::default()).unwrap_err();
    assert_eq!(error.tdnf_code(), Some(2501), "{error}");
    let without = metalink("").replace("<hash type=\"sha256\"></hash>", "");
    repo.site.put("ml", without.as_bytes());
    let error = refresh_one(job(&config, &cache), &Log::default()).unwrap_err();
    assert!(
        matches!(error.failures()[0].cause, Cause::NoChecksum),
        "{error}"
    );
    assert_eq!(error.tdnf_code(), Some(1004), "{error}");
    repo.site.put(
        "ml",
        metalink(&crate::fixture::digest(&bytes).hex()).as_bytes(),
    );
    assert!(refresh_one(job(&config, &cache), &Log::default()).is_ok());
    // A server that says "unchanged" of an index that the metalink lists no more freezes its clients.
    let again = || {
        let force = RepoRefresh {
            force: true,
            ..job(&config, &cache)
        };
        refresh_one(force, &Log::default())
    };
    repo.site.server.forget();
    assert!(again().unwrap().from_cache);
    let seen = repo.site.server.seen();
    assert!(
        seen.iter()
            .any(|seen| seen.header("if-none-match").is_some())
    );
    let newest = metalink(&"0".repeat(64));
    repo.site.put("ml", newest.as_bytes());
    assert_eq!(again().unwrap_err().tdnf_code(), Some(2501));
    // One publication behind is what the list of alternates is for.
    let behind = format!(
        "<mm0:alternates xmlns:mm0=\"http://fedorahosted.org/mirrormanager\"><mm0:alternate>\
         <mm0:timestamp>1</mm0:timestamp><size>1</size><verification><hash type=\"sha256\">{}</hash></verification>\
         </mm0:alternate></mm0:alternates><resources>",
        crate::fixture::digest(&bytes).hex()
    );
    repo.site
        .put("ml", newest.replace("<resources>", &behind).as_bytes());
    assert!(again().is_ok());
    // It brings nothing back that has been replaced here by what is current.
    repo.publish("30");
    let current = std::fs::read(repo.repomd()).unwrap();
    let current = newest.replace(&"0".repeat(64), &crate::fixture::digest(&current).hex());
    let both = current.replace("<resources>", &behind);
    repo.site.put("ml", both.as_bytes());
    assert_eq!(again().unwrap().repomd.revision.as_deref(), Some("30"));
    repo.site.server.always(REPOMD, Answer::body(bytes.clone()));
    assert_eq!(again().unwrap().repomd.revision.as_deref(), Some("30"));
}

#[test]
fn a_repository_published_between_index_and_parts_is_asked_again() {
    let repo = Repo::new();
    let now = std::fs::read_to_string(repo.repomd()).unwrap();
    // The first answer is the index of a moment ago: its parts are gone by now.
    let before = now.replace("-primary.xml.gz", "-former.xml.gz");
    assert_ne!(before, now);
    repo.site
        .server
        .next(REPOMD, [Answer::body(before.clone())]);
    repo.go().unwrap();
    // It may happen again, but not for ever.
    let former = |n: usize| before.replace("-former.", &format!("-former{n}."));
    let answers = |count: usize| (0..count).map(former).map(Answer::body).collect::<Vec<_>>();
    let repo = Repo::new();
    repo.site.server.next(REPOMD, answers(3));
    repo.go().unwrap();
    let repo = Repo::new();
    repo.site.server.next(REPOMD, answers(20));
    assert!(!repo.must_fail().is_empty());
    assert_eq!(repo.site.server.seen_at(REPOMD).len(), 4);
    // Where the next index is the same, the file is missing.
    let repo = Repo::new();
    repo.site.server.always(REPOMD, Answer::body(before));
    assert!(!repo.must_fail().is_empty());
    let asked = repo.site.server.seen_at(REPOMD).len();
    assert!(asked <= 3, "{asked} times asked for the index");
}

#[test]
fn an_index_that_a_proxy_compressed_is_read() {
    let repo = Repo::new();
    let index = std::fs::read(repo.repomd()).unwrap();
    let coded = crate::coded::labelled("gzip", crate::coded::gzip(&index));
    repo.site.server.always(REPOMD, coded);
    assert_eq!(repo.go().unwrap().repomd.revision.as_deref(), Some("20"));
}

#[test]
fn real_nginx_serves_ranges_and_304() {
    let site = Site::new();
    createrepo(site.www(), "20");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let dir = site.path("nginx");
    std::fs::create_dir(&dir).unwrap();
    let text = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error; events {{}} http {{ access_log {0}/access; \
         client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; \
         uwsgi_temp_path {0}/u; scgi_temp_path {0}/s; \
         server {{ listen 127.0.0.1:{port}; root {1}; }} }} user root;",
        dir.display(),
        site.www().display()
    );
    std::fs::write(dir.join("conf"), text).unwrap();
    let started = std::process::Command::new("nginx")
        .arg("-c")
        .arg(dir.join("conf"))
        .spawn();
    let Ok(mut nginx) = started else {
        println!("skipped: no nginx");
        return;
    };
    let began = std::time::Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
        && began.elapsed().as_secs() < 10
    {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let config = config(&format!("baseurl=http://127.0.0.1:{port}/"));
    let cache = site.path("cache");
    let first = refresh_one(job(&config, &cache), &Log::default());
    let second = refresh_one(
        RepoRefresh {
            force: true,
            ..job(&config, &cache)
        },
        &Log::default(),
    );
    let body = noise(500_000);
    site.put("f", &body);
    let mut request = site.request("f", &body);
    std::fs::write(site.path("f.part"), &body[..200_000]).unwrap();
    let journal = format!(
        "part 2 {} 500000\nboot -\nsource 0 x -\ngot 0 200000 0\nsynced\n",
        request.digest.unwrap()
    );
    std::fs::write(site.path("f.journal"), journal).unwrap();
    request.urls = vec![format!("http://127.0.0.1:{port}/f")];
    let file = fetch_one(&client(), &request, &Log::default());
    nginx.kill().unwrap();
    nginx.wait().unwrap();
    assert!(!first.unwrap().from_cache);
    assert!(second.unwrap().from_cache);
    assert_eq!(file.unwrap().transferred, 300_000);
    let log = std::fs::read_to_string(dir.join("access")).unwrap();
    assert!(log.contains(" 304 ") && log.contains(" 206 "), "{log}");
}

/// Row 49: a mirror that keeps the index back is not waited for while another has it, and it is named.
#[test]
fn row_49_the_next_mirror_is_asked_beside_a_slow_one() {
    let (slow, good) = (Repo::new(), Repo::new());
    let hang = Answer {
        delay: Some(Duration::from_secs(25)),
        ..Answer::default()
    };
    slow.site.server.always(REPOMD, hang);
    let urls = [&slow, &good].map(|repo| repo.site.server.url("/"));
    let config = config(&format!("baseurl={}\ntimeout=30", urls.join(" ")));
    let (log, begun) = (Log::default(), Instant::now());
    refresh_one(job(&config, &good.cache()), &log).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(log.text().contains("MirrorFailed"), "{}", log.text());
    assert!(log.text().contains("Timeout(5)"), "{}", log.text());
}

/// Row 49: a run that is asked to stop waits for no server.
#[test]
fn row_49_a_stop_is_heard_while_a_server_is_silent() {
    let repo = Repo::new();
    let hang = Answer {
        delay: Some(Duration::from_secs(25)),
        ..Answer::default()
    };
    repo.site.server.always(REPOMD, hang);
    let config = config(&format!(
        "baseurl={}\ntimeout=30",
        repo.site.server.url("/")
    ));
    let stop = Arc::new(AtomicBool::new(false));
    let client = Client::new(ClientOptions {
        stop: Some(Arc::clone(&stop)),
        ..ClientOptions::default()
    });
    let begun = Instant::now();
    let setter = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        stop.store(true, Ordering::Relaxed);
    });
    let jobs = [job(&config, &repo.cache())];
    let outcome = refresh(
        &client,
        &jobs,
        &repo_client::TransferLimits::hasty(),
        &Log::default(),
    );
    assert!(outcome.iter().all(Result::is_err));
    assert!(begun.elapsed() < Duration::from_secs(2));
    setter.join().unwrap();
}

#[test]
fn a_list_of_mirrors_is_asked_for_again() {
    let repo = Repo::new();
    let list = format!("{}\n", repo.site.server.url("/"));
    repo.site.put("list", list.as_bytes());
    repo.site.server.next("/list", [Answer::status(503)]);
    let config = config(&format!(
        "mirrorlist={}\nretries=1",
        repo.site.server.url("/list")
    ));
    let log = Log::default();
    refresh_one(job(&config, &repo.cache()), &log).unwrap();
    assert_eq!(repo.site.server.seen_at("/list").len(), 2);
    assert!(log.text().contains("Retry"), "{}", log.text());
}

#[test]
fn urls_of_other_kinds_are_passed_over_while_one_is_left() {
    let repo = Repo::new();
    let good = repo.site.server.url("/");
    let mixed = config(&format!("baseurl=ftp://h/x rsync://h/x {good}"));
    let log = Log::default();
    let set = refresh_one(job(&mixed, &repo.cache()), &log).unwrap();
    assert_eq!(set.base_urls, [good.as_str()]);
    for scheme in ["ftp", "rsync"] {
        let told = format!("cannot speak {scheme}");
        assert!(log.text().contains(&told), "{}", log.text());
    }
    // From the cache, too.
    let set = refresh_one(job(&mixed, &repo.cache()), &log).unwrap();
    assert_eq!(set.base_urls, [good.as_str()]);
    let none = config("baseurl=ftp://h/x");
    let error = refresh_one(job(&none, &repo.site.path("other")), &log).unwrap_err();
    assert_eq!(error.tdnf_code(), Some(1204));
}
