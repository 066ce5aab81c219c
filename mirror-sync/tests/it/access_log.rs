//! The log of who came.

use std::fs;
use std::path::Path;

use crate::doors::{TOKEN, tokens, until};
use crate::scene::Scene;
use crate::serving::{Serving, curl};

/// A line an answer, in both forms; a new file after a signal; nothing steers, no token is told.
#[test]
fn the_access_log_tells_who_had_what() {
    let scene = Scene::usual();
    let log = scene.path("access.log");
    tokens(&scene.path("tokens"), &format!("{TOKEN}\n"));
    let base = format!(
        "tokens_file = {:?}\n[serve]\naccess_log = {log:?}\n",
        scene.path("tokens")
    );
    scene.config(&base);
    scene.sync();
    let serving = Serving::start(&scene);
    let lines = |path: &Path| -> Vec<String> {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    };
    let package = "/base/Packages/alpha-1-1.noarch.rpm";
    let size = fs::metadata(scene.public(&package[1..])).unwrap().len();
    curl(&[
        "-f",
        "-o",
        "/dev/null",
        "-u",
        &format!("the office:{TOKEN}"),
        &serving.url(package),
    ])
    .ends(0);
    curl(&[
        "-f",
        "-o",
        "/dev/null",
        "-u",
        &format!("{TOKEN}:{TOKEN}"),
        &serving.url(package),
    ])
    .ends(0);
    let hostile = "User-Agent: x\" \\\t\u{9b}2J\r\nAuthorization: Basic !\r\n";
    assert_eq!(
        serving
            .status("GET", &format!("/base/\"x?{TOKEN}"), hostile)
            .0,
        401
    );
    assert_eq!(serving.status("HEAD", "/healthz", "").0, 200);
    until("four lines", || lines(&log).len() == 4);
    let told = lines(&log);
    assert!(
        told[0].starts_with("127.0.0.1 - the\\x20office ["),
        "{told:?}"
    );
    let end = format!("\"GET {package} HTTP/1.1\" 200 {size}");
    assert!(told[0].ends_with(&end), "{told:?}");
    assert!(told[1].starts_with("127.0.0.1 - - ["), "{told:?}");
    assert!(
        told[2].contains("\"GET /base/\\\"x HTTP/1.1\" 401 "),
        "{told:?}"
    );
    assert!(
        told[3].ends_with("\"HEAD /healthz HTTP/1.1\" 200 -"),
        "{told:?}"
    );
    // As logrotate does it.
    let rotated = scene.path("access.log.1");
    fs::rename(&log, &rotated).unwrap();
    serving.signal("HUP");
    until("a new file", || log.exists());
    assert_eq!(serving.status("GET", "/nosuch", "").0, 404);
    until("a line in the new file", || lines(&log).len() == 1);
    assert_eq!(lines(&rotated).len(), 4);
    drop(serving);
    fs::remove_file(&log).unwrap();
    scene.config(&format!("{base}access_log_format = \"json\"\n"));
    let serving = Serving::start(&scene);
    assert_eq!(serving.status("GET", "/nosuch", hostile).0, 404);
    // A client that goes away in the middle of an answer is told, too.
    fs::write(scene.public("large"), testkit::noise(30 << 20, 5)).unwrap();
    let cut = curl(&[
        "-m",
        "1",
        "--limit-rate",
        "10k",
        "-o",
        "/dev/null",
        &serving.url("/large"),
    ]);
    assert_eq!(cut.code, 28);
    until("two lines", || lines(&log).len() == 2);
    let read = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let told: Vec<_> = lines(&log).iter().map(read).collect();
    assert_eq!(told[0]["status"], 404);
    assert_eq!(told[0]["agent"], "x\\\" \\\\\\x09\\xC2\\x9B2J");
    assert_eq!(
        (&told[1]["path"], &told[1]["status"]),
        (&"/large".into(), &200.into())
    );
    let bytes = told[1]["bytes"].as_u64().unwrap();
    assert!((1..30 << 20).contains(&bytes), "{bytes}");
    for path in [&log, &rotated] {
        let text = fs::read_to_string(path).unwrap();
        assert!(!text.contains(TOKEN) && !text.contains('\u{9b}'), "{text}");
    }
}
